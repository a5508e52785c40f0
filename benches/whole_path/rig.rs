//! A provider with queues that only count, connected to a presence server.

use std::cell::Cell;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, Context, Handler};
use presence_actors::{DialectSetup, EndpointSetup, Pool, PresenceEvent, Provider, Setup, UccClient};
use presence_core::{AgentUri, EndpointKind, SourceRules};
use presence_sip::TransportKind;
use tokio::sync::Notify;

use crate::DialectArgument;
use crate::pool::DOMAIN;

/// How long to wait for what should have come long ago.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the queues have heard, all together.
#[derive(Default)]
pub(crate) struct Heard {
    values: Cell<u64>,
    missed: Cell<u64>,
    progress: Notify,
}

impl Heard {
    fn count(&self, values: u64) {
        self.values.set(self.values.get() + values);
        self.progress.notify_one();
    }

    /// How many changes were dropped because a queue was too slow.
    pub(crate) fn missed(&self) -> u64 {
        self.missed.get()
    }

    /// How many values have been heard.
    pub(crate) fn values(&self) -> u64 {
        self.values.get()
    }

    /// How many values have been heard or dropped.
    pub(crate) fn all(&self) -> u64 {
        self.values.get() + self.missed.get()
    }

    /// Waits until what is counted comes to this.
    pub(crate) async fn until(&self, counted: impl Fn(&Self) -> u64, target: u64) {
        let reached = async {
            while counted(self) < target {
                self.progress.notified().await;
            }
        };
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            panic!("only {} of {target} values were heard", counted(self));
        }
    }
}

/// A queue that counts.
struct Queue {
    client: Option<UccClient>,
    heard: Rc<Heard>,
}

impl Actor for Queue {
    type Context = Context<Self>;
}

impl Handler<PresenceEvent> for Queue {
    type Result = ();

    fn handle(&mut self, event: PresenceEvent, _: &mut Self::Context) {
        match event {
            PresenceEvent::Changed(_) | PresenceEvent::Current { .. } => self.heard.count(1),
            PresenceEvent::Lagged { missed } => {
                self.heard.missed.set(self.heard.missed.get() + missed);
                self.heard.count(0);
            }
            PresenceEvent::Pending { .. } => {}
            PresenceEvent::Unserved { uri, why } => panic!("{uri} is not served: {why}"),
        }
    }
}

#[derive(actix::Message)]
#[rtype(result = "()")]
struct Want(std::ops::RangeInclusive<usize>);

impl Handler<Want> for Queue {
    type Result = ();

    fn handle(&mut self, want: Want, _: &mut Self::Context) {
        let Some(client) = &self.client else { return };
        for number in want.0 {
            client.subscribe(AgentUri::parse(&format!("sip:agent{number}@{DOMAIN}")).unwrap());
        }
    }
}

#[derive(actix::Message)]
#[rtype(result = "()")]
struct Join(UccClient);

impl Handler<Join> for Queue {
    type Result = ();

    fn handle(&mut self, join: Join, _: &mut Self::Context) {
        self.client = Some(join.0);
    }
}

/// The provider and its queues.
pub(crate) struct Rig {
    pub(crate) provider: Provider,
    pub(crate) heard: Rc<Heard>,
    queues: Vec<Addr<Queue>>,
}

impl Rig {
    /// Starts both and waits until the endpoint is up.
    pub(crate) async fn start(pool: SocketAddr, rate: u32, uccs: usize, dialect: DialectArgument) -> Self {
        let rules = SourceRules { attendant: None, pstn: false, graph: None, ucma: true };
        let pool = Pool::Address { host: pool.ip().to_string(), port: Some(pool.port()) };
        let uri = format!("sip:provider@{DOMAIN}").parse().unwrap();
        let mut endpoint = EndpointSetup::new(EndpointKind::Application, uri, pool, TransportKind::Tcp);
        if dialect == DialectArgument::Skype {
            endpoint.dialect = DialectSetup::Skype { registers: true };
        }
        let mut setup = Setup::new(rules, vec![endpoint]);
        setup.subscriptions_per_second = NonZeroU32::new(rate).unwrap();
        let provider = Provider::start(setup);
        let heard = Rc::new(Heard::default());
        let queue = |number| {
            let queue = Queue { client: None, heard: Rc::clone(&heard) }.start();
            queue.do_send(Join(provider.client(&format!("ucc{number}"), queue.clone().recipient())));
            queue
        };
        let queues = (1..=uccs).map(queue).collect();
        let up = |view: presence_actors::ProviderView| {
            let mut endpoints = view.sources.into_iter().flat_map(|source| source.endpoints);
            endpoints.any(|endpoint| endpoint.state == presence_core::EndpointState::Established)
        };
        while !up(provider.observe().await.unwrap()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { provider, heard, queues }
    }

    /// Has every queue want these agents, and waits until each has heard of each. How long that took.
    pub(crate) async fn want(&self, agents: usize) -> Duration {
        let (before, start) = (self.heard.values(), Instant::now());
        for queue in &self.queues {
            queue.do_send(Want(1..=agents));
        }
        self.heard.until(Heard::values, before + (agents * self.queues.len()) as u64).await;
        start.elapsed()
    }

    /// Waits until nothing more is heard: how many values that were is of no interest.
    pub(crate) async fn settle(&self) {
        loop {
            let before = self.heard.all();
            tokio::time::sleep(Duration::from_millis(200)).await;
            if self.heard.all() == before {
                return;
            }
        }
    }

    /// Unsubscribes everything and ends the connection.
    pub(crate) async fn end(self) {
        assert!(self.provider.shutdown(PATIENCE).await, "everything is unsubscribed in time");
    }
}

/// Runs a measurement where actors can live: one thread, as in the real process.
pub(crate) fn in_actix(measurement: impl Future<Output = ()>) {
    actix::System::new().block_on(measurement);
}

//! A pool in memory and UCCs that write down what they hear, all in virtual time.

pub(crate) mod days;
pub(crate) mod errors;
pub(crate) mod ledger;
pub(crate) mod line;
pub(crate) mod pool;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture};
use presence_actors::transport::memory;
use presence_actors::{EndpointSetup, Pool, PresenceEvent, Provider, Setup, UccClient};
use presence_core::{AgentUri, EndpointKind, MatchRules, SourceRules};
use presence_sip::TransportKind;

pub(crate) use ledger::Ledger;
pub(crate) use pool::VirtualPool;

/// Runs a test in an actix system whose clock stands still while anything can happen, and jumps when nothing can.
/// An ERROR in the log that the test did not take with [`errors::take`] fails it.
pub(crate) fn in_virtual_time<F: Future<Output = ()> + 'static>(test: impl FnOnce() -> F + 'static) {
    let system = actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
    });
    let _listening = errors::listen();
    system.block_on(async move { test().await });
    assert_eq!(errors::take(), Vec::<String>::new(), "errors in the log");
}

/// Lets virtual time pass.
pub(crate) async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Lets everything happen that can happen now.
pub(crate) async fn settle() {
    pass(Duration::from_millis(1)).await;
}

pub(crate) fn agent(number: usize) -> AgentUri {
    format!("sip:agent{number}@example.test").parse().unwrap()
}

pub(crate) const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// What a UCC has heard and when, shared with the test.
pub(crate) type Heard = Rc<RefCell<Vec<(Instant, PresenceEvent)>>>;

/// A UCC that writes everything down.
pub(crate) struct Recorder {
    name: String,
    provider: Provider,
    heard: Heard,
    /// How long it takes over each event; zero: no time at all.
    pace: Rc<Cell<Duration>>,
    client: Option<UccClient>,
}

impl Recorder {
    pub(crate) fn start(provider: &Provider, name: &str) -> Ucc {
        let (heard, pace) = (Heard::default(), Rc::<Cell<Duration>>::default());
        let recorder = Self {
            name: name.into(),
            provider: provider.clone(),
            heard: Rc::clone(&heard),
            pace: Rc::clone(&pace),
            client: None,
        };
        Ucc { address: recorder.start(), heard, pace }
    }
}

impl Actor for Recorder {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.client = Some(self.provider.client(&self.name, ctx.address().recipient()));
    }
}

impl Handler<PresenceEvent> for Recorder {
    type Result = ();

    fn handle(&mut self, event: PresenceEvent, ctx: &mut Self::Context) {
        self.heard.borrow_mut().push((presence_actors::now(), event));
        if !self.pace.get().is_zero() {
            ctx.wait(tokio::time::sleep(self.pace.get()).into_actor(self).map(|(), _, _| ()));
        }
    }
}

/// Something done with the client of a [`Recorder`].
#[derive(actix::Message)]
#[rtype(result = "()")]
struct With(Box<dyn FnOnce(&UccClient) + Send>);

impl Handler<With> for Recorder {
    type Result = ();

    fn handle(&mut self, message: With, _: &mut Self::Context) {
        message.0(self.client.as_ref().unwrap());
    }
}

/// The UCC's actor panics.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Crash;

impl Handler<Crash> for Recorder {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        panic!("the UCC {} was told to crash", self.name);
    }
}

/// The UCC drops its client and lives on.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct DropClient;

impl Handler<DropClient> for Recorder {
    type Result = ();

    fn handle(&mut self, _: DropClient, _: &mut Self::Context) {
        self.client = None;
    }
}

#[derive(actix::Message)]
#[rtype(result = "()")]
struct End;

impl Handler<End> for Recorder {
    type Result = ();

    fn handle(&mut self, _: End, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

/// A recording UCC, from the outside.
pub(crate) struct Ucc {
    address: Addr<Recorder>,
    heard: Heard,
    pace: Rc<Cell<Duration>>,
}

impl Ucc {
    pub(crate) fn with(&self, then: impl FnOnce(&UccClient) + Send + 'static) {
        self.address.do_send(With(Box::new(then)));
    }

    /// Where its events go.
    pub(crate) fn recipient(&self) -> actix::Recipient<PresenceEvent> {
        self.address.clone().recipient()
    }

    pub(crate) fn subscribe(&self, uri: &AgentUri) {
        let uri = uri.clone();
        self.with(move |client| client.subscribe(uri));
    }

    pub(crate) fn unsubscribe(&self, uri: &AgentUri) {
        let uri = uri.clone();
        self.with(move |client| client.unsubscribe(&uri));
    }

    /// Wants the agents of these numbers.
    pub(crate) fn subscribe_to(&self, numbers: impl IntoIterator<Item = usize>) {
        for number in numbers {
            self.subscribe(&agent(number));
        }
    }

    /// Takes this long over every event from now on.
    pub(crate) fn set_pace(&self, pace: Duration) {
        self.pace.set(pace);
    }

    /// The UCC's actor stops.
    pub(crate) fn end(&self) {
        self.address.do_send(End);
    }

    /// The UCC's actor panics.
    pub(crate) fn crash(&self) {
        self.address.do_send(Crash);
    }

    /// The UCC drops its client and lives on.
    pub(crate) fn drop_client(&self) {
        self.address.do_send(DropClient);
    }

    /// Takes what was heard since the last time.
    pub(crate) fn heard(&self) -> Vec<PresenceEvent> {
        self.heard_when().into_iter().map(|(_, event)| event).collect()
    }

    /// The same, each with its time.
    pub(crate) fn heard_when(&self) -> Vec<(Instant, PresenceEvent)> {
        std::mem::take(&mut self.heard.borrow_mut())
    }
}

/// The rules of most tests: PSTN, pushes for `@console.test`, UCMA for the rest.
pub(crate) fn rules() -> SourceRules {
    let attendant = MatchRules::compile(&[r"@console\.test$"]).unwrap();
    SourceRules { attendant: Some(attendant), pstn: true, graph: None, ucma: true }
}

/// An endpoint whose pool is in memory.
pub(crate) fn endpoint(kind: EndpointKind, network: memory::MemoryNetwork) -> EndpointSetup {
    let uri = match kind {
        EndpointKind::Application => "sip:application@example.test",
        EndpointKind::User => "sip:user@example.test",
    };
    let pool = Pool::Address { host: memory::PEER.ip().to_string(), port: Some(memory::PEER.port()) };
    let mut endpoint = EndpointSetup::new(kind, uri.parse().unwrap(), pool, TransportKind::Tcp);
    endpoint.memory = Some(Arc::new(network));
    endpoint
}

/// A provider with an application endpoint at a pool that knows `agents` agents.
pub(crate) fn provider_with(agents: usize, change: impl FnOnce(&mut Setup)) -> (Provider, VirtualPool) {
    let (network, side) = memory::network();
    let pool = VirtualPool::start(agents, side);
    let mut setup = Setup::new(rules(), vec![endpoint(EndpointKind::Application, network)]);
    change(&mut setup);
    (Provider::start(setup), pool)
}

/// A provider with both endpoints, each at a pool of its own; both pools know the same agents.
pub(crate) fn provider_with_two_pools(
    agents: usize,
    change: impl FnOnce(&mut Setup),
) -> (Provider, VirtualPool, VirtualPool) {
    let ((application, application_side), (user, user_side)) = (memory::network(), memory::network());
    let pools = (VirtualPool::start(agents, application_side), VirtualPool::start(agents, user_side));
    let endpoints = vec![endpoint(EndpointKind::Application, application), endpoint(EndpointKind::User, user)];
    let mut setup = Setup::new(rules(), endpoints);
    change(&mut setup);
    (Provider::start(setup), pools.0, pools.1)
}

/// Enough tokens for everyone at once: for tests that are not about the throttle.
pub(crate) fn in_a_hurry(setup: &mut Setup) {
    setup.subscriptions_per_second = std::num::NonZeroU32::new(1_000).unwrap();
}

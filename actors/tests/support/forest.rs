//! Simulated Skype for Business pools at the other end of networks in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_actors::transport::memory::{self, MemoryPool};
use presence_actors::{DialectSetup, Provider, Setup};
use presence_core::{AgentUri, EndpointKind, RetryPolicy};
use presence_simulator::{
    Activity, AgentState, ConnectionId, FrontEnd, FrontEndCounters, FrontEndEffect, FrontEndSettings, Homed,
};
use tokio::io::{DuplexStream, ReadHalf};
use tokio::sync::{Notify, mpsc};

use crate::support::{agent, endpoint, line, rules};

/// What connections of a dialled number are: the endpoints' in their order.
type Side = usize;

/// Front ends in memory and in virtual time; each endpoint has its own network to them.
#[derive(Clone)]
pub(crate) struct VirtualForest {
    shared: Rc<Shared>,
}

struct Shared {
    machine: RefCell<FrontEnd>,
    writers: RefCell<BTreeMap<ConnectionId, (Side, mpsc::UnboundedSender<Bytes>)>>,
    next: RefCell<u64>,
    /// Whether each side's dials are answered.
    online: RefCell<Vec<bool>>,
    dialled: RefCell<Vec<Instant>>,
    changed: Notify,
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl VirtualForest {
    pub(crate) fn start(settings: FrontEndSettings, sides: Vec<MemoryPool>) -> Self {
        let shared = Rc::new(Shared {
            machine: RefCell::new(FrontEnd::new(now(), settings)),
            writers: RefCell::default(),
            next: RefCell::new(0),
            online: RefCell::new(vec![true; sides.len()]),
            dialled: RefCell::default(),
            changed: Notify::new(),
        });
        for (side, network) in sides.into_iter().enumerate() {
            actix_rt::spawn(accept(Rc::clone(&shared), side, network));
        }
        actix_rt::spawn(keep_time(Rc::clone(&shared)));
        Self { shared }
    }

    /// Does something with the front ends, and sends what comes of it.
    pub(crate) fn with<T>(&self, then: impl FnOnce(&mut FrontEnd, Instant) -> T) -> T {
        let result = then(&mut self.shared.machine.borrow_mut(), now());
        self.shared.flush();
        self.shared.changed.notify_one();
        result
    }

    /// A command of the control language.
    pub(crate) fn command(&self, line: &str) -> String {
        let command = line.parse().unwrap_or_else(|error| panic!("{line}: {error:?}"));
        self.with(|machine, now| machine.apply(now, &command)).unwrap_or_else(|error| panic!("{line}: {error:?}"))
    }

    /// An agent does this from now on.
    pub(crate) fn set(&self, number: usize, activity: Activity) {
        self.with(|machine, now| assert!(machine.set_presence(now, &agent(number), AgentState::of(activity))));
    }

    pub(crate) fn counters(&self) -> FrontEndCounters {
        self.shared.machine.borrow().counters()
    }

    pub(crate) fn live(&self) -> usize {
        self.shared.machine.borrow().live_subscriptions()
    }

    /// Through which endpoints an agent is subscribed to now.
    pub(crate) fn served_by(&self, number: usize) -> Vec<String> {
        let subscriptions = self.shared.machine.borrow().subscriptions_of(&agent(number));
        subscriptions.into_iter().map(|(endpoint, _)| endpoint.to_string()).collect()
    }

    /// What an agent does now; `None` when there is no such agent.
    pub(crate) fn presence(&self, uri: &AgentUri) -> Option<AgentState> {
        self.shared.machine.borrow().presence(uri)
    }

    /// A command that may be about nobody: says whether it was done.
    pub(crate) fn try_command(&self, line: &str) -> bool {
        let command = line.parse().unwrap_or_else(|error| panic!("{line}: {error:?}"));
        self.with(|machine, now| machine.apply(now, &command)).is_ok()
    }

    /// No rule of the protocol was broken.
    pub(crate) fn assert_no_violation(&self) {
        assert_eq!(self.counters().violations, Vec::<String>::new());
    }

    /// Closes the connections of one endpoint; while it is offline new ones are closed at once.
    pub(crate) fn set_online(&self, side: Side, online: bool) {
        self.shared.online.borrow_mut()[side] = online;
        if !online {
            self.drop_connections(side);
        }
    }

    /// When it was tried to connect.
    pub(crate) fn dialled(&self) -> Vec<Instant> {
        self.shared.dialled.borrow().clone()
    }

    pub(crate) fn drop_connections(&self, side: Side) {
        let all: Vec<_> = self.shared.writers.borrow().iter().map(|(id, (of, _))| (*id, *of)).collect();
        for (connection, _) in all.into_iter().filter(|(_, of)| *of == side) {
            self.shared.close(connection);
        }
        self.shared.flush();
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn flush(&self) {
        loop {
            let Some(effect) = self.machine.borrow_mut().poll_effect() else { return };
            match effect {
                FrontEndEffect::Transmit { connection, bytes } => {
                    if let Some((_, writer)) = self.writers.borrow().get(&connection) {
                        let _closed = writer.send(bytes);
                    }
                }
                FrontEndEffect::Close { connection } => self.close(connection),
                // A front end's own connections are for sockets.
                FrontEndEffect::Dial { connection, .. } => self.machine.borrow_mut().dialled(now(), connection, false),
                // All connections are the first pool's.
                FrontEndEffect::Listen { pool: 0, open } => self.online.borrow_mut().fill(open),
                FrontEndEffect::Listen { .. } => {}
            }
        }
    }

    fn close(&self, connection: ConnectionId) {
        if self.writers.borrow_mut().remove(&connection).is_some() {
            self.machine.borrow_mut().connection_lost(now(), connection);
        }
    }
}

async fn accept(shared: Rc<Shared>, side: Side, mut network: MemoryPool) {
    while let Some(stream) = network.accept().await {
        shared.dialled.borrow_mut().push(now());
        if !shared.online.borrow()[side] {
            continue;
        }
        *shared.next.borrow_mut() += 1;
        let connection = ConnectionId(*shared.next.borrow());
        let (reader, writer) = tokio::io::split(stream);
        let (queue, queued) = mpsc::unbounded_channel::<Bytes>();
        shared.machine.borrow_mut().connected(connection, 0);
        shared.writers.borrow_mut().insert(connection, (side, queue));
        actix_rt::spawn(line::write(writer, queued));
        actix_rt::spawn(read(Rc::clone(&shared), connection, reader));
    }
}

async fn read(shared: Rc<Shared>, connection: ConnectionId, reader: ReadHalf<DuplexStream>) {
    let is_open = || shared.writers.borrow().contains_key(&connection);
    let settle = || {
        shared.flush();
        shared.changed.notify_one();
    };
    if line::read(reader, is_open, |message| shared.machine.borrow_mut().receive(now(), connection, message), settle)
        .await
    {
        shared.close(connection);
        settle();
    }
}

async fn keep_time(shared: Rc<Shared>) {
    loop {
        let deadline = shared.machine.borrow().poll_timeout();
        match deadline {
            Some(at) => {
                tokio::select! {
                    biased;
                    () = shared.changed.notified() => continue,
                    () = tokio::time::sleep_until(at.into()) => {}
                }
                shared.machine.borrow_mut().handle_timeout(now());
                shared.flush();
            }
            None => shared.changed.notified().await,
        }
    }
}

/// The identities of both endpoints, as [`endpoint`] makes them.
pub(crate) const APPLICATION: &str = "sip:application@example.test";
pub(crate) const USER: &str = "sip:user@example.test";

/// One pool with these agents and both endpoints.
pub(crate) fn one_pool(agents: usize) -> FrontEndSettings {
    let mut settings = FrontEndSettings::one_pool("pool.example.test", memory::PEER, agents, "example.test");
    settings.endpoints = [APPLICATION, USER].map(|uri| Homed { uri: uri.parse().unwrap(), pool: 0 }).into();
    settings
}

/// The seed's sample settings: 15 per second, 15 s, 3 failures.
pub(crate) fn sample(setup: &mut Setup) {
    setup.subscriptions_per_second = NonZeroU32::new(15).unwrap();
    setup.retry = RetryPolicy::try_new(Duration::from_secs(15), Duration::from_secs(28_800)).unwrap();
    setup.max_failures = 3;
}

/// A provider with these endpoints at simulated front ends, in the dialect `skype`.
pub(crate) fn skype_provider(
    settings: FrontEndSettings,
    kinds: &[EndpointKind],
    change: impl FnOnce(&mut Setup),
) -> (Provider, VirtualForest) {
    let (mut endpoints, mut sides) = (Vec::new(), Vec::new());
    for kind in kinds {
        let (network, side) = memory::network();
        let mut endpoint = endpoint(*kind, network);
        endpoint.dialect = DialectSetup::Skype { registers: true };
        endpoints.push(endpoint);
        sides.push(side);
    }
    let forest = VirtualForest::start(settings, sides);
    let mut setup = Setup::new(rules(), endpoints);
    change(&mut setup);
    (Provider::start(setup), forest)
}

/// The agents' URIs of these numbers.
pub(crate) fn agents(numbers: impl IntoIterator<Item = usize>) -> Vec<AgentUri> {
    numbers.into_iter().map(agent).collect()
}

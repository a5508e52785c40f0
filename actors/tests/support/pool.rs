//! The simulated presence server at the other end of a network in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_actors::transport::memory::{self, MemoryPool};
use presence_core::AgentUri;
use presence_simulator::{
    Activity, AgentState, ConnectionId, Counters, Effect, Faults, PresenceServer, Refusal, Scope, ServerSettings, Wire,
};
use tokio::io::{DuplexStream, ReadHalf};
use tokio::sync::{Notify, mpsc};

use super::{agent, line};

/// A presence server in memory and in virtual time.
#[derive(Clone)]
pub(crate) struct VirtualPool {
    shared: Rc<Shared>,
}

struct Shared {
    machine: RefCell<PresenceServer>,
    writers: RefCell<BTreeMap<ConnectionId, mpsc::UnboundedSender<Bytes>>>,
    online: RefCell<bool>,
    dialled: RefCell<usize>,
    changed: Notify,
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl VirtualPool {
    pub(crate) fn start(agents: usize, side: MemoryPool) -> Self {
        Self::start_moving(agents, side, 1, None)
    }

    /// A pool whose agents move by dice.
    pub(crate) fn start_moving(agents: usize, side: MemoryPool, seed: u64, change_interval: Option<Duration>) -> Self {
        let settings = ServerSettings {
            seed,
            agents: (1..=agents).map(agent).collect(),
            change_interval,
            address: memory::PEER,
            digest: None,
        };
        let pool = Self {
            shared: Rc::new(Shared {
                machine: RefCell::new(PresenceServer::new(now(), settings)),
                writers: RefCell::default(),
                online: RefCell::new(true),
                dialled: RefCell::new(0),
                changed: Notify::new(),
            }),
        };
        actix_rt::spawn(accept(Rc::clone(&pool.shared), side));
        actix_rt::spawn(keep_time(Rc::clone(&pool.shared)));
        pool
    }

    /// Does something with the server, and sends what comes of it.
    pub(crate) fn with<T>(&self, then: impl FnOnce(&mut PresenceServer, Instant) -> T) -> T {
        let result = then(&mut self.shared.machine.borrow_mut(), now());
        self.shared.flush();
        self.shared.changed.notify_one();
        result
    }

    /// An agent does this from now on.
    pub(crate) fn set(&self, number: usize, activity: Activity) {
        self.with(|server, now| assert!(server.set_presence(now, &agent(number), AgentState::of(activity))));
    }

    /// Faults for one agent.
    pub(crate) fn fault(&self, uri: &AgentUri, faults: Faults) {
        self.with(|server, _| server.faults(&Scope::Agent(uri.clone()), faults));
    }

    /// One agent is refused with this code.
    pub(crate) fn refuse(&self, uri: &AgentUri, code: u16) {
        self.fault(uri, Faults::refusing(Refusal::with(code)));
    }

    /// Faults for everyone.
    pub(crate) fn fault_all(&self, faults: Faults) {
        self.with(|server, _| server.faults(&Scope::Everyone, faults));
    }

    pub(crate) fn heal(&self) {
        self.with(|server, _| server.heal());
    }

    /// Agents with a subscription now, each with how many.
    pub(crate) fn subscriptions(&self) -> BTreeMap<String, usize> {
        self.counters().by_agent
    }

    pub(crate) fn counters(&self) -> Counters {
        self.shared.machine.borrow().counters()
    }

    /// Closes every connection; while it is offline new ones are closed at once.
    pub(crate) fn set_online(&self, online: bool) {
        *self.shared.online.borrow_mut() = online;
        if !online {
            self.drop_connections();
        }
    }

    /// How often it was tried to connect.
    pub(crate) fn dialled(&self) -> usize {
        *self.shared.dialled.borrow()
    }

    pub(crate) fn drop_connections(&self) {
        let gone: Vec<ConnectionId> = std::mem::take(&mut *self.shared.writers.borrow_mut()).into_keys().collect();
        for connection in gone {
            self.shared.machine.borrow_mut().connection_lost(connection);
        }
    }
}

impl Shared {
    fn flush(&self) {
        let mut machine = self.machine.borrow_mut();
        while let Some(Effect::Transmit { connection, bytes }) = machine.poll_effect() {
            if let Some(writer) = self.writers.borrow().get(&connection) {
                let _closed = writer.send(bytes);
            }
        }
    }
}

async fn accept(shared: Rc<Shared>, mut side: MemoryPool) {
    let mut next = 0;
    while let Some(stream) = side.accept().await {
        *shared.dialled.borrow_mut() += 1;
        if !*shared.online.borrow() {
            continue;
        }
        next += 1;
        let connection = ConnectionId(next);
        let (reader, writer) = tokio::io::split(stream);
        let (queue, queued) = mpsc::unbounded_channel::<Bytes>();
        shared.machine.borrow_mut().connected(connection, Wire::Tcp);
        shared.writers.borrow_mut().insert(connection, queue);
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
    let is_over =
        line::read(reader, is_open, |message| shared.machine.borrow_mut().receive(now(), connection, message), settle)
            .await;
    if is_over && shared.writers.borrow_mut().remove(&connection).is_some() {
        shared.machine.borrow_mut().connection_lost(connection);
    }
}

async fn keep_time(shared: Rc<Shared>) {
    loop {
        let deadline = shared.machine.borrow().poll_timeout().map(|(at, _)| at);
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

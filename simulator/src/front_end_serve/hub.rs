//! The machine behind its lock, and what connects it with the sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use presence_sip::Frame;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dial;
use super::event::FrontEndEvent;
use super::observer::Observer;
use super::outbox::Outbox;
use super::tls::Tls;
use crate::serve::clock;
use crate::{ConnectionId, FrontEnd, FrontEndEffect};

/// So many connections there may be, in both directions; handshakes count. More are closed at once.
const MOST_CONNECTIONS: usize = 4_096;

/// The machine and its connections; every task of a simulated front end has a share in it.
pub(super) struct Hub {
    inner: Mutex<Inner>,
    deadline_moved: Notify,
    /// Cancelled when the front end stops.
    pub(super) stop: CancellationToken,
    /// Every task, to wait for.
    pub(super) tasks: TaskTracker,
    /// Both directions of TLS; `None`: the wire is TCP.
    pub(super) tls: Option<Tls>,
    /// One for every connection that may be.
    pub(super) seats: Arc<Semaphore>,
    runtime: Handle,
    /// One per pool: whether it listens.
    gates: Vec<watch::Sender<bool>>,
}

struct Inner {
    machine: FrontEnd,
    outboxes: BTreeMap<ConnectionId, Arc<Outbox>>,
    last_connection: u64,
    observer: Observer,
}

impl Hub {
    /// A hub without connections, whose pools listen. Needs a tokio runtime.
    pub(super) fn new(
        machine: FrontEnd,
        stop: CancellationToken,
        tls: Option<Tls>,
        pools: usize,
        observer: Observer,
    ) -> Self {
        let inner = Inner { machine, outboxes: BTreeMap::new(), last_connection: 0, observer };
        Self {
            inner: Mutex::new(inner),
            deadline_moved: Notify::new(),
            stop,
            tasks: TaskTracker::new(),
            tls,
            seats: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
            runtime: Handle::current(),
            gates: (0..pools).map(|_| watch::Sender::new(true)).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this pool listens, now and whenever that changes.
    pub(super) fn gate(&self, pool: usize) -> Option<watch::Receiver<bool>> {
        self.gates.get(pool).map(watch::Sender::subscribe)
    }

    /// Lets the machine do something now, and carries out what it wants done.
    pub(super) fn with<R>(self: &Arc<Self>, act: impl FnOnce(Instant, &mut FrontEnd) -> R) -> R {
        self.drive(|now, inner| act(now, &mut inner.machine))
    }

    fn drive<R>(self: &Arc<Self>, act: impl FnOnce(Instant, &mut Inner) -> R) -> R {
        let mut inner = self.lock();
        let before = inner.machine.poll_timeout();
        let result = act(clock::now(), &mut inner);
        while let Some(effect) = inner.machine.poll_effect() {
            self.perform(&mut inner, effect);
        }
        if inner.machine.poll_timeout() != before {
            self.deadline_moved.notify_one();
        }
        result
    }

    fn perform(self: &Arc<Self>, inner: &mut Inner, effect: FrontEndEffect) {
        match effect {
            FrontEndEffect::Transmit { connection, bytes } => {
                if let Some(outbox) = inner.outboxes.get(&connection) {
                    outbox.push(&bytes);
                }
                inner.observer.sent(connection, &bytes);
            }
            FrontEndEffect::Close { connection } => {
                if let Some(outbox) = inner.outboxes.get(&connection) {
                    outbox.finish();
                }
            }
            FrontEndEffect::Dial { connection, target } => {
                let hub = Arc::clone(self);
                self.tasks.spawn_on(dial::dial(hub, connection, target), &self.runtime);
            }
            FrontEndEffect::Listen { pool, open } => {
                if let Some(gate) = self.gates.get(pool) {
                    gate.send_replace(open);
                }
            }
        }
    }

    /// Wakes the machine whenever it wants to be woken, until the front end stops.
    pub(super) async fn keep_time(self: Arc<Self>) {
        loop {
            let deadline = self.lock().machine.poll_timeout();
            let due = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.deadline_moved.notified() => {}
                () = due => self.with(|now, machine| machine.handle_timeout(now)),
            }
        }
    }

    /// A peer connected to a pool.
    pub(super) fn accepted(self: &Arc<Self>, pool: usize, peer: SocketAddr) -> (ConnectionId, Arc<Outbox>) {
        self.drive(|_, inner| {
            inner.last_connection += 1;
            let connection = ConnectionId(inner.last_connection);
            let outbox = inner.open(connection);
            inner.machine.connected(connection, pool);
            inner.observer.tell(|| FrontEndEvent::Connected { pool, peer });
            (connection, outbox)
        })
    }

    /// A connection that the machine wanted is there.
    pub(super) fn dialled(self: &Arc<Self>, connection: ConnectionId, target: String) -> Arc<Outbox> {
        self.drive(|now, inner| {
            let outbox = inner.open(connection);
            inner.observer.tell(|| FrontEndEvent::Dialled { target });
            inner.machine.dialled(now, connection, true);
            outbox
        })
    }

    /// A connection that the machine wanted cannot be had.
    pub(super) fn not_dialled(self: &Arc<Self>, connection: ConnectionId, target: String, why: String) {
        self.drive(|now, inner| {
            inner.observer.tell(|| FrontEndEvent::NotDialled { target, why });
            inner.machine.dialled(now, connection, false);
        });
    }

    /// A connection has ended.
    pub(super) fn closed(self: &Arc<Self>, connection: ConnectionId, peer: Option<SocketAddr>) {
        self.drive(|now, inner| {
            inner.outboxes.remove(&connection);
            inner.machine.connection_lost(now, connection);
            if let Some(peer) = peer {
                inner.observer.tell(|| FrontEndEvent::Closed { peer });
            }
        });
    }

    /// What a peer sent.
    pub(super) fn receive(self: &Arc<Self>, connection: ConnectionId, frames: Vec<Frame>) {
        let mut inner = self.lock();
        let before = inner.machine.poll_timeout();
        for frame in frames {
            match frame {
                Frame::Message(message) => {
                    inner.observer.received(connection, &message);
                    inner.machine.receive(clock::now(), connection, &message);
                }
                Frame::Ping => inner.answer(connection, &Bytes::from_static(b"\r\n")),
                Frame::Pong => {}
                Frame::Malformed { answer, .. } => {
                    inner.machine.malformed();
                    if let Some(answer) = answer {
                        inner.answer(connection, &answer);
                    }
                }
            }
            // Answers go out in the order of the requests, whatever else is in this read.
            while let Some(effect) = inner.machine.poll_effect() {
                self.perform(&mut inner, effect);
            }
        }
        if inner.machine.poll_timeout() != before {
            self.deadline_moved.notify_one();
        }
    }

    /// Tells whoever follows.
    pub(super) fn tell(&self, event: impl FnOnce() -> FrontEndEvent) {
        self.lock().observer.tell(event);
    }

    /// The connections that are open.
    pub(super) fn outboxes(&self) -> Vec<Arc<Outbox>> {
        self.lock().outboxes.values().map(Arc::clone).collect()
    }
}

impl Inner {
    fn open(&mut self, connection: ConnectionId) -> Arc<Outbox> {
        let outbox = Arc::new(Outbox::new());
        self.outboxes.insert(connection, Arc::clone(&outbox));
        outbox
    }

    fn answer(&self, connection: ConnectionId, bytes: &Bytes) {
        if let Some(outbox) = self.outboxes.get(&connection) {
            outbox.push(bytes);
        }
    }
}

//! The machine behind its lock, and what connects it with the sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use presence_sip::Frame;
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::outbox::{Outbox, StreamOutbox};
use crate::{ConnectionId, Effect, PresenceServer, Wire};

/// The machine and its connections; every task of a simulated server has a share in it.
pub(super) struct Hub {
    inner: Mutex<Inner>,
    deadline_moved: Notify,
    /// Cancelled when the server stops.
    pub(super) stop: CancellationToken,
}

struct Inner {
    machine: PresenceServer,
    outboxes: BTreeMap<ConnectionId, Outbox>,
    udp_peers: BTreeMap<SocketAddr, ConnectionId>,
    last_connection: u64,
}

impl Hub {
    /// A hub without connections.
    pub(super) fn new(machine: PresenceServer, stop: CancellationToken) -> Self {
        let (outboxes, udp_peers) = (BTreeMap::new(), BTreeMap::new());
        let inner = Mutex::new(Inner { machine, outboxes, udp_peers, last_connection: 0 });
        Self { inner, deadline_moved: Notify::new(), stop }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the machine do something now, and carries out what it wants done.
    pub(super) fn with<R>(&self, act: impl FnOnce(Instant, &mut PresenceServer) -> R) -> R {
        self.drive(|now, inner| act(now, &mut inner.machine))
    }

    fn drive<R>(&self, act: impl FnOnce(Instant, &mut Inner) -> R) -> R {
        let mut inner = self.lock();
        let before = inner.machine.poll_timeout();
        let result = act(clock::now(), &mut inner);
        while let Some(Effect::Transmit { connection, bytes }) = inner.machine.poll_effect() {
            if let Some(outbox) = inner.outboxes.get(&connection) {
                outbox.push(&bytes);
            }
        }
        if inner.machine.poll_timeout() != before {
            self.deadline_moved.notify_one();
        }
        result
    }

    /// Wakes the machine whenever it wants to be woken, until the server stops.
    pub(super) async fn keep_time(&self) {
        loop {
            let deadline = self.lock().machine.poll_timeout();
            let due = async {
                match deadline {
                    Some((at, _)) => tokio::time::sleep_until(at.into()).await,
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

    /// A peer connected over TCP.
    pub(super) fn open_stream(&self) -> (ConnectionId, Arc<StreamOutbox>) {
        let outbox = Arc::new(StreamOutbox::new(self.stop.child_token()));
        let mut inner = self.lock();
        inner.last_connection += 1;
        let connection = ConnectionId(inner.last_connection);
        inner.outboxes.insert(connection, Outbox::Stream(Arc::clone(&outbox)));
        inner.machine.connected(connection, Wire::Tcp);
        (connection, outbox)
    }

    /// A connection has ended.
    pub(super) fn close(&self, connection: ConnectionId) {
        let mut inner = self.lock();
        inner.outboxes.remove(&connection);
        inner.machine.connection_lost(connection);
    }

    /// The connection that stands for this peer over UDP.
    pub(super) fn udp_peer(&self, socket: &Arc<UdpSocket>, peer: SocketAddr) -> ConnectionId {
        let mut inner = self.lock();
        if let Some(connection) = inner.udp_peers.get(&peer) {
            return *connection;
        }
        inner.last_connection += 1;
        let connection = ConnectionId(inner.last_connection);
        inner.udp_peers.insert(peer, connection);
        inner.outboxes.insert(connection, Outbox::Datagrams(Arc::clone(socket), peer));
        inner.machine.connected(connection, Wire::Udp);
        connection
    }

    /// What a peer sent.
    pub(super) fn receive(&self, connection: ConnectionId, frames: Vec<Frame>) {
        self.drive(|now, inner| {
            for frame in frames {
                match frame {
                    Frame::Message(message) => inner.machine.receive(now, connection, &message),
                    Frame::Ping => inner.answer(connection, &Bytes::from_static(b"\r\n")),
                    Frame::Pong => {}
                    Frame::Malformed { answer, .. } => {
                        inner.machine.malformed();
                        if let Some(answer) = answer {
                            inner.answer(connection, &answer);
                        }
                    }
                }
            }
        });
    }

    /// Ends every TCP connection and forgets every UDP peer; says how many.
    pub(super) fn drop_connections(&self) -> usize {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let count = inner.outboxes.len();
        for connection in inner.udp_peers.values() {
            inner.outboxes.remove(connection);
            inner.machine.connection_lost(*connection);
        }
        inner.udp_peers.clear();
        for outbox in inner.outboxes.values() {
            if let Outbox::Stream(stream) = outbox {
                stream.closed.cancel();
            }
        }
        count
    }

    /// How many subscriptions each agent has whose NOTIFYs have a connection to go out on.
    pub(super) fn deliverable(&self) -> BTreeMap<String, usize> {
        let inner = self.lock();
        let mut deliverable = BTreeMap::new();
        for (uri, connection) in inner.machine.subscriptions() {
            if inner.outboxes.contains_key(&connection) {
                *deliverable.entry(uri.as_str().to_owned()).or_default() += 1;
            }
        }
        deliverable
    }

    /// The TCP connections that are open.
    pub(super) fn streams(&self) -> Vec<Arc<StreamOutbox>> {
        let stream = |outbox: &Outbox| match outbox {
            Outbox::Stream(stream) => Some(Arc::clone(stream)),
            Outbox::Datagrams(..) => None,
        };
        self.lock().outboxes.values().filter_map(stream).collect()
    }
}

impl Inner {
    fn answer(&self, connection: ConnectionId, bytes: &Bytes) {
        if let Some(outbox) = self.outboxes.get(&connection) {
            outbox.push(bytes);
        }
    }
}

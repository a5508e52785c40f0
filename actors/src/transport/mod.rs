//! How messages reach the pool and come back: UDP, TCP and TLS, one connection to the pool, and a listener for the
//! connections that the pool opens to us.
//!
//! ```text
//!   actor --connect(n)--> dial task ==> reader task --Connected, Received{frames}, ..., Lost--> actor
//!         --send(flow, bytes)--> bounded queue --> writer task ==> pool
//!   pool  ==> listener --(limits, TLS handshake in a task of its own)--> reader + writer task per connection
//! ```
//!
//! A reader waits until the actor has taken its batch before it reads on, so that at most one batch per connection is in
//! memory and a flooding peer feels the back-pressure of its own connection. A message that is malformed but framed costs
//! that message; a connection whose framing is lost is closed. Whatever ends a connection is told once, with the reason.

mod admission;
mod codec;
mod connection;
mod discovery;
pub mod memory;
mod own_certificate;
mod patience;
mod refusals;
mod settings;
mod stream;
mod tls;
mod tls_words;
mod traffic;
mod udp;
mod verifier;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::Recipient;
use bytes::Bytes;
use presence_core::{EndedBy, Failure, FailureKind};
use presence_sip::discovery::{Server as KnownServer, Unreachable};
use presence_sip::{FlowId, Frame, TransportKind};
use thiserror::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use admission::{Admission, Rarely};
use connection::FlowWriter;
pub use discovery::{DiscoveryError, Resolver, ServiceRecord};
pub use memory::{MemoryNetwork, MemoryPool};
pub use refusals::Refusal;
pub use settings::{ConnectionLimits, Server, TransportSettings};
pub(crate) use stream::plain;
pub use tls::{TlsError, TlsFiles, TlsIdentity, TlsRenewal};
pub use traffic::Traffic;

/// What happened on the network; facts, in the order in which they happened on their connection.
#[derive(actix::Message, Debug)]
#[rtype(result = "()")]
pub enum TransportEvent {
    /// The listener (TCP, TLS) is ready at this address; with port 0 in the settings, this is the port that was given.
    Listening {
        /// Where the pool can reach us.
        local: SocketAddr,
    },
    /// The listener could not be opened. It is tried again every 5 s and the next success is told; the same reason is told once.
    ListenFailed {
        /// The reason, for a person.
        why: Failure,
    },
    /// The connection that was asked for is there.
    Connected {
        /// The number given to [`Transport::connect`].
        connection: u64,
        /// Our end: the source address of the connection, for UDP the address at which the pool reaches us.
        local: SocketAddr,
        /// The server of the pool that accepted.
        peer: SocketAddr,
    },
    /// No server could be reached.
    ConnectFailed {
        /// The number given to [`Transport::connect`].
        connection: u64,
        /// The reasons of all the servers, for a person.
        why: Failure,
    },
    /// A connection is lost. Told once per connection, and not after [`Transport::disconnect`].
    Lost {
        /// [`FlowId::PRIMARY`], or a flow that the pool had opened.
        flow: FlowId,
        /// The number given to [`Transport::connect`]; for a flow that the pool had opened, the number of the flow.
        connection: u64,
        /// The reason, for a person; its kind is always [`FailureKind::Endpoint`].
        why: Failure,
    },
    /// Messages came, in the order of the wire. Pings are answered already and not among them; a malformed message that
    /// could be answered is answered already too (its `answer` is `None` then).
    Received {
        /// Where they came from, and where answers go.
        flow: FlowId,
        /// At least one.
        frames: Vec<Frame>,
    },
}

/// Why a message was not queued for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// There is no such connection (any more).
    #[error("send on flow {}: it is not connected", .0.0)]
    NotConnected(FlowId),
    /// The peer does not read: the queue is full, and the connection is being closed because of it.
    #[error("send on flow {}: the peer reads too slowly, the queue is full", .0.0)]
    QueueFull(FlowId),
}

/// The network of one local endpoint; dropping it ends every connection, listener and task of it.
///
/// At most one connection to the pool exists or is being dialled at any time.
#[derive(Debug)]
pub struct Transport {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Primary {
    connection: u64,
    token: CancellationToken,
}

/// What the tasks of one transport share.
#[derive(Debug)]
struct Shared {
    settings: TransportSettings,
    network: Network,
    events: Events,
    servers: Mutex<Vec<Server>>,
    unreachable: Mutex<Unreachable>,
    flows: Mutex<BTreeMap<FlowId, FlowWriter>>,
    next_flow: AtomicU64,
    primary: Mutex<Option<Primary>>,
    admission: Arc<Admission>,
    /// Connections that were turned away or whose TLS handshake failed.
    refusals: Rarely,
    /// TLS connections to the pool for which it did not want our certificate.
    not_mutual: Rarely,
    token: CancellationToken,
}

#[derive(Debug)]
enum Network {
    Sockets,
    Memory(Arc<MemoryNetwork>),
}

/// The actor that is told.
struct Events(Recipient<TransportEvent>);

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

/// The actor is gone: nobody is left who could want the connection.
#[derive(Debug)]
struct ActorGone;

impl Transport {
    /// Starts the transport, and its listener when the settings name an address; nothing is dialled yet.
    ///
    /// Needs a tokio runtime (that of actix will do); all tasks are `Send`.
    #[must_use]
    pub fn start(settings: TransportSettings, events: Recipient<TransportEvent>) -> Self {
        Self::start_on(Network::Sockets, settings, events)
    }

    /// The same over a network in memory, for tests: no TLS, whatever the settings say.
    #[must_use]
    pub fn start_in_memory(
        settings: TransportSettings,
        network: Arc<MemoryNetwork>,
        events: Recipient<TransportEvent>,
    ) -> Self {
        Self::start_on(Network::Memory(network), settings, events)
    }

    fn start_on(network: Network, settings: TransportSettings, events: Recipient<TransportEvent>) -> Self {
        let limits = &settings.connections;
        let shared = Arc::new(Shared {
            admission: Admission::new(limits.per_peer, limits.in_all),
            network,
            events: Events(events),
            servers: Mutex::new(settings.servers.clone()),
            unreachable: Mutex::new(Unreachable::new()),
            refusals: Rarely::default(),
            not_mutual: Rarely::default(),
            flows: Mutex::default(),
            next_flow: AtomicU64::new(FlowId::PRIMARY.0 + 1),
            primary: Mutex::default(),
            token: CancellationToken::new(),
            settings,
        });
        if shared.settings.listen.is_some() && shared.settings.kind != TransportKind::Udp {
            let token = shared.token.clone();
            let listener = stream::listen(Arc::clone(&shared));
            tokio::spawn(async move { token.run_until_cancelled(listener).await });
        }
        Self { shared }
    }

    /// The servers of the pool from the next [`Transport::connect`] on, in the order in which they are to be tried; those
    /// that failed within the last 10 minutes come last. Their names are accepted by the listener from now on.
    pub fn set_servers(&self, servers: Vec<Server>) {
        *lock(&self.shared.servers) = servers;
    }

    /// Connects to the pool: answered by one [`TransportEvent::Connected`] or [`TransportEvent::ConnectFailed`] with this
    /// number. An older connection or attempt is given up first, without an event; the same number again does nothing.
    pub fn connect(&self, connection: u64) {
        let mut primary = lock(&self.shared.primary);
        if primary.as_ref().is_some_and(|current| current.connection == connection && !current.token.is_cancelled()) {
            return;
        }
        self.close_primary(&mut primary);
        let token = self.shared.token.child_token();
        *primary = Some(Primary { connection, token: token.clone() });
        drop(primary);
        let shared = Arc::clone(&self.shared);
        match (&self.shared.network, self.shared.settings.kind) {
            (Network::Sockets, TransportKind::Udp) => drop(tokio::spawn(udp::run(shared, connection, token))),
            _ => drop(tokio::spawn(stream::dial(shared, connection, token))),
        }
    }

    /// Closes the connection to the pool, or gives up dialling it. What is queued is still written, for at most 1 s.
    /// No event follows; the listener and the connections that the pool opened stay.
    pub fn disconnect(&self) {
        self.close_primary(&mut lock(&self.shared.primary));
    }

    fn close_primary(&self, primary: &mut Option<Primary>) {
        if let Some(Primary { token, .. }) = primary.take() {
            token.cancel();
            lock(&self.shared.flows).remove(&FlowId::PRIMARY);
        }
    }

    /// Queues a message for a connection; never waits.
    ///
    /// # Errors
    /// [`SendError`]; a full queue also ends the connection, which is then told as [`TransportEvent::Lost`].
    pub fn send(&self, flow: FlowId, bytes: Bytes) -> Result<(), SendError> {
        match lock(&self.shared.flows).get(&flow) {
            None => Err(SendError::NotConnected(flow)),
            Some(writer) => writer.send(bytes).map_err(|connection::NotQueued| SendError::QueueFull(flow)),
        }
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.shared.token.cancel();
        lock(&self.shared.flows).clear();
    }
}

impl Shared {
    async fn tell(&self, event: TransportEvent) -> Result<(), ActorGone> {
        self.events.0.send(event).await.map_err(|_| ActorGone)
    }

    /// From now on messages can be sent on the flow, unless its connection has ended in the meantime.
    fn enter(&self, flow: FlowId, writer: &FlowWriter) {
        let mut flows = lock(&self.flows);
        if !writer.has_ended() {
            flows.insert(flow, writer.clone());
        }
    }

    /// Nothing can be sent any more on the flows of this connection or socket.
    fn leave(&self, writer: &FlowWriter) {
        lock(&self.flows).retain(|_, flow| !flow.same_connection(writer));
    }

    fn servers(&self) -> Vec<Server> {
        lock(&self.servers).clone()
    }

    /// The servers in the order of trying: those that could not be reached, or that never said anything, come last.
    fn candidates(&self) -> Vec<Server> {
        let servers = self.servers();
        let known = servers.iter().map(|server| by_address(server.address)).collect();
        let arranged = lock(&self.unreachable).arrange(now().into_std(), known);
        let found = |known| servers.iter().find(|server| by_address(server.address) == known).cloned();
        arranged.into_iter().filter_map(found).collect()
    }

    /// This server is being tried. It counts as unreachable until it has said something: if it does not, or if the
    /// attempt is given up, another one comes first the next time.
    fn trying(&self, server: SocketAddr) {
        lock(&self.unreachable).failed(now().into_std(), by_address(server));
    }

    /// True for an address of a server of the pool.
    fn is_of_the_pool(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        lock(&self.servers).iter().any(|server| server.address.ip().to_canonical() == peer)
    }

    fn count_refused(&self, refusal: Refusal) {
        self.settings.traffic.count_refused(refusal);
    }

    /// This server has sent a message.
    fn heard(&self, server: SocketAddr) {
        lock(&self.unreachable).reached(&by_address(server));
    }
}

/// A server as the list of unreachable ones knows it: several of them can share a name.
fn by_address(address: SocketAddr) -> KnownServer {
    KnownServer { host: address.ip().to_string(), port: address.port() }
}

/// The moment for the deadlines of connections; in tests with paused time it is the paused one.
#[expect(clippy::disallowed_methods, reason = "deadlines of I/O begin when the I/O does; no machine sees this clock")]
fn now() -> Instant {
    Instant::now()
}

/// A lock whose holder panicked is taken all the same: every critical section here is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A failure of the network: it belongs to the endpoint, never to an agent.
fn network_failure(why: impl Into<Arc<str>>) -> Failure {
    Failure::new(FailureKind::Endpoint, EndedBy::Network, why)
}

/// A failure that the peer caused, by closing or by what it sent.
fn peer_failure(why: impl Into<Arc<str>>) -> Failure {
    Failure::new(FailureKind::Endpoint, EndedBy::Peer, why)
}

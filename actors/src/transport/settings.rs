//! What a transport is told when it starts, and how much a peer may cost us.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use presence_sip::{Limits, TransportKind};

use super::tls::TlsIdentity;
use super::traffic::Traffic;

/// One server of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// The name that its certificate must carry, and that is asked for in the TLS handshake: the pool's name.
    pub name: String,
}

/// How one local endpoint reaches its pool and is reached by it.
#[derive(Clone, Debug)]
pub struct TransportSettings {
    /// UDP, TCP or TLS.
    pub kind: TransportKind,
    /// The servers of the pool in the order in which they are tried. [`super::Transport::set_servers`] replaces them.
    pub servers: Vec<Server>,
    /// TCP and TLS: where the pool may connect to us. UDP: the address of the one socket, otherwise any free port.
    pub listen: Option<SocketAddr>,
    /// Needed when `kind` is TLS.
    pub tls: Option<TlsIdentity>,
    /// Sizes of messages.
    pub limits: Limits,
    /// Numbers and times of connections.
    pub connections: ConnectionLimits,
    /// Where what goes through the connections is counted.
    pub traffic: Arc<Traffic>,
}

impl TransportSettings {
    /// Settings with the documented limits, without a listener and without TLS.
    #[must_use]
    pub fn new(kind: TransportKind, servers: Vec<Server>) -> Self {
        Self {
            kind,
            servers,
            listen: None,
            tls: None,
            limits: Limits::default(),
            connections: ConnectionLimits::default(),
            traffic: Arc::default(),
        }
    }
}

/// What a peer may cost us. Every value is a bound: reaching it costs the peer its connection or its speed, never our memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections that one address may have open to our listener. Default 8.
    pub per_peer: usize,
    /// Connections open to our listener in all; a quarter of them is kept for the addresses of the pool. Default 256.
    pub in_all: usize,
    /// Until one server has accepted our TCP connection, before the next is tried. Default 5 s.
    pub connect: Duration,
    /// After a failure to listen, until the next attempt. Default 5 s.
    pub listen_again: Duration,
    /// For a TLS handshake, in both directions. Default 5 s.
    pub handshake: Duration,
    /// From the first byte that a peer sends to the end of its first message (slow-loris). Default 5 s.
    pub first_message: Duration,
    /// The same for every later message of the connection. Default 30 s.
    pub next_message: Duration,
    /// How long a connection to our listener may stay without any message at all. Default 60 s.
    pub first_silence: Duration,
    /// How long a connection to our listener may be silent later on. Default 180 s.
    pub idle: Duration,
    /// The same when notifications have come over it. Default 15 min, the habit of the peers: a dialog is mostly silent,
    /// and the peer connects again when it has something to say.
    pub idle_with_dialogs: Duration,
    /// Messages that the connection to the pool (or the UDP socket) may bring per second; beyond that it is read more
    /// slowly, which a TCP peer feels as back-pressure. Default 100,000: it is the pool that we have dialled, and after an
    /// outage it answers as fast as it is asked. What it is asked is bounded by the throttle.
    pub messages_per_second: u32,
    /// How many messages may come at once before the rate above is held. Default 20,000.
    pub burst: u32,
    /// The same for each connection that somebody opens to our listener. Default 2,000.
    pub inbound_messages_per_second: u32,
    /// How many messages may come at once over such a connection. Default 4,000.
    pub inbound_burst: u32,
    /// Messages that wait to be written to one connection. A peer that lets it fill up loses the connection.
    /// Default 16,384.
    pub write_queue: usize,
    /// Messages that are handed to the actor at once. Default 256.
    pub batch: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            per_peer: 8,
            in_all: 256,
            connect: Duration::from_secs(5),
            listen_again: Duration::from_secs(5),
            handshake: Duration::from_secs(5),
            first_message: Duration::from_secs(5),
            next_message: Duration::from_secs(30),
            first_silence: Duration::from_secs(60),
            idle: Duration::from_secs(180),
            idle_with_dialogs: Duration::from_secs(900),
            messages_per_second: 100_000,
            burst: 20_000,
            inbound_messages_per_second: 2_000,
            inbound_burst: 4_000,
            write_queue: 16_384,
            batch: 256,
        }
    }
}

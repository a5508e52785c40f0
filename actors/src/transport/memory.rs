//! Networks of tests: streams between a transport and a pool without a socket and in virtual time, in memory or over
//! whatever stream a test brings.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::sync::{Mutex, MutexGuard, mpsc};

/// How much each direction of a stream holds before the writer waits, in bytes.
const CAPACITY: usize = 256 * 1024;

/// The address of the transport at its end of a stream in memory.
pub const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 6120);

/// The address of the pool at its end of a stream in memory.
pub const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 5060);

/// A stream of any kind.
pub trait AnyStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> AnyStream for T {}

/// A connection that was dialled.
pub struct Dialled {
    /// What carries the messages.
    pub stream: Box<dyn AnyStream>,
    /// Our end.
    pub local: SocketAddr,
    /// The pool's end.
    pub peer: SocketAddr,
}

/// A connection that is being dialled; dropping it gives it up.
pub type Dialling = Pin<Box<dyn Future<Output = io::Result<Dialled>> + Send>>;

/// A stream that the pool opened, and where it comes from.
type Accepted = (Box<dyn AnyStream>, SocketAddr);

/// The transport's side: give it to [`super::Transport::start_in_memory`].
#[derive(Debug)]
pub struct MemoryNetwork {
    dial: Dial,
    local: SocketAddr,
    accept: Mutex<mpsc::UnboundedReceiver<Accepted>>,
}

enum Dial {
    Memory(mpsc::UnboundedSender<DuplexStream>),
    Brought(Box<dyn Fn() -> Dialling + Send + Sync>),
}

impl std::fmt::Debug for Dial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Memory(_) => "Memory",
            Self::Brought(_) => "Brought",
        })
    }
}

/// The pool's side: it accepts what the transport dials, and connects to the transport's listener.
#[derive(Debug)]
pub struct MemoryPool {
    dialled: mpsc::UnboundedReceiver<DuplexStream>,
    listener: Incoming,
}

/// Where connections to the transport's listener are handed in.
#[derive(Clone, Debug)]
pub struct Incoming(mpsc::UnboundedSender<Accepted>);

/// A new network in memory with its two sides.
#[must_use]
pub fn network() -> (MemoryNetwork, MemoryPool) {
    let (dial, dialled) = mpsc::unbounded_channel();
    let (network, listener) = MemoryNetwork::new(Dial::Memory(dial), LOCAL);
    (network, MemoryPool { dialled, listener })
}

/// A network over streams that a test brings: `dial` is called for each connection to the pool, and `local` is told as
/// the address of the listener, whose connections are handed in.
#[must_use]
pub fn network_over(
    local: SocketAddr,
    dial: impl Fn() -> Dialling + Send + Sync + 'static,
) -> (MemoryNetwork, Incoming) {
    MemoryNetwork::new(Dial::Brought(Box::new(dial)), local)
}

impl MemoryNetwork {
    fn new(dial: Dial, local: SocketAddr) -> (Self, Incoming) {
        let (listener, accept) = mpsc::unbounded_channel();
        (Self { dial, local, accept: Mutex::new(accept) }, Incoming(listener))
    }

    /// Our end of a new stream.
    ///
    /// # Errors
    /// Connection refused, when the pool is gone; what the test's own network says.
    pub(super) async fn connect(&self) -> io::Result<Dialled> {
        match &self.dial {
            Dial::Memory(dial) => {
                let (ours, theirs) = tokio::io::duplex(CAPACITY);
                dial.send(theirs).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
                Ok(Dialled { stream: Box::new(ours), local: LOCAL, peer: PEER })
            }
            Dial::Brought(dial) => dial().await,
        }
    }

    /// The address of the listener.
    pub(super) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Where the pool's connections arrive. One transport listens at a time; the next one takes over when it ends.
    pub(super) async fn accepted(&self) -> MutexGuard<'_, mpsc::UnboundedReceiver<Accepted>> {
        self.accept.lock().await
    }
}

impl MemoryPool {
    /// The next connection that the transport dialled; `None` when the transport is gone.
    pub async fn accept(&mut self) -> Option<DuplexStream> {
        self.dialled.recv().await
    }

    /// Connects to the transport's listener.
    ///
    /// # Errors
    /// Connection refused, when the transport is gone.
    pub fn connect(&self) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(CAPACITY);
        self.listener.hand_in(theirs, PEER)?;
        Ok(ours)
    }
}

impl Incoming {
    /// A connection of `peer` to the transport's listener.
    ///
    /// # Errors
    /// Connection refused, when the transport is gone.
    pub fn hand_in(&self, stream: impl AnyStream + 'static, peer: SocketAddr) -> io::Result<()> {
        self.0.send((Box::new(stream), peer)).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))
    }
}

//! A network in memory: streams between a transport and a pool of a test, without a socket and in virtual time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::io::DuplexStream;
use tokio::sync::{Mutex, MutexGuard, mpsc};

/// How much each direction of a stream holds before the writer waits, in bytes.
const CAPACITY: usize = 256 * 1024;

/// The address of the transport at its end of a stream in memory.
pub const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 6120);

/// The address of the pool at its end of a stream in memory.
pub const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 5060);

/// The transport's side: give it to [`super::Transport::start_in_memory`].
#[derive(Debug)]
pub struct MemoryNetwork {
    dial: mpsc::UnboundedSender<DuplexStream>,
    accept: Mutex<mpsc::UnboundedReceiver<DuplexStream>>,
}

/// The pool's side: it accepts what the transport dials, and connects to the transport's listener.
#[derive(Debug)]
pub struct MemoryPool {
    dialled: mpsc::UnboundedReceiver<DuplexStream>,
    listener: mpsc::UnboundedSender<DuplexStream>,
}

/// A new network with its two sides.
#[must_use]
pub fn network() -> (MemoryNetwork, MemoryPool) {
    let (dial, dialled) = mpsc::unbounded_channel();
    let (listener, accept) = mpsc::unbounded_channel();
    (MemoryNetwork { dial, accept: Mutex::new(accept) }, MemoryPool { dialled, listener })
}

impl MemoryNetwork {
    /// Our end of a new stream.
    ///
    /// # Errors
    /// Connection refused, when the pool is gone.
    pub(super) fn connect(&self) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(CAPACITY);
        self.dial.send(theirs).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(ours)
    }

    /// Where the pool's connections arrive. One transport listens at a time; the next one takes over when it ends.
    pub(super) async fn accepted(&self) -> MutexGuard<'_, mpsc::UnboundedReceiver<DuplexStream>> {
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
        self.listener.send(theirs).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(ours)
    }
}

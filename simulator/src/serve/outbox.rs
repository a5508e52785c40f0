//! What waits to be written to one peer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A peer that leaves more than this unread, in bytes, is cut off.
const MOST_WAITING: usize = 64 << 20;

/// Where the messages to one peer go.
pub(super) enum Outbox {
    /// Into the buffer of a stream's writer.
    Stream(Arc<StreamOutbox>),
    /// Straight into the socket; what does not fit is lost, as datagrams may be.
    Datagrams(Arc<UdpSocket>, SocketAddr),
}

impl Outbox {
    /// Takes one message.
    pub(super) fn push(&self, bytes: &Bytes) {
        match self {
            Self::Stream(stream) => stream.push(bytes),
            Self::Datagrams(socket, peer) => {
                if let Err(why) = socket.try_send_to(bytes, *peer) {
                    tracing::debug!(%peer, %why, "datagram lost");
                }
            }
        }
    }
}

/// The buffer between the machine and the writer of one stream.
pub(super) struct StreamOutbox {
    buffer: Mutex<BytesMut>,
    filled: Notify,
    emptied: Notify,
    /// Cancelled to end the connection.
    pub(super) closed: CancellationToken,
}

impl StreamOutbox {
    /// An empty buffer of a connection that ends with this token.
    pub(super) fn new(closed: CancellationToken) -> Self {
        Self { buffer: Mutex::new(BytesMut::new()), filled: Notify::new(), emptied: Notify::new(), closed }
    }

    fn push(&self, bytes: &Bytes) {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.len() + bytes.len() > MOST_WAITING {
            tracing::warn!("the peer does not read; the connection is closed");
            self.closed.cancel();
            return;
        }
        buffer.extend_from_slice(bytes);
        drop(buffer);
        self.filled.notify_one();
    }

    /// Everything that waits; waits itself while there is nothing.
    pub(super) async fn take(&self) -> Bytes {
        loop {
            let waiting = self.buffer.lock().unwrap_or_else(PoisonError::into_inner).split();
            if !waiting.is_empty() {
                self.emptied.notify_waiters();
                return waiting.freeze();
            }
            self.filled.notified().await;
        }
    }

    /// Returns as soon as less than this waits, or the connection has ended.
    pub(super) async fn below(&self, bytes: usize) {
        loop {
            let emptied = self.emptied.notified();
            if self.buffer.lock().unwrap_or_else(PoisonError::into_inner).len() < bytes {
                return;
            }
            tokio::select! {
                () = emptied => {}
                () = self.closed.cancelled() => return,
            }
        }
    }
}

//! What waits to be written to one peer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A peer that leaves more than this unread, in bytes, is cut off.
const MOST_WAITING: usize = 128 << 20;

/// The buffer between the machine and the writer of one stream.
///
/// ```text
///  open --finish()--> draining --written, or out of patience--> ended
///    |                                                            ^
///    +----------------- too much waits: thrown away --------------+
/// ```
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
    emptied: Notify,
    /// Cancelled as soon as nothing more is read from this peer or taken for it.
    pub(super) ending: CancellationToken,
}

#[derive(Default)]
struct Waiting {
    bytes: BytesMut,
    /// Nothing is taken any more.
    complete: bool,
}

impl Outbox {
    /// An empty one.
    pub(super) fn new() -> Self {
        let (filled, emptied) = (Notify::new(), Notify::new());
        Self { waiting: Mutex::default(), filled, emptied, ending: CancellationToken::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one message; a peer that does not read loses its connection.
    pub(super) fn push(&self, bytes: &Bytes) {
        let mut waiting = self.lock();
        if waiting.complete {
            return;
        }
        if waiting.bytes.len() + bytes.len() > MOST_WAITING {
            tracing::warn!("the peer does not read; the connection is closed");
            waiting.bytes.clear();
            drop(waiting);
            self.finish();
            return;
        }
        waiting.bytes.extend_from_slice(bytes);
        drop(waiting);
        self.filled.notify_one();
    }

    /// Takes nothing any more; what waits is still written.
    pub(super) fn finish(&self) {
        self.lock().complete = true;
        self.ending.cancel();
        self.filled.notify_one();
        self.emptied.notify_waiters();
    }

    /// Everything that waits; waits itself while there is nothing. `None`: there will be nothing any more.
    pub(super) async fn take(&self) -> Option<Bytes> {
        loop {
            {
                let mut waiting = self.lock();
                if !waiting.bytes.is_empty() {
                    let bytes = waiting.bytes.split().freeze();
                    drop(waiting);
                    self.emptied.notify_waiters();
                    return Some(bytes);
                }
                if waiting.complete {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }

    /// Returns as soon as less than this waits, in bytes, or the connection ends.
    pub(super) async fn below(&self, bytes: usize) {
        loop {
            let emptied = self.emptied.notified();
            let enough = |waiting: &Waiting| waiting.complete || waiting.bytes.len() < bytes;
            if enough(&self.lock()) {
                return;
            }
            emptied.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_written_before_the_end_and_nothing_after_it() {
        let outbox = Outbox::new();
        outbox.push(&Bytes::from_static(b"last "));
        outbox.push(&Bytes::from_static(b"words"));
        outbox.finish();
        outbox.push(&Bytes::from_static(b"too late"));
        assert_eq!(outbox.take().await.as_deref(), Some(&b"last words"[..]));
        assert_eq!(outbox.take().await, None);
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_loses_its_connection_and_its_memory() {
        let outbox = Outbox::new();
        let mebibyte = Bytes::from(vec![0; 1 << 20]);
        for _ in 0..MOST_WAITING >> 20 {
            outbox.push(&mebibyte);
        }
        assert!(!outbox.ending.is_cancelled(), "all that is allowed");
        outbox.push(&mebibyte);
        assert!(outbox.ending.is_cancelled());
        assert_eq!(outbox.take().await, None);
    }
}

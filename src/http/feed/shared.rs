//! A feed between the actor that writes it and the connections that read it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::Feed;

/// A feed that one actor writes and many connections read, on other threads.
#[derive(Debug)]
pub(in crate::http) struct SharedFeed {
    feed: Mutex<Feed>,
    written: Notify,
}

impl SharedFeed {
    /// Shares a feed.
    pub(in crate::http) fn new(feed: Feed) -> Self {
        Self { feed: Mutex::new(feed), written: Notify::new() }
    }

    /// To look at it, or to read on. Only for as long as that takes.
    pub(in crate::http) fn lock(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes, and wakes those who wait.
    pub(in crate::http) fn write<T>(&self, write: impl FnOnce(&mut Feed) -> T) -> T {
        let result = write(&mut self.lock());
        self.written.notify_waiters();
        result
    }

    /// Ready once something has been written after this call; also before it is polled.
    pub(in crate::http) fn written(&self) -> Notified<'_> {
        self.written.notified()
    }
}

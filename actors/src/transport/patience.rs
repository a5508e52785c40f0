//! How much time a peer has for what it sends.

use std::time::Duration;

use tokio::time::Instant;

use super::{ConnectionLimits, Refusal};

/// Who opened a connection; it decides which silence is suspicious.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenedBy {
    Us,
    Peer,
}

/// How long the peer may be silent, and how long a message may take.
#[derive(Debug)]
pub(super) struct Patience {
    opened_by: OpenedBy,
    first_message: Duration,
    next_message: Duration,
    idle: Duration,
    idle_with_dialogs: Duration,
    first_silence: Duration,
    heard_one: bool,
    carries_dialogs: bool,
    heard_at: Instant,
    begun_at: Option<Instant>,
}

impl Patience {
    pub(super) fn new(opened_by: OpenedBy, limits: &ConnectionLimits, now: Instant) -> Self {
        Self {
            opened_by,
            first_message: limits.first_message,
            next_message: limits.next_message,
            idle: limits.idle,
            idle_with_dialogs: limits.idle_with_dialogs,
            first_silence: limits.first_silence,
            heard_one: false,
            carries_dialogs: false,
            heard_at: now,
            begun_at: None,
        }
    }

    pub(super) fn message_begun(&self) -> bool {
        self.begun_at.is_some()
    }

    pub(super) fn nothing_heard(&self) -> bool {
        !self.heard_one
    }

    /// A notification came over the connection: dialogs are mostly silent.
    pub(super) const fn carries_dialogs(&mut self) {
        self.carries_dialogs = true;
    }

    /// `complete` messages came just now, and another one has or has not begun.
    pub(super) fn heard(&mut self, now: Instant, complete: usize, begun: bool) {
        if complete > 0 {
            self.heard_one = true;
            self.heard_at = now;
            self.begun_at = None;
        }
        self.begun_at = if begun { self.begun_at.or(Some(now)) } else { None };
    }

    /// Comes back when the peer has taken too long, with the words for it.
    pub(super) async fn exhausted(&self) -> (Refusal, String) {
        let (refusal, since, limit, what) = match (self.begun_at, self.heard_one, self.opened_by) {
            (Some(begun), false, _) => (
                Refusal::SlowMessage,
                begun,
                self.first_message,
                "the first message of the peer was not complete after",
            ),
            (Some(begun), true, _) => {
                (Refusal::SlowMessage, begun, self.next_message, "a message of the peer was not complete after")
            }
            (None, false, OpenedBy::Peer) => {
                (Refusal::Silence, self.heard_at, self.first_silence, "the peer connected and said nothing for")
            }
            (None, true, OpenedBy::Peer) => {
                let limit = if self.carries_dialogs { self.idle_with_dialogs } else { self.idle };
                (Refusal::Silence, self.heard_at, limit, "the peer said nothing for")
            }
            // Our own connection is watched by the keep-alive of the endpoint.
            (None, _, OpenedBy::Us) => return std::future::pending().await,
        };
        tokio::time::sleep_until(since + limit).await;
        (refusal, format!("{what} {}", humantime::format_duration(limit)))
    }
}

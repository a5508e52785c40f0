//! Dialogs that outlived a connection, until somebody has asked the server whether they still stand.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::{AgentUri, Attempt};

/// More are not remembered: before the turn of a later one comes, its own refresh has asked.
const MOST: usize = 4_096;

/// A server ends a dialog when nobody has answered its NOTIFY for 32 s (RFC 3261 timer F, RFC 6665 section 4.2.2), and that
/// NOTIFY may have been cut with the connection: asked before, the server would still say that it stands.
const SETTLED_AFTER: Duration = Duration::from_secs(35);

/// A dialog that was adopted so long ago was refreshed by itself: a subscription lasts an hour (RFC 3856 section 6.4).
const REFRESHED_AFTER: Duration = Duration::from_secs(3_600);

/// Whose dialog was adopted when, the oldest first; of each agent the last one.
#[derive(Clone, Debug, Default)]
pub(super) struct Adopted {
    waiting: BTreeMap<u64, (AgentUri, Attempt, Instant)>,
    places: BTreeMap<AgentUri, u64>,
    next: u64,
}

impl Adopted {
    pub(super) fn add(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        if let Some(place) = self.places.remove(uri) {
            self.waiting.remove(&place);
        }
        if self.waiting.len() < MOST {
            self.waiting.insert(self.next, (uri.clone(), attempt, now));
            self.places.insert(uri.clone(), self.next);
            self.next += 1;
        }
    }

    /// The one that has waited longest, when it is time to ask about it.
    pub(super) fn take(&mut self, now: Instant) -> Option<(AgentUri, Attempt)> {
        loop {
            let oldest = self.waiting.first_entry().filter(|oldest| oldest.get().2 + SETTLED_AFTER <= now)?;
            let (uri, attempt, since) = oldest.remove();
            self.places.remove(&uri);
            if now < since + REFRESHED_AFTER {
                return Some((uri, attempt));
            }
        }
    }
}

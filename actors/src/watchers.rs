//! Who watches one agent.

use std::sync::Arc;

use presence_core::{AgentUri, Change, Presence};

use crate::messages::PresenceEvent;
use crate::ucc::{UccHandle, UccId, line_of};

/// The UCCs that watch one agent. A UCC that is gone is dropped when it is met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watchers(Vec<Arc<UccHandle>>);

impl Watchers {
    /// Adds a UCC; one that is there already is not added twice.
    pub(crate) fn add(&mut self, ucc: Arc<UccHandle>) {
        if !self.0.iter().any(|known| known.id() == ucc.id()) {
            self.0.push(ucc);
        }
    }

    /// Takes a UCC out.
    pub(crate) fn remove(&mut self, ucc: UccId) {
        self.0.retain(|known| known.id() != ucc);
    }

    /// True when nobody watches.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Hands a change to everyone.
    pub(crate) fn publish(&mut self, change: &Arc<Change>) {
        let line = line_of(change);
        self.0.retain(|ucc| ucc.publish(change, line.as_deref()));
    }

    /// Hands the same event to everyone.
    pub(crate) fn tell(&mut self, event: &PresenceEvent) {
        self.0.retain(|ucc| ucc.post(event.clone()));
    }

    /// The names of the watching UCCs.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        self.0.iter().map(|ucc| Arc::clone(ucc.name())).collect()
    }
}

/// A new watcher's first event: the present value, or an explicit pending.
pub(crate) fn first_event(uri: &AgentUri, presence: &Arc<Presence>, sequence: u64) -> PresenceEvent {
    if sequence == 0 {
        PresenceEvent::Pending { uri: uri.clone() }
    } else {
        PresenceEvent::Current { uri: uri.clone(), presence: Arc::clone(presence), sequence }
    }
}

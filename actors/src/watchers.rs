//! Who watches one agent.

use std::sync::Arc;

use presence_core::{AgentUri, Change, Presence};

use crate::messages::PresenceEvent;
use crate::ucc::{UccHandle, UccId, line_of};

/// The UCCs that watch one agent. A UCC that is gone is dropped when it is met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watchers {
    uccs: Vec<Arc<UccHandle>>,
    /// Another one after every change of who watches.
    version: u32,
}

impl Watchers {
    /// Adds a UCC; one that is there already is not added twice.
    pub(crate) fn add(&mut self, ucc: Arc<UccHandle>) {
        if !self.uccs.iter().any(|known| known.id() == ucc.id()) {
            // Most agents have few, and there are many agents.
            if self.uccs.len() < 4 {
                self.uccs.reserve_exact(1);
            }
            self.uccs.push(ucc);
            self.version = self.version.wrapping_add(1);
        }
    }

    /// Takes a UCC out.
    pub(crate) fn remove(&mut self, ucc: UccId) {
        self.retain(|known| known.id() != ucc);
    }

    /// True when nobody watches.
    pub(crate) fn is_empty(&self) -> bool {
        self.uccs.is_empty()
    }

    /// Hands a change to everyone.
    pub(crate) fn publish(&mut self, change: &Arc<Change>) {
        let line = line_of(change);
        self.retain(|ucc| ucc.publish(change, line.as_deref()));
    }

    /// Hands the same event to everyone.
    pub(crate) fn tell(&mut self, event: &PresenceEvent) {
        self.retain(|ucc| ucc.post(event.clone()));
    }

    /// Which list this is: every change makes another one.
    pub(crate) const fn version(&self) -> u32 {
        self.version
    }

    /// The numbers of the watching UCCs.
    pub(crate) fn numbers(&self) -> Box<[u32]> {
        self.uccs.iter().map(|ucc| ucc.id().0).collect()
    }

    fn retain(&mut self, stays: impl FnMut(&Arc<UccHandle>) -> bool) {
        let before = self.uccs.len();
        self.uccs.retain(stays);
        if self.uccs.len() != before {
            self.version = self.version.wrapping_add(1);
        }
    }

    /// The names of the watching UCCs.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        self.uccs.iter().map(|ucc| Arc::clone(ucc.name())).collect()
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

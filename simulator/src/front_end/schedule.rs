//! What is due, and when.

use std::collections::BTreeSet;
use std::time::Instant;

use super::directory::AgentIndex;

/// What is due; things due at the same moment go in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A message that was held back leaves.
    Send(u64),
    /// A dialog runs out.
    Expiry(u64),
    /// A registration runs out, by its number.
    RegistrationExpiry(u64),
    /// A pool accepts connections again.
    Reopen(usize),
    /// The dice move an agent.
    Move(AgentIndex),
}

/// The moments to come, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    due: BTreeSet<(Instant, Due)>,
}

impl Schedule {
    pub(super) fn add(&mut self, at: Instant, what: Due) {
        self.due.insert((at, what));
    }

    pub(super) fn cancel(&mut self, at: Instant, what: Due) {
        self.due.remove(&(at, what));
    }

    /// Takes the first thing that is due by now, and says since when.
    pub(super) fn take(&mut self, now: Instant) -> Option<(Instant, Due)> {
        let first = *self.due.first()?;
        if first.0 > now {
            return None;
        }
        self.due.pop_first();
        Some(first)
    }

    pub(super) fn first(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }
}

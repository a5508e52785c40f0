//! What is due, and when.

use std::collections::BTreeSet;
use std::time::Instant;

/// What is due. The numbers say for which message, dialog or agent; things due at the same moment go in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A message that was held back leaves.
    Send(u64),
    /// A NOTIFY over UDP is sent once more.
    Retransmit(u64),
    /// A dialog ends.
    Expiry(u64),
    /// An agent moves.
    Move(usize),
}

/// The moments to come, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schedule {
    due: BTreeSet<(Instant, Due)>,
}

impl Schedule {
    /// Something is due at this moment.
    pub(crate) fn add(&mut self, at: Instant, what: Due) {
        self.due.insert((at, what));
    }

    /// It is not due any more.
    pub(crate) fn cancel(&mut self, at: Instant, what: Due) {
        self.due.remove(&(at, what));
    }

    /// Takes the first thing that is due by now.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Due> {
        let (at, what) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        Some(what)
    }

    /// The first moment, and what happens then.
    pub(crate) fn first(&self) -> Option<(Instant, Due)> {
        self.due.first().copied()
    }
}

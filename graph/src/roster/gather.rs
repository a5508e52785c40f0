//! Users who are to be asked for soon, and together.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::ObjectId;
use crate::wire::MAX_PRESENCE_IDS;

/// So long the first waits for others.
const WAIT: Duration = Duration::from_millis(250);

/// Gathers users for one request: until 250 ms have passed, or until they fill it.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    users: BTreeSet<ObjectId>,
    due: Option<Instant>,
}

impl Gather {
    /// Adds one.
    pub(crate) fn add(&mut self, now: Instant, user: ObjectId) {
        self.users.insert(user);
        self.due = Some(self.due.map_or(now + WAIT, |due| due.min(now + WAIT)));
    }

    /// Takes one out: it is known now, or not wanted any more.
    pub(crate) fn remove(&mut self, user: ObjectId) {
        self.users.remove(&user);
        if self.users.is_empty() {
            self.due = None;
        }
    }

    /// Puts some back that were asked for in vain, to be asked for again then.
    pub(crate) fn put_back(&mut self, users: impl IntoIterator<Item = ObjectId>, at: Instant) {
        self.users.extend(users);
        if !self.users.is_empty() {
            self.due = Some(self.due.map_or(at, |due| due.max(at)));
        }
    }

    /// When the next request of them is due; long ago when they fill one. `None` without any.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        if self.users.len() >= MAX_PRESENCE_IDS { self.due.map(|due| due.min(now)) } else { self.due }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.users.len()
    }

    /// Those of the next request.
    pub(crate) fn take(&mut self) -> Vec<ObjectId> {
        let rest = match self.users.iter().nth(MAX_PRESENCE_IDS).copied() {
            Some(first_of_rest) => self.users.split_off(&first_of_rest),
            None => BTreeSet::new(),
        };
        let taken = std::mem::replace(&mut self.users, rest).into_iter().collect();
        if self.users.is_empty() {
            self.due = None;
        }
        taken
    }
}

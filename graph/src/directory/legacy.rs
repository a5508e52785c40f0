//! What a run leaves to the next one of the names that were looked up.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use super::{Directory, KNOWN_FOR};
use crate::ObjectId;

impl Directory {
    /// What is known now, from this name on: the user, or that there is none, and until when that is taken for true.
    pub(crate) fn known<'a>(
        &'a self,
        now: Instant,
        start: Bound<&'a str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, Option<ObjectId>, Instant)> + 'a {
        self.cache.known(now, start)
    }

    /// Takes over what an earlier run knew, for no longer than it would be known here. Those that run out first come first.
    pub(crate) fn learn(&mut self, now: Instant, name: &Arc<str>, user: Option<ObjectId>, until: Instant) {
        let longest = if user.is_some() { KNOWN_FOR } else { self.forget_unknown_after };
        self.cache.put(now, name, user, until.saturating_duration_since(now).min(longest));
    }
}

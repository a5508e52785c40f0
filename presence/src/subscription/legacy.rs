//! What an earlier process has left to a subscription.

use std::sync::Arc;
use std::time::Instant;

use super::{Subscription, SubscriptionMemory};
use crate::{Availability, Freshness, Presence, Publication, Status};

/// What an earlier process has left, until it is used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Legacy {
    /// Nothing is tried before this: it was backing off.
    pub(super) held_until: Option<Instant>,
    /// What is too old to be served: the value, and when it was last confirmed.
    known: Option<(Availability, Instant)>,
}

impl Subscription {
    /// Nothing is tried before this.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.legacy.as_ref()?.held_until
    }

    /// What is too old to be served.
    fn known(&self) -> Option<(Availability, Instant)> {
        self.legacy.as_ref()?.known
    }

    /// What was last known and when its source last stood behind it, also when that is too long ago to be served.
    #[must_use]
    pub fn last_known(&self, now: Instant) -> Option<(Availability, Instant)> {
        let availability = self.publication.current().status.availability;
        self.publication.confirmed(now).map(|confirmed| (availability, confirmed)).or(self.known())
    }

    /// The present value, or of one that is too old to be served its availability.
    pub(super) fn remembered_presence(&self) -> Arc<Presence> {
        let current = self.publication.current();
        match (current.freshness, self.known()) {
            (Freshness::Unknown, Some((availability, _))) => {
                Arc::new(Presence { status: Status::of(availability), ..(**current).clone() })
            }
            (Freshness::Unknown | Freshness::Stale | Freshness::Fresh, _) => Arc::clone(current),
        }
    }

    /// Goes on with what was published, and not before it was due.
    pub(super) fn inherit(&mut self, now: Instant, memory: &SubscriptionMemory) {
        let (mut presence, mut known) = (Arc::clone(&memory.presence), None);
        if presence.freshness == Freshness::Unknown && presence.status.availability.is_known() {
            known = memory.confirmed.map(|confirmed| (presence.status.availability, confirmed));
            presence = Arc::new(Presence::unknown(presence.since, presence.source));
        }
        let uri = self.publication.uri().clone();
        self.publication = Publication::resume(uri, presence, memory.sequence, memory.confirmed);
        let held_until = memory.retry_at.filter(|at| now < *at);
        self.legacy = (held_until.is_some() || known.is_some()).then(|| Box::new(Legacy { held_until, known }));
    }
}

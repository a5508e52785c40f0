//! What was last published about one agent, and what makes a change.

use std::sync::Arc;
use std::time::Instant;

use crate::{AgentUri, Change, Freshness, Presence, SourceKind, Status};

/// Decides what is a change of an agent's presence and numbers the changes.
///
/// ```text
///            observe(status)                set_freshness(Stale)
///  Unknown ------------------> Fresh ----------------------------> Stale
///     ^                        |   ^         observe(status)         |
///     |        forget          |   +---------------------------------+
///     +------------------------+-------------------------------------+
/// ```
///
/// An identical repeat is no change and leaves `since` alone. A change of freshness alone is a change with the same
/// `since`. The first value ever learned has no previous one.
#[derive(Clone, Debug)]
pub struct Publication {
    uri: AgentUri,
    current: Arc<Presence>,
    sequence: u64,
    /// While it is stale: until when its source stood behind it.
    confirmed_until: Option<Instant>,
}

impl Publication {
    /// Nothing is known about this agent yet.
    #[must_use]
    pub fn new(now: Instant, uri: AgentUri, source: SourceKind) -> Self {
        Self { uri, current: Arc::new(Presence::unknown(now, source)), sequence: 0, confirmed_until: None }
    }

    /// Goes on where another publication of the same agent ended; `confirmed` is what [`Publication::confirmed`] said there.
    #[must_use]
    pub const fn resume(uri: AgentUri, current: Arc<Presence>, sequence: u64, confirmed: Option<Instant>) -> Self {
        Self { uri, current, sequence, confirmed_until: confirmed }
    }

    /// The source says this about the agent now. `None` when it is what was published already, and fresh.
    pub fn observe(&mut self, now: Instant, status: Status) -> Option<Arc<Change>> {
        let same = self.current.status == status;
        match (same, self.current.freshness) {
            (true, Freshness::Fresh) => None,
            // The very first value begins now, even when the source says that it does not know.
            (true, Freshness::Unknown) | (false, _) => {
                self.publish(Presence { status, since: now, source: self.current.source, freshness: Freshness::Fresh })
            }
            (true, Freshness::Stale) => {
                self.publish(Presence { freshness: Freshness::Fresh, ..(*self.current).clone() })
            }
        }
    }

    /// How far the last value can be trusted from now on. [`Freshness::Unknown`] forgets it. `None` when nothing
    /// changes, and when nothing has been learned that could be fresh or stale.
    pub fn set_freshness(&mut self, now: Instant, freshness: Freshness) -> Option<Arc<Change>> {
        match (self.current.freshness, freshness) {
            (_, Freshness::Unknown) => self.forget(now),
            (Freshness::Unknown, Freshness::Stale | Freshness::Fresh) => None,
            (Freshness::Stale, Freshness::Stale) | (Freshness::Fresh, Freshness::Fresh) => None,
            (Freshness::Stale, Freshness::Fresh) | (Freshness::Fresh, Freshness::Stale) => {
                self.confirmed_until = Some(now);
                self.publish(Presence { freshness, ..(*self.current).clone() })
            }
        }
    }

    /// What was learned has run out: the agent is unknown from now on, which is not offline.
    pub fn forget(&mut self, now: Instant) -> Option<Arc<Change>> {
        match self.current.freshness {
            Freshness::Unknown => None,
            Freshness::Stale | Freshness::Fresh => {
                let since = if self.current.status == Status::unknown() { self.current.since } else { now };
                self.publish(Presence::unknown(since, self.current.source))
            }
        }
    }

    /// What holds now.
    #[must_use]
    pub const fn current(&self) -> &Arc<Presence> {
        &self.current
    }

    /// The number of the last change; 0 before the first.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// When the source last stood behind the value: now while it is fresh; `None` while nothing is known.
    #[must_use]
    pub fn confirmed(&self, now: Instant) -> Option<Instant> {
        match self.current.freshness {
            Freshness::Fresh => Some(now),
            Freshness::Stale => self.confirmed_until,
            Freshness::Unknown => None,
        }
    }

    /// The agent.
    #[must_use]
    pub const fn uri(&self) -> &AgentUri {
        &self.uri
    }

    fn publish(&mut self, new: Presence) -> Option<Arc<Change>> {
        let new = Arc::new(new);
        let before = std::mem::replace(&mut self.current, Arc::clone(&new));
        let previous = (self.sequence > 0).then_some(before);
        self.sequence = self.sequence.saturating_add(1);
        Some(Arc::new(Change { uri: self.uri.clone(), previous, new, sequence: self.sequence }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Availability;
    use std::time::Duration;

    fn publication() -> (Instant, Publication) {
        let now = crate::test_clock::start();
        (now, Publication::new(now, "sip:user1@domain.com".parse().expect("valid"), SourceKind::Ucma))
    }

    #[test]
    fn the_first_value_ever_has_no_previous_one_and_later_ones_have() {
        let (start, mut publication) = publication();
        let first = publication.observe(start, Status::of(Availability::AWAY)).expect("a change");
        assert_eq!((first.previous.clone(), first.sequence), (None, 1));
        assert!(first.changes_status());
        let later = start + Duration::from_secs(1);
        let second = publication.observe(later, Status::of(Availability::BUSY)).expect("a change");
        assert_eq!(second.previous.as_ref(), Some(&first.new));
        assert_eq!((second.new.since, second.sequence), (later, 2));
    }

    #[test]
    fn an_identical_repeat_is_no_change_and_leaves_since_alone() {
        let (start, mut publication) = publication();
        publication.observe(start, Status::of(Availability::AWAY));
        let later = start + Duration::from_secs(9);
        assert_eq!(publication.observe(later, Status::of(Availability::AWAY)), None);
        assert_eq!((publication.current().since, publication.sequence()), (start, 1));
    }

    #[test]
    fn a_change_of_freshness_alone_keeps_since() {
        let (start, mut publication) = publication();
        assert_eq!(publication.set_freshness(start, Freshness::Stale), None, "nothing is there that could be stale");
        publication.observe(start, Status::of(Availability::AWAY));
        let later = start + Duration::from_secs(9);
        assert_eq!(publication.confirmed(later), Some(later));
        let stale = publication.set_freshness(later, Freshness::Stale).expect("a change");
        assert_eq!(publication.confirmed(later + Duration::from_secs(60)), Some(later));
        assert!(!stale.changes_status());
        assert_eq!((stale.new.since, stale.new.freshness), (start, Freshness::Stale));
        assert_eq!(publication.set_freshness(later, Freshness::Stale), None);
        let fresh = publication.observe(later, Status::of(Availability::AWAY)).expect("a change");
        assert_eq!((fresh.new.since, fresh.new.freshness, fresh.sequence), (start, Freshness::Fresh, 3));
    }

    #[test]
    fn what_is_forgotten_is_unknown_and_not_offline() {
        let (start, mut publication) = publication();
        publication.observe(start, Status::of(Availability::OFFLINE));
        let later = start + Duration::from_secs(9);
        let gone = publication.set_freshness(later, Freshness::Unknown).expect("a change");
        assert_eq!(gone.new.status.availability, Availability::UNKNOWN);
        assert_eq!((gone.new.since, gone.new.freshness), (later, Freshness::Unknown));
        assert_eq!(publication.forget(later), None);
        let back = publication.observe(later, Status::of(Availability::ONLINE)).expect("a change");
        assert_eq!(back.previous.as_ref(), Some(&gone.new));
    }

    #[test]
    fn a_resumed_publication_goes_on_counting() {
        let (start, mut publication) = publication();
        publication.observe(start, Status::of(Availability::AWAY));
        let mut resumed = Publication::resume(
            publication.uri().clone(),
            Arc::clone(publication.current()),
            publication.sequence(),
            None,
        );
        let change = resumed.observe(start, Status::of(Availability::BUSY)).expect("a change");
        assert_eq!(change.sequence, 2);
        assert_eq!(change.previous.as_ref(), Some(publication.current()));
    }
}

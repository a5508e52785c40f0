//! What a UCC believes, and whether it was told in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use presence_actors::PresenceEvent;
use presence_core::{AgentUri, Freshness, Presence};

/// What a UCC believes of one agent: nothing after a pending, else the last value and its number.
type Belief = Option<(Arc<Presence>, u64)>;

/// Holds every promise about the order of events while it listens.
#[derive(Default)]
pub(crate) struct Ledger {
    beliefs: BTreeMap<AgentUri, Belief>,
    pub(crate) changes: u64,
    pub(crate) missed: u64,
}

impl Ledger {
    /// Reads events on from where it was.
    pub(crate) fn read(&mut self, events: Vec<PresenceEvent>) {
        for event in events {
            self.hear(event);
        }
    }

    /// The ledger of a UCC that has heard nothing else.
    pub(crate) fn of(events: Vec<PresenceEvent>) -> Self {
        let mut ledger = Self::default();
        ledger.read(events);
        ledger
    }

    fn hear(&mut self, event: PresenceEvent) {
        match event {
            PresenceEvent::Pending { uri } => {
                self.beliefs.insert(uri, None);
            }
            PresenceEvent::Current { uri, presence, sequence } => {
                assert!(sequence > 0, "{uri}: a value without a number");
                self.beliefs.insert(uri, Some((presence, sequence)));
            }
            PresenceEvent::Changed(change) => {
                self.changes += 1;
                let Some(belief) = self.beliefs.get_mut(&change.uri) else {
                    panic!("{}: a change came before Pending or Current", change.uri)
                };
                let (previous, number) = match belief {
                    Some((presence, number)) => (Some(&*presence), *number),
                    None => (None, 0),
                };
                assert_eq!(change.sequence, number + 1, "{}: changes are numbered without a gap", change.uri);
                assert_eq!(change.previous.as_ref(), previous, "{}: previous is what was told before", change.uri);
                assert_ne!(previous, Some(&change.new), "{}: a repeat is no change", change.uri);
                if let Some(previous) = previous
                    && previous.status == change.new.status
                    && ![previous.freshness, change.new.freshness].contains(&Freshness::Unknown)
                {
                    assert_eq!(previous.since, change.new.since, "{}: since moved without a change", change.uri);
                }
                *belief = Some((Arc::clone(&change.new), change.sequence));
            }
            PresenceEvent::Lagged { missed } => {
                assert!(missed > 0);
                self.missed += missed;
            }
            PresenceEvent::Unserved { uri, .. } => {
                self.beliefs.entry(uri).or_default();
            }
        }
    }

    /// What is believed of an agent; it must have been told something.
    pub(crate) fn presence(&self, uri: &AgentUri) -> &Arc<Presence> {
        match self.beliefs.get(uri) {
            Some(Some((presence, _))) => presence,
            Some(None) => panic!("{uri}: still pending"),
            None => panic!("{uri}: nothing was heard"),
        }
    }

    /// The agents that something was heard of.
    pub(crate) fn len(&self) -> usize {
        self.beliefs.len()
    }

    /// Everyone's freshness is this.
    pub(crate) fn assert_all(&self, freshness: Freshness) {
        for (uri, belief) in &self.beliefs {
            let (presence, _) = belief.as_ref().unwrap_or_else(|| panic!("{uri}: still pending"));
            assert_eq!(presence.freshness, freshness, "{uri}");
        }
    }
}

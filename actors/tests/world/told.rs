//! What one UCC has been told, by a small model of its own: it knows what must come next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use presence_actors::PresenceEvent;
use presence_core::{AgentUri, Freshness, Presence};

/// What a UCC believes of an agent.
#[derive(Clone, Debug)]
pub(crate) enum Belief {
    Pending,
    Unserved,
    Known(Arc<Presence>, u64),
}

#[derive(Default)]
pub(crate) struct Told {
    beliefs: BTreeMap<AgentUri, Belief>,
    pub(crate) changes: u64,
    pub(crate) missed: u64,
}

impl Told {
    /// Takes an event; says what is wrong with it.
    pub(crate) fn hear(&mut self, event: &PresenceEvent) -> Result<(), String> {
        match event {
            PresenceEvent::Pending { uri } => {
                self.beliefs.insert(uri.clone(), Belief::Pending);
            }
            PresenceEvent::Unserved { uri, .. } => {
                self.beliefs.insert(uri.clone(), Belief::Unserved);
            }
            PresenceEvent::Current { uri, presence, sequence } => {
                if *sequence == 0 {
                    return Err(format!("{uri}: a value without a number"));
                }
                self.beliefs.insert(uri.clone(), Belief::Known(Arc::clone(presence), *sequence));
            }
            PresenceEvent::Lagged { missed } => {
                self.missed += missed;
                if *missed == 0 {
                    return Err("it has lagged and missed nothing".to_owned());
                }
            }
            PresenceEvent::Changed(change) => {
                self.changes += 1;
                let uri = &change.uri;
                let (previous, number) = match self.beliefs.get(uri) {
                    Some(Belief::Known(presence, number)) => (Some(presence), *number),
                    Some(Belief::Pending) => (None, 0),
                    Some(Belief::Unserved) | None => return Err(format!("{uri}: a change came before a first answer")),
                };
                if change.sequence != number + 1 {
                    return Err(format!("{uri}: {} follows {number}", change.sequence));
                }
                if change.previous.as_ref() != previous {
                    return Err(format!("{uri}: previous is {:?}, and {previous:?} was told", change.previous));
                }
                if previous == Some(&change.new) {
                    return Err(format!("{uri}: a repeat is no change"));
                }
                let knew = |presence: &Presence| presence.freshness != Freshness::Unknown;
                if let Some(previous) = previous
                    && previous.status == change.new.status
                    && knew(previous)
                    && knew(&change.new)
                    && previous.since != change.new.since
                {
                    return Err(format!("{uri}: since moved without a change"));
                }
                self.beliefs.insert(uri.clone(), Belief::Known(Arc::clone(&change.new), change.sequence));
            }
        }
        Ok(())
    }

    pub(crate) fn of(&self, uri: &AgentUri) -> Option<&Belief> {
        self.beliefs.get(uri)
    }

    /// Who is not wanted any more is forgotten: the next answer is a first one again.
    pub(crate) fn keep(&mut self, wanted: &BTreeSet<AgentUri>) {
        self.beliefs.retain(|uri, _| wanted.contains(uri));
    }

    /// The agent is not wanted any more.
    pub(crate) fn forget(&mut self, uri: &AgentUri) {
        self.beliefs.remove(uri);
    }

    /// What is told as fresh.
    pub(crate) fn fresh(&self, uri: &AgentUri) -> Option<&Arc<Presence>> {
        match self.beliefs.get(uri) {
            Some(Belief::Known(presence, _)) if presence.freshness == Freshness::Fresh => Some(presence),
            _ => None,
        }
    }

    /// Somebody who is told as fresh.
    pub(crate) fn anybody_fresh(&self) -> Option<&AgentUri> {
        self.beliefs.keys().find(|uri| uri.as_str().starts_with("sip:agent") && self.fresh(uri).is_some())
    }
}

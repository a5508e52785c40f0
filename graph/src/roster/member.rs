//! One user who is polled.

use std::time::{Duration, Instant};

use presence_core::{AgentUri, Status};

use super::BatchId;
use crate::ObjectId;

/// How far what was heard can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing was heard yet.
    Unheard,
    /// The last answer is vouched for.
    Fresh,
    /// It was told that it is not.
    Doubted,
}

/// The agents that are this user; nearly always one.
#[derive(Debug)]
enum Agents {
    One(AgentUri),
    Several(Vec<AgentUri>),
}

/// A user, and what was heard last.
#[derive(Debug)]
pub(crate) struct Member {
    /// The user.
    pub(crate) user: ObjectId,
    /// What was told last.
    pub(super) status: Option<Status>,
    /// Its `sequenceNumber`.
    pub(super) sequence: Option<Box<str>>,
    /// The number of the request that it answered.
    pub(super) asked: u64,
    /// When the user was last in an answer.
    pub(crate) heard_at: Option<Instant>,
    /// For so many milliseconds from then on that is vouched for.
    pub(super) good_for: u32,
    agents: Agents,
    pub(super) batch: BatchId,
    pub(super) position: u16,
    /// The account whose change notifications are about the user.
    pub(crate) push: Option<u16>,
    pub(crate) standing: Standing,
    /// In so many answers in a row the user was not.
    pub(super) misses: u8,
    /// So many answers in a row said PresenceUnknown while a value was held.
    pub(super) unknowns: u8,
    /// So many answers in a row seemed older than what is held.
    pub(super) older: u8,
}

impl Member {
    pub(super) const fn new(user: ObjectId, uri: AgentUri, batch: BatchId, position: u16) -> Self {
        Self {
            user,
            status: None,
            sequence: None,
            asked: 0,
            heard_at: None,
            good_for: 0,
            agents: Agents::One(uri),
            batch,
            position,
            push: None,
            standing: Standing::Unheard,
            misses: 0,
            unknowns: 0,
            older: 0,
        }
    }

    /// Until when what was heard is vouched for.
    pub(super) fn good_until(&self) -> Option<Instant> {
        self.heard_at.map(|heard| heard + Duration::from_millis(u64::from(self.good_for)))
    }

    /// The agents that are this user.
    pub(crate) fn agents(&self) -> impl Iterator<Item = &AgentUri> {
        match &self.agents {
            Agents::One(uri) => std::slice::from_ref(uri),
            Agents::Several(uris) => uris.as_slice(),
        }
        .iter()
    }

    pub(super) fn into_agents(self) -> Vec<AgentUri> {
        match self.agents {
            Agents::One(uri) => vec![uri],
            Agents::Several(uris) => uris,
        }
    }

    pub(super) fn add_agent(&mut self, uri: &AgentUri) {
        match &mut self.agents {
            Agents::One(one) if one == uri => {}
            Agents::One(one) => self.agents = Agents::Several(vec![one.clone(), uri.clone()]),
            Agents::Several(uris) if uris.contains(uri) => {}
            Agents::Several(uris) => uris.push(uri.clone()),
        }
    }

    /// True when it was the last.
    pub(super) fn remove_agent(&mut self, uri: &AgentUri) -> bool {
        match &mut self.agents {
            Agents::One(one) => one == uri,
            Agents::Several(uris) => {
                uris.retain(|other| other != uri);
                uris.is_empty()
            }
        }
    }
}

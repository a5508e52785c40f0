//! Which user of one tenant an agent is.

use std::time::{Duration, Instant};

use presence_core::{AgentUri, Failure};

use crate::{Answer, ObjectId, Request};

/// Numbers the questions of one [`Directory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LookupId(pub(crate) u64);

/// Which user an agent is, or why that cannot be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The agent.
    pub(crate) uri: AgentUri,
    /// The user. A failure is the URI's own: NotFound (no user has this name) or Transient (several have; the name is refused).
    pub(crate) outcome: Result<ObjectId, Failure>,
}

/// Finds the users of agents in one tenant.
#[derive(Debug)]
pub(crate) struct Directory {}

impl Directory {
    /// `seed` is for request ids; an agent that nobody knows is not asked for again before `forget_unknown_after` has passed.
    pub(crate) fn new(_seed: u64, _forget_unknown_after: Duration) -> Self {
        Self {}
    }

    /// Whose user is it? Answered by [`Directory::poll_found`], at once when it is known already. Once per agent until answered
    /// or forgotten; asking twice is asking once.
    pub(crate) fn ask(&mut self, _now: Instant, _uri: &AgentUri) {}

    /// Nobody wants to know any more. What is known stays known.
    pub(crate) fn forget(&mut self, _uri: &AgentUri) {}

    /// What is known of the agent's user seems to be wrong (it is in no answer any more): the next one who asks makes it be
    /// looked up again.
    pub(crate) fn distrust(&mut self, _uri: &AgentUri) {}

    /// True when [`Directory::next_request`] has something to send.
    pub(crate) fn is_due(&self, _now: Instant) -> bool {
        false
    }

    /// The next question that is due, without `bearer`. Each ends with [`Directory::answered`] or [`Directory::postponed`].
    pub(crate) fn next_request(&mut self, _now: Instant) -> Option<(LookupId, Request)> {
        None
    }

    /// What came of a question, with status 2xx, 400 or 404; everything else is [`Directory::postponed`].
    ///
    /// # Errors
    /// The answer is not what Microsoft's would be. The question waits at the front, with a back-off, and the failure is the
    /// account's or the tenant's, as if there were no answer ([`crate::wire::Ruling::Unavailable`]).
    pub(crate) fn answered(&mut self, _now: Instant, _id: LookupId, _answer: &Answer) -> Result<(), Failure> {
        Ok(())
    }

    /// The question could not be asked, or not be answered: it goes back to the front.
    pub(crate) fn postponed(&mut self, _id: LookupId) {}

    /// The next agent whose user is known, or is known not to exist.
    pub(crate) fn poll_found(&mut self) -> Option<Found> {
        None
    }

    /// When [`Directory::next_request`] has something to send; in the past while something waits to be sent already.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// How many agents' users are being looked up.
    pub(crate) fn waiting(&self) -> usize {
        0
    }
}

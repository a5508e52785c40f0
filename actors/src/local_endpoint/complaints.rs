//! What an endpoint complains about in the log: each thing once, however many agents and attempts it concerns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_core::{EndpointState, Failure};

use super::{Departure, LocalEndpoint};
use crate::clock;
use crate::setup::{DialectSetup, Pool};

/// The same about the agents is said again after this at the earliest.
const PAUSE: Duration = Duration::from_secs(60);
/// So many different things are remembered; then it is begun anew.
const MOST: usize = 16;

/// What a pool that wants registered endpoints may mean.
const UNREGISTERED: &str = "this endpoint does not register (UseRegistration=\"false\" in <Pool>), and a pool gives \
    presence to registered endpoints only: remove UseRegistration unless the pool is known to do without";

/// What was said, and what is to be said.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    /// Where the pools have sent us since we were up the last time.
    pools: BTreeSet<String>,
    /// The subscriptions that failed by no fault of their agents, by the words for it.
    refused: BTreeMap<Arc<str>, Refused>,
}

#[derive(Debug)]
struct Refused {
    failure: Failure,
    /// So many were not told yet.
    agents: u32,
    told: Option<Instant>,
}

impl Complaints {
    /// We are up: whatever comes now is new.
    pub(super) fn forget_pools(&mut self) {
        self.pools.clear();
    }

    /// The subscription of an agent failed, and not by its fault.
    pub(super) fn count(&mut self, failure: &Failure) {
        if self.refused.len() >= MOST && !self.refused.contains_key(&failure.detail) {
            self.refused.clear();
        }
        let entry = self.refused.entry(Arc::clone(&failure.detail));
        entry.or_insert_with(|| Refused { failure: failure.clone(), agents: 0, told: None }).agents += 1;
    }

    /// What is due to be told: the failure, and how many agents it concerns.
    fn due(&mut self, now: Instant) -> Vec<(Failure, u32)> {
        let due = |one: &&mut Refused| one.agents > 0 && one.told.is_none_or(|told| now >= told + PAUSE);
        let told = self.refused.values_mut().filter(due).map(|one| {
            one.told = Some(now);
            (one.failure.clone(), std::mem::take(&mut one.agents))
        });
        told.collect()
    }
}

impl LocalEndpoint {
    /// Why the endpoint is not up: said once for each reason.
    fn complain(&mut self, failure: &Failure, what: &str) {
        if self.last_failure.as_ref() != Some(failure) {
            tracing::warn!(logger = %self.setup.uri, failure = %failure, "the {} {what}; it keeps trying", self.kind());
        }
        self.last_failure = Some(failure.clone());
    }

    /// The pool does not take us. What ends an endpoint that was up is told where its agents hear of it.
    pub(super) fn unserved(&mut self, failure: &Failure) {
        let trying = matches!(self.lifecycle.state(), EndpointState::Establishing | EndpointState::Reestablishing);
        if trying && !self.lifecycle.is_up() && self.departure == Departure::None {
            self.complain(failure, "is not served by its pool");
        }
    }

    /// No server of the pool is found, or none takes a connection.
    pub(super) fn cannot_reach(&mut self, failure: &Failure) {
        self.complain(failure, "cannot reach its pool");
        // Where we were sent is not there: the next attempt goes where the configuration says.
        self.redirected = None;
    }

    /// Pools that send us from one to the other are not told of again and again.
    pub(super) fn sent_elsewhere(&mut self, pool: &Pool) {
        let to = pool.target().unwrap_or_default();
        if self.complaints.pools.len() >= MOST {
            self.complaints.pools.clear();
        }
        if self.complaints.pools.insert(to.clone()) {
            tracing::info!(logger = %self.setup.uri, to = %to, "the pool sends the {} elsewhere", self.kind());
        }
    }

    /// The subscriptions that failed by no fault of their agents, in one line for all of them.
    pub(super) fn tell_refused(&mut self) {
        let due = self.complaints.due(clock::now());
        // That the connection is lost, or that we go, is told elsewhere.
        if self.connection.is_none() || self.departure != Departure::None {
            return;
        }
        for (failure, agents) in due {
            let help = match self.setup.dialect {
                DialectSetup::Skype { registers: false } => UNREGISTERED,
                DialectSetup::Skype { registers: true } | DialectSetup::Simple => "",
            };
            let colon = if help.is_empty() { "" } else { ": " };
            tracing::warn!(logger = %self.setup.uri, failure = %failure, agents,
                "the {} cannot subscribe its agents; none is given up for it, and they are tried again{colon}{help}",
                self.kind());
        }
    }
}

#[cfg(test)]
mod tests {
    use presence_core::{EndedBy, FailureKind};

    use super::*;

    fn failure(detail: &str) -> Failure {
        Failure::new(FailureKind::Endpoint, EndedBy::Peer, detail)
    }

    #[test]
    fn the_same_failure_of_many_agents_is_due_once_a_minute_with_their_number() {
        let (mut complaints, now) = (Complaints::default(), clock::now());
        (0..500).for_each(|_| complaints.count(&failure("480 away")));
        assert_eq!(complaints.due(now), [(failure("480 away"), 500)]);
        (0..7).for_each(|_| complaints.count(&failure("480 away")));
        assert_eq!(complaints.due(now + PAUSE - Duration::from_secs(1)), []);
        complaints.count(&failure("503 busy"));
        assert_eq!(complaints.due(now + PAUSE - Duration::from_secs(1)), [(failure("503 busy"), 1)]);
        assert_eq!(complaints.due(now + PAUSE), [(failure("480 away"), 7)]);
        assert_eq!(complaints.due(now + PAUSE * 9), [], "nothing new");
    }

    #[test]
    fn ever_new_words_of_a_peer_fill_no_memory() {
        let mut complaints = Complaints::default();
        (0..1000).for_each(|number| complaints.count(&failure(&format!("600 {number}"))));
        assert!(complaints.refused.len() <= MOST);
    }
}

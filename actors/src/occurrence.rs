//! What happens, as people and observers are told it: every change, every transition of an endpoint, every failure.
//!
//! UCCs hear of their agents by [`crate::PresenceEvent`]; this is for whoever watches the whole. Nobody waits for an
//! observer: who reads too slowly misses what is oldest, and is told how much.

use std::sync::Arc;
use std::time::Instant;

use presence_core::{AgentUri, Change, EndpointKind, EndpointState, Failure, Presence};
use presence_graph::Report;
use tokio::sync::broadcast;

use crate::meters::Meters;

/// How many occurrences an observer may be behind before it misses the oldest.
const KEPT: usize = 4096;

/// Something that happened, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Occurrence {
    /// The presence of an agent changed, whether a UCC watches it or not.
    Changed(Arc<Change>),
    /// A local endpoint went from one state to another.
    Endpoint {
        /// Which.
        kind: EndpointKind,
        /// Before.
        from: EndpointState,
        /// After.
        to: EndpointState,
        /// True when it can serve agents now.
        up: bool,
        /// Why it is not up, when that is not by our own will.
        failure: Option<Failure>,
        /// When.
        at: Instant,
    },
    /// The subscription of an agent failed, and not by its endpoint's fault.
    Failed {
        /// The agent.
        uri: AgentUri,
        /// Through this endpoint.
        via: EndpointKind,
        /// How.
        failure: Failure,
        /// Consecutive failures of the agent that count so far.
        failures: u32,
        /// When.
        at: Instant,
    },
    /// An agent was given up after too many failures.
    Abandoned {
        /// The agent.
        uri: AgentUri,
        /// The last failure.
        failure: Failure,
        /// When.
        at: Instant,
    },
    /// Something of Microsoft Graph that concerns more than one agent: a tenant, an account, its notifications.
    Graph {
        /// What.
        report: Report,
        /// When.
        at: Instant,
    },
    /// A pool had stopped notifying about an agent without a sign, and a sample found it.
    SilentLoss {
        /// The agent.
        uri: AgentUri,
        /// Through this endpoint.
        via: EndpointKind,
        /// What was held.
        held: Arc<Presence>,
        /// What the pool says when it is asked, and what holds since.
        said: Arc<Presence>,
        /// When.
        at: Instant,
    },
    /// An operator had an agent tried again.
    Revived {
        /// The agent.
        uri: AgentUri,
        /// When.
        at: Instant,
    },
}

/// Where what happens is told and counted; all actors of one provider share it.
#[derive(Clone, Debug)]
pub(crate) struct Bulletin {
    occurrences: broadcast::Sender<Occurrence>,
    pub(crate) meters: Arc<Meters>,
}

impl Bulletin {
    pub(crate) fn new() -> Self {
        Self { occurrences: broadcast::Sender::new(KEPT), meters: Arc::default() }
    }

    /// What happens from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Occurrence> {
        self.occurrences.subscribe()
    }

    /// Tells what happened; it is not even made when nobody listens.
    pub(crate) fn tell(&self, occurrence: impl FnOnce() -> Occurrence) {
        if self.occurrences.receiver_count() > 0 {
            let _the_last_listener_has_just_left = self.occurrences.send(occurrence());
        }
    }

    /// The presence of an agent changed.
    pub(crate) fn changed(&self, change: &Arc<Change>) {
        self.meters.count_change();
        self.tell(|| Occurrence::Changed(Arc::clone(change)));
    }
}

#[cfg(test)]
mod tests {
    use presence_core::{Availability, Publication, SourceKind, Status};
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;
    use crate::clock;

    #[test]
    fn nothing_is_made_when_nobody_listens_and_it_is_counted_all_the_same() {
        let bulletin = Bulletin::new();
        bulletin.tell(|| panic!("it is made for nobody"));
        drop(bulletin.subscribe());
        bulletin.tell(|| panic!("it is made for somebody who has gone"));
        let uri: AgentUri = "sip:user1@domain.com".parse().expect("valid");
        let mut publication = Publication::new(clock::now(), uri, SourceKind::Ucma);
        let change = publication.observe(clock::now(), Status::of(Availability::AWAY)).expect("a change");
        bulletin.changed(&change);
        assert_eq!((Arc::strong_count(&change), bulletin.meters.read().changes), (1, 1));
    }

    #[test]
    fn an_observer_that_does_not_read_misses_what_is_oldest_and_holds_nobody_up() {
        let bulletin = Bulletin::new();
        let mut observer = bulletin.subscribe();
        let uri: AgentUri = "sip:user1@domain.com".parse().expect("valid");
        for _ in 0..KEPT + 10 {
            bulletin.tell(|| Occurrence::Revived { uri: uri.clone(), at: clock::now() });
        }
        assert_eq!(observer.try_recv(), Err(TryRecvError::Lagged(10)));
        assert_eq!(std::iter::from_fn(|| observer.try_recv().ok()).count(), KEPT);
    }
}

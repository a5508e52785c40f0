//! The last changes of each agent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use presence_core::{AgentUri, Change, EndpointKind};

/// So many changes are kept of one agent.
const PER_AGENT: usize = 20;
/// So many changes are kept in all; so many agents' last failing endpoint is.
const IN_ALL: usize = 20_000;

/// A change, and when it was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When it was learned.
    pub at: Instant,
    /// What changed.
    pub change: Arc<Change>,
}

/// Keeps the last changes of each agent: at most 20 of one and 20,000 in all, the oldest of all going first. And the
/// endpoint through which each agent failed last.
#[derive(Debug)]
pub(super) struct ChangeLog {
    per_agent: usize,
    in_all: usize,
    /// Numbers what is recorded.
    next: u64,
    agents: BTreeMap<AgentUri, VecDeque<(u64, Recorded)>>,
    /// Whose change has which number: the first is the oldest that is kept.
    order: BTreeMap<u64, AgentUri>,
    failed: BTreeMap<AgentUri, EndpointKind>,
}

impl Default for ChangeLog {
    fn default() -> Self {
        Self::with_room(PER_AGENT, IN_ALL)
    }
}

impl ChangeLog {
    fn with_room(per_agent: usize, in_all: usize) -> Self {
        let (agents, order, failed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { per_agent, in_all, next: 0, agents, order, failed }
    }

    /// Takes a change that was learned at `at`.
    pub(super) fn record(&mut self, at: Instant, change: Arc<Change>) {
        let (uri, number) = (change.uri.clone(), self.next);
        self.next += 1;
        let kept = self.agents.entry(uri.clone()).or_default();
        kept.push_back((number, Recorded { at, change }));
        self.order.insert(number, uri);
        if kept.len() > self.per_agent
            && let Some((oldest, _)) = kept.pop_front()
        {
            self.order.remove(&oldest);
        }
        if self.order.len() > self.in_all
            && let Some((_, uri)) = self.order.pop_first()
            && let Some(kept) = self.agents.get_mut(&uri)
        {
            // The oldest of all is the oldest of its agent.
            kept.pop_front();
            if kept.is_empty() {
                self.agents.remove(&uri);
            }
        }
    }

    /// Takes the endpoint through which an agent has failed.
    pub(super) fn failed(&mut self, uri: AgentUri, via: EndpointKind) {
        self.failed.insert(uri, via);
        if self.failed.len() > self.in_all {
            self.failed.pop_first();
        }
    }

    /// The changes of an agent that are kept, the newest first.
    #[must_use]
    pub(super) fn of(&self, uri: &AgentUri) -> Vec<Recorded> {
        self.agents.get(uri).into_iter().flatten().rev().map(|(_, recorded)| recorded.clone()).collect()
    }

    /// The endpoint through which an agent failed last.
    #[must_use]
    pub(super) fn failed_via(&self, uri: &AgentUri) -> Option<EndpointKind> {
        self.failed.get(uri).copied()
    }
}

#[cfg(test)]
mod tests {
    use presence_core::{Presence, SourceKind};

    use super::*;

    fn agent(number: usize) -> AgentUri {
        AgentUri::parse(&format!("sip:agent{number}@demo.example")).expect("valid")
    }

    fn change(now: Instant, number: usize, sequence: u64) -> Arc<Change> {
        let new = Arc::new(Presence::unknown(now, SourceKind::Ucma));
        Arc::new(Change { uri: agent(number), previous: None, new, sequence })
    }

    fn sequences(log: &ChangeLog, number: usize) -> Vec<u64> {
        log.of(&agent(number)).iter().map(|recorded| recorded.change.sequence).collect()
    }

    #[test]
    fn each_agent_has_its_last_changes_the_newest_first() {
        let now = presence_actors::now();
        let mut log = ChangeLog::with_room(3, 100);
        for sequence in 1..=5 {
            log.record(now, change(now, 1, sequence));
        }
        log.record(now, change(now, 2, 9));
        assert_eq!((sequences(&log, 1), sequences(&log, 2), sequences(&log, 3)), (vec![5, 4, 3], vec![9], vec![]));
    }

    #[test]
    fn when_there_are_too_many_the_oldest_of_all_goes_and_agents_without_changes_are_forgotten() {
        let now = presence_actors::now();
        let mut log = ChangeLog::with_room(3, 4);
        log.record(now, change(now, 1, 1));
        for sequence in 1..=5 {
            log.record(now, change(now, 2, sequence));
        }
        assert_eq!((sequences(&log, 1), sequences(&log, 2)), (vec![1], vec![5, 4, 3]));
        log.record(now, change(now, 3, 1));
        assert_eq!((sequences(&log, 1), sequences(&log, 2), sequences(&log, 3)), (vec![], vec![5, 4, 3], vec![1]));
        assert_eq!((log.agents.len(), log.order.len()), (2, 4));
        log.record(now, change(now, 3, 2));
        assert_eq!((sequences(&log, 2), sequences(&log, 3)), (vec![5, 4], vec![2, 1]));
    }

    #[test]
    fn the_failing_endpoints_are_bounded_too() {
        let mut log = ChangeLog::with_room(1, 2);
        for number in 1..=3 {
            log.failed(agent(number), EndpointKind::User);
        }
        log.failed(agent(3), EndpointKind::Application);
        assert_eq!((log.failed_via(&agent(3)), log.failed.len()), (Some(EndpointKind::Application), 2));
    }
}

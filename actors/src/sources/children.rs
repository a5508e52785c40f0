//! The agents of one source: created when they are wanted, created again when they die, let go when nobody wants them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Addr, ResponseFuture};
use presence_core::{AgentUri, Attempt, Freshness, LONGEST_SERVED, Presence, RestartBudget, SourceKind};

use crate::agent::{Agent, AgentContext, AgentMemory, Birth, FeedPushed, Life, Memory, TakeBack};
use crate::clock;
use crate::messages::{AgentIdle, ChildDown, LetGo, PresenceEvent, Stop, Unwatch, Watch};
use crate::remember::{AGENTS_PER_TURN, CollectAgents, Kept};
use crate::supervise::{AGENT_RESTARTS, AGENT_WINDOW, QUARANTINE};
use crate::views::AgentView;
use crate::watchers::Watchers;

/// One agent, as its parent keeps it: all that must survive the agent's actor.
struct Child {
    /// None while it is in quarantine.
    address: Option<Addr<Agent>>,
    incarnation: u32,
    /// How many orders this incarnation was given; it may be let go when it has taken them all and is idle.
    orders: u32,
    memory: Arc<AgentMemory>,
    watchers: Watchers,
    budget: Option<Box<RestartBudget>>,
}

/// The agents of one source.
pub(crate) struct Children {
    kind: SourceKind,
    /// Boxed: half of a tree's places are empty.
    children: BTreeMap<AgentUri, Box<Child>>,
    quarantine: BTreeSet<(Instant, AgentUri)>,
    incarnations: u32,
    restarts: u64,
    /// Left by an earlier run; nobody has asked for them yet.
    left: BTreeMap<AgentUri, Memory>,
    /// Until when that is kept.
    left_until: Instant,
}

impl Children {
    /// No agents yet, but what an earlier run has left of some.
    pub(crate) fn new(kind: SourceKind, left: BTreeMap<AgentUri, Memory>) -> Self {
        let (children, quarantine) = (BTreeMap::new(), BTreeSet::new());
        let left_until = clock::now() + LONGEST_SERVED;
        Self { kind, children, quarantine, incarnations: 0, restarts: 0, left, left_until }
    }

    /// What is kept of the next agents, for the run after this one.
    pub(crate) fn collect(&mut self, message: &CollectAgents) -> Vec<(AgentUri, Kept)> {
        if self.left_until <= clock::now() {
            self.left.clear();
        }
        let start = message.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        if message.unclaimed {
            let left = self.left.range((start, Bound::Unbounded)).take(AGENTS_PER_TURN);
            return left.map(|(uri, memory)| (uri.clone(), Kept::Left(memory.clone()))).collect();
        }
        let children = self.children.range((start, Bound::Unbounded)).take(AGENTS_PER_TURN);
        children.map(|(uri, child)| (uri.clone(), Kept::Shared(Arc::clone(&child.memory)))).collect()
    }

    /// The agents of whom an earlier run has left something, and nobody has asked for yet.
    pub(crate) fn left(&self) -> Vec<AgentUri> {
        self.left.keys().cloned().collect()
    }

    /// The agent of `uri`, created when it is not there.
    pub(crate) fn ensure(&mut self, uri: &AgentUri, shared: &Arc<AgentContext>, life: impl FnOnce(Birth) -> Life) {
        if !self.children.contains_key(uri) {
            self.incarnations += 1;
            let left = self.left.remove(uri);
            let expected = left.is_some();
            let memory = Arc::new(AgentMemory::of(left.clone()));
            let birth = Birth { incarnation: self.incarnations, wanted: expected, memory: left };
            let (life, watchers) = (life(birth), Watchers::default());
            let agent =
                Agent::new(uri.clone(), self.incarnations, life, watchers, Arc::clone(shared), Arc::clone(&memory));
            let child = Child {
                address: Some(agent.expected(expected).start()),
                incarnation: self.incarnations,
                orders: 0,
                memory,
                watchers: Watchers::default(),
                budget: None,
            };
            self.children.insert(uri.clone(), Box::new(child));
        }
    }

    /// Adds a watcher to an agent that [`Children::ensure`] has made.
    pub(crate) fn watch(&mut self, message: Watch) {
        let Some(child) = self.children.get_mut(&message.uri) else { return };
        child.watchers.add(Arc::clone(&message.ucc));
        match &child.address {
            Some(agent) => {
                child.orders += 1;
                agent.do_send(message);
            }
            None => {
                message.ucc.post(quarantined(&message.uri));
            }
        }
    }

    /// Takes a watcher from an agent.
    pub(crate) fn unwatch(&mut self, message: Unwatch) {
        let Some(child) = self.children.get_mut(&message.uri) else { return };
        child.watchers.remove(message.ucc);
        if let Some(agent) = &child.address {
            child.orders += 1;
            agent.do_send(message);
        }
    }

    /// Hands what was pushed to an agent that [`Children::ensure`] has made.
    pub(crate) fn push(&mut self, uri: &AgentUri, push: FeedPushed) {
        let Some(child) = self.children.get_mut(uri) else { return };
        if let Some(agent) = &child.address {
            child.orders += 1;
            agent.do_send(push);
        }
    }

    /// Takes back what was pushed. True when something held.
    pub(crate) fn withdraw(&mut self, uri: &AgentUri) -> ResponseFuture<bool> {
        let Some(child) = self.children.get_mut(uri) else { return Box::pin(std::future::ready(false)) };
        match &child.address {
            Some(agent) => {
                child.orders += 1;
                let held = agent.send(TakeBack);
                Box::pin(async move { held.await.unwrap_or(false) })
            }
            None => Box::pin(std::future::ready(child.memory.take_back(clock::now()))),
        }
    }

    /// Lets an agent go that nobody wants, unless somebody has come to want it since it said so.
    pub(crate) fn idle(&mut self, message: &AgentIdle) {
        let Some(child) = self.children.get(&message.uri) else { return };
        let is_same = child.incarnation == message.incarnation && child.orders == message.orders;
        if is_same && child.watchers.is_empty() {
            if let Some(agent) = &child.address {
                agent.do_send(Stop);
            }
            self.children.remove(&message.uri);
        }
    }

    /// Creates an agent again whose actor died, with its watchers and what it remembered, or puts it in quarantine.
    pub(crate) fn down(
        &mut self,
        now: Instant,
        message: &ChildDown<AgentUri>,
        shared: &Arc<AgentContext>,
        life: impl FnOnce(Birth) -> Life,
    ) {
        let Some(child) = self.children.get_mut(&message.child) else { return };
        if child.incarnation != message.incarnation {
            return;
        }
        self.restarts += 1;
        shared.bulletin.meters.count_restart();
        let budget = child.budget.get_or_insert_with(|| Box::new(RestartBudget::new(AGENT_RESTARTS, AGENT_WINDOW)));
        if budget.allow(now) {
            tracing::error!(logger = %self.kind, uri = %message.child, "the agent's actor died of a bug; it is created again");
            self.create_again(&message.child, shared, life);
        } else {
            tracing::error!(logger = %self.kind, uri = %message.child,
                "the agent's actor keeps dying of a bug; it is left alone for an hour");
            child.address = None;
            child.watchers.tell(&quarantined(&message.child));
            self.quarantine.insert((now + QUARANTINE, message.child.clone()));
        }
    }

    /// The end of the first quarantine, for the source's timer.
    pub(crate) fn next_release(&self) -> Option<Instant> {
        self.quarantine.first().map(|(at, _)| *at)
    }

    /// The agents in quarantine, as they were when their actors died, and stale.
    pub(crate) fn quarantined(&self) -> Vec<AgentView> {
        self.quarantine.iter().filter_map(|(until, uri)| self.quarantined_until(*until, uri)).collect()
    }

    /// This agent, if it is in quarantine.
    pub(crate) fn find_quarantined(&self, uri: &AgentUri) -> Option<AgentView> {
        let (until, uri) = self.quarantine.iter().find(|(_, known)| known == uri)?;
        self.quarantined_until(*until, uri)
    }

    fn quarantined_until(&self, until: Instant, uri: &AgentUri) -> Option<AgentView> {
        let child = self.children.get(uri).filter(|child| child.address.is_none())?;
        let (presence, sequence) = match child.memory.recall() {
            Some(memory) => memory.presence(),
            None => (Arc::new(Presence::unknown(clock::now(), self.kind)), 0),
        };
        // Nobody stands behind it any more.
        let presence = match presence.freshness {
            Freshness::Fresh => Arc::new(Presence { freshness: Freshness::Stale, ..(*presence).clone() }),
            Freshness::Stale | Freshness::Unknown => presence,
        };
        Some(AgentView {
            uri: uri.clone(),
            presence,
            sequence,
            subscription: None,
            watchers: child.watchers.names(),
            graph: None,
            quarantined_until: Some(until),
        })
    }

    /// The next agent whose quarantine is over.
    pub(crate) fn released(&mut self, now: Instant) -> Option<AgentUri> {
        let first = self.quarantine.first().filter(|(at, _)| *at <= now)?.clone();
        self.quarantine.remove(&first);
        Some(first.1)
    }

    /// Starts a new actor for an agent that is known.
    pub(crate) fn create_again(
        &mut self,
        uri: &AgentUri,
        shared: &Arc<AgentContext>,
        life: impl FnOnce(Birth) -> Life,
    ) {
        let Some(child) = self.children.get_mut(uri) else { return };
        self.incarnations += 1;
        child.incarnation = self.incarnations;
        child.orders = 0;
        let wanted = !child.watchers.is_empty();
        let life = life(Birth { incarnation: child.incarnation, wanted, memory: child.memory.recall() });
        let (watchers, shared, memory) = (child.watchers.clone(), Arc::clone(shared), Arc::clone(&child.memory));
        child.address = Some(Agent::new(uri.clone(), child.incarnation, life, watchers, shared, memory).start());
    }

    /// The agents that were given up.
    pub(crate) fn abandoned(&self) -> impl Iterator<Item = (&AgentUri, &Addr<Agent>)> {
        self.children.iter().filter_map(|(uri, child)| {
            child.address.as_ref().filter(|_| child.memory.is_abandoned()).map(|agent| (uri, agent))
        })
    }

    /// The agent at this place of the order.
    pub(crate) fn known(&self, place: usize) -> Option<AgentUri> {
        self.children.keys().nth(place).cloned()
    }

    /// The first agent behind this one, or of all, that has an actor and remembers what is asked for.
    pub(crate) fn behind(&self, uri: Option<&AgentUri>, is_so: impl Fn(&AgentMemory) -> bool) -> Option<AgentUri> {
        let begin = uri.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.children.range::<AgentUri, _>((begin, Bound::Unbounded));
        rest.find(|(_, child)| child.address.is_some() && is_so(&child.memory)).map(|(uri, _)| uri.clone())
    }

    /// The actor of an agent that is there.
    pub(crate) fn get(&self, uri: &AgentUri) -> Option<&Addr<Agent>> {
        self.children.get(uri).and_then(|child| child.address.as_ref())
    }

    /// True when this is the number under which the agent is on the wire now.
    pub(crate) fn is_on_the_wire_as(&self, uri: &AgentUri, attempt: Attempt) -> bool {
        self.children.get(uri).is_some_and(|child| child.memory.dialogs().contains(&Some(attempt)))
    }

    /// True when nothing of the agent can be on the wire.
    pub(crate) fn holds_nothing(&self, uri: &AgentUri) -> bool {
        self.children.get(uri).is_none_or(|child| child.memory.dialogs() == [None; 2])
    }

    /// Lets an agent go at once, with its watchers, whom nobody tells: nothing of it is on the wire, and another source
    /// takes it over.
    pub(crate) fn dismiss(&mut self, uri: &AgentUri) {
        if let Some(agent) = self.children.remove(uri).and_then(|child| child.address) {
            agent.do_send(Stop);
        }
    }

    /// The agents that have an actor.
    pub(crate) fn uris(&self) -> impl Iterator<Item = &AgentUri> {
        self.children.iter().filter(|(_, child)| child.address.is_some()).map(|(uri, _)| uri)
    }

    /// All actors.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Addr<Agent>> {
        self.children.values().filter_map(|child| child.address.as_ref())
    }

    /// Tells every agent to leave the wire.
    pub(crate) fn let_go(&mut self) {
        self.children.retain(|_, child| child.address.is_some());
        for child in self.children.values_mut() {
            child.watchers = Watchers::default();
            if let Some(agent) = &child.address {
                child.orders += 1;
                agent.do_send(LetGo);
            }
        }
    }

    /// Forgets an agent whose actor died while everything ends.
    pub(crate) fn forget(&mut self, message: &ChildDown<AgentUri>) {
        if self.children.get(&message.child).is_some_and(|child| child.incarnation == message.incarnation) {
            self.children.remove(&message.child);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.children.len()
    }

    pub(crate) const fn count_restart(&mut self) {
        self.restarts += 1;
    }

    pub(crate) const fn restarts(&self) -> u64 {
        self.restarts
    }
}

fn quarantined(uri: &AgentUri) -> PresenceEvent {
    PresenceEvent::Unserved {
        uri: uri.clone(),
        why: "the agent's actor keeps dying of a bug; it is tried again within an hour".into(),
    }
}

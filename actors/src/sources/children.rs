//! The agents of one source: created when they are wanted, created again when they die, let go when nobody wants them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Addr};
use presence_core::{AgentUri, RestartBudget, SourceKind, SubscriptionMemory};

use crate::agent::{Adopt, Agent, AgentContext, AgentMemory, Life};
use crate::messages::{AgentIdle, ChildDown, LetGo, PresenceEvent, Stop, Unwatch, Watch};
use crate::supervise::{AGENT_RESTARTS, AGENT_WINDOW, QUARANTINE};
use crate::ucc::UccHandle;
use crate::watchers::Watchers;

/// One agent, as its parent keeps it: all that must survive the agent's actor.
struct Child {
    /// None while it is in quarantine.
    address: Option<Addr<Agent>>,
    incarnation: u32,
    memory: Arc<AgentMemory>,
    watchers: Watchers,
    budget: Option<Box<RestartBudget>>,
}

/// The agents of one source.
pub(crate) struct Children {
    kind: SourceKind,
    children: BTreeMap<AgentUri, Child>,
    quarantine: BTreeSet<(Instant, AgentUri)>,
    incarnations: u32,
    restarts: u64,
}

impl Children {
    pub(crate) const fn new(kind: SourceKind) -> Self {
        Self { kind, children: BTreeMap::new(), quarantine: BTreeSet::new(), incarnations: 0, restarts: 0 }
    }

    /// The agent of `uri`, created when it is not there; none while it is in quarantine.
    pub(crate) fn ensure(
        &mut self,
        uri: &AgentUri,
        shared: &Arc<AgentContext>,
        life: impl FnOnce(Option<SubscriptionMemory>) -> Life,
    ) -> Option<&Addr<Agent>> {
        if !self.children.contains_key(uri) {
            self.incarnations += 1;
            let memory = Arc::new(AgentMemory::default());
            let agent =
                Agent::new(uri.clone(), self.incarnations, life(None), Arc::clone(shared), Arc::clone(&memory));
            let child = Child {
                address: Some(agent.start()),
                incarnation: self.incarnations,
                memory,
                watchers: Watchers::default(),
                budget: None,
            };
            self.children.insert(uri.clone(), child);
        }
        self.children.get(uri).and_then(|child| child.address.as_ref())
    }

    /// Adds a watcher to an agent that [`Children::ensure`] has made.
    pub(crate) fn watch(&mut self, message: Watch) {
        let Some(child) = self.children.get_mut(&message.uri) else { return };
        child.watchers.add(Arc::clone(&message.ucc));
        match &child.address {
            Some(agent) => agent.do_send(message),
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
            agent.do_send(message);
        }
    }

    /// Lets an agent go that nobody wants, unless somebody has come to want it since it said so.
    pub(crate) fn idle(&mut self, message: &AgentIdle) {
        let Some(child) = self.children.get(&message.uri) else { return };
        if child.incarnation == message.incarnation && child.watchers.is_empty() {
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
        life: impl FnOnce(Option<SubscriptionMemory>) -> Life,
    ) {
        let Some(child) = self.children.get_mut(&message.child) else { return };
        if child.incarnation != message.incarnation {
            return;
        }
        self.restarts += 1;
        let budget =
            child.budget.get_or_insert_with(|| Box::new(RestartBudget::new(AGENT_RESTARTS, AGENT_WINDOW)));
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
        life: impl FnOnce(Option<SubscriptionMemory>) -> Life,
    ) {
        let Some(child) = self.children.get_mut(uri) else { return };
        self.incarnations += 1;
        child.incarnation = self.incarnations;
        let agent = Agent::new(
            uri.clone(),
            child.incarnation,
            life(child.memory.recall()),
            Arc::clone(shared),
            Arc::clone(&child.memory),
        )
        .start();
        let watchers: Vec<Arc<UccHandle>> = child.watchers.handles().to_vec();
        agent.do_send(Adopt(watchers));
        child.address = Some(agent);
    }

    /// The agents that were given up.
    pub(crate) fn abandoned(&self) -> impl Iterator<Item = (&AgentUri, &Addr<Agent>)> {
        self.children.iter().filter_map(|(uri, child)| {
            let abandoned = child.memory.recall().is_some_and(|memory| memory.abandoned.is_some());
            child.address.as_ref().filter(|_| abandoned).map(|agent| (uri, agent))
        })
    }

    /// The actor of an agent that is there.
    pub(crate) fn get(&self, uri: &AgentUri) -> Option<&Addr<Agent>> {
        self.children.get(uri).and_then(|child| child.address.as_ref())
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
                agent.do_send(LetGo);
            }
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

//! What a run leaves to the next one: collected from the actors in short turns, made into values wherever there is time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use actix::Message;
use presence_core::{
    AgentUri, Attempt, EndpointMemory, Freshness, GraphMemory, LONGEST_SERVED, Presence, Pushed, Remembered,
    RememberedAgent, RememberedLife, SourceKind, SourceRules, SubscriptionMemory, Ticket,
};

use crate::agent::{AgentMemory, Memory};

/// So many agents are collected in one turn of a source: less than a millisecond.
pub(crate) const AGENTS_PER_TURN: usize = 2_048;

/// The next agents of a source.
#[derive(Clone, Message)]
#[rtype(result = "Vec<(AgentUri, Kept)>")]
pub(crate) struct CollectAgents {
    /// Those after this one.
    pub(crate) after: Option<AgentUri>,
    /// Those that an earlier run has left and nobody has asked for yet, instead of those that are there.
    pub(crate) unclaimed: bool,
}

/// The endpoints of a source, as the next run begins with them.
#[derive(Clone, Copy, Message)]
#[rtype(result = "Vec<EndpointMemory>")]
pub(crate) struct CollectEndpoints;

/// The next names of Microsoft Graph, and with the first of them the accounts.
#[derive(Clone, Message)]
#[rtype(result = "GraphMemory")]
pub(crate) struct CollectGraph {
    /// Those after this tenant and name.
    pub(crate) after: Option<(Arc<str>, Arc<str>)>,
}

/// An agent's memory, wherever it is kept.
#[derive(Clone)]
pub(crate) enum Kept {
    /// By an agent that is there.
    Shared(Arc<AgentMemory>),
    /// Left by an earlier run.
    Left(Memory),
}

/// What was collected; cheap to make, and made into values by [`Collected::read`] on any thread.
#[derive(Clone, Default)]
pub struct Collected {
    pub(crate) at: Option<Instant>,
    pub(crate) agents: Vec<(SourceKind, AgentUri, Kept)>,
    pub(crate) rest: Remembered,
}

impl Collected {
    /// The values. Takes some tens of milliseconds for 100,000 agents: not on the thread of the actors.
    #[must_use]
    pub fn read(self) -> Remembered {
        let at = self.at;
        let agents = self.agents.into_iter().filter_map(|(source, uri, kept)| {
            let memory = match kept {
                Kept::Shared(memory) => memory.recall(),
                Kept::Left(memory) => Some(memory),
            };
            Some(RememberedAgent { uri, source, life: life(memory?, at)? })
        });
        Remembered { agents: agents.collect(), collected: at, ..self.rest }
    }
}

/// What is worth remembering of an agent; none when that is nothing.
fn life(memory: Memory, at: Option<Instant>) -> Option<RememberedLife> {
    match memory {
        // Calls end with the process that was told of them.
        Memory::Line(_) => None,
        Memory::Pushed(pushed) => {
            let mut memory = pushed.memory()?;
            memory.presence = stale(memory.presence);
            Some(RememberedLife::Pushed(memory))
        }
        Memory::Subscribed(mut memory) => {
            if memory.presence.freshness == Freshness::Fresh {
                (memory.confirmed, memory.presence) = (at, stale(memory.presence));
            }
            let is_something = memory.presence.status.availability.is_known()
                || memory.presence.freshness != Freshness::Unknown
                || memory.failures > 0
                || memory.postponed > 0
                || memory.retry_at.is_some()
                || memory.abandoned.is_some();
            let (attempt, ticket, dialogs) = (Attempt(0), Ticket(0), [None; 2]);
            is_something.then_some(RememberedLife::Subscribed(SubscriptionMemory {
                attempt,
                ticket,
                dialogs,
                ..memory
            }))
        }
    }
}

fn stale(presence: Arc<Presence>) -> Arc<Presence> {
    match presence.freshness {
        Freshness::Fresh => Arc::new(Presence { freshness: Freshness::Stale, ..(*presence).clone() }),
        Freshness::Stale | Freshness::Unknown => presence,
    }
}

/// What an earlier run has left, by who is to have it.
#[derive(Default)]
pub(crate) struct Legacy {
    agents: BTreeMap<SourceKind, BTreeMap<AgentUri, Memory>>,
    pub(crate) endpoints: Vec<EndpointMemory>,
    pub(crate) rates: Vec<(SourceKind, f64)>,
    pub(crate) graph: GraphMemory,
    /// When the earlier run may have sent last.
    pub(crate) last_sent: Option<Instant>,
}

impl Legacy {
    /// What is too old to be served is not, and with other `endpoints` than before only values are taken over.
    pub(crate) fn new(now: Instant, remembered: Option<Remembered>, endpoints: &[EndpointMemory]) -> Self {
        let Some(remembered) = remembered else { return Self::default() };
        let identity = |endpoint: &EndpointMemory| (endpoint.kind, endpoint.uri.clone(), Arc::clone(&endpoint.pool));
        let same = remembered.endpoints.iter().map(identity).eq(endpoints.iter().map(identity));
        let mut agents: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for RememberedAgent { uri, source, life } in remembered.agents {
            let memory = match life {
                RememberedLife::Pushed(memory) => Memory::Pushed(Pushed::resume(now, uri.clone(), memory)),
                RememberedLife::Subscribed(memory) if same || source != SourceKind::Ucma => {
                    Memory::Subscribed(aged(now, memory))
                }
                RememberedLife::Subscribed(memory) => Memory::Subscribed(aged(now, value_of(memory))),
            };
            agents.entry(source).or_default().insert(uri, memory);
        }
        Self {
            agents,
            endpoints: if same { remembered.endpoints } else { Vec::new() },
            rates: if same { remembered.rates } else { Vec::new() },
            graph: remembered.graph,
            last_sent: Some(remembered.last_sent.unwrap_or(now)),
        }
    }

    /// Agents whom Microsoft Graph is asked about first by these rules, and whom the earlier run had at the source behind it:
    /// Microsoft had declined them. Who asks a tenant now that no name is known of has to ask for all of them anew.
    pub(crate) fn declined<'a>(
        &self,
        rules: &SourceRules,
        mut tenants: impl Iterator<Item = &'a str>,
    ) -> BTreeSet<AgentUri> {
        let asked: BTreeSet<&str> = self.graph.names.iter().map(|name| &*name.tenant).collect();
        if asked.is_empty() || !tenants.all(|tenant| asked.contains(tenant)) {
            return BTreeSet::new();
        }
        let is_declined = |kind: SourceKind, uri: &AgentUri| {
            let selection = rules.select(uri);
            selection.source == Some(SourceKind::MsGraph) && selection.otherwise == Some(kind)
        };
        let agents = self.agents.iter().flat_map(|(kind, agents)| agents.keys().map(move |uri| (*kind, uri)));
        agents.filter(|(kind, uri)| is_declined(*kind, uri)).map(|(_, uri)| uri.clone()).collect()
    }

    /// The agents of a source.
    pub(crate) fn take(&mut self, source: SourceKind) -> BTreeMap<AgentUri, Memory> {
        self.agents.remove(&source).unwrap_or_default()
    }

    /// The lowered rate of the throttle of this source's agents.
    pub(crate) fn rate(&self, source: SourceKind) -> Option<f64> {
        self.rates.iter().find(|(of, _)| *of == source).map(|(_, rate)| *rate)
    }
}

/// Nothing counts against it: it is about other endpoints.
fn value_of(memory: SubscriptionMemory) -> SubscriptionMemory {
    SubscriptionMemory { failures: 0, postponed: 0, retry_at: None, abandoned: None, ..memory }
}

fn aged(now: Instant, mut memory: SubscriptionMemory) -> SubscriptionMemory {
    let is_old = memory.confirmed.is_none_or(|at| now.saturating_duration_since(at) > LONGEST_SERVED);
    memory.presence = stale(memory.presence);
    if is_old && memory.presence.freshness == Freshness::Stale {
        let presence = (*memory.presence).clone();
        memory.presence = Arc::new(Presence { freshness: Freshness::Unknown, ..presence });
    }
    if memory.presence.freshness == Freshness::Unknown && memory.abandoned.is_none() {
        // Nothing is told of it but that it is asked for.
        memory.sequence = 0;
    }
    memory
}

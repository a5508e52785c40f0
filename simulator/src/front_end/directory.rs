//! Who exists, and where everyone is at home.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use presence_core::AgentUri;

use super::settings::{FrontEndSettings, Homed};
use crate::AgentState;

/// The agent's number; agents are never removed.
pub(super) type AgentIndex = u32;

/// One agent. Small: there may be 100,000 of them.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub(super) uri: AgentUri,
    pub(super) state: AgentState,
    pub(super) pool: usize,
    /// The numbers of the dialogs that hold the agent.
    pub(super) watchers: Vec<u64>,
    /// How many category subscriptions these are.
    pub(super) used: u32,
    /// Cannot be in a batch.
    pub(super) legacy: bool,
    /// Not enabled any more.
    pub(super) disabled: bool,
    /// No room for new watchers, by command.
    pub(super) full: bool,
    /// Which strange state of the switches an instance has, if any.
    pub(super) strange: Option<u16>,
}

/// The owner of endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) pool: usize,
    pub(super) disabled: bool,
}

/// Everyone.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    agents: Vec<Agent>,
    /// Only asked, never walked.
    index: HashMap<Arc<str>, AgentIndex>,
    owners: BTreeMap<Arc<str>, Owner>,
    /// Whoever is not named may register as well, at home on pool 0.
    anyone: bool,
}

impl Directory {
    /// Takes agents and owners out of the settings.
    pub(super) fn new(settings: &mut FrontEndSettings) -> Self {
        let last = settings.pools.len().saturating_sub(1);
        let at_home = |pool: usize| if pool > last { 0 } else { pool };
        let homed = std::mem::take(&mut settings.agents);
        let mut agents: Vec<Agent> = Vec::with_capacity(homed.len());
        let mut index = HashMap::with_capacity(homed.len());
        for Homed { uri, pool } in homed {
            let Ok(number) = AgentIndex::try_from(agents.len()) else { break };
            if index.contains_key(uri.as_str()) {
                continue;
            }
            index.insert(uri.shared(), number);
            agents.push(Agent {
                uri,
                state: AgentState::default(),
                pool: at_home(pool),
                watchers: Vec::new(),
                used: 0,
                legacy: false,
                disabled: false,
                full: false,
                strange: None,
            });
        }
        let anyone = settings.endpoints.is_empty();
        let owner = |homed: Homed| (homed.uri.shared(), Owner { pool: at_home(homed.pool), disabled: false });
        let owners = std::mem::take(&mut settings.endpoints).into_iter().map(owner).collect();
        let mut directory = Self { agents, index, owners, anyone };
        for uri in &settings.switches.legacy {
            directory.with(uri, |agent| agent.legacy = true);
        }
        for (number, (uri, _)) in settings.switches.strange.iter().enumerate() {
            directory.with(uri, |agent| agent.strange = u16::try_from(number).ok());
        }
        directory
    }

    /// The number of an agent.
    pub(super) fn find(&self, uri: &AgentUri) -> Option<AgentIndex> {
        self.index.get(uri.as_str()).copied()
    }

    /// The agent with this number.
    pub(super) fn get(&self, agent: AgentIndex) -> Option<&Agent> {
        self.agents.get(usize::try_from(agent).ok()?)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, agent: AgentIndex) -> Option<&mut Agent> {
        self.agents.get_mut(usize::try_from(agent).ok()?)
    }

    /// Changes an agent, if there is one of this name.
    pub(super) fn with(&mut self, uri: &AgentUri, change: impl FnOnce(&mut Agent)) -> Option<AgentIndex> {
        let agent = self.find(uri)?;
        change(self.get_mut(agent)?);
        Some(agent)
    }

    /// All agents in their order.
    pub(super) fn agents(&self) -> &[Agent] {
        &self.agents
    }

    /// All agents, to be changed.
    pub(super) fn agents_mut(&mut self) -> &mut [Agent] {
        &mut self.agents
    }

    /// Who may register under this name.
    pub(super) fn owner(&self, uri: &AgentUri) -> Option<Owner> {
        let stranger = self.anyone.then_some(Owner { pool: 0, disabled: false });
        self.owners.get(uri.as_str()).copied().or(stranger)
    }

    /// Changes an owner; false when nobody of this name may register.
    pub(super) fn with_owner(&mut self, uri: &AgentUri, change: impl FnOnce(&mut Owner)) -> bool {
        let Some(mut owner) = self.owner(uri) else { return false };
        change(&mut owner);
        self.owners.insert(uri.shared(), owner);
        true
    }

    /// Nobody is disabled or full any more.
    pub(super) fn heal(&mut self) {
        for agent in &mut self.agents {
            agent.disabled = false;
            agent.full = false;
        }
        for owner in self.owners.values_mut() {
            owner.disabled = false;
        }
    }
}

//! How many different agents are wanted, and how many may be.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use presence_core::AgentUri;

/// So many different agents may be wanted, unless the setup says otherwise: twice what the service is measured with.
pub const DEFAULT_MOST_AGENTS: NonZeroUsize = NonZeroUsize::new(200_000).expect("it is not 0");

/// The agents that somebody wants, each once, with the number of UCCs that do.
#[derive(Debug)]
pub(crate) struct Wanted {
    most: NonZeroUsize,
    agents: BTreeMap<AgentUri, u32>,
}

impl Wanted {
    pub(crate) const fn new(most: NonZeroUsize) -> Self {
        Self { most, agents: BTreeMap::new() }
    }

    /// Whether the agent may be wanted: it is already, or there is room.
    ///
    /// # Errors
    /// Why not, for the UCC and the log.
    pub(crate) fn admit(&self, uri: &AgentUri) -> Result<(), Arc<str>> {
        if self.agents.len() < self.most.get() || self.agents.contains_key(uri) {
            return Ok(());
        }
        Err(format!(
            "{} different agents are wanted already, which is the most that this service keeps; ask for it again when \
             others are not wanted any more, or share the agents out among several services",
            self.most
        )
        .into())
    }

    /// One more UCC wants the agent.
    pub(crate) fn add(&mut self, uri: &AgentUri) {
        *self.agents.entry(uri.clone()).or_default() += 1;
    }

    /// A UCC that wanted the agent does not any more.
    pub(crate) fn remove(&mut self, uri: &AgentUri) {
        if let Some(uccs) = self.agents.get_mut(uri) {
            *uccs -= 1;
            if *uccs == 0 {
                self.agents.remove(uri);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_the_most_and_again_when_the_last_ucc_lets_one_go() {
        let agent = |number: u32| format!("sip:agent{number}@example.test").parse().expect("a URI");
        let mut wanted = Wanted::new(NonZeroUsize::new(2).expect("not 0"));
        for uri in [agent(1), agent(2), agent(1)] {
            assert_eq!(wanted.admit(&uri), Ok(()));
            wanted.add(&uri);
        }
        let why = wanted.admit(&agent(3)).expect_err("too many");
        assert!(why.starts_with("2 different agents are wanted already"), "{why}");
        assert_eq!(wanted.admit(&agent(2)), Ok(()), "another UCC wants the same");
        wanted.remove(&agent(1));
        assert!(wanted.admit(&agent(3)).is_err(), "one UCC still wants it");
        wanted.remove(&agent(1));
        wanted.remove(&agent(9));
        assert_eq!(wanted.admit(&agent(3)), Ok(()));
    }
}

//! Which queue of the demo wants which agents.

use presence_config::{ContactCenter, ContactCenterAgent};
use presence_core::AgentUri;

use super::teams::{TEAMS, Teams};
use super::{DOMAIN, Demo};

/// The queues: every agent sits in all of them but one, so that the queues differ and still share. Teams agents too.
pub(super) fn contact_centers(demo: &Demo) -> Vec<ContactCenter> {
    (0..demo.uccs)
        .map(|queue| {
            let sits = |agent: &usize| demo.uccs < 3 || agent % demo.uccs != queue;
            let of_the_pool = (0..demo.agents).filter(sits);
            let of_the_pool =
                of_the_pool.filter_map(|agent| AgentUri::parse(&format!("sip:agent{}@{DOMAIN}", agent + 1)).ok());
            let teams = Teams::agents(demo.teams).enumerate().filter(|(agent, _)| sits(agent)).map(|(_, uri)| uri);
            let agents = of_the_pool.chain(teams);
            let agents = agents.map(|uri| ContactCenterAgent { uri, formal: false, active: true }).collect();
            ContactCenter { name: format!("ucc_app{:02}", queue + 1), agents }
        })
        .collect()
}

/// How many pairs of a queue and an agent of the pool there are: the subscriptions that separate queues would hold.
pub(super) fn pairs(centers: &[ContactCenter]) -> usize {
    let agents = centers.iter().flat_map(|center| &center.agents);
    agents.filter(|agent| agent.uri.host() != Some(TEAMS)).count()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::num::NonZeroU32;

    use super::*;
    use crate::demo::DemoDialect;

    fn demo(agents: usize, uccs: usize) -> Demo {
        Demo {
            agents,
            teams: 8,
            uccs,
            duration: None,
            seed: 1,
            rate: NonZeroU32::MIN,
            dialect: DemoDialect::Skype,
            listen: None,
        }
    }

    #[test]
    fn every_agent_sits_in_all_queues_but_one() {
        let centers = contact_centers(&demo(20, 3));
        assert_eq!(centers.len(), 3);
        assert_eq!(pairs(&centers), 40);
        let distinct: BTreeSet<_> = centers.iter().flat_map(|center| &center.agents).map(|agent| &agent.uri).collect();
        assert_eq!(distinct.len(), 28, "the Teams agents too");
    }

    #[test]
    fn one_or_two_queues_have_every_agent() {
        assert_eq!(pairs(&contact_centers(&demo(5, 1))), 5);
        assert_eq!(pairs(&contact_centers(&demo(5, 2))), 10);
    }
}

//! Both endpoints at one pool: each stands in for the other, and no agent is ever subscribed to twice.

use presence_actors::Provider;
use presence_core::{EndpointKind, Freshness, SubscriptionState};

use crate::forest::{APPLICATION, USER, VirtualForest, one_pool, sample, skype_provider};
use crate::support::{Ledger, Recorder, agent, errors, in_a_hurry, in_virtual_time, pass, seconds, settle};

const BOTH: &[EndpointKind] = &[EndpointKind::Application, EndpointKind::User];

fn all_served_by(forest: &VirtualForest, agents: usize, endpoint: &str) {
    for number in 1..=agents {
        assert_eq!(forest.served_by(number), [endpoint], "agent {number}");
    }
    assert_eq!(forest.counters().most_live_for_one_agent, 1, "never two for one agent");
}

async fn nothing_counted(provider: &Provider) {
    for agent in provider.observe().await.unwrap().agents() {
        let subscription = agent.subscription.as_ref().unwrap();
        assert_eq!((subscription.state, subscription.failures), (SubscriptionState::Active, 0), "{}", agent.uri);
    }
}

#[test]
fn the_application_endpoint_deregistered_for_good_leaves_all_agents_to_the_user_endpoint_and_back() {
    in_virtual_time(|| async {
        const AGENTS: usize = 150;
        let (provider, forest) = skype_provider(one_pool(AGENTS), BOTH, sample);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=AGENTS);
        pass(seconds(15)).await;
        all_served_by(&forest, AGENTS, APPLICATION);
        let mut ledger = Ledger::of(ucc.heard());

        forest.command(&format!("deregister {APPLICATION} rejected"));
        pass(seconds(15)).await;
        all_served_by(&forest, AGENTS, USER);
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        nothing_counted(&provider).await;
        pass(seconds(6 * 3_600)).await;
        all_served_by(&forest, AGENTS, USER);

        // The owner is enabled again, and a minute later the endpoint is there again.
        forest.command("heal");
        pass(seconds(70)).await;
        all_served_by(&forest, AGENTS, USER);
        forest.command(&format!("deregister {USER} rejected"));
        pass(seconds(20)).await;
        all_served_by(&forest, AGENTS, APPLICATION);
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        nothing_counted(&provider).await;
        forest.assert_no_violation();
        assert!(!errors::take().is_empty(), "each end of a registration is an alarm");
    });
}

#[test]
fn a_lost_connection_moves_the_agents_at_once_and_what_was_left_behind_is_ended_with_one_message() {
    in_virtual_time(|| async {
        const AGENTS: usize = 60;
        let (provider, forest) = skype_provider(one_pool(AGENTS), BOTH, sample);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=AGENTS);
        pass(seconds(8)).await;
        let before = forest.counters();
        forest.set_online(0, false);
        pass(seconds(8)).await;
        assert!((1..=AGENTS).all(|number| forest.served_by(number).contains(&USER.to_owned())));
        let mut ledger = Ledger::of(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        forest.set_online(0, true);
        pass(seconds(12)).await;
        for number in 1..=AGENTS {
            assert_eq!(forest.served_by(number), [USER]);
        }
        let after = forest.counters();
        assert_eq!(after.subscribes_initial - before.subscribes_initial, 1);
        assert_eq!(after.resources_asked - before.resources_asked, AGENTS as u64);
        ledger.read(ucc.heard());
        nothing_counted(&provider).await;
        forest.assert_no_violation();
    });
}

#[test]
fn an_agent_whom_one_endpoint_may_not_see_is_asked_for_through_the_other() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(5), BOTH, in_a_hurry);
        forest.command(&format!("refuse SUBSCRIBE 403 times 1 agent {}", agent(3)));
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=5);
        pass(seconds(30)).await;
        let mut ledger = Ledger::of(ucc.heard());
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        settle().await;
        errors::take();
        drop(provider);
    });
}

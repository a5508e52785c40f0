//! Bugs in our own actors, and a source that is not there.

use presence_actors::{PresenceEvent, Provider, Setup};
use presence_core::{Freshness, GraphRules, SourceRules, SubscriptionState};

use crate::support::{Ledger, Recorder, agent, errors, in_virtual_time, pass, seconds, settle};
use crate::world::World;

#[test]
fn an_endpoint_that_panics_is_created_again_and_all_are_fresh_soon_after() {
    in_virtual_time(|| async {
        let world = World::of(1_000);
        let ucc = world.ucc(1..=1_000);
        pass(seconds(20)).await;
        let mut ledger = Ledger::of(ucc.heard());
        assert!(world.provider.drill_graph().await);
        settle().await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        world.microsoft.set(500, "Busy", "Busy");
        pass(seconds(8)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_eq!(ledger.presence(&agent(500)).status.availability.value(), 6500);
        assert_eq!(errors::take().len(), 1);
        let view = world.provider.observe().await.unwrap();
        assert_eq!(view.sources[0].restarts, 1);
        assert!(view.agents().all(|agent| agent.subscription.as_ref().unwrap().failures == 0));
    });
}

#[test]
fn an_endpoint_that_keeps_dying_ends_the_process() {
    in_virtual_time(|| async {
        let world = World::of(1);
        for _ in 0..6 {
            assert!(world.provider.drill_graph().await);
            pass(seconds(1)).await;
        }
        assert_eq!(world.provider.fatal().await, "endpoint at Microsoft Graph");
        assert_eq!(errors::take().len(), 5);
    });
}

#[test]
fn an_agent_that_panics_is_created_again_and_hears_on() {
    in_virtual_time(|| async {
        let world = World::of(2);
        let ucc = world.ucc(1..=2);
        pass(seconds(10)).await;
        let mut ledger = Ledger::of(ucc.heard());
        assert!(world.provider.drill_agent(agent(1)).await);
        world.microsoft.set(1, "Busy", "Busy");
        pass(seconds(7)).await;
        ledger.read(ucc.heard());
        let presence = ledger.presence(&agent(1));
        assert_eq!((presence.freshness, presence.status.availability.value()), (Freshness::Fresh, 6500));
        assert_eq!(world.agent(1).await.subscription.unwrap().state, SubscriptionState::Active);
        assert_eq!(world.graph().await.tenants[0].agents, 2);
        assert_eq!(errors::take().len(), 1);
    });
}

#[test]
fn a_source_that_is_switched_on_and_not_there_says_so() {
    in_virtual_time(|| async {
        let graph = Some(GraphRules::default());
        let rules = SourceRules { attendant: None, pstn: false, graph, ucma: false };
        let provider = Provider::start(Setup::new(rules, Vec::new()));
        assert!(provider.graph_door().is_none());
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        settle().await;
        let heard = ucc.heard();
        let [PresenceEvent::Unserved { why, .. }] = &heard[..] else { panic!("{heard:?}") };
        assert!(why.starts_with("MsGraphPresenceSource is enabled"), "{why}");
        assert!(provider.shutdown(seconds(1)).await);
    });
}

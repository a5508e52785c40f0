//! Agents that no tenant knows, and that UCMA serves.

use presence_actors::transport::memory;
use presence_actors::{PresenceEvent, Provider};
use presence_core::{EndpointKind, Freshness, SourceKind, SubscriptionState};
use presence_graph::GraphSettings;
use presence_simulator::{Activity, GraphServiceSettings};

use crate::support::{Ledger, Recorder, VirtualPool, agent, endpoint, in_virtual_time, pass, seconds};
use crate::world::{World, settings};

/// Microsoft knows the agents 1 to 5, the pool knows 1 to 10.
fn both() -> (World, VirtualPool) {
    let (network, side) = memory::network();
    let pool = VirtualPool::start(10, side);
    let service = GraphServiceSettings::with_users(5, "example.test");
    let world = World::with(service, GraphSettings { declines: true, ..settings() }, |setup| {
        setup.rules.ucma = true;
        setup.endpoints = vec![endpoint(EndpointKind::Application, network)];
    });
    (world, pool)
}

async fn sources_of(provider: &Provider, number: usize) -> Vec<SourceKind> {
    let view = provider.observe().await.unwrap();
    let has = |source: &&presence_actors::SourceView| source.agents.iter().any(|known| known.uri == agent(number));
    view.sources.iter().filter(has).map(|source| source.kind).collect()
}

#[test]
fn agents_that_no_tenant_knows_are_served_by_the_pool_and_the_others_by_microsoft() {
    in_virtual_time(|| async {
        let (world, pool) = both();
        pool.set(7, Activity::Busy);
        let (one, two) = (world.ucc([1, 7]), Recorder::start(&world.provider, "two"));
        two.subscribe_to([7, 8]);
        pass(seconds(10)).await;
        assert_eq!(sources_of(&world.provider, 1).await, [SourceKind::MsGraph]);
        assert_eq!(sources_of(&world.provider, 7).await, [SourceKind::Ucma]);
        for ucc in [&one, &two] {
            let heard = ucc.heard();
            let first = heard.iter().find(|event| event.uri() == Some(&agent(7)));
            assert!(matches!(first, Some(PresenceEvent::Pending { .. })), "{heard:?}");
            let ledger = Ledger::of(heard);
            ledger.assert_all(Freshness::Fresh);
            assert_eq!(ledger.presence(&agent(7)).source, SourceKind::Ucma);
            assert_eq!(ledger.presence(&agent(7)).status.availability.value(), 6500);
        }
        assert_eq!((pool.subscriptions().len(), pool.counters().most_for_one_agent), (2, 1));
        assert_eq!(world.graph().await.tenants[0].agents, 1, "at Microsoft they are gone");
        let seen = world.agent(7).await;
        assert_eq!((seen.presence.source, seen.watchers.len()), (SourceKind::Ucma, 2));
        // A late UCC goes to the pool at once.
        let late = Recorder::start(&world.provider, "late");
        late.subscribe(&agent(7));
        pass(seconds(1)).await;
        assert!(matches!(&late.heard()[..], [PresenceEvent::Current { .. }]));
    });
}

#[test]
fn an_agent_that_is_let_go_while_microsoft_is_asked_is_nobodys() {
    in_virtual_time(|| async {
        let (world, pool) = both();
        pass(seconds(5)).await;
        world.microsoft.command("delay 2s");
        let ucc = world.ucc([7, 8]);
        pass(seconds(1)).await;
        ucc.unsubscribe(&agent(7));
        pass(seconds(60)).await;
        assert_eq!(sources_of(&world.provider, 7).await, []);
        assert_eq!(sources_of(&world.provider, 8).await, [SourceKind::Ucma]);
        assert_eq!(pool.subscriptions().len(), 1);
        ucc.unsubscribe(&agent(8));
        pass(seconds(5)).await;
        assert_eq!(sources_of(&world.provider, 8).await, []);
        assert_eq!(pool.subscriptions().len(), 0);
    });
}

#[test]
fn who_comes_and_goes_at_every_moment_of_the_move_is_never_subscribed_twice() {
    in_virtual_time(|| async {
        let (world, pool) = both();
        pass(seconds(5)).await;
        world.microsoft.command("delay 30ms");
        let (one, two) = (world.ucc([]), Recorder::start(&world.provider, "two"));
        for step in 0..120_u64 {
            one.subscribe(&agent(9));
            pass(std::time::Duration::from_millis(step * 7)).await;
            two.subscribe(&agent(9));
            pass(std::time::Duration::from_millis(step % 11 * 9)).await;
            one.unsubscribe(&agent(9));
            pass(std::time::Duration::from_millis(step % 5 * 20)).await;
            two.unsubscribe(&agent(9));
            pass(std::time::Duration::from_millis(step % 3 * 200)).await;
            assert!(sources_of(&world.provider, 9).await.len() <= 1, "step {step}");
        }
        pass(seconds(120)).await;
        assert_eq!(sources_of(&world.provider, 9).await, []);
        assert_eq!((pool.subscriptions().len(), pool.counters().most_for_one_agent), (0, 1));
        one.subscribe(&agent(9));
        pass(seconds(10)).await;
        assert_eq!(sources_of(&world.provider, 9).await, [SourceKind::Ucma]);
    });
}

#[test]
fn an_agent_that_neither_knows_is_asked_for_at_microsoft_anew_when_it_is_revived() {
    in_virtual_time(|| async {
        let (world, _pool) = both();
        world.microsoft.command("remove agent5@example.test");
        let ucc = world.ucc([]);
        let stranger: presence_core::AgentUri = "sip:agent50@example.test".parse().unwrap();
        ucc.subscribe(&stranger);
        // The seed's 900 s, 1,800 s, 3,600 s.
        pass(seconds(900 + 1_800 + 3_600 + 60)).await;
        assert_eq!(sources_of(&world.provider, 50).await, [SourceKind::Ucma]);
        assert_eq!(world.agent(50).await.subscription.unwrap().state, SubscriptionState::Abandoned);
        let before = world.microsoft.counters();
        assert_eq!(world.provider.revive(Some(stranger)).await, 1);
        pass(seconds(10)).await;
        let after = world.microsoft.counters();
        assert!(after.of_kind("users") > before.of_kind("users"), "{before} and {after}");
        assert_eq!(sources_of(&world.provider, 50).await, [SourceKind::Ucma], "declined again");
        assert_eq!(world.agent(50).await.subscription.unwrap().failures, 1);
        drop(ucc);
    });
}

#[test]
fn when_the_last_ucc_has_gone_microsoft_is_asked_anew() {
    in_virtual_time(|| async {
        let (world, pool) = both();
        world.microsoft.command("remove agent3@example.test");
        let ucc = world.ucc([3]);
        pass(seconds(10)).await;
        assert_eq!(sources_of(&world.provider, 3).await, [SourceKind::Ucma]);
        ucc.end();
        pass(seconds(10)).await;
        assert_eq!((sources_of(&world.provider, 3).await, pool.subscriptions().len()), (vec![], 0));
        world.microsoft.command("restore agent3@example.test");
        pass(seconds(900)).await;
        let ucc = world.ucc([3]);
        pass(seconds(10)).await;
        assert_eq!(sources_of(&world.provider, 3).await, [SourceKind::MsGraph]);
        assert_eq!(
            (Ledger::of(ucc.heard()).presence(&agent(3)).source, pool.subscriptions().len()),
            (SourceKind::MsGraph, 0)
        );
    });
}

#[test]
fn an_outage_of_microsoft_declines_nobody() {
    in_virtual_time(|| async {
        let (world, pool) = both();
        world.microsoft.command("outage 503 for 600s");
        let ucc = world.ucc([1, 7]);
        pass(seconds(590)).await;
        assert_eq!(ucc.heard().len(), 2, "pending");
        assert_eq!(pool.subscriptions().len(), 0);
        pass(seconds(10)).await;
        world.until_up(seconds(600)).await;
        pass(seconds(10)).await;
        assert_eq!(sources_of(&world.provider, 1).await, [SourceKind::MsGraph]);
        assert_eq!(sources_of(&world.provider, 7).await, [SourceKind::Ucma]);
    });
}

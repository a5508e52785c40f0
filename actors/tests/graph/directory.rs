//! Which user an agent is: nobody, several, by the file, or another one tomorrow.

use std::num::NonZeroU32;

use presence_actors::PresenceEvent;
use presence_core::{AgentUri, Freshness, RetryPolicy, SubscriptionState};
use presence_graph::GraphSettings;
use presence_simulator::GraphServiceSettings;

use crate::support::{Ledger, agent, in_virtual_time, pass, seconds};
use crate::world::{World, settings};

#[test]
fn an_agent_that_no_tenant_knows_is_counted_backs_off_is_abandoned_and_revived() {
    in_virtual_time(|| async {
        let world = World::of(3);
        let ucc = world.ucc([1, 9]);
        pass(seconds(5)).await;
        let ledger = Ledger::of(ucc.heard());
        assert_eq!(ledger.presence(&agent(1)).freshness, Freshness::Fresh);
        let unknown = world.agent(9).await.subscription.unwrap();
        assert_eq!((unknown.failures, unknown.state), (1, SubscriptionState::BackingOff));
        assert_eq!(unknown.last_failure.as_ref().unwrap().kind, presence_core::FailureKind::NotFound);
        // 900 s, 1,800 s, 3,600 s, and the fourth failure is one too many.
        for (wait, failures) in [(910, 2), (1_810, 3)] {
            pass(seconds(wait)).await;
            assert_eq!(world.agent(9).await.subscription.unwrap().failures, failures);
        }
        pass(seconds(3_620)).await;
        assert_eq!(world.agent(9).await.subscription.unwrap().state, SubscriptionState::Abandoned);
        assert_eq!(world.provider.meters().read().abandoned, 1);
        assert_eq!(world.provider.revive(Some(agent(1))).await, 0, "it is not abandoned");
        assert_eq!(world.provider.revive(None).await, 1);
        pass(seconds(5)).await;
        assert_eq!(world.agent(9).await.subscription.unwrap().failures, 1);
        assert_eq!(ucc.heard(), [], "pending is all that is known");
    });
}

#[test]
fn an_unknown_agent_who_is_made_a_user_is_found_at_the_next_try() {
    in_virtual_time(|| async {
        let world = World::of(2);
        world.microsoft.command("remove agent2@example.test");
        let ucc = world.ucc(1..=2);
        pass(seconds(60)).await;
        assert_eq!(world.agent(2).await.subscription.unwrap().state, SubscriptionState::BackingOff);
        world.microsoft.command("restore agent2@example.test");
        pass(seconds(920)).await;
        assert_eq!(Ledger::of(ucc.heard()).presence(&agent(2)).freshness, Freshness::Fresh);
    });
}

#[test]
fn two_users_with_the_agents_address_are_a_failure_that_says_how_many() {
    in_virtual_time(|| async {
        let world = World::of(2);
        world.microsoft.command("ambiguous agent2@example.test");
        let ucc = world.ucc(1..=2);
        pass(seconds(10)).await;
        let failed = world.agent(2).await.subscription.unwrap();
        let failure = failed.last_failure.unwrap();
        assert_eq!((failed.failures, failure.kind), (1, presence_core::FailureKind::Transient));
        assert!(failure.to_string().contains('2') && failure.to_string().contains("ambiguous"), "{failure}");
        let ledger_events = ucc.heard();
        assert!(
            ledger_events
                .iter()
                .all(|event| event.uri() != Some(&agent(2)) || matches!(event, PresenceEvent::Pending { .. }))
        );
        assert_eq!(world.agent(1).await.presence.freshness, Freshness::Fresh);
    });
}

#[test]
fn an_agent_that_the_file_maps_is_not_looked_up() {
    in_virtual_time(|| async {
        let service = GraphServiceSettings::with_users(2, "example.test");
        let user = service.tenants[0].users[1].id.parse().unwrap();
        let desk: AgentUri = "sip:reception@front.example".parse().unwrap();
        let users = [(desk.clone(), user)].into();
        let world = World::with(service, GraphSettings { users, ..settings() }, |_| {});
        world.microsoft.set(2, "Busy", "Busy");
        let ucc = world.ucc([]);
        ucc.subscribe(&desk);
        pass(seconds(2)).await;
        assert_eq!(Ledger::of(ucc.heard()).presence(&desk).status.availability.value(), 6500);
        assert_eq!((world.microsoft.count("users"), world.microsoft.count("user")), (0, 0));
    });
}

#[test]
fn an_agent_whose_uri_is_an_object_id_is_not_looked_up() {
    in_virtual_time(|| async {
        let service = GraphServiceSettings::with_users(1, "example.test");
        let uri: AgentUri = format!("sip:{}@example.test", service.tenants[0].users[0].id).parse().unwrap();
        let world = World::with(service, settings(), |_| {});
        let ucc = world.ucc([]);
        ucc.subscribe(&uri);
        pass(seconds(2)).await;
        assert_eq!(Ledger::of(ucc.heard()).presence(&uri).freshness, Freshness::Fresh);
        assert_eq!((world.microsoft.count("users"), world.microsoft.count("user")), (0, 0));
    });
}

#[test]
fn a_user_who_is_removed_fails_alone_and_comes_back() {
    in_virtual_time(|| async {
        let world = World::with(GraphServiceSettings::with_users(20, "example.test"), settings(), |setup| {
            setup.retry = RetryPolicy::try_new(seconds(60), seconds(600)).unwrap();
        });
        let ucc = world.ucc(1..=20);
        pass(seconds(10)).await;
        let mut ledger = Ledger::of(ucc.heard());
        world.microsoft.command("remove agent4@example.test");
        pass(seconds(30)).await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(4)).freshness, Freshness::Stale);
        assert_eq!(world.agent(4).await.subscription.unwrap().failures, 1);
        world.microsoft.command("restore agent4@example.test");
        world.microsoft.set(4, "Busy", "Busy");
        pass(seconds(1_200)).await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(4)).freshness, Freshness::Fresh);
        assert_eq!(ledger.presence(&agent(4)).status.availability.value(), 6500);
    });
}

#[test]
fn many_new_agents_are_put_on_at_their_own_pace_and_the_pools_throttle_is_not_touched() {
    in_virtual_time(|| async {
        let world = World::with(GraphServiceSettings::with_users(3_000, "example.test"), settings(), |setup| {
            setup.graph.as_mut().unwrap().agents_per_second = NonZeroU32::new(100).unwrap();
        });
        let ucc = world.ucc(1..=3_000);
        pass(seconds(10)).await;
        let view = world.provider.observe().await.unwrap();
        assert_eq!((view.throttle.granted, view.throttle.waiting), (0, 0));
        let agents = world.graph().await.tenants[0].agents + world.graph().await.tenants[0].looking_up;
        assert!((900..=1_100).contains(&agents), "{agents}");
        pass(seconds(60)).await;
        let ledger = Ledger::of(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_eq!(ledger.len(), 3_000);
        assert_eq!(world.provider.meters().read().token_wait.count(), 0);
    });
}

#[test]
fn a_409_to_a_question_about_users_is_asked_again_after_a_back_off() {
    in_virtual_time(|| async {
        let world = World::of(3);
        world.microsoft.command("refuse 409 for 60s on users");
        let ucc = world.ucc(1..=3);
        pass(seconds(59)).await;
        let asked = world.microsoft.count("users") + world.microsoft.count("user");
        assert!(asked <= 12, "{asked} questions in a minute");
        pass(seconds(120)).await;
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
    });
}

//! Change notifications: they shorten the time, and their failures cost nothing but time.

use presence_core::{Availability, Freshness};
use presence_graph::{AccountKind, GraphSettings, PushState};
use presence_simulator::GraphServiceSettings;

use crate::support::{Ledger, Ucc, agent, errors, in_virtual_time, pass, seconds};
use crate::world::{World, account, notifications, refresh_token, settings, tenant};

/// A person's account whose notifications come to us, and a minute later.
async fn listening(agents: u32) -> (World, Ucc, Ledger) {
    let service = GraphServiceSettings::with_users(agents, "example.test").and_user("person", "first-token");
    let person = tenant(GraphServiceSettings::TENANT, vec![account("person", AccountKind::Delegated)]);
    let graph = GraphSettings { tenants: vec![person], notifications: notifications(), ..settings() };
    let world = World::with(service, graph, |_| {});
    world.secrets.set("person", Some(refresh_token("first-token")));
    let ucc = world.ucc(1..=agents as usize);
    pass(seconds(60)).await;
    let ledger = Ledger::of(ucc.heard());
    ledger.assert_all(Freshness::Fresh);
    (world, ucc, ledger)
}

async fn state(world: &World) -> PushState {
    world.graph().await.tenants[0].accounts[0].push.as_ref().unwrap().state
}

#[test]
fn a_notification_shortens_the_time_while_the_sweep_is_slow() {
    in_virtual_time(|| async {
        let (world, ucc, mut ledger) = listening(100).await;
        assert_eq!(state(&world).await, PushState::Listening);
        assert_eq!(world.microsoft.counters().users_per_subscription, [100]);
        assert!(world.agent(1).await.graph.unwrap().notified);
        let before = world.microsoft.count("presences");
        pass(seconds(120)).await;
        let asked = world.microsoft.count("presences") - before;
        assert!(asked <= 3, "the sweep is slow: {asked}");
        for (number, availability) in [(1, Availability::BUSY), (2, Availability::AWAY)] {
            world.microsoft.set(number, if number == 1 { "Busy" } else { "Away" }, "");
            pass(seconds(4)).await;
            ledger.read(ucc.heard());
            assert_eq!(ledger.presence(&agent(number)).status.availability, availability);
        }
        assert!(world.graph().await.counters.changes_notified >= 2);
    });
}

#[test]
fn a_subscription_stands_for_hours_because_it_is_renewed() {
    in_virtual_time(|| async {
        let (world, ucc, mut ledger) = listening(20).await;
        pass(seconds(6 * 3_600)).await;
        let counters = world.microsoft.counters();
        assert!(counters.of_kind("subscription-renew") >= 7, "{counters}");
        assert_eq!((counters.live_subscriptions, counters.of_kind("subscription-create")), (1, 1), "{counters}");
        world.microsoft.set(5, "Busy", "Busy");
        pass(seconds(4)).await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(5)).status.availability, Availability::BUSY);
    });
}

#[test]
fn a_deaf_subscription_is_noticed_and_the_sweep_is_fast_again() {
    in_virtual_time(|| async {
        let (world, ucc, mut ledger) = listening(50).await;
        world.microsoft.command("silent-push on");
        let mut number = 0;
        while state(&world).await != PushState::Deaf {
            number += 1;
            assert!(number < 20, "nobody notices");
            world.microsoft.set(number, "Busy", "Busy");
            pass(seconds(30)).await;
        }
        assert!(number >= 3, "three are missed before it is deaf");
        world.microsoft.set(40, "Away", "Away");
        pass(seconds(6)).await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(40)).status.availability, Availability::AWAY, "by the fast sweep");
        ledger.assert_all(Freshness::Fresh);
        world.microsoft.command("silent-push off");
        pass(seconds(3_600)).await;
        assert_eq!(state(&world).await, PushState::Listening);
        errors::take();
    });
}

#[test]
fn a_409_for_a_subscription_of_another_process_leaves_the_agents_to_the_fast_sweep() {
    in_virtual_time(|| async {
        let service = GraphServiceSettings::with_users(20, "example.test").and_user("person", "first-token");
        let person = tenant(GraphServiceSettings::TENANT, vec![account("person", AccountKind::Delegated)]);
        let graph = GraphSettings { tenants: vec![person], notifications: notifications(), ..settings() };
        let world = World::with(service, graph, |_| {});
        world.secrets.set("person", Some(refresh_token("first-token")));
        world.microsoft.command("foreign-subscription person");
        let ucc = world.ucc(1..=20);
        pass(seconds(120)).await;
        let mut ledger = Ledger::of(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_eq!(state(&world).await, PushState::Contested);
        world.microsoft.set(3, "Busy", "Busy");
        pass(seconds(6)).await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(3)).status.availability, Availability::BUSY);
        assert_eq!(world.microsoft.counters().live_subscriptions, 1, "theirs is left alone");
        errors::take();
    });
}

#[test]
fn a_subscription_that_is_gone_is_made_anew_and_nobody_misses_anything() {
    in_virtual_time(|| async {
        let (world, ucc, mut ledger) = listening(20).await;
        world.microsoft.command("lifecycle subscriptionRemoved");
        pass(seconds(120)).await;
        assert_eq!(state(&world).await, PushState::Listening);
        assert_eq!(world.microsoft.counters().live_subscriptions, 1);
        world.microsoft.command("forget-subscriptions");
        pass(seconds(3_600)).await;
        assert_eq!(world.microsoft.counters().live_subscriptions, 1, "a 404 at the renewal");
        world.microsoft.set(3, "Busy", "Busy");
        pass(seconds(5)).await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(3)).status.availability, Availability::BUSY);
    });
}

#[test]
fn a_shutdown_deletes_the_subscription_and_is_quick() {
    in_virtual_time(|| async {
        let (world, _ucc, _) = listening(20).await;
        assert_eq!(world.microsoft.counters().live_subscriptions, 1);
        let began = tokio::time::Instant::now();
        assert!(world.provider.shutdown(seconds(10)).await);
        assert!(began.elapsed() <= seconds(2), "{:?}", began.elapsed());
        assert_eq!(world.microsoft.counters().live_subscriptions, 0);
    });
}

#[test]
fn a_shutdown_without_an_answer_takes_two_seconds_and_no_more() {
    in_virtual_time(|| async {
        let (world, _ucc, _) = listening(20).await;
        world.microsoft.command("outage silence");
        let began = tokio::time::Instant::now();
        assert!(world.provider.shutdown(seconds(10)).await);
        let took = began.elapsed();
        assert!(took >= seconds(1) && took <= seconds(3), "{took:?}");
    });
}

#[test]
fn agents_that_are_asked_for_slowly_are_fresh_again_as_soon_as_an_outage_has_ended() {
    in_virtual_time(|| async {
        let (world, ucc, mut ledger) = listening(50).await;
        world.microsoft.command("outage 503 for 300s");
        pass(seconds(300)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        let retry_at = world.graph().await.tenants[0].retry_at.unwrap();
        pass(retry_at.saturating_duration_since(presence_actors::now()) + seconds(6)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
    });
}

#[test]
fn an_account_that_nobody_asks_with_any_more_still_deletes_its_subscription_after_a_back_off() {
    in_virtual_time(|| async {
        let (world, ucc, _) = listening(20).await;
        world.microsoft.command("throttle 100 for 90s");
        pass(seconds(70)).await;
        ucc.end();
        pass(seconds(600)).await;
        assert_eq!(world.microsoft.counters().live_subscriptions, 0);
    });
}

#[test]
fn a_subscription_that_was_made_without_our_hearing_of_it_is_deleted_though_nobody_is_wanted() {
    in_virtual_time(|| async {
        let service = GraphServiceSettings::with_users(20, "example.test").and_user("person", "first-token");
        let person = tenant(GraphServiceSettings::TENANT, vec![account("person", AccountKind::Delegated)]);
        let graph = GraphSettings { tenants: vec![person], notifications: notifications(), ..settings() };
        let world = World::with(service, graph, |_| {});
        world.secrets.set("person", Some(refresh_token("first-token")));
        let ucc = world.ucc(1..=20);
        pass(seconds(8)).await;
        world.microsoft.command("delay 14s");
        while world.microsoft.count("subscriptions-list") == 0 {
            pass(seconds(1)).await;
        }
        // Longer than anybody waits for an answer.
        world.microsoft.command("delay 200s");
        pass(seconds(16)).await;
        assert_eq!(world.microsoft.counters().live_subscriptions, 1);
        ucc.end();
        pass(seconds(1)).await;
        world.microsoft.command("delay 0ms");
        pass(seconds(400)).await;
        assert_eq!(world.microsoft.counters().live_subscriptions, 0);
    });
}

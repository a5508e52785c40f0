//! The failure table, row by row, as a UCC sees it: what becomes stale, what counts, and how all is fresh again.

use presence_core::{Freshness, SubscriptionState};
use presence_simulator::{GraphServiceSettings, Strangers};

use crate::support::{Ledger, Ucc, agent, errors, in_virtual_time, pass, seconds};
use crate::world::{World, settings};

/// Enough for two batches.
const MANY: usize = 700;
/// Enough for everything else.
const AGENTS: usize = 40;

/// Agents that are all known.
async fn settled() -> (World, Ucc, Ledger) {
    let world = World::of(AGENTS as u32);
    let ucc = world.ucc(1..=AGENTS);
    pass(seconds(20)).await;
    let ledger = Ledger::of(ucc.heard());
    ledger.assert_all(Freshness::Fresh);
    assert_eq!(ledger.len(), AGENTS);
    (world, ucc, ledger)
}

/// Nothing counts against anybody.
async fn assert_nobody_failed(world: &World) {
    let view = world.provider.observe().await.unwrap();
    for agent in view.agents() {
        let subscription = agent.subscription.as_ref().unwrap();
        assert_eq!((subscription.failures, subscription.state), (0, SubscriptionState::Active), "{}", agent.uri);
    }
    assert_eq!(world.provider.meters().read().abandoned, 0);
}

/// A fault that lasts for ten minutes: all are stale meanwhile, nothing is counted, and all are fresh within a sweep and the
/// longest back-off after it.
async fn an_outage(command: &str, longest: u64) {
    let (world, ucc, mut ledger) = settled().await;
    world.microsoft.command(&format!("{command} for 600s"));
    pass(seconds(60)).await;
    ledger.read(ucc.heard());
    ledger.assert_all(Freshness::Stale);
    world.microsoft.set(7, "Busy", "Busy");
    pass(seconds(530)).await;
    assert_eq!(ucc.heard(), [], "{command}: stale is told once");
    let view = world.graph().await;
    assert!(!view.tenants[0].up && view.tenants[0].last_failure.is_some(), "{view:?}");
    assert_nobody_failed(&world).await;
    pass(seconds(10)).await;
    world.until_up(seconds(2 * longest)).await;
    pass(seconds(6)).await;
    ledger.read(ucc.heard());
    ledger.assert_all(Freshness::Fresh);
    assert_eq!(ledger.presence(&agent(7)).status.availability.value(), 6500);
    assert!(world.graph().await.tenants[0].up);
    assert_nobody_failed(&world).await;
    let counters = world.microsoft.counters();
    assert!(counters.most_in_a_second <= 30, "{counters}");
    errors::take();
}

/// A fault that is over after one request: nobody notices.
async fn a_hiccup(command: &str) {
    let (world, ucc, _) = settled().await;
    world.microsoft.command(&format!("{command} times 1"));
    pass(seconds(60)).await;
    assert_eq!(ucc.heard(), [], "{command}");
    assert_nobody_failed(&world).await;
    assert!(world.graph().await.tenants[0].up);
}

macro_rules! rows {
    ($($name:ident: $fault:ident($($argument:expr),+);)+) => {
        $(#[test]
        fn $name() {
            in_virtual_time(|| async { $fault($($argument),+).await });
        })+
    };
}

rows! {
    a_500_for_ten_minutes_makes_all_stale_and_counts_nothing: an_outage("outage 500", 300);
    a_502_for_ten_minutes_makes_all_stale_and_counts_nothing: an_outage("outage 502", 300);
    a_503_for_ten_minutes_makes_all_stale_and_counts_nothing: an_outage("outage 503", 300);
    a_504_for_ten_minutes_makes_all_stale_and_counts_nothing: an_outage("outage 504", 300);
    silence_for_ten_minutes_makes_all_stale_and_counts_nothing: an_outage("outage silence", 300);
    broken_connections_for_ten_minutes_make_all_stale_and_count_nothing: an_outage("outage reset", 300);
    garbage_for_ten_minutes_makes_all_stale_and_counts_nothing: an_outage("answer garbage on presence", 300);
    redirects_for_ten_minutes_make_all_stale_and_count_nothing: an_outage("answer redirect on presence", 300);
    bodies_too_long_for_ten_minutes_make_all_stale_and_count_nothing: an_outage("answer too-long on presence", 300);
    empty_answers_for_ten_minutes_make_all_stale_and_count_nothing: an_outage("answer empty on presence", 300);
    a_403_for_ten_minutes_makes_all_stale_and_counts_nothing: an_outage("refuse 403 on presence", 900);
    one_500_is_not_noticed: a_hiccup("outage 500");
    one_broken_connection_is_not_noticed: a_hiccup("outage reset");
    one_garbled_answer_is_not_noticed: a_hiccup("answer garbage");
    one_401_is_not_noticed: a_hiccup("refuse 401");
    one_424_is_not_noticed: a_hiccup("refuse 424");
}

#[test]
fn nobody_who_can_be_reached_makes_all_stale_and_counts_nothing() {
    in_virtual_time(|| async {
        let (world, ucc, mut ledger) = settled().await;
        world.microsoft.cut_off(true);
        pass(seconds(3_600)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        assert_nobody_failed(&world).await;
        world.microsoft.cut_off(false);
        world.until_up(seconds(600)).await;
        pass(seconds(6)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_nobody_failed(&world).await;
    });
}

#[test]
fn a_bug_in_what_carries_requests_is_as_if_nobody_could_be_reached() {
    in_virtual_time(|| async {
        let (world, ucc, mut ledger) = settled().await;
        world.microsoft.has_a_bug(true);
        pass(seconds(60)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        world.microsoft.has_a_bug(false);
        world.until_up(seconds(600)).await;
        pass(seconds(6)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_nobody_failed(&world).await;
    });
}

#[test]
fn a_400_for_one_bad_id_fails_that_agent_alone() {
    in_virtual_time(|| async {
        let mut service = GraphServiceSettings::with_users(MANY as u32, "example.test");
        service.strangers = Strangers::Fail;
        let world = World::with(service, settings(), |_| {});
        let ucc = world.ucc(1..=MANY);
        pass(seconds(20)).await;
        let mut ledger = Ledger::of(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        world.microsoft.command("remove agent300@example.test");
        pass(seconds(60)).await;
        ledger.read(ucc.heard());
        assert_ne!(ledger.presence(&agent(300)).freshness, Freshness::Fresh);
        let failed = world.agent(300).await.subscription.unwrap();
        assert_eq!((failed.failures, failed.state), (1, SubscriptionState::BackingOff), "{failed:?}");
        let view = world.provider.observe().await.unwrap();
        for other in view.agents().filter(|view| view.uri != agent(300)) {
            assert_eq!(
                (other.presence.freshness, other.subscription.as_ref().unwrap().failures),
                (Freshness::Fresh, 0)
            );
        }
        assert!(world.graph().await.tenants[0].up);
    });
}

#[test]
fn an_agent_that_three_sweeps_do_not_answer_for_fails_alone() {
    in_virtual_time(|| async {
        let (world, ucc, mut ledger) = settled().await;
        world.microsoft.command("leave-out agent5@example.test times 2");
        pass(seconds(30)).await;
        assert_eq!(ucc.heard(), [], "twice is nothing");
        world.microsoft.command("leave-out agent5@example.test times 100");
        pass(seconds(20)).await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(5)).freshness, Freshness::Stale);
        let failed = world.agent(5).await.subscription.unwrap();
        assert_eq!(failed.failures, 1, "{failed:?}");
        assert_eq!(ledger.presence(&agent(6)).freshness, Freshness::Fresh);
    });
}

//! 429: Microsoft's own pace is kept, in every form in which it is said.

use std::time::Duration;

use presence_core::Freshness;
use presence_simulator::GraphServiceSettings;

use crate::support::{Ledger, errors, in_virtual_time, pass, seconds};
use crate::world::{World, settings};

/// Microsoft says once that it is asked too often; nobody notices when it is over soon.
async fn once(command: &str, at_least: Duration) {
    let world = World::of(10);
    let ucc = world.ucc(1..=10);
    pass(seconds(10)).await;
    ucc.heard();
    let before = world.microsoft.count("presences");
    world.microsoft.command(command);
    while world.microsoft.count("presences") == before {
        pass(Duration::from_millis(50)).await;
    }
    pass(at_least).await;
    let during = world.microsoft.count("presences") - before;
    assert_eq!(during, 1, "{command}: it was told to wait");
    pass(seconds(30)).await;
    assert_eq!(ucc.heard(), [], "{command}");
    let graph = world.graph().await;
    assert_eq!((graph.counters.throttled, graph.tenants[0].accounts[0].throttled), (1, 1), "{command}");
    assert!(world.microsoft.count("presences") > before + during, "and then it goes on");
    errors::take();
}

#[test]
fn a_429_with_a_fraction_of_seconds_is_waited_for() {
    in_virtual_time(|| async { once("throttle 2.128 times 1 on presence", Duration::from_millis(2_050)).await });
}

#[test]
fn a_429_with_seconds_is_waited_for() {
    in_virtual_time(|| async { once("throttle 9 times 1 on presence", seconds(9) - Duration::from_millis(50)).await });
}

#[test]
fn a_429_without_a_word_is_waited_for() {
    in_virtual_time(|| async { once("throttle absent times 1 on presence", Duration::from_millis(100)).await });
}

#[test]
fn a_429_with_a_date_long_past_is_no_hot_loop() {
    in_virtual_time(|| async {
        once("throttle Sun,_06_Nov_1994_08:49:37_GMT times 1 on presence", Duration::from_millis(100)).await
    });
}

#[test]
fn a_429_of_ten_minutes_makes_all_stale_counts_nothing_and_asks_nobody_meanwhile() {
    in_virtual_time(|| async {
        let world = World::of(10);
        let ucc = world.ucc(1..=10);
        pass(seconds(10)).await;
        let mut ledger = Ledger::of(ucc.heard());
        world.microsoft.command("throttle 600 times 1 on presence");
        pass(seconds(60)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        let before = world.microsoft.count("presences");
        pass(seconds(540)).await;
        assert!(world.microsoft.count("presences") - before <= 1, "Retry-After is kept");
        pass(seconds(600)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        let view = world.provider.observe().await.unwrap();
        assert!(view.agents().all(|agent| agent.subscription.as_ref().unwrap().failures == 0));
        errors::take();
    });
}

#[test]
fn our_own_pace_keeps_us_below_microsofts_limit() {
    in_virtual_time(|| async {
        let mut service = GraphServiceSettings::with_users(5_000, "example.test");
        service.latency = Duration::from_millis(80);
        let world = World::with(service, settings(), |_| {});
        let ucc = world.ucc(1..=5_000);
        pass(seconds(120)).await;
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
        let counters = world.microsoft.counters();
        assert_eq!(counters.throttled, 0, "{counters}");
        assert!(counters.most_in_a_second <= 30, "{counters}");
        assert!(counters.largest_batch <= 650 && counters.longest_path <= 2_048, "{counters}");
        let before = counters.of_kind("presences");
        pass(seconds(100)).await;
        let asked = world.microsoft.count("presences") - before;
        // Eight batches in each of twenty sweeps.
        assert!((152..=168).contains(&asked), "{asked}");
    });
}

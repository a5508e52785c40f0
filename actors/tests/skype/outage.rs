//! The pool is gone: for seconds, minutes, hours. Nobody is abandoned, and all are back as soon as the rate allows.

use std::time::Duration;

use presence_core::{EndpointKind, Freshness, SubscriptionState};

use crate::forest::{one_pool, sample, skype_provider};
use crate::support::{Ledger, Recorder, in_virtual_time, pass, seconds};

const AGENTS: usize = 1_000;

/// 1.05 x (agents / rate) + 5 s.
fn limit() -> Duration {
    seconds(AGENTS as u64).mul_f64(1.05) / 15 + seconds(5)
}

/// The pool dies, is away for this long, and comes back without any memory.
fn survive(away: Duration) {
    in_virtual_time(move || async move {
        let (provider, forest) = skype_provider(one_pool(AGENTS), &[EndpointKind::Application], sample);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=AGENTS);
        pass(seconds(80)).await;
        let mut ledger = Ledger::of(ucc.heard());
        ledger.assert_all(Freshness::Fresh);

        forest.command(&format!("outage 0 {}s forget", away.as_secs()));
        pass(Duration::from_millis(10)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        pass(away - Duration::from_millis(10)).await;

        let mut waited = Duration::ZERO;
        while forest.live() < AGENTS {
            pass(Duration::from_millis(50)).await;
            waited += Duration::from_millis(50);
            assert!(waited <= limit(), "{} of {AGENTS} are back after {waited:?}", forest.live());
        }
        println!("away {away:?}: all {AGENTS} are back {waited:?} after its return (limit {:?})", limit());
        pass(seconds(1)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        for agent in provider.observe().await.unwrap().agents() {
            let subscription = agent.subscription.as_ref().unwrap();
            assert_eq!((subscription.state, subscription.failures), (SubscriptionState::Active, 0), "{}", agent.uri);
        }
        let counters = forest.counters();
        assert_eq!(counters.most_live_for_one_agent, 1);
        assert!(counters.most_resources_in_a_second <= 15, "{}", counters.most_resources_in_a_second);
        forest.assert_no_violation();
    });
}

#[test]
fn nobody_is_abandoned_by_an_outage_of_20_seconds() {
    survive(seconds(20));
}

#[test]
fn nobody_is_abandoned_by_an_outage_of_10_minutes() {
    survive(seconds(600));
}

#[test]
fn nobody_is_abandoned_by_an_outage_of_2_hours() {
    survive(seconds(7_200));
}

#[test]
fn a_dead_pool_is_tried_at_most_once_in_five_seconds() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(5), &[EndpointKind::Application], sample);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=5);
        pass(seconds(5)).await;
        forest.command("outage 0 1h forget");
        pass(seconds(3_590)).await;
        let dialled = forest.dialled();
        // The first attempt after a loss is made at once; the others keep the pace.
        let pairs = dialled.windows(2).skip(1).map(|pair| pair[1] - pair[0]);
        assert!(pairs.into_iter().all(|apart| apart >= seconds(5)), "{dialled:?}");
        assert!(dialled.len() > 600, "and it goes on trying: {}", dialled.len());
    });
}

#[test]
fn a_lost_connection_ends_the_old_dialog_with_one_message_and_begins_a_new_one() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(30), &[EndpointKind::Application], sample);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=30);
        pass(seconds(5)).await;
        forest.drop_connections(0);
        pass(seconds(10)).await;
        let mut ledger = Ledger::default();
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        let counters = forest.counters();
        assert_eq!((forest.live(), counters.subscribes_initial, counters.most_live_for_one_agent), (30, 2, 1));
        forest.assert_no_violation();
    });
}

//! An agent that the pool refuses: the seed's back-off, and nobody else is touched.

use std::time::Duration;

use presence_actors::{Provider, Setup};
use presence_core::{Freshness, RetryPolicy, SubscriptionState};

use crate::support::{Ledger, Recorder, VirtualPool, agent, in_virtual_time, pass, provider_with, seconds};

fn impatient(limit: u32) -> impl FnOnce(&mut Setup) {
    move |setup| {
        setup.retry = RetryPolicy::try_new(seconds(10), seconds(60)).unwrap();
        setup.max_failures = limit;
    }
}

/// The seconds between one SUBSCRIBE and the next, rounded: the throttle adds its milliseconds.
fn waits(pool: &VirtualPool) -> Vec<u64> {
    let times = pool.counters().subscribe_times;
    times.windows(2).map(|pair| ((pair[1] - pair[0]) + Duration::from_millis(200)).as_secs()).collect()
}

async fn state(provider: &Provider, number: usize) -> (SubscriptionState, u32) {
    let view = provider.observe().await.unwrap();
    let subscription = view.agents().find(|view| view.uri == agent(number)).unwrap().subscription.clone().unwrap();
    (subscription.state, subscription.failures)
}

#[test]
fn the_fourth_failure_in_a_row_abandons_with_a_limit_of_three() {
    for code in [404, 480] {
        in_virtual_time(move || async move {
            let (provider, pool) = provider_with(1, impatient(3));
            pool.refuse(&agent(1), code);
            let ucc = Recorder::start(&provider, "ucc");
            ucc.subscribe(&agent(1));
            pass(seconds(65)).await;
            assert_eq!(state(&provider, 1).await, (SubscriptionState::BackingOff, 3), "{code}");
            pass(seconds(24 * 3_600)).await;
            assert_eq!(waits(&pool), [10, 20, 40], "{code}");
            assert_eq!(state(&provider, 1).await.0, SubscriptionState::Abandoned, "{code}");
        });
    }
}

#[test]
fn without_a_limit_it_is_tried_for_ever_at_the_cap() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(1, impatient(0));
        pool.refuse(&agent(1), 404);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        pass(seconds(3_600)).await;
        let waits = waits(&pool);
        assert_eq!(waits[..4], [10, 20, 40, 60]);
        assert!(waits.len() > 55 && waits[3..].iter().all(|wait| *wait == 60), "{waits:?}");
        pool.heal();
        pool.fault(&agent(1), presence_simulator::Faults::default());
        pass(seconds(61)).await;
        assert_eq!(state(&provider, 1).await, (SubscriptionState::Active, 0));
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
    });
}

#[test]
fn a_success_starts_the_count_again() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(1, impatient(3));
        let refusal = presence_simulator::Refusal::with(480).times(3);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        for _ in 0..4 {
            pool.fault(&agent(1), presence_simulator::Faults::refusing(refusal));
            pool.with(|server, now| {
                server.terminate(now, None, &presence_simulator::Termination::because("deactivated"))
            });
            pass(seconds(300)).await;
            assert_eq!(state(&provider, 1).await, (SubscriptionState::Active, 0));
        }
    });
}

#[test]
fn a_forbidden_agent_is_abandoned_at_once_and_tried_again_when_it_is_revived() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(2, impatient(3));
        pool.refuse(&agent(1), 403);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=2);
        pass(seconds(3_600)).await;
        assert_eq!(pool.counters().subscribes, 2);
        assert_eq!(state(&provider, 1).await.0, SubscriptionState::Abandoned);
        assert_eq!(provider.revive(Some(agent(2))).await, 0, "it is not abandoned");
        assert_eq!(provider.revive(None).await, 1);
        pass(seconds(10)).await;
        assert_eq!(state(&provider, 1).await.0, SubscriptionState::Abandoned, "still forbidden");
        pool.fault(&agent(1), presence_simulator::Faults::default());
        assert_eq!(provider.revive(Some(agent(1))).await, 1);
        pass(seconds(10)).await;
        assert_eq!(state(&provider, 1).await, (SubscriptionState::Active, 0));
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
        assert_eq!(provider.revive(None).await, 0);
    });
}

#[test]
fn refused_agents_do_not_touch_the_others() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(60, impatient(3));
        (1..=30).for_each(|number| pool.refuse(&agent(number), if number % 2 == 0 { 404 } else { 480 }));
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=60);
        pass(seconds(3_600)).await;
        assert_eq!(pool.subscriptions().len(), 30);
        let ledger = Ledger::of(ucc.heard());
        (31..=60).for_each(|number| assert_eq!(ledger.presence(&agent(number)).freshness, Freshness::Fresh));
        assert_eq!(ledger.changes, 30, "nobody was disturbed");
        assert_eq!(pool.counters().subscribes, 30 * 4 + 30);
    });
}

#[test]
fn an_agent_that_did_not_answer_is_a_failure_of_its_own_while_the_pool_answers_others() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(2, impatient(3));
        let silent = presence_simulator::Faults {
            subscribe: presence_simulator::Reaction::Ignore,
            ..presence_simulator::Faults::default()
        };
        pool.fault(&agent(1), silent);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=2);
        pass(seconds(3_600)).await;
        assert_eq!(state(&provider, 1).await.0, SubscriptionState::Abandoned);
        assert_eq!(state(&provider, 2).await, (SubscriptionState::Active, 0));
        let mut ledger = Ledger::default();
        ledger.read(ucc.heard());
        assert_eq!(ledger.changes, 1, "the other one has never been stale");
    });
}

//! Two endpoints: each stands in for the other, and no agent is subscribed to twice.

use presence_actors::Provider;
use presence_core::{EndpointKind, Freshness, RetryPolicy, SubscriptionState};
use presence_simulator::Faults;

use crate::support::{
    Ledger, Recorder, VirtualPool, agent, in_a_hurry, in_virtual_time, pass, provider_with_two_pools, seconds,
};

/// How many subscriptions both pools have together, and the most for one agent.
fn together(pools: [&VirtualPool; 2]) -> (usize, usize) {
    let mut all = std::collections::BTreeMap::<String, usize>::new();
    for (agent, count) in pools.into_iter().flat_map(VirtualPool::subscriptions) {
        *all.entry(agent).or_default() += count;
    }
    (all.values().sum(), all.values().copied().max().unwrap_or(0))
}

async fn via(provider: &Provider, number: usize) -> Option<EndpointKind> {
    let view = provider.observe().await.unwrap();
    view.agents().find(|view| view.uri == agent(number)).unwrap().subscription.clone().unwrap().via
}

#[test]
fn refused_by_the_application_the_user_is_tried_at_once_and_nothing_is_counted() {
    in_virtual_time(|| async {
        let (provider, application, user) = provider_with_two_pools(3, in_a_hurry);
        application.refuse(&agent(1), 403);
        application.refuse(&agent(2), 404);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=3);
        pass(seconds(2)).await;
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
        assert_eq!((application.subscriptions().len(), user.subscriptions().len()), (1, 2));
        for view in provider.observe().await.unwrap().agents() {
            let subscription = view.subscription.as_ref().unwrap();
            assert_eq!((subscription.state, subscription.failures), (SubscriptionState::Active, 0));
        }
        assert_eq!(via(&provider, 2).await, Some(EndpointKind::User));
    });
}

#[test]
fn only_when_both_refuse_it_is_one_failure() {
    in_virtual_time(|| async {
        let (provider, application, user) = provider_with_two_pools(1, |setup| {
            setup.retry = RetryPolicy::try_new(seconds(10), seconds(60)).unwrap();
        });
        application.refuse(&agent(1), 404);
        user.refuse(&agent(1), 480);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        pass(seconds(7_200)).await;
        assert_eq!((application.counters().subscribes, user.counters().subscribes), (4, 4));
        let view = provider.observe().await.unwrap();
        let subscription = view.agents().next().unwrap().subscription.clone().unwrap();
        assert_eq!((subscription.state, subscription.failures), (SubscriptionState::Abandoned, 4));
    });
}

#[test]
fn agents_move_when_the_application_is_lost_and_are_never_left_subscribed_twice() {
    in_virtual_time(|| async {
        let (provider, application, user) = provider_with_two_pools(20, in_a_hurry);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=20);
        pass(seconds(2)).await;
        assert_eq!((application.subscriptions().len(), user.subscriptions().len()), (20, 0));
        application.set_online(false);
        pass(seconds(2)).await;
        let mut ledger = Ledger::default();
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_eq!(user.subscriptions().len(), 20);
        application.set_online(true);
        pass(seconds(15)).await;
        assert_eq!(together([&application, &user]), (20, 1), "the dialogs that were left behind are ended");
        assert_eq!(via(&provider, 1).await, Some(EndpointKind::User), "what works stays where it is");
        user.set_online(false);
        pass(seconds(2)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        user.set_online(true);
        pass(seconds(15)).await;
        assert_eq!(together([&application, &user]), (20, 1));
        for _ in 0..5 {
            application.drop_connections();
            pass(std::time::Duration::from_millis(3)).await;
            user.drop_connections();
            pass(seconds(30)).await;
            assert_eq!(together([&application, &user]), (20, 1));
        }
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
    });
}

#[test]
fn moves_to_and_fro_over_slow_pools_end_with_one_subscription_each() {
    in_virtual_time(|| async {
        let (provider, application, user) = provider_with_two_pools(10, in_a_hurry);
        let slow = Faults { delay: std::time::Duration::from_millis(800), ..Faults::default() };
        application.fault_all(slow);
        user.fault_all(slow);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=10);
        let mut dice = presence_simulator::Dice::new(11);
        for _ in 0..80 {
            pass(std::time::Duration::from_millis(dice.below(7_000))).await;
            let pool = if dice.chance(1, 2) { &application } else { &user };
            pool.drop_connections();
        }
        // What the pools accepted when we could not hear it any more runs out there within the hour.
        pass(seconds(3_700)).await;
        assert_eq!(together([&application, &user]), (10, 1));
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
        for view in provider.observe().await.unwrap().agents() {
            assert_eq!(view.subscription.as_ref().unwrap().failures, 0, "{}", view.uri);
        }
        ucc.end();
        pass(seconds(60)).await;
        assert_eq!(together([&application, &user]), (0, 0));
    });
}

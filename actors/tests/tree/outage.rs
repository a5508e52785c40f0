//! The pool's failures: everyone is stale and comes back by itself, and nobody is blamed for it.

use presence_core::{Availability, EndpointKind, EndpointState, Freshness, SubscriptionState};
use presence_simulator::{Activity, Faults, Reaction, Refusal};

use crate::support::{
    Ledger, Recorder, Ucc, VirtualPool, agent, errors, in_a_hurry, in_virtual_time, pass, provider_with, seconds,
    settle,
};
use presence_actors::Provider;

/// Forty agents that are watched and known.
async fn forty() -> (Provider, VirtualPool, Ucc, Ledger) {
    let (provider, pool) = provider_with(40, |setup| {
        setup.retry = presence_core::RetryPolicy::try_new(seconds(10), seconds(60)).unwrap();
    });
    let ucc = Recorder::start(&provider, "ucc");
    ucc.subscribe_to(1..=40);
    pass(seconds(5)).await;
    let mut ledger = Ledger::default();
    ledger.read(ucc.heard());
    ledger.assert_all(Freshness::Fresh);
    (provider, pool, ucc, ledger)
}

/// All are active, none has a failure on its account, and the pool has one dialog for each.
async fn all_well(provider: &Provider, pool: &VirtualPool) {
    let view = provider.observe().await.unwrap();
    for agent in view.agents() {
        let subscription = agent.subscription.as_ref().unwrap();
        assert_eq!((subscription.state, subscription.failures), (SubscriptionState::Active, 0), "{}", agent.uri);
    }
    assert_eq!((view.agents().count(), pool.counters().active_subscriptions), (40, 40));
    assert_eq!(pool.subscriptions().len(), 40);
}

#[test]
fn a_lost_connection_makes_all_stale_and_then_fresh_again_by_themselves() {
    in_virtual_time(|| async {
        let (provider, pool, ucc, mut ledger) = forty().await;
        let since = ledger.presence(&agent(1)).since;
        pool.set_online(false);
        settle().await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        assert_eq!(ledger.presence(&agent(1)).since, since);
        assert_eq!(ledger.presence(&agent(1)).status.availability, Availability::ONLINE);
        pool.set(2, Activity::Busy);
        pool.set_online(true);
        pass(seconds(15)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_eq!(ledger.presence(&agent(1)).since, since, "the same value, the same since");
        assert_eq!(ledger.presence(&agent(2)).status.availability, Availability::BUSY);
        assert!(pool.counters().busiest_second() <= 15);
        all_well(&provider, &pool).await;
    });
}

#[test]
fn an_outage_of_many_hours_costs_no_agent_anything() {
    in_virtual_time(|| async {
        let (provider, pool, ucc, mut ledger) = forty().await;
        pool.set_online(false);
        let dialled = pool.dialled();
        pass(seconds(9 * 3_600)).await;
        let attempts = pool.dialled() - dialled;
        let five_seconds = 9 * 3_600 / 5;
        assert!(attempts <= five_seconds + 1, "at most one attempt in five seconds: {attempts}");
        assert!(attempts + 2 >= five_seconds, "and no fewer: {attempts}");
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        pool.set_online(true);
        pass(seconds(20)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        all_well(&provider, &pool).await;
    });
}

#[test]
fn a_pool_that_forgot_its_dialogs_is_subscribed_to_anew() {
    in_virtual_time(|| async {
        let (provider, pool, ucc, mut ledger) = forty().await;
        pool.with(|server, _| server.forget_dialogs());
        pool.drop_connections();
        pass(seconds(30)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        all_well(&provider, &pool).await;
        // The same without a lost connection: the refresh finds out.
        pool.with(|server, _| server.forget_dialogs());
        pass(seconds(3_700)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        all_well(&provider, &pool).await;
    });
}

#[test]
fn a_pool_that_goes_silent_is_noticed_and_nobody_is_blamed() {
    in_virtual_time(|| async {
        let (provider, pool, ucc, mut ledger) = forty().await;
        pool.fault_all(Faults { subscribe: Reaction::Ignore, options: Reaction::Ignore, ..Faults::default() });
        pass(seconds(90)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        let state = provider.observe().await.unwrap().endpoint(EndpointKind::Application).unwrap().state;
        assert_eq!(state, EndpointState::Reestablishing);
        pass(seconds(7_200)).await;
        pool.heal();
        pass(seconds(90)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        all_well(&provider, &pool).await;
    });
}

#[test]
fn an_overloaded_pool_gets_the_pause_that_it_asked_for() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(40, in_a_hurry);
        pool.fault_all(Faults::refusing(Refusal::with(503).retry_after(seconds(120))));
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=40);
        pass(seconds(1)).await;
        let (asked, options) = (pool.counters().subscribes, pool.counters().options);
        assert!(asked >= 1);
        pass(seconds(115)).await;
        assert_eq!((pool.counters().subscribes, pool.counters().options), (asked, options), "a pause is a pause");
        pool.heal();
        pass(seconds(15)).await;
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
        assert_eq!(pool.dialled(), 1, "the connection is kept");
        all_well(&provider, &pool).await;
    });
}

#[test]
fn an_overload_of_hours_never_abandons_anybody() {
    in_virtual_time(|| async {
        let (provider, pool, ucc, mut ledger) = forty().await;
        pool.fault_all(Faults {
            options: Reaction::Refuse(Refusal::with(503)),
            ..Faults::refusing(Refusal::with(503))
        });
        pool.drop_connections();
        pass(seconds(5 * 3_600)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        pool.heal();
        pass(seconds(30)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        all_well(&provider, &pool).await;
    });
}

#[test]
fn a_pool_that_knows_no_presence_is_an_alarm_and_no_agents_failure() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(40, in_a_hurry);
        pool.fault_all(Faults::refusing(Refusal::with(489)));
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=40);
        pass(seconds(1_800)).await;
        let alarms = errors::take();
        assert_eq!(alarms.len(), 1);
        assert!(alarms.iter().all(|alarm| alarm.contains("does not serve presence")), "{alarms:?}");
        pool.heal();
        pass(seconds(120)).await;
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
        all_well(&provider, &pool).await;
    });
}

#[test]
fn connections_that_break_while_subscriptions_are_on_their_way_are_nobodys_failure() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(40, |setup| {
            in_a_hurry(setup);
            setup.retry = presence_core::RetryPolicy::try_new(seconds(10), seconds(60)).unwrap();
        });
        pool.fault_all(Faults { delay: std::time::Duration::from_millis(700), ..Faults::default() });
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=40);
        let mut dice = presence_simulator::Dice::new(3);
        for _ in 0..60 {
            pass(std::time::Duration::from_millis(dice.below(9_000))).await;
            pool.drop_connections();
        }
        pass(seconds(30)).await;
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
        // What the pool accepted when we could not hear it any more runs out there within the hour.
        pass(seconds(3_700)).await;
        assert_eq!(ucc.heard(), []);
        all_well(&provider, &pool).await;
    });
}

#[test]
fn an_agent_that_nobody_wants_any_more_during_an_outage_is_ended_when_the_pool_is_back() {
    in_virtual_time(|| async {
        let (provider, pool, ucc, _) = forty().await;
        pool.set_online(false);
        pass(seconds(60)).await;
        (1..=10).for_each(|number| ucc.unsubscribe(&agent(number)));
        pass(seconds(60)).await;
        pool.set_online(true);
        pass(seconds(30)).await;
        assert_eq!((pool.subscriptions().len(), provider.observe().await.unwrap().agents().count()), (30, 30));
    });
}

//! An orderly end.

use presence_actors::{PresenceEvent, Push};
use presence_core::{Availability, Status};
use presence_simulator::{Faults, Reaction};

use crate::support::{
    Recorder, agent, errors, in_a_hurry, in_virtual_time, pass, provider_with, provider_with_two_pools, seconds, settle,
};

#[test]
fn all_subscriptions_are_ended_within_the_grace_period_at_the_configured_rate() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(60, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=60);
        pass(seconds(10)).await;
        let console = "sip:reception@console.test".parse().unwrap();
        let (status, time_to_live) = (Status::of(Availability::BUSY), seconds(3_600));
        provider.push(Push { uri: console, status, time_to_live }).await.unwrap();
        let begin = tokio::time::Instant::now();
        assert!(provider.shutdown(seconds(30)).await);
        let took = begin.elapsed();
        assert!(took >= seconds(3) && took < seconds(6), "{took:?}");
        let counters = pool.counters();
        assert_eq!((counters.unsubscribes, counters.active_subscriptions), (60, 0));
        assert!(counters.busiest_second() <= 15);
        let late = Recorder::start(&provider, "late");
        late.subscribe(&agent(1));
        pass(seconds(60)).await;
        assert!(matches!(&late.heard()[..], [PresenceEvent::Unserved { .. }]));
        assert_eq!(pool.subscriptions().len(), 0);
        assert_eq!(pool.dialled(), 1, "it does not connect again");
    });
}

#[test]
fn it_gives_up_when_the_grace_period_is_over() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(5, in_a_hurry);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=5);
        pass(seconds(2)).await;
        pool.fault_all(Faults { subscribe: Reaction::Ignore, ..Faults::default() });
        let begin = tokio::time::Instant::now();
        assert!(!provider.shutdown(seconds(3)).await);
        assert_eq!(begin.elapsed().as_secs(), 3);
    });
}

#[test]
fn a_shutdown_while_the_pool_is_down_does_not_wait_for_it() {
    in_virtual_time(|| async {
        let (provider, application, user) = provider_with_two_pools(20, in_a_hurry);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=20);
        pass(seconds(2)).await;
        application.set_online(false);
        user.set_online(false);
        pass(seconds(20)).await;
        let begin = tokio::time::Instant::now();
        assert!(provider.shutdown(seconds(30)).await);
        assert!(begin.elapsed() < seconds(5), "{:?}", begin.elapsed());
        let dialled = application.dialled();
        pass(seconds(60)).await;
        assert_eq!(application.dialled(), dialled);
    });
}

#[test]
fn a_pool_that_is_lost_during_the_shutdown_does_not_hold_it_up() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(60, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=60);
        pass(seconds(10)).await;
        let ending = provider.clone();
        let end = actix_rt::spawn(async move { ending.shutdown(seconds(30)).await });
        pass(seconds(1)).await;
        pool.set_online(false);
        let begin = tokio::time::Instant::now();
        assert!(end.await.unwrap());
        assert!(begin.elapsed() < seconds(10), "{:?}", begin.elapsed());
    });
}

#[test]
fn agents_that_wait_and_agents_that_die_do_not_hold_it_up() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(10, |_| {});
        pool.refuse(&agent(1), 404);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=4);
        pass(seconds(2)).await;
        for _ in 0..4 {
            provider.drill_agent(agent(2)).await;
            pass(seconds(1)).await;
        }
        provider.drill_agent(agent(3)).await;
        settle().await;
        ucc.subscribe_to(5..=10);
        let ending = provider.clone();
        let end = actix_rt::spawn(async move { ending.shutdown(seconds(30)).await });
        settle().await;
        provider.drill_agent(agent(4)).await;
        assert!(end.await.unwrap());
        settle().await;
        assert!(pool.subscriptions().len() <= 2, "{:?}", pool.subscriptions());
        errors::take();
    });
}

#[test]
fn two_shutdowns_wait_for_the_same_end() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(20, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=20);
        pass(seconds(5)).await;
        let ending = provider.clone();
        let first = actix_rt::spawn(async move { ending.shutdown(seconds(30)).await });
        settle().await;
        assert!(provider.shutdown(seconds(30)).await && first.await.unwrap());
        assert_eq!(pool.subscriptions().len(), 0);
    });
}

//! Agents are polled in batches, spread over the sweep.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod world;

use std::time::Duration;

use presence_core::FailureKind;
use presence_graph::{GraphInput, Report};
use presence_simulator::GraphServiceSettings;
use world::{Spoilt, World, agent, secs};

#[test]
fn an_agent_is_looked_up_joined_and_told_within_half_a_second() {
    let mut world = World::with_users(10);
    world.register(&agent(1));
    let took = world.run_until(secs(5), |world| world.seen(1).is_fresh());
    assert!(took <= Duration::from_millis(700), "{took:?}");
    assert_eq!(world.seen(1).joined, 1);
    assert!(matches!(world.reports.first(), Some((_, Report::AccountUp { .. }))), "{:?}", world.reports);
}

#[test]
fn a_change_is_told_within_one_sweep_and_what_does_not_change_is_told_once() {
    let mut world = World::with_users(10);
    world.register_all(10);
    for user in 1..=10 {
        world.run(Duration::from_millis(777));
        world.command(&format!("set agent{user}@demo.example Busy InACall"));
        let took = world.run_until(secs(6), |world| world.seen(user).values.len() == 2);
        assert!(took <= secs(5) + Duration::from_millis(100), "{took:?}");
        assert_eq!(world.seen(user).number(), Some(6500));
    }
    world.run(secs(60));
    assert!((1..=10).all(|user| world.seen(user).values.len() == 2));
}

#[test]
fn fifteen_thousand_agents_cost_what_the_arithmetic_says() {
    let mut world = World::with_users(15_000);
    world.register_all(15_000);
    let view = world.view();
    assert_eq!((view.tenants[0].batches, view.tenants[0].agents), (24, 15_000));
    world.run(secs(10));
    let (polls, from) = (world.polls.len(), world.elapsed());
    let time = simulated_time();
    world.run(time);
    let rate = (world.polls.len() - polls) as f64 / time.as_secs_f64();
    assert!((rate - 4.8).abs() <= 4.8 * 0.05, "{rate} requests per second");
    let in_a_second = most_in_a_second(&world.polls[polls..].iter().map(|(at, _)| *at).collect::<Vec<_>>());
    assert!(in_a_second <= 6, "{in_a_second} in one second: they are spread evenly");
    assert!(world.service.counters().most_in_a_second <= 30);
    assert!(world.agents.values().all(|seen| seen.is_fresh() && seen.failures.is_empty() && seen.doubts.is_empty()));
    assert!(from < secs(120), "all were found and heard after {from:?}");
}

#[test]
fn every_change_among_fifteen_thousand_agents_is_seen_within_one_sweep() {
    let mut world = World::with_users(15_000);
    world.register_all(15_000);
    world.run(secs(10));
    let mut changed = Vec::new();
    for step in 0..200_u32 {
        world.run(Duration::from_millis(137));
        let user = 1 + step * 71 % 15_000;
        world.command(&format!("set agent{user}@demo.example DoNotDisturb Presenting"));
        changed.push((user, world.elapsed()));
    }
    world.run(secs(6));
    for (user, at) in changed {
        let told = world.seen(user).values.last().unwrap().0;
        assert!(told > at && told - at <= secs(5) + Duration::from_millis(60), "agent {user}: {:?}", told - at);
    }
}

#[test]
fn a_hundred_thousand_agents_are_swept_as_fast_as_the_rate_allows() {
    // A fifth of them at a fifth of the rate, unless there is time.
    let (agents, batches, rate) = if is_long() { (100_000, 154, 30) } else { (20_000, 31, 6) };
    let mut settings = world::settings(&[(GraphServiceSettings::TENANT, &[], &["account1"])]);
    settings.requests_per_second = rate.try_into().unwrap();
    let mut world = World::new(settings, GraphServiceSettings::with_users(agents, "demo.example"));
    for number in 1..=agents {
        world.register(&agent(number));
        if number.is_multiple_of(1_000) {
            world.run(secs(1));
        }
    }
    world.run_until(secs(1_800), World::all_fresh);
    assert_eq!(world.view().tenants[0].batches, batches);
    world.run(secs(10));
    let polls = world.polls.len();
    world.run(secs(60));
    let used = (world.polls.len() - polls) as f64 / 60.0 / f64::from(rate);
    assert!(used > 0.95 && used <= 1.0, "{used} of the rate is used");
    assert!(world.service.counters().most_in_a_second <= rate as usize);
    assert!(world.agents.values().all(|seen| seen.failures.is_empty() && !seen.doubted));
}

#[test]
fn new_agents_are_gathered_for_a_quarter_of_a_second_and_fetched_at_once() {
    let mut world = World::with_users(700);
    world.register(&agent(700));
    world.run(secs(10));
    let polls = world.polls.len();
    for number in 1..=10 {
        world.register(&agent(number));
    }
    let took = world.run_until(secs(2), World::all_fresh);
    assert!(took <= Duration::from_millis(800), "{took:?}");
    assert!(world.polls.len() - polls <= 2, "ten agents are one request, and perhaps a turn of the wheel");
}

#[test]
fn after_a_pause_there_is_no_burst_and_everybody_is_asked_for_within_one_sweep() {
    let mut world = World::with_users(15_000);
    world.register_all(15_000);
    world.run(secs(10));
    let polls = world.polls.len();
    // The process was held for a minute: time passed, nothing was done.
    world.now += secs(60);
    let resumed = world.elapsed();
    world.run(secs(5) + Duration::from_millis(300));
    let after: Vec<Duration> = world.polls[polls..].iter().map(|(at, _)| *at - resumed).collect();
    assert!(after.len() <= 27, "{}", after.len());
    assert!(most_in_a_second(&after) <= 6, "{after:?}");
    assert!(world.all_fresh());
}

#[test]
fn answers_that_come_twice_late_or_never_wedge_no_batch() {
    let mut world = World::with_users(2_000);
    world.register_all(2_000);
    world.spoil = Some(|number| match number % 7 {
        0 => Spoilt::Never,
        1 => Spoilt::Twice,
        2 => Spoilt::Late(secs(40)),
        3 => Spoilt::Late(secs(7)),
        _ => Spoilt::No,
    });
    world.run(secs(600));
    world.spoil = None;
    world.run(secs(60));
    world.command("set agent77@demo.example Away");
    world.run(secs(6));
    assert_eq!(world.seen(77).number(), Some(15_500));
    assert!(world.agents.values().all(|seen| seen.is_fresh() && seen.failures.is_empty()));
}

#[test]
fn agents_that_leave_are_asked_for_no_more_and_the_batches_stay_as_few_as_they_can_be() {
    let mut world = World::with_users(1_950);
    world.register_all(1_950);
    assert_eq!(world.view().tenants[0].batches, 3);
    for number in (1..=1_950_u32).filter(|number| !number.is_multiple_of(3)) {
        world.unregister(&agent(number));
    }
    assert_eq!((world.view().tenants[0].agents, world.view().tenants[0].batches), (650, 1));
    world.run(secs(20));
    let polls = world.polls.len();
    world.run(secs(50));
    assert_eq!(world.polls.len() - polls, 10);
    for number in (1..=1_950_u32).filter(|number| number.is_multiple_of(3)) {
        world.unregister(&agent(number));
    }
    let polls = world.polls.len();
    world.run(secs(50));
    assert_eq!((world.polls.len(), world.view().tenants[0].batches), (polls, 0));
    assert!(world.agents.values().all(|seen| seen.ended == 1));
}

#[test]
fn an_agent_that_registers_again_under_another_number_is_told_what_is_known() {
    let mut world = World::with_users(3);
    world.register_all(3);
    let values = world.seen(2).values.len();
    world.register(&agent(2));
    assert_eq!((world.seen(2).joined, world.seen(2).values.len()), (2, values + 1));
    let old = presence_core::Attempt(1);
    world.handle(GraphInput::Unregister { uri: agent(2), attempt: old });
    assert!(world.graph.inspect(&agent(2)).is_some(), "the earlier number changes nothing");
}

#[test]
fn an_unknown_agent_fails_alone_and_may_be_declined() {
    for declines in [false, true] {
        let mut settings = world::settings(&[(GraphServiceSettings::TENANT, &[], &["account1"])]);
        settings.declines = declines;
        let service = GraphServiceSettings::with_users(3, "demo.example");
        let mut world = World::new(settings, service);
        let stranger = "sip:nobody@elsewhere.example".parse().unwrap();
        world.register(&stranger);
        world.register(&agent(1));
        world.run(secs(10));
        let seen = &world.agents[&stranger];
        assert_eq!((seen.declined, seen.failures.len()), (declines, usize::from(!declines)));
        assert!(seen.failures.iter().all(|(_, failure)| failure.kind == FailureKind::NotFound));
        assert!(world.seen(1).is_fresh() && world.graph.inspect(&stranger).is_none());
    }
}

/// Two minutes; an hour with `PP_LONG_TESTS` set.
fn simulated_time() -> Duration {
    secs(if is_long() { 3_600 } else { 120 })
}

fn is_long() -> bool {
    std::env::var_os("PP_LONG_TESTS").is_some()
}

fn most_in_a_second(times: &[Duration]) -> usize {
    let within = |at: usize| times[at..].iter().take_while(|other| **other - times[at] < secs(1)).count();
    (0..times.len()).map(within).max().unwrap_or(0)
}

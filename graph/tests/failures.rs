//! Each row of the table of failures: who owns it, and what it costs.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod world;

use std::time::Duration;

use presence_core::FailureKind;
use presence_graph::{AccountState, Report};
use world::{World, agent, secs};

fn count(world: &World, is_wanted: impl Fn(&Report) -> bool) -> usize {
    world.reports.iter().filter(|(_, report)| is_wanted(report)).count()
}

fn nobody_failed(world: &World) {
    assert!(world.agents.values().all(|seen| seen.failures.is_empty() && seen.registered));
}

/// Ten agents that are fresh.
fn ten() -> World {
    let mut world = World::with_users(10);
    world.register_all(10);
    world.run(secs(7));
    world
}

#[test]
fn status_400_for_one_bad_user_fails_that_agent_only() {
    let mut world = World::with_users(20);
    world.command("strangers fail");
    world.register_all(20);
    world.command("remove agent7@demo.example");
    world.run(secs(30));
    assert_eq!(world.seen(7).failures.len(), 1, "{:?}", world.seen(7));
    assert_eq!(world.seen(7).failures[0].1.kind, FailureKind::Transient);
    assert!((1..=20).filter(|number| *number != 7).all(|number| world.seen(number).is_fresh()));
    assert_eq!(count(&world, |report| matches!(report, Report::TenantDown { .. })), 0);
}

#[test]
fn status_400_for_everything_fails_nobody() {
    let mut world = ten();
    world.command("refuse 400 on presence");
    world.run(secs(120));
    nobody_failed(&world);
    assert!(world.agents.values().all(|seen| seen.doubts.len() == 1));
    world.command("heal");
    world.run(secs(6));
    assert!(world.all_fresh());
}

#[test]
fn status_401_is_answered_with_a_new_token_and_nobody_notices() {
    let mut world = ten();
    let tokens = world.view().counters.token_requests;
    world.command("expire-tokens");
    world.run(secs(12));
    assert!(world.all_fresh());
    assert_eq!(world.view().counters.token_requests, tokens + 1);
    assert!(world.agents.values().all(|seen| seen.doubts.is_empty()));
}

#[test]
fn status_401_again_fails_the_account_and_no_agent() {
    let mut world = ten();
    world.command("refuse 401 on presence");
    world.run(secs(300));
    nobody_failed(&world);
    assert_eq!(count(&world, |report| matches!(report, Report::AccountFailed { .. })), 1, "{:?}", world.reports);
    assert_eq!(count(&world, |report| matches!(report, Report::TenantDown { .. })), 1);
    assert!(world.agents.values().all(|seen| seen.doubts.len() == 1));
    assert!(world.view().counters.token_requests <= 6, "no hot retry");
    world.command("heal");
    world.run_until(secs(17 * 60), World::all_fresh);
}

#[test]
fn status_403_fails_the_account_slowly_and_loudly_and_no_agent() {
    let mut world = ten();
    world.command("refuse 403 on presence");
    let polls = world.polls.len();
    world.run(secs(3_000));
    nobody_failed(&world);
    let failed = world.reports.iter().find_map(|(_, report)| match report {
        Report::AccountFailed { needs_a_person, failure, .. } => Some((*needs_a_person, failure.code)),
        _ => None,
    });
    assert_eq!(failed, Some((true, Some(403))));
    assert!(world.polls.len() - polls <= 3, "after 15 and after 30 minutes more");
    assert!(matches!(world.view().tenants[0].accounts[0].state, AccountState::Failed { .. }));
    world.command("heal");
    world.run_until(secs(4_000), World::all_fresh);
    assert_eq!(count(&world, |report| matches!(report, Report::AccountUp { .. })), 2);
}

#[test]
fn status_403_to_lookups_leaves_those_who_are_known_alone() {
    let mut world = World::with_users(10);
    world.register_all(5);
    world.command("refuse 403 on users");
    world.register(&agent(9));
    world.run(secs(60));
    nobody_failed(&world);
    assert!((1..=5).all(|number| world.seen(number).is_fresh()) && !world.seen(9).is_fresh());
    assert_eq!(count(&world, |report| matches!(report, Report::AccountFailed { .. })), 1);
    world.command("heal");
    world.run_until(secs(16 * 60), World::all_fresh);
    assert_eq!(count(&world, |report| matches!(report, Report::AccountUp { .. })), 2);
}

#[test]
fn status_404_of_the_presences_is_the_tenants_and_fails_nobody() {
    for status in [404, 409, 410, 412, 423, 424] {
        let mut world = ten();
        world.command(&format!("refuse {status} on presence for 60s"));
        world.run(secs(60));
        nobody_failed(&world);
        world.run_until(secs(200), World::all_fresh);
    }
}

#[test]
fn a_user_who_is_not_in_three_answers_in_a_row_fails_alone() {
    let mut world = ten();
    world.command("leave-out agent4@demo.example times 2");
    world.run(secs(30));
    nobody_failed(&world);
    world.command("leave-out agent4@demo.example times 3");
    world.run(secs(30));
    let (_, failure) = &world.seen(4).failures[0];
    assert_eq!((failure.kind, failure.detail.contains("not in the answer")), (FailureKind::Transient, true));
    assert_eq!(world.agents.values().filter(|seen| seen.failures.is_empty()).count(), 9);
}

#[test]
fn status_429_is_waited_for_in_full_and_told_once() {
    for form in ["2.128", "10", "120"] {
        let mut world = ten();
        world.command(&format!("throttle {form} times 1"));
        world.run_until(secs(10), |world| world.view().counters.throttled == 1);
        let (polls, at) = (world.polls.len(), world.elapsed());
        let wait: f64 = form.parse().unwrap();
        world.run_until(secs(200), |world| world.polls.len() > polls);
        let waited = world.elapsed() - at;
        assert!(waited >= Duration::from_secs_f64(wait), "{waited:?} of {form}");
        assert!(waited <= Duration::from_secs_f64(wait + 6.0), "{waited:?} of {form}");
        assert_eq!(count(&world, |report| matches!(report, Report::Throttled { .. })), 1);
        world.run_until(secs(10), World::all_fresh);
        nobody_failed(&world);
    }
}

#[test]
fn status_429_for_long_doubts_everybody_in_time_and_fails_nobody() {
    let mut world = ten();
    world.command("throttle 3 for 120s");
    world.run(secs(60));
    assert!(world.agents.values().all(|seen| seen.doubted), "older than three sweeps and 10 s");
    world.run(secs(60));
    nobody_failed(&world);
    assert_eq!(count(&world, |report| matches!(report, Report::Throttled { .. })), 1);
    world.run_until(secs(400), World::all_fresh);
}

#[test]
fn outages_of_every_kind_open_the_breaker_and_heal_within_a_sweep_of_the_first_answer() {
    for kind in ["500", "502", "503", "504", "reset", "silence"] {
        let mut world = ten();
        let outage = world.elapsed();
        world.command(&format!("outage {kind} for 600s"));
        let polls = world.polls.len();
        world.run(secs(600));
        nobody_failed(&world);
        assert!(world.agents.values().all(|seen| seen.doubted && seen.doubts.len() == 1), "{kind}");
        let latest = world.agents.values().map(|seen| seen.doubts[0] - outage).max().unwrap();
        assert!(latest <= secs(32), "{kind}: {latest:?}");
        assert!(world.polls.len() - polls <= 30, "{kind}: {} polls", world.polls.len() - polls);
        assert_eq!(count(&world, |report| matches!(report, Report::TenantDown { .. })), 1, "{kind}");
        assert_eq!(count(&world, |report| matches!(report, Report::AccountFailed { .. })), 0, "{kind}");
        world.run_until(secs(310), |world| world.agents.values().any(world::Seen::is_fresh));
        world.run(secs(5) + Duration::from_millis(50));
        assert!(world.all_fresh(), "{kind}");
        assert_eq!(count(&world, |report| matches!(report, Report::TenantUp { .. })), 2, "{kind}");
    }
}

#[test]
fn answers_that_are_none_are_like_no_answer() {
    for kind in ["garbage", "redirect", "wrong-content", "empty"] {
        let mut world = ten();
        world.command(&format!("answer {kind} on presence for 120s"));
        world.run(secs(120));
        nobody_failed(&world);
        world.run_until(secs(310), World::all_fresh);
    }
}

#[test]
fn a_single_failure_is_repeated_before_anyone_notices() {
    let mut world = ten();
    world.command("outage 503 times 1");
    world.run(secs(12));
    assert!(world.agents.values().all(|seen| seen.doubts.is_empty() && seen.is_fresh()));
    assert_eq!(count(&world, |report| matches!(report, Report::TenantDown { .. })), 0);
}

#[test]
fn presence_unknown_is_held_for_two_sweeps_and_then_told_as_unknown() {
    let mut world = ten();
    world.command("set agent2@demo.example Busy");
    world.run(secs(6));
    world.command("set agent2@demo.example PresenceUnknown");
    let from = world.elapsed();
    world.run_until(secs(30), |world| world.seen(2).values.len() == 3);
    let held = world.elapsed() - from;
    assert!(held >= secs(10) && held <= secs(16), "{held:?}");
    assert!(!world.seen(2).status.as_ref().unwrap().availability.is_known(), "unknown, and never 0 or offline");
    world.command("set agent3@demo.example PresenceUnknown");
    world.run(secs(8));
    world.command("set agent3@demo.example Available");
    world.run(secs(20));
    assert!(world.seen(3).values.iter().all(|(_, status)| status.availability.is_known()), "a moment is not told");
}

#[test]
fn an_answer_that_is_older_than_what_is_held_changes_nothing() {
    let mut world = ten();
    world.command("set agent2@demo.example Busy");
    world.run(secs(6));
    let values = world.seen(2).values.len();
    world.command("overtake agent2@demo.example times 2");
    world.run(secs(11));
    assert_eq!((world.seen(2).values.len(), world.seen(2).number()), (values, Some(6_500)));
    assert!(world.view().counters.overtaken >= 1);
    world.run(secs(20));
    assert!(world.seen(2).is_fresh());
}

#[test]
fn a_clock_that_is_wrong_is_told_once() {
    let mut world = ten();
    world.command("skew 600");
    world.run(secs(120));
    let skew = |(_, report): &(Duration, Report)| match report {
        Report::ClockSkew { seconds } => Some(*seconds),
        _ => None,
    };
    let skews: Vec<i64> = world.reports.iter().filter_map(skew).collect();
    assert!(matches!(skews[..], [590..=610]), "{skews:?}");
    assert!(world.all_fresh());
}

#[test]
fn words_that_nobody_knows_are_told_once_each_and_at_most_64() {
    let mut world = ten();
    for round in 0..70 {
        world.command(&format!("set agent1@demo.example Strange{round} Odd{round}"));
        world.run(secs(6));
    }
    assert_eq!(count(&world, |report| matches!(report, Report::UnknownValue { .. })), 64);
    nobody_failed(&world);
}

//! The real program and a simulated server, in both dialects, over a network that delays, doubles, reorders and cuts.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod faults;
mod process;

use faults::{Stage, breaks, mishaps};
use presence_simulator::{Dice, FaultRule, Way};
use process::eventually;

const AGENTS: usize = 20;
const BOTH: [Way; 2] = [Way::ToServer, Way::ToClient];

/// Changes until the program has lived through this.
fn moving(stage: &Stage, until: impl Fn() -> bool) -> bool {
    let dice = std::cell::RefCell::new(Dice::new(1));
    eventually(|| {
        stage.move_one(&mut dice.borrow_mut());
        until()
    })
}

#[track_caller]
fn lives_with_mishaps(stage: Stage, streams: bool) {
    let names = ["delay", "duplicate", "reorder", "split", "trickle"];
    let done = || stage.proxy.counters();
    assert!(moving(&stage, || names.iter().all(|name| done().done(name) >= 10)), "{:?}", done());
    if streams {
        assert_eq!(done().connections - done().from_server, 1, "nothing of this ends a connection: {:?}", done());
    }
    stage.ends_well("mishaps");
}

#[test]
fn what_comes_late_twice_in_pieces_or_in_another_order_costs_nobody_anything() {
    lives_with_mishaps(Stage::simple(AGENTS, "tcp", mishaps(), 1), true);
}

#[test]
fn the_same_in_the_dialect_of_skype_for_business_over_our_connection_and_the_pools() {
    for own_connections in [false, true] {
        lives_with_mishaps(Stage::skype(AGENTS, own_connections, mishaps(), 1), true);
    }
}

/// Each of these rules once, and after each a connection that works.
fn lives_with_breaks(make: impl Fn(Vec<FaultRule>) -> Stage + Copy + Send + 'static, method: &str, ways: &[Way]) {
    let own = method == "BENOTIFY";
    let stages = breaks(method, ways).into_iter().map(|rule| {
        let name = format!("{rule:?}");
        let after = name.clone();
        let play: Box<dyn FnOnce() + Send> = Box::new(move || {
            let stage = make(vec![rule]);
            // The connection that broke, and one more after it; a pool's own begins when it has something to say.
            let done = || stage.proxy.counters();
            let again = || done().faults.values().sum::<u64>() == 1 && done().connections >= 2 + u64::from(own);
            assert!(moving(&stage, again), "{after}: {:?}", stage.proxy.counters());
            stage.ends_well(&after);
        });
        (name, play)
    });
    faults::together(stages.collect());
}

#[test]
fn connections_that_break_within_a_subscribe_are_made_again() {
    lives_with_breaks(|rules| Stage::simple(AGENTS, "tcp", rules, 2), "SUBSCRIBE", &BOTH);
}

#[test]
fn connections_that_break_within_a_notify_are_made_again() {
    lives_with_breaks(|rules| Stage::simple(AGENTS, "tcp", rules, 3), "NOTIFY", &BOTH);
}

#[test]
fn connections_of_skype_for_business_that_break_are_made_again() {
    lives_with_breaks(|rules| Stage::skype(AGENTS, false, rules, 4), "SUBSCRIBE", &BOTH);
    lives_with_breaks(|rules| Stage::skype(AGENTS, true, rules, 5), "REGISTER", &BOTH);
}

#[test]
fn connections_that_the_pool_opens_to_us_and_that_break_are_made_again() {
    lives_with_breaks(|rules| Stage::skype(AGENTS, true, rules, 6), "BENOTIFY", &[Way::ToClient]);
}

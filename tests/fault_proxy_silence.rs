//! The real program and a network on which messages vanish: only time shows it, by the timers of RFC 3261 (32 s for an
//! answer) and the keep-alive (30 s of silence, 10 s for the answer). All of it happens at the same time.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod faults;
mod process;

use faults::{Stage, patiently, together};
use presence_simulator::{Dice, Door, FaultRule, NetworkFault, Way};
use process::eventually;

const AGENTS: usize = 10;

type Play = (String, Box<dyn FnOnce() + Send>);

fn play(name: &str, stage: impl FnOnce() + Send + 'static) -> Play {
    (name.to_owned(), Box::new(stage))
}

fn drop_some(way: Way, method: &str) -> FaultRule {
    FaultRule::new(NetworkFault::Drop).way(way).method(method)
}

/// Messages of a kind vanish while everyone subscribes. In the end everyone has one subscription at the server, and before
/// anybody has moved: a NOTIFY would end a second one, by the 481 that answers it.
fn vanishing(name: &str, make: fn(Vec<FaultRule>) -> Stage, rule: FaultRule, times: u64) -> Play {
    let after = name.to_owned();
    play(name, move || {
        let stage = make(vec![rule.times(times)]);
        assert!(eventually(|| stage.proxy.counters().done("drop") == times), "{after}: {:?}", stage.proxy.counters());
        stage.until_well(&after);
        stage.ends_well(&after);
    })
}

fn simple(rules: Vec<FaultRule>) -> Stage {
    Stage::simple(AGENTS, "tcp", rules, 1)
}

fn skype(rules: Vec<FaultRule>) -> Stage {
    Stage::skype(AGENTS, false, rules, 1)
}

/// The connections that stand go silent in both directions; nobody is told.
fn silent(name: &str, make: fn(Vec<FaultRule>) -> Stage) -> Play {
    let after = name.to_owned();
    play(name, move || {
        let stage = make(vec![]);
        stage.until_well("the start");
        assert!(stage.proxy.silence_all() > 0);
        stage.move_all();
        let lost = "the application endpoint is lost; its agents keep their last value as stale";
        let told = || stage.service.lines().iter().any(|line| line.contains(lost));
        assert!(patiently(told), "{after}: {}", stage.service.lines().join("\n"));
        stage.until_well(&after);
        stage.ends_well(&after);
    })
}

/// Connections are accepted and nobody answers; then somebody does.
fn half_open(name: &str, make: fn(Vec<FaultRule>) -> Stage) -> Play {
    let after = name.to_owned();
    play(name, move || {
        let stage = make(vec![]);
        stage.until_well("the start");
        stage.proxy.set_door(Door::HalfOpen);
        stage.proxy.reset_all();
        assert!(eventually(|| stage.proxy.counters().done("half open") > 0), "{:?}", stage.proxy.counters());
        stage.move_all();
        stage.proxy.set_door(Door::Open);
        stage.until_well(&after);
        stage.ends_well(&after);
    })
}

/// Connections are reset as soon as they stand.
fn refused(name: &str, make: fn(Vec<FaultRule>) -> Stage) -> Play {
    let after = name.to_owned();
    play(name, move || {
        let stage = make(vec![]);
        stage.until_well("the start");
        stage.proxy.set_door(Door::Refused);
        stage.proxy.reset_all();
        assert!(eventually(|| stage.proxy.counters().done("refused") > 1), "{:?}", stage.proxy.counters());
        stage.proxy.set_door(Door::Open);
        stage.until_well(&after);
        stage.ends_well(&after);
    })
}

/// A datagram in five vanishes, and others come late, twice or in another order.
fn lossy(name: &str) -> Play {
    let after = name.to_owned();
    play(name, move || {
        let mut rules = vec![FaultRule::new(NetworkFault::Drop).chance(1, 5)];
        rules.push(FaultRule::new(NetworkFault::Duplicate).chance(1, 8));
        rules.push(FaultRule::new(NetworkFault::Reorder).chance(1, 8));
        let stage = Stage::simple(AGENTS, "udp", rules, 1);
        let dice = std::cell::RefCell::new(Dice::new(1));
        let lost = eventually(|| {
            stage.move_one(&mut dice.borrow_mut());
            stage.proxy.counters().done("drop") >= 40
        });
        assert!(lost, "{after}: {:?}", stage.proxy.counters());
        stage.ends_well(&after);
    })
}

#[test]
fn what_vanishes_is_missed_and_mended() {
    together(vec![
        vanishing("lost SUBSCRIBEs", simple, drop_some(Way::ToServer, "SUBSCRIBE").requests(), 3),
        vanishing("lost answers to SUBSCRIBE", simple, drop_some(Way::ToClient, "SUBSCRIBE").answers(), 3),
        vanishing("lost NOTIFYs", simple, drop_some(Way::ToClient, "NOTIFY").requests(), 3),
        vanishing("lost answers to NOTIFY", simple, drop_some(Way::ToServer, "NOTIFY").answers(), 3),
        vanishing("lost SUBSCRIBEs of lists", skype, drop_some(Way::ToServer, "SUBSCRIBE").requests(), 1),
        vanishing("lost answers to lists", skype, drop_some(Way::ToClient, "SUBSCRIBE").answers(), 1),
        vanishing("lost REGISTERs", skype, drop_some(Way::ToServer, "REGISTER").requests(), 1),
        silent("silence", simple),
        silent("silence of a list's dialog", skype),
        half_open("half-open connections", simple),
        half_open("half-open connections to a front end", skype),
        refused("refused connections", simple),
        refused("refused connections to a front end", skype),
        lossy("lost datagrams"),
    ]);
}

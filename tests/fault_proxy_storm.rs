//! All faults by chance between the real program and a simulated server, for minutes: `PP_LONG_TESTS=1`, and
//! `PRESENCE_SEED=7` for one that failed.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

mod faults;
mod process;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use faults::{Stage, mishaps, together};
use presence_simulator::{Dice, Door, FaultRule, NetworkFault};
use process::eventually;

/// So many gusts, each of some seconds and with a rest after it.
const GUSTS: usize = 25;
const AGENTS: usize = 50;

/// The seed that is asked for, or a fresh one.
fn seed() -> u64 {
    let given = std::env::var("PRESENCE_SEED").ok().map(|text| text.parse().unwrap());
    given.unwrap_or_else(|| RandomState::new().build_hasher().finish() % 1_000_000)
}

/// So many changes, 25 ms apart.
fn live_on(stage: &Stage, dice: &mut Dice, most: u64) {
    let (dice, left) = (std::cell::RefCell::new(dice), std::cell::Cell::new(most));
    eventually(|| {
        stage.move_one(&mut dice.borrow_mut());
        left.set(left.get().saturating_sub(1));
        left.get() == 0
    });
}

fn storm(stage: Stage, own_connections: bool, seed: u64) {
    let mut dice = Dice::new(seed);
    for _ in 0..GUSTS {
        mishaps().into_iter().for_each(|rule| stage.proxy.add(rule));
        match dice.below(8) {
            0 => stage.proxy.add(FaultRule::new(NetworkFault::Drop).chance(1, 20)),
            1 => stage.proxy.add(FaultRule::new(NetworkFault::Reset).chance(1, 100)),
            2 => stage.proxy.add(FaultRule::new(NetworkFault::Truncate).chance(1, 100)),
            3 => stage.proxy.add(FaultRule::new(NetworkFault::CloseAfter { bytes: 5_000 }).chance(1, 100)),
            4 => stage.proxy.add(FaultRule::new(NetworkFault::Silence).chance(1, 200)),
            5 => {
                stage.proxy.set_door(Door::HalfOpen);
                stage.proxy.reset_all();
            }
            6 => {
                stage.proxy.set_door(Door::Refused);
                stage.proxy.close_all();
            }
            _ => drop(stage.proxy.silence_all()),
        }
        let gust = 20 + dice.below(200);
        live_on(&stage, &mut dice, gust);
        stage.proxy.heal();
        let rest = dice.below(200);
        live_on(&stage, &mut dice, 1 + rest);
    }
    if own_connections {
        // A pool's own connection that was silenced swallows BENOTIFYs, which nobody answers, for as long as TCP of the
        // pool believes in it: the fault is over when that ends.
        stage.proxy.reset_all();
    }
    let told = stage.proxy.counters();
    println!("{told:?}");
    // A message that nobody answered is waited for, and a connection that says nothing is asked.
    let patience = Duration::from_secs(90);
    let calm = (0..patience.as_secs() / 30).any(|_| {
        stage.move_all();
        eventually(|| stage.complaint().is_none())
    });
    assert!(calm, "seed {seed}: {:?}", stage.complaint());
    stage.ends_well(&format!("a storm of seed {seed}"));
}

#[test]
fn after_minutes_of_everything_that_a_network_does_everyone_is_as_he_should_be() {
    if std::env::var_os("PP_LONG_TESTS").is_none() {
        println!("SKIPPED: minutes of chance; PP_LONG_TESTS=1 runs them");
        return;
    }
    let seed = seed();
    println!("PRESENCE_SEED={seed}");
    let play = |name: &str, own: bool, make: Box<dyn FnOnce() -> Stage + Send>| {
        let stage: Box<dyn FnOnce() + Send> = Box::new(move || storm(make(), own, seed));
        (name.to_owned(), stage)
    };
    together(vec![
        play("simple", false, Box::new(move || Stage::simple(AGENTS, "tcp", vec![], seed))),
        play("skype", false, Box::new(move || Stage::skype(AGENTS, false, vec![], seed))),
        play("skype with connections of its own", true, Box::new(move || Stage::skype(AGENTS, true, vec![], seed))),
    ]);
}

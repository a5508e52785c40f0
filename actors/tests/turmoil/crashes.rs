//! Hosts that crash and are started again.

use std::time::Duration;

use crate::support::errors;
use crate::world::{POOL, PROVIDER, World, lengths};

const PATIENCE: Duration = Duration::from_secs(180);
const AGENTS: usize = 30;

#[test]
fn a_pool_that_crashes_and_keeps_its_dialogs_gets_them_back() {
    let _listening = errors::listen();
    for (seed, length) in lengths(&[1, 40, 200], &[1_000, 3_000]) {
        let mut world = World::at_rest(AGENTS, seed);
        world.sim.crash(POOL);
        world.pass(Duration::from_secs(length));
        world.sim.bounce(POOL);
        world.recover(PATIENCE);
    }
}

#[test]
fn a_pool_that_crashes_and_forgets_everything_gets_everyone_anew() {
    let _listening = errors::listen();
    for (seed, length) in lengths(&[1, 40, 200], &[1_000, 3_000]) {
        let mut world = World::at_rest(AGENTS, seed);
        world.sim.crash(POOL);
        world.pool.forget();
        world.pass(Duration::from_secs(length));
        world.sim.bounce(POOL);
        world.recover(PATIENCE);
    }
}

#[test]
fn a_provider_that_crashes_leaves_nothing_that_its_next_life_does_not_replace() {
    let _listening = errors::listen();
    for (seed, length) in lengths(&[1, 40, 200], &[1_000, 3_000]) {
        let mut world = World::at_rest(AGENTS, seed);
        world.sim.crash(PROVIDER);
        world.pass(Duration::from_secs(length));
        world.sim.bounce(PROVIDER);
        world.recover(PATIENCE);
    }
}

#[test]
fn a_pool_that_crashes_again_and_again_while_everyone_subscribes_is_subscribed_in_the_end() {
    let _listening = errors::listen();
    let mut world = World::new(AGENTS, 1);
    for _ in 0..10 {
        world.pass(Duration::from_millis(1_300));
        world.sim.crash(POOL);
        world.pass(Duration::from_millis(700));
        world.sim.bounce(POOL);
    }
    world.recover(PATIENCE);
}

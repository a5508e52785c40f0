//! Networks that are cut and held up.

use std::time::Duration;

use crate::support::errors;
use crate::world::{POOL, PROVIDER, World, lengths};

/// So long it may take until everyone is fresh after a repair: an OPTIONS that nobody answers (30 s of silence and
/// 10 s), the way back, and a SUBSCRIBE that nobody answered (32 s) with its back-off (15 s).
const PATIENCE: Duration = Duration::from_secs(180);
const AGENTS: usize = 30;

#[test]
fn without_faults_everyone_is_subscribed_once_and_at_the_rate() {
    let _listening = errors::listen();
    let mut world = World::new(AGENTS, 1);
    let took = world.until_well(Duration::from_secs(60));
    assert!(took < Duration::from_secs(4), "30 at 15 per second are 2 s, not {took:?}");
    world.pass_moving(Duration::from_secs(60));
    world.recover(Duration::from_secs(2));
    let counters = world.pool.counters();
    assert_eq!((counters.most_for_one_agent, counters.subscribes), (1, AGENTS as u64));
    assert_eq!(world.diary.subscribes.lock().unwrap()[0].len(), AGENTS, "each is seen on its way out");
}

#[test]
fn a_partition_of_any_length_costs_nobody_anything_but_time() {
    let _listening = errors::listen();
    for (seed, length) in lengths(&[5, 50, 300], &[3_000, 7_200]) {
        let mut world = World::at_rest(AGENTS, seed);
        world.sim.partition(PROVIDER, POOL);
        world.pass_moving(Duration::from_secs(length));
        world.sim.repair(PROVIDER, POOL);
        world.recover(PATIENCE);
        assert_eq!(world.pool.counters().most_for_one_agent, 1, "dialogs were adopted");
    }
}

#[test]
fn a_network_that_loses_one_direction_only_is_noticed_and_survived() {
    let _listening = errors::listen();
    for (seed, (from, to)) in [(1, (PROVIDER, POOL)), (2, (POOL, PROVIDER))] {
        for (more, length) in lengths(&[20, 100], &[900, 4_000]) {
            let mut world = World::at_rest(AGENTS, seed + more);
            world.sim.partition_oneway(from, to);
            world.pass_moving(Duration::from_secs(length));
            world.sim.repair_oneway(from, to);
            world.recover(PATIENCE);
        }
    }
}

#[test]
fn what_is_lost_while_subscribing_is_subscribed_again_and_leaves_no_second_dialog() {
    let _listening = errors::listen();
    for (seed, after) in [(1, 100), (2, 700), (3, 1_500)] {
        for (from, to) in [(PROVIDER, POOL), (POOL, PROVIDER)] {
            let mut world = World::new(AGENTS, seed);
            world.pass(Duration::from_millis(after));
            world.sim.partition_oneway(from, to);
            world.pass(Duration::from_secs(90));
            world.sim.repair_oneway(from, to);
            world.recover(PATIENCE);
        }
    }
}

#[test]
fn what_is_only_late_is_no_loss() {
    let _listening = errors::listen();
    let mut world = World::at_rest(AGENTS, 1);
    world.sim.hold(PROVIDER, POOL);
    world.pass_moving(Duration::from_secs(8));
    world.sim.release(PROVIDER, POOL);
    world.recover(Duration::from_secs(3));
    let counters = world.pool.counters();
    assert_eq!((counters.subscribes, counters.connections), (AGENTS as u64, 1));
}

#[test]
fn what_comes_when_it_was_given_up_long_ago_confuses_nobody() {
    let _listening = errors::listen();
    for (seed, length) in lengths(&[45, 120], &[1_000, 3_000]) {
        let mut world = World::at_rest(AGENTS, seed);
        world.sim.hold(PROVIDER, POOL);
        world.pass_moving(Duration::from_secs(length));
        world.sim.release(PROVIDER, POOL);
        world.recover(PATIENCE);
    }
}

#[test]
fn an_idle_connection_that_died_is_found_by_its_keep_alive() {
    let _listening = errors::listen();
    let mut world = World::at_rest(AGENTS, 1);
    world.pass(Duration::from_secs(600));
    // Segments of the old connection are lost for good, so it never works again: half open.
    world.sim.partition(PROVIDER, POOL);
    world.pass_moving(Duration::from_secs(3));
    world.sim.repair(PROVIDER, POOL);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.pool.counters().connections, 2, "30 s of silence and 10 s for the answer");
    world.recover(Duration::from_secs(5));
}

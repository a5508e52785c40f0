//! Agents and owners who move.

use presence_simulator::Switches;

use crate::support::{APP, Ask, Bench, agent, content, instance, uri};

#[test]
fn an_agent_who_moves_is_told_to_the_lists_that_held_it() {
    let mut bench = Bench::new();
    bench.listed(3);
    let told = bench.order("move sip:agent1@sim.example 1");
    assert_eq!(told.len(), 1);
    let stands = instance(&told[0]);
    assert!(stands.starts_with("Resubscribe - 0 0 sip:pool1.sim.example@sim.example;gruu;opaque="), "{stands}");
    assert_eq!(bench.front.live_subscriptions(), 2);
    let home = stands.split(' ').next_back().unwrap().to_owned();
    let there = bench.ask(&Ask::list(APP, &[agent(1)]).at_pool(&home));
    assert_eq!(content(&there).1.len(), 1);
    let told = bench.order("move all 0");
    assert_eq!(told.len(), 1);
    assert_eq!(bench.front.live_subscriptions(), 2, "agents 2 and 3 never left");
    assert_eq!(bench.violations(), Vec::<String>::new());
}

#[test]
fn an_agent_in_a_dialog_of_its_own_may_move_and_stays_in_it() {
    let mut bench = Bench::new();
    bench.ask(&Ask::single(APP, &agent(1)));
    assert!(bench.order("move sip:agent1@sim.example 1").is_empty());
    assert_eq!(bench.order("set sip:agent1@sim.example busy").len(), 1);
}

#[test]
fn an_agent_who_is_disabled_is_terminated_everywhere() {
    let mut bench = Bench::new();
    bench.listed(2);
    bench.ask(&Ask::single(APP, &agent(1)));
    assert_eq!(bench.front.counters().most_live_for_one_agent, 2);
    let told = bench.order("disable sip:agent1@sim.example");
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|one| instance(one) == "Terminated rejected 403 2004 -"));
    let states: Vec<_> = told.iter().map(|one| one.header("subscription-state").unwrap()).collect();
    assert_eq!(states, ["active;expires=28800", "terminated;expires=0"], "the list lives, the other is over");
    assert_eq!(bench.front.subscriptions_of(&uri(&agent(1))), Vec::new());
}

#[test]
fn an_owner_who_moves_is_deactivated_and_redirected() {
    let mut bench = Bench::with(Switches::default());
    let told = bench.order(&format!("move {APP} 1"));
    assert_eq!(told.len(), 1);
    assert_eq!(&told[0].body()[..], b"deregistered;event=deactivated\r\n");
    assert_eq!(bench.refused(&Ask::register(APP).call("again")).0, 301);
}

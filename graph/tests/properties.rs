//! Whoever comes and goes, and whatever is answered: nothing is asked twice, nothing too fast, nothing is lost or left behind.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod world;

use std::time::Duration;

use presence_core::AgentUri;
use presence_simulator::GraphServiceSettings;
use proptest::prelude::*;
use world::{Spoilt, World, agent, agent_of, secs, service_tenant, settings};

const A: &str = "aaaaaaaa-0000-4000-8000-000000000000";
const B: &str = "bbbbbbbb-0000-4000-8000-000000000000";

/// What goes wrong by chance.
const TROUBLES: [&str; 16] = [
    "outage 503 times 7",
    "outage reset for 9s",
    "outage silence for 4s",
    "throttle 1.5 times 2",
    "throttle absent times 3 account a1",
    "refuse 401 times 2",
    "refuse 403 times 1 on presence account a2",
    "refuse 403 times 1 on users",
    "refuse 400 times 1 on presence",
    "answer garbage times 2",
    "answer empty times 1",
    "expire-tokens a1",
    "leave-out agent3@a.example times 4",
    "remove agent5@a.example",
    "restore agent5@a.example",
    "heal",
];

#[derive(Clone, Debug)]
enum Step {
    Register(u32, u32),
    Unregister(u32, u32),
    Trouble(usize),
    Change(u32),
    Spoil(bool),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (1..60_u32, 1..25_u32).prop_map(|(first, count)| Step::Register(first, count)),
        4 => (1..60_u32, 1..25_u32).prop_map(|(first, count)| Step::Unregister(first, count)),
        2 => (0..TROUBLES.len()).prop_map(Step::Trouble),
        2 => (1..60_u32).prop_map(Step::Change),
        1 => any::<bool>().prop_map(Step::Spoil),
        6 => (1..4_000_u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 50..250)
}

/// Users 1 to 40 of each tenant exist; three names of four are of tenant A, the fourth of B.
fn name(number: u32) -> AgentUri {
    agent_of(number, if number.is_multiple_of(4) { "b.example" } else { "a.example" })
}

fn check(world: &World) {
    let registered = world.agents.iter().filter(|(_, seen)| seen.registered).count();
    let known = world.agents.keys().filter(|uri| world.graph.inspect(uri).is_some()).count();
    assert_eq!(registered, known, "who is registered is known, and nobody else");
    let tenants = world.view().tenants;
    let kept: usize = tenants.iter().map(|tenant| tenant.agents + tenant.looking_up).sum();
    assert_eq!(kept, registered, "each is polled or looked up, once");
    for (account, most) in world.service.counters().most_in_a_second_by_account {
        assert!(most <= 5, "{account}: {most} in a second");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_rate_holds_nobody_is_lost_and_all_are_fresh_in_the_end(steps in steps()) {
        let mut service = GraphServiceSettings::with_users(0, "unused.example");
        service.tenants = vec![
            service_tenant(0, A, "a.example", 40, &["a1", "a2"]),
            service_tenant(1, B, "b.example", 40, &["b1"]),
        ];
        let mut settings = settings(&[(A, &[], &["a1", "a2"]), (B, &[], &["b1"])]);
        settings.requests_per_second = 5.try_into().unwrap();
        let mut world = World::new(settings, service);
        for step in steps {
            match step {
                Step::Register(first, count) => (first..first + count).for_each(|number| world.register(&name(number))),
                Step::Unregister(first, count) => {
                    for uri in (first..first + count).map(name) {
                        if world.agents.get(&uri).is_some_and(|seen| seen.registered) {
                            world.unregister(&uri);
                        }
                    }
                }
                Step::Trouble(which) => world.command(TROUBLES[which]),
                Step::Change(number) => {
                    let user = name(1 + number % 40).as_str().replace("sip:", "");
                    world.command(&format!("set {user} Busy"));
                }
                Step::Spoil(spoils) => {
                    world.spoil = spoils.then_some(|number| match number % 5 {
                        0 => Spoilt::Never,
                        1 => Spoilt::Twice,
                        2 => Spoilt::Late(secs(21)),
                        _ => Spoilt::No,
                    });
                }
                Step::Wait(milliseconds) => world.run(Duration::from_millis(milliseconds)),
            }
            check(&world);
        }
        world.spoil = None;
        world.command("heal");
        world.command("restore agent5@a.example");
        world.run(secs(3_600));
        check(&world);
        let fresh = world.agents.values().filter(|seen| seen.registered).all(world::Seen::is_fresh);
        prop_assert!(fresh, "after an hour without trouble: {:#?}", world.view());
        let all: Vec<AgentUri> =
            world.agents.iter().filter(|(_, seen)| seen.registered).map(|(uri, _)| uri.clone()).collect();
        all.iter().for_each(|uri| world.unregister(uri));
        world.run(secs(30));
        check(&world);
        let polls = world.polls.len();
        world.run(secs(600));
        let view = world.view();
        prop_assert_eq!(world.polls.len(), polls, "nobody is asked for any more");
        prop_assert!(view.tenants.iter().all(|tenant| tenant.batches == 0 && tenant.looking_up == 0));
    }
}

#[test]
fn the_same_seed_does_the_same() {
    let run = || {
        let mut world = World::with_users(300);
        (1..=300).for_each(|number| world.register(&agent(number)));
        world.command("outage 503 times 9");
        world.run(secs(300));
        world.polls
    };
    assert_eq!(run(), run());
}

//! A hundred thousand agents.

use std::time::Duration;

use presence_simulator::{Activity, AgentState, FrontEndSettings, Switches};

use crate::support::{APP, Ask, Bench, agent, content, next, uri};

const MANY: usize = 100_000;

#[test]
fn a_hundred_thousand_agents_are_listed_in_chunks_and_a_change_tells_only_its_watchers() {
    let mut settings =
        FrontEndSettings::one_pool("pool0.sim.example", "192.0.2.1:5061".parse().unwrap(), MANY, "sim.example");
    settings.switches = Switches { extensions: false, ..Switches::default() };
    let mut bench = Bench::of(settings);
    bench.ask(&Ask::register(APP));
    let all: Vec<_> = (1..=MANY).map(agent).collect();
    let mut chunks = all.chunks(500);
    let mut ask = Ask::list(APP, chunks.next().unwrap());
    let mut told = bench.ask(&ask);
    for chunk in chunks {
        bench.now += Duration::from_millis(1_010);
        ask = Ask { body: crate::support::body(APP, chunk), ..next(&ask, &told) };
        told = bench.ask(&ask);
    }
    assert_eq!(content(&told).1.len(), 500);
    let counters = bench.front.counters();
    assert_eq!((counters.live_now, counters.dialogs_now), (MANY, 1));
    assert_eq!((counters.most_live_for_one_agent, counters.most_resources_in_a_second), (1, 500));
    assert_eq!((counters.asked_twice, counters.violation_count), (0, 0));
    for number in (1..=MANY).step_by(100) {
        bench.front.set_presence(bench.now, &uri(&agent(number)), AgentState::of(Activity::Busy));
        assert_eq!(bench.drain().len(), 1);
    }
    assert_eq!(bench.order("move all 0").len(), 0);
    bench.order(&format!("terminate {APP}"));
    assert_eq!(bench.front.live_subscriptions(), 0);
}

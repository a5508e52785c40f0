//! R1 and R2 of the reliability targets: how long 10,000 agents are without presence after outages, against the optimum.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use presence_actors::now;
use presence_core::Freshness;
use presence_simulator::Dice;

use crate::journal::Journal;
use crate::process::{Process, Settings};
use crate::site::{Kind, Site};
use crate::support::{agent, in_virtual_time, pass, seconds};

const AGENTS: usize = 10_000;
const RATE: u32 = 15;
const OUTAGES: u64 = 5;

/// The sum over all agents of the seconds that each waits, when they are put on the wire one after the other at the rate.
fn optimum() -> f64 {
    let last = AGENTS as f64 - 1.0;
    AGENTS as f64 * last / 2.0 / f64::from(RATE)
}

#[test]
fn after_an_outage_agents_are_without_presence_for_hardly_longer_than_the_rate_demands() {
    if std::env::var_os("PP_LONG_TESTS").is_none() {
        println!("skipped: 10,000 agents through {OUTAGES} outages only with PP_LONG_TESTS=1");
        return;
    }
    in_virtual_time(|| async {
        let settings = Settings {
            rate: RATE,
            first: seconds(10),
            longest: seconds(28_800),
            max_failures: 3,
            outbox: 2 * AGENTS,
            endpoints: 1,
            samples: None,
        };
        let journal = Rc::new(RefCell::new(Journal::new(Kind::Simple, 15, settings.first, settings.longest)));
        let site = Site::start(Kind::Simple, AGENTS, 1, seconds(28_800), Rc::clone(&journal));
        let process = Process::start(&site, Kind::Simple, settings, 1, None).await;
        let ucc = process.ucc("ucc").await;
        ucc.subscribe_to(1..=AGENTS);
        pass(seconds(700)).await;
        let mut dice = Dice::new(1);
        for _ in 0..OUTAGES {
            let length = seconds(30 + dice.below(3_600));
            site.set_online(0, false);
            pass(length).await;
            ucc.heard();
            site.set_online(0, true);
            let back = now();
            pass(seconds(900)).await;
            let mut fresh = BTreeMap::new();
            for (at, event) in ucc.heard_when() {
                let is_fresh = event.presence().is_some_and(|presence| presence.freshness == Freshness::Fresh);
                if let Some(uri) = event.uri().filter(|_| is_fresh) {
                    fresh.entry(uri.clone()).or_insert((at - back).as_secs_f64());
                }
            }
            let lost = (1..=AGENTS).filter(|number| !fresh.contains_key(&agent(*number))).count();
            let (sum, last) = (fresh.values().sum::<f64>(), fresh.values().copied().fold(0.0, f64::max));
            let ratio = sum / optimum();
            println!(
                "outage of {length:?}: {sum:.0} agent-seconds, {ratio:.4} x optimum, last after {last:.1} s, {lost} lost"
            );
            assert_eq!(lost, 0, "R2");
            assert!(ratio <= 1.05, "R1: {ratio}");
        }
        assert_eq!(journal.borrow_mut().take_wrong(), Vec::<String>::new());
        process.kill().await;
    });
}

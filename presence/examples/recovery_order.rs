//! What the order is worth in which agents come back after an outage:
//! `cargo run --release -p presence-core --example recovery_order [-- AGENTS QUEUES PER_SECOND SEEDS]`.
//!
//! The world of docs/decisions/0033: 10,000 agents in one to five of 200 queues whose sizes are Zipf's, 28 % of them available
//! at any time, which is forgotten within half an hour; a pool that was away for 2 minutes and for an hour; 15 per second.
#![allow(clippy::print_stdout, reason = "it prints a table")]

#[path = "recovery_order/world.rs"]
mod world;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use world::{Figures, Plan, Way, recover};

#[allow(clippy::disallowed_methods, reason = "an instant to count from, far enough from the beginning of time")]
fn start() -> Instant {
    Instant::now() + Duration::from_secs(86_400)
}

fn main() {
    let numbers: Vec<u32> = std::env::args().skip(1).map_while(|word| word.parse().ok()).collect();
    let number = |place: usize, usual| numbers.get(place).copied().filter(|number| *number > 0).unwrap_or(usual);
    let (agents, uccs, rate, seeds) = (number(0, 10_000), number(1, 200), number(2, 15), number(3, 5));
    let per_second = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
    println!("{agents} agents, {uccs} queues, {rate} per second, means of {seeds} seeds");
    for outage in [120, 3_600] {
        println!(
            "\nafter an outage of {outage} s{:>30} {:>8} {:>10} {:>9} {:>8}",
            "first", "worst", "available", "optimum", "last"
        );
        let mut rows = Vec::new();
        for way in Way::ALL {
            let mut mean = Figures::default();
            for seed in 1..=seeds {
                let plan = Plan { agents, uccs, per_second, outage: Duration::from_secs(outage), seed: seed.into() };
                let figures = recover(plan, way, start());
                let part = 1.0 / f64::from(seeds);
                mean.first_agent += figures.first_agent * part;
                mean.worst += figures.worst * part;
                mean.available_seconds += figures.available_seconds * part;
                mean.over_optimum += figures.over_optimum * part;
                mean.last += figures.last * part;
            }
            rows.push((way, mean));
        }
        let oracle = rows.last().map_or(1.0, |(_, oracle)| oracle.available_seconds);
        for (way, row) in rows {
            let available = row.available_seconds / oracle;
            println!(
                "{:<38} {:>8.2} s {:>6.1} s {available:>9.2}x {:>8.4}x {:>6.1} s",
                way.name(),
                row.first_agent,
                row.worst,
                row.over_optimum,
                row.last
            );
        }
    }
}

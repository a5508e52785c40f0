//! The tree of actors against a simulated pool in memory, in virtual time.
#![allow(clippy::unwrap_used, missing_docs, dead_code, reason = "test code; not every part uses all of the support")]
#![allow(clippy::print_stdout, reason = "the seed of a day, so that it can be lived again")]
#![allow(clippy::disallowed_methods, reason = "the clock of these tests is the paused one, and they wait on it")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/phone.rs"]
mod phone;

mod day;
mod lines;
mod observing;
mod order;
mod outage;
mod pace;
mod pushes;
mod refusals;
mod sharing;
mod shutdown;
mod silent;
mod slow_uccs;
mod spoofed;
mod supervision;
mod two_endpoints;
mod unheard;
mod warm;

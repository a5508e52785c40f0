//! The tree of actors against simulated Skype for Business front ends in memory, in virtual time.
#![allow(clippy::unwrap_used, missing_docs, dead_code, reason = "test code; not every part uses all of the support")]
#![allow(clippy::disallowed_methods, reason = "the clock of these tests is the paused one, and they wait on it")]
#![allow(clippy::print_stdout, reason = "figures, and the seed of a day, so that it can be lived again")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/phone.rs"]
mod phone;

#[path = "../support/forest.rs"]
mod forest;

mod day;
mod endpoints;
mod events;
mod failures;
mod faults;
mod found;
mod life;
mod outage;
mod rows;
mod silent;
mod spoofed;

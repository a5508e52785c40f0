//! The tree of actors on one host and the simulated pool on another, with a network between them that is cut, held up
//! and repaired, and hosts that crash: in virtual time, by seeds (turmoil).
#![allow(clippy::unwrap_used, missing_docs, dead_code, reason = "test code; not every part uses all of the support")]
#![allow(clippy::print_stdout, reason = "the seed of a storm, so that it can be lived again")]
#![allow(clippy::disallowed_methods, reason = "the clock of these tests is the paused one, and they wait on it")]

#[path = "../support/mod.rs"]
mod support;

mod crashes;
mod partitions;
mod pool;
mod provider;
mod storms;
mod world;

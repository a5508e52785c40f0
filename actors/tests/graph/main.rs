//! The tree of actors against a simulated Microsoft Graph in memory, in virtual time: what a UCC sees of every failure.
#![allow(clippy::unwrap_used, missing_docs, dead_code, reason = "test code; not every part uses all of the support")]
#![allow(clippy::disallowed_methods, reason = "the clock of these tests is the paused one, and they wait on it")]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod chance;
mod day;
mod declined;
mod directory;
mod ending;
mod failures;
mod flights;
mod microsoft;
mod push;
mod supervision;
mod tenants;
mod throttling;
mod values;
mod warm;
mod world;

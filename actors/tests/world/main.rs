//! A simulated world: the whole tree of actors in virtual time, with everything that can go wrong, by seed, against a small
//! model of what is true. See docs/testing.md, "The simulated world".
#![allow(clippy::unwrap_used, missing_docs, dead_code, reason = "test code; not every part uses all of the support")]
#![allow(clippy::disallowed_methods, reason = "the clock of these tests is the paused one, and they wait on it")]
#![allow(clippy::print_stdout, reason = "figures, and the seed of a day, so that it can be lived again")]
#![allow(clippy::let_underscore_untyped, reason = "some fates do not matter")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/forest.rs"]
mod forest;

mod announced;
mod calm;
mod days;
mod figures;
mod found;
mod happenings;
mod journal;
mod life;
mod process;
mod site;
mod told;
mod weather;
mod world;

//! The dialect `skype` against a scripted pool, in virtual time.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "a test may panic, and begins now")]
#![allow(clippy::print_stdout, reason = "a skipped test says why, and a measurement its figure")]

mod attacks;
mod attempts;
mod elsewhere;
mod failures;
mod gathering;
mod lifetimes;
mod losses;
mod notifications;
mod polling;
mod pool;
mod properties;
mod queries;
mod refusals;
mod requests;
mod singles;
mod weight;

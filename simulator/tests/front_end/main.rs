//! The simulated front end under virtual time, one sentence per rule and per answer of the checklist.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, reason = "tests")]

mod answers;
mod audit;
mod commands;
mod faults;
mod many;
mod notifications;
mod pair;
mod pools;
mod registration;
mod rules;
mod same_seed;
mod support;
mod vectors;

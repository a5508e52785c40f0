//! The process around the presence provider: its command line, its log, its signals and its exit codes.
//!
//! The program is `presence-provider`; this library is what its `main` and its tests are made of. What a contact
//! centre embeds is the package `presence-actors`.

pub mod answer;
pub mod args;
pub mod assemble;
mod certificates;
pub mod check;
mod configuration;
pub mod core_dumps;
pub mod demo;
pub mod doctor;
pub mod exit;
pub mod explain;
pub mod graph;
pub mod hosted_ucc;
pub mod http;
pub mod logging;
pub mod pools;
pub mod provision;
pub mod pulse;
pub mod readiness;
pub mod renewal;
pub mod run;
mod service_manager;
pub mod shutdown;
pub mod simulate;
pub mod start;
pub mod state;
pub mod terminal;
mod this_computer;
pub mod token;

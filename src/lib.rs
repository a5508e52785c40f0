//! The process around the presence provider: its command line, its log, its signals and its exit codes.
//!
//! The program is `presence-provider`; this library is what its `main` and its tests are made of. What a contact
//! centre embeds is the package `presence-actors`.

pub mod args;
pub mod exit;
pub mod logging;
pub mod shutdown;

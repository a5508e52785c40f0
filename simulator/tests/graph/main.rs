//! The simulated Microsoft Graph in virtual time, by requests written by hand.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "tests")]

mod assertions;
mod directory;
mod faults;
mod login;
mod presence;
mod push;
mod support;

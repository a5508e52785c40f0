//! The subscriber against a scripted notifier, in virtual time.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "a test may panic, and begins now")]

mod challenges;
mod dialogs;
mod failures;
mod lifetimes;
mod losses;
mod misbehaviour;
mod notifier;
mod oracle;
mod properties;
mod queries;
mod requests;
mod single;
mod stalled;

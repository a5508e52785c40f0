//! The registration of an endpoint against a scripted pool, in virtual time.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "a test may panic, and begins now")]

mod challenges;
mod events;
mod grants;
mod properties;
mod redirections;
mod refusals;
mod requests;
mod scene;
mod timing;

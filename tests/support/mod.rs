//! What the integration tests share: a real presence server to talk to, and a telephone of a few lines to talk with.
//!
//! | module | what it gives |
//! |---|---|
//! | [`kamailio`] | a Kamailio of one's own on loopback: start, faults, kill, restart, what it saw |
//! | [`certificates`] | a little PKI for mutual TLS: authority, pool, application, and two impostors |
//! | [`capture`] | what was on the wire, by tshark |
//! | [`phone`] | raw SIP text over UDP or TCP, read by nothing of ours, so that both sides cannot share a mistake |
//! | [`documents`] | presence documents to publish |
//! | [`running`] | the provider in this process, in a thread of its own, and UCCs that write down what they hear |
//!
//! Everything here blocks and waits on the wall clock, since the peer is another process: a test that runs the provider
//! in the same process calls it from `tokio::task::spawn_blocking` or gives the provider a thread of its own.
//! A test file that uses Kamailio is called `kamailio_*.rs`: `tests/run` and `.config/nextest.toml` go by that name.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "each test binary uses a part of this module, and waits for another process on the wall clock"
)]

pub mod capture;
pub mod certificates;
pub mod documents;
pub mod kamailio;
pub mod observed;
pub mod phone;
pub mod running;

use std::time::{Duration, Instant};

/// Asks `condition` again every 10 ms until it gives a value; panics with `what` after `patience`.
#[track_caller]
pub fn eventually<T>(what: &str, patience: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {patience:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Says that a peer is missing. With `CI=true` that is a failure; elsewhere the reason is printed and the test returns.
pub fn skip_or_fail(reason: &str) {
    assert!(!std::env::var("CI").is_ok_and(|value| value == "true"), "CI=true and {reason}");
    println!("SKIPPED: {reason}");
}

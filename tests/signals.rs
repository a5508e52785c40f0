//! Real signals of a real process.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;
use std::time::Duration;

use presence_provider::shutdown::{Signal, Signals};

/// Sends a signal to this very process.
fn send(signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &std::process::id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn reload_is_survived_and_terminate_and_interrupt_end_the_service() {
    let mut signals = Signals::listen().unwrap();
    let patience = Duration::from_secs(20);

    send("HUP");
    assert_eq!(tokio::time::timeout(patience, signals.next()).await.unwrap(), Signal::Reload);

    for (name, expected) in [("TERM", Signal::Terminate), ("INT", Signal::Interrupt)] {
        send("HUP");
        send(name);
        assert_eq!(tokio::time::timeout(patience, signals.end()).await.unwrap(), expected);
        // The order of two signals that are pending at once is the system's; a late reload must not leak into the next round.
        let _ = tokio::time::timeout(Duration::from_millis(100), signals.next()).await;
    }
}

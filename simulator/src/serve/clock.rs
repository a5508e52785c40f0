//! The only place of this crate that asks for the time or waits for it.

use std::time::{Duration, Instant};

/// Now, by the runtime's clock (which a test may stop).
#[expect(clippy::disallowed_methods, reason = "the shell's one clock; the machine gets the time from here")]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Returns after this long. For what is no deadline of the machine: a closed listener, the patience of a benchmark.
#[expect(clippy::disallowed_methods, reason = "a story says how long; no machine has this deadline")]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

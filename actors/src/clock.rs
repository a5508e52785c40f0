//! The one place where the actors read the time.
//!
//! It is tokio's clock, so that a test with a paused runtime owns it; the pure crates get it as an argument.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use actix::SpawnHandle;

/// Now, on the monotonic clock of the runtime.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The time of day at `instant`. Both clocks are compared once, at the first call.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the anchor between the two clocks is read here and nowhere else")]
pub fn time_of_day(instant: Instant) -> SystemTime {
    static ANCHOR: OnceLock<(Instant, SystemTime)> = OnceLock::new();
    let (anchor, wall) = *ANCHOR.get_or_init(|| (now(), SystemTime::now()));
    match instant.checked_duration_since(anchor) {
        Some(later) => wall + later,
        None => wall.checked_sub(anchor.duration_since(instant)).unwrap_or(SystemTime::UNIX_EPOCH),
    }
}

/// How long from now until `deadline`; zero when it has passed.
#[must_use]
pub(crate) fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(now())
}

/// True when the timer that is armed will do: it fires in time, and a machine that is woken too early does nothing. Most
/// messages move a deadline away, and to arm a timer anew for each of them costs as much as the message.
#[must_use]
pub(crate) fn keeps(armed: Option<(Instant, SpawnHandle)>, deadline: Option<Instant>) -> bool {
    matches!((armed, deadline), (Some((at, _)), Some(deadline)) if at <= deadline)
}

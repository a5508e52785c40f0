//! The one place where the tests of this crate take a moment to count from.

use std::time::Instant;

#[allow(clippy::disallowed_methods, reason = "an instant cannot be made otherwise; the tests only add to it")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

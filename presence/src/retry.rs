//! How long to wait before the next attempt at one agent URI.

use std::time::Duration;

/// Why two durations are no retry policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryPolicyError {
    /// The first delay is nothing.
    #[error("the first delay is zero; give at least one second")]
    FirstIsZero,
    /// The longest delay is shorter than the first.
    #[error("the longest delay {max:?} is shorter than the first delay {first:?}")]
    MaxBelowFirst {
        /// The first delay.
        first: Duration,
        /// The longest delay.
        max: Duration,
    },
}

/// The seed's exponential back-off: `first`, 2·`first`, 4·`first` … `max`, without jitter.
///
/// ```
/// use presence_core::RetryPolicy;
/// use std::time::Duration;
/// let policy = RetryPolicy::try_new(Duration::from_secs(10), Duration::from_secs(28_800))?;
/// let delays: Vec<u64> = (1..=5).map(|failures| policy.delay(failures).as_secs()).collect();
/// assert_eq!(delays, [10, 20, 40, 80, 160]);
/// # Ok::<(), presence_core::RetryPolicyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    first: Duration,
    max: Duration,
}

impl RetryPolicy {
    /// A policy with this first delay (`FailedPresenceSubscriptionsResubscribeDelay`) and this longest delay
    /// (`MaxFailedPresenceSubscriptionsResubscribeDelay`).
    ///
    /// # Errors
    /// When the first delay is zero or the longest is shorter than the first.
    pub const fn try_new(first: Duration, max: Duration) -> Result<Self, RetryPolicyError> {
        if first.is_zero() {
            return Err(RetryPolicyError::FirstIsZero);
        }
        if max.as_nanos() < first.as_nanos() {
            return Err(RetryPolicyError::MaxBelowFirst { first, max });
        }
        Ok(Self { first, max })
    }

    /// The delay after this many consecutive failures, counted from 1; 0 is taken as 1.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.max)
    }

    /// The first delay.
    #[must_use]
    pub const fn first(&self) -> Duration {
        self.first
    }

    /// The longest delay.
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }
}

impl Default for RetryPolicy {
    /// The seed's defaults: 900 s, at most 28,800 s.
    fn default() -> Self {
        Self { first: Duration::from_secs(900), max: Duration::from_secs(28_800) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn retries_double_to_the_cap_and_stay_there() {
        let policy = RetryPolicy::try_new(seconds(10), seconds(28_800)).expect("valid");
        let delays: Vec<u64> = (1..=15).map(|failures| policy.delay(failures).as_secs()).collect();
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 20_480, 28_800, 28_800, 28_800]);
        assert_eq!(policy.delay(0), seconds(10));
        assert_eq!(policy.delay(33), seconds(28_800));
        assert_eq!(policy.delay(u32::MAX), seconds(28_800));
    }

    #[test]
    fn the_longest_durations_do_not_overflow() {
        let policy = RetryPolicy::try_new(Duration::MAX, Duration::MAX).expect("valid");
        assert_eq!(policy.delay(u32::MAX), Duration::MAX);
        let tiny = RetryPolicy::try_new(Duration::from_nanos(1), Duration::MAX).expect("valid");
        assert_eq!(tiny.delay(32), Duration::from_nanos(1 << 31));
    }

    #[test]
    fn an_impossible_policy_cannot_be_made() {
        assert_eq!(RetryPolicy::try_new(seconds(0), seconds(1)), Err(RetryPolicyError::FirstIsZero));
        assert!(matches!(RetryPolicy::try_new(seconds(2), seconds(1)), Err(RetryPolicyError::MaxBelowFirst { .. })));
    }
}

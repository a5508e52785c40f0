//! How often something may be made anew after it died.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Allows at most `limit` restarts within any window of time; after that whoever asked has to give up.
///
/// ```
/// use presence_core::RestartBudget;
/// use std::time::{Duration, Instant};
/// let mut budget = RestartBudget::new(3, Duration::from_secs(60));
/// let now = Instant::now();
/// assert!((0..3).all(|_| budget.allow(now)));
/// assert!(!budget.allow(now));
/// assert!(budget.allow(now + Duration::from_secs(60)));
/// ```
#[derive(Clone, Debug)]
pub struct RestartBudget {
    limit: usize,
    window: Duration,
    restarts: VecDeque<Instant>,
}

impl RestartBudget {
    /// At most this many restarts within this window.
    #[must_use]
    pub const fn new(limit: usize, window: Duration) -> Self {
        Self { limit, window, restarts: VecDeque::new() }
    }

    /// True when one more restart is within the budget; it is then counted.
    pub fn allow(&mut self, now: Instant) -> bool {
        while self.restarts.front().is_some_and(|&first| now.saturating_duration_since(first) >= self.window) {
            self.restarts.pop_front();
        }
        let allowed = self.restarts.len() < self.limit;
        if allowed {
            self.restarts.push_back(now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_allowed_again_when_the_first_one_has_left_the_window() {
        let start = crate::test_clock::start();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut budget = RestartBudget::new(3, Duration::from_secs(60));
        let asked: Vec<bool> = [0, 10, 20, 30, 59, 60, 61, 70].map(|second| budget.allow(at(second))).into();
        assert_eq!(asked, [true, true, true, false, false, true, false, true]);
    }

    #[test]
    fn a_budget_of_nothing_allows_nothing() {
        assert!(!RestartBudget::new(0, Duration::from_secs(60)).allow(crate::test_clock::start()));
    }
}

//! How long it is waited after failures.

use std::time::Duration;

use crate::dice::Dice;

/// Waits that double from the first to the longest, with a quarter of jitter on top.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Pace {
    /// After what passes by itself: 5xx, 429, no answer.
    pub(super) const QUICK: Self = Self::new(Duration::from_secs(1), Duration::from_secs(5 * 60));
    /// After what somebody has to mend and may be mending: 400, which is how Microsoft says that it cannot reach the URL.
    pub(super) const REFUSED: Self = Self::new(Duration::from_secs(60), Duration::from_secs(3_600));
    /// After what lasts: 403 (quota, permission), a second process with the same account, a subscription that stays deaf.
    pub(super) const SLOW: Self = Self::new(Duration::from_secs(15 * 60), Duration::from_secs(8 * 3_600));

    const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// It failed once more: so long it is waited now, and not less than what was asked for.
    pub(super) fn wait(&mut self, dice: &mut Dice, asked: Option<Duration>) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(self.failures)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        doubled.max(asked.unwrap_or_default()) + dice.jitter(doubled / 4)
    }

    /// It worked: the next failure is the first one.
    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_longest_with_jitter_on_top_and_what_is_asked_for_is_the_least() {
        let mut dice = Dice::new(1);
        let mut pace = Pace::SLOW;
        for minutes in [15, 30, 60, 120, 240, 480, 480, 480] {
            let least = Duration::from_secs(minutes * 60);
            let wait = pace.wait(&mut dice, None);
            assert!((least..=least + least / 4).contains(&wait), "{minutes} min: {wait:?}");
        }
        for _ in 0..100 {
            pace.wait(&mut dice, None);
        }
        pace.reset();
        assert!(pace.wait(&mut dice, None) < Duration::from_secs(20 * 60));
        let asked = Duration::from_secs(24 * 3_600);
        let mut quick = Pace::QUICK;
        assert!(quick.wait(&mut dice, Some(asked)) >= asked);
    }
}

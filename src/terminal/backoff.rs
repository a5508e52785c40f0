//! How long to wait before the provider is looked for again.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15);

/// Waits that double up to a limit: 1, 2, 4, 8, 15, 15, ... seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// The next wait, but at least as long as the other side asked for.
    pub(crate) fn next(&mut self, asked: Duration) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait.max(asked)
    }

    /// The provider has been heard: the next loss begins anew.
    pub(crate) const fn heard(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_limit_and_begin_anew_when_the_provider_is_heard() {
        let mut backoff = Backoff::new();
        let waits: Vec<u64> = (0..6).map(|_| backoff.next(Duration::ZERO).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 15, 15]);
        backoff.heard();
        assert_eq!(backoff.next(Duration::ZERO), FIRST);
    }

    #[test]
    fn who_asks_for_patience_gets_it() {
        let mut backoff = Backoff::new();
        assert_eq!(backoff.next(Duration::from_secs(40)).as_secs(), 40);
        assert_eq!(backoff.next(Duration::ZERO).as_secs(), 2);
    }
}

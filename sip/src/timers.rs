//! The durations of RFC 3261 and the queue of what falls due next.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The base durations of SIP (RFC 3261 appendix A); all others follow from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// An estimate of the round trip; 500 ms.
    pub t1: Duration,
    /// The longest interval between two copies of a non-INVITE request; 4 s.
    pub t2: Duration,
    /// How long a message stays in the network; 5 s.
    pub t4: Duration,
}

impl Timers {
    /// Timer F: how long a client waits for the final answer to a request (RFC 3261 section 17.1.2.2); 64 T1.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer J: how long a server on UDP remembers a request that it has answered (RFC 3261 section 17.2.2); 64 T1.
    #[must_use]
    pub fn answered_for(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer N: how long a subscriber waits for the NOTIFY that must follow its SUBSCRIBE
    /// (RFC 6665 section 4.1.2.4); 64 T1.
    #[must_use]
    pub fn notify_timeout(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// How long an OPTIONS to the pool itself may go unanswered (ours); 20 T1.
    #[must_use]
    pub fn probe_timeout(&self) -> Duration {
        self.t1.saturating_mul(20)
    }

    /// How long the final NOTIFY of a subscription that we ended is waited for (ours); 20 T1.
    #[must_use]
    pub fn farewell(&self) -> Duration {
        self.t1.saturating_mul(20)
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

/// Deadlines in the order in which they fall due; at most one for each key.
///
/// The owner of a key keeps the armed deadline beside it and passes it in, so that no second index is needed.
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    due: BTreeSet<(Instant, K)>,
}

impl<K: Ord + Copy> Deadlines<K> {
    pub(crate) const fn new() -> Self {
        Self { due: BTreeSet::new() }
    }

    /// Moves the deadline of `key` from `armed` to `next`.
    pub(crate) fn rearm(&mut self, key: K, armed: &mut Option<Instant>, next: Option<Instant>) {
        if *armed == next {
            return;
        }
        if let Some(at) = armed.take() {
            self.due.remove(&(at, key));
        }
        if let Some(at) = next {
            self.due.insert((at, key));
            *armed = Some(at);
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|&(at, _)| at)
    }

    /// Takes one key whose deadline has come. Its owner must then forget what it had armed.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let &(at, key) = self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        Some(key)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test begins now")]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_deadline_and_the_earliest_comes_first() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut queue = Deadlines::new();
        let (mut one, mut two) = (None, None);
        queue.rearm(1_u32, &mut one, Some(at(5)));
        queue.rearm(2, &mut two, Some(at(3)));
        assert_eq!(queue.next(), Some(at(3)));
        queue.rearm(2, &mut two, Some(at(9)));
        assert_eq!((queue.next(), two), (Some(at(5)), Some(at(9))));
        assert_eq!(queue.pop_due(at(4)), None);
        assert_eq!(queue.pop_due(at(5)), Some(1));
        queue.rearm(2, &mut two, None);
        assert_eq!((queue.next(), two), (None, None));
    }

    #[test]
    fn the_default_timers_are_those_of_the_rfc() {
        let timers = Timers::default();
        assert_eq!(timers.request_timeout(), Duration::from_secs(32));
        assert_eq!(timers.notify_timeout(), Duration::from_secs(32));
        assert_eq!(timers.probe_timeout(), Duration::from_secs(10));
    }
}

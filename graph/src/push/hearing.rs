//! Whether a subscription that stands tells what it should.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::ObjectId;

/// A change is told within this time (Microsoft: less than a minute), or it is missed.
const TOLD_WITHIN: Duration = Duration::from_secs(90);
/// What is found so soon after the subscription was made may have happened before it.
const GRACE: Duration = Duration::from_secs(30);
/// So many changes that are missed make a subscription deaf,
const MISSED: u32 = 3;
/// unless so many more are told meanwhile; and so many that are told prove that it works.
const PROOF: u32 = 30;
/// So many that are told, and none missed, make a deaf one hear again.
const HEARS_AGAIN: u32 = 3;

/// Compares the changes that the sweep finds with those that are told.
///
/// A change that the sweep finds is told if a notification of that user came within the 90 seconds before it or comes within the 90
/// seconds after it, and missed otherwise. Three missed ones among at most thirty that were told: it is deaf.
#[derive(Debug)]
pub(super) struct Hearing {
    heed_from: Instant,
    /// Notifications whose change was not found yet: when they came.
    heard: BTreeMap<ObjectId, Instant>,
    /// Changes that were not told yet: until when they may be.
    untold: BTreeMap<ObjectId, Instant>,
    missed: u32,
    told: u32,
    is_proven: bool,
}

impl Hearing {
    /// For a subscription that begins now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            heed_from: now + GRACE,
            heard: BTreeMap::new(),
            untold: BTreeMap::new(),
            missed: 0,
            told: 0,
            is_proven: false,
        }
    }

    /// A notification of this user came.
    pub(super) fn heard(&mut self, now: Instant, user: ObjectId) {
        if self.untold.remove(&user).is_some() {
            self.count_told();
        } else {
            self.heard.insert(user, now);
        }
    }

    /// A change of this user was found: by the sweep, or by asking after a notification (`told`).
    pub(super) fn found(&mut self, now: Instant, user: ObjectId, told: bool) {
        let heard = self.heard.remove(&user).is_some_and(|at| now.duration_since(at) <= TOLD_WITHIN);
        if told || heard {
            self.untold.remove(&user);
            self.count_told();
        } else if now >= self.heed_from {
            self.untold.entry(user).or_insert(now + TOLD_WITHIN);
        }
    }

    /// This user does not matter any more.
    pub(super) fn forget(&mut self, user: ObjectId) {
        self.heard.remove(&user);
        self.untold.remove(&user);
    }

    /// How many changes can be told no more from now on.
    pub(super) fn missed(&mut self, now: Instant) -> u32 {
        let before = self.untold.len();
        self.untold.retain(|_, until| *until > now);
        let missed = u32::try_from(before - self.untold.len()).unwrap_or(u32::MAX);
        self.missed = self.missed.saturating_add(missed);
        missed
    }

    /// True when too many were missed.
    pub(super) const fn is_deaf(&self) -> bool {
        self.missed >= MISSED
    }

    /// True when it hears again, after [`Hearing::listen_again`].
    pub(super) const fn hears_again(&self) -> bool {
        self.missed == 0 && self.told >= HEARS_AGAIN
    }

    /// Begins to count anew.
    pub(super) const fn listen_again(&mut self) {
        self.missed = 0;
        self.told = 0;
    }

    /// True as soon as so much was told that it is known to work.
    pub(super) const fn is_proven(&self) -> bool {
        self.is_proven
    }

    /// When to ask [`Hearing::missed`].
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.untold.values().min().copied()
    }

    const fn count_told(&mut self) {
        self.told = self.told.saturating_add(1);
        if self.told > PROOF {
            self.is_proven = true;
            self.listen_again();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u8) -> ObjectId {
        ObjectId::new([number; 16])
    }

    const SECOND: Duration = Duration::from_secs(1);

    /// A hearing that has been heeded for a while, and the time.
    #[expect(clippy::disallowed_methods, reason = "the beginning of a test's time")]
    fn begun() -> (Hearing, Instant) {
        let now = Instant::now();
        (Hearing::new(now), now + 60 * SECOND)
    }

    #[test]
    fn three_changes_that_nobody_told_within_90_seconds_make_it_deaf() {
        let (mut hearing, now) = begun();
        for number in 0..3 {
            hearing.found(now, user(number), false);
        }
        assert_eq!(hearing.deadline(), Some(now + 90 * SECOND));
        assert_eq!(hearing.missed(now + 89 * SECOND), 0);
        assert_eq!(hearing.missed(now + 90 * SECOND), 3);
        assert!(hearing.is_deaf());
        assert_eq!(hearing.deadline(), None);
    }

    #[test]
    fn a_change_that_is_told_a_minute_later_or_was_told_before_is_not_missed() {
        let (mut hearing, now) = begun();
        for number in 0..10 {
            hearing.found(now, user(number), false);
            hearing.heard(now + 60 * SECOND, user(number));
        }
        for number in 10..20 {
            hearing.heard(now, user(number));
            hearing.found(now + 5 * SECOND, user(number), false);
        }
        assert_eq!((hearing.missed(now + 1_000 * SECOND), hearing.is_deaf()), (0, false));
    }

    #[test]
    fn a_notification_excuses_one_change_and_not_a_later_one() {
        let (mut hearing, now) = begun();
        hearing.heard(now, user(1));
        hearing.found(now + SECOND, user(1), true);
        hearing.found(now + 2 * SECOND, user(1), false);
        hearing.heard(now, user(2));
        hearing.found(now + 91 * SECOND, user(2), false);
        assert_eq!(hearing.missed(now + 200 * SECOND), 2);
    }

    #[test]
    fn what_is_found_in_the_first_half_minute_happened_before_the_subscription() {
        let (mut hearing, later) = begun();
        let now = later - 31 * SECOND;
        (0..9).for_each(|number| hearing.found(now, user(number), false));
        assert_eq!((hearing.missed(now + 1_000 * SECOND), hearing.deadline()), (0, None));
    }

    #[test]
    fn a_few_missed_among_many_told_are_no_deafness_and_prove_that_it_works() {
        let (mut hearing, now) = begun();
        for round in 0..20_u32 {
            let now = now + round * 200 * SECOND;
            hearing.found(now, user(0), false);
            assert_eq!(hearing.missed(now + 100 * SECOND), 1);
            (0..20).for_each(|_| hearing.found(now, user(1), true));
            assert!(!hearing.is_deaf(), "round {round}");
        }
        assert!(hearing.is_proven());
    }

    #[test]
    fn a_deaf_one_hears_again_when_three_are_told_and_none_is_missed() {
        let (mut hearing, now) = begun();
        hearing.listen_again();
        hearing.found(now, user(1), true);
        hearing.found(now, user(1), true);
        assert!(!hearing.hears_again());
        hearing.found(now, user(1), true);
        assert!(hearing.hears_again());
        hearing.found(now, user(2), false);
        assert_eq!(hearing.missed(now + 90 * SECOND), 1);
        assert!(!hearing.hears_again());
    }
}

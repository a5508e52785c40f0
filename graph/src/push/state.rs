//! In which states an account's change notifications can be.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::hearing::Hearing;
use crate::ObjectId;
use crate::dice::Dice;

/// So long a subscription is asked for; Microsoft gives 60 minutes at most.
pub(super) const LIFE: Duration = Duration::from_secs(58 * 60);
/// A renewal that Microsoft wants is made at most so often.
pub(super) const REAUTHORIZED_FOR: Duration = Duration::from_secs(10 * 60);
/// The shortest life that is believed: less would be a wrong clock, and asking without end.
const SHORTEST: Duration = Duration::from_secs(60);
/// When a renewal is tried again, in fifty-eighths of the life.
const STEPS: [u32; 3] = [45, 50, 54];

/// In which state.
#[derive(Debug)]
pub(super) enum State {
    /// There is no subscription, and none is being made.
    Idle,
    /// It is being asked which subscriptions there are.
    Listing(Listing),
    /// Those that an earlier process left are being deleted: the last one is next.
    Clearing {
        /// Which.
        left: Vec<String>,
        /// See [`Listing::after_conflict`].
        after_conflict: bool,
    },
    /// The subscription is being made.
    Creating {
        /// See [`Listing::after_conflict`].
        after_conflict: bool,
    },
    /// There is one.
    Standing(Standing),
    /// There is one, and it is being deleted.
    Deleting(Standing),
    /// It could not be had.
    BackingOff {
        /// When it is tried again.
        until: Instant,
    },
    /// Another process has one for this account.
    Contested {
        /// When it is tried again.
        until: Instant,
    },
    /// It has ended.
    Stopped,
}

/// What is known of the list so far.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// There is one that we did not make (409): if there is one after this, too, it is another process that makes them.
    pub(super) after_conflict: bool,
    /// Those of ours.
    pub(super) ours: Vec<String>,
    /// The next page.
    pub(super) page: Option<String>,
    /// How many pages were read.
    pub(super) pages: u32,
}

/// A subscription that stands.
#[derive(Debug)]
pub(super) struct Standing {
    /// Microsoft's number of it.
    pub(super) id: String,
    /// Our number of it.
    pub(super) generation: u64,
    /// The users that it is about.
    pub(super) users: BTreeSet<ObjectId>,
    /// When it was made or renewed last.
    began: Instant,
    life: Duration,
    /// When it is renewed.
    pub(super) renew_at: Instant,
    /// Whether it tells what it should.
    pub(super) hearing: Hearing,
    /// The same, as it shows.
    pub(super) ear: Ear,
}

/// Whether a subscription tells what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ear {
    /// As far as is known.
    Listening,
    /// It does not.
    Deaf {
        /// When it is made anew.
        remake_at: Instant,
    },
}

impl Standing {
    /// One that was made now, and lasts this long.
    pub(super) fn new(
        now: Instant,
        id: String,
        generation: u64,
        users: BTreeSet<ObjectId>,
        life: Duration,
        dice: &mut Dice,
    ) -> Self {
        let hearing = Hearing::new(now);
        let (began, renew_at, ear) = (now, now, Ear::Listening);
        let mut standing = Self { id, generation, users, began, life, renew_at, hearing, ear };
        standing.renewed(now, life, dice);
        standing
    }

    /// It lasts this long from now on. It is renewed after 40 of 58 minutes, or up to five earlier or later.
    pub(super) fn renewed(&mut self, now: Instant, life: Duration, dice: &mut Dice) {
        self.began = now;
        self.life = life.clamp(SHORTEST, LIFE + LIFE / 29);
        self.renew_at = now + self.part(35) + dice.jitter(self.part(10));
    }

    /// Microsoft wants it to be renewed: now, or ten minutes after it was renewed last.
    pub(super) fn reauthorize(&mut self, now: Instant) {
        self.renew_at = self.renew_at.min(now.max(self.began + REAUTHORIZED_FOR));
    }

    /// The renewal failed: when it is tried again, not before `asked` has passed; at the end of its life it is made anew.
    pub(super) fn retry_renewal(&mut self, now: Instant, asked: Option<Duration>) {
        let earliest = now + asked.unwrap_or_default();
        let step = STEPS.iter().map(|step| self.began + self.part(*step)).find(|at| *at > now);
        // One that Microsoft wanted early is not put off to the usual time.
        let step = step.unwrap_or(self.expires_at()).min(now + REAUTHORIZED_FOR);
        self.renew_at = step.max(earliest);
    }

    /// When it ends by itself.
    pub(super) fn expires_at(&self) -> Instant {
        self.began + self.life
    }

    /// So many fifty-eighths of its life.
    fn part(&self, of_58: u32) -> Duration {
        self.life * of_58 / 58
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[expect(clippy::disallowed_methods, reason = "the beginning of a test's time")]
    fn made() -> (Standing, Instant) {
        let now = Instant::now();
        (Standing::new(now, "id".to_owned(), 1, BTreeSet::new(), LIFE, &mut Dice::new(5)), now)
    }

    #[test]
    fn a_renewal_is_due_between_35_and_45_minutes_and_not_always_at_the_same() {
        #[expect(clippy::disallowed_methods, reason = "the beginning of a test's time")]
        let now = Instant::now();
        let mut dice = Dice::new(9);
        let at: BTreeSet<Duration> = (0..50)
            .map(|_| Standing::new(now, String::new(), 1, BTreeSet::new(), LIFE, &mut dice).renew_at - now)
            .collect();
        assert!(at.len() > 10 && at.iter().all(|at| (35 * MINUTE..=45 * MINUTE).contains(at)), "{at:?}");
    }

    #[test]
    fn a_renewal_that_failed_is_tried_again_at_45_50_and_54_minutes_and_then_the_life_ends() {
        let (mut standing, now) = made();
        let mut at = now + 40 * MINUTE;
        for minutes in [45, 50, 54, 58] {
            standing.retry_renewal(at, None);
            assert_eq!(standing.renew_at, now + minutes * MINUTE);
            at = standing.renew_at;
        }
        assert_eq!(standing.expires_at(), at);
    }

    #[test]
    fn a_wait_that_microsoft_asks_for_is_kept_and_a_wanted_renewal_is_tried_again_in_ten_minutes() {
        let (mut standing, now) = made();
        standing.retry_renewal(now + 40 * MINUTE, Some(7 * MINUTE));
        assert_eq!(standing.renew_at, now + 47 * MINUTE);
        standing.retry_renewal(now + 12 * MINUTE, None);
        assert_eq!(standing.renew_at, now + 22 * MINUTE);
    }

    #[test]
    fn microsofts_wish_is_followed_at_once_but_not_within_ten_minutes_of_the_last_renewal() {
        let (mut standing, now) = made();
        standing.reauthorize(now + MINUTE);
        assert_eq!(standing.renew_at, now + 10 * MINUTE);
        let (mut standing, now) = made();
        standing.reauthorize(now + 20 * MINUTE);
        assert_eq!(standing.renew_at, now + 20 * MINUTE);
    }

    #[test]
    fn a_life_that_cannot_be_is_a_minute_or_an_hour() {
        let (mut standing, now) = made();
        standing.renewed(now, Duration::ZERO, &mut Dice::new(1));
        assert_eq!(standing.expires_at(), now + MINUTE);
        standing.renewed(now, 500 * MINUTE, &mut Dice::new(1));
        assert_eq!(standing.expires_at(), now + 60 * MINUTE);
    }
}

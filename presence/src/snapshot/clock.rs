//! Moments of one process as times of day, and back in another one.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::records::Moment;

/// Nothing is put off for longer.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The same moment on both clocks of a computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// On the clock that only runs forwards.
    pub now: Instant,
    /// The time of day.
    pub wall: SystemTime,
}

/// Translates the moments of one snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    now: Instant,
    wall: Moment,
    written: Option<Instant>,
}

pub(super) fn since_1970(wall: SystemTime) -> Moment {
    let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::try_from(since.as_millis()).unwrap_or(Moment::MAX)
}

impl Clock {
    /// For writing what was collected then.
    pub(super) fn writing(anchor: Anchor, collected: Option<Instant>) -> Self {
        Self { now: anchor.now, wall: since_1970(anchor.wall), written: collected }
    }

    /// For reading what was written then. A time of day that has gone back since then is taken for the one of the writing.
    pub(super) fn reading(anchor: Anchor, written: Moment) -> Self {
        let mut clock = Self { now: anchor.now, wall: since_1970(anchor.wall).max(written), written: None };
        clock.written = Some(clock.past(written));
        clock
    }

    /// When what is fresh was confirmed.
    pub(super) const fn written(&self) -> Option<Instant> {
        self.written
    }

    /// As it is written.
    pub(super) fn moment(&self, instant: Instant) -> Moment {
        let millis = |duration: Duration| Moment::try_from(duration.as_millis()).unwrap_or(Moment::MAX);
        match instant.checked_duration_since(self.now) {
            Some(ahead) => self.wall.saturating_add(millis(ahead)),
            None => self.wall.saturating_sub(millis(self.now.saturating_duration_since(instant))),
        }
    }

    /// As it is used.
    pub(super) fn instant(&self, moment: Moment) -> Instant {
        let millis = |millis: Moment| Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        match moment.saturating_sub(self.wall) {
            // A moment before the computer was started is one that not every system can name.
            behind if behind < 0 => self.now.checked_sub(millis(behind.saturating_neg())).unwrap_or(self.now),
            ahead => self.now + millis(ahead).min(LONGEST),
        }
    }

    /// The same for what cannot lie ahead.
    pub(super) fn past(&self, moment: Moment) -> Instant {
        self.instant(moment).min(self.now)
    }
}

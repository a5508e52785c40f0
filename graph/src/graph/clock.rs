//! Our time of day, and Microsoft's.

use std::time::{Duration, Instant, SystemTime};

/// Clocks may be apart by so much.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The time of day at any moment, and whether Microsoft has another.
#[derive(Debug)]
pub(super) struct Clock {
    start: (Instant, SystemTime),
    was_reported: bool,
}

impl Clock {
    pub(super) const fn new(now: Instant, wall: SystemTime) -> Self {
        Self { start: (now, wall), was_reported: false }
    }

    /// Our time of day.
    pub(super) fn wall(&self, now: Instant) -> SystemTime {
        self.start.1 + now.saturating_duration_since(self.start.0)
    }

    /// An answer with this `Date` came. The time of day that its own dates are to be read with, and by how many seconds
    /// Microsoft's clock is ahead, if that is too many and was not said yet.
    pub(super) fn told(&mut self, now: Instant, date: Option<&str>) -> (SystemTime, Option<i64>) {
        let ours = self.wall(now);
        let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else { return (ours, None) };
        let (apart, is_ahead) = match theirs.duration_since(ours) {
            Ok(ahead) => (ahead, true),
            Err(behind) => (behind.duration(), false),
        };
        let is_wrong = apart > TOLERANCE;
        let is_news = is_wrong && !self.was_reported;
        self.was_reported = is_wrong;
        let seconds = i64::try_from(apart.as_secs()).unwrap_or(i64::MAX);
        (theirs, is_news.then_some(if is_ahead { seconds } else { -seconds }))
    }
}

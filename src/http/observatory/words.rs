//! Numbers and times as a person reads them.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use presence_actors::time_of_day;

/// How a moment is told.
pub(in crate::http) type Clock<'a> = &'a dyn Fn(Instant) -> String;

/// `10,000`.
#[must_use]
pub(in crate::http) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 agent`, `10,000 agents`.
#[must_use]
pub(in crate::http) fn counted(count: usize, name: &str) -> String {
    format!("{} {name}{}", thousands(count), if count == 1 { "" } else { "s" })
}

/// `42 s`, `3 min`, `2 h 5 min`; rounded up.
#[must_use]
pub(in crate::http) fn spoken(time: Duration) -> String {
    let seconds = time.as_secs_f64().ceil() as u64;
    let minutes = seconds.div_ceil(60);
    match (seconds, minutes) {
        (0..120, _) => format!("{seconds} s"),
        (_, 0..120) => format!("{minutes} min"),
        (_, _) if minutes.is_multiple_of(60) => format!("{} h", minutes / 60),
        (_, _) => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// The wall clock of the service, which is also that of its log: `14:05:49`, with the date when it is not today's.
#[must_use]
pub(in crate::http) fn clock_time(instant: Instant, now: Instant) -> String {
    let zone = TimeZone::system();
    let zoned = |instant| Timestamp::try_from(time_of_day(instant)).map(|at| at.to_zoned(zone.clone()));
    match (zoned(instant), zoned(now)) {
        (Ok(at), Ok(today)) if at.date() == today.date() => at.strftime("%H:%M:%S").to_string(),
        (Ok(at), _) => at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        // Farther away than any calendar.
        (Err(_), _) => "an unknown time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_groups_of_three() {
        let texts = [0, 7, 999, 1_000, 12_345, 1_234_567].map(thousands);
        assert_eq!(texts, ["0", "7", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!([0, 1, 2].map(|count| counted(count, "agent")), ["0 agents", "1 agent", "2 agents"]);
    }

    #[test]
    fn times_are_told_as_exactly_as_a_person_wants_to_know_and_never_too_short() {
        let cases = [(0, "0 s"), (41_001, "42 s"), (119_000, "119 s"), (120_000, "2 min"), (121_000, "3 min")];
        for (milliseconds, text) in cases {
            assert_eq!(spoken(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(spoken(Duration::from_secs(28_800)), "8 h");
        assert_eq!(spoken(Duration::from_secs(7_500)), "2 h 5 min");
    }

    #[test]
    fn a_time_of_another_day_has_its_date() {
        let now = presence_actors::now();
        assert_eq!(clock_time(now, now).len(), "14:05:49".len());
        assert_eq!(clock_time(now + Duration::from_secs(2 * 86_400), now).len(), "2026-11-22 14:05:49".len());
    }
}

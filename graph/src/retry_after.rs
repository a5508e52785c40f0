//! `Retry-After` in all the forms in which Microsoft writes it.

use std::time::{Duration, SystemTime};

/// The longest wait that is believed.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// Reads `Retry-After`: seconds, also with a fraction (Microsoft's own sample says `2.128`), or a date, which is compared with
/// `wall`, the time of day (one that has passed is no wait). More than a day is a day. None for what is neither.
pub(crate) fn retry_after(text: &str, wall: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(date) = httpdate::parse_http_date(text) {
        return Some(date.duration_since(wall).unwrap_or_default().min(MAX_RETRY_AFTER));
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let seconds: f64 = text.parse().ok()?;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(MAX_RETRY_AFTER).min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn read(text: &str) -> Option<Duration> {
        // Sunday, 22 November 2026, 18:00:00 GMT
        retry_after(text, UNIX_EPOCH + Duration::from_secs(1_795_370_400))
    }

    #[test]
    fn seconds_may_have_a_fraction() {
        assert_eq!(read("2.128"), Some(Duration::from_millis(2_128)));
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!((read("0"), read("0.0")), (Some(Duration::ZERO), Some(Duration::ZERO)));
    }

    #[test]
    fn a_date_is_a_wait_until_then() {
        assert_eq!(read("Sun, 22 Nov 2026 18:01:30 GMT"), Some(Duration::from_secs(90)));
        assert_eq!(read("Sunday, 22-Nov-26 18:01:30 GMT"), Some(Duration::from_secs(90)));
        assert_eq!(read("Sun, 22 Nov 2026 17:59:59 GMT"), Some(Duration::ZERO));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn nothing_is_longer_than_a_day() {
        for text in ["86401", "1000000000", &"9".repeat(400), "Thu, 22 Nov 2096 18:00:00 GMT"] {
            assert_eq!(read(text), Some(MAX_RETRY_AFTER), "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_none() {
        for text in
            ["", " ", "-1", "+1", "1e9", "NaN", "inf", "soon", ".", "1.2.3", "0x10", "1,5", "２", "Sun, 22 Nov 2026"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

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

//! Points in time as documents write them.

/// Reads a timestamp of RFC 3339, such as `2026-11-22T09:00:00.5+01:00`, as milliseconds since 1970 UTC.
///
/// Only for comparing timestamps of one document. Anything else gives `None`.
pub(super) fn read_timestamp(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, time) = text.split_at_checked(10)?;
    let time = time.strip_prefix(['T', 't', ' '])?;
    let mut parts = date.splitn(3, '-').map(|part| number(part, 4));
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let (clock, offset) = match time.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0),
        None => {
            let at = time.rfind(['+', '-'])?;
            let (clock, offset) = time.split_at_checked(at)?;
            let sign = if offset.starts_with('-') { -1 } else { 1 };
            let (hours, minutes) = offset.get(1..)?.split_once(':')?;
            (clock, sign * (number(hours, 2)? * 60 + number(minutes, 2)?))
        }
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.splitn(3, ':').map(|part| number(part, 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let sane = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !sane {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset * 60;
    Some(seconds * 1000 + milliseconds(fraction)?)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let plain = !text.is_empty() && text.len() <= digits && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn milliseconds(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let three: String = fraction.chars().chain("00".chars()).take(3).collect();
    three.parse().ok()
}

/// The days from 1970-01-01 to a date of the Gregorian calendar, counted in eras of 400 years that begin in March.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_of_one_moment_are_equal() {
        let moment = Some(1_117_469_669_000);
        for text in [
            "2005-05-30T16:14:29Z",
            "2005-05-30T18:14:29.0+02:00",
            " 2005-05-30t11:44:29-04:30",
            "2005-05-30T16:14:29.000z",
        ] {
            assert_eq!(read_timestamp(text), moment, "{text}");
        }
        assert_eq!(read_timestamp("1970-01-01T00:00:00.25Z"), Some(250));
        assert_eq!(read_timestamp("2000-03-01T00:00:00Z"), Some(951_868_800_000));
    }

    #[test]
    fn what_is_no_timestamp_is_none() {
        for text in
            ["", "now", "2005-05-30", "2005-05-30T16:14Z", "2005-13-30T16:14:29Z", "2005-05-30T16:14:29", "éééééééééé"]
        {
            assert_eq!(read_timestamp(text), None, "{text}");
        }
    }
}

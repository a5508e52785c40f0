//! What answers are written on: a terminal of some width, or a file or pipe; and the words that they share.

use std::io::{IsTerminal, stdout};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use presence_core::log_text::Safe;

use crate::http::model::{Freshness, Presence, SourceName};

/// Terminals that are narrower are written on as if they were this wide.
const NARROWEST: usize = 40;

/// What answers are written on.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    /// So many columns, on a terminal; nothing for a file or a pipe, where every line has one record.
    pub(crate) width: Option<usize>,
    /// Colours are welcome.
    pub(crate) color: bool,
    /// Whose wall clock is shown.
    pub(crate) zone: TimeZone,
}

/// What a word means to the reader, as a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Good,
    Doubtful,
    Bad,
    Faint,
}

impl Screen {
    /// The standard output of this process.
    pub(crate) fn standard() -> Self {
        let terminal = stdout().is_terminal();
        // A terminal that does not say how wide it is.
        const USUAL: usize = 80;
        let width = terminal.then(|| comfy_table::Table::new().width().map_or(USUAL, usize::from).max(NARROWEST));
        let color = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { width, color, zone: TimeZone::system() }
    }

    /// A text in a tone.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            _ if !self.color || text.is_empty() => return text.to_owned(),
            Tone::Plain => return text.to_owned(),
            Tone::Strong => "1",
            Tone::Good => "32",
            Tone::Doubtful => "33",
            Tone::Bad => "31",
            Tone::Faint => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// A moment by the wall clock here, with the date when it is not within half a day of `now`; what is no moment as it is.
    pub(crate) fn clock(&self, moment: &str, now: Timestamp) -> String {
        let Ok(at) = moment.parse::<Timestamp>() else { return Safe(moment).to_string() };
        let near = now.duration_since(at).abs() < jiff::SignedDuration::from_hours(12);
        let at = at.to_zoned(self.zone.clone());
        at.strftime(if near { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string()
    }

    /// The time of day, with milliseconds where there is room for them.
    pub(crate) fn time_of_day(&self, at: Timestamp, fine: bool) -> String {
        let at: Zoned = at.to_zoned(self.zone.clone());
        at.strftime(if fine { "%H:%M:%S%.3f" } else { "%H:%M:%S" }).to_string()
    }
}

/// The moment at which an answer was taken; now by this computer when it does not say.
pub(crate) fn taken(moment: &str) -> Timestamp {
    moment.parse().unwrap_or_else(|_| Timestamp::now())
}

/// How long ago `moment` was at `now`, in the two largest units: `12m 3s`, `4h 5m`, `3d 2h`.
pub(crate) fn age(moment: &str, now: Timestamp) -> String {
    match moment.parse::<Timestamp>() {
        Ok(at) => span(now.duration_since(at).as_secs_f64()),
        Err(_) => "-".to_owned(),
    }
}

/// So many seconds in the two largest units.
pub(crate) fn span(seconds: f64) -> String {
    // A negative or unending time is no time; beyond a century nobody counts.
    let seconds = if seconds.is_finite() { seconds.clamp(0.0, 3_155_760_000.0).round() as u64 } else { 0 };
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut words = Vec::new();
    let mut rest = seconds;
    for (size, name) in units {
        if rest >= size || (size == 1 && words.is_empty()) {
            words.push(format!("{}{name}", rest / size));
            rest %= size;
        } else if !words.is_empty() {
            break;
        }
        if words.len() == 2 {
            break;
        }
    }
    words.join(" ")
}

/// `1 agent`, `2 agents`.
pub(crate) fn counted(count: usize, name: &str) -> String {
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// A text in at most so many characters, its middle replaced by `…`. What stands from the `@` on is never hidden, and
/// neither is the beginning: rather the text stays longer.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    /// The scheme, some of the name and the mark stay in front of the domain.
    const LEAST: usize = 8;
    let length = text.chars().count();
    let domain = text.rfind('@').map_or(0, |at| text[at..].chars().count());
    // A number keeps its end, which tells it from others.
    let tail = if domain > 0 { domain } else { width.saturating_sub(1) / 2 };
    let head = width.saturating_sub(tail + 1).max(LEAST);
    if length <= width || head + 1 + tail >= length {
        return text.to_owned();
    }
    text.chars().take(head).chain(['…']).chain(text.chars().skip(length - tail)).collect()
}

/// A text in at most so many characters, its end replaced by `…`.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A sentence in lines of a screen that is so wide, the second and later ones moved in like the first one already is.
pub(crate) fn wrapped(text: &str, width: Option<usize>, indent: usize) -> String {
    let Some(width) = width else { return text.to_owned() };
    let mut lines = String::with_capacity(text.len());
    let mut column = indent;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > indent && column + 1 + length > width {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if column > indent {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

/// A presence as a word, with what must be known about its worth.
pub(crate) fn presence_word(presence: &Presence) -> String {
    let name = Safe(&presence.availability.name);
    match presence.freshness {
        Freshness::Stale => format!("{name} (stale)"),
        Freshness::Fresh | Freshness::Unknown => name.to_string(),
    }
}

/// The tone of a presence.
pub(crate) fn presence_tone(presence: &Presence) -> Tone {
    if presence.freshness == Freshness::Stale {
        return Tone::Faint;
    }
    match presence.availability.name.as_str() {
        "Online" | "IdleOnline" => Tone::Good,
        "Busy" | "IdleBusy" | "DoNotDisturb" => Tone::Bad,
        "BeRightBack" | "Away" => Tone::Doubtful,
        _ => Tone::Faint,
    }
}

/// A source in a short word.
pub(crate) const fn source_word(source: SourceName) -> &'static str {
    match source {
        SourceName::Attendant => "attendant",
        SourceName::Pstn => "pstn",
        SourceName::MsGraph => "graph",
        SourceName::Ucma => "ucma",
    }
}

/// What a value is called where it is serialised as a plain text: `backing_off`, `UcmaPresenceSource`.
pub(crate) fn wire_name(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_uri_keeps_its_domain_and_fits_when_it_can() {
        for (text, width, expected) in [
            ("sip:user1@domain.com", 20, "sip:user1@domain.com"),
            ("sip:a.very.long.name.of.somebody@domain.com", 30, "sip:a.very.long.na…@domain.com"),
            ("sip:somebody@a.very.long.domain.example.com", 20, "sip:some…@a.very.long.domain.example.com"),
            ("sip:abcdef@a.very.long.domain.example.com", 10, "sip:abcd…@a.very.long.domain.example.com"),
            ("sip:abcd@a.very.long.domain.example.com", 10, "sip:abcd@a.very.long.domain.example.com"),
            ("sip:ab@cd@ef.com", 5, "sip:ab@cd@ef.com"),
            ("tel:+316123456789012345", 17, "tel:+316…89012345"),
            ("tel:+31612345678", 0, "tel:+316…"),
        ] {
            assert_eq!(shortened(text, width), expected);
        }
    }

    #[test]
    fn long_sentences_are_broken_between_words_and_long_words_are_not() {
        let text = "one two three http://a.very.long.address.example.com/ four";
        assert_eq!(wrapped(text, Some(20), 4), "one two three\n    http://a.very.long.address.example.com/\n    four");
        assert_eq!(wrapped(text, None, 4), text);
    }

    #[test]
    fn times_are_said_in_their_two_largest_units() {
        for (seconds, text) in [
            (0.0, "0s"),
            (-3.0, "0s"),
            (f64::NAN, "0s"),
            (59.4, "59s"),
            (60.0, "1m"),
            (723.0, "12m 3s"),
            (3_600.0, "1h"),
            (14_700.0, "4h 5m"),
            (266_400.0, "3d 2h"),
            (86_405.0, "1d"),
        ] {
            assert_eq!(span(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn moments_are_shown_by_the_clock_here_and_with_the_date_when_they_are_far() {
        let screen = Screen { width: None, color: false, zone: TimeZone::UTC };
        let now = taken("2026-11-22T14:05:49.222Z");
        assert_eq!(screen.clock("2026-11-22T14:00:00.000Z", now), "14:00:00");
        assert_eq!(screen.clock("2026-11-21T14:00:00.000Z", now), "2026-11-21 14:00:00");
        assert_eq!(screen.clock("\u{1b}[2J", now), "\\u{1b}[2J");
        assert_eq!(screen.time_of_day(now, true), "14:05:49.222");
    }

    #[test]
    fn colours_are_only_where_they_are_welcome() {
        let mut screen = Screen { width: None, color: false, zone: TimeZone::UTC };
        assert_eq!(screen.paint(Tone::Bad, "Busy"), "Busy");
        screen.color = true;
        assert_eq!(screen.paint(Tone::Bad, "Busy"), "\u{1b}[31mBusy\u{1b}[0m");
        assert_eq!(screen.paint(Tone::Plain, "Busy"), "Busy");
    }
}

//! The words of a command.

use std::time::Duration;

use super::faults::Reaction;

/// The words behind the first one, taken one by one.
pub(super) struct Words<'a> {
    pub(super) rest: std::iter::Peekable<std::str::SplitWhitespace<'a>>,
}

impl<'a> Words<'a> {
    pub(super) fn next(&mut self, what: &str) -> Result<&'a str, String> {
        self.rest.next().ok_or_else(|| format!("lacks {what}"))
    }

    pub(super) fn took(&mut self, word: &str) -> bool {
        self.rest.next_if(|next| *next == word).is_some()
    }

    pub(super) fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.next(what)?;
        word.parse().map_err(|_| format!("has `{word}` where {what} is expected"))
    }

    pub(super) fn duration(&mut self) -> Result<Duration, String> {
        let word = self.next("a time")?;
        let read = || {
            let end = word.bytes().position(|byte| !byte.is_ascii_digit())?;
            let (number, unit) = word.split_at_checked(end)?;
            let factor = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                _ => return None,
            };
            let milliseconds = number.parse::<u64>().ok()?.checked_mul(factor)?;
            (milliseconds <= 365 * 86_400_000).then(|| Duration::from_millis(milliseconds))
        };
        read().ok_or_else(|| format!("has `{word}` where a time such as 200ms, 20s, 10m or 2h is expected"))
    }

    pub(super) fn on(&mut self) -> Result<bool, String> {
        match self.next("`on` or `off`")? {
            "on" => Ok(true),
            "off" => Ok(false),
            word => Err(format!("has `{word}` where `on` or `off` is expected")),
        }
    }

    /// `times N`, otherwise this.
    pub(super) fn times(&mut self, otherwise: u32) -> Result<u32, String> {
        if self.took("times") {
            Ok(self.number::<std::num::NonZeroU32>("a number above 0")?.get())
        } else {
            Ok(otherwise)
        }
    }
}

/// What requests get after a command with this first word.
pub(super) fn reaction(word: &str, words: &mut Words<'_>) -> Result<Reaction, String> {
    Ok(match word {
        "outage" => match words.next("a kind")? {
            "reset" => Reaction::Reset,
            "silence" => Reaction::Silence,
            "500" => Reaction::Status(500, None),
            "502" => Reaction::Status(502, None),
            "503" => Reaction::Status(503, None),
            "504" => Reaction::Status(504, None),
            other => return Err(format!("does not know the kind `{other}`")),
        },
        "throttle" => {
            let text = words.next("a Retry-After")?;
            // A date has blanks: they are written as `_`.
            Reaction::Status(429, (text != "absent").then(|| text.replace('_', " ")))
        }
        "refuse" => {
            let status: u16 = words.number("a status")?;
            if !(400..600).contains(&status) {
                return Err(format!("has the status {status}, which refuses nothing"));
            }
            Reaction::Status(status, None)
        }
        _ => match words.next("a kind")? {
            "garbage" => Reaction::Garbage,
            "too-long" => Reaction::TooLong,
            "redirect" => Reaction::Redirect,
            "wrong-content" => Reaction::WrongContent,
            "empty" => Reaction::Empty,
            other => return Err(format!("does not know the kind `{other}`")),
        },
    })
}

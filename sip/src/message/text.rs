//! Tokens, lists and parameters: the grammar that all headers share (RFC 3261 section 25.1).

use memchr::memchr;

/// One character of a token.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// True for a non-empty token.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Blanks between the parts of a header; folds have become one space when a message was read.
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `text` without blanks at both ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Cuts at the byte `at`; a place that is no boundary of a character leaves all on the left.
pub(crate) fn cut(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// Cuts around the first `separator` that stands outside of quotes and angle brackets.
pub(crate) fn split_outside(text: &str, separator: u8) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let (mut quoted, mut angle, mut escaped) = (false, false, false);
    // Without quotes and brackets there is nothing to be outside of.
    let first = memchr(separator, bytes)?;
    if memchr::memchr2(b'"', b'<', bytes.get(..first).unwrap_or_default()).is_none() {
        let (left, right) = cut(text, first);
        return Some((left, right.get(1..).unwrap_or_default()));
    }
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !angle => quoted = !quoted,
            _ if quoted => {}
            b'<' => angle = true,
            b'>' => angle = false,
            _ if byte == separator && !angle => {
                let (left, right) = cut(text, at);
                return Some((left, right.get(1..).unwrap_or_default()));
            }
            _ => {}
        }
    }
    None
}

/// The values of a comma-separated list, trimmed; commas in quotes and angle brackets do not separate.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    rest: Option<&'a str>,
}

impl<'a> Values<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { rest: Some(text) }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        match split_outside(rest, b',') {
            Some((value, rest)) => {
                self.rest = Some(rest);
                Some(trim(value))
            }
            None => {
                self.rest = None;
                Some(trim(rest))
            }
        }
    }
}

/// The parameters behind a header's value: `;name=value;name`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    text: &'a str,
}

impl<'a> Params<'a> {
    /// Reads the text behind a value, which is empty or begins with a semicolon. `None` when it is malformed.
    ///
    /// One semicolon too many at the end is forgiven, two are not.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let text = trim(text);
        if text.is_empty() {
            return Some(Self { text: "" });
        }
        let text = text.strip_prefix(';')?;
        let text = trim(text.strip_suffix(';').unwrap_or(text));
        let params = Self { text };
        params.is_well_formed().then_some(params)
    }

    fn is_well_formed(self) -> bool {
        self.parts().all(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = trim(value);
            is_token(trim(name))
                && (unquote(value).is_some()
                    || !value.bytes().any(|b| is_blank(b) || matches!(b, b'"' | b'<' | b'>' | b',')))
        })
    }

    fn parts(self) -> impl Iterator<Item = &'a str> {
        let mut rest = (!self.text.is_empty()).then_some(self.text);
        std::iter::from_fn(move || {
            let text = rest?;
            let (part, next) = split_outside(text, b';').map_or((text, None), |(part, next)| (part, Some(next)));
            rest = next;
            Some(trim(part))
        })
    }

    /// All parameters in their order: the name, and the value if there is one, without its quotes (escapes stay).
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.parts().map(|part| match part.split_once('=') {
            Some((name, value)) => {
                let value = trim(value);
                (trim(name), Some(unquote(value).unwrap_or(value)))
            }
            None => (part, None),
        })
    }

    /// The value of the first parameter of this name, compared without regard to case; an empty text when it has none.
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.unwrap_or_default())
    }

    /// As it stands on the wire, without the first semicolon.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.text
    }
}

/// What stands between the quotes of a text that is one quoted string and nothing else; escapes stay.
pub(crate) fn unquote(text: &str) -> Option<&str> {
    let (inside, rest) = quoted_prefix(text)?;
    rest.is_empty().then_some(inside)
}

/// Cuts a quoted string off the front: what is between the quotes, and what follows.
pub(crate) fn quoted_prefix(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut escaped = false;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => {
                let (inside, rest) = cut(inside, at);
                return Some((inside, rest.get(1..).unwrap_or_default()));
            }
            _ => {}
        }
    }
    None
}

/// A number of digits only; a number that is too large for the type is its maximum (RFC 4475 section 3.1.2.4).
pub(crate) fn saturating_number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

//! Text of others inside addresses and forms, and inside our own messages.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use presence_core::log_text::is_treacherous;

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest message of Microsoft's that is repeated, in characters.
const LONGEST_MESSAGE: usize = 300;

/// A word of this many characters or more may be a token, and is left out.
const SUSPICIOUS_WORD: usize = 65;

/// The text as one part of a path, a query or a form.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, RESERVED).into()
}

/// The text as a string of an OData filter, with its quotes: quotes inside are doubled. Not percent-encoded.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The first line of a message of Microsoft's that may be shown: cut, without control characters and without long words.
pub(crate) fn message(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut words = String::new();
    for word in line.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        if word.chars().count() >= SUSPICIOUS_WORD {
            words.push('…');
        } else {
            words.extend(word.chars().filter(|c| !is_treacherous(*c)));
        }
        if words.len() > LONGEST_MESSAGE * 4 {
            break;
        }
    }
    match words.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// A name such as Microsoft's error codes: at most 64 characters, letters, digits and `_-.` only; none otherwise.
pub(crate) fn code(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    ((1..=64).contains(&text.len()) && text.bytes().all(plain)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_encoded() {
        assert_eq!(
            escaped("o'hara_x#EXT#@a.com/../?&=+ é"),
            "o%27hara_x%23EXT%23%40a.com%2F..%2F%3F%26%3D%2B%20%C3%A9"
        );
        assert_eq!(escaped("a-b_c.d~E9"), "a-b_c.d~E9");
    }

    #[test]
    fn a_quote_cannot_end_a_string() {
        assert_eq!(quoted("o'hara"), "'o''hara'");
        assert_eq!(quoted("' or 1 eq 1 or '"), "''' or 1 eq 1 or '''");
    }

    #[test]
    fn a_message_is_one_line_without_what_could_be_a_token() {
        assert_eq!(message("\r\nAADSTS70043: it is\u{202e} gone.\r\nTrace ID: 1"), "AADSTS70043: it is gone.");
        assert_eq!(message(&format!("bad token {} here", "x".repeat(65))), "bad token … here");
        assert_eq!(message(&"word ".repeat(1_000)).chars().count(), 301);
        assert_eq!(message(&"é ".repeat(100_000)).chars().count(), 301);
        assert_eq!(message("\u{0}\u{1b}[2J"), "[2J");
        assert_eq!(message(""), "");
    }

    #[test]
    fn a_code_is_short_and_plain() {
        assert_eq!(code("Authorization_RequestDenied"), Some("Authorization_RequestDenied"));
        assert_eq!((code(""), code("a b"), code("<x>")), (None, None, None));
        assert_eq!(code(&"x".repeat(65)), None);
    }
}

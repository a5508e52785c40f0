//! Text of others inside addresses and forms, and inside our own messages.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use presence_core::log_text::is_treacherous;

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest message of Microsoft's that is repeated, in characters.
const LONGEST_MESSAGE: usize = 300;

/// A word of this many characters or more may be a token, and is left out.
const SUSPICIOUS_WORD: usize = 65;

/// What stands where something is left out.
const LEFT_OUT: &str = "…";

/// So many bytes of a secret tell something of it.
const TELLING: usize = 4;

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
            words.push_str(LEFT_OUT);
        } else {
            words.extend(word.chars().filter(|c| !is_treacherous(*c)));
        }
        if words.len() > LONGEST_MESSAGE * 4 {
            break;
        }
    }
    match words.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}{LEFT_OUT}", &words[..end]),
        None => words,
    }
}

/// The text in which no trace of this secret is left, should somebody have repeated it: as it is, percent-encoded, in base64, or
/// the beginning of it where the text is cut.
pub(crate) fn without(text: &str, secret: &str) -> String {
    if secret.is_empty() {
        return text.to_owned();
    }
    let forms = [
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        escaped(secret).into_owned(),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
    ];
    let mut text = forms.iter().fold(text.to_owned(), |text, form| text.replace(form.as_str(), LEFT_OUT));
    let Some(cut) = text.strip_suffix(LEFT_OUT) else { return text };
    let beginning = |form: &String| {
        let lengths = form.char_indices().map(|(at, _)| at).filter(|at| *at >= TELLING);
        lengths.filter(|at| cut.ends_with(&form[..*at])).max()
    };
    if let Some(length) = forms.iter().filter_map(beginning).max() {
        text.truncate(cut.len() - length);
        text.push_str(LEFT_OUT);
    }
    text
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
    fn a_repeated_secret_is_left_out_in_every_form_and_also_where_it_is_cut() {
        let secret = "hunter2/is~a+secret=";
        for form in [
            secret,
            "hunter2%2Fis~a%2Bsecret%3D",
            "hunter2%2Fis%7Ea%2Bsecret%3D",
            "aHVudGVyMi9pc35hK3NlY3JldD0",
            "aHVudGVyMi9pc35hK3NlY3JldD0=",
        ] {
            let text = without(&format!("the value '{form}' is bad, {form}"), secret);
            assert!(text.starts_with("the value '…") && !text.contains(&form[..4]), "{text}");
        }
        for length in 4..secret.len() {
            let text = message(&format!("{} {secret}", "x ".repeat((LONGEST_MESSAGE - length) / 2)));
            let text = without(&text, secret);
            assert!(!text.contains("hunt"), "{text}");
        }
        assert_eq!(without("cut hu…", secret), "cut hu…");
        assert_eq!(without("é hunté…", "hunté2"), "é …");
        assert_eq!(without("all is well", ""), "all is well");
    }

    #[test]
    fn a_code_is_short_and_plain() {
        assert_eq!(code("Authorization_RequestDenied"), Some("Authorization_RequestDenied"));
        assert_eq!((code(""), code("a b"), code("<x>")), (None, None, None));
        assert_eq!(code(&"x".repeat(65)), None);
    }
}

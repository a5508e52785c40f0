//! Looking for secrets in everything that a program has shown.

pub(crate) mod relay;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The forms in which a secret could be shown.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    vec![
        secret.to_owned(),
        encoded.to_ascii_lowercase(),
        encoded,
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        // A part of it is too much as well.
        secret.chars().take(secret.chars().count() * 3 / 4).collect(),
    ]
}

/// Where a secret is shown: the place and a piece of its text.
pub(crate) fn shown(places: &[(String, String)], secrets: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for form in secrets.iter().flat_map(|secret| forms(secret)).filter(|form| form.len() >= 8) {
        for (place, text) in places {
            if let Some(at) = text.find(&form) {
                let around: String = text[..at].chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect();
                found.push(format!("{place}: {around}[{form}]"));
            }
        }
    }
    found
}

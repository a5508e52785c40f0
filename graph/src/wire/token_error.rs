//! Why the login host gives no token.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::escape::{code, message, without};
use crate::Answer;
use crate::retry_after::retry_after;

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenErrorKind {
    /// Nothing helps but a person: the secret, the certificate, the sign-in or the application's registration is not good.
    NeedsAPerson,
    /// The login host cannot answer now (5xx, 429, redirections, what is not OAuth): later it may.
    Transient,
    /// Device code: the person has not finished; ask again after the interval.
    Pending,
    /// Device code: ask less often, 5 s more between two questions.
    SlowDown,
}

/// Why there is no token. The text never holds a part of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}{}{}", number(*aadsts), detail(description))]
pub struct TokenError {
    /// What is to be done about it.
    pub kind: TokenErrorKind,
    /// The HTTP status.
    pub status: u16,
    /// OAuth's `error`, such as `invalid_client`; our own words when there is none.
    pub error: String,
    /// The number of Microsoft's description, such as 7000222 of AADSTS7000222.
    pub aadsts: Option<u32>,
    /// The first line of Microsoft's description, cleaned and cut.
    pub description: String,
    /// How long the host asks to be left alone.
    pub retry_after: Option<Duration>,
}

fn number(aadsts: Option<u32>) -> String {
    aadsts.map(|number| format!(" (AADSTS{number})")).unwrap_or_default()
}

fn detail(description: &str) -> String {
    if description.is_empty() { String::new() } else { format!(": {description}") }
}

/// What goes by itself, although the status is 400 or 401: Microsoft's numbers for its own trouble.
const OWN_TROUBLE: [u32; 4] = [90_006, 90_012, 90_024, 90_033];

impl TokenError {
    /// The answer says so, or is not what an answer looks like.
    pub(super) fn unreadable(status: u16, what: &str) -> Self {
        Self {
            kind: TokenErrorKind::Transient,
            status,
            error: what.to_owned(),
            aadsts: None,
            description: String::new(),
            retry_after: None,
        }
    }

    /// Reads an answer that is not 2xx.
    pub(super) fn read(answer: &Answer, wall: SystemTime) -> Self {
        let status = answer.status;
        let wait = answer.retry_after.as_deref().and_then(|text| retry_after(text, wall));
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let Some(error) = body.get("error").and_then(Value::as_str).and_then(code) else {
            let error = if (300..400).contains(&status) {
                format!("the login host redirects ({status}), which is not followed")
            } else {
                format!("the login host answers {status}")
            };
            return Self { retry_after: wait, ..Self::unreadable(status, &error) };
        };
        let text = body.get("error_description").and_then(Value::as_str).unwrap_or_default();
        let listed = || body.get("error_codes")?.get(0)?.as_u64().and_then(|number| u32::try_from(number).ok());
        let aadsts = aadsts(text).or_else(listed);
        Self {
            kind: kind(status, error, aadsts),
            status,
            error: error.to_owned(),
            aadsts,
            description: without_number(&message(text)),
            retry_after: wait,
        }
    }

    /// The same, in which no trace of this secret is left, should the host have repeated it.
    #[must_use]
    pub fn without(mut self, secret: &str) -> Self {
        self.description = without(&self.description, secret);
        self.error = without(&self.error, secret);
        self
    }
}

fn kind(status: u16, error: &str, aadsts: Option<u32>) -> TokenErrorKind {
    match error {
        "authorization_pending" => TokenErrorKind::Pending,
        "slow_down" => TokenErrorKind::SlowDown,
        "temporarily_unavailable" | "server_error" => TokenErrorKind::Transient,
        _ if status >= 500 || matches!(status, 408 | 429 | 300..=399) => TokenErrorKind::Transient,
        _ if aadsts.is_some_and(|number| OWN_TROUBLE.contains(&number)) => TokenErrorKind::Transient,
        _ => TokenErrorKind::NeedsAPerson,
    }
}

/// The number after `AADSTS`.
fn aadsts(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("AADSTS")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).take(9).collect();
    digits.parse().ok()
}

/// Without the `AADSTS7000222: ` that the number says already.
fn without_number(line: &str) -> String {
    let Some(rest) = line.strip_prefix("AADSTS") else { return line.to_owned() };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.trim_start_matches(':').trim_start().to_owned()
}

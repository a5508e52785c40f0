//! What an answer of Microsoft Graph means, and who has to deal with it.

use std::time::SystemTime;

use presence_core::{EndedBy, Failure, FailureKind};
use serde_json::Value;

use super::escape::{code, message, without};
use crate::retry_after::retry_after;
use crate::{Answer, Trouble};

/// The longest error document that is read, in bytes.
const LONGEST_ERROR: usize = 65_536;

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// 2xx.
    Done,
    /// 400 and its like: the question is wrong, by us or by one of its parts. The kind is Transient.
    BadRequest(Failure),
    /// 401: the token is not (or no more) good. The kind is Endpoint.
    Unauthorized(Failure),
    /// 403: consent, licence or quota is missing. The kind is Endpoint.
    Forbidden(Failure),
    /// 404, 410: the user or the subscription does not exist. The kind is NotFound.
    NotFound(Failure),
    /// 409: it exists already. The kind is Endpoint.
    Conflict(Failure),
    /// 429: less, please. The kind is Endpoint.
    Throttled {
        /// With the wait that Microsoft asks for, where it does.
        failure: Failure,
    },
    /// Redirections, 5xx, no answer: not the fault of the question. The kind is Endpoint.
    Unavailable {
        /// With the wait that Microsoft asks for, where it does.
        failure: Failure,
    },
}

impl Ruling {
    /// The same, in which no trace of this secret is left, should the answer have repeated it.
    #[must_use]
    pub fn without(mut self, secret: &str) -> Self {
        match &mut self {
            Self::Done => {}
            Self::BadRequest(failure)
            | Self::Unauthorized(failure)
            | Self::Forbidden(failure)
            | Self::NotFound(failure)
            | Self::Conflict(failure)
            | Self::Throttled { failure }
            | Self::Unavailable { failure } => failure.detail = without(&failure.detail, secret).into(),
        }
        self
    }
}

/// Classifies what came of a request to Microsoft Graph. Never for the login host: its bodies are read by
/// [`super::parse_token`]. `wall` is the time of day, for a `Retry-After` that is a date.
#[must_use]
pub fn rule(answer: &Result<Answer, Trouble>, wall: SystemTime) -> Ruling {
    let answer = match answer {
        Ok(answer) => answer,
        Err(trouble) => {
            let detail = format!("no answer: {}", message(&trouble.to_string()));
            return Ruling::Unavailable { failure: Failure::new(FailureKind::Endpoint, EndedBy::Network, detail) };
        }
    };
    let failure = |kind| {
        let wait = answer.retry_after.as_deref().and_then(|text| retry_after(text, wall));
        Failure::answered(kind, answer.status, detail(answer)).with_retry_after(wait)
    };
    match answer.status {
        200..=299 => Ruling::Done,
        401 => Ruling::Unauthorized(failure(FailureKind::Endpoint)),
        403 => Ruling::Forbidden(failure(FailureKind::Endpoint)),
        404 | 410 => Ruling::NotFound(failure(FailureKind::NotFound)),
        409 => Ruling::Conflict(failure(FailureKind::Endpoint)),
        429 => Ruling::Throttled { failure: failure(FailureKind::Endpoint) },
        // A proxy asks for a password; what took too long or depends on something else may go later.
        407 | 408 | 412 | 421 | 423..=425 => Ruling::Unavailable { failure: failure(FailureKind::Endpoint) },
        400..=499 => Ruling::BadRequest(failure(FailureKind::Transient)),
        _ => Ruling::Unavailable { failure: failure(FailureKind::Endpoint) },
    }
}

/// Microsoft's code and message, with its number of the request: `TooManyRequests: Please retry again later. (request-id ...)`.
fn detail(answer: &Answer) -> String {
    let body: Value = match answer.body.get(..LONGEST_ERROR) {
        Some(_) => Value::Null,
        None => serde_json::from_slice(&answer.body).unwrap_or_default(),
    };
    let error = body.get("error").unwrap_or(&Value::Null);
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let (name, words) = (code(text("code")), message(text("message")));
    let mut detail = match (name, words.as_str()) {
        (Some(name), "") => name.to_owned(),
        (Some(name), words) if words == name => name.to_owned(),
        (Some(name), words) => format!("{name}: {words}"),
        (None, "") => reason(answer.status).to_owned(),
        (None, words) => words.to_owned(),
    };
    // Both spellings occur.
    let inner = error.get("innerError").or_else(|| error.get("innererror"));
    let inside =
        inner.and_then(|inner| inner.get("request-id").or_else(|| inner.get("requestId"))).and_then(Value::as_str);
    if let Some(id) = answer.request_id.as_deref().and_then(number).or_else(|| inside.and_then(number)) {
        detail.push_str(&format!(" (request-id {id})"));
    }
    detail
}

/// Microsoft's number of a request is a GUID; what has other letters is none, and may be anything.
fn number(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    ((1..=64).contains(&text.len()) && text.bytes().all(plain)).then_some(text)
}

const fn reason(status: u16) -> &'static str {
    match status {
        300..=399 => "a redirection, which is not followed",
        400..=499 => "refused without a reason",
        500..=599 => "Microsoft Graph is in trouble",
        _ => "an answer that is none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(request_id: &str, body: &str) -> Result<Answer, Trouble> {
        let request_id = Some(request_id.to_owned());
        Ok(Answer { status: 401, retry_after: None, date: None, request_id, body: body.to_owned().into() })
    }

    fn said(ruling: &Ruling) -> &str {
        let Ruling::Unauthorized(failure) = ruling else { panic!("{ruling:?}") };
        &failure.detail
    }

    #[test]
    fn a_token_that_is_repeated_is_in_no_failure() {
        let body = r#"{"error": {"code": "hunter2", "message": "hunter2 is bad, aHVudGVyMg too", "innerError": {"request-id": "hunter2"}}}"#;
        let ruling = rule(&answered("hunter2", body), SystemTime::UNIX_EPOCH).without("hunter2");
        assert_eq!(said(&ruling), "…: … is bad, … too");
    }

    #[test]
    fn a_number_of_a_request_is_a_guid() {
        let id = "2d5a6e1f-4d3b-4f4e-9c1a-0b8a3f6f1c11";
        let told = rule(&answered(id, "{}"), SystemTime::UNIX_EPOCH);
        assert_eq!(said(&told), format!("refused without a reason (request-id {id})"));
        for other in ["", "fake.access.x", &"a".repeat(65)] {
            assert_eq!(
                said(&rule(&answered(other, "{}"), SystemTime::UNIX_EPOCH)),
                "refused without a reason",
                "{other}"
            );
        }
    }
}

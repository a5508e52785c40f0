//! What an answer of Microsoft Graph means, and who has to deal with it.

use std::time::SystemTime;

use presence_core::{EndedBy, Failure, FailureKind};
use serde_json::Value;

use super::escape::{code, message};
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
    if let Some(id) = answer.request_id.as_deref().and_then(code).or_else(|| inside.and_then(code)) {
        detail.push_str(&format!(" (request-id {id})"));
    }
    detail
}

const fn reason(status: u16) -> &'static str {
    match status {
        300..=399 => "a redirection, which is not followed",
        400..=499 => "refused without a reason",
        500..=599 => "Microsoft Graph is in trouble",
        _ => "an answer that is none",
    }
}

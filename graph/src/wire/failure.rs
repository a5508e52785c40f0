//! What an answer of Microsoft Graph means, and who has to deal with it.

use std::time::SystemTime;

use presence_core::{EndedBy, Failure, FailureKind};

use crate::{Answer, Trouble};

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

/// Classifies what came of a request to Microsoft Graph (never for the login host: its bodies are read by
/// `parse_token`). `wall` is the time of day, for a `Retry-After` that is a date.
#[must_use]
pub fn rule(answer: &Result<Answer, Trouble>, _wall: SystemTime) -> Ruling {
    match answer {
        Ok(_) => Ruling::Done,
        Err(trouble) => {
            Ruling::Unavailable { failure: Failure::new(FailureKind::Endpoint, EndedBy::Network, trouble.to_string()) }
        }
    }
}

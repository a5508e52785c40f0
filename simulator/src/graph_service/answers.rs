//! Answers in Microsoft's forms.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::exchange::ServiceAnswer;

/// What a request is refused with: status, code and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// `Retry-After`, where there is one.
    pub(super) retry_after: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// The request itself is wrong.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// What is usual for this status.
    pub(super) fn usual(status: u16) -> Self {
        let (code, message) = match status {
            400 => ("BadRequest", "The request is malformed or incorrect."),
            401 => ("InvalidAuthenticationToken", "Access token validation failure."),
            403 => ("Forbidden", "The request is not authorized for this user or application."),
            404 => ("ResourceNotFound", "The requested resource doesn't exist."),
            409 => ("Conflict", "The current state conflicts with what the request expects."),
            423 => ("Locked", "The resource that is being accessed is locked."),
            429 => ("TooManyRequests", "Please retry again later."),
            500 => ("InternalServerError", "There was an internal server error while processing the request."),
            502 => ("BadGateway", "Bad gateway."),
            503 => ("ServiceUnavailable", "The service is temporarily unavailable."),
            504 => ("GatewayTimeout", "The server did not get a timely answer."),
            _ => ("generalException", "An unspecified error has occurred."),
        };
        Self::new(status, code, message)
    }
}

/// An answer with this JSON.
pub(super) fn of_json(status: u16, body: &Value) -> ServiceAnswer {
    of_bytes(status, body.to_string().into_bytes())
}

/// An answer with this JSON, already written.
pub(super) fn of_bytes(status: u16, body: Vec<u8>) -> ServiceAnswer {
    let mut answer = empty(status);
    answer.headers.push(("content-type".to_owned(), "application/json".to_owned()));
    answer.body = body;
    answer
}

/// An answer without a body.
pub(super) const fn empty(status: u16) -> ServiceAnswer {
    ServiceAnswer { status, headers: Vec::new(), body: Vec::new(), after: std::time::Duration::ZERO }
}

/// Graph's document of an error.
pub(super) fn refused(refusal: &Refusal, wall: SystemTime, request_id: &str, client_request_id: &str) -> ServiceAnswer {
    let date = time(wall);
    let date = date.split('.').next().unwrap_or_default();
    let inner = json!({ "date": date, "request-id": request_id, "client-request-id": client_request_id });
    let error = json!({ "code": refusal.code, "message": refusal.message, "innerError": inner });
    let mut answer = of_json(refusal.status, &json!({ "error": error }));
    answer.headers.extend(refusal.retry_after.iter().map(|text| ("retry-after".to_owned(), text.clone())));
    answer
}

/// A time as Graph writes it: `2026-11-22T07:40:00.0000000Z`.
pub(super) fn time(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(|_| String::new(), |at| format!("{at:.7}"))
}

/// Reads a time as Graph does: with `Z` or an offset.
pub(super) fn read_time(text: &str) -> Option<SystemTime> {
    text.parse::<jiff::Timestamp>().ok().map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_and_read_as_microsoft_does() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_333_200_500);
        assert_eq!(time(at), "2026-11-22T07:40:00.5000000Z");
        assert_eq!(read_time(&time(at)), Some(at));
        assert_eq!(
            read_time("2016-11-22T18:23:45.9356913Z").map(time),
            Some("2016-11-22T18:23:45.9356913Z".to_owned())
        );
        assert_eq!(read_time("tomorrow"), None);
    }
}

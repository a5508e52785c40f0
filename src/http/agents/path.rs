//! The agent that a path names.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use presence_core::AgentUri;

use crate::http::Problem;

/// The agent that the path names as `{uri}`, percent-encoded where a path needs it.
pub(in crate::http) struct AgentPath(pub(in crate::http) AgentUri);

impl FromRequest for AgentPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let text = web::Path::<String>::from_request(request, payload).into_inner();
        let text = text.map_err(|error| Problem::bad_request(format!("the path is no text: {error}")));
        ready(text.and_then(|text| parsed(&text)).map(Self))
    }
}

fn parsed(text: &str) -> Result<AgentUri, Problem> {
    AgentUri::parse(text)
        .map_err(|error| Problem::bad_request(format!("the path does not end in the URI of an agent: {error}")))
}

//! Remote queues: clients of the API that are served like those inside the process.
//!
//! | what | where |
//! |---|---|
//! | which there are | [`RemoteUccs`] |
//! | one of them, for requests and event streams | [`remote_ucc`] |
//! | its client of the provider | [`actor`] |
//! | how long it is kept | [`lease`], a pure value |
//! | the routes | [`queues`], [`agents`] |

mod actor;
mod agents;
mod lease;
mod legacy;
mod queues;
mod registry;
mod remote_ucc;

use actix_web::web::{self, ServiceConfig};
use presence_core::AgentUri;
use utoipa::{IntoResponses, OpenApi};

pub(in crate::http) use actor::Alter;
pub(in crate::http) use agents::MAX_URIS;
pub use registry::RemoteUccs;
pub(in crate::http) use remote_ucc::{OpenStream, RemoteUcc};

use super::model::Refusal;
use super::{Caller, Problem, Scope, body, is_ucc_name};

/// What this part adds to the description of the API.
#[derive(OpenApi)]
#[openapi(
    paths(
        queues::list, queues::put, queues::get, queues::delete,
        agents::alter, agents::list, agents::put, agents::get, agents::delete
    ),
    tags((name = "uccs", description = "Queues: what they want, and what they know"))
)]
pub(super) struct Doc;

/// The routes of this part.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(web::resource("/api/v1/uccs").route(web::get().to(queues::list)))
        .service(
            web::resource("/api/v1/uccs/{ucc}")
                .route(web::put().to(queues::put))
                .route(web::get().to(queues::get))
                .route(web::delete().to(queues::delete)),
        )
        .service(
            web::resource("/api/v1/uccs/{ucc}/agents")
                .app_data(body::bulk_json())
                .route(web::post().to(agents::alter))
                .route(web::get().to(agents::list)),
        )
        .service(
            web::resource("/api/v1/uccs/{ucc}/agents/{uri}")
                .route(web::put().to(agents::put))
                .route(web::get().to(agents::get))
                .route(web::delete().to(agents::delete)),
        );
}

/// How requests about a queue are refused.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it is only described")]
pub(in crate::http) enum OfUcc {
    /// A name, a URI or a parameter cannot be read; the detail says which, and what to write instead.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(#[to_schema] Problem),
    /// No valid token.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] Problem),
    /// The token is not this queue's.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] Problem),
    /// Too many requests; come again after `retry_after`.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(#[to_schema] Problem),
    /// Not now; come again after `retry_after`.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}

/// Goes on for the queue itself.
///
/// # Errors
/// 400 for what is no name of a queue, 403 for somebody else.
pub(in crate::http) fn own(caller: &Caller, ucc: &str) -> Result<(), Problem> {
    named(ucc)?;
    caller.require(&Scope::Ucc(ucc.to_owned()))
}

/// Goes on for the queue itself and for those who may see all queues.
///
/// # Errors
/// 400 for what is no name of a queue, 403 for somebody else.
pub(in crate::http) fn see(caller: &Caller, ucc: &str) -> Result<(), Problem> {
    named(ucc)?;
    if caller.may(&Scope::Read) { Ok(()) } else { caller.require(&Scope::Ucc(ucc.to_owned())) }
}

/// Goes on with a name that a queue may have.
///
/// # Errors
/// 400 for another text.
pub(in crate::http) fn named(ucc: &str) -> Result<(), Problem> {
    if is_ucc_name(ucc) {
        return Ok(());
    }
    Err(Problem::bad_request(
        "the name of a queue has 1 to 64 letters, digits, dots, hyphens and underscores, such as `sales`",
    ))
}

/// No queue of this name is registered.
pub(in crate::http) fn unknown(ucc: &str) -> Problem {
    Problem::not_found(format!("no queue `{ucc}` is registered; PUT /api/v1/uccs/{ucc} does that"))
}

/// Reads the URIs of agents; what cannot be one is listed with the reason.
pub(in crate::http) fn read_uris(texts: &[String], refused: &mut Vec<Refusal>) -> Vec<AgentUri> {
    let read = |text: &String| match AgentUri::parse(text) {
        Ok(uri) => Some(uri),
        Err(error) => {
            refused.push(Refusal { uri: text.clone(), why: error.to_string() });
            None
        }
    };
    texts.iter().filter_map(read).collect()
}

/// Why an agent found no room.
pub(in crate::http) fn beyond(uri: &AgentUri) -> Refusal {
    let why = format!(
        "the queue wants {} agents already, or all remote queues together {}, which is the limit; let some go",
        actor::MAX_AGENTS,
        actor::MAX_IN_ALL
    );
    Refusal { uri: uri.original().to_owned(), why }
}

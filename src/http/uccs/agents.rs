//! The routes of the agents that a queue wants.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json, Path, Query};
use presence_core::AgentUri;
use presence_core::log_text::Safe;
use serde::Deserialize;

use super::{Alter, OfUcc, beyond, own, read_uris, see, unknown};
use crate::http::model::{Interest, InterestOutcome, UccAgent, UccAgentPage};
use crate::http::{Api, Caller, Problem, Scope};

/// So many URIs are taken in one request.
pub(in crate::http) const MAX_URIS: usize = 10_000;
/// So many agents are on a page unless it is said.
const PAGE: usize = 100;
/// So many agents are on a page at most.
const LONGEST_PAGE: usize = 1_000;

/// Which agents of a queue.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Range {
    offset: Option<u32>,
    limit: Option<usize>,
}

/// Reads the URI of a path.
fn read(text: &str) -> Result<AgentUri, Problem> {
    AgentUri::parse(text).map_err(|error| Problem::bad_request(format!("the agent URI cannot be read: {error}")))
}

fn not_wanted(ucc: &str, uri: &AgentUri) -> Problem {
    Problem::not_found(format!(
        "the queue `{ucc}` does not want {}; PUT the same path to subscribe it",
        Safe(uri.as_str())
    ))
}

/// Subscribe and unsubscribe agents, up to 10,000 in one call
///
/// First those of `unsubscribe` are let go, then those of `subscribe` are wanted; saying it again changes nothing. The first
/// event of each new agent is its present value, or `pending`, or `unserved`. What is no URI is listed and the rest is done.
#[utoipa::path(
    post, path = "/api/v1/uccs/{ucc}/agents", tag = "uccs", request_body = Interest,
    params(("ucc" = String, Path, description = "The queue", example = "sales")),
    responses(
        (status = 200, description = "Done, but for those that are listed", body = InterestOutcome),
        (status = 409, description = "A queue inside the process has this name", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Too many URIs in one call", body = Problem, content_type = "application/problem+json"),
        OfUcc
    )
)]
pub(super) async fn alter(
    api: Data<Api>,
    caller: Caller,
    ucc: Path<String>,
    interest: Json<Interest>,
) -> Result<Json<InterestOutcome>, Problem> {
    own(&caller, &ucc)?;
    let Interest { subscribe, unsubscribe } = interest.into_inner();
    if subscribe.len() + unsubscribe.len() > MAX_URIS {
        return Err(Problem::unprocessable(format!("more than {MAX_URIS} URIs; send them in several calls")));
    }
    let mut refused = Vec::new();
    let alter =
        Alter { unsubscribe: read_uris(&unsubscribe, &mut refused), subscribe: read_uris(&subscribe, &mut refused) };
    let (remote, _) = api.uccs.register(&ucc).await?;
    let altered = remote.alter(alter).await?;
    refused.extend(altered.beyond.iter().map(beyond));
    Ok(Json(InterestOutcome { agents: altered.agents, refused }))
}

/// The agents of a queue and what it knows of them
#[utoipa::path(
    get, path = "/api/v1/uccs/{ucc}/agents", tag = "uccs",
    params(
        ("ucc" = String, Path, description = "The queue", example = "sales"),
        ("offset" = Option<u32>, Query, description = "How many to skip; 0 unless given"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many at most; 100 unless given")
    ),
    responses(
        (status = 200, description = "A page of them, by URI", body = UccAgentPage),
        (status = 404, description = "No such queue is registered", body = Problem, content_type = "application/problem+json"),
        OfUcc
    )
)]
pub(super) async fn list(
    api: Data<Api>,
    caller: Caller,
    ucc: Path<String>,
    range: Query<Range>,
) -> Result<Json<UccAgentPage>, Problem> {
    see(&caller, &ucc)?;
    let limit = range.limit.unwrap_or(PAGE);
    if !(1..=LONGEST_PAGE).contains(&limit) {
        return Err(Problem::bad_request(format!("`limit` is {limit}; a page has 1 to {LONGEST_PAGE} agents")));
    }
    let remote = if caller.may(&Scope::Ucc(ucc.clone())) { api.uccs.find(&ucc) } else { api.uccs.look_at(&ucc) };
    let remote = remote.ok_or_else(|| unknown(&ucc))?;
    Ok(Json(remote.agents(range.offset.unwrap_or(0) as usize, limit)))
}

/// Subscribe one agent
///
/// The answer is what is known already; `presence` is null while the first value is pending. It does not wait for SIP.
#[utoipa::path(
    put, path = "/api/v1/uccs/{ucc}/agents/{uri}", tag = "uccs",
    params(
        ("ucc" = String, Path, description = "The queue", example = "sales"),
        ("uri" = String, Path, description = "The agent", example = "sip:user1@domain.com")
    ),
    responses(
        (status = 200, description = "The queue wants it", body = UccAgent),
        (status = 409, description = "A queue inside the process has this name", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The queue wants too many agents already", body = Problem, content_type = "application/problem+json"),
        OfUcc
    )
)]
pub(super) async fn put(
    api: Data<Api>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<Json<UccAgent>, Problem> {
    let (ucc, uri) = path.into_inner();
    own(&caller, &ucc)?;
    let uri = read(&uri)?;
    let (remote, _) = api.uccs.register(&ucc).await?;
    let altered = remote.alter(Alter { subscribe: vec![uri.clone()], unsubscribe: Vec::new() }).await?;
    if let Some(uri) = altered.beyond.first() {
        return Err(Problem::unprocessable(beyond(uri).why));
    }
    remote.answer(&uri).await.map(Json).ok_or_else(|| not_wanted(&ucc, &uri))
}

/// What the queue knows of one of its agents
#[utoipa::path(
    get, path = "/api/v1/uccs/{ucc}/agents/{uri}", tag = "uccs",
    params(
        ("ucc" = String, Path, description = "The queue", example = "sales"),
        ("uri" = String, Path, description = "The agent", example = "sip:user1@domain.com")
    ),
    responses(
        (status = 200, description = "What is known", body = UccAgent),
        (status = 404, description = "No such queue is registered, or it does not want the agent", body = Problem, content_type = "application/problem+json"),
        OfUcc
    )
)]
pub(super) async fn get(
    api: Data<Api>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<Json<UccAgent>, Problem> {
    let (ucc, uri) = path.into_inner();
    see(&caller, &ucc)?;
    let uri = read(&uri)?;
    let remote = if caller.may(&Scope::Ucc(ucc.clone())) { api.uccs.find(&ucc) } else { api.uccs.look_at(&ucc) };
    let remote = remote.ok_or_else(|| unknown(&ucc))?;
    remote.agent(&uri).map(Json).ok_or_else(|| not_wanted(&ucc, &uri))
}

/// Let one agent go
#[utoipa::path(
    delete, path = "/api/v1/uccs/{ucc}/agents/{uri}", tag = "uccs",
    params(
        ("ucc" = String, Path, description = "The queue", example = "sales"),
        ("uri" = String, Path, description = "The agent", example = "sip:user1@domain.com")
    ),
    responses(
        (status = 204, description = "The queue wants it no longer"),
        (status = 404, description = "No such queue is registered, or it does not want the agent", body = Problem, content_type = "application/problem+json"),
        OfUcc
    )
)]
pub(super) async fn delete(
    api: Data<Api>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (ucc, uri) = path.into_inner();
    own(&caller, &ucc)?;
    let uri = read(&uri)?;
    let remote = api.uccs.find(&ucc).ok_or_else(|| unknown(&ucc))?;
    let altered = remote.alter(Alter { unsubscribe: vec![uri.clone()], subscribe: Vec::new() }).await?;
    if altered.released == 0 {
        return Err(not_wanted(&ucc, &uri));
    }
    Ok(HttpResponse::NoContent().finish())
}

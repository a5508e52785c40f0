//! Agents with the whole why: lists, details, revival.

mod detail;
mod filter;
mod page;
mod path;
mod why;
mod why_graph;

use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{HttpRequest, Responder};
use presence_core::AgentUri;
use utoipa::OpenApi;

use super::convert::state_of;
use super::model::{AgentDetail, AgentPage, AgentState, EndpointName, Freshness, Revived, SourceName};
use super::{Api, Caller, Problem, Scope};
pub(in crate::http) use filter::Filter;
use filter::Order;
pub(in crate::http) use path::AgentPath;

/// What this part adds to the description of the API.
#[derive(OpenApi)]
#[openapi(paths(list, one, revive_one, revive_all), components(schemas(Order)))]
pub(super) struct Doc;

/// The routes of this part.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(web::resource("/api/v1/agents").route(web::get().to(list)))
        .service(web::resource("/api/v1/agents/revive").route(web::post().to(revive_all)))
        .service(web::resource("/api/v1/agents/{uri}").route(web::get().to(one)))
        .service(web::resource("/api/v1/agents/{uri}/revive").route(web::post().to(revive_one)));
}

/// Agents, filtered, sorted and in pages.
///
/// A list is at most a second or so old (`taken` says); one agent is always told as it is now.
#[utoipa::path(
    get,
    path = "/api/v1/agents",
    params(
        ("q" = Option<String>, Query, description = "Part of the URI; upper and lower case are the same"),
        ("state" = Option<Vec<AgentState>>, Query, style = Form, explode = false, description = "Only agents in one of these states, separated by commas"),
        ("freshness" = Option<Vec<Freshness>>, Query, style = Form, explode = false, description = "Only agents whose presence is fresh, stale or unknown; several separated by commas"),
        ("source" = Option<Vec<SourceName>>, Query, style = Form, explode = false, description = "Only agents of these sources, separated by commas"),
        ("endpoint" = Option<Vec<EndpointName>>, Query, style = Form, explode = false, description = "Only agents that this endpoint serves or is being asked for; several separated by commas"),
        ("ucc" = Option<Vec<String>>, Query, style = Form, explode = false, description = "Only agents that one of these queues watches, separated by commas"),
        ("sort" = Option<Order>, Query, description = "The order; `-` turns it round, and agents that are equal in it come by URI. Without it: `uri`"),
        ("offset" = Option<u32>, Query, minimum = 0, maximum = 10_000_000, description = "So many agents are skipped. Without it: 0"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1_000, description = "At most so many agents. Without it: 100"),
    ),
    responses(
        (status = 200, description = "A page of agents", body = AgentPage),
        (status = 400, description = "A parameter is wrong; the problem names it", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks the scope `read`", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn list(api: Data<Api>, caller: Caller, request: HttpRequest) -> Result<impl Responder, Problem> {
    caller.require(&Scope::Read)?;
    let filter = Filter::read(request.query_string())?;
    Ok(Json(page::page(&api.observatory.snapshot(), &filter)))
}

/// One agent with everything that is known about it, as of now.
///
/// `why` says in words why its presence is as it is.
#[utoipa::path(
    get,
    path = "/api/v1/agents/{uri}",
    params(("uri" = String, Path, description = "The agent, percent-encoded where a path needs it", example = "sip:user1@domain.com")),
    responses(
        (status = 200, description = "The agent", body = AgentDetail),
        (status = 400, description = "That is no URI of an agent; the problem says why", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks the scope `read`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No queue asks for this agent", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn one(api: Data<Api>, caller: Caller, agent: AgentPath) -> Result<impl Responder, Problem> {
    caller.require(&Scope::Read)?;
    match api.provider.observe_agent(&agent.0).await {
        Some(view) => Ok(Json(detail::detail(&api, &view))),
        None => Err(unknown(&agent.0)),
    }
}

/// Try an abandoned agent again
///
/// At once, through the throttle.
#[utoipa::path(
    post,
    path = "/api/v1/agents/{uri}/revive",
    params(("uri" = String, Path, description = "The agent, percent-encoded where a path needs it", example = "sip:user1@domain.com")),
    responses(
        (status = 200, description = "It is tried again", body = Revived),
        (status = 400, description = "That is no URI of an agent; the problem says why", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks the scope `operate`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No queue asks for this agent", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The agent is not abandoned; the problem says how it stands", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn revive_one(api: Data<Api>, caller: Caller, agent: AgentPath) -> Result<impl Responder, Problem> {
    caller.require(&Scope::Operate)?;
    let uri = agent.0;
    let Some(view) = api.provider.observe_agent(&uri).await else { return Err(unknown(&uri)) };
    let revived = match state_of(&view) {
        AgentState::Abandoned => api.provider.revive(Some(uri.clone())).await,
        _ => 0,
    };
    if revived == 0 {
        let state = state_word(&view);
        return Err(Problem::conflict(format!("`{uri}` is not abandoned: it is {state}; there is nothing to revive")));
    }
    tracing::info!(logger = "PresenceProvider", uri = %uri, caller = %caller.name, "an operator has the agent tried again");
    Ok(Json(Revived { revived }))
}

/// Try all abandoned agents again
///
/// Through the throttle. The answer says how many there were.
#[utoipa::path(
    post,
    path = "/api/v1/agents/revive",
    responses(
        (status = 200, description = "So many are tried again; 0 when none was abandoned", body = Revived),
        (status = 403, description = "The token lacks the scope `operate`", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn revive_all(api: Data<Api>, caller: Caller) -> Result<impl Responder, Problem> {
    caller.require(&Scope::Operate)?;
    let revived = api.provider.revive(None).await;
    if api.configuration.graph.is_some() {
        tracing::info!(logger = "PresenceProvider", agents = revived, caller = %caller.name,
            "an operator has all abandoned agents tried again, and the accounts of Microsoft Graph that wait");
    } else if revived > 0 {
        tracing::info!(logger = "PresenceProvider", agents = revived, caller = %caller.name, "an operator has all abandoned agents tried again");
    }
    Ok(Json(Revived { revived }))
}

fn unknown(uri: &AgentUri) -> Problem {
    Problem::not_found(format!(
        "no queue asks for `{uri}`, or no source serves it, and nothing is pushed for it; GET /api/v1/explain/{uri} says which source would serve it"
    ))
}

/// The state as it is written on the wire, in words.
fn state_word(view: &presence_actors::AgentView) -> String {
    match (view.quarantined_until, &view.subscription) {
        (Some(_), _) => "left alone because of a bug".to_owned(),
        (None, Some(subscription)) => subscription.state.to_string(),
        (None, None) => format!("an agent of {}, which needs no subscription", view.presence.source),
    }
}

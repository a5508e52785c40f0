//! The glance, the endpoints, Microsoft Graph, the throttle, the sources, the history, the configuration, who the caller is, and which
//! source serves an agent.

mod configuration;

use actix_web::Responder;
use actix_web::web::{self, Data, Json, ServiceConfig};
use utoipa::OpenApi;

use super::agents::AgentPath;
use super::model::{self, EndpointList, Graph, History, SourceList, Status, Throttle};
use super::{Api, Caller, Problem, Scope};
use crate::explain::Explanation;
use configuration::Configuration;

/// What this part adds to the description of the API.
#[derive(OpenApi)]
#[openapi(paths(glance, endpoints, graph, throttle, sources, history, configuration, caller, explain))]
pub(super) struct Doc;

/// The routes of this part.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(web::resource("/api/v1/status").route(web::get().to(glance)))
        .service(web::resource("/api/v1/endpoints").route(web::get().to(endpoints)))
        .service(web::resource("/api/v1/graph").route(web::get().to(graph)))
        .service(web::resource("/api/v1/throttle").route(web::get().to(throttle)))
        .service(web::resource("/api/v1/sources").route(web::get().to(sources)))
        .service(web::resource("/api/v1/history").route(web::get().to(history)))
        .service(web::resource("/api/v1/configuration").route(web::get().to(configuration)))
        .service(web::resource("/api/v1/caller").route(web::get().to(caller)))
        .service(web::resource("/api/v1/explain/{uri}").route(web::get().to(explain)));
}

/// Is everything well? In one word, in one sentence, and in numbers.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    responses(
        (status = 200, description = "The glance, a second or so old", body = Status),
        (status = 403, description = "The token lacks the scope `read`", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn glance(api: Data<Api>, caller: Caller) -> Result<impl Responder, Problem> {
    caller.require(&Scope::Read)?;
    Ok(Json(api.observatory.snapshot().status.clone()))
}

/// The local endpoints of UcmaPresenceSource.
#[utoipa::path(
    get,
    path = "/api/v1/endpoints",
    responses(
        (status = 200, description = "The endpoints; none when the source is switched off", body = EndpointList),
        (status = 403, description = "The token lacks the scope `read`", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn endpoints(api: Data<Api>, caller: Caller) -> Result<impl Responder, Problem> {
    caller.require(&Scope::Read)?;
    let status = &api.observatory.snapshot().status;
    Ok(Json(EndpointList { endpoints: status.endpoints.clone(), taken: status.taken.clone() }))
}

/// Microsoft Graph
///
/// The tenants of MsGraphPresenceSource, their accounts and change notifications, and what was counted. No secrets.
#[utoipa::path(
    get,
    path = "/api/v1/graph",
    responses(
        (status = 200, description = "The tenants; none when the source is switched off", body = Graph),
        (status = 403, description = "The token lacks the scope `read`", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn graph(api: Data<Api>, caller: Caller) -> Result<impl Responder, Problem> {
    caller.require(&Scope::Read)?;
    let snapshot = api.observatory.snapshot();
    let counters = snapshot.view.sources.iter().find_map(|source| Some((&source.graph.as_ref()?.counters).into()));
    let (tenants, taken) = (snapshot.status.graph.clone(), snapshot.status.taken.clone());
    Ok(Json(Graph { tenants, counters: counters.unwrap_or_default(), taken }))
}

/// What waits for the right to be put on the wire, and until when.
#[utoipa::path(
    get,
    path = "/api/v1/throttle",
    responses(
        (status = 200, description = "The throttle", body = Throttle),
        (status = 403, description = "The token lacks the scope `read`", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn throttle(api: Data<Api>, caller: Caller) -> Result<impl Responder, Problem> {
    caller.require(&Scope::Read)?;
    Ok(Json(api.observatory.snapshot().status.throttle.clone()))
}

/// The sources that are switched on, and whether they can serve.
#[utoipa::path(
    get,
    path = "/api/v1/sources",
    responses(
        (status = 200, description = "The sources in the order in which they are asked", body = SourceList),
        (status = 403, description = "The token lacks the scope `read`", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn sources(api: Data<Api>, caller: Caller) -> Result<impl Responder, Problem> {
    caller.require(&Scope::Read)?;
    let status = &api.observatory.snapshot().status;
    Ok(Json(SourceList { sources: status.sources.clone(), taken: status.taken.clone() }))
}

/// The last ten minutes, about a sample a second.
#[utoipa::path(
    get,
    path = "/api/v1/history",
    responses(
        (status = 200, description = "The samples from the oldest to the newest", body = History),
        (status = 403, description = "The token lacks the scope `read`", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn history(api: Data<Api>, caller: Caller) -> Result<impl Responder, Problem> {
    caller.require(&Scope::Read)?;
    Ok(Json(api.observatory.history()))
}

/// The effective configuration. Names of files are shown, never what is in them.
#[utoipa::path(
    get,
    path = "/api/v1/configuration",
    responses(
        (status = 200, description = "The settings", body = Configuration),
        (status = 403, description = "The token lacks the scope `operate`", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn configuration(api: Data<Api>, caller: Caller) -> Result<impl Responder, Problem> {
    caller.require(&Scope::Operate)?;
    Ok(Json(Configuration::of(&api.configuration)))
}

/// Who asks, and what the token allows.
#[utoipa::path(
    get,
    path = "/api/v1/caller",
    responses(
        (status = 200, description = "The caller", body = model::Caller),
    ),
)]
async fn caller(api: Data<Api>, caller: Caller) -> impl Responder {
    let scopes = match &caller.scopes {
        Some(scopes) => scopes.iter().map(ToString::to_string).collect(),
        // Everything but to be one queue: it may be any.
        None => [Scope::Attendant, Scope::Calls, Scope::Operate, Scope::Read].iter().map(ToString::to_string).collect(),
    };
    Json(model::Caller { name: caller.name.as_ref().to_owned(), token_required: api.access.is_required(), scopes })
}

/// Which source serves an agent, and why no earlier one does; the agent need not be known.
#[utoipa::path(
    get,
    path = "/api/v1/explain/{uri}",
    params(("uri" = String, Path, description = "The agent, percent-encoded where a path needs it", example = "sip:user1@domain.com")),
    responses(
        (status = 200, description = "The rules, one source after the other", body = Explanation),
        (status = 400, description = "That is no URI of an agent; the problem says why", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks the scope `read`", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn explain(api: Data<Api>, caller: Caller, agent: AgentPath) -> Result<impl Responder, Problem> {
    caller.require(&Scope::Read)?;
    Ok(Json(Explanation::of(&agent.0, api.provider.rules())))
}

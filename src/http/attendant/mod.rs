//! What third parties push: attendant consoles and others.
//!
//! | what | where |
//! |---|---|
//! | what a push may say | [`said`] |
//! | who pushed what, and for how long it holds | [`book`], a pure value |
//! | the provider and the time | [`Pushers`] |

mod book;
mod pushers;
mod said;

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use presence_actors::PushRefused;
use presence_core::{AgentUri, SourceRules, Verdict};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::convert::{moment, seconds_until};
use super::model::{BulkPush, BulkPushed, Heartbeat, PushItem, PushRefusal, Pushed};
use super::{Api, Caller, Problem, Scope, body};
use book::{Held, Owner};
pub use pushers::Pushers;
use pushers::Refused;
use said::Said;

/// So many agents may be pushed with one request.
const MAX_BULK: usize = 10_000;
/// When something that is full or ending may be tried again.
const LATER: Duration = Duration::from_secs(10);

/// What this part adds to the description of the API.
#[derive(OpenApi)]
#[openapi(
    paths(put_one, get_one, delete_one, put_many, heartbeat),
    components(schemas(HeldPush)),
    tags((name = "attendant", description = "Third parties push how their agents are"))
)]
pub(super) struct Doc;

/// The routes of this part.
pub(super) fn configure(config: &mut ServiceConfig) {
    let bulk = web::resource("/api/v1/attendant/presence").app_data(body::bulk_json()).route(web::put().to(put_many));
    let one = web::resource("/api/v1/attendant/presence/{uri}")
        .route(web::put().to(put_one))
        .route(web::get().to(get_one))
        .route(web::delete().to(delete_one));
    let heartbeat = web::resource("/api/v1/attendant/heartbeat").route(web::post().to(heartbeat));
    config.service(bulk).service(one).service(heartbeat);
}

/// What is held of one agent.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct HeldPush {
    /// The agent.
    uri: String,
    /// The name of the token that pushed it.
    pusher: String,
    /// What it said.
    presence: Pushed,
    /// When it was pushed.
    #[schema(example = "2026-11-22T14:05:49.222Z")]
    pushed: String,
    /// When the agent becomes unknown unless it is pushed again or, with `heartbeat`, its pusher is heard of.
    until: String,
    /// In how many seconds.
    until_in: f64,
}

impl HeldPush {
    fn new(uri: &AgentUri, held: &Held) -> Self {
        Self {
            uri: uri.as_str().to_owned(),
            pusher: held.pusher.as_ref().to_owned(),
            presence: said::write(&held.said),
            pushed: moment(held.pushed_at),
            until: moment(held.until),
            until_in: seconds_until(held.until),
        }
    }
}

/// Push how an agent is.
///
/// It holds for `time_to_live`, or as long as the pusher (the token) is heard of at least every `heartbeat` seconds, by any
/// push or by `POST /api/v1/attendant/heartbeat`; a heartbeat may be late by a tenth of it, at least 250 ms and at most 5 s.
/// Then the agent is unknown. The last pusher of an agent owns it.
#[utoipa::path(
    put, path = "/api/v1/attendant/presence/{uri}", tag = "attendant", params(("uri" = String, Path, description = "The agent")),
    request_body = Pushed,
    responses(
        (status = 200, description = "Taken", body = HeldPush),
        (status = 400, description = "No agent URI, or a body that cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Without the scope `attendant`, or no pattern of AttendantServiceSource matches", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "What is said cannot be", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many agents or pushers, or the service ends", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn put_one(
    caller: Caller,
    api: web::Data<Api>,
    uri: web::Path<String>,
    pushed: web::Json<Pushed>,
) -> Result<web::Json<HeldPush>, Problem> {
    caller.require(&Scope::Attendant)?;
    let uri = agent(&uri)?;
    attendants(api.provider.rules(), &uri).map_err(Problem::forbidden)?;
    let said = said::read(&pushed).map_err(|error| Problem::unprocessable(error.to_string()))?;
    let answers = push(&api, &caller.name, vec![(uri.clone(), said)]).await?;
    answers.into_iter().try_for_each(|answer| answer.map_err(refused))?;
    let held = api.pushers.held(&uri).await;
    held.map(|held| web::Json(HeldPush::new(&uri, &held))).ok_or_else(nothing)
}

/// What is held of an agent.
///
/// With the scope `attendant` only what the token pushed itself, with `read` whoever pushed it. After a restart of this service
/// nothing is held until it is pushed again, though queues see the last state as stale: the problem says so.
#[utoipa::path(
    get, path = "/api/v1/attendant/presence/{uri}", tag = "attendant", params(("uri" = String, Path, description = "The agent")),
    responses(
        (status = 200, description = "What holds", body = HeldPush),
        (status = 400, description = "No agent URI", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Without the scopes `attendant` and `read`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nothing is held", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_one(caller: Caller, api: web::Data<Api>, uri: web::Path<String>) -> Result<web::Json<HeldPush>, Problem> {
    let sees_all = caller.may(&Scope::Read);
    if !sees_all {
        caller.require(&Scope::Attendant)?;
    }
    let uri = agent(&uri)?;
    match api.pushers.held(&uri).await {
        Some(held) if sees_all || held.pusher == caller.name => Ok(web::Json(HeldPush::new(&uri, &held))),
        Some(_) => Err(nothing()),
        None if api.pushers.is_from_before(&uri).await => Err(Problem::not_found(
            "nothing was pushed since the restart of this service: what had been pushed before is served as stale until it \
             is pushed again, taken back or runs out",
        )),
        None => Err(nothing()),
    }
}

/// Take a push back
///
/// The agent is unknown at once. What was pushed before a restart of this service is nobody's: each pusher may take it back.
#[utoipa::path(
    delete, path = "/api/v1/attendant/presence/{uri}", tag = "attendant", params(("uri" = String, Path, description = "The agent")),
    responses(
        (status = 204, description = "Taken back"),
        (status = 400, description = "No agent URI", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Without the scope `attendant`, or no pattern of AttendantServiceSource matches", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nothing is held", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another pusher has pushed the agent since", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The service ends", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn delete_one(caller: Caller, api: web::Data<Api>, uri: web::Path<String>) -> Result<HttpResponse, Problem> {
    caller.require(&Scope::Attendant)?;
    let uri = agent(&uri)?;
    attendants(api.provider.rules(), &uri).map_err(Problem::forbidden)?;
    // On a task of its own: a client that goes away leaves nothing half done.
    let withdrawn = actix_rt::spawn(async move { api.pushers.withdraw(&caller.name, &uri).await }).await;
    match withdrawn.map_err(|_| interrupted())?.map_err(|error| refused(error.into()))? {
        Owner::Asking => Ok(HttpResponse::NoContent().finish()),
        Owner::Another => {
            Err(Problem::conflict("another pusher has pushed this agent since; only that one can take it back"))
        }
        Owner::Nobody => Err(nothing()),
    }
}

/// Push how many agents are, up to 10,000 in one call
///
/// Those that cannot be taken are named in `refused`; the others are taken.
#[utoipa::path(
    put, path = "/api/v1/attendant/presence", tag = "attendant", request_body = BulkPush,
    responses(
        (status = 200, description = "What became of each", body = BulkPushed),
        (status = 400, description = "A body that cannot be read; nothing was taken", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Without the scope `attendant`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "More than 10000", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The service ends", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn put_many(
    caller: Caller,
    api: web::Data<Api>,
    bulk: web::Json<BulkPush>,
) -> Result<web::Json<BulkPushed>, Problem> {
    caller.require(&Scope::Attendant)?;
    let items = bulk.into_inner().presences;
    if items.len() > MAX_BULK {
        let detail =
            format!("presences: {} are more than the {MAX_BULK} that one request may hold; send several", items.len());
        return Err(Problem::unprocessable(detail));
    }
    let (mut names, mut pushes, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        match read(api.provider.rules(), &item) {
            Ok(push) => {
                names.push(item.uri);
                pushes.push(push);
            }
            Err(why) => refused.push(refusal(item.uri, why)),
        }
    }
    let answers = push(&api, &caller.name, pushes).await?;
    let taken = answers.iter().filter(|answer| answer.is_ok()).count();
    let not_taken = names.into_iter().zip(answers).filter_map(|(uri, answer)| Some((uri, answer.err()?)));
    refused.extend(not_taken.map(|(uri, why)| refusal(uri, why.to_string())));
    Ok(web::Json(BulkPushed { taken, refused }))
}

/// The pusher (the token) lives: what it pushed with `heartbeat` goes on to hold.
///
/// What had run out before stays unknown: `agents` says how many are kept. Fewer than expected, or 0 after a restart of this
/// service: push them again.
#[utoipa::path(
    post, path = "/api/v1/attendant/heartbeat", tag = "attendant",
    responses(
        (status = 200, description = "How many agents it has kept", body = Heartbeat),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Without the scope `attendant`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn heartbeat(caller: Caller, api: web::Data<Api>) -> Result<web::Json<Heartbeat>, Problem> {
    caller.require(&Scope::Attendant)?;
    Ok(web::Json(Heartbeat { agents: api.pushers.heard(&caller.name).await }))
}

/// What a push says, in our own spelling.
pub(super) fn understood(pushed: &Pushed) -> Result<Pushed, String> {
    said::read(pushed).map(|said| said::write(&said)).map_err(|error| error.to_string())
}

fn agent(text: &str) -> Result<AgentUri, Problem> {
    AgentUri::parse(text).map_err(|error| Problem::bad_request(format!("the agent URI: {error}")))
}

fn read(rules: &SourceRules, item: &PushItem) -> Result<(AgentUri, Said), String> {
    let uri = AgentUri::parse(&item.uri).map_err(|error| error.to_string())?;
    attendants(rules, &uri)?;
    let said = said::read(&item.presence).map_err(|error| error.to_string())?;
    Ok((uri, said))
}

/// A push may only touch what the patterns of AttendantServiceSource match; otherwise the reason.
fn attendants(rules: &SourceRules, uri: &AgentUri) -> Result<(), String> {
    let selection = rules.select(uri);
    let verdict = selection.considered.into_iter().next().map(|first| first.verdict);
    let why = match verdict {
        Some(Verdict::Matched { .. } | Verdict::Taken(_)) => return Ok(()),
        Some(Verdict::NoMatch { why }) => why,
        Some(Verdict::Disabled | Verdict::NotReached | Verdict::Tentative(_) | Verdict::Otherwise(_)) | None => {
            "it is not enabled".to_owned()
        }
    };
    let server =
        selection.source.map_or_else(|| "no source serves it".to_owned(), |source| format!("the {source} serves it"));
    Err(format!(
        "`{uri}` is not the AttendantServiceSource's: {why}; {server}. A push may touch only URIs that match its patterns"
    ))
}

/// Pushes on a task of its own: a client that goes away leaves nothing half done.
async fn push(
    api: &web::Data<Api>,
    pusher: &Arc<str>,
    pushes: Vec<(AgentUri, Said)>,
) -> Result<Vec<Result<(), Refused>>, Problem> {
    let (api, pusher) = (api.clone(), Arc::clone(pusher));
    let answers = actix_rt::spawn(async move { api.pushers.push(&pusher, pushes).await });
    answers.await.map_err(|_| interrupted())
}

fn refused(refused: Refused) -> Problem {
    let detail = refused.to_string();
    match refused {
        Refused::Provider(PushRefused::NotAttendant(_)) => Problem::forbidden(detail),
        Refused::Provider(PushRefused::NoTimeToLive) => Problem::unprocessable(detail),
        Refused::Provider(PushRefused::TooMany(_) | PushRefused::ShuttingDown) | Refused::Full(_) => {
            Problem::unavailable(detail, LATER)
        }
    }
}

fn refusal(uri: String, why: String) -> PushRefusal {
    let uri = if uri.chars().count() > 600 { uri.chars().take(600).collect() } else { uri };
    PushRefusal { uri, why }
}

fn nothing() -> Problem {
    Problem::not_found("nothing is held of this agent: nothing was pushed, or it has run out or was taken back")
}

fn interrupted() -> Problem {
    Problem::unavailable("the service ends", LATER)
}

#[cfg(test)]
mod tests {
    use presence_core::MatchRules;

    use super::*;

    #[test]
    fn a_push_may_only_touch_what_the_patterns_match_and_is_told_why() {
        let uri = |text: &str| AgentUri::parse(text).unwrap();
        let patterns = MatchRules::compile(&["@desk\\.example$"]).unwrap();
        let rules = SourceRules { attendant: Some(patterns), pstn: true, graph: None, ucma: true };
        assert_eq!(attendants(&rules, &uri("sip:a@desk.example")), Ok(()));
        let why = attendants(&rules, &uri("sip:a@elsewhere.example")).unwrap_err();
        assert!(why.contains("its one pattern does not match; the UcmaPresenceSource serves it"), "{why}");
        let off = SourceRules { attendant: None, ..rules };
        let why = attendants(&off, &uri("tel:+31612345678")).unwrap_err();
        assert!(why.contains("it is not enabled; the PstnPresenceSource serves it"), "{why}");
    }
}

//! Calls with PSTN agents.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Json, Path, ServiceConfig};
use presence_core::log_text::Safe;
use presence_core::{AgentUri, SourceKind};
use utoipa::OpenApi;

use super::convert::moment;
use super::model::{Call, CallList, CallStart};
use super::uccs::{OfUcc, named, see, unknown};
use super::{Api, Caller, Problem, Scope};

/// The longest id of a call, in bytes.
const LONGEST_ID: usize = 256;

/// What this part adds to the description of the API.
#[derive(OpenApi)]
#[openapi(
    paths(put, delete, list, list_all),
    tags((name = "calls", description = "Calls with PSTN agents: such an agent is busy while any queue has it in a call"))
)]
pub(super) struct Doc;

/// The routes of this part.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(web::resource("/api/v1/calls").route(web::get().to(list_all)))
        .service(web::resource("/api/v1/uccs/{ucc}/calls").route(web::get().to(list)))
        .service(
            web::resource("/api/v1/uccs/{ucc}/calls/{call}").route(web::put().to(put)).route(web::delete().to(delete)),
        );
}

/// Goes on for the queue itself and for those who may report the calls of any queue.
fn report(caller: &Caller, ucc: &str) -> Result<(), Problem> {
    named(ucc)?;
    if caller.may(&Scope::Calls) { Ok(()) } else { caller.require(&Scope::Ucc(ucc.to_owned())) }
}

/// Goes on with an id that a call may have.
fn identified(call: &str) -> Result<(), Problem> {
    if !call.is_empty() && call.len() <= LONGEST_ID && !call.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Problem::bad_request(format!("the id of a call has 1 to {LONGEST_ID} bytes and no control characters")))
}

/// A call begins
///
/// A call that is said twice counts once. It ends with DELETE, and with its queue: when that has no event stream open and
/// sends no request for the linger (60 s unless configured otherwise). To say it again is such a request.
#[utoipa::path(
    put, path = "/api/v1/uccs/{ucc}/calls/{call}", tag = "calls", request_body = CallStart,
    params(
        ("ucc" = String, Path, description = "The queue whose call it is", example = "sales"),
        ("call" = String, Path, description = "An id that the queue gives it", example = "call-1")
    ),
    responses(
        (status = 200, description = "It is under way already", body = Call),
        (status = 201, description = "It has begun", body = Call),
        (status = 409, description = "A call with this id is under way with another line, or a queue inside the process has this name", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The line is none of PstnPresenceSource, or too many calls are under way", body = Problem, content_type = "application/problem+json"),
        OfUcc
    )
)]
async fn put(
    api: Data<Api>,
    caller: Caller,
    path: Path<(String, String)>,
    start: Json<CallStart>,
) -> Result<HttpResponse, Problem> {
    let (ucc, call) = path.into_inner();
    report(&caller, &ucc)?;
    identified(&call)?;
    let line = AgentUri::parse(&start.line)
        .map_err(|error| Problem::unprocessable(format!("the `line` cannot be read: {error}")))?;
    if api.provider.rules().select(&line).source != Some(SourceKind::Pstn) {
        return Err(Problem::unprocessable(format!(
            "{} is no line of PstnPresenceSource, whose agents alone are known by their calls; \
             GET /api/v1/explain/ and the URI says which source serves it",
            Safe(line.as_str())
        )));
    }
    let (remote, _) = api.uccs.register(&ucc).await?;
    let new = remote.start_call(call.as_str().into(), line).await?;
    let begun = remote.list_call(&call).ok_or_else(|| no_call(&ucc, &call))?;
    Ok(if new { HttpResponse::Created() } else { HttpResponse::Ok() }.json(begun))
}

fn no_call(ucc: &str, call: &str) -> Problem {
    Problem::not_found(format!("no call `{}` of the queue `{ucc}` is under way", Safe(call)))
}

/// A call ends
#[utoipa::path(
    delete, path = "/api/v1/uccs/{ucc}/calls/{call}", tag = "calls",
    params(
        ("ucc" = String, Path, description = "The queue whose call it is", example = "sales"),
        ("call" = String, Path, description = "Its id", example = "call-1")
    ),
    responses(
        (status = 204, description = "It has ended"),
        (status = 404, description = "No such call is under way", body = Problem, content_type = "application/problem+json"),
        OfUcc
    )
)]
async fn delete(api: Data<Api>, caller: Caller, path: Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (ucc, call) = path.into_inner();
    report(&caller, &ucc)?;
    identified(&call)?;
    let remote = api.uccs.find(&ucc).ok_or_else(|| unknown(&ucc))?;
    if !remote.end_call(&call).await? {
        return Err(no_call(&ucc, &call));
    }
    Ok(HttpResponse::NoContent().finish())
}

/// The calls of one queue
#[utoipa::path(
    get, path = "/api/v1/uccs/{ucc}/calls", tag = "calls",
    params(("ucc" = String, Path, description = "The queue", example = "sales")),
    responses(
        (status = 200, description = "Its calls that are under way, by id", body = CallList),
        (status = 404, description = "No such queue is registered", body = Problem, content_type = "application/problem+json"),
        OfUcc
    )
)]
async fn list(api: Data<Api>, caller: Caller, ucc: Path<String>) -> Result<Json<CallList>, Problem> {
    if caller.may(&Scope::Calls) {
        named(&ucc)?
    } else {
        see(&caller, &ucc)?
    }
    let reports = report(&caller, &ucc).is_ok();
    let remote = if reports { api.uccs.find(&ucc) } else { api.uccs.look_at(&ucc) };
    Ok(Json(CallList { calls: remote.ok_or_else(|| unknown(&ucc))?.list_calls() }))
}

/// The calls of all queues, also of those inside the process
#[utoipa::path(
    get, path = "/api/v1/calls", tag = "calls",
    responses((status = 200, description = "The calls that are under way, by line", body = CallList), OfUcc)
)]
async fn list_all(api: Data<Api>, caller: Caller) -> Result<Json<CallList>, Problem> {
    if !caller.may(&Scope::Calls) {
        caller.require(&Scope::Read)?;
    }
    let calls = api.provider.calls().await.into_iter().map(|call| Call {
        ucc: call.ucc.as_ref().to_owned(),
        call: call.call.as_ref().to_owned(),
        line: call.line.as_str().to_owned(),
        since: moment(call.since),
    });
    Ok(Json(CallList { calls: calls.collect() }))
}

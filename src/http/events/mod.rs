//! Live events: server-sent events and WebSocket.
//!
//! A stream reads the feed of its queue with its own cursor, and only when its connection has taken what was read before:
//! a slow reader costs nobody anything, and no more memory than one batch.

mod frames;
mod reader;
mod render;
mod server_sent;
mod web_socket;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use actix_web::web::{self, Data, Payload, Query, ServiceConfig};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use presence_core::AgentUri;
use presence_core::log_text::Safe;
use serde::Deserialize;
use utoipa::OpenApi;

use super::limits::Client;
use super::metrics::Stream;
use super::model::Event;
use super::uccs::{Alter, MAX_URIS, OfUcc, beyond, own};
use super::{Api, Caller, Problem, Scope};
use reader::{Of, Reader, Right};

/// Each stream shows every so often that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// A client that takes or says nothing for so long is gone.
const DEAD_AFTER: Duration = Duration::from_secs(45);

/// What this part adds to the description of the API.
#[derive(OpenApi)]
#[openapi(
    paths(server_sent_events, over_web_socket),
    tags((name = "events", description = "Live events"))
)]
pub(super) struct Doc;

/// The routes of this part.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(web::resource("/api/v1/events").route(web::get().to(server_sent_events)))
        .service(web::resource("/api/v1/events/websocket").route(web::get().to(over_web_socket)));
}

/// Which events.
#[derive(Clone, Debug, Deserialize)]
struct Asked {
    ucc: Option<String>,
    agents: Option<String>,
    last_event_id: Option<String>,
}

/// Events as server-sent events
///
/// A new stream begins with what is known of every agent of the queue: `current`, `pending` or `unserved`. Then comes every
/// change, in order. A stream that is opened with the id of the last event goes on there; when that is too long ago, it says
/// `lagged`, and what holds now follows. A comment every 15 s shows that the stream lives.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events",
    params(
        ("ucc" = Option<String>, Query, example = "sales", description = "The queue whose events these are; it is registered if it is not yet. Without it: the queue of a token that is for one queue only; with the scope `read`, every change of every agent and endpoint from now on"),
        ("agents" = Option<String>, Query, example = "sip:user1@domain.com,tel:+31612345678", description = "Agents that the queue wants from now on, with commas between them"),
        ("last_event_id" = Option<String>, Query, description = "The id of the last event that was read: what has happened since then follows"),
        ("Last-Event-ID" = Option<String>, Header, description = "The same; it goes first")
    ),
    responses(
        (status = 200, description = "The stream; `data:` is an Event", body = Event, content_type = "text/event-stream"),
        (status = 409, description = "A queue inside the process has this name", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The queue would want too many agents", body = Problem, content_type = "application/problem+json"),
        OfUcc
    )
)]
async fn server_sent_events(
    api: Data<Api>,
    caller: Caller,
    asked: Query<Asked>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let reader = open(&api, caller, &asked, &request, Stream::ServerSentEvents).await?;
    Ok(server_sent::answer(reader))
}

/// Events over WebSocket
///
/// The same events as texts, with the field `id` beside the others. The client may send `{"subscribe":["URI"]}` and
/// `{"unsubscribe":["URI"]}`; what is wrong with that is answered as `{"type":"problem","status":422,"detail":"..."}`.
#[utoipa::path(
    get, path = "/api/v1/events/websocket", tag = "events",
    params(
        ("ucc" = Option<String>, Query, example = "sales", description = "The queue whose events these are; it is registered if it is not yet. Without it: the queue of a token that is for one queue only; with the scope `read`, every change of every agent and endpoint from now on"),
        ("agents" = Option<String>, Query, example = "sip:user1@domain.com,tel:+31612345678", description = "Agents that the queue wants from now on, with commas between them"),
        ("last_event_id" = Option<String>, Query, description = "The id of the last event that was read: what has happened since then follows"),
        ("Last-Event-ID" = Option<String>, Header, description = "The same; it goes first")
    ),
    responses(
        (status = 101, description = "The stream; each text is an Event"),
        (status = 409, description = "A queue inside the process has this name", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The queue would want too many agents", body = Problem, content_type = "application/problem+json"),
        OfUcc
    )
)]
async fn over_web_socket(
    api: Data<Api>,
    caller: Caller,
    asked: Query<Asked>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    // The handshake is looked at first: what is none must not open a stream of the queue.
    let mut payload = frames::bounded(payload.into_inner(), web_socket::LONGEST_COMMAND);
    let payload = Payload::from_request(&request, &mut payload)
        .await
        .map_err(|error| Problem::bad_request(format!("the request has no stream: {error}")))?;
    let (response, session, messages) = actix_ws::handle(&request, payload).map_err(|error| {
        Problem::bad_request(format!("this is the address of a WebSocket: {}", Safe(&error.to_string())))
    })?;
    let reader = open(&api, caller, &asked, &request, Stream::WebSocket).await?;
    let messages = messages
        .max_frame_size(web_socket::LONGEST_COMMAND)
        .aggregate_continuations()
        .max_continuation_size(web_socket::LONGEST_COMMAND);
    actix_rt::spawn(web_socket::talk(reader, session, messages));
    Ok(response)
}

/// Whose events are asked for; none for everybody's.
fn whose(caller: &Caller, asked: &Asked) -> Result<Option<String>, Problem> {
    if let Some(ucc) = &asked.ucc {
        own(caller, ucc)?;
        return Ok(Some(ucc.clone()));
    }
    if !caller.may(&Scope::Read)
        && let Some(ucc) = caller.only_ucc()
    {
        return Ok(Some(ucc.to_owned()));
    }
    if asked.agents.is_some() {
        return Err(Problem::bad_request("`agents` needs `ucc`: the queue that wants them"));
    }
    caller.require(&Scope::Read)?;
    Ok(None)
}

/// Reads the agents of the query string; every one must be a URI.
fn agents(asked: &Asked) -> Result<Vec<AgentUri>, Problem> {
    let texts: Vec<_> =
        asked.agents.iter().flat_map(|agents| agents.split(',')).filter(|text| !text.is_empty()).collect();
    if texts.len() > MAX_URIS {
        return Err(Problem::unprocessable(format!("more than {MAX_URIS} agents; subscribe them with POST")));
    }
    let read = |text: &str| {
        // In a query string a plus that is not written as %2B is a blank.
        let text = text.replacen("tel: ", "tel:+", 1);
        AgentUri::parse(&text).map_err(|error| Problem::bad_request(format!("`agents` cannot be read: {error}")))
    };
    texts.into_iter().map(read).collect()
}

/// Opens a stream; `agents` are wanted from then on.
async fn open(
    api: &Data<Api>,
    caller: Caller,
    asked: &Asked,
    request: &HttpRequest,
    kind: Stream,
) -> Result<Reader, Problem> {
    let ucc = whose(&caller, asked)?;
    let agents = agents(asked)?;
    let permit = match &ucc {
        Some(ucc) => api.admission.admit_queue(ucc)?,
        None => api.observers.admit()?,
    };
    let scope = ucc.clone().map_or(Scope::Read, Scope::Ucc);
    let of = match ucc {
        None => Of::All(std::sync::Arc::clone(api.uccs.observers())),
        Some(ucc) => Of::Ucc(api.uccs.open(&ucc).await?),
    };
    let header = request.headers().get("Last-Event-ID").map(|value| value.to_str().unwrap_or("no text"));
    let last_id = header.or(asked.last_event_id.as_deref()).filter(|id| !id.is_empty());
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let token = std::sync::Arc::clone(&caller.name);
    let right = Right { client: Client::of(&caller, peer), caller, scope };
    let reader = Reader::new(api.clone(), of, kind, last_id, right, permit);
    if let Of::Ucc(stream) = reader.of()
        && stream.ucc().streams() == 1
    {
        let over = kind.spoken();
        tracing::info!(logger = %stream.ucc().name(), %peer, %token, "the remote queue reads its events over {over}");
    }
    // The stream is there before the agents are: it has their first answers as they come.
    if let Of::Ucc(stream) = reader.of()
        && !agents.is_empty()
    {
        let altered = stream.ucc().alter(Alter { subscribe: agents, unsubscribe: Vec::new() }).await?;
        if let Some(uri) = altered.beyond.first() {
            return Err(Problem::unprocessable(beyond(uri).why));
        }
    }
    Ok(reader)
}

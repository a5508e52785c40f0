//! Where Microsoft notifies us of changes of presence: the webhook of `Notifications/@Url`.
//!
//! Microsoft wants an answer within three seconds: what comes is read, handed over at [`GraphDoor`] and answered. Whether a
//! notification is really Microsoft's is found out behind the door, so the answer tells nobody anything.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::http::header::{self, ContentEncoding};
use actix_web::http::{StatusCode, Uri};
use actix_web::web::{self, Bytes, BytesMut, Data, Payload, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError, dev};
use futures_util::StreamExt;
use presence_actors::GraphDoor;
use presence_config::HttpSettings;
use presence_graph::wire::{NoticesError, parse_notices};
use utoipa::OpenApi;

use super::hosts::Hosts;
use super::limits::{Client, RequestRate};
use super::{Api, Problem};

/// The path, unless `Notifications/@Url` has another one.
pub(super) const PATH: &str = "/graph/notifications";
/// The longest body, in bytes.
const LONGEST: usize = 1 << 20;
/// So much of each body is read without regard to the others: Microsoft's notifications are shorter as a rule.
const SMALL: usize = 16 << 10;
/// So many bytes beyond that are held of all bodies together.
const ALL: usize = 32 << 20;
/// So long a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// The longest `validationToken`, in characters.
const LONGEST_TOKEN: usize = 1_024;
/// So many requests one address makes per second, and twice as many at once: Microsoft, or the proxy before us, makes a request
/// for every change in the worst case.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(1_000).expect("it is not 0");
/// When it is worth to come again after a refusal.
const COME_AGAIN: Duration = Duration::from_secs(10);

/// What this part adds to the description of the API.
#[derive(OpenApi)]
#[openapi(paths(notified))]
pub(super) struct Doc;

/// The webhook, or none where notifications are not configured.
pub(super) struct Notifications(Option<Webhook>);

/// Where Microsoft notifies us.
struct Webhook {
    path: String,
    door: GraphDoor,
    hosts: Hosts,
    rate: RequestRate,
    /// Bytes of bodies that are being read, beyond the first of each.
    held: AtomicUsize,
}

impl Notifications {
    /// That of the configuration, if it has one.
    pub(super) fn of(api: &Api) -> Self {
        let graph = api.configuration.graph.as_ref();
        let url = graph.and_then(|graph| graph.notifications.as_ref()).map(|notifications| notifications.url.as_str());
        let webhook = url
            .zip(api.provider.graph_door())
            .and_then(|(url, door)| Webhook::new(url, door, &api.settings, api.access.is_required()));
        Self(webhook)
    }

    /// Registers the path of the configuration, if it is another one than the usual.
    pub(super) fn configure(&self, config: &mut ServiceConfig) {
        if let Some(webhook) = &self.0
            && webhook.path != PATH
        {
            config.service(resource(&webhook.path));
        }
    }

    /// Lets a request in that is for the webhook: none when it is for something else.
    ///
    /// # Errors
    /// 400 or 403 for a host that is neither ours nor the one that Microsoft was told, 429 for too many.
    pub(super) fn admit(&self, request: &HttpRequest, client: Client) -> Option<Result<(), (&'static str, Problem)>> {
        let webhook = self.0.as_ref().filter(|webhook| webhook.path == request.path())?;
        let check = || {
            webhook
                .hosts
                .check(request.method(), request.uri(), request.headers())
                .map_err(|problem| ("host", problem))?;
            webhook.rate.check(client).map_err(|problem| {
                let detail = format!("more than {PER_SECOND} requests per second from one address");
                ("rate", Problem { detail, ..problem })
            })
        };
        Some(check())
    }
}

impl Webhook {
    /// At the path of this address, which Microsoft was told.
    fn new(url: &str, door: GraphDoor, settings: &HttpSettings, tokens: bool) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let mut names = settings.host_names.clone();
        names.push(uri.host()?.to_ascii_lowercase());
        Some(Self {
            path: uri.path().to_owned(),
            door,
            hosts: Hosts::new(settings.listen.ip(), &names, tokens),
            rate: RequestRate::new(PER_SECOND),
            held: AtomicUsize::new(0),
        })
    }

    /// Answers Microsoft's question whether the address is ours.
    fn handshake(&self, token: &str) -> Result<HttpResponse, Problem> {
        if !(1..=LONGEST_TOKEN).contains(&token.chars().count()) {
            return Err(Problem::bad_request(format!("a validationToken has 1 to {LONGEST_TOKEN} characters")));
        }
        if !self.door.expects_handshake() {
            return Err(Problem::not_found("no subscription is being made, so there is nothing to validate"));
        }
        let mut answer = HttpResponse::Ok();
        answer.content_type("text/plain; charset=utf-8").insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
        // As it is: a compressed token is another one.
        answer.insert_header(ContentEncoding::Identity);
        Ok(answer.body(token.to_owned()))
    }

    /// Takes a notification.
    fn deliver(&self, body: &[u8]) -> Result<HttpResponse, Problem> {
        let (notices, unreadable) = parse_notices(body).map_err(|error| match error {
            NoticesError::Malformed(text) => Problem::bad_request(text),
            NoticesError::TooMany(_) => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
        })?;
        self.door.unreadable(unreadable);
        self.door.deliver(notices).map_err(|full| Problem::unavailable(full.to_string(), COME_AGAIN))?;
        Ok(HttpResponse::Accepted().finish())
    }

    /// Reads a body as far as it is let.
    async fn read(&self, request: &HttpRequest, mut payload: dev::Payload) -> Result<Bytes, Problem> {
        let too_long =
            || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {} KiB", LONGEST >> 10));
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > LONGEST as u64) {
            return Err(too_long());
        }
        let mut body = BytesMut::new();
        let mut share = Share { of: &self.held, bytes: 0 };
        while let Some(piece) = payload.next().await {
            let piece = piece.map_err(|error| Problem::bad_request(format!("the body cannot be read: {error}")))?;
            if body.len() + piece.len() > LONGEST {
                return Err(too_long());
            }
            share.grow((body.len() + piece.len()).saturating_sub(SMALL))?;
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }
}

/// What one body holds of the memory for all.
struct Share<'a> {
    of: &'a AtomicUsize,
    bytes: usize,
}

impl Share<'_> {
    fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let more = bytes.saturating_sub(self.bytes);
        let held = self.of.fetch_add(more, Ordering::AcqRel);
        self.bytes += more;
        if more > 0 && held + more > ALL {
            return Err(Problem::unavailable("too many long bodies are being read", COME_AGAIN));
        }
        Ok(())
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// The routes of this part.
pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource(PATH));
}

fn resource(path: &str) -> actix_web::Resource {
    web::resource(path.to_owned()).route(web::post().to(notified)).default_service(web::to(not_taken))
}

/// Another method: not allowed, and where notifications are not configured there is nothing at all.
async fn not_taken(notifications: Option<Data<Notifications>>, request: HttpRequest) -> HttpResponse {
    let is_here = |all: Data<Notifications>| all.0.as_ref().is_some_and(|webhook| webhook.path == request.path());
    if !notifications.is_none_or(is_here) {
        return nothing().error_response();
    }
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path takes POST");
    let mut answer = problem.error_response();
    answer.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
    answer
}

fn nothing() -> Problem {
    Problem::not_found("change notifications are not configured at this path (Notifications of MsGraphPresenceSource)")
}

/// Microsoft's change notifications
///
/// For Microsoft Graph only, at the path of `Notifications/@Url` (this one, unless it has another), and only where that is
/// configured. Needs no token: each notification proves itself by its `clientState`, and one that does not is answered in the same
/// way and dropped. With `validationToken` it is Microsoft's question whether the address is ours; it is answered with the token
/// while a subscription is being made.
#[utoipa::path(
    post,
    path = "/graph/notifications",
    params(("validationToken" = Option<String>, Query, description = "What to answer with; the body is then not looked at")),
    request_body(content = serde_json::Value, description = "A `changeNotificationCollection` of at most 1,000 items, at most 1 MiB"),
    responses(
        (status = 200, description = "The token, decoded", body = String, content_type = "text/plain"),
        (status = 202, description = "Taken, or dropped"),
        (status = 404, description = "Notifications are not configured, or no subscription is being made"),
        (status = 503, description = "Too many wait; deliver it again after Retry-After"),
    )
)]
async fn notified(
    notifications: Data<Notifications>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let webhook = notifications.0.as_ref().filter(|webhook| webhook.path == request.path()).ok_or_else(nothing)?;
    let query = Query::<Vec<(String, String)>>::from_query(request.query_string())
        .map_err(|error| Problem::bad_request(format!("the query string cannot be read: {error}")))?;
    let mut tokens = query.iter().filter(|(name, _)| name == "validationToken").map(|(_, token)| token);
    match (tokens.next(), tokens.next()) {
        (Some(token), None) => return webhook.handshake(token),
        (Some(_), Some(_)) => return Err(Problem::bad_request("two validationTokens")),
        (None, _) => {}
    }
    let Ok(body) = tokio::time::timeout(BODY_WITHIN, webhook.read(&request, payload.into_inner())).await else {
        let detail = format!("the body has not arrived within {} s", BODY_WITHIN.as_secs());
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
    };
    webhook.deliver(&body?)
}

#[cfg(test)]
#[path = "notifications_tests.rs"]
mod tests;

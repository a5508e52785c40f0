//! What every request passes on its way in, and every answer on its way out.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, ContentEncoding, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, ResponseError, web};
use futures_util::FutureExt;
use presence_config::HttpSettings;
use presence_core::log_text::Safe;

use super::super::access::bearer;
use super::super::hosts::Hosts;
use super::super::limits::{Client, RequestRate};
use super::super::notifications::Notifications;
use super::super::{Access, HttpMeters, Problem, openapi};
use super::held::{Held, keeping};
use super::table::Table;

/// So long a request may take from its head to the head of its answer: a body that is sent byte by byte ends there.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest request id of a client.
const LONGEST_ID: usize = 64;
/// The policy of answers that set none of their own: they are data, and nothing may be loaded, run or framed.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the front needs; one per process.
pub(super) struct Front {
    access: Access,
    meters: Arc<HttpMeters>,
    hosts: Hosts,
    rate: Arc<RequestRate>,
    table: Table,
    notifications: Option<web::Data<Notifications>>,
    run: u32,
    requests: AtomicU64,
}

/// A request, as the log and the headers of its answer need it.
#[derive(Clone, Debug)]
struct Visit {
    id: String,
    method: Method,
    path: String,
    peer: IpAddr,
    began: Instant,
    has_body: bool,
}

impl Front {
    /// For a listener that is set like this.
    pub(super) fn new(
        settings: &HttpSettings,
        access: Access,
        meters: Arc<HttpMeters>,
        rate: Arc<RequestRate>,
    ) -> Self {
        let mut run = [0; 4];
        // Without randomness the ids of two runs are the same: no harm.
        let _ = getrandom::fill(&mut run);
        Self {
            hosts: Hosts::new(settings.listen.ip(), &settings.host_names, access.is_required()),
            rate,
            table: Table::new(&openapi::description()),
            notifications: None,
            run: u32::from_be_bytes(run),
            requests: AtomicU64::new(0),
            access,
            meters,
        }
    }

    /// The same, with the webhook of Microsoft's notifications.
    pub(super) fn with_notifications(mut self, notifications: web::Data<Notifications>) -> Self {
        self.notifications = Some(notifications);
        self
    }

    fn visit(&self, request: &ServiceRequest) -> Visit {
        let headers = request.headers();
        let given = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
        let is_id = |id: &&str| {
            (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        Visit {
            id: given.filter(is_id).map_or_else(|| format!("{:08x}-{number}", self.run), str::to_owned),
            method: request.method().clone(),
            path: request.path().to_owned(),
            peer: request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip()),
            began: presence_actors::now(),
            has_body: headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING),
        }
    }

    /// Lets a request in, or not.
    fn admit(&self, request: &ServiceRequest, visit: &Visit) -> Result<(), Problem> {
        let refused = |why| move |problem| self.refuse(why, problem);
        let notifications = self.notifications.as_ref();
        if let Some(admitted) = notifications.and_then(|all| all.admit(request.request(), Client::at(visit.peer))) {
            // It has a host and limits of its own, wants no token, and takes what Microsoft adds to the query string.
            admitted.map_err(|(why, problem)| self.refuse(why, problem))?;
            return plain(request.headers()).map_err(refused("compressed"));
        }
        self.hosts.check(&visit.method, request.uri(), request.headers()).map_err(refused("host"))?;
        if !visit.path.starts_with("/health/") {
            let caller = self.access.admit(bearer(request.headers()));
            let client =
                caller.as_ref().map_or_else(|_| Client::at(visit.peer), |caller| Client::of(caller, visit.peer));
            self.rate.check(client).map_err(refused("rate"))?;
            // The handler takes it from here, and need not look the token up again.
            if let Ok(caller) = caller {
                request.extensions_mut().insert(caller);
            }
        }
        plain(request.headers()).map_err(refused("compressed"))?;
        self.table.check_query(&visit.method, &visit.path, request.query_string())
    }

    fn refuse(&self, why: &'static str, problem: Problem) -> Problem {
        self.meters.refused(why);
        problem
    }

    /// Makes a problem document of an answer that says an error in any other way.
    fn explained(&self, response: ServiceResponse<BoxBody>, visit: &Visit) -> ServiceResponse<BoxBody> {
        let status = response.status();
        let is_told =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
        if is_told || !(status.is_client_error() || status.is_server_error()) {
            return response;
        }
        let (request, _) = response.into_parts();
        ServiceResponse::new(request, self.problem_at(&visit.path, status))
    }

    /// What is said of a path where nothing answers with success.
    fn problem_at(&self, path: &str, status: StatusCode) -> HttpResponse {
        let allow = self.table.allow(path);
        match (status, allow) {
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, Some(allow)) => {
                let detail = format!("this path takes {allow}");
                let mut response = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).error_response();
                if let Ok(value) = HeaderValue::from_str(&allow) {
                    response.headers_mut().insert(header::ALLOW, value);
                }
                response
            }
            (StatusCode::NOT_FOUND, None) => {
                Problem::not_found("there is nothing at this path; the API is described at /api/v1/docs/")
                    .error_response()
            }
            (status, _) => Problem::new(status, status.canonical_reason().unwrap_or("it went wrong")).error_response(),
        }
    }

    fn leave(&self, visit: &Visit, route: &str, status: StatusCode) {
        let took = presence_actors::now().duration_since(visit.began);
        self.meters.request(route, status.as_u16(), took);
        tracing::debug!(
            logger = "Http",
            "{} {} {}: {} in {:.1} ms [{}]",
            visit.peer,
            visit.method,
            Safe(&visit.path),
            status.as_u16(),
            took.as_secs_f64() * 1e3,
            visit.id
        );
    }
}

/// The middleware itself.
pub(super) async fn front<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(front) = request.app_data::<web::Data<Front>>().cloned() else {
        return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the listener is not complete").into());
    };
    let visit = front.visit(&request);
    let held = Held::of(&mut request);
    let mut response = match front.admit(&request, &visit) {
        Err(problem) => request.into_response(problem.error_response()),
        Ok(()) => {
            prepare(&mut request);
            match tokio::time::timeout(PATIENCE, AssertUnwindSafe(next.call(request)).catch_unwind()).await {
                Ok(Ok(Ok(response))) => front.explained(response.map_into_boxed_body(), &visit),
                broken => {
                    let problem = match broken {
                        Ok(Ok(Err(error))) => Problem::new(error.as_response_error().status_code(), error.to_string()),
                        Ok(_) => panicked(&visit),
                        Err(_) => too_slow(&visit),
                    };
                    let broken = Broken { problem, visit: visit.clone(), held };
                    front.leave(&visit, "", broken.status_code());
                    return Err(broken.into());
                }
            }
        }
    };
    seal(response.headers_mut(), &visit);
    let route = response.request().match_pattern().unwrap_or_default();
    front.leave(&visit, &route, response.status());
    Ok(response.map_body(|_, body| keeping(body, held)))
}

/// Goes on with a body as it is. One that is compressed would be unpacked a thousandfold before its length is known.
fn plain(headers: &HeaderMap) -> Result<(), Problem> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING);
    if codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(ContentEncoding::Identity.as_str().as_bytes())) {
        return Ok(());
    }
    let detail = "the body is compressed; send it as it is, without Content-Encoding";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

/// True for a path whose answers have no end.
pub(super) fn is_endless(path: &str) -> bool {
    path.starts_with("/api/v1/events")
}

/// HEAD is answered like GET, without the body; event streams are never compressed, since that holds events back.
fn prepare(request: &mut ServiceRequest) {
    if is_endless(request.path()) {
        request.headers_mut().remove(header::ACCEPT_ENCODING);
    } else if *request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
}

/// What every answer carries.
fn seal(headers: &mut HeaderMap, visit: &Visit) {
    if let Ok(id) = HeaderValue::from_str(&visit.id) {
        headers.insert(X_REQUEST_ID, id);
    }
    let mut unless_set = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    unless_set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    unless_set(header::REFERRER_POLICY, "no-referrer");
    unless_set(header::X_FRAME_OPTIONS, "DENY");
    unless_set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    unless_set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    let is_docs = visit.path.starts_with("/api/v1/docs/");
    unless_set(header::CONTENT_SECURITY_POLICY, if is_docs { openapi::POLICY } else { POLICY });
    unless_set(header::CACHE_CONTROL, if is_docs { "max-age=3600" } else { "no-store" });
}

fn panicked(visit: &Visit) -> Problem {
    tracing::error!(logger = "Http", "a bug: {} {} panicked [{}]", visit.method, Safe(&visit.path), visit.id);
    let detail = format!("a bug of ours; the log says more, look for {}", visit.id);
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
}

fn too_slow(visit: &Visit) -> Problem {
    let seconds = PATIENCE.as_secs();
    if visit.has_body {
        return Problem::new(StatusCode::REQUEST_TIMEOUT, format!("the body has not arrived within {seconds} s"));
    }
    Problem::unavailable(format!("there was no answer within {seconds} s"), PATIENCE)
}

/// An answer to a request that is no more.
#[derive(Debug)]
struct Broken {
    problem: Problem,
    visit: Visit,
    held: Option<Held>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl ResponseError for Broken {
    fn status_code(&self) -> StatusCode {
        self.problem.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.problem.error_response();
        seal(response.headers_mut(), &self.visit);
        response.map_body(|_, body| keeping(body, self.held.clone()))
    }
}

//! The shell of [`GraphService`]: the machine on a real socket of loopback, plain HTTP/1.1, both hosts on one port (the
//! login host is told by its path).

mod control;
mod handle;
mod post;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{
    GraphService, GraphServiceSettings, ServiceAnswer, ServiceEffect, ServiceHost, ServiceReply, ServiceRequest,
};
use crate::control_port;
use crate::serve::clock;

pub use handle::GraphServerHandle;

/// A request is no longer than this, in bytes.
const LONGEST_REQUEST: usize = 1 << 20;
/// So many connections at once.
const MOST_CONNECTIONS: usize = 1_000;
/// So long a connection may say nothing.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// Starts simulated Microsoft Graphs.
#[derive(Debug)]
pub struct GraphServer;

/// Everything that the tasks share.
struct Hub {
    service: Mutex<GraphService>,
    /// Requests whose answers come later.
    held: Mutex<BTreeMap<u64, oneshot::Sender<ServiceReply>>>,
    /// Where notifications to https addresses are really posted, in plain: as if a reverse proxy stood there.
    deliver_to: Mutex<Option<SocketAddr>>,
    /// The deadline may have moved.
    moved: Notify,
    posts: Semaphore,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl GraphServer {
    /// Starts a service on the runtime of the caller; port 0 lets the system choose. `origin` of the settings becomes
    /// what was bound. It stops when the last clone of the handle is dropped.
    ///
    /// # Errors
    /// The address is none of loopback (it believes everyone), or cannot be listened on.
    pub async fn start(settings: GraphServiceSettings, listen: SocketAddr) -> io::Result<GraphServerHandle> {
        Self::start_with_control(settings, listen, None).await
    }

    /// The same with a control port: one command per line, answered by one line that begins with `ok` or `error`.
    ///
    /// # Errors
    /// As [`Self::start`], for either address.
    pub async fn start_with_control(
        mut settings: GraphServiceSettings,
        listen: SocketAddr,
        control: Option<SocketAddr>,
    ) -> io::Result<GraphServerHandle> {
        for address in [Some(listen), control].into_iter().flatten() {
            if !address.ip().is_loopback() {
                return Err(io::Error::other(format!(
                    "{address}: it believes everyone, so it listens on loopback only"
                )));
            }
        }
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let control = match control {
            Some(control) => Some(TcpListener::bind(control).await?),
            None => None,
        };
        let control_address = control.as_ref().map(TcpListener::local_addr).transpose()?;
        settings.origin = format!("http://{address}");
        let hub = Arc::new(Hub {
            service: Mutex::new(GraphService::new(clock::now(), time_of_day(), settings)),
            held: Mutex::new(BTreeMap::new()),
            deliver_to: Mutex::new(None),
            moved: Notify::new(),
            posts: Semaphore::new(post::MOST_AT_ONCE),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        hub.tasks.spawn(accept(Arc::clone(&hub), listener));
        hub.tasks.spawn(keep_time(Arc::clone(&hub)));
        if let Some(control) = control {
            hub.tasks.spawn(control::listen(Arc::clone(&hub), control));
        }
        Ok(GraphServerHandle::new(hub, address, control_address))
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell's one clock; the machine gets the time from here")]
fn time_of_day() -> SystemTime {
    SystemTime::now()
}

impl Hub {
    /// Lets the machine do something, then does what it wants done.
    fn with<T>(self: &Arc<Self>, act: impl FnOnce(Instant, &mut GraphService) -> T) -> T {
        let mut effects = Vec::new();
        let result = {
            let mut service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
            let result = act(clock::now(), &mut service);
            effects.extend(std::iter::from_fn(|| service.poll_effect()));
            result
        };
        self.perform(effects);
        self.moved.notify_one();
        result
    }

    fn perform(self: &Arc<Self>, effects: Vec<ServiceEffect>) {
        for effect in effects {
            match effect {
                ServiceEffect::Post { id, url, content_type, body } => {
                    let hub = Arc::clone(self);
                    self.tasks.spawn(async move {
                        let answer = tokio::select! {
                            () = hub.stop.cancelled() => return,
                            answer = post::post(&hub, &url, content_type, body) => answer,
                        };
                        hub.with(|now, service| service.posted(now, id, answer));
                    });
                }
                ServiceEffect::Answer { held, reply } => {
                    let waits = self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&held);
                    if let Some(waits) = waits {
                        // Whoever asked may have gone.
                        let _gone = waits.send(reply);
                    }
                }
            }
        }
    }

    /// What a request gets, once it is known.
    async fn reply(self: &Arc<Self>, request: ServiceRequest) -> ServiceReply {
        let (answered, mut waits) = oneshot::channel();
        let mut answered = Some(answered);
        // It is put down before the handshakes leave, which may be over at once.
        let reply = self.with(|now, service| {
            let reply = service.request(now, request);
            if let (ServiceReply::Held(held), Some(answered)) = (&reply, answered.take()) {
                self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(*held, answered);
            }
            reply
        });
        match reply {
            ServiceReply::Held(_) => tokio::select! {
                () = self.stop.cancelled() => ServiceReply::Reset,
                reply = &mut waits => reply.unwrap_or(ServiceReply::Reset),
            },
            reply => reply,
        }
    }
}

/// Calls the machine when its deadline is there.
async fn keep_time(hub: Arc<Hub>) {
    loop {
        let due = hub.service.lock().unwrap_or_else(PoisonError::into_inner).poll_timeout();
        let sleep = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = hub.stop.cancelled() => return,
            () = hub.moved.notified() => {}
            () = sleep => hub.with(|now, service| service.handle_timeout(now)),
        }
    }
}

async fn accept(hub: Arc<Hub>, listener: TcpListener) {
    let (stop, tasks) = (hub.stop.clone(), hub.tasks.clone());
    let serve = move |stream| {
        let hub = Arc::clone(&hub);
        async move { converse(&hub, stream).await }
    };
    control_port::accept(listener, MOST_CONNECTIONS, stop, tasks, serve).await;
}

/// Serves one connection until it ends; a broken one needs no word.
async fn converse(hub: &Arc<Hub>, stream: TcpStream) {
    let _slower = stream.set_nodelay(true);
    let service = service_fn(|request| answer(Arc::clone(hub), request));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    let _broken = connection.await;
}

/// Why a connection is broken on purpose.
#[derive(Debug, thiserror::Error)]
#[error("broken on request")]
struct Broken;

async fn answer(hub: Arc<Hub>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Broken> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LONGEST_REQUEST).collect().await.map_err(|_| Broken)?.to_bytes().to_vec();
    let path = head.uri.path_and_query().map_or_else(String::new, |path| path.as_str().to_owned());
    let login = path.split('?').next().is_some_and(|path| path.contains("/oauth2/"));
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let request = ServiceRequest {
        host: if login { ServiceHost::Login } else { ServiceHost::Graph },
        method: head.method.as_str().to_owned(),
        path,
        headers,
        body,
    };
    match hub.reply(request).await {
        ServiceReply::Answer(answer) => {
            if !answer.after.is_zero() {
                tokio::time::sleep_until((clock::now() + answer.after).into()).await;
            }
            Ok(response(answer))
        }
        ServiceReply::Silence => never().await,
        ServiceReply::Reset | ServiceReply::Held(_) => Err(Broken),
    }
}

/// Nothing; who waits for it ends with the connection or the server.
async fn never() -> Result<Response<Full<Bytes>>, Broken> {
    std::future::pending::<Infallible>().await;
    Err(Broken)
}

fn response(answer: ServiceAnswer) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    // A header of a script that HTTP does not allow leaves an empty answer.
    builder.body(Full::new(Bytes::from(answer.body))).unwrap_or_default()
}

//! The simulated Microsoft Graph behind an exchange in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use presence_actors::{Exchange, Exchanged, GraphDoor, now};
use presence_graph::wire::parse_notices;
use presence_graph::{Answer, Body, Host, Method, Request, Trouble};
use presence_simulator::{
    GraphCounters, GraphService, GraphServiceSettings, PostAnswer, ServiceEffect, ServiceHost, ServiceReply,
    ServiceRequest,
};
use secrecy::ExposeSecret;
use tokio::sync::{Notify, oneshot};

use crate::flights::{Flight, Flights};

/// So much of an answer the real client reads.
const MOST: usize = 4 * 1024 * 1024;

/// A simulated Microsoft Graph in memory and in virtual time.
#[derive(Clone)]
pub(crate) struct Microsoft(Arc<Shared>);

struct Shared {
    service: Mutex<GraphService>,
    held: Mutex<BTreeMap<u64, oneshot::Sender<ServiceReply>>>,
    door: Mutex<Option<GraphDoor>>,
    /// Nobody can be reached.
    is_cut_off: AtomicBool,
    /// What carries requests has a bug.
    has_a_bug: AtomicBool,
    changed: Notify,
    flights: Arc<Mutex<Flights>>,
}

impl Microsoft {
    pub(crate) fn start(settings: GraphServiceSettings) -> Self {
        let wall = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let microsoft = Self(Arc::new(Shared {
            service: Mutex::new(GraphService::new(now(), wall, settings)),
            held: Mutex::default(),
            door: Mutex::default(),
            is_cut_off: AtomicBool::new(false),
            has_a_bug: AtomicBool::new(false),
            changed: Notify::new(),
            flights: Arc::default(),
        }));
        actix_rt::spawn(microsoft.clone().run());
        microsoft
    }

    /// Where its notifications go.
    pub(crate) fn knock_at(&self, door: Option<GraphDoor>) {
        *self.0.door.lock().unwrap() = door;
    }

    /// The network between us and Microsoft.
    pub(crate) fn cut_off(&self, is_cut_off: bool) {
        self.0.is_cut_off.store(is_cut_off, Ordering::Relaxed);
    }

    /// What carries requests panics from now on, or does not any more.
    pub(crate) fn has_a_bug(&self, has_a_bug: bool) {
        self.0.has_a_bug.store(has_a_bug, Ordering::Relaxed);
    }

    /// Carries out a command of the simulator.
    pub(crate) fn command(&self, line: &str) -> String {
        let said = self.0.service.lock().unwrap().command(now(), line).unwrap();
        self.0.changed.notify_one();
        said
    }

    /// The presence of the user with this number.
    pub(crate) fn set(&self, number: usize, availability: &str, activity: &str) {
        let user = format!("agent{number}@example.test");
        assert!(self.0.service.lock().unwrap().set_presence(now(), &user, availability, activity));
        self.0.changed.notify_one();
    }

    pub(crate) fn counters(&self) -> GraphCounters {
        self.0.service.lock().unwrap().counters()
    }

    /// The most requests under way at once since the last time.
    pub(crate) fn flights(&self) -> Flights {
        self.0.flights.lock().unwrap().read()
    }

    /// A user's presence as Microsoft knows it: availability and activity.
    pub(crate) fn presence_of(&self, user: &str) -> (String, String) {
        let (availability, activity, _) = self.0.service.lock().unwrap().presence_of(user).unwrap();
        (availability, activity)
    }

    /// Requests of this kind so far.
    pub(crate) fn count(&self, kind: &str) -> u64 {
        self.counters().of_kind(kind)
    }

    /// All secrets that were given out or shown so far.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.0.service.lock().unwrap().secrets()
    }

    async fn run(self) {
        loop {
            while let Some(effect) = self.next_effect() {
                match effect {
                    ServiceEffect::Post { id, url, body, .. } => {
                        let answer = self.post(&url, &body);
                        self.0.service.lock().unwrap().posted(now(), id, answer);
                    }
                    ServiceEffect::Answer { held, reply } => {
                        if let Some(waiting) = self.0.held.lock().unwrap().remove(&held) {
                            let _gave_up = waiting.send(reply);
                        }
                    }
                }
            }
            match self.deadline() {
                Some(deadline) => {
                    tokio::select! {
                        () = self.0.changed.notified() => {}
                        () = tokio::time::sleep_until(deadline.into()) => {
                            self.0.service.lock().unwrap().handle_timeout(now());
                        }
                    }
                }
                None => self.0.changed.notified().await,
            }
        }
    }

    fn next_effect(&self) -> Option<ServiceEffect> {
        self.0.service.lock().unwrap().poll_effect()
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.service.lock().unwrap().poll_timeout()
    }

    /// What our webhook says, as `src/http` has it.
    fn post(&self, url: &str, body: &[u8]) -> Option<PostAnswer> {
        let door = self.0.door.lock().unwrap();
        let door = door.as_ref()?;
        if let Some((_, token)) = url.split_once("validationToken=") {
            let token = decoded(token);
            return Some(if door.expects_handshake() {
                PostAnswer::plain(200, token)
            } else {
                PostAnswer::plain(404, "")
            });
        }
        let Ok((notices, _)) = parse_notices(body) else { return Some(PostAnswer::plain(400, "")) };
        Some(PostAnswer::plain(if door.deliver(notices).is_ok() { 202 } else { 503 }, ""))
    }

    fn ask(&self, request: ServiceRequest) -> ServiceReply {
        let reply = self.0.service.lock().unwrap().request(now(), request);
        self.0.changed.notify_one();
        reply
    }
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    decoded
}

impl Exchange for Microsoft {
    fn exchange(&self, request: Request) -> Exchanged {
        let microsoft = self.clone();
        let flight = Flight::of(&self.0.flights, &request);
        Box::pin(async move {
            let _flight = flight;
            assert!(!microsoft.0.has_a_bug.load(Ordering::Relaxed), "what carries requests was told to panic");
            if microsoft.0.is_cut_off.load(Ordering::Relaxed) {
                return Err(Trouble::Connect("no connection: nothing listens there".to_owned()));
            }
            let mut reply = microsoft.ask(asked(&request));
            if let ServiceReply::Held(held) = reply {
                let (sender, receiver) = oneshot::channel();
                microsoft.0.held.lock().unwrap().insert(held, sender);
                reply = receiver.await.map_err(|_| Trouble::Broken("the service is gone".to_owned()))?;
            }
            match reply {
                ServiceReply::Answer(answer) => {
                    tokio::time::sleep(answer.after).await;
                    if answer.body.len() > MOST {
                        return Err(Trouble::TooLong(MOST));
                    }
                    let field = |name: &str| answer.header(name).map(str::to_owned);
                    Ok(Answer {
                        status: answer.status,
                        retry_after: field("retry-after"),
                        date: field("date"),
                        request_id: field("request-id"),
                        body: answer.body.clone().into(),
                    })
                }
                ServiceReply::Reset => Err(Trouble::Broken("the peer reset the connection".to_owned())),
                ServiceReply::Silence => std::future::pending().await,
                ServiceReply::Held(_) => panic!("a held answer is held again"),
            }
        })
    }
}

fn asked(request: &Request) -> ServiceRequest {
    let mut headers: Vec<_> = request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    headers.push(("client-request-id".to_owned(), request.request_id.clone()));
    if let Some(token) = &request.bearer {
        headers.push(("authorization".to_owned(), format!("Bearer {}", token.expose_secret())));
    }
    let (content, body) = match &request.body {
        Body::Empty => (None, Vec::new()),
        Body::Json(json) => (Some("application/json"), json.to_vec()),
        Body::Form(form) => (Some("application/x-www-form-urlencoded"), form.expose_secret().as_bytes().to_vec()),
    };
    headers.extend(content.map(|content| ("content-type".to_owned(), content.to_owned())));
    let host = match request.host {
        Host::Login => ServiceHost::Login,
        Host::Graph => ServiceHost::Graph,
    };
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    };
    ServiceRequest { host, method: method.to_owned(), path: request.path.clone(), headers, body }
}

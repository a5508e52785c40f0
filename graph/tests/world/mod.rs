//! The machine against the simulated Microsoft Graph, in virtual time.
#![allow(dead_code, reason = "each test file uses its part")]

mod seen;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use presence_core::{AgentUri, Attempt};
use presence_graph::wire::parse_notices;
use presence_graph::{
    AccountKind, AccountSettings, Answer, Body, ExchangeId, Graph, GraphEffect, GraphInput, GraphSettings, GraphView,
    Host, Method, Report, Request, Secret, TenantSettings, Trouble,
};
use presence_simulator::{
    GraphService, GraphServiceSettings, PostAnswer, ServiceAccount, ServiceAnswer, ServiceCredential, ServiceEffect,
    ServiceHost, ServiceReply, ServiceRequest, ServiceTenant, ServiceUser,
};
use secrecy::{ExposeSecret, SecretString};

pub(crate) use seen::Seen;

/// What comes later.
enum Event {
    Answered(ExchangeId, Result<Answer, Trouble>),
    SecretRead(Arc<str>),
}

/// The machine, the service, and what agents were told.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) graph: Graph,
    pub(crate) service: GraphService,
    pub(crate) secrets: BTreeMap<String, Result<Secret, String>>,
    pub(crate) agents: BTreeMap<AgentUri, Seen>,
    pub(crate) reports: Vec<(Duration, Report)>,
    /// When requests for presence left, by account.
    pub(crate) polls: Vec<(Duration, Arc<str>)>,
    pub(crate) loads: Vec<Duration>,
    /// Answers to requests for presence are repeated, held back for ever, or late, when this says so for their number.
    pub(crate) spoil: Option<fn(u64) -> Spoilt>,
    events: BTreeMap<(Instant, u64), Event>,
    held: BTreeMap<u64, ExchangeId>,
    open: BTreeMap<ExchangeId, BTreeSet<String>>,
    next: u64,
    idle_timeouts: VecDeque<Instant>,
}

/// What happens to an answer on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoilt {
    No,
    Twice,
    Never,
    Late(Duration),
}

#[allow(clippy::disallowed_methods, reason = "an instant cannot be made otherwise; the tests only add to it")]
fn start() -> Instant {
    Instant::now()
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn agent(number: u32) -> AgentUri {
    agent_of(number, "demo.example")
}

pub(crate) fn agent_of(number: u32, domain: &str) -> AgentUri {
    format!("sip:agent{number}@{domain}").parse().unwrap()
}

pub(crate) fn client_secret(secret: &str) -> Secret {
    Secret::ClientSecret { client_id: GraphServiceSettings::CLIENT.to_owned(), secret: SecretString::from(secret) }
}

/// Settings with the defaults of the product for these tenants: id, domains, accounts.
pub(crate) fn settings(tenants: &[(&str, &[&str], &[&str])]) -> GraphSettings {
    let account = |name: &&str| AccountSettings { name: (*name).into(), kind: AccountKind::Application };
    let tenant = |(id, domains, accounts): &(&str, &[&str], &[&str])| TenantSettings {
        id: (*id).into(),
        domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        accounts: accounts.iter().map(account).collect(),
    };
    GraphSettings {
        tenants: tenants.iter().map(tenant).collect(),
        users: BTreeMap::new(),
        sweep: secs(5),
        slow_sweep: secs(60),
        requests_per_second: NonZeroU32::new(30).unwrap(),
        forget_unknown_after: secs(900),
        declines: false,
        notifications: None,
    }
}

/// One tenant of the service: id, domain, how many users, and accounts with these names (secret: `secret of NAME`).
pub(crate) fn service_tenant(number: usize, id: &str, domain: &str, users: u32, accounts: &[&str]) -> ServiceTenant {
    let account = |name: &&str| ServiceAccount {
        name: (*name).to_owned(),
        client_id: GraphServiceSettings::CLIENT.to_owned(),
        credential: ServiceCredential::Secret(format!("secret of {name}")),
    };
    ServiceTenant {
        id: id.to_owned(),
        domains: vec![domain.to_owned()],
        accounts: accounts.iter().map(account).collect(),
        users: (1..=users).map(|user| ServiceUser::numbered(number, user, domain)).collect(),
    }
}

impl World {
    /// One tenant with so many users and one account.
    pub(crate) fn with_users(users: u32) -> Self {
        Self::new(
            settings(&[(GraphServiceSettings::TENANT, &[], &["account1"])]),
            GraphServiceSettings::with_users(users, "demo.example"),
        )
    }

    pub(crate) fn new(settings: GraphSettings, service: GraphServiceSettings) -> Self {
        let now = start();
        let wall = SystemTime::UNIX_EPOCH + secs(1_800_000_000);
        let secret = |account: &ServiceAccount| match &account.credential {
            ServiceCredential::Secret(secret) => Ok(client_secret(secret)),
            ServiceCredential::User(Some(token)) => Ok(Secret::RefreshToken {
                client_id: account.client_id.clone(),
                token: SecretString::from(token.as_str()),
            }),
            ServiceCredential::User(None) | ServiceCredential::Certificate(_) => Err("no file".to_owned()),
        };
        let accounts = service.tenants.iter().flat_map(|tenant| &tenant.accounts);
        let secrets = accounts.map(|account| (account.name.clone(), secret(account))).collect();
        let graph = Graph::new(now, wall, settings, "login.example", "graph.example", 7);
        let service = GraphService::new(now, wall, service);
        let mut world = Self {
            now,
            start: now,
            graph,
            service,
            secrets,
            agents: BTreeMap::new(),
            reports: Vec::new(),
            polls: Vec::new(),
            loads: Vec::new(),
            spoil: None,
            events: BTreeMap::new(),
            held: BTreeMap::new(),
            open: BTreeMap::new(),
            next: 0,
            idle_timeouts: VecDeque::new(),
        };
        world.drain();
        world
    }

    pub(crate) fn command(&mut self, line: &str) {
        self.service.command(self.now, line).unwrap_or_else(|error| panic!("`{line}` {error}"));
        self.drain();
    }

    pub(crate) fn register(&mut self, uri: &AgentUri) {
        let seen = self.agents.entry(uri.clone()).or_default();
        seen.attempt = Attempt(seen.attempt.0 + 1);
        seen.registered = true;
        let attempt = seen.attempt;
        self.handle(GraphInput::Register { uri: uri.clone(), attempt });
    }

    pub(crate) fn unregister(&mut self, uri: &AgentUri) {
        let attempt = self.agents[uri].attempt;
        self.handle(GraphInput::Unregister { uri: uri.clone(), attempt });
    }

    /// Registers agents 1 to `count`, a hundred every 100 ms, and waits until all are heard.
    pub(crate) fn register_all(&mut self, count: u32) {
        for number in 1..=count {
            self.register(&agent(number));
            if number % 100 == 0 {
                self.run(Duration::from_millis(100));
            }
        }
        self.run_until(secs(600), |world| world.agents.values().all(Seen::is_fresh));
    }

    pub(crate) fn handle(&mut self, input: GraphInput) {
        self.graph.handle(self.now, input);
        self.drain();
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    pub(crate) fn view(&self) -> GraphView {
        self.graph.view(self.now)
    }

    pub(crate) fn seen(&self, number: u32) -> &Seen {
        &self.agents[&agent(number)]
    }

    pub(crate) fn all_fresh(&self) -> bool {
        self.agents.values().all(Seen::is_fresh)
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
        self.now = until;
    }

    /// Lets time pass until this is so; panics when it does not become so.
    pub(crate) fn run_until(&mut self, at_most: Duration, done: impl Fn(&Self) -> bool) -> Duration {
        let (from, until) = (self.now, self.now + at_most);
        while !done(self) {
            if !self.step(until) {
                panic!("not within {at_most:?}; {:#?} {:?}", self.view(), self.reports);
            }
        }
        self.now - from
    }

    fn step(&mut self, until: Instant) -> bool {
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        let next = [event, self.graph.poll_timeout(), self.service.poll_timeout()];
        let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= until) else { return false };
        self.now = self.now.max(next);
        if event.is_some_and(|at| at <= self.now) {
            if let Some((_, event)) = self.events.pop_first() {
                let input = self.input(event);
                self.graph.handle(self.now, input);
            }
        } else if self.graph.poll_timeout().is_some_and(|at| at <= self.now) {
            self.graph.handle_timeout(self.now);
            self.count_idle_timeouts();
        } else {
            self.service.handle_timeout(self.now);
        }
        self.drain();
        true
    }

    /// A machine that wants to be woken again and again without anything to do turns in place.
    fn count_idle_timeouts(&mut self) {
        match self.graph.poll_effect() {
            Some(effect) => {
                self.idle_timeouts.clear();
                self.perform(effect);
            }
            None => self.idle_timeouts.push_back(self.now),
        }
        if self.idle_timeouts.len() > 20 {
            let first = self.idle_timeouts.pop_front().unwrap();
            assert!(self.now - first >= secs(1), "20 timeouts without effect within {:?}", self.now - first);
        }
    }

    fn input(&mut self, event: Event) -> GraphInput {
        match event {
            Event::Answered(exchange, result) => {
                self.open.remove(&exchange);
                GraphInput::Answered { exchange, result }
            }
            Event::SecretRead(account) => {
                let secret = self.secrets.get(&*account).cloned().unwrap_or_else(|| Err("no file".to_owned()));
                GraphInput::SecretLoaded { account, secret }
            }
        }
    }

    fn later(&mut self, after: Duration, event: Event) {
        self.next += 1;
        self.events.insert((self.now + after, self.next), event);
    }

    fn drain(&mut self) {
        loop {
            while let Some(effect) = self.graph.poll_effect() {
                self.perform(effect);
            }
            let Some(effect) = self.service.poll_effect() else { break };
            match effect {
                ServiceEffect::Answer { held, reply } => {
                    let exchange = self.held.remove(&held).expect("it was held");
                    self.replied(exchange, Duration::ZERO, reply);
                }
                ServiceEffect::Post { id, url, body, .. } => {
                    let answer = self.post(&url, &body);
                    self.service.posted(self.now, id, Some(answer));
                }
            }
        }
    }

    fn post(&mut self, url: &str, body: &[u8]) -> PostAnswer {
        if let Some((_, token)) = url.split_once("?validationToken=") {
            let token =
                percent_encoding::percent_decode_str(&token.replace('+', " ")).decode_utf8().unwrap().into_owned();
            let expected = self.graph.expects_handshake(self.now);
            return PostAnswer::plain(if expected { 200 } else { 404 }, token);
        }
        match parse_notices(body) {
            Ok((notices, _)) => {
                self.graph.handle(self.now, GraphInput::Noticed(notices));
                PostAnswer::plain(202, "")
            }
            Err(_) => PostAnswer::plain(400, ""),
        }
    }

    fn perform(&mut self, effect: GraphEffect) {
        match effect {
            GraphEffect::Send { exchange, account, request } => self.send(exchange, &account, request),
            GraphEffect::Feed { uri, input } => {
                let at = self.elapsed();
                self.agents.entry(uri).or_default().told(at, input);
            }
            GraphEffect::Decline { uri, attempt } => {
                let seen = self.agents.get_mut(&uri).unwrap();
                assert_eq!(seen.attempt, attempt);
                (seen.registered, seen.declined) = (false, true);
            }
            GraphEffect::LoadSecret { account } => {
                self.loads.push(self.elapsed());
                self.later(Duration::from_millis(1), Event::SecretRead(account));
            }
            GraphEffect::StoreToken { account, token } => {
                let Some(Ok(Secret::RefreshToken { token: stored, .. })) = self.secrets.get_mut(&*account) else {
                    panic!("only a signed-in user has such a token");
                };
                *stored = token;
            }
            GraphEffect::Report(report) => self.reports.push((self.elapsed(), report)),
        }
    }

    fn send(&mut self, exchange: ExchangeId, account: &Arc<str>, request: Request) {
        let timeout = request.timeout;
        let is_presence = request.path.ends_with("getPresencesByUserId");
        let body = match request.body {
            Body::Empty => Vec::new(),
            Body::Json(json) => json.to_vec(),
            Body::Form(form) => form.expose_secret().as_bytes().to_vec(),
        };
        if is_presence {
            self.polls.push((self.elapsed(), account.clone()));
            self.note_overlap(exchange, &body);
        }
        let mut headers: Vec<(String, String)> =
            request.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        headers.push(("client-request-id".to_owned(), request.request_id));
        headers.push(("content-type".to_owned(), if request.host == Host::Login { FORM } else { JSON }.to_owned()));
        if let Some(bearer) = request.bearer {
            headers.push(("authorization".to_owned(), format!("Bearer {}", bearer.expose_secret())));
        }
        let method = match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        };
        let host = if request.host == Host::Login { ServiceHost::Login } else { ServiceHost::Graph };
        let request = ServiceRequest { host, method: method.to_owned(), path: request.path, headers, body };
        let reply = self.service.request(self.now, request);
        match (is_presence, self.spoil.map_or(Spoilt::No, |spoil| spoil(exchange.0))) {
            (true, Spoilt::Twice) => {
                self.replied(exchange, timeout, reply.clone());
                self.replied(exchange, timeout, reply);
            }
            (true, Spoilt::Never) => _ = self.open.remove(&exchange),
            (true, Spoilt::Late(late)) => {
                if late > timeout + secs(5) {
                    // The machine waits for it no longer than this, and asks again.
                    self.open.remove(&exchange);
                }
                let result = self.result(reply, timeout);
                self.later(late, Event::Answered(exchange, result.1));
            }
            _ => self.replied(exchange, timeout, reply),
        }
    }

    /// Nobody is asked for twice at once, except that new users may be just those of a batch whose turn it is.
    fn note_overlap(&mut self, exchange: ExchangeId, body: &[u8]) {
        let ids: serde_json::Value = serde_json::from_slice(body).unwrap();
        let ids: BTreeSet<String> =
            ids["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
        assert!(ids.len() <= 650 && !ids.is_empty());
        assert!(self.open.values().filter(|open| **open == ids).count() < 2, "the same users three times at once");
        self.open.insert(exchange, ids);
    }

    fn replied(&mut self, exchange: ExchangeId, timeout: Duration, reply: ServiceReply) {
        if let ServiceReply::Held(number) = reply {
            self.held.insert(number, exchange);
            return;
        }
        let (after, result) = self.result(reply, timeout);
        self.later(after, Event::Answered(exchange, result));
    }

    fn result(&self, reply: ServiceReply, timeout: Duration) -> (Duration, Result<Answer, Trouble>) {
        match reply {
            ServiceReply::Answer(answer) => (answer.after + Duration::from_millis(20), Ok(of_service(answer))),
            ServiceReply::Silence => (timeout, Err(Trouble::Timeout(timeout))),
            ServiceReply::Reset => (Duration::from_millis(5), Err(Trouble::Broken("connection reset".to_owned()))),
            ServiceReply::Held(_) => unreachable!("handled before"),
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn of_service(answer: ServiceAnswer) -> Answer {
    let header = |name: &str| answer.header(name).map(str::to_owned);
    Answer {
        status: answer.status,
        retry_after: header("retry-after"),
        date: header("date"),
        request_id: header("request-id"),
        body: answer.body.clone().into(),
    }
}

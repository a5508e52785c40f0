//! Every request's way: faults, who it is, the throttle, the part that answers it.

use std::time::{Duration, Instant};

use super::GraphService;
use super::address::{decoded, pairs};
use super::answers::{Refusal, empty, of_bytes, refused};
use super::counters::second;
use super::exchange::{ServiceAnswer, ServiceHost, ServiceReply, ServiceRequest};
use super::faults::{Part, Reaction};
use super::settings::RetryAfterForm;
use super::tokens::Who;

/// More than anyone reads.
const TOO_LONG: usize = 6 << 20;
/// Longer addresses are refused.
const LONGEST_PATH: usize = 32 << 10;

/// The kind of a request, as it is counted, and the part that it belongs to.
fn kind(host: ServiceHost, method: &str, path: &str) -> (&'static str, Option<Part>) {
    if host == ServiceHost::Login {
        return if path.ends_with("/devicecode") {
            ("device-code", Some(Part::Token))
        } else {
            ("token", Some(Part::Token))
        };
    }
    let path = path.strip_prefix("/v1.0").unwrap_or(path);
    match (method, path) {
        (_, "/communications/getPresencesByUserId") => ("presences", Some(Part::Presence)),
        (_, path) if path.ends_with("/presence") => ("presence", Some(Part::Presence)),
        (_, "/users") => ("users", Some(Part::Users)),
        (_, path) if path.starts_with("/users/") || path.starts_with("/users(") => ("user", Some(Part::Users)),
        ("GET", "/subscriptions") => ("subscriptions-list", Some(Part::Subscriptions)),
        (_, "/subscriptions") => ("subscription-create", Some(Part::Subscriptions)),
        ("PATCH", path) if path.starts_with("/subscriptions/") => ("subscription-renew", Some(Part::Subscriptions)),
        ("DELETE", path) if path.starts_with("/subscriptions/") => ("subscription-delete", Some(Part::Subscriptions)),
        (_, path) if path.starts_with("/subscriptions/") => ("subscription", Some(Part::Subscriptions)),
        _ => ("other", None),
    }
}

impl GraphService {
    /// What a request gets.
    pub fn request(&mut self, now: Instant, request: ServiceRequest) -> ServiceReply {
        self.settle(now);
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let (kind, part) = kind(request.host, &request.method, path);
        *self.counters.by_kind.entry(kind).or_default() += 1;
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
        let who = token.as_deref().and_then(|token| self.tokens.holder(now, token));
        let tenant = match request.host {
            ServiceHost::Graph => who.map(|who| who.tenant),
            ServiceHost::Login => {
                let name = path.split('/').nth(1).unwrap_or_default();
                self.tenants.iter().position(|tenant| tenant.is_called(name))
            }
        };
        if request.host == ServiceHost::Graph {
            self.count_rate(now, who);
        }
        let account = who.or_else(|| self.account_of_form(tenant, &request));
        let client_request_id = request.header("client-request-id").unwrap_or_default().to_owned();
        let reply = match self.faults.reaction(now, part, tenant, account) {
            Some(reaction) => self.react(now, &reaction, &client_request_id),
            None if request.host == ServiceHost::Login => {
                let answer = self.login(now, &request, path).unwrap_or_else(|| empty(404));
                ServiceReply::Answer(self.signed(now, answer))
            }
            None => match self.route(now, who, path, query, &request) {
                Ok(ServiceReply::Answer(answer)) => ServiceReply::Answer(self.finished(now, Ok(answer), "")),
                Ok(other) => other,
                Err(refusal) => ServiceReply::Answer(self.finished(now, Err(refusal), &client_request_id)),
            },
        };
        if !matches!(reply, ServiceReply::Answer(_) | ServiceReply::Held(_)) {
            *self.counters.by_status.entry(0).or_default() += 1;
        }
        reply
    }

    /// The account that a form at the login host is about, as far as its application tells.
    fn account_of_form(&self, tenant: Option<usize>, request: &ServiceRequest) -> Option<Who> {
        let tenant = tenant.filter(|_| request.host == ServiceHost::Login)?;
        let form = pairs(std::str::from_utf8(&request.body).ok()?)?;
        self.account_of_secret(tenant, &form)
    }

    fn count_rate(&mut self, now: Instant, who: Option<Who>) {
        *self.counters.by_second.entry(second(self.start, now)).or_default() += 1;
        self.counters.most_in_a_second = self.counters.most_in_a_second.max(self.rate.count(now));
        if let Some(who) = who {
            let rate = self.rates.entry(who).or_default().count(now);
            let name = self.account_name(who);
            let most = self.counters.most_in_a_second_by_account.entry(name.clone()).or_default();
            *most = rate.max(*most);
            *self.counters.by_account.entry(name).or_default() += 1;
        }
    }

    fn route(
        &mut self,
        now: Instant,
        who: Option<Who>,
        path: &str,
        query: &str,
        request: &ServiceRequest,
    ) -> Result<ServiceReply, Refusal> {
        let who = who.ok_or_else(|| Refusal::usual(401))?;
        if let Some(wait) = self.one_too_many(now, who) {
            self.counters.throttled += 1;
            let retry_after = match self.settings.retry_after {
                RetryAfterForm::Seconds => Some((wait + Duration::from_millis(999)).as_secs().to_string()),
                RetryAfterForm::Fraction => Some(format!("{:.3}", wait.as_secs_f64() + 0.001)),
                RetryAfterForm::Date => {
                    Some(httpdate::fmt_http_date(self.told_wall(now) + wait + Duration::from_secs(1)))
                }
                RetryAfterForm::Absent => None,
            };
            return Err(Refusal { retry_after, ..Refusal::usual(429) });
        }
        let path = path.strip_prefix("/v1.0/").ok_or_else(|| Refusal::usual(404))?;
        if request.path.len() > LONGEST_PATH {
            return Err(Refusal::new(414, "UriTooLong", "The address is too long."));
        }
        self.counters.longest_path = self.counters.longest_path.max(request.path.len());
        let query = pairs(query).ok_or_else(|| Refusal::bad("The query is not understood."))?;
        let parts: Vec<&str> = path.split('/').collect();
        let name = |text: &str| decoded(text).ok_or_else(|| Refusal::bad("The path is not understood."));
        let answer = match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["communications", "getPresencesByUserId"]) => self.presences(who, request),
            ("GET", ["communications", "presences", id] | ["users", id, "presence"]) => self.presence(who, &name(id)?),
            ("GET", ["users"]) => self.users(who, &query),
            // An address that begins with a dollar is taken for an option.
            ("GET", ["users", id]) if name(id)?.starts_with('$') => Err(Refusal::usual(400)),
            ("GET", ["users", id]) => self.user(who, &name(id)?, &query),
            ("GET", [form]) if form.starts_with("users(") => {
                let form = name(form)?;
                let quoted = form.strip_prefix("users('").and_then(|rest| rest.strip_suffix("')"));
                let id = quoted.ok_or_else(|| Refusal::bad("The key is not understood."))?.replace("''", "'");
                self.user(who, &id, &query)
            }
            ("GET", ["subscriptions"]) => Ok(self.listed(who)),
            ("POST", ["subscriptions"]) => return self.subscribe(now, who, request),
            (_, ["subscriptions", id]) => self.subscription(now, who, &name(id)?, request),
            _ => Err(Refusal::bad(format!("Resource not found for the segment '{}'.", parts.last().unwrap_or(&"")))),
        };
        answer.map(ServiceReply::Answer)
    }

    /// How long an application must wait that asks too much; counts it otherwise.
    fn one_too_many(&mut self, now: Instant, who: Who) -> Option<Duration> {
        let limit = usize::try_from(self.settings.throttle).unwrap_or(usize::MAX);
        if limit == 0 {
            return None;
        }
        let client = self.tenants.get(who.tenant)?.accounts.get(who.account)?.client_id.clone();
        let recent = self.recent.entry((who.tenant, client)).or_default();
        while recent.front().is_some_and(|at| now.saturating_duration_since(*at) >= self.settings.throttle_window) {
            recent.pop_front();
        }
        if recent.len() >= limit {
            let first = recent.front().copied().unwrap_or(now);
            return Some((first + self.settings.throttle_window).saturating_duration_since(now));
        }
        recent.push_back(now);
        None
    }

    fn react(&mut self, now: Instant, reaction: &Reaction, client_request_id: &str) -> ServiceReply {
        let answer = match reaction {
            Reaction::Reset => return ServiceReply::Reset,
            Reaction::Silence => return ServiceReply::Silence,
            Reaction::Status(status, retry_after) => {
                let refusal = Refusal { retry_after: retry_after.clone(), ..Refusal::usual(*status) };
                return ServiceReply::Answer(self.finished(now, Err(refusal), client_request_id));
            }
            Reaction::Garbage => of_bytes(200, b"{\"value\":[{\"id\": \xff\xfe".to_vec()),
            Reaction::TooLong => {
                let mut body = b"{\"value\":[\"".to_vec();
                body.resize(TOO_LONG, b'x');
                body.extend_from_slice(b"\"]}");
                of_bytes(200, body)
            }
            Reaction::Redirect => {
                let mut answer = empty(302);
                answer.headers.push(("location".to_owned(), "https://elsewhere.example/".to_owned()));
                answer
            }
            Reaction::WrongContent => of_bytes(200, br#"{"value":"nothing of the kind","id":7}"#.to_vec()),
            Reaction::Empty => of_bytes(200, Vec::new()),
        };
        ServiceReply::Answer(self.signed(now, answer))
    }

    /// An answer of Graph with all that every answer has.
    pub(super) fn finished(
        &mut self,
        now: Instant,
        outcome: Result<ServiceAnswer, Refusal>,
        client_request_id: &str,
    ) -> ServiceAnswer {
        match outcome {
            Ok(answer) => self.signed(now, answer),
            Err(refusal) => {
                let request_id = self.guid();
                let answer = refused(&refusal, self.wall(now), &request_id, client_request_id);
                self.signed(now, answer)
            }
        }
    }

    /// Adds the date, a number, and how long it takes; counts it.
    fn signed(&mut self, now: Instant, mut answer: ServiceAnswer) -> ServiceAnswer {
        *self.counters.by_status.entry(answer.status).or_default() += 1;
        answer.after = self.settings.latency + self.faults.delay;
        let wall = self.told_wall(now);
        let id = self.guid();
        answer.headers.push(("date".to_owned(), httpdate::fmt_http_date(wall)));
        answer.headers.push(("request-id".to_owned(), id));
        answer
    }
}

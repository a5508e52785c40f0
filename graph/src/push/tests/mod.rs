//! Every transition of an account's change notifications, in virtual time.

mod making;
mod properties;

mod standing;
mod watching;

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use presence_core::{Failure, FailureKind};
use serde_json::{Value, json};

use super::*;
use crate::wire::{Lifecycle, Notice, Ruling};
use crate::{Answer, Body, Host, Method, Request, Trouble};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const URL: &str = "https://pp.example/graph/notifications";
const TENANT: &str = "84bd8158-6d4d-4958-8b9f-9d6445542f95";

fn user(number: u32) -> ObjectId {
    let mut bytes = [0xaa; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    ObjectId::new(bytes)
}

/// What a status means, told apart from the code that is to be tested.
fn ruling(status: u16) -> Ruling {
    let failure = |kind| Failure::answered(kind, status, format!("HTTP {status}"));
    let endpoint = failure(FailureKind::Endpoint);
    match status {
        200..=299 => Ruling::Done,
        400 => Ruling::BadRequest(failure(FailureKind::Transient)),
        401 => Ruling::Unauthorized(endpoint),
        403 => Ruling::Forbidden(endpoint),
        404 => Ruling::NotFound(failure(FailureKind::NotFound)),
        409 => Ruling::Conflict(endpoint),
        429 => Ruling::Throttled { failure: Failure { retry_after: Some(20 * SECOND), ..endpoint } },
        _ => Ruling::Unavailable { failure: endpoint },
    }
}

/// An account's change notifications with a clock.
struct Account {
    push: Push,
    began: Instant,
    now: Instant,
    /// Our time of day at the beginning.
    wall: SystemTime,
    effects: Vec<PushEffect>,
}

impl Account {
    /// One that can ask, for so many users.
    fn of(users: u32) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the beginning of a test's time")]
        let now = Instant::now();
        let settings = NotificationSettings { url: URL.to_owned(), key: [7; 32] };
        let mut push = Push::new(now, TENANT.into(), "push-1".into(), settings, 42);
        (0..users).for_each(|number| push.assign(now, user(number)));
        push.set_usable(now, true);
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        Self { push, began: now, now, wall, effects: Vec::new() }
    }

    /// One whose subscription `s1` stands.
    fn listening(users: u32) -> Self {
        let mut account = Self::of(users);
        account.expect(Method::Get, "/v1.0/subscriptions");
        account.answer(200, &json!({"value": []}));
        account.expect(Method::Post, "/v1.0/subscriptions");
        account.answer_created("s1");
        assert_eq!(account.state(), PushState::Listening);
        account.effects.clear();
        account
    }

    fn state(&self) -> PushState {
        self.push.view().state
    }

    fn drain(&mut self) {
        while let Some(effect) = self.push.poll_effect() {
            self.effects.push(effect);
        }
    }

    /// The next request, within this time; all deadlines until then are kept.
    fn request_within(&mut self, most: Duration) -> Option<Request> {
        let end = self.now + most;
        loop {
            self.drain();
            if let Some(request) = self.push.next_request(self.now) {
                assert!(self.push.next_request(self.now).is_none(), "one at a time");
                return Some(request);
            }
            match self.push.poll_timeout() {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    self.push.handle_timeout(self.now);
                }
                _ => {
                    self.now = end;
                    return None;
                }
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, method: Method, path: &str) -> Request {
        let request = self.request_within(9 * HOUR).expect("a request");
        assert_eq!((request.method, request.path.as_str(), request.host), (method, path, Host::Graph));
        assert!(request.bearer.is_none() && request.request_id.len() == 36, "{}", request.request_id);
        request
    }

    /// Nothing is asked in this time.
    #[track_caller]
    fn expect_nothing_for(&mut self, most: Duration) {
        let at = self.now;
        let request = self.request_within(most);
        assert!(request.is_none(), "after {:?}: {request:?}", self.now - at);
    }

    fn answer(&mut self, status: u16, body: &Value) {
        let body = Bytes::from(body.to_string());
        let date = Some(httpdate::fmt_http_date(self.time_of_day()));
        let answer = Answer { status, retry_after: None, date, request_id: None, body };
        self.push.answered(self.now, self.time_of_day(), &Ok(answer), &ruling(status));
        self.drain();
    }

    fn answer_created(&mut self, id: &str) {
        let until = humantime_of(self.time_of_day() + 58 * MINUTE);
        self.answer(201, &json!({"id": id, "expirationDateTime": until}));
    }

    fn answer_nothing(&mut self) {
        let trouble = Err(Trouble::Timeout(15 * SECOND));
        self.push.answered(self.now, self.time_of_day(), &trouble, &ruling(0));
        self.drain();
    }

    fn time_of_day(&self) -> SystemTime {
        self.wall + self.now.duration_since(self.began)
    }

    /// A notification of the subscription with this id and number.
    fn notice(&self, id: &str, generation: u64) -> Notice {
        Notice {
            subscription: id.to_owned(),
            client_state: Some(self.push.client_states.of(generation)),
            tenant: Some(TENANT.to_owned()),
            user: Some(user(0)),
            lifecycle: None,
        }
    }

    fn lifecycle(&mut self, event: Lifecycle) -> bool {
        let notice = Notice { user: None, lifecycle: Some(event), ..self.notice("s1", 1) };
        let is_ours = self.push.noticed(self.now, &notice);
        self.drain();
        is_ours
    }

    /// What went wrong last, as it was reported.
    fn last_failure(&self) -> Option<Failure> {
        self.effects.iter().rev().find_map(|effect| match effect {
            PushEffect::Report { failure, .. } => failure.clone(),
            PushEffect::Fetch(_) | PushEffect::PollUsers => None,
        })
    }

    fn was_polled(&mut self) -> bool {
        let was = self.effects.contains(&PushEffect::PollUsers);
        self.effects.clear();
        was
    }
}

fn humantime_of(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).expect("a time").to_string()
}

/// The JSON of a request.
fn body(request: &Request) -> Value {
    match &request.body {
        Body::Json(bytes) => serde_json::from_slice(bytes).expect("JSON"),
        Body::Empty | Body::Form(_) => Value::Null,
    }
}

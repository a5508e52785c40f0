//! A service in virtual time, and requests written by hand.

use std::time::{Duration, Instant, SystemTime};

use presence_simulator::{
    GraphService, GraphServiceSettings, PostAnswer, ServiceAnswer, ServiceEffect, ServiceHost, ServiceReply,
    ServiceRequest,
};
use serde_json::Value;

pub(crate) const TENANT: &str = GraphServiceSettings::TENANT;
pub(crate) const CLIENT: &str = GraphServiceSettings::CLIENT;
pub(crate) const SECRET: &str = GraphServiceSettings::SECRET;
/// 2026-11-22T08:00:00Z
pub(crate) const WALL: u64 = 1_795_334_400;

/// A post of the service.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) id: u64,
    pub(crate) url: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) service: GraphService,
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) posts: Vec<Post>,
    pub(crate) answers: Vec<(u64, ServiceReply)>,
}

impl World {
    pub(crate) fn new(settings: GraphServiceSettings) -> Self {
        #[allow(clippy::disallowed_methods, reason = "a start for virtual time")]
        let start = Instant::now();
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(WALL);
        let service = GraphService::new(start, wall, settings);
        Self { service, start, now: start, posts: Vec::new(), answers: Vec::new() }
    }

    /// Ten users, one application account, one signed-in user `anna` with the refresh token `first`.
    pub(crate) fn small() -> Self {
        Self::new(GraphServiceSettings::with_users(10, "demo.example").and_user("anna", "first"))
    }

    pub(crate) fn drain(&mut self) {
        while let Some(effect) = self.service.poll_effect() {
            match effect {
                ServiceEffect::Post { id, url, body, .. } => self.posts.push(Post { id, url, body }),
                ServiceEffect::Answer { held, reply } => self.answers.push((held, reply)),
            }
        }
    }

    /// Lets time pass, with every deadline on its way.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.service.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.service.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
        self.service.handle_timeout(end);
        self.drain();
    }

    pub(crate) fn order(&mut self, line: &str) -> String {
        let said = self.service.command(self.now, line).unwrap_or_else(|why| panic!("{line}: {why}"));
        self.drain();
        said
    }

    pub(crate) fn send(&mut self, request: ServiceRequest) -> ServiceReply {
        let reply = self.service.request(self.now, request);
        self.drain();
        reply
    }

    pub(crate) fn form(&mut self, action: &str, form: &str) -> ServiceAnswer {
        let reply = self.send(ServiceRequest {
            host: ServiceHost::Login,
            method: "POST".into(),
            path: format!("/{TENANT}/oauth2/v2.0/{action}"),
            headers: vec![("Content-Type".into(), "application/x-www-form-urlencoded".into())],
            body: form.as_bytes().to_vec(),
        });
        reply.answer().cloned().expect("an answer")
    }

    pub(crate) fn by_secret(&mut self, secret: &str) -> ServiceAnswer {
        self.form("token", &format!(
            "grant_type=client_credentials&client_id={CLIENT}&client_secret={secret}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
        ))
    }

    pub(crate) fn by_refresh(&mut self, token: &str) -> ServiceAnswer {
        self.form("token", &format!(
            "grant_type=refresh_token&client_id={CLIENT}&refresh_token={token}&scope=https%3A%2F%2Fgraph.microsoft.com%2FPresence.Read.All+offline_access"
        ))
    }

    pub(crate) fn app_token(&mut self) -> String {
        text(&json(&self.by_secret(SECRET)), "access_token")
    }

    pub(crate) fn user_token(&mut self) -> String {
        self.service.command(self.now, "rotation lenient").unwrap();
        text(&json(&self.by_refresh("first")), "access_token")
    }

    pub(crate) fn graph(&mut self, token: &str, method: &str, path: &str, body: &str) -> ServiceReply {
        let mut headers = vec![("Authorization".to_owned(), format!("Bearer {token}"))];
        if !body.is_empty() {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        self.send(ServiceRequest {
            host: ServiceHost::Graph,
            method: method.into(),
            path: format!("/v1.0{path}"),
            headers,
            body: body.as_bytes().to_vec(),
        })
    }

    pub(crate) fn answer(&mut self, token: &str, method: &str, path: &str, body: &str) -> ServiceAnswer {
        let reply = self.graph(token, method, path, body);
        reply.answer().cloned().unwrap_or_else(|| panic!("{path}: {reply:?}"))
    }

    pub(crate) fn presences(&mut self, token: &str, users: &[u32]) -> ServiceAnswer {
        let ids: Vec<String> = users.iter().map(|user| format!("\"{}\"", id(*user))).collect();
        let body = format!("{{\"ids\":[{}]}}", ids.join(","));
        self.answer(token, "POST", "/communications/getPresencesByUserId", &body)
    }

    /// The body of a subscription request to these users for so many seconds.
    pub(crate) fn subscription(&self, users: &[u32], seconds: u64) -> String {
        let ids: Vec<String> = users.iter().map(|user| format!("'{}'", id(*user))).collect();
        let wall = WALL + self.now.duration_since(self.start).as_secs() + seconds;
        let (hour, minute, second) = (wall / 3_600 % 24, wall / 60 % 60, wall % 60);
        let day = 22 + (wall / 86_400 - WALL / 86_400);
        serde_json::json!({
            "changeType": "updated",
            "notificationUrl": "https://pp.example.com/graph/notifications",
            "lifecycleNotificationUrl": "https://pp.example.com/graph/notifications",
            "resource": format!("/communications/presences?$filter=id in ({})", ids.join(",")),
            "expirationDateTime": format!("2026-11-{day}T{hour:02}:{minute:02}:{second:02}Z"),
            "clientState": "a-client-state",
        })
        .to_string()
    }

    /// Subscribes, and shakes hands as one should; the id.
    pub(crate) fn subscribed(&mut self, token: &str, users: &[u32]) -> String {
        let body = self.subscription(users, 3_480);
        let reply = self.graph(token, "POST", "/subscriptions", &body);
        let ServiceReply::Held(held) = reply else { panic!("{reply:?}") };
        self.shake();
        let (number, reply) = self.answers.pop().expect("an answer");
        assert_eq!(number, held);
        let answer = reply.answer().expect("an answer").clone();
        assert_eq!(answer.status, 201, "{answer:?}");
        text(&json(&answer), "id")
    }

    /// Answers every handshake.
    pub(crate) fn shake(&mut self) {
        for post in std::mem::take(&mut self.posts) {
            let token = token_of(&post.url);
            self.service.posted(self.now, post.id, Some(PostAnswer::plain(200, token)));
        }
        self.drain();
    }

    /// Takes every notification; their items.
    pub(crate) fn taken(&mut self) -> Vec<Value> {
        let mut items = Vec::new();
        for post in std::mem::take(&mut self.posts) {
            self.service.posted(self.now, post.id, Some(PostAnswer::plain(202, "")));
            items.extend(items_of(&post));
        }
        self.drain();
        items
    }
}

pub(crate) fn items_of(post: &Post) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&post.body).unwrap();
    body["value"].as_array().unwrap().clone()
}

/// The validation token of a handshake's address, decoded.
pub(crate) fn token_of(url: &str) -> String {
    let encoded = url.split_once("validationToken=").expect("a handshake").1;
    percent_encoding::percent_decode_str(encoded).decode_utf8().unwrap().into_owned()
}

pub(crate) fn id(user: u32) -> String {
    presence_simulator::ServiceUser::numbered(0, user, "demo.example").id
}

pub(crate) fn json(answer: &ServiceAnswer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|why| panic!("{why}: {answer:?}"))
}

pub(crate) fn text(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap_or_else(|| panic!("{name} in {object}")).to_owned()
}

/// Users and availabilities in the order of an answer.
pub(crate) fn told(answer: &ServiceAnswer) -> Vec<(String, String)> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = json(answer);
    let items = body["value"].as_array().unwrap().clone();
    items.iter().map(|item| (text(item, "id"), text(item, "availability"))).collect()
}

/// Status and Microsoft's code.
pub(crate) fn refusal(answer: &ServiceAnswer) -> (u16, String) {
    (answer.status, text(&json(answer)["error"], "code"))
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

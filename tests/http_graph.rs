//! The webhook of the real program: Microsoft's notifications, and whatever else may come there.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::time::Duration;

use presence_simulator::{GraphServer, GraphServerHandle, GraphServiceSettings};
use process::http::{Answer, Client};
use process::{Config, Service, eventually};
use serde_json::{Value, json};

const PATH: &str = "/graph/notifications";
/// As Microsoft knows us.
const NAME: &str = "presence.example.com";
const REFRESH: &str = "simulated-refresh-token-of-push-1";
const USER: &str = "fa8bf3dc-eca7-46b7-bad1-db199b62afc3";

/// The real program with Teams agents, against a simulated Microsoft that notifies it as if through a proxy.
struct House {
    microsoft: GraphServerHandle,
    service: Service,
    url: String,
    _config: Config,
}

impl House {
    /// With a presence service for three agents, and this inside the source.
    fn with(inside: &str) -> Self {
        let settings = GraphServiceSettings::with_users(3, "demo.example").and_user("push-1", REFRESH);
        let settings = GraphServiceSettings { notification_latency: Duration::from_millis(100), ..settings };
        let microsoft = start(settings);
        let config = Config::of("");
        let client = GraphServiceSettings::CLIENT;
        let secret = GraphServiceSettings::SECRET;
        let put = |name: &str, text: &str| {
            fs::set_permissions(config.beside(name, text), Permissions::from_mode(0o600)).unwrap();
        };
        put("account1.json", &format!(r#"{{"client_id": "{client}", "client_secret": "{secret}"}}"#));
        put("push-1.json", &format!(r#"{{"client_id": "{client}", "refresh_token": true}}"#));
        put("state/graph-push-1.token", REFRESH);
        fs::set_permissions(config.path().with_file_name("state"), Permissions::from_mode(0o700)).unwrap();
        let (url, tenant) = (microsoft.url(), GraphServiceSettings::TENANT);
        let agents: String =
            (1..=3).map(|number| format!("<Agent Uri=\"sip:agent{number}@demo.example\" />")).collect();
        config.write(&format!(
            r#"<config version="1.5"><PresenceProvider>
  <Http Listen="127.0.0.1:0" />
  <MsGraphPresenceSource enabled="true" LoginUrl="{url}" GraphUrl="{url}">
    <Accounts><Account Id="account1" TenantId="{tenant}" /><Account Id="push-1" TenantId="{tenant}" /></Accounts>
    {inside}
  </MsGraphPresenceSource>
</PresenceProvider>
<UnifiedContactCenters><UnifiedContactCenter Name="ucc_app01">{agents}</UnifiedContactCenter></UnifiedContactCenters>
</config>"#
        ));
        let mut command = config.command(&[]);
        command.env_remove("STATE_DIRECTORY").env_remove("CREDENTIALS_DIRECTORY");
        let service = Service::start(command);
        let said = service.says("the API and the dashboard are at ");
        let url = said.rsplit(' ').next().unwrap().trim_end_matches('/').to_owned();
        let house = Self { microsoft, service, url, _config: config };
        house.microsoft.deliver_to(Some(house.address()));
        house
    }

    fn new() -> Self {
        Self::with(&format!(r#"<Notifications Url="https://{NAME}" />"#))
    }

    fn address(&self) -> SocketAddr {
        self.url.split_once("://").unwrap().1.parse().unwrap()
    }

    fn client(&self) -> Client {
        Client::new(&self.url, None)
    }

    fn post(&self, query: &str, body: &str) -> Answer {
        self.client().send("POST", &format!("{PATH}{query}"), &[("content-type", "application/json")], body)
    }

    /// Sends something raw, and reads until the other side closes or says nothing for long.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // It may close before it has read everything: that is its right.
        let _ = stream.write_all(bytes);
        read(&mut stream)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// What the API says of push-1.
    fn push(&self) -> Value {
        let graph = self.client().get("/api/v1/graph").json;
        graph["tenants"][0]["accounts"][1]["push"].clone()
    }

    fn counter(&self, name: &str) -> u64 {
        self.client().get("/api/v1/graph").json["counters"][name].as_u64().unwrap()
    }

    /// In KiB.
    fn memory(&self) -> u64 {
        let metrics = self.client().get("/metrics").text;
        let line = metrics.lines().find(|line| line.starts_with("process_resident_memory_bytes")).unwrap();
        (line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() / 1024.0) as u64
    }

    #[track_caller]
    fn still_answers(&self) {
        assert_eq!(self.client().get("/health/live").status, 200, "{}", self.service.lines().join("\n"));
        assert!(!self.service.lines().iter().any(|line| line.contains("panic")));
    }
}

/// A simulated Microsoft on a thread of its own, which ends with the process.
fn start(settings: GraphServiceSettings) -> GraphServerHandle {
    let (started, handle) = mpsc::channel();
    std::thread::spawn(move || {
        process::wait_for(async {
            let server = GraphServer::start(settings, "127.0.0.1:0".parse().unwrap()).await.unwrap();
            started.send(server).unwrap();
            std::future::pending::<()>().await;
        });
    });
    handle.recv().unwrap()
}

fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn one(user: &str) -> Value {
    json!({"subscriptionId": "s1", "clientState": "guessed", "tenantId": GraphServiceSettings::TENANT,
        "changeType": "updated", "resource": format!("communications/presences/{user}"), "resourceData": {"id": user}})
}

#[test]
fn a_subscription_is_made_with_its_handshakes_and_a_change_is_notified_and_the_end_leaves_nothing() {
    let house = House::new();
    assert!(
        eventually(|| house.push()["state"] == "listening"),
        "{:?}\n{}",
        house.push(),
        house.service.lines().join("\n")
    );
    assert!(house.microsoft.counters().handshakes >= 2, "one for each address");
    assert_eq!(house.microsoft.counters().live_subscriptions, 1);
    assert_eq!(house.microsoft.counters().users_per_subscription, [3]);
    assert!(house.microsoft.set_presence("agent2@demo.example", "Busy", "InACall"));
    let agent = || house.client().get("/api/v1/agents/sip:agent2@demo.example").text;
    assert!(eventually(|| agent().contains("on-the-phone")), "{}", agent());
    assert!(eventually(|| house.push()["notices"].as_u64() > Some(0)), "{:?}", house.push());
    // The next one does the same again; beside it what is forged is dropped.
    let forged = json!({"value": [one(USER), one(USER)]}).to_string();
    assert_eq!(house.post("", &forged).status, 202);
    assert!(eventually(|| house.counter("notices_dropped") == 2), "{}", house.counter("notices_dropped"));
    let microsoft = house.microsoft.clone();
    let log = house.service.lines().join("\n");
    for secret in microsoft.secrets() {
        assert!(!log.contains(&secret), "{secret}");
    }
    house.service.terminate();
    assert_eq!(microsoft.counters().live_subscriptions, 0, "it is deleted at the end");
}

#[test]
fn what_is_no_notification_is_refused_and_what_is_nobodys_is_answered_like_any_other() {
    let house = House::new();
    for body in ["", "x", "[]", "{}", "7", "null", r#"{"value": []}"#, r#"{"value": {}}"#, r#"{"value": null}"#] {
        let answer = house.post("", body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert!(!answer.problem().is_empty());
    }
    let lifecycle = json!({"subscriptionId": "s1", "clientState": "x", "lifecycleEvent": "subscriptionRemoved"});
    for items in [json!([one(USER)]), json!([lifecycle]), json!([7, null, {}]), json!([one("nobody")])] {
        let answer = house.post("", &json!({"value": items}).to_string());
        assert_eq!((answer.status, answer.text.as_str()), (202, ""), "{items}: {answer:?}");
    }
    let many = |number: usize| house.post("", &json!({"value": vec![0; number]}).to_string());
    assert_eq!(many(1_000).status, 202);
    assert_eq!(many(1_001).status, 413);
    let all = many(100_000);
    assert_eq!((all.status, all.problem()), (413, "100000 items, which is more than 1000"));
    let nested = |depth| format!("{{\"value\": [{}{}]}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(house.post("", &nested(100_000)).status, 202, "it is read over");
    assert_eq!(house.post("", &nested(200_000)).status, 400, "no answer of Microsoft has so many parts");
    let odd = house.post("", &format!("{}1{}", "{\"value\":".repeat(50_000), "}".repeat(50_000)));
    assert_eq!(odd.status, 400);
    house.still_answers();
}

#[test]
fn other_paths_methods_hosts_codings_and_tokens_are_refused() {
    let house = House::new();
    let send = |method: &str, path: &str, headers: &[(&str, &str)]| house.client().send(method, path, headers, "");
    let get = send("GET", PATH, &[]);
    assert_eq!((get.status, get.header("allow")), (405, "POST"), "{get:?}");
    for method in ["PUT", "DELETE", "PATCH"] {
        assert_eq!(send(method, PATH, &[]).status, 405, "{method}");
    }
    for path in ["/graph", "/graph/notifications/", "/graph/notifications/x", "/graph/other"] {
        assert_eq!(send("POST", path, &[]).status, 404, "{path}");
    }
    let gzip = house.client().send("POST", PATH, &[("content-encoding", "gzip")], "x");
    assert_eq!(gzip.status, 415, "{gzip:?}");
    let page = house.client().send("POST", PATH, &[("origin", "https://evil.example")], "{}");
    assert_eq!(page.status, 403, "{page:?}");
    // Nobody asks now, or asks what nobody can.
    assert!(eventually(|| house.push()["state"] == "listening"), "{:?}", house.push());
    for (query, status) in
        [("?validationToken=".to_owned(), 400), (format!("?validationToken={}", "x".repeat(1_025)), 400)]
    {
        assert_eq!(house.post(&query, "").status, status, "{query}");
    }
    // The public name reaches the webhook, and nothing else.
    let status = |path: &str, host: &str| {
        let body = r#"{"value": [{}]}"#;
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}", body.len());
        house.raw(format!("{head}\r\n\r\n{body}").as_bytes()).split(' ').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(status(PATH, NAME), "202");
    assert_eq!(status(PATH, "localhost"), "202");
    assert_eq!(status(PATH, "evil.example"), "403");
    assert_eq!(status("/api/v1/agents/revive", NAME), "403");
}

#[test]
fn without_notifications_there_is_no_webhook_and_no_handshake() {
    let house = House::with("");
    let answer = house.post("", &json!({"value": [one(USER)]}).to_string());
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(house.post("?validationToken=x", "").status, 404);
    assert_eq!(house.client().get(PATH).status, 404);
}

#[test]
fn a_path_of_its_own_is_the_one_that_is_served() {
    let house = House::with(&format!(r#"<Notifications Url="https://{NAME}/teams/hook" />"#));
    let body = json!({"value": [one(USER)]}).to_string();
    assert_eq!(house.client().send("POST", "/teams/hook", &[], &body).status, 202);
    assert_eq!(house.post("", &body).status, 404);
    assert!(eventually(|| house.push()["state"] == "listening"), "{:?}", house.push());
}

#[test]
fn long_slow_and_endless_bodies_cost_little_and_nobody_else_anything() {
    let house = House::new();
    let before = house.memory();
    let long = format!("POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10485760\r\n\r\n");
    let answer = house.raw(long.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("longer than 1024 KiB"), "{answer}");
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut stream = house.connect();
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let written = (0..1 << 20).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
    assert!(written < 1 << 20, "64 GB were taken");
    // Bodies that stop in the middle are given up; meanwhile others are served.
    let half =
        format!("POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{}", " ".repeat(900_000));
    let mut slow: Vec<_> = (0..40).map(|_| house.connect()).collect();
    for stream in &mut slow {
        let _ = stream.write_all(half.as_bytes());
    }
    let body = json!({"value": [one(USER)]}).to_string();
    assert_eq!(house.post("", &body).status, 202);
    let answers: Vec<_> = slow.iter_mut().map(read).collect();
    let given_up =
        |status: &str| answers.iter().filter(|answer| answer.starts_with(&format!("HTTP/1.1 {status} "))).count();
    assert!(given_up("408") > 0, "{answers:?}");
    assert_eq!(given_up("408") + given_up("503"), answers.len(), "{answers:?}");
    assert_eq!(house.post("", &body).status, 202);
    assert!(house.memory() < before + 96 * 1024, "{before} KiB, then {}", house.memory());
    house.still_answers();
}

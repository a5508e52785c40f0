//! Microsoft's own description of Graph as the judge: Prism stands between who asks and the simulated Microsoft Graph, and
//! refuses every request and every answer that the description does not allow.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, reason = "tests")]

mod process;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use presence_simulator::{GraphServer, GraphServerHandle, GraphServiceSettings, ServiceUser};
use process::http::{Answer, Client};
use process::{Config, DOMAIN, Service, eventually};
use serde_json::{Value, json};

/// What the script says when Prism cannot be had.
const SKIPPED: i32 = 77;
const TENANT: &str = GraphServiceSettings::TENANT;
const CLIENT: &str = GraphServiceSettings::CLIENT;
/// Where notifications go; Microsoft's description allows https only, and a reverse proxy would stand there.
const NOTIFIED: &str = "https://pp.example.com/graph/notifications";

/// A simulated Microsoft Graph with Prism in front of it.
struct Judged {
    graph: GraphServerHandle,
    prism: Service,
    url: String,
    _runtime: tokio::runtime::Runtime,
    _scratch: tempfile::TempDir,
}

fn script(arguments: &[&str]) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prism/run"));
    command.args(arguments).stdin(Stdio::null());
    command
}

impl Judged {
    /// `None`, with the reason printed, where Prism or Microsoft's description cannot be had.
    fn start(settings: GraphServiceSettings) -> Option<Self> {
        let description = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/graph/openapi.strict.yaml");
        let Ok(text) = fs::read_to_string(&description) else {
            eprintln!("skipped: there is no {}", description.display());
            return None;
        };
        let folder = env!("CARGO_TARGET_TMPDIR");
        let installed = script(&["install", folder]).output().unwrap();
        if installed.status.code() == Some(SKIPPED) {
            eprintln!("{}", String::from_utf8_lossy(&installed.stdout));
            return None;
        }
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        // Prism looks at whole paths and not at the server's, so they get the version.
        let scratch = tempfile::tempdir().unwrap();
        let versioned: PathBuf = scratch.path().join("openapi.yaml");
        fs::write(&versioned, text.replace("\n  /", "\n  /v1.0/")).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let graph = runtime.block_on(GraphServer::start(settings, "127.0.0.1:0".parse().unwrap())).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let prism = Service::start(script(&["proxy", folder, versioned.to_str().unwrap(), &free, &graph.url()]));
        prism.says("Prism is listening");
        let url = format!("http://127.0.0.1:{free}");
        Some(Self { graph, prism, url, _runtime: runtime, _scratch: scratch })
    }

    fn token(&self, form: &str) -> String {
        let form = format!("client_id={CLIENT}&{form}");
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let path = format!("/{TENANT}/oauth2/v2.0/token");
        let answer = Client::new(&self.graph.url(), None).send("POST", &path, &headers, &form);
        answer.json["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
    }

    fn app_token(&self) -> String {
        let secret = GraphServiceSettings::SECRET;
        let scope = "https%3A%2F%2Fgraph.microsoft.com%2F.default";
        self.token(&format!("grant_type=client_credentials&client_secret={secret}&scope={scope}"))
    }

    fn user_token(&self) -> String {
        let scope = "https%3A%2F%2Fgraph.microsoft.com%2FPresence.Read.All+offline_access";
        self.token(&format!("grant_type=refresh_token&refresh_token=first&scope={scope}"))
    }

    /// A request through Prism.
    fn send(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        let authorization = format!("Bearer {token}");
        let mut headers = vec![("Authorization", authorization.as_str())];
        if !body.is_empty() {
            headers.push(("Content-Type", "application/json"));
        }
        Client::new(&self.url, None).send(method, &format!("/v1.0{path}"), &headers, body)
    }

    /// What Prism found wrong so far.
    fn violations(&self) -> Vec<String> {
        self.prism.lines().into_iter().filter(|line| line.contains("terminated with error")).collect()
    }
}

fn settings() -> GraphServiceSettings {
    GraphServiceSettings::with_users(700, DOMAIN).and_user("user1", "first")
}

fn id(user: u32) -> String {
    ServiceUser::numbered(0, user, DOMAIN).id
}

fn ids(users: std::ops::RangeInclusive<u32>) -> String {
    json!({ "ids": users.map(id).collect::<Vec<_>>() }).to_string()
}

/// A time so long from now, as Graph wants it.
fn in_seconds(seconds: u64) -> String {
    #[allow(clippy::disallowed_methods, reason = "the service has the time of day")]
    let at = SystemTime::now() + Duration::from_secs(seconds);
    let text = jiff::Timestamp::try_from(at).unwrap().to_string();
    format!("{}Z", text.split('.').next().unwrap().trim_end_matches('Z'))
}

/// Shakes hands as a subscriber does, for as long as the test lasts.
fn subscriber() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            shake(stream.unwrap());
        }
    });
    address
}

fn shake(mut stream: TcpStream) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let token = path.split_once("validationToken=").map_or_else(String::new, |(_, token)| decoded(token));
    let answer =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{token}", token.len());
    stream.write_all(answer.as_bytes()).unwrap();
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

#[test]
fn what_the_simulated_graph_answers_is_what_microsoft_describes() {
    let Some(judged) = Judged::start(settings()) else { return };
    let (app, user) = (judged.app_token(), judged.user_token());
    let status = |token: &str, method: &str, path: &str, body: &str| {
        let answer = judged.send(token, method, path, body);
        let found = answer.headers.get("sl-violations").cloned().unwrap_or_default();
        assert!(found.is_empty(), "{method} {path}: {found}\n{}", answer.text);
        answer.status
    };
    let presences = "/communications/getPresencesByUserId";
    assert_eq!(status(&app, "POST", presences, &ids(1..=650)), 200);
    assert_eq!(status(&app, "POST", presences, &ids(1..=1)), 200);
    judged.graph.command("set agent1@demo.example SomethingNew OutOfOffice").unwrap();
    assert_eq!(status(&app, "POST", presences, &ids(1..=1)), 200);
    assert_eq!(status(&app, "GET", &format!("/users/{}/presence", id(1)), ""), 200);
    assert_eq!(status("unknown", "POST", presences, &ids(1..=1)), 401);
    for (order, expected) in [("throttle 2.128", 429), ("refuse 403", 403), ("refuse 500", 500), ("outage 503", 503)] {
        judged.graph.command(&format!("{order} times 1 on presence")).unwrap();
        assert_eq!(status(&app, "POST", presences, &ids(1..=1)), expected, "{order}");
    }
    let select = "$select=id,userPrincipalName,mail,proxyAddresses,imAddresses";
    assert_eq!(status(&app, "GET", &format!("/users/agent1%40{DOMAIN}?{select}"), ""), 200);
    assert_eq!(status(&app, "GET", &format!("/users/nobody%40{DOMAIN}?{select}"), ""), 404);
    let upns = "userPrincipalName%20in%20(%27agent1%40demo.example%27%2C%27agent2%40demo.example%27)";
    for filter in [
        upns,
        "imAddresses%2Fany(i%3Ai%20eq%20%27sip%3Aagent1%40demo.example%27)",
        "proxyAddresses%2Fany(p%3Ap%20eq%20%27SIP%3Aagent1%40demo.example%27)",
        "mail%20eq%20%27agent1%40demo.example%27",
    ] {
        assert_eq!(status(&app, "GET", &format!("/users?$filter={filter}&{select}&$top=50"), ""), 200, "{filter}");
    }
    judged.graph.command("page-size 1").unwrap();
    assert_eq!(status(&app, "GET", &format!("/users?$filter={upns}&$select=id"), ""), 200, "with a next page");

    judged.graph.deliver_to(Some(subscriber()));
    let wanted = json!({
        "changeType": "updated", "notificationUrl": NOTIFIED, "lifecycleNotificationUrl": NOTIFIED,
        "resource": format!("/communications/presences?$filter=id in ('{}','{}')", id(1), id(2)),
        "expirationDateTime": in_seconds(3_480), "clientState": "a-client-state",
    });
    assert_eq!(status(&app, "POST", "/subscriptions", &wanted.to_string()), 403);
    let made = judged.send(&user, "POST", "/subscriptions", &wanted.to_string());
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(status(&user, "POST", "/subscriptions", &wanted.to_string()), 409);
    assert_eq!(status(&user, "GET", "/subscriptions", ""), 200);
    let one = format!("/subscriptions/{}", made.json["id"].as_str().unwrap());
    assert_eq!(status(&user, "GET", &one, ""), 200);
    let renewal = json!({ "expirationDateTime": in_seconds(3_500) }).to_string();
    assert_eq!(status(&user, "PATCH", &one, &renewal), 200);
    assert_eq!(status(&user, "DELETE", &one, ""), 204);
    assert_eq!(status(&user, "DELETE", &one, ""), 404);
    assert_eq!(judged.violations(), Vec::<String>::new());

    // The judge judges: a request and an answer that the description does not allow.
    assert_eq!(judged.send(&app, "POST", presences, &json!({ "ids": ["agent1"] }).to_string()).status, 422);
    judged.graph.command("answer wrong-content times 1 on presence").unwrap();
    assert_eq!(judged.send(&app, "POST", presences, &ids(1..=1)).status, 500);
    assert!(eventually(|| judged.violations().len() >= 2), "{}", judged.prism.lines().join("\n"));
}

/// A Config.xml whose every request to Graph goes through Prism.
fn config(judged: &Judged) -> Config {
    let agents: String = (1..=20).map(|user| format!("<Agent Uri=\"sip:agent{user}@{DOMAIN}\" />")).collect();
    let config = Config::of(&format!(
        r#"<config version="1.5"><PresenceProvider>
  <Http Listen="127.0.0.1:0" />
  <MsGraphPresenceSource enabled="true" LoginUrl="{}" GraphUrl="{}" SweepInterval="2" Credentials="credentials" StateDirectory="state">
    <Accounts>
      <Account Id="account1" TenantId="{TENANT}" />
      <Account Id="user1" TenantId="{TENANT}" />
    </Accounts>
    <Notifications Url="{NOTIFIED}" />
  </MsGraphPresenceSource>
</PresenceProvider><UnifiedContactCenters><UnifiedContactCenter Name="sales">{agents}</UnifiedContactCenter></UnifiedContactCenters></config>"#,
        judged.graph.url(),
        judged.url,
    ));
    let secret = |name: &str, text: &str| {
        let path = config.path().with_file_name(name);
        let folder = path.parent().unwrap();
        fs::create_dir_all(folder).unwrap();
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let of = |key: &str, value: Value| json!({ "client_id": CLIENT, key: value }).to_string();
    secret("credentials/account1.json", &of("client_secret", json!(GraphServiceSettings::SECRET)));
    secret("credentials/user1.json", &of("refresh_token", json!(true)));
    secret("state/graph-user1.token", "first");
    config
}

#[test]
fn what_the_product_asks_is_what_microsoft_describes() {
    let Some(judged) = Judged::start(settings()) else { return };
    // Another userPrincipalName than the address: the lookup goes on to the addresses.
    judged.graph.command("ambiguous agent20@demo.example").unwrap();
    let config = config(&judged);
    let service = config.run(&["--log-level", "debug"]);
    let said = service.says("the API and the dashboard are at ");
    let url = said.rsplit(' ').next().unwrap().trim_end_matches('/').to_owned();
    judged.graph.deliver_to(Some(url.split_once("://").unwrap().1.parse().unwrap()));
    let counted = |kind: &str| judged.graph.counters().of_kind(kind);
    let report = || format!("{:#?}\n{}", judged.graph.counters(), judged.violations().join("\n"));
    service.until("presence", || counted("presences") >= 2);
    service.until("lookups", || counted("users") >= 3);
    assert!(judged.graph.set_presence("agent1@demo.example", "Busy", "InACall"));
    service.says("Busy");
    assert!(
        eventually(|| judged.graph.counters().live_subscriptions == 1),
        "{}\n{}",
        report(),
        service.lines().join("\n")
    );
    assert_eq!(service.terminate().code, Some(0));
    assert_eq!(counted("subscription-delete"), 1, "it is given back at the end: {}", report());
    assert_eq!(judged.violations(), Vec::<String>::new());
    assert!(!judged.graph.counters().by_status.contains_key(&400), "{}", report());
}

//! Hostile parties of the real program: a proxy that repeats what it hears, and callers of the webhook without end.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, clippy::print_stdout, reason = "tests")]

mod process;
#[allow(dead_code, reason = "its relay is for others")]
mod secrets;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::time::Duration;

use presence_simulator::{GraphServer, GraphServiceSettings};
use process::http::Client;
use process::{Config, DOMAIN, Service, eventually, program, queue, wait_for};
use serde_json::json;

const SECRET: &str = GraphServiceSettings::SECRET;
const CLIENT: &str = GraphServiceSettings::CLIENT;
const TENANT: &str = GraphServiceSettings::TENANT;

fn private(config: &Config, name: &str, text: &str) {
    fs::set_permissions(config.beside(name, text), Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_proxy_of_the_environment_gets_its_own_password_and_no_secret_and_neither_is_shown() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let proxy = format!("http://somebody:hunter2-hunter2@{}", listener.local_addr().unwrap());
    let (heard, hears) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
            let told = head.replace("\r\n", " ");
            let answer = format!("HTTP/1.1 407 {told}\r\nx-echo: {told}\r\ncontent-length: 0\r\n\r\n");
            let _gone = stream.write_all(answer.as_bytes());
            heard.send(head).unwrap();
        }
    });
    let config = Config::of(&format!(
        r#"<config version="1.5"><PresenceProvider><MsGraphPresenceSource enabled="true"
  LoginUrl="https://login.example.test" GraphUrl="https://graph.example.test">
  <Accounts><Account Id="account1" TenantId="{TENANT}" /></Accounts>
</MsGraphPresenceSource><Http enabled="false" /></PresenceProvider></config>"#
    ));
    private(&config, "account1.json", &format!(r#"{{"client_id": "{CLIENT}", "client_secret": "{SECRET}"}}"#));
    let mut command = program();
    command.args(["graph", "check", "--config"]).arg(config.path()).env("HTTPS_PROXY", &proxy).env("NO_PROXY", "");
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let head = hears.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(head.starts_with("CONNECT login.example.test:443 "), "{head}");
    assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic "), "the proxy needs it: {head}");
    let secrets = [SECRET, "hunter2-hunter2", "somebody:hunter2-hunter2"].map(str::to_owned);
    assert_eq!(secrets::shown(&[("the proxy".to_owned(), head)], &secrets[..1]), Vec::<String>::new());
    assert!(said.contains("token") && !said.contains("panicked"), "{said}");
    assert_eq!(secrets::shown(&[("graph check".to_owned(), said)], &secrets), Vec::<String>::new());
}

#[test]
fn a_flood_of_forged_notifications_delays_nobody_and_real_ones_still_come() {
    let mut settings = GraphServiceSettings::with_users(3, DOMAIN).and_user("push-1", "a-refresh-token-of-push-1");
    settings.notification_latency = Duration::from_millis(100);
    let (started, handle) = mpsc::channel();
    std::thread::spawn(move || {
        wait_for(async {
            started.send(GraphServer::start(settings, "127.0.0.1:0".parse().unwrap()).await.unwrap()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let microsoft = handle.recv().unwrap();
    let config = Config::of("");
    private(&config, "push-1.json", &format!(r#"{{"client_id": "{CLIENT}", "refresh_token": true}}"#));
    private(&config, "state/graph-push-1.token", "a-refresh-token-of-push-1");
    fs::set_permissions(config.path().with_file_name("state"), Permissions::from_mode(0o700)).unwrap();
    config.write(&format!(
        r#"<config version="1.5"><PresenceProvider><Http Listen="127.0.0.1:0" />
  <MsGraphPresenceSource enabled="true" LoginUrl="{0}" GraphUrl="{0}" SweepInterval="600">
    <Accounts><Account Id="push-1" TenantId="{TENANT}" /></Accounts>
    <Notifications Url="https://presence.example.com" SweepInterval="600" />
  </MsGraphPresenceSource>
</PresenceProvider><UnifiedContactCenters>{1}</UnifiedContactCenters></config>"#,
        microsoft.url(),
        queue("teams", &[1, 2, 3])
    ));
    let mut command = config.command(&[]);
    command.env_remove("STATE_DIRECTORY");
    let service = Service::start(command);
    let said = service.says("the API and the dashboard are at ");
    let url = said.rsplit(' ').next().unwrap().trim_end_matches('/').to_owned();
    microsoft.deliver_to(Some(url.split_once("://").unwrap().1.parse().unwrap()));
    let client = Client::new(&url, None);
    let push = || client.get("/api/v1/graph").json["tenants"][0]["accounts"][0]["push"]["state"] == "listening";
    assert!(eventually(push), "{}", client.get("/api/v1/graph").text);
    // Three callers with a thousand forged items in each request, as fast as they can, while ten changes come.
    let user = "fa8bf3dc-eca7-46b7-bad1-db199b62afc3";
    let item = json!({"subscriptionId": "guessed", "clientState": "x".repeat(43), "tenantId": TENANT,
        "changeType": "updated", "resource": format!("communications/presences/{user}"), "resourceData": {"id": user}});
    let body = json!({"value": vec![item; 1_000]}).to_string();
    let over = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let client = client.clone();
            let (body, over) = (&body, &over);
            scope.spawn(move || {
                while !over.load(relaxed) {
                    let head = [("content-type", "application/json")];
                    let status = client.send("POST", "/graph/notifications", &head, body).status;
                    assert!(matches!(status, 202 | 429 | 503), "{status}");
                }
            });
        }
        let seen = (0..10).all(|turn| {
            let (word, number) = if i32::is_positive(turn % 2) { ("Busy", 6_500) } else { ("Away", 15_500) };
            assert!(microsoft.set_presence(&format!("agent2@{DOMAIN}"), word, word));
            eventually(|| {
                let agent = client.get(&format!("/api/v1/agents/sip:agent2@{DOMAIN}")).json;
                agent["agent"]["presence"]["availability"]["value"] == number
            })
        });
        over.store(true, relaxed);
        assert!(seen, "{}", client.get("/api/v1/graph").text);
    });
    let counters = client.get("/api/v1/graph").json["counters"].clone();
    println!("{counters}");
    assert!(counters["notices_dropped"].as_u64() >= Some(10_000), "{counters}");
}

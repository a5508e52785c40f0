//! The real program with Teams agents, against a simulated Microsoft Graph on loopback.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use presence_simulator::{GraphServer, GraphServerHandle, GraphServiceSettings};
use process::http::Client;
use process::{Config, DOMAIN, Service};
use serde_json::Value;

/// A simulated Microsoft on a thread of its own; it ends with the process.
fn microsoft(users: u32) -> GraphServerHandle {
    let (sender, started) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let settings = GraphServiceSettings::with_users(users, DOMAIN);
            let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
            sender.send(GraphServer::start(settings, listen).await.unwrap()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    started.recv().unwrap()
}

/// The program with the agents 1 to `agents` in a queue, and its API.
fn start(microsoft: &GraphServerHandle, agents: usize, more: &str) -> (Config, Service, Client) {
    let url = microsoft.url();
    let queue = process::queue("teams", &(1..=agents).collect::<Vec<_>>());
    let text = format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<config version="1.5">
  <PresenceProvider>
    <MsGraphPresenceSource enabled="true" LoginUrl="{url}" GraphUrl="{url}" SweepInterval="1" {more}>
      <Accounts>
        <Account Id="account1" TenantId="{}" />
      </Accounts>
    </MsGraphPresenceSource>
    <Http Listen="127.0.0.1:0" />
  </PresenceProvider>
  <UnifiedContactCenters>
{queue}  </UnifiedContactCenters>
</config>
"#,
        GraphServiceSettings::TENANT
    );
    let config = Config::of(&text);
    let (client, secret) = (GraphServiceSettings::CLIENT, GraphServiceSettings::SECRET);
    let file = config.beside("account1.json", &format!(r#"{{"client_id": "{client}", "client_secret": "{secret}"}}"#));
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let service = config.run(&["--log-level", "trace"]);
    let line = service.says("the API and the dashboard are at ");
    let url = line.split_once("are at ").unwrap().1.trim().trim_end_matches('/').to_owned();
    (config, service, Client::new(&url, None))
}

fn agent(client: &Client, number: usize) -> Value {
    client.get(&format!("/api/v1/agents/sip:agent{number}@{DOMAIN}")).json
}

fn is(client: &Client, number: usize, availability: i64, freshness: &str) -> bool {
    let agent = agent(client, number);
    agent["agent"]["presence"]["availability"]["value"] == availability && agent["freshness"] == freshness
}

#[test]
fn teams_agents_are_known_a_change_is_seen_and_no_secret_is_in_any_log_or_answer() {
    let microsoft = microsoft(20);
    let (_config, service, client) = start(&microsoft, 20, "");
    service.until("everyone is known", || (1..=20).all(|number| is(&client, number, 3_500, "fresh")));
    assert!(microsoft.set_presence(&format!("agent7@{DOMAIN}"), "Busy", "InACall"));
    service.until("the change is seen", || is(&client, 7, 6_500, "fresh"));
    microsoft.command("outage 503").unwrap();
    service
        .until("the outage is told", || service.lines().iter().any(|line| line.contains("the tenant cannot be asked")));
    microsoft.command("heal").unwrap();
    service.says("the tenant answers");
    microsoft.command("secret expired account1").unwrap();
    microsoft.command("expire-tokens").unwrap();
    service.says("the account cannot be used until somebody mends it");
    let mut seen = service.lines();
    for path in ["/api/v1/graph", "/api/v1/agents", "/api/v1/sources", "/metrics", "/health", "/api/v1/status"] {
        seen.push(client.get(path).text);
    }
    let ended = service.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    seen.extend(ended.lines);
    let secrets = microsoft.secrets();
    assert!(secrets.len() >= 2, "a secret and a token at least: {}", secrets.len());
    for secret in secrets {
        let found = seen.iter().find(|text| text.contains(&secret));
        assert_eq!(found, None, "a secret is shown");
    }
    assert!(seen.iter().any(|line| line.contains("getPresencesByUserId")), "the requests are in the log");
}

#[test]
fn a_setting_that_no_client_can_be_made_from_ends_the_program_before_it_begins() {
    let microsoft = microsoft(1);
    let url = microsoft.url();
    let queue = process::queue("teams", &[1]);
    let text = |more: &str| {
        format!(
            r#"<config version="1.5"><PresenceProvider>
    <MsGraphPresenceSource enabled="true" LoginUrl="{url}" GraphUrl="https://graph.example.test" {more}>
      <Accounts><Account Id="account1" TenantId="{}" /></Accounts>
    </MsGraphPresenceSource><Http enabled="false" />
  </PresenceProvider><UnifiedContactCenters>{queue}</UnifiedContactCenters></config>"#,
            GraphServiceSettings::TENANT
        )
    };
    let config = Config::of(&text(""));
    let broken = config.beside("broken.pem", "no certificate");
    config.write(&text(&format!(r#"TrustedCertificates="{}""#, broken.display())));
    let credential = format!(r#"{{"client_id": "{}", "client_secret": "x"}}"#, GraphServiceSettings::CLIENT);
    let file = config.beside("account1.json", &credential);
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let ended = config.run(&[]).end();
    assert_eq!(ended.code, Some(78), "{}", ended.all());
    assert!(ended.all().contains("no CERTIFICATE section"), "{}", ended.all());
}

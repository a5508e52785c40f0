//! What an operator sees of Microsoft Graph, from the real program against a simulated one: the API, health, metrics, live
//! events, the terminal and the dashboard.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, reason = "tests")]

mod browser;
mod process;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use browser::{Browser, Screen};
use presence_simulator::{GraphServer, GraphServerHandle, GraphServiceSettings};
use process::http::Client;
use process::{Config, Service, eventually, program};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The Teams agents' domain.
const TEAMS: &str = "teams.example";
/// How many users the tenant has; the queue wants one more.
const USERS: u32 = 4;

/// The program with Microsoft Graph as its only source.
struct Office {
    graph: GraphServerHandle,
    service: Service,
    url: String,
    _config: Config,
    _runtime: Runtime,
}

fn agent(number: u32) -> String {
    format!("sip:agent{number}@{TEAMS}")
}

impl Office {
    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let graph =
            runtime.block_on(GraphServer::start(GraphServiceSettings::with_users(USERS, TEAMS), anywhere)).unwrap();
        for number in 1..=USERS {
            assert!(graph.set_presence(&format!("agent{number}@{TEAMS}"), "Available", "Available"));
        }
        let config = Config::of("");
        let secret =
            json!({ "client_id": GraphServiceSettings::CLIENT, "client_secret": GraphServiceSettings::SECRET });
        let path = config.beside("account1.json", &secret.to_string());
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        let (tenant, at) = (GraphServiceSettings::TENANT, graph.url());
        let agents: String = (1..=USERS + 1).map(|number| format!("<Agent Uri=\"{}\" />", agent(number))).collect();
        config.write(&format!(
            r#"<?xml version="1.0" encoding="utf-8"?>
<config version="1.5">
  <PresenceProvider failedPresenceSubscriptionsResubscribeDelay="60">
    <Http Listen="127.0.0.1:0" />
    <MsGraphPresenceSource enabled="true" LoginUrl="{at}" GraphUrl="{at}" SweepInterval="1">
      <Accounts><Account Id="account1" TenantId="{tenant}" Domains="{TEAMS}" /></Accounts>
    </MsGraphPresenceSource>
  </PresenceProvider>
  <UnifiedContactCenters>
    <UnifiedContactCenter Name="sales">{agents}</UnifiedContactCenter>
  </UnifiedContactCenters>
</config>
"#
        ));
        let service = config.run(&[]);
        let said = service.says("the API and the dashboard are at ");
        let url = said.rsplit(' ').next().unwrap().trim_end_matches('/').to_owned();
        let office = Self { graph, service, url, _config: config, _runtime: runtime };
        office.until("all users are fresh", || office.get("/api/v1/status")["agents"]["fresh"] == USERS);
        office
    }

    fn client(&self) -> Client {
        Client::new(&self.url, None)
    }

    fn get(&self, path: &str) -> Value {
        self.client().get(path).json
    }

    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        self.service.until(what, is_so);
    }

    fn command(&self, line: &str) {
        self.graph.command(line).unwrap();
    }

    /// What one of the operator's commands writes.
    fn told(&self, arguments: &[&str]) -> String {
        let output = program().args(arguments).args(["--url", &self.url]).env("TZ", "UTC").output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }
}

#[test]
fn the_api_says_whose_user_an_agent_is_and_why_one_is_unknown() {
    let office = Office::open();
    let graph = office.get("/api/v1/graph");
    let tenant = &graph["tenants"][0];
    assert_eq!((&tenant["tenant"], &tenant["up"]), (&json!(GraphServiceSettings::TENANT), &json!(true)), "{graph}");
    assert_eq!(
        (&tenant["agents"], &tenant["batches"], &tenant["sweep"]),
        (&json!(USERS), &json!(1), &json!(1.0)),
        "{graph}"
    );
    assert_eq!(tenant["accounts"][0]["state"], "working", "{graph}");
    assert!(graph["counters"]["presence_requests"].as_u64().unwrap() > 0, "{graph}");
    assert_eq!(office.get("/api/v1/status")["graph"][0]["tenant"], GraphServiceSettings::TENANT);
    let detail = office.get(&format!("/api/v1/agents/{}", agent(1)));
    let known = &detail["graph"];
    assert_eq!((&known["account"], &detail["agent"]["account"]), (&json!("account1"), &json!("account1")), "{detail}");
    assert_eq!(
        (&known["object_id"], &known["notified"]),
        (&json!("a9e00000-0000-4000-8000-000000000001"), &json!(false))
    );
    assert!(known["heard_at"].is_string() && detail["agent"]["endpoint"].is_null(), "{detail}");
    let why = detail["why"].as_str().unwrap();
    assert!(
        why.starts_with("Microsoft Graph says so since ") && why.contains("every 1 s by account account1."),
        "{why}"
    );
    assert_eq!(office.get("/api/v1/agents?endpoint=application")["total"], 0);
    assert_eq!(office.get("/api/v1/agents?source=MsGraphPresenceSource")["total"], USERS + 1);
    // Nobody has this address.
    office.until("the stranger is given a rest", || office.get("/api/v1/agents?state=backing_off")["total"] == 1);
    let stranger = office.get(&format!("/api/v1/agents/{}", agent(USERS + 1)));
    let why = stranger["why"].as_str().unwrap();
    assert!(why.starts_with("Not known in any tenant: ") && why.contains("; it is looked up again in "), "{why}");
    assert!(!why.contains("endpoint") && stranger["subscription"]["endpoint"].is_null(), "{stranger}");
}

#[test]
fn an_outage_is_told_everywhere_and_everyone_is_back_within_a_sweep() {
    let office = Office::open();
    let client = office.client();
    assert_eq!(client.get("/health/ready").status, 200);
    let mut events = client.events("/api/v1/events", None);
    office.command("outage 503 for 60s");
    let down = events.until("graph").data;
    assert!(down["text"].is_string() && down["good"] == false, "{down}");
    office.until("the tenant is down", || office.get("/api/v1/graph")["tenants"][0]["up"] == false);
    let tenant = &office.get("/api/v1/graph")["tenants"][0];
    assert!(tenant["says"].as_str().unwrap().starts_with("Cannot be asked since "), "{tenant}");
    assert_eq!(tenant["last_failure"]["code"], 503, "{tenant}");
    assert!(tenant["retry_at"].is_string(), "{tenant}");
    office.until("its agents are stale", || office.get("/api/v1/status")["agents"]["stale"] == USERS);
    let status = office.get("/api/v1/status");
    assert_eq!(status["verdict"], "down", "{status}");
    assert!(status["headline"].as_str().unwrap().contains(" cannot be asked since "), "{status}");
    let why = office.get(&format!("/api/v1/agents/{}", agent(1)))["why"].as_str().unwrap().to_owned();
    assert!(why.starts_with("Its tenant ") && why.contains("Queues see its last value, from "), "{why}");
    let text = client.get("/metrics").text;
    let up = format!("presence_graph_tenant_up{{tenant=\"{}\"}} 0.0", GraphServiceSettings::TENANT);
    assert!(text.contains(&up), "{text}");
    let glance = office.told(&["status"]);
    assert!(glance.contains("Graph       tenant       down") && glance.contains("Cannot be asked since "), "{glance}");
    assert_eq!(office.get("/api/v1/status")["agents"]["abandoned"], 0);
    office.command("heal");
    office.until("all users are fresh again", || office.get("/api/v1/status")["agents"]["fresh"] == USERS);
    let up = std::iter::from_fn(|| Some(events.until("graph").data)).find(|data| data["news"] == "tenant_up").unwrap();
    assert!(up["text"].as_str().unwrap().starts_with("Microsoft Graph answers for tenant "), "{up}");
    office.until("the tenant is up", || office.get("/api/v1/graph")["tenants"][0]["up"] == true);
    let text = client.get("/metrics").text;
    assert!(text.contains("presence_graph_requests_total{kind=\"token\"} "), "{text}");
    for secret in office.graph.secrets() {
        let all =
            [text.as_str(), &glance, &office.get("/api/v1/graph").to_string(), &office.service.lines().join("\n")];
        assert!(all.iter().all(|one| !one.contains(&secret)), "a secret is told");
    }
}

#[test]
fn the_terminal_shows_tenants_accounts_and_users() {
    let office = Office::open();
    let glance = office.told(&["status"]);
    let row = |what: &str, state: &str| glance.lines().any(|line| line.contains(what) && line.contains(state));
    assert!(row("Graph       tenant", "up") && row("account", "working"), "{glance}");
    let agents = office.told(&["agents", "--source", "graph"]);
    let line = agents.lines().find(|line| line.starts_with("sip:agent1@")).unwrap();
    assert_eq!(line.split('\t').skip(6).take(3).collect::<Vec<_>>(), ["active", "graph", "account1"], "{agents}");
    let one = office.told(&["agent", &agent(1)]);
    for part in ["Tenant        4119dd4d-", "Object id     a9e00000-", "Account       account1", "Last answer   "] {
        assert!(one.contains(part), "{part}: {one}");
    }
    assert!(!one.contains("endpoint"), "{one}");
}

#[test]
fn the_dashboard_has_a_card_for_the_tenant_on_a_desk_and_on_a_phone() {
    let office = Office::open();
    let Some(page) = Browser::start(Screen::DESK) else { return };
    page.open(&format!("{}/", office.url));
    page.shows("#tenants .name", "4119dd4d-e455-4535-9d45-b3535f584cad");
    page.shows("#tenants .word", "Up");
    page.shows("#tenants .line", "Teams: 4 agents · 1 request every 1 s");
    page.shows("#tenants .account", "account1 Works");
    page.row_shows(&format!("agent1@{TEAMS}"), "Graph");
    page.row_shows(&format!("agent1@{TEAMS}"), "Asked for");
    assert!(office.graph.set_presence(&format!("agent2@{TEAMS}"), "Busy", "InACall"));
    page.row_shows(&format!("agent2@{TEAMS}"), "Busy on the phone");
    page.run_with("location.hash = new URLSearchParams({ agent: arguments[0] })", &[json!(agent(2))]);
    page.shows(".drawer-body", "User a9e00000-0000-4000-8000-000000000002");
    page.shows(".why", "Microsoft Graph says so since ");
    page.picture("graph-detail");
    page.keys([char::from(fantoccini::key::Key::Escape)]);
    page.until("!document.getElementById('drawer').open");
    let phone = Browser::start(Screen::PHONE).unwrap();
    phone.open(&format!("{}/", office.url));
    phone.shows("#tenants .word", "Up");
    office.command("secret expired account1");
    office.command("expire-tokens account1");
    page.shows("#tenants .word", "Down");
    page.shows("#tenants .account", "Needs a person");
    page.shows("#feed", "only a person can mend that");
    page.shows("#verdict-word", "Down");
    page.shows("#verdict-line", "Account account1 needs a person");
    page.until("document.querySelector('#feed .feed-endpoint[data-up=false]')");
    page.until("!document.body.innerText.includes('Trace ID')");
    page.picture("graph-down");
    phone.shows("#tenants .word", "Down");
    phone.until("document.documentElement.scrollWidth <= innerWidth");
    phone.picture("graph-phone");
    phone.click(".tabs [data-tab=live]");
    phone.shows("#feed", "cannot be asked");
    phone.until("document.documentElement.scrollWidth <= innerWidth");
    assert!(eventually(|| office.get("/health/live")["alive"] == true));
    page.behaved(&office.url, false);
    phone.behaved(&office.url, false);
}

#[test]
fn a_source_that_cannot_ask_for_half_a_minute_is_not_ready_and_says_why() {
    let office = Office::open();
    office.command("secret expired account1");
    office.command("expire-tokens account1");
    office.until("the account needs a person", || {
        office.get("/api/v1/graph")["tenants"][0]["accounts"][0]["needs_a_person"] == true
    });
    assert_eq!(office.client().get("/health/ready").status, 200, "a short outage is no reason for an alarm");
    office.until("the source is not ready", || office.client().get("/health/ready").status == 503);
    let problem = office.client().get("/health/ready");
    let why = problem.problem();
    assert!(why.starts_with("the MsGraphPresenceSource is not ready: no tenant can be asked: "), "{why}");
    assert_eq!(office.get("/api/v1/status")["agents"]["abandoned"], 0);
}

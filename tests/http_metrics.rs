//! What monitoring systems read of the real program: the metrics, their table, the alerts, the Grafana dashboard, health.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, reason = "tests")]

mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use process::http::{House, Plan};
use process::{eventually, queue, wait_for};
use serde_json::{Value, json};

const TOKENS: &[(&str, &[&str])] = &[("prometheus", &["read"]), ("snapper", &["attendant"])];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The metrics of a text in the classic format: name to type.
fn declared(text: &str) -> BTreeMap<String, String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

/// The value of a row, such as `presence_calls` or `up{job="x"}`.
fn value(text: &str, row: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(row)?.strip_prefix(' ')?.parse().ok())
}

/// A house with a queue of 20 agents, where everything that can be counted has happened once.
fn busy_house() -> House {
    let agents: Vec<usize> = (1..=20).collect();
    let house = House::with(Plan { queues: &queue("sales", &agents), ..Plan::default() });
    let pushed = json!({"state": "Busy", "heartbeat": 600});
    assert_eq!(house.client().put("/api/v1/attendant/presence/sip:a@attendant.example", &pushed).status, 200);
    // A page of somebody else's, under a name that leads here.
    assert!(house.client().send("GET", "/health/live", &[("host", "evil.example")], "").status >= 400);
    house
}

/// The metrics, once the queue's agents are fresh.
fn settled(house: &House) -> String {
    let row = "presence_agents{source=\"UcmaPresenceSource\",freshness=\"fresh\"}";
    assert!(
        eventually(|| value(&house.client().get("/metrics").text, row) == Some(20.0)),
        "{}",
        house.client().get("/metrics").text
    );
    house.client().get("/metrics").text
}

/// Runs promtool; nothing where it is not installed, which on a build machine is a failure.
fn promtool(arguments: &[&str], folder: &Path, input: &str) -> Option<Output> {
    let child = Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "promtool is not installed (Debian: prometheus)");
        eprintln!("skipped: promtool is not installed (Debian: prometheus)");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[track_caller]
fn is_content(output: Option<Output>) {
    if let Some(output) = output {
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn prometheus_can_read_the_metrics_and_has_nothing_to_say_against_them() {
    let text = settled(&busy_house());
    let output = promtool(&["check", "metrics"], &root(), &text);
    if let Some(output) = &output {
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "promtool says something");
    }
    is_content(output);
}

#[test]
fn the_alerts_are_well_formed_and_tell_what_they_should() {
    let folder = root().join("packaging/prometheus");
    is_content(promtool(&["check", "rules", "alerts.yml"], &folder, ""));
    is_content(promtool(&["test", "rules", "alerts_test.yml"], &folder, ""));
}

#[test]
fn every_alert_is_seen_to_fire_in_its_test() {
    let read = |name: &str| fs::read_to_string(root().join("packaging/prometheus").join(name)).unwrap();
    let (alerts, tests) = (read("alerts.yml"), read("alerts_test.yml"));
    for alert in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let named = [format!("alertname=\"{alert}\""), format!("alertname: {alert}\n")];
        assert!(named.iter().any(|name| tests.contains(name)), "{alert} is in no test of alerts_test.yml");
    }
}

#[test]
fn the_table_of_the_documentation_is_what_the_program_says() {
    let house = busy_house();
    let real = declared(&settled(&house));
    let page = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?;
        let is_metric = name.starts_with("presence_") || name.starts_with("process_");
        Some((name.to_owned(), cells.next()?.to_owned())).filter(|_| is_metric)
    });
    let documented: BTreeMap<String, String> = rows.collect();
    let missing: Vec<_> = real.iter().filter(|(name, kind)| documented.get(*name) != Some(kind)).collect();
    let invented: Vec<_> = documented.iter().filter(|(name, kind)| real.get(*name) != Some(kind)).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "not (so) in the table: {missing:#?}\nonly in the table: {invented:#?}"
    );
}

/// The names of metrics in a query, without the endings of histograms.
fn named(text: &str, real: &BTreeMap<String, String>) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let words = words.filter(|word| word.starts_with("presence_") || word.starts_with("process_"));
    let base = |word: &str| {
        let stripped = ["_bucket", "_sum", "_count"].iter().find_map(|ending| word.strip_suffix(ending));
        stripped.filter(|base| real.get(*base).is_some_and(|kind| kind == "histogram")).unwrap_or(word).to_owned()
    };
    words.map(base).collect()
}

#[test]
fn alerts_and_the_dashboard_of_grafana_name_only_metrics_that_there_are() {
    let real = declared(&settled(&busy_house()));
    let alerts = fs::read_to_string(root().join("packaging/prometheus/alerts.yml")).unwrap();
    let grafana = fs::read_to_string(root().join("packaging/grafana/presence-provider.json")).unwrap();
    let board: Value = serde_json::from_str(&grafana).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    let queries: Vec<String> = targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect();
    assert!(queries.len() >= 20 && board["uid"] == "presence-provider", "{} queries", queries.len());
    for (what, text) in [("alerts.yml", alerts), ("presence-provider.json", queries.join("\n"))] {
        let names = named(&text, &real);
        assert!(names.len() > 10, "{what}: {names:?}");
        let unknown: Vec<_> = names.iter().filter(|name| !real.contains_key(*name)).collect();
        assert!(unknown.is_empty(), "{what} names metrics that there are not: {unknown:?}");
    }
}

#[test]
fn the_numbers_are_those_of_the_service() {
    let house = busy_house();
    let text = settled(&house);
    for (row, expected) in [
        ("presence_agents_in_state{source=\"UcmaPresenceSource\",state=\"active\"}", 20.0),
        ("presence_agents{source=\"AttendantServiceSource\",freshness=\"fresh\"}", 1.0),
        ("presence_pushed_agents", 1.0),
        ("presence_pushers", 1.0),
        ("presence_source_ready{source=\"UcmaPresenceSource\"}", 1.0),
        ("presence_endpoint_up{endpoint=\"application\"}", 1.0),
        ("presence_endpoint_state{endpoint=\"application\",state=\"Established\"}", 1.0),
        ("presence_endpoint_state{endpoint=\"application\",state=\"Idle\"}", 0.0),
        ("presence_subscribes_total{result=\"accepted\"}", 20.0),
        ("presence_throttle_configured_rate", 1000.0),
        ("presence_uccs", 1.0),
        ("presence_panics_total", 0.0),
        ("presence_http_refused_total{why=\"host\"}", 1.0),
        ("presence_http_requests_total{route=\"/api/v1/attendant/presence/{uri}\",status=\"200\"}", 1.0),
    ] {
        assert_eq!(value(&text, row), Some(expected), "{row}\n{text}");
    }
    assert!(value(&text, "presence_sip_received_bytes_total{endpoint=\"application\"}").unwrap() > 1_000.0);
    assert!(value(&text, "presence_notifications_total{endpoint=\"application\"}").unwrap() >= 20.0);
    assert!(value(&text, "presence_throttle_wait_seconds_count").unwrap() >= 20.0);
    for name in ["agent1@", "sales", "attendant.example"] {
        assert!(!text.contains(name), "a label that grows with the agents or queues: {name}");
    }
}

#[test]
fn a_monitoring_system_that_asks_for_open_metrics_gets_it() {
    let house = House::with(Plan { tokens: TOKENS, ..Plan::default() });
    let prometheus = house.client_as("prometheus");
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let answer = prometheus.send("GET", "/metrics", &[("accept", accept)], "");
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(answer.text.ends_with("# EOF\n") && answer.text.contains("# UNIT presence_delivery_seconds seconds\n"));
    let answer = prometheus.get("/metrics");
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(house.client().get("/metrics").status, 401);
    assert_eq!(house.client_as("snapper").get("/metrics").status, 403);
}

#[test]
fn health_needs_no_token_and_says_which_source_is_not_ready_and_why() {
    let house = House::with(Plan { tokens: TOKENS, ..Plan::default() });
    let client = house.client();
    assert_eq!(client.get("/health/live").json, json!({"alive": true}));
    assert!(eventually(|| client.get("/health/ready").status == 200), "{:?}", client.get("/health/ready"));
    assert_eq!(client.get("/health/ready").json["ready"], true);
    for path in ["/health/live", "/health/ready"] {
        let head = client.send("HEAD", path, &[], "");
        assert_eq!((head.status, head.text.as_str()), (200, ""));
    }
    wait_for(house.server.pause_listening(std::time::Duration::from_secs(60)));
    house.server.drop_connections();
    assert!(eventually(|| client.get("/health/ready").status == 503), "{:?}", client.get("/health/ready"));
    let answer = client.get("/health/ready");
    assert!(answer.problem().contains("the UcmaPresenceSource is not ready: no endpoint is up"), "{answer:?}");
    let sources = answer.json["sources"].as_array().unwrap();
    let ready: BTreeMap<_, _> = sources.iter().map(|s| (s["source"].as_str().unwrap(), s["ready"] == true)).collect();
    assert_eq!((ready["UcmaPresenceSource"], ready["PstnPresenceSource"]), (false, true));
    assert_eq!(client.get("/health/live").status, 200);
}

//! What operators see and do over the HTTP API of the real program, against a simulated presence server.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use presence_core::AgentUri;
use presence_simulator::{Activity, AgentState, Faults, Refusal, Scope};
use process::http::{Client, House, Plan};
use process::{queue, wait_for};
use serde_json::{Value, json};

/// Asks until the answer is as it should be, and gives it.
#[track_caller]
fn until(house: &House, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let client = house.client();
    let last = std::cell::RefCell::new(Value::Null);
    house.service.until(path, || {
        let answer = client.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let so = is_so(&answer.json);
        *last.borrow_mut() = answer.json;
        so
    });
    last.into_inner()
}

/// The first JSON in a page of the documentation behind this text.
fn example(page: &str, behind: &str) -> Value {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page)).unwrap();
    let (_, rest) = page.split_once(behind).unwrap();
    let (_, rest) = rest.split_once("\n{").unwrap();
    let (example, _) = rest.split_once("\n```").unwrap();
    serde_json::from_str(&format!("{{{example}")).unwrap()
}

/// The fields of an answer and of what is in it: `recovery`, `recovery.order`, `sources[].why`.
fn fields(value: &Value) -> BTreeSet<String> {
    fn enter(into: &mut BTreeSet<String>, before: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let name = format!("{before}{name}");
                    enter(into, &format!("{name}."), value);
                    into.insert(name);
                }
            }
            Value::Array(items) => {
                for item in items {
                    enter(into, &format!("{}[].", before.trim_end_matches('.')), item);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut all = BTreeSet::new();
    enter(&mut all, "", value);
    all
}

fn uris(page: &Value) -> Vec<&str> {
    page["agents"].as_array().unwrap().iter().map(|agent| agent["uri"].as_str().unwrap()).collect()
}

#[test]
fn an_agent_that_the_pool_refuses_says_why_and_when_it_is_tried_again() {
    let queues = queue("ucc_app01", &[1, 2, 99]);
    let house = House::with(Plan { queues: &queues, ..Plan::default() });
    until(&house, "/api/v1/agents?state=backing_off", |page| page["total"] == 1);
    let answer = house.client().get("/api/v1/agents/sip:agent99%40demo.example");
    assert_eq!(answer.status, 200, "{}", answer.text);
    let (detail, subscription) = (&answer.json, &answer.json["subscription"]);
    assert_eq!((&detail["agent"]["state"], &detail["freshness"]), (&json!("backing_off"), &json!("unknown")));
    assert_eq!(detail["agent"]["uccs"], json!(["ucc_app01"]));
    assert_eq!((&subscription["failures"], &subscription["last_failure"]["code"]), (&json!(1), &json!(404)));
    assert_eq!(subscription["last_failure"]["owner"], "not_found");
    let next = subscription["next_retry_in"].as_f64().unwrap();
    assert!((30.0..=60.0).contains(&next) && subscription["next_retry"].is_string(), "{subscription}");
    let why = detail["why"].as_str().unwrap();
    let begin = "Backing off after 1 failure: the pool of the application endpoint said `404 ";
    assert!(why.starts_with(begin) && why.contains("; next attempt in "), "{why}");
    assert_eq!(detail["rules"]["source"], "UcmaPresenceSource");
    // The others are served: one in three without presence is not well.
    let status = until(&house, "/api/v1/status", |status| status["agents"]["fresh"] == 2);
    let status = if status["verdict"] == "degraded" {
        status
    } else {
        until(&house, "/api/v1/status", |status| status["verdict"] == "degraded")
    };
    let headline = "1 of 3 agents could not be subscribed; they are tried again by themselves.";
    assert_eq!(status["headline"], headline, "{status}");
    assert_eq!((&status["endpoints"][0]["up"], &status["endpoints"][0]["agents"]), (&json!(true), &json!(2)));
}

#[test]
fn an_agent_has_its_last_changes() {
    let queues = queue("ucc_app01", &[1]);
    let house = House::with(Plan { queues: &queues, ..Plan::default() });
    let path = format!("/api/v1/agents/{}", House::agent(1));
    until(&house, "/api/v1/agents?q=AGENT1%40&freshness=fresh", |page| page["total"] == 1);
    house.server.set_presence(&House::agent(1), AgentState::of(Activity::OnThePhone));
    let detail = until(&house, &path, |detail| detail["agent"]["presence"]["activity"] == "on-the-phone");
    let changes = detail["changes"].as_array().unwrap();
    let last = &changes[0];
    assert_eq!((&last["sequence"], &last["presence"]["availability"]["name"]), (&json!(2), &json!("Busy")), "{detail}");
    assert_eq!((changes.len(), &changes[1]["previous"]), (2, &Value::Null));
    assert!(detail["why"].as_str().unwrap().starts_with("Subscribed through the application endpoint; "), "{detail}");
}

#[test]
fn a_lost_pool_shows_as_stale_agents_and_as_a_recovery_until_all_is_well() {
    const AGENTS: usize = 2_000;
    let everyone: Vec<usize> = (1..=AGENTS).collect();
    let queues = queue("ucc_app01", &everyone);
    let house = House::with(Plan { agents: AGENTS, queues: &queues, ..Plan::default() });
    let status = until(&house, "/api/v1/status", |status| status["agents"]["pending"].as_u64() > Some(0));
    assert_eq!(status["verdict"], "recovering", "{status}");
    let status = until(&house, "/api/v1/status", |status| status["verdict"] == "well");
    assert_eq!(status["headline"], "All 2,000 agents are fresh.");
    assert_eq!(status["recovery"], Value::Null);

    wait_for(house.server.pause_listening(Duration::from_secs(6)));
    house.server.drop_connections();
    let status = until(&house, "/api/v1/status", |status| status["verdict"] == "down");
    assert_eq!((&status["agents"]["stale"], &status["agents"]["fresh"]), (&json!(AGENTS), &json!(0)), "{status}");
    let headline = status["headline"].as_str().unwrap();
    let parts = ["The application endpoint is down since ", "2,000 agents keep their last presence as stale."];
    assert!(parts.iter().all(|part| headline.contains(part)), "{headline}");
    let recovery = &status["recovery"];
    let expected = (&json!(AGENTS), &json!(0), &Value::Null);
    assert_eq!((&recovery["total"], &recovery["done"], &recovery["predicted_end"]), expected, "{recovery}");
    assert!(recovery["cause"].as_str().unwrap().starts_with("the application endpoint was lost"), "{recovery}");
    let sources = house.client().get("/api/v1/sources").json;
    let ucma = sources["sources"].as_array().unwrap().iter().find(|source| source["source"] == "UcmaPresenceSource");
    assert_eq!(ucma.unwrap()["ready"], false, "{sources}");

    let status = until(&house, "/api/v1/status", |status| status["verdict"] == "recovering");
    assert!(status["headline"].as_str().unwrap().starts_with("Recovering: "), "{status}");
    assert!(status["recovery"]["predicted_end_in"].is_number(), "{status}");
    let answer = json!({
        "verdict": status["verdict"], "headline": status["headline"], "agents": status["agents"],
        "recovery": status["recovery"], "coverage": status["throttle"]["coverage"], "state": status["state"],
    });
    assert_eq!(fields(&example("api.md", "curl -s $api/status")), fields(&answer), "docs/api.md and the answer differ");
    until(&house, "/api/v1/status", |status| status["verdict"] == "well" && status["recovery"].is_null());
    let history = house.client().get("/api/v1/history").json;
    let samples = history["samples"].as_array().unwrap();
    assert!(samples.iter().any(|sample| sample["stale"] == AGENTS), "{history}");
    assert!(samples.iter().any(|sample| sample["messages"].as_f64() > Some(100.0)), "{history}");
    let ages: Vec<_> = samples.iter().map(|sample| sample["age"].as_f64().unwrap()).collect();
    assert!(ages.is_sorted_by(|older, newer| older > newer), "{ages:?}");
}

#[test]
fn an_abandoned_agent_is_found_by_its_state_and_revived() {
    let house = House::new();
    let (client, agent) = (house.client(), House::agent(3));
    let scope = Scope::Agent(AgentUri::parse(&agent).unwrap());
    house.server.faults(&scope, Faults::refusing(Refusal::with(403)));
    assert_eq!(client.put(&format!("/api/v1/uccs/sales/agents/{agent}"), &Value::Null).status, 200);
    assert_eq!(client.put(&format!("/api/v1/uccs/sales/agents/{}", House::agent(4)), &Value::Null).status, 200);
    let page = until(&house, "/api/v1/agents?state=abandoned,quarantined", |page| page["total"] == 1);
    assert_eq!(uris(&page), [agent.as_str()]);
    let status = client.get("/api/v1/status").json;
    assert_eq!((&status["verdict"], &status["agents"]["abandoned"]), (&json!("degraded"), &json!(1)), "{status}");
    assert!(status["headline"].as_str().unwrap().contains("1 agent is abandoned: "), "{status}");
    let why = client.get(&format!("/api/v1/agents/{agent}")).json["why"].as_str().unwrap().to_owned();
    assert!(why.starts_with("Given up after 1 failure: ") && why.contains("403"), "{why}");

    let revive = |agent: &str| client.post(&format!("/api/v1/agents/{agent}/revive"), &Value::Null);
    let other = revive(&House::agent(4));
    assert!(other.status == 409 && other.problem().contains("is not abandoned: it is active"), "{other:?}");
    assert_eq!(revive("sip:nobody@demo.example").status, 404);
    assert_eq!(revive("nobody").status, 400);
    house.server.heal();
    let revived = revive(&agent);
    assert_eq!((revived.status, &revived.json), (200, &json!({"revived": 1})));
    until(&house, "/api/v1/agents?state=active", |page| page["total"] == 2);
    until(&house, "/api/v1/status", |status| status["verdict"] == "well");
    assert_eq!(client.post("/api/v1/agents/revive", &Value::Null).json, json!({"revived": 0}));
    house.service.says("an operator has the agent tried again");
}

#[test]
fn lists_have_pages_orders_and_filters() {
    let queues = queue("ucc_app01", &[1, 2, 3, 4, 5]) + &queue("ucc_app02", &[4, 5, 6]);
    let house = House::with(Plan { queues: &queues, ..Plan::default() });
    until(&house, "/api/v1/agents?state=active&freshness=fresh", |page| page["total"] == 6);
    house.server.set_presence(&House::agent(2), AgentState::of(Activity::Busy));
    until(&house, "/api/v1/agents?sort=-availability", |page| uris(page)[0] == House::agent(2));
    let client = house.client();
    let numbers = |query: &str| {
        let page = client.get(&format!("/api/v1/agents?{query}")).json;
        let number = |uri: &str| uri[9..10].parse::<usize>().unwrap();
        (page["total"].as_u64().unwrap(), uris(&page).into_iter().map(number).collect::<Vec<_>>())
    };
    assert_eq!(numbers(""), (6, vec![1, 2, 3, 4, 5, 6]));
    assert_eq!(numbers("sort=-uri&limit=2&offset=1"), (6, vec![5, 4]));
    assert_eq!(numbers("sort=-since&limit=1"), (6, vec![2]));
    assert_eq!(numbers("offset=100"), (6, vec![]));
    assert_eq!(numbers("ucc=ucc_app02"), (3, vec![4, 5, 6]));
    assert_eq!(numbers("ucc=ucc_app02,ucc_app01&endpoint=application&source=UcmaPresenceSource").0, 6);
    assert_eq!(numbers("endpoint=user"), (0, vec![]));
    assert_eq!(numbers("q=agent3%40DEMO"), (1, vec![3]));
    for query in
        ["state=busy", "freshness=old", "source=x", "endpoint=x", "sort=name", "limit=0", "offset=-1", "page=1"]
    {
        let answer = client.get(&format!("/api/v1/agents?{query}"));
        let name = query.split_once('=').unwrap().0;
        assert!(answer.status == 400 && answer.problem().contains(&format!("`{name}`")), "{query}: {answer:?}");
    }
}

#[test]
fn the_rules_the_endpoints_the_throttle_and_the_configuration_are_told() {
    let house = House::new();
    let client = house.client();
    let explained = client.get("/api/v1/explain/sip:someone@attendant.example");
    assert_eq!(explained.json["source"], "AttendantServiceSource", "{}", explained.text);
    assert_eq!(client.get("/api/v1/explain/tel:+31612345678").json["source"], "PstnPresenceSource");
    assert!(client.get("/api/v1/explain/someone").problem().contains("begins with none of"));
    let unknown = client.get("/api/v1/agents/sip:someone%40demo.example");
    assert!(unknown.status == 404 && unknown.problem().contains("no queue asks for"), "{unknown:?}");
    let endpoints = until(&house, "/api/v1/endpoints", |list| list["endpoints"][0]["up"] == true);
    assert_eq!(endpoints["endpoints"][0]["state"], "Established");
    assert!(endpoints["endpoints"][0]["since"].is_string(), "{endpoints}");
    assert_eq!(client.get("/api/v1/throttle").json["configured_rate"], 1_000);
    let settings = client.get("/api/v1/configuration").json;
    let is_rate = |row: &&Value| row["name"] == "MaxPresenceSubscriptionsPerSecond";
    let rate = settings["settings"].as_array().unwrap().iter().find(is_rate).unwrap();
    assert_eq!(
        rate,
        &json!({"name": "MaxPresenceSubscriptionsPerSecond", "value": "1000 per second", "default": false})
    );
    let caller = client.get("/api/v1/caller").json;
    assert_eq!((&caller["name"], &caller["token_required"]), (&json!("anonymous"), &json!(false)));
    assert_eq!(caller["scopes"], json!(["attendant", "calls", "operate", "read"]));
}

#[test]
fn attendant_agents_that_nobody_pushes_are_unknown_in_a_house_that_is_well() {
    let house = House::new();
    let client = house.client();
    let agent = "sip:desk@attendant.example";
    assert_eq!(client.put(&format!("/api/v1/uccs/sales/agents/{agent}"), &Value::Null).status, 200);
    let status = until(&house, "/api/v1/status", |status| {
        status["agents"]["total"] == 1 && status["endpoints"][0]["up"] == true
    });
    let headline = "0 of 1 agents are fresh; 1 unknown because no third party has pushed a state.";
    assert_eq!((&status["verdict"], &status["headline"]), (&json!("well"), &json!(headline)), "{status}");
    let detail = client.get(&format!("/api/v1/agents/{agent}")).json;
    assert_eq!((&detail["agent"]["state"], &detail["subscription"]), (&json!("served"), &Value::Null));
    assert!(detail["why"].as_str().unwrap().contains("no third party pushes its state"), "{detail}");
}

#[test]
fn each_route_asks_for_its_scope() {
    let tokens: &[(&str, &[&str])] = &[("reader", &["read"]), ("operator", &["operate"]), ("sales", &["ucc:sales"])];
    let house = House::with(Plan { tokens, ..Plan::default() });
    let status = |client: &Client, path: &str| client.get(path).status;
    let (reader, operator, sales) = (house.client_as("reader"), house.client_as("operator"), house.client_as("sales"));
    let read = ["status", "history", "endpoints", "throttle", "sources", "agents", "explain/tel:+31612345678"];
    for path in read.map(|name| format!("/api/v1/{name}")) {
        let statuses = [&house.client(), &reader, &operator, &sales].map(|client| status(client, &path));
        assert_eq!(statuses, [401, 200, 200, 403], "{path}");
    }
    let statuses = [&reader, &operator, &sales].map(|client| status(client, "/api/v1/configuration"));
    assert_eq!(statuses, [403, 200, 403]);
    let revive = |client: &Client| client.post("/api/v1/agents/revive", &Value::Null).status;
    assert_eq!([&reader, &operator, &sales].map(revive), [403, 200, 403]);
    let caller = sales.get("/api/v1/caller").json;
    assert_eq!(caller, json!({"name": "sales", "token_required": true, "scopes": ["ucc:sales"]}));
    let settings = operator.get("/api/v1/configuration").text;
    assert!(!settings.contains(house.token("operator")), "no secret in the configuration");
}

#[test]
fn what_the_pages_show_as_an_answer_has_the_fields_of_a_real_one() {
    let house = House::new();
    let client = house.client();
    let interest = json!({"subscribe": [House::agent(1), "tel:+31612345678", "sip:nobody"]});
    let wanted = client.post("/api/v1/uccs/helpdesk/agents", &interest).json;
    assert_eq!(example("api.md", "The first one answers"), wanted);
    wait_for(house.server.pause_listening(Duration::from_secs(60)));
    house.server.drop_connections();
    house.service.until("it is not ready", || client.get("/health/ready").status == 503);
    let answer = client.get("/health/ready").json;
    let shown = example("operations.md", "$ curl -s http://127.0.0.1:8365/health/ready");
    assert_eq!(fields(&shown), fields(&answer), "docs/operations.md and the answer differ: {answer}");
}

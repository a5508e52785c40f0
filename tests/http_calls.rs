//! Calls with PSTN agents of the real program.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use process::eventually;
use process::http::{Client, House, Plan};
use serde_json::{Value, json};

const LINE: &str = "tel:+31612345678";

const TOKENS: &[(&str, &[&str])] =
    &[("sales", &["ucc:sales"]), ("support", &["ucc:support"]), ("switchboard", &["calls"]), ("wall", &["read"])];

fn call(ucc: &str, id: &str) -> String {
    format!("/api/v1/uccs/{ucc}/calls/{id}")
}

/// What another queue knows of the line.
fn state(client: &Client, ucc: &str) -> Option<String> {
    let answer = client.get(&format!("/api/v1/uccs/{ucc}/agents/{LINE}"));
    answer.json["presence"]["availability"]["name"].as_str().map(str::to_owned)
}

fn becomes(client: &Client, ucc: &str, name: &str) -> bool {
    eventually(|| state(client, ucc).as_deref() == Some(name))
}

fn ids(client: &Client, path: &str) -> Vec<String> {
    let list = client.get(path).json;
    let calls = list["calls"].as_array().unwrap_or_else(|| panic!("{list}"));
    let short = |call: &Value| format!("{} {}", call["ucc"].as_str().unwrap(), call["call"].as_str().unwrap());
    let mut calls: Vec<_> = calls.iter().map(short).collect();
    calls.sort();
    calls
}

#[test]
fn a_call_counts_once_and_the_agent_is_busy_for_every_queue_until_the_last_one_ends() {
    let house = House::new();
    let client = house.client();
    client.put(&format!("/api/v1/uccs/support/agents/{LINE}"), &Value::Null);
    assert!(becomes(&client, "support", "Online"));
    let line = json!({"line": LINE});
    let begun = client.put(&call("sales", "1"), &line);
    assert_eq!((begun.status, &begun.json["line"], &begun.json["call"]), (201, &json!(LINE), &json!("1")), "{begun:?}");
    assert_eq!(client.put(&call("sales", "1"), &line).status, 200, "saying it again counts nothing");
    assert_eq!(client.put(&call("sales", "1"), &line).json["since"], begun.json["since"]);
    assert_eq!(client.put(&call("support", "1"), &line).status, 201, "the id is that queue's own");
    assert!(becomes(&client, "support", "Busy"));
    assert!(eventually(|| ids(&client, "/api/v1/calls") == ["sales 1", "support 1"]));
    assert_eq!(ids(&client, "/api/v1/uccs/sales/calls"), ["sales 1"]);
    assert_eq!(client.get("/api/v1/uccs/sales").json["calls"], 1);
    assert_eq!(client.delete(&call("sales", "1")).status, 204);
    assert_eq!(client.delete(&call("sales", "1")).status, 404);
    assert!(eventually(|| ids(&client, "/api/v1/calls") == ["support 1"]));
    assert_eq!(state(&client, "support").as_deref(), Some("Busy"));
    assert_eq!(client.delete(&call("support", "1")).status, 204);
    assert!(becomes(&client, "support", "Online"));
}

#[test]
fn the_calls_of_a_client_end_with_it() {
    let house = House::with(Plan { http: r#"UccLinger="1""#, ..Plan::default() });
    let client = house.client();
    let watching = client.events(&format!("/api/v1/events?ucc=support&agents={LINE}"), None);
    assert!(becomes(&client, "support", "Online"), "a plus that is not written as %2B is understood");
    // The caller's connection: while it is open its calls are under way, however long nothing is said.
    let calling = client.events("/api/v1/events?ucc=sales", None);
    client.put(&call("sales", "1"), &json!({"line": LINE}));
    assert!(becomes(&client, "support", "Busy"));
    assert_eq!(client.get("/api/v1/uccs/support").json["connections"], 1);
    drop(calling);
    assert!(becomes(&client, "support", "Online"), "the connection is gone, and a linger later the call is over");
    assert!(ids(&client, "/api/v1/calls").is_empty());
    // A call without a connection lasts for a linger after the last request.
    client.put(&call("sales", "2"), &json!({"line": LINE}));
    assert!(becomes(&client, "support", "Busy"));
    assert!(becomes(&client, "support", "Online"));
    drop(watching);
}

#[test]
fn what_is_no_call_is_refused_with_the_reason() {
    let house = House::new();
    let client = house.client();
    let refused = |path: &str, line: &str, status: u16, words: &str| {
        let answer = client.put(path, &json!({"line": line}));
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.problem().contains(words), "{answer:?}");
    };
    refused(&call("sales", "1"), "sip:agent1@demo.example", 422, "PstnPresenceSource");
    refused(&call("sales", "1"), "hello", 422, "`line`");
    refused(&call("sales", "a%0Ab"), LINE, 400, "control");
    refused(&call("sales", &"x".repeat(257)), LINE, 400, "256 bytes");
    assert_eq!(client.put(&call("sales", "1"), &json!({"line": LINE})).status, 201);
    refused(&call("sales", "1"), "tel:+31687654321", 409, LINE);
    let answer = client.put(&call("sales", "2"), &json!({"line": LINE, "lien": 1}));
    assert!(answer.status == 400 && answer.problem().contains("lien"), "{answer:?}");
    assert_eq!(client.get("/api/v1/uccs/nobody/calls").status, 404);
    assert_eq!(client.delete(&call("nobody", "1")).status, 404);
}

#[test]
fn a_queue_reports_its_own_calls_and_a_switchboard_those_of_any_queue() {
    let house = House::with(Plan { tokens: TOKENS, ..Plan::default() });
    let [sales, support, switchboard, wall] =
        ["sales", "support", "switchboard", "wall"].map(|name| house.client_as(name));
    let line = json!({"line": LINE});
    assert_eq!(sales.put(&call("sales", "1"), &line).status, 201);
    assert_eq!(switchboard.put(&call("sales", "2"), &line).status, 201);
    assert_eq!(support.put(&call("sales", "3"), &line).status, 403);
    assert_eq!(support.delete(&call("sales", "1")).status, 403);
    assert_eq!(wall.put(&call("sales", "3"), &line).status, 403);
    assert_eq!(support.get("/api/v1/uccs/sales/calls").status, 403);
    for client in [&sales, &switchboard, &wall] {
        assert_eq!(ids(client, "/api/v1/uccs/sales/calls"), ["sales 1", "sales 2"]);
    }
    for client in [&switchboard, &wall] {
        assert!(eventually(|| ids(client, "/api/v1/calls").len() == 2));
    }
    assert_eq!(sales.get("/api/v1/calls").status, 403);
    assert_eq!(switchboard.delete(&call("sales", "1")).status, 204);
}

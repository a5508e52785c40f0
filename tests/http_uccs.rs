//! Remote queues of the real program: what they want and what they know, over REST.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use presence_simulator::{Activity, AgentState};
use process::http::{Answer, Client, House, Plan};
use process::{eventually, queue};
use serde_json::{Value, json};

const TOKENS: &[(&str, &[&str])] = &[
    ("sales", &["ucc:sales"]),
    ("support", &["ucc:support"]),
    ("two", &["ucc:sales", "ucc:support"]),
    ("wall", &["read"]),
    ("switchboard", &["calls"]),
];

fn agents(ucc: &str) -> String {
    format!("/api/v1/uccs/{ucc}/agents")
}

fn one(ucc: &str, uri: &str) -> String {
    format!("/api/v1/uccs/{ucc}/agents/{uri}")
}

fn state_of(answer: &Answer) -> Option<&str> {
    answer.json["presence"]["availability"]["name"].as_str()
}

fn interest(range: std::ops::RangeInclusive<usize>) -> Value {
    json!({"subscribe": range.map(House::agent).collect::<Vec<_>>()})
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.problem().contains(words), "{answer:?}");
}

#[test]
fn a_queue_subscribes_one_agent_and_knows_it_as_soon_as_the_source_does() {
    let house = House::new();
    let client = house.client();
    let agent = House::agent(1);
    house.server.set_presence(&agent, AgentState::of(Activity::OnThePhone));
    let first = client.put(&one("sales", &agent), &Value::Null);
    assert_eq!((first.status, &first.json["uri"]), (200, &json!(agent)), "{first:?}");
    assert!(eventually(|| state_of(&client.get(&one("sales", &agent))) == Some("Busy")));
    let again = client.put(&one("sales", "SIP:Agent1@Demo.Example"), &Value::Null);
    assert_eq!(
        (state_of(&again), &again.json["uri"]),
        (Some("Busy"), &json!(agent)),
        "what is known is answered at once"
    );
    house.server.set_presence(&agent, AgentState::of(Activity::Away));
    assert!(eventually(|| state_of(&client.get(&one("sales", &agent))) == Some("Away")));
    assert_eq!(client.get(&one("sales", &agent)).json["sequence"], 2);
    assert_eq!(client.delete(&one("sales", &agent)).status, 204);
    assert!(eventually(|| house.server.active_subscriptions() == 0), "the last queue that wanted it let it go");
    assert_refused(&client.delete(&one("sales", &agent)), 404, "does not want");
    assert_refused(&client.get(&one("sales", &agent)), 404, "does not want");
}

#[test]
fn queues_inside_and_outside_the_process_share_one_subscription_per_agent() {
    let inside = queue("ucc_app01", &[1, 2]);
    let house = House::with(Plan { queues: &inside, ..Plan::default() });
    let client = house.client();
    for ucc in ["sales", "support"] {
        let outcome = client.post(&agents(ucc), &interest(1..=20));
        assert_eq!((outcome.status, &outcome.json), (200, &json!({"agents": 20, "refused": []})));
        let again = client.post(&agents(ucc), &interest(1..=20));
        assert_eq!(again.json["agents"], 20, "saying it again changes nothing");
    }
    let known = |ucc: &str| {
        let page = client.get(&format!("{}?limit=1000", agents(ucc)));
        page.json["agents"].as_array().unwrap().iter().filter(|agent| !agent["presence"].is_null()).count()
    };
    assert!(eventually(|| known("sales") == 20 && known("support") == 20));
    let counters = house.server.counters();
    assert_eq!((counters.subscribes, counters.most_for_one_agent), (20, 1), "{counters:?}");

    let listed = client.get("/api/v1/uccs");
    let name_and_more = |ucc: &Value| {
        (ucc["name"].as_str().unwrap().to_owned(), ucc["remote"].as_bool().unwrap(), ucc["agents"].as_u64().unwrap())
    };
    let short: Vec<_> = listed.json["uccs"].as_array().unwrap().iter().map(name_and_more).collect();
    assert_eq!(
        short,
        [("sales".to_owned(), true, 20), ("support".to_owned(), true, 20), ("ucc_app01".to_owned(), false, 2)]
    );

    // One queue lets go; the others keep what they want.
    assert_eq!(client.delete("/api/v1/uccs/sales").status, 204);
    assert_refused(&client.get("/api/v1/uccs/sales"), 404, "PUT /api/v1/uccs/sales");
    let outcome =
        client.post(&agents("support"), &json!({"unsubscribe": (3..=20).map(House::agent).collect::<Vec<_>>()}));
    assert_eq!(outcome.json["agents"], 2);
    assert!(eventually(|| house.server.active_subscriptions() == 2));
    assert_eq!(house.server.counters().unsubscribes, 18);
}

#[test]
fn what_cannot_be_an_agent_is_listed_and_the_rest_is_done() {
    let house = House::new();
    let client = house.client();
    let wish =
        json!({"subscribe": [House::agent(1), "mailto:x@y", "sip:nobody", House::agent(2)], "unsubscribe": [""]});
    let outcome = client.post(&agents("sales"), &wish);
    assert_eq!((outcome.status, &outcome.json["agents"]), (200, &json!(2)), "{outcome:?}");
    let refused: Vec<_> =
        outcome.json["refused"].as_array().unwrap().iter().map(|one| one["uri"].as_str().unwrap()).collect();
    assert_eq!(refused, ["", "mailto:x@y", "sip:nobody"]);
    assert!(outcome.json["refused"][1]["why"].as_str().unwrap().contains("sips:"), "{outcome:?}");
    assert_refused(&client.post(&agents("sales"), &json!({"subscribes": []})), 400, "unknown field `subscribes`");
    let many: Vec<_> = (0..10_001).map(House::agent).collect();
    assert_refused(&client.post(&agents("sales"), &json!({"subscribe": many})), 422, "10000");
    assert_refused(&client.put(&one("sales", "sip:nobody"), &Value::Null), 400, "the agent URI cannot be read");
    assert_refused(&client.get(&format!("{}?limit=0", agents("sales"))), 400, "`limit`");
    assert_refused(&client.get(&format!("{}?page=1", agents("sales"))), 400, "page");
    let page = client.get(&format!("{}?limit=1&offset=1", agents("sales")));
    assert_eq!((&page.json["total"], &page.json["agents"][0]["uri"]), (&json!(2), &json!(House::agent(2))));
}

#[test]
fn ten_thousand_agents_are_taken_in_one_call_and_let_go_in_one_call() {
    let house = House::new();
    let client = house.client();
    let many: Vec<_> = (1..=10_000).map(|number| format!("tel:+3161{number:07}")).collect();
    let outcome = client.post(&agents("sales"), &json!({"subscribe": many}));
    assert_eq!(outcome.json, json!({"agents": 10_000, "refused": []}));
    let last = one("sales", "tel:+31610010000");
    assert!(eventually(|| state_of(&client.get(&last)) == Some("Online")), "{:?}", client.get(&last));
    let outcome = client.post(&agents("sales"), &json!({"unsubscribe": many}));
    assert_eq!(outcome.json, json!({"agents": 0, "refused": []}));
}

#[test]
fn what_only_a_silent_queue_wanted_is_let_go_after_the_linger_and_not_before() {
    let house = House::with(Plan { http: r#"UccLinger="2""#, ..Plan::default() });
    let client = house.client();
    client.post(&agents("sales"), &interest(1..=3));
    assert!(eventually(|| house.server.active_subscriptions() == 3));
    let ucc = client.get("/api/v1/uccs/sales").json;
    assert!(ucc["released_at"].is_string(), "{ucc}");
    assert_eq!(house.server.active_subscriptions(), 3);
    house.service.says("sales INFO - the remote queue was not heard of for the linger");
    assert!(eventually(|| house.server.active_subscriptions() == 0));
    assert_eq!(client.get("/api/v1/uccs/sales").status, 404);
    // It comes back as a new one.
    assert_eq!(client.put("/api/v1/uccs/sales", &Value::Null).status, 201);
    assert_eq!(client.put("/api/v1/uccs/sales", &Value::Null).status, 200);
}

#[test]
fn a_queue_sees_and_touches_nothing_of_another_queue() {
    let house = House::with(Plan { tokens: TOKENS, ..Plan::default() });
    let [sales, support, two, wall, switchboard] =
        ["sales", "support", "two", "wall", "switchboard"].map(|name| house.client_as(name));
    assert_eq!(sales.post(&agents("sales"), &interest(1..=2)).status, 200);
    let attempts: [&dyn Fn(&Client) -> Answer; 8] = [
        &|client| client.put("/api/v1/uccs/sales", &Value::Null),
        &|client| client.delete("/api/v1/uccs/sales"),
        &|client| client.post(&agents("sales"), &interest(1..=2)),
        &|client| client.put(&one("sales", &House::agent(3)), &Value::Null),
        &|client| client.delete(&one("sales", &House::agent(1))),
        &|client| client.get("/api/v1/uccs/sales"),
        &|client| client.get(&agents("sales")),
        &|client| client.get(&one("sales", &House::agent(1))),
    ];
    for attempt in attempts {
        assert_refused(&attempt(&support), 403, "`ucc:sales`");
    }
    // Who may see everything sees this too, and changes nothing.
    for attempt in &attempts[..5] {
        assert_refused(&attempt(&wall), 403, "`ucc:sales`");
    }
    for attempt in &attempts[5..] {
        assert_eq!(attempt(&wall).status, 200);
        assert_eq!(attempt(&two).status, 200);
    }
    assert_eq!(house.client().get("/api/v1/uccs").status, 401);
    assert_eq!(support.put("/api/v1/uccs/support", &Value::Null).status, 201);
    let names = |client: &Client| {
        let list = client.get("/api/v1/uccs").json;
        list["uccs"].as_array().unwrap().iter().map(|ucc| ucc["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&sales), ["sales"]);
    assert_eq!(names(&two), ["sales", "support"]);
    assert_eq!(names(&wall), ["sales", "support"]);
    assert_refused(&switchboard.get("/api/v1/uccs"), 403, "`read`");
}

#[test]
fn a_queue_of_the_configuration_cannot_be_taken_over_and_a_name_must_be_one() {
    let inside = queue("Hosted", &[1]);
    let house = House::with(Plan { queues: &inside, ..Plan::default() });
    let client = house.client();
    for name in ["Hosted", "hosted"] {
        assert_refused(&client.put(&format!("/api/v1/uccs/{name}"), &Value::Null), 409, "runs inside the process");
        assert_refused(&client.post(&agents(name), &interest(1..=1)), 409, "runs inside the process");
    }
    let seen = client.get("/api/v1/uccs/Hosted");
    assert_eq!((&seen.json["remote"], &seen.json["agents"]), (&json!(false), &json!(1)), "{seen:?}");
    let long = "x".repeat(65);
    for name in ["a%20b", "%2e%2e%2e", "caf%C3%A9", long.as_str()] {
        assert_refused(&client.put(&format!("/api/v1/uccs/{name}"), &Value::Null), 400, "letters, digits");
    }
}

//! What third parties push to the real program, and what the queues hear of it.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::time::Duration;

use presence_actors::now;
use process::eventually;
use process::http::{Answer, Client, House, Plan};
use serde_json::{Value, json};

/// Two pushers, a queue, and someone who looks.
const TOKENS: &[(&str, &[&str])] =
    &[("snapper", &["attendant"]), ("switchboard", &["attendant"]), ("sales", &["ucc:sales"]), ("wall", &["read"])];

fn desk(number: usize) -> String {
    format!("sip:desk{number}@attendant.example")
}

fn path(uri: &str) -> String {
    format!("/api/v1/attendant/presence/{uri}")
}

fn busy(hold: &str, seconds: f64) -> Value {
    json!({"state": "Busy", hold: seconds})
}

/// What the provider says of an agent: the name of its availability, or that it no longer has that agent.
fn state(client: &Client, uri: &str) -> Option<String> {
    let answer = client.get(&format!("/api/v1/agents/{uri}"));
    if answer.status == 404 {
        return Some("gone".to_owned());
    }
    let availability = &answer.json["agent"]["presence"]["availability"]["name"];
    availability.as_str().map(str::to_owned)
}

#[track_caller]
fn taken(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json.clone()
}

#[test]
fn a_push_reaches_the_queue_that_watches_and_is_unknown_and_never_available_after_its_time() {
    let house = House::with(Plan { tokens: TOKENS, ..Plan::default() });
    let (snapper, sales) = (house.client_as("snapper"), house.client_as("sales"));
    taken(&sales.post("/api/v1/uccs/sales/agents", &json!({"subscribe": [desk(1)]})));
    let mut events = sales.events("/api/v1/events?ucc=sales", None);
    events.until("pending");

    let began = now();
    let pushed = json!({
        "state": "bUsY", "activity": "on-the-phone", "location": "desk", "device": "deskphone", "time_to_live": 1.5,
        "capabilities": {"audio": "enabled", "video": "disabled", "text": "unknown"}
    });
    let held = taken(&snapper.put(&path(&desk(1)), &pushed));
    assert_eq!((&held["pusher"], &held["presence"]["state"]), (&json!("snapper"), &json!("Busy")));
    assert_eq!(held["presence"]["device"], "DeskPhone");
    let heard = events.until("changed").data;
    assert_eq!(heard["presence"]["availability"], json!({"name": "Busy", "value": 6500}));
    assert_eq!(heard["presence"]["source"], "AttendantServiceSource");
    assert_eq!(
        (&heard["presence"]["activity"], &heard["presence"]["location"]),
        (&json!("on-the-phone"), &json!("desk"))
    );
    assert_eq!(heard["presence"]["capabilities"]["video"], "disabled");

    let over = events.until("changed").data;
    let held = now().duration_since(began);
    assert!(held >= Duration::from_millis(1_400), "it was forgotten after {held:?}");
    assert_eq!(over["presence"]["availability"], json!({"name": "Unknown", "value": -1}));
    assert_eq!((&over["presence"]["freshness"], &over["presence"]["activity"]), (&json!("unknown"), &Value::Null));
    assert_eq!(snapper.get(&path(&desk(1))).status, 404);
}

#[test]
fn what_no_pattern_matches_is_refused_with_the_reason_and_stays_with_its_source() {
    let house = House::new();
    let client = house.client();
    for (uri, serves) in
        [(House::agent(1), "UcmaPresenceSource"), ("tel:+31612345678".to_owned(), "PstnPresenceSource")]
    {
        let answer = client.put(&path(&uri), &busy("time_to_live", 60.0));
        assert_eq!(answer.status, 403, "{answer:?}");
        let why = answer.problem();
        assert!(why.contains("its one pattern does not match") && why.contains(serves), "{why}");
        assert_eq!(client.delete(&path(&uri)).status, 403);
    }
    assert_eq!(client.put(&path("nonsense"), &busy("time_to_live", 60.0)).status, 400);
}

#[test]
fn what_cannot_be_is_refused_with_the_field_and_what_to_write() {
    let house = House::new();
    let refused = |body: Value| {
        let answer = house.client().put(&path(&desk(1)), &body);
        (answer.status, answer.problem().to_owned())
    };
    let cases = [
        (json!({"state": "Bsy", "time_to_live": 9}), 422, "Online, IdleOnline, Busy"),
        (json!({"state": "Unknown", "time_to_live": 9}), 422, "unknown is not Offline"),
        (json!({"state": 0, "time_to_live": 9}), 422, "0 says nothing"),
        (json!({"state": 99_999, "time_to_live": 9}), 422, "from 3000 (Online) to 18500 (Offline)"),
        (json!({"state": "Busy"}), 422, "one of them must say for how long"),
        (json!({"state": "Busy", "time_to_live": 9, "heartbeat": 9}), 422, "only one of them"),
        (json!({"state": "Busy", "time_to_live": -1}), 422, "time_to_live: -1"),
        (json!({"state": "Busy", "heartbeat": 4_000}), 422, "heartbeat: 4000"),
        (json!({"state": "Busy", "time_to_live": 9, "device": "toaster"}), 422, "DeskPhone"),
        (json!({"state": true, "time_to_live": 9}), 400, "a state: one of the names"),
        (json!({"state": "Busy", "ttl": 9}), 400, "unknown field `ttl`"),
    ];
    for (body, status, text) in cases {
        let (code, why) = refused(body.clone());
        assert!(code == status && why.contains(text), "{body}: {code} {why}");
    }
    assert_eq!(house.client().get(&path(&desk(1))).status, 404, "nothing of it was taken");
}

#[test]
fn a_bulk_takes_what_it_can_and_names_the_rest() {
    let house = House::new();
    let client = house.client();
    let mut presences: Vec<_> =
        (0..5_000).map(|number| json!({"uri": desk(number), "presence": busy("time_to_live", 60.0)})).collect();
    presences.push(json!({"uri": House::agent(1), "presence": busy("time_to_live", 60.0)}));
    presences.push(json!({"uri": "nonsense", "presence": busy("time_to_live", 60.0)}));
    presences.push(json!({"uri": desk(1), "presence": {"state": "Nap", "time_to_live": 60}}));
    // The same agent again: the last word counts.
    presences.push(json!({"uri": desk(2), "presence": {"state": "Away", "time_to_live": 60}}));
    let answer = taken(&client.put("/api/v1/attendant/presence", &json!({"presences": presences})));
    assert_eq!(answer["taken"], 5_001);
    let refused = answer["refused"].as_array().unwrap();
    let names: Vec<_> = refused.iter().map(|refused| refused["uri"].as_str().unwrap()).collect();
    assert_eq!(names, [House::agent(1).as_str(), "nonsense", desk(1).as_str()]);
    assert!(refused[2]["why"].as_str().unwrap().contains("`Nap`"), "{refused:?}");
    assert_eq!(state(&client, &desk(2)).as_deref(), Some("Away"));
    assert_eq!(state(&client, &desk(4_999)).as_deref(), Some("Busy"));

    let too_many: Vec<_> =
        (0..10_001).map(|n| json!({"uri": desk(n), "presence": busy("time_to_live", 1.0)})).collect();
    let answer = client.put("/api/v1/attendant/presence", &json!({"presences": too_many}));
    assert_eq!(answer.status, 422, "{answer:?}");
    let nameless = json!({"presences": [{"uri": desk(1), "presence": busy("time_to_live", 1.0), "ttl": 1}]});
    assert_eq!(client.put("/api/v1/attendant/presence", &nameless).status, 400);
}

#[test]
fn a_heartbeat_keeps_the_agents_of_its_pusher_and_a_dead_pusher_loses_them() {
    let house = House::with(Plan { tokens: TOKENS, http: "RequestsPerSecond=\"10000\"", ..Plan::default() });
    let (snapper, wall) = (house.client_as("snapper"), house.client_as("wall"));
    taken(&snapper.put(&path(&desk(1)), &busy("heartbeat", 1.0)));
    taken(&snapper.put(&path(&desk(2)), &busy("time_to_live", 600.0)));
    // Twice as long as it would hold without.
    let began = now();
    while now().duration_since(began) < Duration::from_millis(2_600) {
        assert_eq!(taken(&snapper.post("/api/v1/attendant/heartbeat", &Value::Null))["agents"], 1);
        assert_eq!(state(&wall, &desk(1)).as_deref(), Some("Busy"));
    }
    assert!(eventually(|| state(&wall, &desk(1)).as_deref() == Some("gone")), "it holds although its pusher is dead");
    assert_eq!(state(&wall, &desk(2)).as_deref(), Some("Busy"), "a time to live needs no heartbeat");
    assert_eq!(taken(&snapper.post("/api/v1/attendant/heartbeat", &Value::Null))["agents"], 0);
    assert_eq!(state(&wall, &desk(1)).as_deref(), Some("gone"), "a late heartbeat brings nothing back");
}

#[test]
fn the_last_of_two_pushers_owns_an_agent() {
    let house = House::with(Plan { tokens: TOKENS, ..Plan::default() });
    let (snapper, board, wall) = (house.client_as("snapper"), house.client_as("switchboard"), house.client_as("wall"));
    taken(&snapper.put(&path(&desk(1)), &busy("heartbeat", 600.0)));
    taken(&board.put(&path(&desk(1)), &json!({"state": 15_500, "time_to_live": 600})));
    assert_eq!(state(&wall, &desk(1)).as_deref(), Some("Away"));
    assert_eq!(taken(&snapper.post("/api/v1/attendant/heartbeat", &Value::Null))["agents"], 0);
    assert_eq!(snapper.get(&path(&desk(1))).status, 404, "a pusher sees what it pushed itself");
    assert_eq!(taken(&wall.get(&path(&desk(1))))["pusher"], "switchboard");
    assert_eq!(snapper.delete(&path(&desk(1))).status, 409);
    assert_eq!(state(&wall, &desk(1)).as_deref(), Some("Away"));
    assert_eq!(board.delete(&path(&desk(1))).status, 204);
    assert_eq!(state(&wall, &desk(1)).as_deref(), Some("gone"));
    assert_eq!(board.delete(&path(&desk(1))).status, 404);
}

#[test]
fn only_a_pusher_may_push() {
    let house = House::with(Plan { tokens: TOKENS, ..Plan::default() });
    let body = busy("time_to_live", 60.0);
    assert_eq!(house.client().put(&path(&desk(1)), &body).status, 401);
    for other in ["sales", "wall"] {
        let client = house.client_as(other);
        let bulk = json!({"presences": [{"uri": desk(1), "presence": body}]});
        let answers = [
            client.put(&path(&desk(1)), &body),
            client.put("/api/v1/attendant/presence", &bulk),
            client.delete(&path(&desk(1))),
            client.post("/api/v1/attendant/heartbeat", &Value::Null),
        ];
        for answer in answers {
            assert_eq!(answer.status, 403, "{answer:?}");
            assert!(answer.problem().contains("lacks the scope `attendant`"), "{answer:?}");
        }
    }
    assert_eq!(house.client_as("sales").get(&path(&desk(1))).status, 403);
}

#[test]
fn after_a_restart_a_console_learns_that_it_must_push_again_and_may_take_back_what_is_left() {
    let house = House::with(Plan { tokens: TOKENS, ..Plan::default() });
    let snapper = house.client_as("snapper");
    for number in 1..=3 {
        taken(&snapper.put(&path(&desk(number)), &busy("heartbeat", 600.0)));
    }
    let state_file = house.config.path().with_file_name("state").join("presence.state");
    let written = || std::fs::read_to_string(&state_file).is_ok_and(|text| text.contains(&desk(3)));
    house.service.until("they are in the state", written);
    let (snapper_token, wall_token) = (house.token("snapper").to_owned(), house.token("wall").to_owned());
    let House { server: _server, service, config, .. } = house;
    // It kills the process.
    drop(service);
    let service = config.run(&[]);
    let said = service.says("the API and the dashboard are at ");
    let url = said.rsplit(' ').next().unwrap().trim_end_matches('/');
    let (snapper, wall) = (Client::new(url, Some(&snapper_token)), Client::new(url, Some(&wall_token)));

    let detail = wall.get(&format!("/api/v1/agents/{}", desk(1))).json;
    let presence = &detail["agent"]["presence"];
    assert_eq!(
        (&presence["availability"]["name"], &presence["freshness"]),
        (&json!("Busy"), &json!("stale")),
        "{detail}"
    );
    assert!(detail["why"].as_str().unwrap().contains("before the restart of this service"), "{detail}");
    for client in [&snapper, &wall] {
        let held = client.get(&path(&desk(1)));
        assert!(held.status == 404 && held.problem().contains("since the restart of this service"), "{held:?}");
    }
    assert_eq!(snapper.post("/api/v1/attendant/heartbeat", &Value::Null).json, json!({"agents": 0}));
    // Pushed again, it is its pusher's again; what is not is taken back by whoever pushes.
    taken(&snapper.put(&path(&desk(1)), &busy("heartbeat", 600.0)));
    assert_eq!(snapper.post("/api/v1/attendant/heartbeat", &Value::Null).json, json!({"agents": 1}));
    assert_eq!(wall.get(&format!("/api/v1/agents/{}", desk(1))).json["freshness"], "fresh");
    assert_eq!(snapper.delete(&path(&desk(2))).status, 204);
    assert!(eventually(|| matches!(state(&wall, &desk(2)).as_deref(), Some("gone" | "Unknown"))));
    assert!(snapper.delete(&path(&desk(2))).problem().starts_with("nothing is held"));
    service.until("it is told", || {
        let status = wall.get("/api/v1/status").json;
        status["headline"]
            .as_str()
            .is_some_and(|text| text.contains("1 as third parties had pushed them before the restart"))
    });
}

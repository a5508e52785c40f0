//! Live events of the real program: server-sent events, and what a reader that comes back is told.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::io::{Read, Write};
use std::net::TcpStream;

use presence_simulator::{Activity, AgentState};
use process::http::{Events, House, Plan, Told};
use process::{eventually, queue};
use serde_json::{Value, json};

fn set(house: &House, agent: usize, activity: Activity) {
    assert!(house.server.set_presence(&House::agent(agent), AgentState::of(activity)));
}

/// `changed agent1 Away 2`.
fn short(told: &Told) -> String {
    let data = &told.data;
    assert_eq!(data["type"], told.event, "{told:?}");
    let agent =
        data["uri"].as_str().unwrap_or_default().trim_start_matches("sip:").split('@').next().unwrap().to_owned();
    let words = [
        told.event.clone(),
        agent,
        data["presence"]["availability"]["name"].as_str().unwrap_or_default().to_owned(),
        data["sequence"].as_u64().map_or_else(String::new, |sequence| sequence.to_string()),
        data["missed"].as_u64().map_or_else(String::new, |missed| missed.to_string()),
    ];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn next(events: &mut Events) -> String {
    short(&events.next().expect("an event"))
}

/// Reads on until an event in short; the last id.
fn until(events: &mut Events, wanted: &str) -> Option<String> {
    let mut last = None;
    loop {
        let told = events.next().unwrap_or_else(|| panic!("the stream ended without {wanted}"));
        let found = short(&told) == wanted;
        last = told.id.or(last);
        if found {
            return last;
        }
    }
}

const SALES: &str = "/api/v1/events?ucc=sales";

fn sales_with(agents: &[usize]) -> String {
    let agents: Vec<_> = agents.iter().copied().map(House::agent).collect();
    format!("{SALES}&agents={}", agents.join(","))
}

#[test]
fn a_stream_begins_with_what_is_known_and_goes_on_with_every_change() {
    let house = House::new();
    let client = house.client();
    set(&house, 1, Activity::Away);
    let mut events = client.events(&sales_with(&[1]), None);
    assert_eq!(next(&mut events), "pending agent1");
    assert_eq!(next(&mut events), "changed agent1 Away 1");
    set(&house, 1, Activity::OnThePhone);
    let told = events.next().unwrap();
    assert_eq!(short(&told), "changed agent1 Busy 2");
    assert_eq!(told.data["previous"]["availability"]["name"], "Away");
    assert!(told.id.is_some());
    // A second stream of the queue knows already; an agent that is wanted later is told to both.
    let mut second = client.events(SALES, None);
    assert_eq!(next(&mut second), "current agent1 Busy 2");
    client.put(&format!("/api/v1/uccs/sales/agents/{}", House::agent(2)), &Value::Null);
    client.delete(&format!("/api/v1/uccs/sales/agents/{}", House::agent(1)));
    for events in [&mut events, &mut second] {
        assert_eq!(next(events), "pending agent2");
        until(events, "released agent1");
    }
    assert_eq!(client.get("/api/v1/uccs/sales").json["connections"], 2);
    drop((events, second));
    assert!(eventually(|| client.get("/api/v1/uccs/sales").json["connections"] == 0), "closed streams are noticed");
}

#[test]
fn a_reader_that_comes_back_in_time_misses_nothing_and_costs_no_sip() {
    let house = House::new();
    let client = house.client();
    let mut events = client.events(&sales_with(&[1, 2]), None);
    until(&mut events, "changed agent1 Online 1");
    until(&mut events, "changed agent2 Online 1");
    set(&house, 1, Activity::Away);
    let id = until(&mut events, "changed agent1 Away 2").unwrap();
    drop(events);
    let before = house.server.counters();
    set(&house, 1, Activity::Busy);
    set(&house, 2, Activity::Meal);
    let known = |agent: usize, sequence: u64| {
        let agent = client.get(&format!("/api/v1/uccs/sales/agents/{}", House::agent(agent))).json;
        agent["sequence"] == sequence
    };
    assert!(eventually(|| known(1, 3) && known(2, 2)));
    let mut events = client.events(&sales_with(&[1, 2]), Some(&id));
    let mut missed = [next(&mut events), next(&mut events)];
    missed.sort();
    assert_eq!(missed, ["changed agent1 Busy 3", "changed agent2 BeRightBack 2"]);
    let after = house.server.counters();
    assert_eq!((after.subscribes, after.unsubscribes, after.refreshes), (before.subscribes, 0, 0), "no SIP at all");
    // The id of another life of the queue: nobody knows how much is missing, what holds is told.
    let mut foreign = client.events(&format!("{SALES}&last_event_id=0123456789abcdef-7"), None);
    let first = foreign.next().unwrap();
    assert_eq!((first.event.as_str(), &first.data["missed"]), ("lagged", &Value::Null));
    let mut holds = [next(&mut foreign), next(&mut foreign)];
    holds.sort();
    assert_eq!(holds, ["current agent1 Busy 3", "current agent2 BeRightBack 2"]);
}

#[test]
fn a_reader_that_comes_back_too_late_is_told_how_much_it_missed_and_what_holds_now() {
    let house = House::with(Plan { http: r#"EventsKept="100""#, ..Plan::default() });
    let client = house.client();
    let mut events = client.events(&sales_with(&[1, 2]), None);
    until(&mut events, "changed agent2 Online 1");
    let mut witness = client.events(SALES, None);
    let id = until(&mut witness, "current agent2 Online 1");
    let before = id.unwrap_or_else(|| until(&mut witness, "current agent1 Online 1").unwrap());
    drop(events);
    for sequence in 2..=301 {
        let (activity, name) = [(Activity::Away, "Away"), (Activity::Busy, "Busy")][sequence % 2];
        set(&house, 1, activity);
        until(&mut witness, &format!("changed agent1 {name} {sequence}"));
    }
    let mut back = client.events(SALES, Some(&before));
    assert_eq!(next(&mut back), "lagged 300");
    let mut holds = [next(&mut back), next(&mut back)];
    holds.sort();
    assert_eq!(holds, ["current agent1 Busy 301", "current agent2 Online 1"]);
    set(&house, 2, Activity::Meal);
    assert_eq!(next(&mut back), "changed agent2 BeRightBack 2");
    assert_eq!(client.get("/api/v1/uccs/sales").json["lagged"], 1);
}

#[test]
fn a_reader_that_does_not_read_holds_nobody_up_and_is_told_what_it_missed_when_it_reads_again() {
    let house = House::with(Plan { http: r#"EventsKept="1000""#, agents: 200, ..Plan::default() });
    let client = house.client();
    let all: Vec<_> = (1..=200).map(House::agent).collect();
    client.post("/api/v1/uccs/sales/agents", &json!({"subscribe": all}));
    let mut lazy = TcpStream::connect(house.address()).unwrap();
    write!(lazy, "GET {SALES} HTTP/1.1\r\nHost: {}\r\n\r\n", house.address()).unwrap();
    let mut diligent = client.events(SALES, None);
    // Far more than the buffers between the program and the lazy reader hold.
    let rounds = 120;
    let mut sequences = vec![0_u64; 201];
    for round in 0..rounds {
        let activity = if round % 2 == 0 { Activity::Away } else { Activity::Busy };
        (1..=200).for_each(|agent| set(&house, agent, activity));
        let name = if round % 2 == 0 { "Away" } else { "Busy" };
        let mut there = 0;
        while there < 200 {
            let told = diligent.next().unwrap();
            let uri = told.data["uri"].as_str().unwrap_or_else(|| panic!("{told:?}"));
            let agent: usize = uri.trim_start_matches("sip:agent").split('@').next().unwrap().parse().unwrap();
            let sequence = told.data["sequence"].as_u64().unwrap_or(0);
            assert!(sequence == 0 || sequence == sequences[agent] + 1, "after {}: {told:?}", sequences[agent]);
            sequences[agent] = sequence;
            there += usize::from(told.data["presence"]["availability"]["name"] == name && sequence > round);
        }
    }
    assert_eq!(client.get("/api/v1/uccs/sales").json["lagged"], 0, "it has not read on yet");
    let mut text = String::new();
    let mut buffer = vec![0; 1 << 16];
    while !text.contains("event: lagged") {
        let read = lazy.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "it is not thrown out within 45 s");
        let keep = text.len().saturating_sub(64);
        text = text.split_off(keep) + &String::from_utf8_lossy(&buffer[..read]);
    }
    assert_eq!(client.get("/api/v1/uccs/sales").json["lagged"], 1);
}

#[test]
fn an_observer_sees_every_change_of_every_agent_and_endpoint_from_now_on() {
    let inside = queue("hosted", &[1]);
    let house = House::with(Plan { queues: &inside, ..Plan::default() });
    let client = house.client();
    assert!(eventually(|| house.server.active_subscriptions() == 1));
    let mut events = client.events("/api/v1/events", None);
    client.put(&format!("/api/v1/uccs/sales/agents/{}", House::agent(2)), &Value::Null);
    until(&mut events, "changed agent2 Online 1");
    set(&house, 1, Activity::Away);
    until(&mut events, "changed agent1 Away 2");
    house.server.drop_connections();
    let told = events.until("endpoint");
    assert_eq!((&told.data["endpoint"], &told.data["up"]), (&json!("application"), &json!(false)), "{told:?}");
    let refused = client.get("/api/v1/events?agents=sip:a@b");
    assert!(refused.status == 400 && refused.problem().contains("`ucc`"), "{refused:?}");
}

#[test]
fn the_service_says_goodbye_and_a_queue_that_is_let_go_ends_its_streams() {
    let house = House::new();
    let client = house.client();
    let mut sales = client.events(&sales_with(&[1]), None);
    let mut support = client.events("/api/v1/events?ucc=support", None);
    assert_eq!(next(&mut sales), "pending agent1");
    assert_eq!(client.delete("/api/v1/uccs/support").status, 204);
    assert_eq!(support.next(), None);
    house.service.signal("TERM");
    assert_eq!(sales.until("goodbye").data, json!({"type": "goodbye"}));
    assert_eq!(sales.next(), None);
}

#[test]
fn the_streams_of_a_token_that_is_revoked_end_and_those_of_others_go_on() {
    let tokens: &[(&str, &[&str])] = &[("sales", &["ucc:sales"]), ("old", &["read", "ucc:sales"])];
    let house = House::with(Plan { tokens, ..Plan::default() });
    let (path, observers) = ("/api/v1/events?ucc=sales", "/api/v1/events");
    let mut goes_on = house.client_as("sales").events(path, None);
    let mut ended = [path, observers].map(|path| house.client_as("old").events(path, None));
    let revoked = process::program()
        .args(["token", "revoke", "old", "--file"])
        .arg(house.config.path().with_file_name("tokens"))
        .output()
        .unwrap();
    assert!(revoked.status.success(), "{revoked:?}");
    for events in &mut ended {
        // The endpoint may still be coming up.
        let last = std::iter::from_fn(|| events.next()).find(|told| told.event != "endpoint");
        assert_eq!(last, None, "without a goodbye: the service goes on");
    }
    let refused = Events::open(&house.client_as("old"), path, None).err().unwrap();
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    house.client_as("sales").put(&format!("/api/v1/uccs/sales/agents/{}", House::agent(1)), &Value::Null);
    assert_eq!(next(&mut goes_on), "pending agent1");
}

#[test]
fn a_stream_is_refused_to_strangers_and_for_what_cannot_be() {
    let tokens: &[(&str, &[&str])] = &[("sales", &["ucc:sales"]), ("wall", &["read"]), ("push", &["attendant"])];
    let inside = queue("hosted", &[1]);
    let house = House::with(Plan { tokens, queues: &inside, ..Plan::default() });
    let [sales, wall, push] = ["sales", "wall", "push"].map(|name| house.client_as(name));
    let refused = |answer: process::http::Answer, status: u16, words: &str| {
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.problem().contains(words), "{answer:?}");
    };
    refused(house.client().get(SALES), 401, "token");
    refused(sales.get("/api/v1/events?ucc=support"), 403, "`ucc:support`");
    refused(wall.get(SALES), 403, "`ucc:sales`");
    refused(push.get("/api/v1/events"), 403, "`read`");
    refused(sales.get("/api/v1/events?ucc=a%20b"), 400, "letters");
    refused(sales.get("/api/v1/events?agents=sip:nobody"), 400, "`agents` cannot be read");
    refused(sales.get("/api/v1/events/websocket"), 400, "WebSocket");
    assert_eq!(house.client_as("wall").get("/api/v1/uccs/sales").status, 404, "nothing of it registered the queue");
    // A token for one queue need not say which.
    let mut events = sales.events(&format!("/api/v1/events?agents={}", House::agent(1)), None);
    assert!(next(&mut events).contains("agent1"));
    house
        .service
        .says("sales INFO - the remote queue reads its events over server-sent events peer=127.0.0.1 token=sales");
    let open: Vec<_> = (1..16).map(|_| sales.events(SALES, None)).collect();
    refused(sales.get(SALES), 429, "16 event streams");
    drop(open);
    assert!(eventually(|| Events::open(&sales, SALES, None).is_ok()));
    drop(events);
    house
        .service
        .says("sales INFO - the last event stream of the remote queue is closed; its agents and calls are kept for");
    let came = house.service.lines().iter().filter(|line| line.contains("reads its events")).count();
    assert!(came <= 2, "one line for the first stream, not one for each of the 17: {came}");
}

/// The ten lines that are shown to people.
fn python() -> String {
    let page = include_str!("../docs/ucc.md");
    let code = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(code.lines().count(), 10, "{code}");
    code.to_owned()
}

#[test]
fn the_ten_lines_of_python_that_people_are_shown_get_every_change() {
    let house = House::new();
    let agent = House::agent(1);
    let code = python()
        .replace("http://127.0.0.1:8365", &house.url)
        .replace("sip:agent1@demo.example,tel:%2B31612345678", &agent);
    let mut command = std::process::Command::new("python3");
    command.args(["-c", &code]).stdin(std::process::Stdio::null());
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "python3 is needed where CI is set");
        eprintln!("skipped: this machine has no python3");
        return;
    }
    let queue = process::Service::start(command);
    queue.says("'pending'");
    queue.says("'sequence': 1}");
    for (sequence, activity) in (2..6).zip([Activity::Away, Activity::Busy].into_iter().cycle()) {
        set(&house, 1, activity);
        queue.says(&format!("'sequence': {sequence}}}"));
    }
}

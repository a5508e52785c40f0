//! The real program is killed at any moment and goes on with what it knew.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]
#![allow(clippy::print_stdout, reason = "the seed, so that the same can be lived again, and the figures")]
#![allow(clippy::disallowed_methods, reason = "real processes live in real time")]

mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime};

use presence_core::snapshot::{Anchor, Snapshot, decode};
use presence_core::{Freshness, RememberedLife};
use presence_simulator::{Activity, AgentState, SimulatorHandle};
use process::http::Client;
use process::{Config, DOMAIN, Ended, Service, eventually, pool, queue, server, taken_apart};
use serde_json::{Value, json};

/// This many agents are known to the server; the one after them is not.
const AGENTS: usize = 300;

fn uri(number: usize) -> String {
    format!("sip:agent{number}@{DOMAIN}")
}

fn configuration(server: &SimulatorHandle) -> Config {
    let agents: Vec<_> = (1..=AGENTS + 1).collect();
    let (http, provider) = (r#"<Http Listen="127.0.0.1:0" />"#, r#"MaxPresenceSubscriptionsPerSecond="1000""#);
    let text = Config::text_with_http(http, provider, "", &pool(server.address(), "tcp"), &queue("ucc_app01", &agents));
    Config::of(&text.replace("ResubscribeDelay=\"60\"", "ResubscribeDelay=\"900\""))
}

fn state(config: &Config) -> PathBuf {
    config.path().with_file_name("state")
}

fn file(config: &Config) -> PathBuf {
    state(config).join("presence.state")
}

fn damaged(config: &Config) -> Vec<String> {
    let names = fs::read_dir(state(config)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("damaged")).collect()
}

fn snapshot(path: &Path) -> Snapshot {
    decode(&fs::read(path).unwrap(), Anchor { now: Instant::now(), wall: SystemTime::now() }).unwrap()
}

/// A run of the program, once its API answers.
struct Run {
    service: Service,
    client: Client,
    began: Instant,
}

impl Run {
    fn of(config: &Config, arguments: &[&str]) -> Self {
        let began = Instant::now();
        let service = config.run(arguments);
        let said = service.says("the API and the dashboard are at ");
        let client = Client::new(said.rsplit(' ').next().unwrap().trim_end_matches('/'), None);
        Self { service, client, began }
    }

    fn agent(&self, number: usize) -> Value {
        self.client.get(&format!("/api/v1/agents/{}", uri(number))).json["agent"].clone()
    }

    /// The same, once its queue has asked for it.
    fn shown(&self, number: usize) -> Value {
        self.service.until("the agent is there", || !self.agent(number).is_null());
        self.agent(number)
    }

    /// The glance, once it is so.
    fn status_until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let last = std::cell::RefCell::new(Value::Null);
        self.service.until(what, || {
            *last.borrow_mut() = self.client.get("/api/v1/status").json;
            is_so(&last.borrow())
        });
        last.into_inner()
    }

    fn all_are_fresh(&self) {
        let fresh = |number| self.agent(number)["presence"]["freshness"] == "fresh";
        self.service.until("all are fresh", || fresh(1) && fresh(AGENTS / 2) && fresh(AGENTS));
        self.service.until("one is refused", || self.agent(AGENTS + 1)["state"] == "backing_off");
    }

    /// Until a snapshot holds something.
    fn writes(&self, config: &Config, what: &str) {
        let holds = || fs::read_to_string(file(config)).is_ok_and(|text| text.contains(what));
        self.service.until("a snapshot that holds it", holds);
    }
}

/// Seeded chance (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn wait(time: Duration) {
    let (_nobody, silence) = channel::<()>();
    let _ = silence.recv_timeout(time);
}

/// What was seen over many deaths.
#[derive(Default)]
struct Seen {
    deaths: usize,
    served_stale: usize,
    oldest: Duration,
    slowest: Duration,
}

/// One computer on which the program is killed again and again.
fn killed_again_and_again(mut dice: Dice, deaths: usize) -> Seen {
    let server = server(AGENTS);
    let config = configuration(&server);
    let mut seen = Seen::default();
    let mut run = Run::of(&config, &[]);
    run.all_are_fresh();
    run.writes(&config, "\"retry_at\"");
    let activities = [Activity::Available, Activity::Busy, Activity::Away, Activity::DoNotDisturb];
    for death in 0..deaths {
        for number in 1..=AGENTS {
            server.set_presence(&uri(number), AgentState::of(activities[dice.below(4) as usize]));
        }
        // Now around a writing, now at any moment from the very beginning on.
        let life = if death % 4 == 3 { 7_700 + dice.below(600) } else { dice.below(2_500) };
        wait(Duration::from_millis(life).saturating_sub(run.began.elapsed()));
        drop(run);
        let left = snapshot(&file(&config));
        assert_eq!((left.not_understood, damaged(&config)), (0, Vec::new()));
        assert_eq!(left.remembered.agents.len(), AGENTS + 1, "after death {death}");
        seen.oldest = seen.oldest.max(left.age);
        assert!(left.age <= Duration::from_secs(11), "{:?} are lost", left.age);
        run = Run::of(&config, &[]);
        let number = 1 + dice.below(AGENTS as u64) as usize;
        let shown = run.shown(number);
        let took = run.began.elapsed();
        let known = left.remembered.agents.iter().find(|agent| agent.uri.as_str() == uri(number)).unwrap();
        let RememberedLife::Subscribed(memory) = &known.life else { panic!("a subscription") };
        assert_eq!(memory.presence.freshness, Freshness::Stale);
        if shown["presence"]["freshness"] == "stale" {
            seen.served_stale += 1;
            let value = &shown["presence"]["availability"]["value"];
            assert_eq!(value, memory.presence.status.availability.value(), "{shown}");
        } else {
            assert!(took > Duration::from_secs(1), "nothing can be confirmed in the first second: {shown}");
        }
        let refused = run.shown(AGENTS + 1);
        assert_eq!((&refused["state"], &refused["failures"]), (&json!("backing_off"), &json!(1)), "{refused}");
        seen.slowest = seen.slowest.max(took);
        seen.deaths += 1;
    }
    // Each of 301 agents once per life that came so far, and the refused one once in all.
    assert!(server.counters().busiest_second() <= 1_000);
    seen
}

#[test]
fn whenever_it_is_killed_it_goes_on_with_the_values_of_the_last_ten_seconds_and_no_file_is_damaged() {
    let long = std::env::var_os("PP_LONG_TESTS").is_some();
    let (computers, deaths) = if long { (10, 20) } else { (2, 10) };
    let seed = std::env::var("PP_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1);
    println!("PP_SEED={seed}");
    let seen: Vec<_> = std::thread::scope(|scope| {
        let computers: Vec<_> = (0..computers)
            .map(|computer| {
                let dice = Dice(seed.wrapping_add(computer).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
                scope.spawn(move || killed_again_and_again(dice, deaths))
            })
            .collect();
        computers.into_iter().map(|computer| computer.join().unwrap()).collect()
    });
    let deaths: usize = seen.iter().map(|seen| seen.deaths).sum();
    let stale: usize = seen.iter().map(|seen| seen.served_stale).sum();
    let oldest = seen.iter().map(|seen| seen.oldest).max().unwrap();
    let slowest = seen.iter().map(|seen| seen.slowest).max().unwrap();
    println!(
        "{deaths} deaths, 0 damaged files; {stale} first looks were stale values; the oldest snapshot {oldest:?}; \
         from the start of the process to the first value {slowest:?} at most"
    );
    assert!(stale * 2 > deaths, "most looks come in the first second");
}

fn assert_no_error(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.lines.iter().all(|line| taken_apart(line).1 != "ERROR"), "{}", ended.all());
}

fn small() -> (SimulatorHandle, Config) {
    let server = server(3);
    let http = r#"<Http Listen="127.0.0.1:0" />"#;
    let text = Config::text_with_http(http, "", "", &pool(server.address(), "tcp"), &queue("ucc_app01", &[1, 2, 3]));
    (server, Config::of(&text))
}

/// A run that ends in order when it knows its agents.
fn ended_in_order(config: &Config, server: &SimulatorHandle) {
    let run = Run::of(config, &[]);
    run.service.until("all are subscribed", || server.active_subscriptions() == 3);
    run.service.until("they are known", || run.agent(3)["presence"]["freshness"] == "fresh");
    assert_no_error(&run.service.terminate());
}

#[test]
fn after_an_orderly_end_it_begins_with_what_held_before_it_and_cold_when_it_is_told_so() {
    let (server, config) = small();
    ended_in_order(&config, &server);
    let left = snapshot(&file(&config));
    assert!(left.remembered.last_sent.is_some());
    assert_eq!(left.remembered.agents.len(), 3);
    let run = Run::of(&config, &[]);
    let warm = run.service.says("a warm start");
    for told in ["agents=3", "stale=3", "backing_off=0", "abandoned=0", "ended=\"in order\""] {
        assert!(warm.contains(told), "{told}: {warm}");
    }
    assert_no_error(&run.service.terminate());
    let run = Run::of(&config, &["--cold"]);
    run.service.says("told to start cold");
    assert!(!run.service.lines().iter().any(|line| line.contains("a warm start")));
    drop(run);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(file(&config)).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it names people");
}

#[test]
fn a_file_that_cannot_be_used_is_set_aside_and_the_one_before_it_is_used_or_the_start_is_cold() {
    let (server, config) = small();
    ended_in_order(&config, &server);
    let whole = fs::read(file(&config)).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let mistakes: [(&[u8], &str); 4] = [
        (&flipped, "its checksum is wrong"),
        (&whole[..whole.len() / 2], "it is cut off"),
        (b"", "it is empty"),
        (b"<config version=\"1.5\">\n</config>\n", "not that of a presence provider's state"),
    ];
    for (bytes, why) in mistakes {
        fs::write(file(&config), bytes).unwrap();
        fs::write(state(&config).join("presence.state.previous"), &whole).unwrap();
        let run = Run::of(&config, &[]);
        let said = run.service.says("the state of the previous run is damaged");
        assert!(
            said.contains(" WARN - ") && said.contains(why) && said.contains("the one before it is used"),
            "{said}"
        );
        run.service.says("a warm start");
        assert_no_error(&run.service.terminate());
    }
    assert!(damaged(&config).len() <= 3, "{:?}", damaged(&config));
    for name in ["presence.state", "presence.state.previous"] {
        fs::write(state(&config).join(name), "no state\n").unwrap();
    }
    let run = Run::of(&config, &[]);
    let cold = run.service.says("the start is a cold one");
    assert!(cold.contains(" WARN - "), "{cold}");
    run.service.until("it serves all the same", || server.active_subscriptions() == 3);
    assert_no_error(&run.service.terminate());
    assert!(damaged(&config).len() <= 3, "{:?}", damaged(&config));
    assert_eq!(snapshot(&file(&config)).remembered.agents.len(), 3, "a good one is written again");
}

#[test]
fn what_cannot_be_written_is_told_once_and_the_service_goes_on() {
    let (server, config) = small();
    // Nobody, not even root, can remove this as a file.
    fs::create_dir_all(state(&config).join("presence.state.new")).unwrap();
    let run = Run::of(&config, &[]);
    let said = run.service.says("the state cannot be written");
    assert!(said.contains(" WARN - ") && said.contains("the service goes on"), "{said}");
    run.service.until("it goes on", || server.active_subscriptions() == 3);
    let status = run.status_until("it is seen", |status| status["verdict"] == "degraded");
    let headline = status["headline"].as_str().unwrap();
    let words = ["The state for the next start is not written since ", "a restart would know nothing of this run"];
    assert!(words.iter().all(|part| headline.contains(part)), "{headline}");
    assert_eq!((&status["state"]["kept"], &status["state"]["written"]), (&json!(false), &Value::Null), "{status}");
    let ready = run.client.get("/health/ready");
    let note = ready.json["notes"][0].as_str().unwrap();
    assert!(ready.status == 200 && note.contains("is not written") && !note.contains("/var"), "{ready:?}");
    assert!(run.client.get("/metrics").text.contains("\npresence_state_kept 0"));
    fs::remove_dir(state(&config).join("presence.state.new")).unwrap();
    run.service.says("the state is written again, after ");
    let status = run.status_until("it is well again", |status| status["verdict"] == "well");
    assert_eq!((&status["state"]["kept"], &status["state"]["why"]), (&json!(true), &Value::Null), "{status}");
    let bytes = fs::metadata(file(&config)).unwrap().len();
    assert_eq!(status["state"]["bytes"], bytes, "{status}");
    assert_eq!(run.client.get("/health/ready").json["notes"], json!([]));
    let metrics = run.client.get("/metrics").text;
    for row in ["presence_state_kept 1", &format!("presence_state_bytes {bytes}")] {
        assert!(metrics.contains(&format!("\n{row}")), "{row}: {metrics}");
    }
    let ended = run.service.terminate();
    assert_no_error(&ended);
    assert_eq!(ended.with("the state cannot be written").count(), 1, "{}", ended.all());
    // A file in the place of the folder.
    fs::remove_dir_all(state(&config)).unwrap();
    fs::write(state(&config), "").unwrap();
    let run = Run::of(&config, &[]);
    run.service.says("failed to keep the state");
    run.service.until("it goes on", || server.active_subscriptions() == 3);
    let status = run.status_until("it is seen", |status| status["verdict"] == "degraded");
    assert_eq!((&status["state"]["kept"], &status["state"]["failures"]), (&json!(false), &json!(1)), "{status}");
    assert!(status["state"]["why"].as_str().unwrap().contains("state: "), "{status}");
    assert_no_error(&run.service.terminate());
}

#[test]
fn two_processes_do_not_share_one_state() {
    let (_server, config) = small();
    let first = Run::of(&config, &[]);
    let second = Run::of(&config, &[]);
    let said = second.service.says("failed to keep the state: another process has ");
    assert!(said.contains(" WARN - ") && said.contains("<State Directory="), "{said}");
    assert_no_error(&second.service.terminate());
    assert_no_error(&first.service.terminate());
    assert_eq!(damaged(&config), Vec::<String>::new());
}

#[test]
fn nothing_is_kept_where_that_is_switched_off() {
    let (_server, config) = small();
    let text = fs::read_to_string(config.path()).unwrap().replace("<Http ", "<State enabled=\"false\" /><Http ");
    config.write(&text);
    let run = Run::of(&config, &[]);
    let status = run.status_until("it is well", |status| status["verdict"] == "well");
    assert_eq!(status["state"], Value::Null);
    assert_no_error(&run.service.terminate());
    assert!(!state(&config).exists());
}

#[test]
fn a_queue_of_another_process_finds_its_agents_again_and_is_told_that_it_has_missed_events() {
    let (server, config) = small();
    let run = Run::of(&config, &[]);
    run.client.put("/api/v1/uccs/sales", &json!({}));
    run.client.post("/api/v1/uccs/sales/agents", &json!({ "subscribe": [uri(1), uri(2)] }));
    let mut events = run.client.events("/api/v1/events?ucc=sales", None);
    assert!(eventually(|| run.agent(1)["presence"]["freshness"] == "fresh"));
    server.set_presence(&uri(1), AgentState::of(Activity::Busy));
    let last = events.until("changed").id;
    run.writes(&config, "\"name\":\"sales\",\"agents\":[\"sip:agent1@");
    drop(run);
    let run = Run::of(&config, &[]);
    assert!(run.service.says("a warm start").contains("queues=1"));
    let agents = run.client.get("/api/v1/uccs/sales/agents").json;
    assert_eq!(agents["total"], 2, "{agents}");
    assert!(agents["agents"][0]["presence"]["availability"]["value"].is_i64(), "{agents}");
    let mut events = run.client.events("/api/v1/events?ucc=sales", last.as_deref());
    events.until("lagged");
    events.until("current");
    assert!(eventually(|| run.agent(1)["presence"]["freshness"] == "fresh"));
}

//! The operator's commands: against the real program, and against what is no provider, or one that refuses.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use presence_core::AgentUri;
use presence_simulator::{Activity, AgentState, Faults, Refusal, Scope};
use process::http::{House, Plan};
use process::{Service, eventually, program, queue};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;

/// One of the commands, towards this address and without anything of the environment.
fn command(url: &str, arguments: &[&str]) -> Command {
    let mut command = program();
    command.args(arguments).args(["--url", url]).env_remove("PRESENCE_PROVIDER_TOKEN").env("TZ", "UTC");
    command
}

/// How it ended, and what it said on which stream.
fn told(url: &str, arguments: &[&str]) -> (i32, String, String) {
    said(command(url, arguments).output().unwrap())
}

fn said(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A house whose one queue watches so many agents, all of them known.
fn house(agents: usize) -> House {
    let numbers: Vec<usize> = (1..=agents).collect();
    let house = House::with(Plan { agents, queues: &queue("sales", &numbers), ..Plan::default() });
    house
        .service
        .until("all agents are known", || house.client().get("/api/v1/status").json["agents"]["fresh"] == agents);
    house
}

/// Answers every connection with this text, and gives the requests as they came.
fn fake(answer: impl Into<Vec<u8>>) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, requests) = channel();
    let answer = answer.into();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = asked.send(head(&stream));
            let _ = stream.write_all(&answer);
        }
    });
    (address, requests)
}

fn head(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head).unwrap_or(0) > 0 {}
    head
}

fn answer(status: &str, media_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn problem(status: &str, detail: &str) -> String {
    let number = status.split(' ').next().unwrap();
    let body = format!(r#"{{"type":"about:blank","title":"x","status":{number},"detail":"{detail}","retry_after":7}}"#);
    answer(status, "application/problem+json", &body)
}

#[test]
fn no_provider_and_what_to_do() {
    // Nobody listens on a port that was free a moment ago.
    let url = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let all: [&[&str]; 6] =
        [&["status"], &["status", "--follow"], &["agents"], &["queues"], &["revive", "--all"], &["watch"]];
    for arguments in all {
        let (code, stdout, stderr) = told(&url, arguments);
        assert_eq!((code, stdout.as_str()), (69, ""), "{arguments:?}");
        assert_eq!(
            stderr,
            format!(
                "error: no provider answers at {url}: connection refused\n\
                 hint: start it with `presence-provider run`, or say where it is with --url or PRESENCE_PROVIDER_URL\n"
            )
        );
    }
}

#[test]
fn who_refuses_is_heard_and_the_end_says_who_must_act() {
    for (response, code, first, second) in [
        (problem("401 Unauthorized", "a token is needed"), 77, "error: a token is needed", "hint: create a token with"),
        (
            problem("403 Forbidden", "the scope read is needed"),
            77,
            "error: the scope read is needed",
            "hint: use a token",
        ),
        (
            problem("404 Not Found", "there is \\u001b[2J none"),
            1,
            "error: there is \\u{1b}[2J none",
            "hint: try again in 7 s",
        ),
        (problem("503 Service Unavailable", "not now"), 69, "error: not now", "hint: try again in 7 s"),
        (answer("200 OK", "application/json", "{\"verdict\":"), 69, "error: what answers at ", "hint: say where"),
        (answer("200 OK", "application/json", "{}"), 69, "error: what answers at ", "hint: say where"),
        (answer("200 OK", "text/html", "<h1>Router</h1>"), 69, "error: what answers at ", "hint: say where"),
        (answer("502 Bad Gateway", "text/html", "nginx"), 69, "error: no provider answers at ", "hint: start it"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n".into(),
            69,
            "error: what answers at ",
            "hint: say where",
        ),
        ("SSH-2.0-OpenSSH_9\r\n\r\n".into(), 69, "error: what answers at ", "hint: say where"),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{".into(),
            69,
            "error: no provider answers at ",
            "hint: start it",
        ),
        (String::new(), 69, "error: no provider answers at ", "hint: start it"),
    ] {
        let (address, _requests) = fake(response.clone());
        let (ended, stdout, stderr) = told(&format!("http://{address}"), &["status"]);
        let mut lines = stderr.lines();
        assert_eq!((ended, stdout.as_str()), (code, ""), "{response}\n{stderr}");
        assert!(lines.next().unwrap().starts_with(first), "{response}\n{stderr}");
        assert!(lines.next().unwrap().starts_with(second), "{response}\n{stderr}");
    }
}

#[test]
fn who_accepts_and_says_nothing_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let (code, _, stderr) = told(&url, &["status", "--timeout", "200ms"]);
    assert_eq!(code, 69, "{stderr}");
    assert!(stderr.starts_with(&format!("error: no provider answers at {url}: no answer within 200ms\n")), "{stderr}");
}

#[test]
fn the_token_is_taken_from_a_file_or_the_environment_and_goes_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "from-the-file\n").unwrap();
    let (address, requests) = fake(problem("401 Unauthorized", "no"));
    let url = format!("http://{address}");
    let request = |command: &mut Command| {
        let (_, stdout, stderr) = said(command.output().unwrap());
        assert!(!(stdout + &stderr).contains("from-the"), "the token is shown");
        requests.recv_timeout(Duration::from_secs(10)).unwrap().to_ascii_lowercase()
    };
    let mut by_file = command(&url, &["status", "--token-file", file.to_str().unwrap()]);
    assert!(request(&mut by_file).contains("authorization: bearer from-the-file\r\n"));
    let mut by_environment = command(&url, &["status"]);
    let asked = request(by_environment.env("PRESENCE_PROVIDER_TOKEN", "from-the-environment"));
    assert!(asked.contains("authorization: bearer from-the-environment\r\n"), "{asked}");
    assert!(!request(&mut command(&url, &["status"])).contains("authorization"));

    std::fs::write(&file, "two words").unwrap();
    let (code, _, stderr) = told(&url, &["status", "--token-file", file.to_str().unwrap()]);
    assert_eq!((code, stderr.contains("holds something that is no token")), (64, true), "{stderr}");
}

#[test]
fn the_address_is_taken_from_the_environment_where_the_command_line_says_nothing() {
    let (address, requests) = fake(problem("401 Unauthorized", "no"));
    let mut command = program();
    command.arg("status").env("PRESENCE_PROVIDER_URL", format!("http://{address}/behind/"));
    command.output().unwrap();
    assert!(
        requests.recv_timeout(Duration::from_secs(10)).unwrap().starts_with("GET /behind/api/v1/status HTTP/1.1\r\n")
    );
    let bad = command.env("PRESENCE_PROVIDER_URL", "127.0.0.1").output().unwrap();
    let (code, _, stderr) = said(bad);
    assert_eq!(code, 64);
    assert!(stderr.starts_with("error: PRESENCE_PROVIDER_URL is `127.0.0.1`: write http://HOST:PORT"), "{stderr}");
}

#[test]
fn a_glance_at_a_provider_that_is_well_ends_with_0_and_one_that_is_down_with_1() {
    let house = house(5);
    let (code, stdout, stderr) = told(&house.url, &["status"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.starts_with("WELL  "), "{stdout}");
    assert!(stdout.contains("Agents      5: 5 fresh, 0 stale, 0 unknown\n"), "{stdout}");
    let (_, stdout, _) = told(&house.url, &["status", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap()["verdict"], "well");
    assert!(!stdout.contains('\u{1b}'), "{stdout}");

    process::wait_for(house.server.stop());
    let last = || told(&house.url, &["status"]);
    assert!(eventually(|| last().0 == 1), "{:?}", last());
    let (_, stdout, _) = last();
    assert!(stdout.starts_with("DOWN  "), "{stdout}");
}

#[test]
fn a_recovery_is_followed_to_its_end_over_a_moment_without_an_answer() {
    let mut status = house(1).client().get("/api/v1/status").json;
    let well = status.to_string();
    status["verdict"] = "recovering".into();
    status["recovery"] = serde_json::json!({"cause": "x", "since": "2026-11-22T14:00:40.000Z", "total": 9, "done": 4});
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let follow = Service::start(command(&url, &["status", "--follow", "--json"]));
    let answers = [
        answer("200 OK", "application/json", &status.to_string()),
        problem("503 Service Unavailable", "not now"),
        answer("200 OK", "application/json", &status.to_string()),
        answer("200 OK", "application/json", &well),
    ];
    for answer in answers {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(head(&stream).starts_with("GET /api/v1/status "));
        stream.write_all(answer.as_bytes()).unwrap();
    }
    let ended = follow.end();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert_eq!(serde_json::from_str::<Value>(&ended.all()).unwrap()["verdict"], "well");
}

#[test]
fn agents_are_found_listed_and_explained() {
    let house = house(12);
    let (code, stdout, _) = told(&house.url, &["agents", "-q", "agent1", "--all"]);
    let uris: Vec<&str> = stdout.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(code, 0);
    assert_eq!(uris, [10, 11, 12, 1].map(House::agent), "as text is sorted");
    assert!(stdout.lines().all(|line| line.split('\t').count() == 12), "{stdout}");
    let (_, stdout, _) = told(&house.url, &["agents", "--limit", "5", "--json"]);
    let list: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((list["agents"].as_array().unwrap().len(), &list["total"]), (5, &Value::from(12)));
    let (code, stdout, _) = told(&house.url, &["agents", "--state", "abandoned"]);
    assert_eq!((code, stdout.as_str()), (0, ""));

    let (code, stdout, _) = told(&house.url, &["agent", "SIP:Agent3@demo.example"]);
    assert_eq!(code, 0, "{stdout}");
    for part in
        ["sip:agent3@demo.example\n", "  Source        UcmaPresenceSource\n", "  Watched by    sales\n", "Result = The"]
    {
        assert!(stdout.contains(part), "{part:?} is not in:\n{stdout}");
    }
    let (code, stdout, stderr) = told(&house.url, &["agent", "sip:nobody@demo.example"]);
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    let (code, stdout, _) = told(&house.url, &["queues"]);
    assert_eq!((code, stdout.as_str()), (0, "sales\t12\tinside\t0\t0\t0\t-\n"));
}

#[test]
fn an_abandoned_agent_is_seen_and_revived() {
    let house = House::new();
    let agent = House::agent(3);
    let scope = Scope::Agent(AgentUri::parse(&agent).unwrap());
    house.server.faults(&scope, Faults::refusing(Refusal::with(403)));
    assert_eq!(house.client().put(&format!("/api/v1/uccs/sales/agents/{agent}"), &Value::Null).status, 200);
    let abandoned = || told(&house.url, &["agents", "--state", "abandoned,quarantined"]).1;
    assert!(eventually(|| !abandoned().is_empty()), "nobody is abandoned");
    assert!(abandoned().starts_with(&format!("{agent}\t")), "{}", abandoned());
    let (code, stdout, _) = told(&house.url, &["status"]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.starts_with("DEGRADED  ") && stdout.contains("            1 abandoned\n"), "{stdout}");
    let (_, stdout, _) = told(&house.url, &["agent", &agent]);
    assert!(stdout.contains("  State         abandoned") && stdout.contains("  Last failure  403, "), "{stdout}");
    let revived = (0, "1 agent is tried again.\n".to_owned(), String::new());
    assert_eq!(told(&house.url, &["revive", &agent]), revived);
    assert!(eventually(|| told(&house.url, &["revive", "--all"]) == revived), "it is abandoned again, and revived");
}

#[test]
fn a_provider_with_a_certificate_is_asked_over_tls_by_those_who_trust_it() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| directory.path().join(name));
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let http = format!(r#"Certificate="{certificate}" PrivateKey="{key}""#);
    let house = House::with(Plan { http: &http, ..Plan::default() });
    let url = house.url.replace("127.0.0.1", "localhost");
    let (code, stdout, stderr) = told(&url, &["status", "--ca", certificate]);
    assert!(code <= 1 && stdout.contains("Provider    "), "{stdout}{stderr}");
    let (code, _, stderr) = told(&url, &["status", "--ca", key]);
    assert_eq!((code, stderr.contains("holds no certificate in PEM form")), (64, true), "{stderr}");
    let other = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let stranger = directory.path().join("stranger.pem");
    std::fs::write(&stranger, other.cert.pem()).unwrap();
    let (code, _, stderr) = told(&url, &["status", "--ca", stranger.to_str().unwrap()]);
    assert_eq!(code, 69, "{stderr}");
    assert!(stderr.contains(": TLS failed: ") && stderr.contains("hint: --ca names a file"), "{stderr}");
}

#[test]
fn who_is_not_abandoned_is_not_revived_and_who_is_not_there_is_named() {
    let house = house(2);
    let revive = |arguments: &[&str]| told(&house.url, &[&["revive"], arguments].concat());
    assert_eq!(revive(&["--all"]), (0, "No agent is abandoned.\n".into(), String::new()));
    assert_eq!(revive(&["--all", "--json"]).1, "{\n  \"revived\": 0\n}\n");
    let (code, stdout, stderr) = revive(&["sip:nobody@demo.example", "sip:agent1@demo.example"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    let [nobody, active] = stderr.lines().collect::<Vec<_>>().try_into().unwrap();
    assert!(nobody.starts_with("error: sip:nobody@demo.example: "), "{nobody}");
    assert!(active.starts_with("error: sip:agent1@demo.example: ") && active.contains("not abandoned"), "{active}");
    assert_eq!(revive(&[]).0, 64);
}

/// Changes an agent again and again until the watch has said this.
fn changing(house: &House, watch: &Service, agent: usize, text: &str) -> String {
    let find = || watch.lines().into_iter().find(|line| line.contains(text));
    let said = eventually(|| {
        change(house, agent);
        find().is_some()
    });
    assert!(said, "{text:?} was not said:\n{}", watch.lines().join("\n"));
    find().unwrap()
}

/// Makes an agent busy, or free when it is.
fn change(house: &House, agent: usize) {
    let uri = House::agent(agent);
    let busy = AgentState::of(Activity::Busy);
    let free = AgentState::of(Activity::Available);
    assert!(house.server.set_presence(&uri, if house.server.presence(&uri) == Some(busy) { free } else { busy }));
}

#[test]
fn changes_are_seen_live_and_ctrl_c_ends_it_well() {
    let house = house(3);
    let all = Service::start(command(&house.url, &["watch"]));
    let one = Service::start(command(&house.url, &["watch", "--json", "sip:agent2@demo.example"]));
    let line = changing(&house, &all, 1, "agent1@");
    let fields: Vec<&str> = line.split('\t').collect();
    assert_eq!((fields.len(), fields[1], fields[2]), (8, "changed", "sip:agent1@demo.example"), "{line}");
    let line = changing(&house, &one, 2, "agent2@");
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["type"], "changed");
    for watch in [all, one] {
        watch.signal("INT");
        let ended = watch.end();
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        assert!(ended.lines.iter().all(|line| !line.contains("agent1@") || !line.starts_with('{')), "{}", ended.all());
    }
}

#[test]
fn a_reader_that_has_heard_enough_ends_it_quietly() {
    let house = house(1);
    let mut watch = command(&house.url, &["watch"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(watch.stdout.take());
    let watch = std::sync::Mutex::new(watch);
    let ended = eventually(|| {
        change(&house, 1);
        watch.lock().unwrap().try_wait().unwrap().is_some()
    });
    let mut watch = watch.into_inner().unwrap();
    assert!(ended, "it does not end");
    let mut stderr = String::new();
    watch.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((watch.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_lost_stream_is_found_again_where_it_ended() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let watch = Service::start(command(&format!("http://{}", listener.local_addr().unwrap()), &["watch"]));
    let begin = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    let pending = |name: &str| format!("data: {{\"type\":\"pending\",\"uri\":\"sip:{name}@x.example\"}}\n\n");
    let serve = |body: String| {
        let (mut stream, _) = listener.accept().unwrap();
        let head = head(&stream).to_ascii_lowercase();
        stream.write_all(format!("{begin}{body}").as_bytes()).unwrap();
        head
    };
    let first = serve(format!("id: 7-41\n{}id: 7-42\ndata: cut of", pending("one")));
    assert!(!first.contains("last-event-id"), "{first}");
    watch.says("lost the provider, looking for it: ");
    let second = serve(format!(":\n\nid: 7-42\n{}", pending("two")));
    assert!(second.contains("last-event-id: 7-41\r\n"), "{second}");
    watch.says("found the provider again");
    watch.says("sip:two@x.example");
    let (mut stream, _) = listener.accept().unwrap();
    assert!(head(&stream).to_ascii_lowercase().contains("last-event-id: 7-42\r\n"));
    stream.write_all(problem("401 Unauthorized", "the token was revoked").as_bytes()).unwrap();
    let ended = watch.end();
    assert_eq!(ended.code, Some(77), "{}", ended.all());
    assert_eq!(ended.with("the token was revoked").count(), 1, "{}", ended.all());
}

#[test]
fn every_shell_gets_its_completions() {
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef"),
        ("fish", "complete -c"),
        ("powershell", "Register-"),
        ("elvish", "set edit:"),
    ] {
        let output = program().args(["completions", shell]).output().unwrap();
        let (code, stdout, stderr) = said(output);
        assert_eq!((code, stderr.as_str()), (0, ""), "{shell}");
        assert!(stdout.contains(sign) && stdout.contains("abandoned"), "{shell}: {stdout}");
    }
}

//! The listener of the real program against clients that are mistaken, slow, many, or of ill will.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use process::eventually;
use process::http::{Answer, House, Plan};
use serde_json::json;

/// Two tokens: one that may read, one for a queue.
const TOKENS: &[(&str, &[&str])] = &[("wall", &["read"]), ("sales", &["ucc:sales"])];

/// So many pieces of 64 KiB are 64 GB.
const ENDLESS: usize = 1 << 20;

/// A connection of its own, with the patience of a test.
fn connect(house: &House) -> TcpStream {
    let stream = TcpStream::connect(house.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Sends something raw, and reads until the other side closes or says nothing for long.
fn raw(house: &House, bytes: &[u8]) -> String {
    let mut stream = connect(house);
    // It may close before it has read everything: that is its right.
    let _ = stream.write_all(bytes);
    read(&mut stream)
}

fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[track_caller]
fn still_answers(house: &House) {
    assert_eq!(house.client().get("/health/live").status, 200, "{}", house.service.lines().join("\n"));
}

/// A figure of /proc/PID/status in KiB.
fn memory(house: &House, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.process())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn without_a_token_that_is_known_nothing_is_told() {
    let house = House::with(Plan { tokens: TOKENS, ..Plan::default() });
    let with =
        |authorization: &str| house.client().send("GET", "/api/v1/status", &[("authorization", authorization)], "");
    for wrong in
        ["Bearer", "Bearer ", "Bearer wrong", "Basic d2FsbDp3YWxs", &format!("Bearer {}x", house.token("wall"))]
    {
        let answer = with(wrong);
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"), "{wrong}: {answer:?}");
        assert!(!answer.problem().is_empty());
    }
    let answer = house.client().get("/metrics");
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(house.client_as("wall").get("/api/v1/status").status, 200);
    let foreign = house.client_as("sales").get("/api/v1/status");
    assert_eq!(foreign.status, 403, "a queue is not an operator: {foreign:?}");
    let foreign = house.client_as("sales").put("/api/v1/uccs/support/agents/sip:agent1@demo.example", &json!(null));
    assert_eq!(foreign.status, 403, "another queue: {foreign:?}");
    let log = house.service.lines().join("\n");
    assert!(!log.contains(house.token("wall")) && !log.contains(house.token("sales")), "{log}");
}

#[test]
fn what_is_not_there_what_is_misspelt_and_what_is_of_another_kind_is_said_so() {
    let house = House::new();
    let client = house.client();
    let nothing = client.get("/api/v1/nothing");
    assert_eq!(nothing.status, 404);
    assert!(nothing.problem().contains("/api/v1/docs/"), "{nothing:?}");
    let method = client.delete("/api/v1/status");
    assert_eq!((method.status, method.header("allow")), (405, "GET, HEAD"));
    assert_eq!(method.problem(), "this path takes GET, HEAD");
    let parameter = client.get("/api/v1/agents?stat=active");
    assert_eq!(parameter.status, 400);
    assert!(parameter.problem().starts_with("unknown parameter `stat`"), "{parameter:?}");
    let field = client.post("/api/v1/uccs/sales/agents", &json!({"subscribe": [], "unsubscibe": []}));
    assert_eq!(field.status, 400);
    assert!(field.problem().contains("unknown field `unsubscibe`, expected `subscribe` or `unsubscribe`"), "{field:?}");
    assert!(field.problem().contains("line 1 column"), "{field:?}");
    let kind = client.send("POST", "/api/v1/uccs/sales/agents", &[("content-type", "text/xml")], "<a/>");
    assert_eq!((kind.status, kind.problem().contains("application/json")), (415, true), "{kind:?}");
    let path = client.get("/api/v1/agents/nobody");
    assert_eq!(path.status, 400, "{path:?}");
    let head = client.send("HEAD", "/api/v1/status", &[], "");
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

#[test]
fn every_answer_carries_the_headers_that_protect_who_reads_it_in_a_browser() {
    let house = House::new();
    let safe = |answer: &Answer| {
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{answer:?}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{answer:?}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{answer:?}");
        assert!(!answer.header("x-request-id").is_empty(), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{answer:?}");
    };
    let client = house.client();
    for path in
        ["/api/v1/status", "/api/v1/nothing", "/health/live", "/metrics", "/api/v1/docs/", "/api/v1/openapi.json", "/"]
    {
        safe(&client.get(path));
    }
    assert_eq!(client.get("/api/v1/status").header("cache-control"), "no-store");
    let named = client.send("GET", "/api/v1/status", &[("x-request-id", "call-4711")], "");
    assert_eq!(named.header("x-request-id"), "call-4711");
    let odd = client.send("GET", "/api/v1/status", &[("x-request-id", "a b<c>")], "");
    assert!(!odd.header("x-request-id").contains('<'));
    let small = client.send("GET", "/api/v1/openapi.json", &[("accept-encoding", "gzip")], "");
    assert_eq!(small.header("vary").to_ascii_lowercase(), "accept-encoding", "{small:?}");
}

#[test]
fn a_foreign_host_and_a_foreign_page_are_refused_where_no_token_protects() {
    let house = House::with(Plan { http: r#"HostNames="switch.hospital.example""#, ..Plan::default() });
    let status = |headers: &str| {
        let answer =
            raw(&house, format!("GET /api/v1/status HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").as_bytes());
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(status("Host: localhost\r\n"), "200");
    assert_eq!(status("Host: switch.hospital.example\r\n"), "200");
    assert_eq!(status("Host: rebound.evil.example\r\n"), "403");
    assert_eq!(status("Host: rebound.evil.example\r\nX-Forwarded-Host: localhost\r\n"), "403");
    assert_eq!(status(""), "400");
    assert_eq!(status("Host: localhost\r\nOrigin: http://evil.example\r\n"), "403");
    assert_eq!(status("Host: localhost\r\nSec-Fetch-Site: cross-site\r\n"), "403");
    let client = house.client();
    let push = |origin: &str| client.send("POST", "/api/v1/agents/revive", &[("origin", origin)], "").status;
    assert_eq!(push("http://evil.example"), 403);
    assert_eq!(push("null"), 403);
    assert_eq!(push(&house.url), 200);
    let upgrade = "Host: localhost\r\nOrigin: http://evil.example\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let answer = raw(&house, format!("GET /api/v1/events/websocket?ucc=x HTTP/1.1\r\n{upgrade}").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[test]
fn a_body_of_10_mb_is_refused_before_it_has_been_read() {
    let house = House::new();
    let before = memory(&house, "VmRSS");
    const LONG: &str = "Content-Length: 10485760\r\n";
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
    let interest = "/api/v1/uccs/sales/agents";
    // The last one takes no body, and does not look at it.
    for (path, coding, status) in
        [(interest, LONG, "413"), (interest, CHUNKED, "413"), ("/api/v1/agents/revive", CHUNKED, "200")]
    {
        let mut stream = connect(&house);
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{coding}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let chunk =
            if coding.starts_with('T') { format!("10000\r\n{}\r\n", "x".repeat(0x10000)) } else { "x".repeat(0x10000) };
        // What was refused is dropped for a second, so that the client sees the answer, and then the connection ends.
        let written = (0..ENDLESS).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
        assert!(written < ENDLESS, "{coding}: 64 GB were taken");
        let answer = read(&mut stream);
        assert!(answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        still_answers(&house);
    }
    // A client that waits for the answer gets it, however long the body was said to be.
    let mut stream = connect(&house);
    stream.write_all(b"POST /api/v1/uccs/sales/agents HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10485760\r\n\r\n").unwrap();
    let answer = read(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("the body is longer than 4096 KiB"), "{answer}");
    assert!(memory(&house, "VmRSS") < before + 32 * 1024, "{before} KiB, then {}", memory(&house, "VmRSS"));
}

#[test]
fn a_head_that_comes_byte_by_byte_is_cut_off_and_others_are_served_meanwhile() {
    let house = House::new();
    let slow: RefCell<Vec<_>> = RefCell::new((0..50).map(|_| connect(&house)).collect());
    let mut head = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'x'));
    let bytes = RefCell::new(head.by_ref());
    let all_are_cut = || {
        let byte = [*bytes.borrow_mut().next().unwrap()];
        slow.borrow_mut().retain_mut(|stream| stream.write_all(&byte).is_ok());
        still_answers(&house);
        slow.borrow().is_empty()
    };
    assert!(eventually(all_are_cut), "{} connections are still open", slow.borrow().len());
}

#[test]
fn five_thousand_idle_connections_cost_little_and_nobody_is_locked_out() {
    // The program begins with few, and helps itself.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(1_024), hard).unwrap();
    let house = House::new();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", house.process())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().nth(3), Some(hard.to_string().as_str()), "{files}");
    still_answers(&house);
    let before = memory(&house, "VmRSS");
    let idle: Vec<_> = (0..5_000).map(|_| connect(&house)).collect();
    still_answers(&house);
    let with = memory(&house, "VmRSS");
    assert!(with < before + 96 * 1024, "{before} KiB, with {} idle connections {with} KiB", idle.len());
    assert_eq!(house.client().get("/api/v1/status").status, 200);
    // They send nothing, and are closed for it.
    let is_open = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    let told = |stream: &TcpStream| !is_open(stream);
    assert!(eventually(|| idle.iter().all(told)), "idle connections stay open");
    still_answers(&house);
}

#[test]
fn a_header_of_1_mb_too_many_headers_and_garbage_are_refused_and_the_next_one_is_served() {
    let house = House::new();
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "x".repeat(1 << 20));
    let answer = raw(&house, long.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X-One: 1\r\n".repeat(1_000));
    let answer = raw(&house, many.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let target = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(200_000));
    let answer = raw(&house, target.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    let pipelined =
        b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n\x16\x03\x01\x02\x00\x01\x00\xff\xff garbage \r\n\r\n";
    let answer = raw(&house, pipelined);
    // With half-closed connections out (a reader that is gone is noticed at once), garbage may cost its sender the answer.
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.1 400 "),
        "{answer}"
    );
    for smuggled in [
        "POST /api/v1/agents/revive HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /api/v1/agents/revive HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        "POST /api/v1/agents/revive HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "GET\0/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let answer = raw(&house, smuggled.as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{smuggled:?}: {answer}");
    }
    still_answers(&house);
    assert!(!house.service.lines().iter().any(|line| line.contains("panic")), "{}", house.service.lines().join("\n"));
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again_and_nobody_else_is() {
    let house = House::with(Plan { tokens: TOKENS, http: r#"RequestsPerSecond="5""#, ..Plan::default() });
    let wall = house.client_as("wall");
    let answers: Vec<_> = (0..40).map(|_| wall.get("/api/v1/status")).collect();
    assert!(answers[..10].iter().all(|answer| answer.status == 200), "{:?}", answers[9]);
    let refused = answers.iter().find(|answer| answer.status == 429).expect("beyond the burst");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.problem().contains("more than 5 requests per second"), "{refused:?}");
    assert_eq!(house.client_as("sales").get("/api/v1/caller").status, 200, "another token");
    assert!((0..40).all(|_| house.client().get("/health/live").status == 200), "a probe is never too much");
    // Whoever guesses tokens is slowed down, too.
    let guesses: Vec<_> = (0..40).map(|_| house.client().get("/api/v1/status").status).collect();
    assert!(guesses.contains(&401) && guesses.contains(&429), "{guesses:?}");
}

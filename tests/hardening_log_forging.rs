//! Nobody outside writes a line of our log, and nothing from outside reaches a terminal raw: a hostile pool, hostile
//! clients, certificates and files against the real program, and then its log (text and JSON) and its commands are read.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use presence_core::log_text::is_treacherous;
use process::http::Client;
use process::skype::Authority;
use process::{Config, DOMAIN, Service, pool, program, queue, taken_apart};
use serde_json::{Value, json};

/// What nobody here has written.
const FORGED: &str = "2018-05-08 14:05:48,159 [5] forged ERROR - gotcha";

/// What may stand in a header of SIP: everything but the ends of its lines.
fn evil() -> String {
    format!("x\u{1b}[2J\u{9b}31m\u{85}{FORGED}\u{2028}{FORGED}\u{2029}\u{202e}\u{2066}\u{200f}\u{200e}\u{61c}\u{feff}y")
}

/// The same with ends of lines, for bodies.
fn worse() -> String {
    format!("{}\r\n{FORGED}\n{FORGED}\r{FORGED}\u{0}\u{7}\u{8}", evil())
}

/// A pool that says evil things in every place of the language. Agents differ in what they meet.
fn hostile_pool() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || converse(stream));
        }
    });
    address
}

fn converse(mut stream: TcpStream) {
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        received.extend_from_slice(&buffer[..read]);
        while let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            let request = String::from_utf8_lossy(&received[..end]).into_owned();
            received.drain(..end + 4);
            for answer in answers(&request) {
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        }
    }
}

fn header<'a>(request: &'a str, name: &str) -> &'a str {
    let line = request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_default()
}

fn answers(request: &str) -> Vec<String> {
    let evil = evil();
    let respond = |line: &str, more: &str| {
        let to = header(request, "To");
        let tag = if to.contains("tag=") { "" } else { ";tag=pool" };
        let same = |name| header(request, name);
        format!(
            "SIP/2.0 {line}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{more}Server: {evil}\r\n\
             User-Agent: {evil}\r\nContent-Length: 0\r\n\r\n",
            same("Via"),
            same("From"),
            same("Call-ID"),
            same("CSeq"),
        )
    };
    let notify = |state: &str, content_type: &str, body: &str| {
        format!(
            "NOTIFY sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKn\r\nMax-Forwards: 70\r\n\
             From: {};tag=pool\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 NOTIFY\r\nEvent: presence\r\n\
             Subscription-State: {state}\r\nSubject: {evil}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            header(request, "To"),
            header(request, "From"),
            header(request, "Call-ID"),
            body.len(),
        )
    };
    let accepted = || respond("200 OK", "Expires: 3600\r\nContact: <sip:pool@127.0.0.1>\r\n");
    if !request.starts_with("SUBSCRIBE ") {
        return if request.starts_with("SIP/2.0") { Vec::new() } else { vec![respond("200 OK", "")] };
    }
    let agent = request.split(['@', ' ']).nth(1).unwrap_or_default();
    let said = format!(
        "Warning: 399 pool \"{evil}\"\r\nms-diagnostics: 4711;reason=\"{evil}\";source=\"{evil}\"\r\nReason: {evil}\r\n"
    );
    match agent {
        "sip:agent1" => {
            let body =
                worse().replace(['\0', '\u{7}', '\u{8}', '\u{1b}'], "").replace('\n', "&#10;").replace('\r', "&#13;");
            let document = format!(
                "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"{body}\"><tuple id=\"{body}\"><status><basic>open\
                 </basic></status><note>{body}</note></tuple></presence>"
            );
            vec![accepted(), notify("active;expires=3600", "application/pidf+xml", &document)]
        }
        "sip:agent2" => vec![respond(&format!("404 {evil}"), &said)],
        "sip:agent3" => vec![respond(&format!("480 {evil}"), &said)],
        "sip:agent4" => {
            vec![accepted(), notify(&format!("terminated;reason={evil};retry-after={evil}"), "text/plain", "")]
        }
        "sip:agent5" => vec![respond(&format!("403 Forbidden\n{FORGED}"), &said)],
        "sip:agent6" => vec![respond("302 Moved", &format!("Contact: <sip:{evil}>\r\n"))],
        "sip:agent7" => vec![respond(&format!("489 {evil}"), &format!("{evil}: {evil}\r\n"))],
        "sip:agent8" => vec![accepted(), notify("active;expires=3600", &format!("application/{evil}"), &worse())],
        "sip:agent9" => vec![respond(&format!("500 {evil}\r{FORGED}"), &said)],
        "sip:agent10" => vec![
            accepted(),
            format!("{evil} sip:us SIP/2.0\r\nVia: {evil}\r\nContent-Length: 0\r\n\r\n"),
            format!(
                "MESSAGE sip:us SIP/2.0\r\nFrom: \"{evil}\" <sip:{evil}>;tag={evil}\r\nno colon {FORGED}\r\nContent-Length: 0\r\n\r\n"
            ),
            notify("active", "application/pidf+xml", "<presence").replace("Event: presence", &format!("Event: {evil}")),
            notify(&evil, "application/pidf+xml", "").replace("Call-ID: ", &format!("Call-ID: {evil}")),
            notify("active", "application/pidf+xml", &worse()).replace("CSeq: 1 NOTIFY", "CSeq: 7 NOTIFY"),
        ],
        _ => vec![accepted()],
    }
}

fn config(address: SocketAddr) -> Config {
    let agents: Vec<_> = (1..=10).collect();
    let text = Config::text_with_http(
        r#"<Http Listen="127.0.0.1:0" /><AttendantServiceSource enabled="true"><Match pattern="@attendant\.example$" /></AttendantServiceSource>"#,
        "MaxPresenceSubscriptionsPerSecond=\"1000\"",
        "",
        &pool(address, "tcp"),
        &queue("sales", &agents),
    );
    Config::of(&text)
}

/// No character of this line does anything but stand there.
#[track_caller]
fn is_harmless(line: &str) {
    assert!(!line.chars().any(is_treacherous), "{line:?}");
    assert!(!line.starts_with("2018-05-08"), "forged: {line:?}");
}

/// What the program says on both streams when it is asked with these arguments.
fn asked(url: &str, arguments: &[&str]) -> String {
    let output = program().args(arguments).args(["--url", url]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    // Rows for a pipe have tabs of ours between their columns.
    text.lines().for_each(|line| is_harmless(&line.replace('\t', " ")));
    text
}

fn hostile_clients(url: &str) {
    let (client, worse) = (Client::new(url, None), worse());
    let uri = format!("sip:evil{worse}@attendant.example");
    for (method, path, body) in [
        ("POST", "/api/v1/uccs/sales/agents", json!({"subscribe": [uri, worse, "sip:a b@c"]})),
        ("POST", "/api/v1/agents/revive", json!({"uris": [uri, worse]})),
        (
            "PUT",
            "/api/v1/attendant/presence/sip:desk1@attendant.example",
            json!({"state": "Busy", "activity": worse, "time_to_live": 600, "note": worse}),
        ),
        ("PUT", "/api/v1/attendant/presence/sip:desk1@attendant.example", json!({"state": worse, "time_to_live": 60})),
        ("POST", "/api/v1/uccs/sales/agents", json!({(worse.clone()): 1})),
    ] {
        client.send(
            method,
            path,
            &[("content-type", "application/json"), ("user-agent", "\u{ff}x")],
            &body.to_string(),
        );
    }
    let pushed = json!({"state": "Busy", "activity": evil(), "time_to_live": 600});
    client.put("/api/v1/attendant/presence/sip:desk2@attendant.example", &pushed);
    let encoded: String = worse.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for path in ["/api/v1/uccs/", "/api/v1/agents/sip:", "/api/v1/agents?q=", "/api/v1/events?ucc=", "/"] {
        client.get(&format!("{path}{encoded}"));
        client.put(&format!("{path}{encoded}/agents/sip:a@b.example"), &json!(null));
    }
    // Raw, as no decent client sends it.
    let address = url.split_once("://").unwrap().1;
    for raw in [
        format!(
            "GET /{} HTTP/1.1\r\nHost: {}\r\nX-Request-Id: {}\r\nAuthorization: Bearer {}\r\n\r\n",
            evil(),
            evil(),
            evil(),
            evil()
        ),
        format!(
            "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nOrigin: http://{}\r\nReferer: {}\r\n\r\n",
            evil(),
            evil()
        ),
        worse,
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        stream.write_all(raw.as_bytes()).unwrap();
        let _answer_or_not = stream.read(&mut [0; 4096]);
    }
}

/// The program after everything that a hostile world could say.
fn lived(format: &str, look: impl Fn(&str)) -> Vec<String> {
    let config = config(hostile_pool());
    let service = config.run(&["--log-level", "trace", "--log-format", format]);
    let said = service.says("the API and the dashboard are at ");
    let at = said.find("http://").unwrap();
    let url = said[at..].split(['"', ' ']).next().unwrap().trim_end_matches('/').to_owned();
    for answer in ["404 x", "480 x"] {
        service.until(answer, || {
            service.lines().iter().any(|line| line.contains("SUBSCRIBE failed") && line.contains(answer))
        });
    }
    // What is no SIP any more with what was put into it costs itself.
    service
        .until("malformed messages", || service.lines().iter().filter(|line| line.contains("alformed")).count() >= 5);
    hostile_clients(&url);
    look(&url);
    service.terminate().lines
}

#[test]
fn no_line_of_the_text_log_and_no_line_of_a_command_is_written_by_somebody_outside() {
    let lines = lived("text", |url| {
        for arguments in [
            &["status"][..],
            &["agents", "--all"],
            &["agents", "--json"],
            &["queues"],
            &["queues", "--json"],
            &["status", "--json"],
            &["agent", "sip:desk2@attendant.example"],
            &["agents", "--query", "\u{202e}\u{1b}[2J"],
            &["agent", "sip:\u{1b}[2Jx@y.example"],
        ] {
            asked(url, arguments);
        }
        for number in 1..=10 {
            let uri = format!("sip:agent{number}@{DOMAIN}");
            asked(url, &["agent", &uri]);
            asked(url, &["agent", &uri, "--json"]);
        }
        let shown = asked(url, &["agents", "--all"]);
        assert_eq!(shown.lines().filter(|line| line.contains("agent2@")).count(), 1, "{shown}");
    });
    assert!(lines.len() > 100, "{}", lines.len());
    for line in &lines {
        is_harmless(line);
        let (logger, _, _) = taken_apart(line);
        assert_ne!(logger, "forged", "{line}");
    }
    let told = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert!(told(r"\u{202e}") >= 4 && told(r"\u{1b}[2J") >= 4, "what was sent is there, made visible");
    assert!(told("forged ERROR - gotcha") >= 4);
}

#[test]
fn no_object_of_the_json_log_is_written_by_somebody_outside() {
    let lines = lived("json", |_| {});
    assert!(lines.len() > 100, "{}", lines.len());
    for line in &lines {
        is_harmless(line);
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_ne!(object["logger"], "forged", "{line}");
    }
}

#[test]
fn hostile_names_in_certificates_stay_on_their_line() {
    let authority = Authority::named(&worse());
    let name = worse();
    let own = authority.issue(&["trust.demo.example", "127.0.0.1"], |params| {
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name.as_str());
        params.distinguished_name.push(rcgen::DnType::OrganizationName, evil());
    });
    let foreign = authority.issue(&["fe07.demo.example"], |params| {
        let forged = format!("a\n{FORGED}\u{1b}[2J");
        params.subject_alt_names.push(rcgen::SanType::DnsName(forged.as_str().try_into().unwrap()));
        params.distinguished_name.push(rcgen::DnType::CommonName, worse());
    });
    let server = authority.front_end(foreign, 1, |_| {});
    let config = process::skype::config(&server.address(0).to_string(), "", "", 1, &own, &authority.pem());
    let service = config.run(&["--log-level", "trace"]);
    service.says("the certificate for the pool is in use: ");
    service.says("cannot reach its pool");
    let lines = service.terminate().lines;
    for line in &lines {
        is_harmless(line);
        assert_ne!(taken_apart(line).0, "forged", "{line}");
    }
    let mut doctor = program();
    doctor.arg("doctor").arg("--config").arg(config.path());
    let ended = Service::start(doctor).end();
    assert!(ended.lines.iter().any(|line| line.contains("certificate")), "{}", ended.all());
    ended.lines.iter().for_each(|line| is_harmless(line));
}

#[test]
fn a_hostile_file_is_complained_about_line_by_line_of_ours() {
    let evil = "&#x202e;&#x9b;&#x85;&#10;2018-05-08 14:05:48,159 [5] forged ERROR - gotcha&#x61c;&#x200b;&#xfeff;";
    let raw = "\u{202e}\u{9b}\u{85}\u{2028}\u{61c}\u{200b}";
    let text = format!(
        "<?xml version=\"1.0\"?>\n<config version=\"{evil}\">\n<PresenceProvider MaxPresenceSubscriptionsPerSecond=\"{evil}\" {raw}=\"1\" other=\"{raw}\">\n\
         <UcmaPresenceSource enabled=\"true\" ApplicationId=\"{evil}\">\n<ApplicationEndpoint OwnerUri=\"{evil}{raw}\" />\n\
         <Pool Address=\"{evil}\" Transport=\"{raw}\" Certificate=\"{evil}\" PrivateKey=\"{raw}\" TrustedCertificates=\"{evil}\" />\n\
         </UcmaPresenceSource>\n<{raw}/></PresenceProvider></config>"
    );
    let legal = text.replace(&format!("{raw}=\"1\" "), "").replace(&format!("<{raw}/>"), "");
    for text in [text.as_str(), legal.as_str()] {
        let config = Config::of(text);
        for arguments in [
            &["check"][..],
            &["check", "--json"],
            &["run"],
            &["doctor"],
            &["provision"],
            &["explain", "sip:a@b.example"],
        ] {
            let output = program().args(arguments).arg("--config").arg(config.path()).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
            assert!(!said.is_empty(), "{arguments:?}");
            said.lines().for_each(is_harmless);
        }
    }
}

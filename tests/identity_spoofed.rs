//! Somebody on the network who plays the pool to the real program: he knows everything but is not the pool, or is in the
//! pool's place and does not know the dialog. Nothing changes, and the metrics say what was tried.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use process::http::Client;
use process::{Config, Service, eventually, pool, queue};

/// The pool: one UDP socket that accepts everything and says that everybody is there. The SUBSCRIBE that it got is kept.
struct Pool {
    socket: UdpSocket,
    subscribe: Arc<Mutex<Option<(String, SocketAddr)>>>,
}

fn header<'a>(request: &'a str, name: &str) -> &'a str {
    request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

fn notify(method: &str, subscribe: &str, cseq: u32, basic: &str) -> String {
    let body = format!(
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"pres:agent1@demo.example\"><tuple id=\"a\"><status>\
         <basic>{basic}</basic></status></tuple></presence>"
    );
    format!(
        "{method} sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK{method}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: {};tag=pool\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nEvent: presence\r\n\
         Subscription-State: active;expires=3000\r\nContent-Type: application/pidf+xml\r\nContent-Length: {}\r\n\r\n{body}",
        header(subscribe, "To"),
        header(subscribe, "From"),
        header(subscribe, "Call-ID"),
        body.len(),
    )
}

impl Pool {
    fn open() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let subscribe = Arc::new(Mutex::new(None));
        let (answering, kept) = (socket.try_clone().unwrap(), Arc::clone(&subscribe));
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok((size, from)) = answering.recv_from(&mut buffer) {
                let request = String::from_utf8_lossy(&buffer[..size]).into_owned();
                if request.starts_with("SIP/2.0") || !request.contains("CSeq: ") {
                    continue;
                }
                let same = |name| header(&request, name);
                let tag = if same("To").contains("tag=") { "" } else { ";tag=pool" };
                let answer = format!(
                    "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nExpires: 3600\r\n\
                     Contact: <sip:pool@127.0.0.1>\r\nContent-Length: 0\r\n\r\n",
                    same("Via"),
                    same("From"),
                    same("To"),
                    same("Call-ID"),
                    same("CSeq"),
                );
                answering.send_to(answer.as_bytes(), from).unwrap();
                if request.starts_with("SUBSCRIBE ") && kept.lock().unwrap().is_none() {
                    answering.send_to(notify("NOTIFY", &request, 10, "open").as_bytes(), from).unwrap();
                    *kept.lock().unwrap() = Some((request, from));
                }
            }
        });
        Self { socket, subscribe }
    }

    fn subscribe(&self) -> (String, SocketAddr) {
        assert!(eventually(|| self.subscribe.lock().unwrap().is_some()), "nobody subscribes");
        self.subscribe.lock().unwrap().clone().unwrap()
    }
}

/// A program with one agent at this pool, and a client of its API.
fn run(attributes: &str) -> (Service, Config, Client) {
    let text = Config::text_with_http(r#"<Http Listen="127.0.0.1:0" />"#, "", "", attributes, &queue("sales", &[1]));
    let config = Config::of(&text);
    let service = config.run(&["--log-level", "debug"]);
    let said = service.says("the API and the dashboard are at ");
    let client = Client::new(said.rsplit(' ').next().unwrap().trim_end_matches('/'), None);
    (service, config, client)
}

fn metric(client: &Client, row: &str) -> u64 {
    let text = client.get("/metrics").text;
    let line = text.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("no {row}:\n{text}"));
    line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64
}

/// What was refused for this reason, by the last look of a second ago.
fn refused(client: &Client, family: &str, reason: &str) -> u64 {
    metric(client, &format!("{family}_total{{endpoint=\"application\",reason=\"{reason}\"}}"))
}

fn state(client: &Client) -> String {
    client.get("/api/v1/agents/sip:agent1@demo.example").json["agent"]["presence"]["availability"]["name"].to_string()
}

#[test]
fn datagrams_that_are_not_the_pools_and_notifications_that_are_not_the_dialogs_change_nothing() {
    let the_pool = Pool::open();
    let (service, _config, client) = run(&pool(the_pool.socket.local_addr().unwrap(), "udp"));
    let (subscribe, us) = the_pool.subscribe();
    service.until("the agent is there", || state(&client) == "\"Online\"");

    // He has read every byte, and has another address.
    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    for cseq in 11..=30 {
        let method = if cseq % 2 == 0 { "NOTIFY" } else { "BENOTIFY" };
        stranger.send_to(notify(method, &subscribe, cseq, "closed").as_bytes(), us).unwrap();
    }
    // He has the pool's address, and does not know the dialog.
    let guest = UdpSocket::bind("127.0.0.1:0").unwrap();
    guest.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let good = notify("NOTIFY", &subscribe, 50, "closed");
    let call = header(&subscribe, "Call-ID");
    let tag = header(&subscribe, "From").split(";tag=").nth(1).unwrap();
    for (number, (forged, code)) in [
        (good.replace(call, "ffffffffffffffff"), "481"),
        (good.replace(tag, "guess"), "481"),
        (good.replace(";tag=pool", ";tag=other"), "481"),
        (notify("NOTIFY", &subscribe, 9, "closed"), "500"),
        (good.replace("Event: presence", "Event: dialog"), "489"),
    ]
    .into_iter()
    .enumerate()
    {
        let forged = forged.replace("branch=z9hG4bK", &format!("branch=z9hG4bK{number}"));
        guest.send_to(forged.as_bytes(), us).unwrap();
        let mut buffer = [0; 4096];
        let (size, _) = guest.recv_from(&mut buffer).unwrap();
        let answer = String::from_utf8_lossy(&buffer[..size]).into_owned();
        assert!(answer.starts_with(&format!("SIP/2.0 {code} ")), "{forged}\n{answer}");
    }
    let counted =
        |reason, count| service.until(reason, || refused(&client, "presence_notify_refused", reason) == count);
    counted("wrong_peer", 20);
    counted("unknown_dialog", 1);
    counted("wrong_tag", 1);
    counted("other_notifier", 1);
    counted("old_cseq", 1);
    counted("other_event", 1);
    assert_eq!(refused(&client, "presence_sip_refused", "stranger"), 20);
    assert_eq!(state(&client), "\"Online\"");
    assert_eq!(metric(&client, "presence_endpoint_dialogs{endpoint=\"application\"}"), 1);
    // The pool itself is still heard.
    the_pool.socket.send_to(notify("NOTIFY", &subscribe, 51, "closed").as_bytes(), us).unwrap();
    service.until("the agent is gone", || state(&client) == "\"Offline\"");
}

#[test]
fn a_stranger_may_not_connect_and_who_may_is_answered_481() {
    let server = process::server(1);
    let (service, _config, client) = run(&(pool(server.address(), "tcp") + " Listen=\"127.0.0.1:0\""));
    let listening = service.says("the application endpoint listens on ");
    let us: SocketAddr = listening.split(" listens on ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    service.until("the agent is there", || {
        refused(&client, "presence_sip_refused", "stranger") == 0 && state(&client) != "null"
    });
    let before = state(&client);
    let subscribe = "From: <sip:us@demo.example>;tag=guess\nTo: <sip:agent1@demo.example>\nCall-ID: guess";
    let forged = notify("NOTIFY", subscribe, 1, "closed").replace("/UDP", "/TCP");

    let mut stranger = process::wait_for(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
        socket.connect(us).await.unwrap().into_std().unwrap()
    });
    stranger.set_nonblocking(false).unwrap();
    let _refused = stranger.write_all(forged.as_bytes());
    stranger.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(stranger.read(&mut [0; 64]).unwrap_or_default(), 0, "the connection is closed without a word");

    let mut guest = TcpStream::connect(us).unwrap();
    guest.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    guest.write_all(forged.as_bytes()).unwrap();
    let mut answer = [0; 64];
    guest.read_exact(&mut answer).unwrap();
    assert!(answer.starts_with(b"SIP/2.0 481 "), "{}", String::from_utf8_lossy(&answer));
    service.until("both are counted", || {
        refused(&client, "presence_sip_refused", "stranger") == 1
            && refused(&client, "presence_notify_refused", "unknown_dialog") == 1
    });
    assert_eq!(state(&client), before);
    let told = service.says("a connection was turned away");
    assert!(told.contains("its address is not one of the pool's servers"), "{told}");
}

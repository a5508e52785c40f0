//! Live events of the real program over WebSocket: the same as server-sent events, and the commands of a client.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use presence_simulator::{Activity, AgentState};
use process::eventually;
use process::http::{House, Plan};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::{IntoClientRequest, client};
use tokio_tungstenite::tungstenite::{Error, HandshakeError, Message, WebSocket};

/// A conversation over WebSocket; dropping it closes the connection without a word.
struct Socket(WebSocket<TcpStream>);

impl Socket {
    /// Opens one, or gives the status of another answer.
    fn open(house: &House, query: &str, token: Option<&str>) -> Result<Self, u16> {
        let stream = TcpStream::connect(house.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let url = format!("ws://{}/api/v1/events/websocket{query}", house.address());
        let mut request = url.into_client_request().unwrap();
        if let Some(token) = token {
            request.headers_mut().insert("Authorization", format!("Bearer {token}").parse().unwrap());
        }
        match client(request, stream) {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(HandshakeError::Failure(Error::Http(response))) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    fn of_sales(house: &House) -> Self {
        Self::open(house, "?ucc=sales", None).unwrap()
    }

    /// The next message; null once the other end has said goodbye.
    fn next(&mut self) -> Value {
        loop {
            match self.0.read().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(_) => return Value::Null,
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message of this type.
    fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next();
            assert!(message.is_object(), "the conversation ended without {kind}");
            if message["type"] == kind {
                return message;
            }
        }
    }

    fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).unwrap();
    }

    fn subscribe(&mut self, agents: &[usize]) {
        let agents: Vec<_> = agents.iter().copied().map(House::agent).collect();
        self.say(&json!({"subscribe": agents}).to_string());
    }
}

fn set(house: &House, agent: usize, activity: Activity) {
    assert!(house.server.set_presence(&House::agent(agent), AgentState::of(activity)));
}

#[test]
fn two_queues_share_one_subscription_and_both_hear_every_change_in_order() {
    let house = House::new();
    let mut sales = Socket::of_sales(&house);
    let mut support = Socket::open(&house, &format!("?ucc=support&agents={}", House::agent(1)), None).unwrap();
    sales.subscribe(&[1]);
    for socket in [&mut sales, &mut support] {
        let mut message = socket.next();
        if message["type"] == "pending" {
            message = socket.next();
        }
        assert_eq!((&message["uri"], &message["sequence"]), (&json!(House::agent(1)), &json!(1)), "{message}");
    }
    for (sequence, activity) in (2..30).zip([Activity::Away, Activity::Busy].into_iter().cycle()) {
        set(&house, 1, activity);
        for socket in [&mut sales, &mut support] {
            let message = socket.next();
            assert_eq!((&message["type"], &message["sequence"]), (&json!("changed"), &json!(sequence)), "{message}");
            assert!(message["id"].as_str().unwrap().contains('-'), "{message}");
        }
    }
    assert_eq!(house.server.counters().by_agent.len(), 1);
    assert_eq!(house.server.counters().most_for_one_agent, 1);
    sales.say(&json!({"unsubscribe": [House::agent(1)]}).to_string());
    assert_eq!(sales.next()["type"], "released");
    set(&house, 1, Activity::Meal);
    assert_eq!(support.next()["sequence"], 30, "the other queue is not concerned");
}

#[test]
fn a_client_that_is_killed_and_comes_back_goes_on_where_it_was_without_any_sip() {
    let house = House::new();
    let mut socket = Socket::of_sales(&house);
    socket.subscribe(&[1]);
    let first = socket.until("changed");
    drop(socket);
    let client = house.client();
    assert!(eventually(|| client.get("/api/v1/uccs/sales").json["connections"] == 0), "it is noticed");
    let before = house.server.counters();
    set(&house, 1, Activity::Away);
    assert!(eventually(|| {
        client.get(&format!("/api/v1/uccs/sales/agents/{}", House::agent(1))).json["sequence"] == 2
    }));
    let id = first["id"].as_str().unwrap();
    let mut socket = Socket::open(&house, &format!("?ucc=sales&last_event_id={id}"), None).unwrap();
    let next = socket.next();
    assert_eq!((&next["type"], &next["sequence"]), (&json!("changed"), &json!(2)), "{next}");
    let after = house.server.counters();
    assert_eq!((after.subscribes, after.unsubscribes), (before.subscribes, 0));
}

#[test]
fn what_is_wrong_with_a_command_is_answered_and_the_rest_is_done() {
    let house = House::new();
    let mut socket = Socket::of_sales(&house);
    for (command, status, words) in [
        ("hello", 400, "cannot be read"),
        (r#"{"subscribe":"sip:a@b"}"#, 400, "cannot be read"),
        (r#"{"subscribes":[]}"#, 400, "`subscribes`"),
    ] {
        socket.say(command);
        let problem = socket.next();
        assert_eq!((&problem["type"], &problem["status"]), (&json!("problem"), &json!(status)), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    socket.0.send(Message::binary(vec![1, 2, 3])).unwrap();
    assert_eq!(socket.next()["status"], 400);
    socket.say(&json!({"subscribe": ["sip:nobody", House::agent(1)]}).to_string());
    let problem = socket.until("problem");
    assert_eq!((&problem["status"], &problem["refused"][0]["uri"]), (&json!(422), &json!("sip:nobody")), "{problem}");
    assert_eq!(house.client().get("/api/v1/uccs/sales").json["agents"], 1);
    socket.0.send(Message::Ping(vec![7].into())).unwrap();
    while !matches!(socket.0.read().unwrap(), Message::Pong(bytes) if bytes[..] == [7]) {}
    // An observer commands nobody.
    let mut observer = Socket::open(&house, "", None).unwrap();
    observer.subscribe(&[2]);
    let problem = observer.until("problem");
    assert_eq!(problem["status"], 403);
}

#[test]
fn commands_are_counted_as_requests_and_a_token_that_is_revoked_ends_the_conversation() {
    let tokens: &[(&str, &[&str])] = &[("sales", &["ucc:sales"])];
    let house = House::with(Plan { tokens, http: "RequestsPerSecond=\"5\"", ..Plan::default() });
    let mut socket = Socket::open(&house, "?ucc=sales", Some(house.token("sales"))).unwrap();
    for _ in 0..100 {
        socket.subscribe(&[1]);
    }
    let problem = socket.until("problem");
    assert_eq!((&problem["status"], &problem["retry_after"]), (&json!(429), &json!(1)), "{problem}");
    let tokens = house.config.path().with_file_name("tokens");
    let revoked = process::program().args(["token", "revoke", "sales", "--file"]).arg(tokens).output().unwrap();
    assert!(revoked.status.success(), "{revoked:?}");
    let why = loop {
        match socket.0.read().unwrap() {
            Message::Close(why) => break why.unwrap(),
            // Whoever never stops talking is not heard for ever.
            _ => socket.subscribe(&[1]),
        }
    };
    assert_eq!((u16::from(why.code), why.reason.as_str()), (1008, "the token does not allow this any more"));
}

#[test]
fn a_command_that_is_too_long_ends_the_conversation_and_harms_nobody() {
    let house = House::new();
    let mut long = Socket::of_sales(&house);
    let mut other = Socket::of_sales(&house);
    let _it_may_be_thrown_out_while_it_speaks = long.0.send(Message::text("x".repeat(300 << 10)));
    let ended = loop {
        match long.0.read() {
            Ok(Message::Close(_)) | Err(_) => break true,
            Ok(_) => {}
        }
    };
    assert!(ended);
    other.subscribe(&[1]);
    other.until("pending");
}

#[test]
fn a_frame_that_announces_more_than_it_may_is_refused_before_it_comes() {
    let house = House::new();
    let mut socket = Socket::of_sales(&house);
    let stream = socket.0.get_mut();
    // A masked text of 2^62 bytes. Nothing of it comes.
    stream.write_all(&[0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]).unwrap();
    let why = loop {
        if let Message::Close(why) = socket.0.read().unwrap() {
            break why.unwrap();
        }
    };
    assert_eq!(why.reason.as_str(), "a frame is malformed or too long");
}

#[test]
fn strangers_are_refused_and_the_service_says_goodbye() {
    let tokens: &[(&str, &[&str])] = &[("sales", &["ucc:sales"]), ("support", &["ucc:support"])];
    let house = House::with(Plan { tokens, ..Plan::default() });
    let open = |query: &str, token: Option<&str>| Socket::open(&house, query, token.map(|name| house.token(name)));
    assert_eq!(open("?ucc=sales", None).err(), Some(401));
    assert_eq!(open("?ucc=sales", Some("support")).err(), Some(403));
    let mut socket = open("", Some("sales")).unwrap();
    house.service.signal("TERM");
    assert_eq!(socket.until("goodbye"), json!({"type": "goodbye"}));
    assert_eq!(socket.next(), Value::Null);
}

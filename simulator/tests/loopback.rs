//! The shell on real sockets of loopback, with a client made of text.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use common::{AGENT, Subscribe, answer, shape};
use presence_simulator::{
    Activity, AgentState, Faults, Reach, Refusal, Scope, Simulator, SimulatorHandle, SimulatorSettings, StartError,
    Termination,
};
use presence_sip::{Frame, Framer, Limits, Message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Longer than anything here takes; reached only by a failing test.
const PATIENCE: Duration = Duration::from_secs(10);

async fn start() -> SimulatorHandle {
    Simulator::start(SimulatorSettings::with_agents(3, "sim.example")).await.unwrap()
}

/// Returns when the server has read this many answers.
async fn wait_for_answers(server: &SimulatorHandle, count: u64) {
    let all = async {
        while server.counters().answers < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, all).await.unwrap();
}

struct Client {
    stream: TcpStream,
    framer: Framer,
    waiting: VecDeque<Message>,
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self { stream, framer: Framer::new(Limits::default()), waiting: VecDeque::new() }
    }

    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next message; `None` at the end of the connection.
    async fn hear(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Some(message);
            }
            let mut buffer = [0; 4_096];
            let length = timeout(PATIENCE, self.stream.read(&mut buffer)).await.unwrap().unwrap_or(0);
            if length == 0 {
                return None;
            }
            self.framer.push(&buffer[..length]);
            while let Some(frame) = self.framer.next_frame().unwrap() {
                let Frame::Message(message) = frame else { panic!("{frame:?}") };
                self.waiting.push_back(message);
            }
        }
    }

    async fn hear_shapes(&mut self, count: usize) -> Vec<String> {
        let mut messages = Vec::new();
        for _ in 0..count {
            messages.push(self.hear().await.unwrap());
        }
        shape(&messages)
    }
}

#[tokio::test]
async fn a_change_and_an_end_travel_over_tcp() {
    let server = start().await;
    let mut client = Client::connect(server.address()).await;
    client.say(&Subscribe::default().text()).await;
    assert_eq!(client.hear_shapes(2).await, ["200", "NOTIFY active"]);
    assert!(server.set_presence(AGENT, AgentState::of(Activity::OnThePhone)));
    let notify = client.hear().await.unwrap();
    assert!(std::str::from_utf8(notify.body()).unwrap().contains("<rpid:on-the-phone/>"));
    client.say(&answer(&notify, 200)).await;
    wait_for_answers(&server, 1).await;
    assert_eq!(server.terminate(AGENT, &Termination::because("deactivated")), 1);
    assert_eq!(client.hear_shapes(1).await, ["NOTIFY terminated;reason=deactivated"]);
    let counters = server.counters();
    assert_eq!((counters.subscribes, counters.notifies_sent, counters.answers), (1, 3, 1));
    assert_eq!(counters.active_subscriptions, 0);
    assert!(!server.set_presence("sip:nobody@sim.example", AgentState::default()));
    server.stop().await;
    assert_eq!(client.hear().await.map(|message| shape(&[message])), None);
}

#[tokio::test]
async fn faults_can_be_switched_while_it_runs() {
    let server = start().await;
    let mut client = Client::connect(server.address()).await;
    server.faults(&Scope::Everyone, Faults::refusing(Refusal::with(403)));
    client.say(&Subscribe::default().text()).await;
    assert_eq!(client.hear_shapes(1).await, ["403"]);
    server.heal();
    client.say(&Subscribe { sequence: 2, ..Subscribe::default() }.text()).await;
    assert_eq!(client.hear_shapes(2).await, ["200", "NOTIFY active"]);
}

#[tokio::test]
async fn garbage_costs_its_sender_an_error_and_a_ping_gets_a_pong() {
    let server = start().await;
    let mut client = Client::connect(server.address()).await;
    client.say(&Subscribe::default().text().replace("CSeq: 1 SUBSCRIBE\r\n", "")).await;
    client.say(&Subscribe { sequence: 2, ..Subscribe::default() }.text()).await;
    let heard = client.hear_shapes(3).await;
    assert_eq!(heard, ["400", "200", "NOTIFY active"]);
    assert_eq!(server.counters().malformed, 1);
    client.say("\r\n\r\n").await;
    let mut pong = [0; 2];
    timeout(PATIENCE, client.stream.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong, b"\r\n");
}

#[tokio::test]
async fn dropped_connections_end_and_the_dialogs_live_on_in_the_next() {
    let server = start().await;
    let mut client = Client::connect(server.address()).await;
    client.say(&Subscribe::default().text()).await;
    let tag = client.hear().await.unwrap().to().unwrap().tag().map(str::to_owned);
    client.hear().await.unwrap();
    assert_eq!(server.drop_connections(), 1);
    assert!(client.hear().await.is_none());
    let mut client = Client::connect(server.address()).await;
    client.say(&Subscribe { to_tag: tag, sequence: 2, ..Subscribe::default() }.text()).await;
    assert_eq!(client.hear_shapes(2).await, ["200", "NOTIFY active"]);
    assert_eq!(server.active_subscriptions(), 1);
    assert_eq!(server.counters().connections, 2);
}

#[tokio::test]
async fn a_closed_listener_refuses_and_comes_back_on_the_same_port() {
    let server = start().await;
    let mut client = Client::connect(server.address()).await;
    client.say(&Subscribe::default().text()).await;
    assert_eq!(client.hear_shapes(2).await, ["200", "NOTIFY active"]);
    server.pause_listening(Duration::from_millis(150)).await;
    assert!(TcpStream::connect(server.address()).await.is_err());
    let mut tries = 0;
    let stream = loop {
        match TcpStream::connect(server.address()).await {
            Ok(stream) => break stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        tries += 1;
        assert!(tries < 1_000, "it never listened again");
    };
    drop(stream);
    server.set_presence(AGENT, AgentState::of(Activity::Busy));
    assert_eq!(client.hear_shapes(1).await, ["NOTIFY active"], "who was connected stays so");
}

#[tokio::test]
async fn udp_is_served_on_the_same_port() {
    let server = start().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server.address()).await.unwrap();
    socket.send(Subscribe::default().text().as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    for _ in 0..2 {
        let mut buffer = [0; 65_535];
        let length = timeout(PATIENCE, socket.recv(&mut buffer)).await.unwrap().unwrap();
        heard.push(common::parse(Bytes::copy_from_slice(&buffer[..length])));
    }
    assert_eq!(shape(&heard), ["200", "NOTIFY active"]);
    assert!(heard[1].header("Via").unwrap().starts_with("SIP/2.0/UDP "));
    socket.send(answer(&heard[1], 200).as_bytes()).await.unwrap();
    wait_for_answers(&server, 1).await;
    assert_eq!(server.counters().notifies_sent, 1);
}

#[tokio::test]
async fn agents_move_by_themselves_in_real_time() {
    let settings = SimulatorSettings {
        change_interval: Some(Duration::from_millis(20)),
        ..SimulatorSettings::with_agents(3, "sim.example")
    };
    let server = Simulator::start(settings).await.unwrap();
    let mut client = Client::connect(server.address()).await;
    client.say(&Subscribe::default().text()).await;
    assert_eq!(client.hear_shapes(1).await, ["200"]);
    for _ in 0..5 {
        let notify = client.hear().await.unwrap();
        client.say(&answer(&notify, 200)).await;
    }
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let settings = SimulatorSettings { agents: vec!["nonsense".into()], ..SimulatorSettings::default() };
    assert!(matches!(Simulator::start(settings).await, Err(StartError::Agent { .. })));
    let server = start().await;
    for reach in [Reach::Tcp, Reach::Udp, Reach::Both] {
        let settings = SimulatorSettings { listen: server.address(), reach, ..SimulatorSettings::default() };
        assert!(matches!(Simulator::start(settings).await, Err(StartError::Listen { .. })), "{reach:?}");
    }
}

#[tokio::test]
async fn the_server_ends_with_the_last_handle() {
    let server = start().await;
    let second = server.clone();
    let mut client = Client::connect(server.address()).await;
    drop(server);
    client.say(&Subscribe::default().text()).await;
    assert_eq!(client.hear_shapes(2).await, ["200", "NOTIFY active"]);
    drop(second);
    assert!(client.hear().await.is_none());
}

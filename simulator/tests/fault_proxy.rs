//! The fault proxy on real sockets: what each fault looks like to the two who talk through it.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use presence_simulator::{Door, FaultProxy, FaultProxyHandle, FaultProxySettings, FaultRule, NetworkFault, Way};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

/// How long something may take that should happen at once.
const SOON: Duration = Duration::from_secs(20);
/// How long nothing is waited for.
const A_WHILE: Duration = Duration::from_millis(150);

/// Both ends of one connection through a proxy.
struct Wire {
    proxy: FaultProxyHandle,
    client: TcpStream,
    server: TcpStream,
}

impl Wire {
    async fn with(rules: Vec<FaultRule>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = between(listener.local_addr().unwrap(), None).await;
        rules.into_iter().for_each(|rule| proxy.add(rule));
        let client = TcpStream::connect(proxy.address()).await.unwrap();
        let (server, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
        Self { proxy, client, server }
    }
}

async fn between(server: SocketAddr, client_listener: Option<SocketAddr>) -> FaultProxyHandle {
    FaultProxy::start(FaultProxySettings { seed: 1, server, client_listener }).await.unwrap()
}

fn notify(number: u32) -> String {
    format!("NOTIFY sip:a@example.test SIP/2.0\r\nCSeq: {number} NOTIFY\r\nContent-Length: 4\r\n\r\nbody")
}

/// Reads exactly this text.
async fn expect(stream: &mut TcpStream, text: &str) {
    let mut read = vec![0; text.len()];
    timeout(SOON, stream.read_exact(&mut read)).await.unwrap_or_else(|_| panic!("no {text}")).unwrap();
    assert_eq!(String::from_utf8(read).unwrap(), text);
}

async fn expect_nothing(stream: &mut TcpStream) {
    assert!(timeout(A_WHILE, stream.read(&mut [0; 9])).await.is_err(), "something came, or it was closed");
}

async fn expect_reset(stream: &mut TcpStream) {
    let end = timeout(SOON, stream.read(&mut [0; 9])).await.unwrap();
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

fn rule(fault: NetworkFault) -> FaultRule {
    FaultRule::new(fault).way(Way::ToClient).method("NOTIFY")
}

#[tokio::test]
async fn without_faults_bytes_go_both_ways_and_an_end_is_handed_on() {
    let mut wire = Wire::with(vec![]).await;
    wire.server.write_all(notify(1).as_bytes()).await.unwrap();
    expect(&mut wire.client, &notify(1)).await;
    wire.client.write_all(b"\x16\x03no SIP at all").await.unwrap();
    expect(&mut wire.server, "\u{16}\u{3}no SIP at all").await;
    drop(wire.client);
    assert_eq!(timeout(SOON, wire.server.read(&mut [0; 9])).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn messages_are_dropped_doubled_and_overtaken() {
    let mut wire = Wire::with(vec![
        rule(NetworkFault::Drop).times(1),
        rule(NetworkFault::Duplicate).times(1),
        rule(NetworkFault::Reorder).times(1),
    ])
    .await;
    for number in 1..=4 {
        wire.server.write_all(notify(number).as_bytes()).await.unwrap();
    }
    expect(&mut wire.client, &[notify(2), notify(2), notify(4), notify(3)].concat()).await;
    wire.proxy.heal();
    wire.proxy.add(rule(NetworkFault::Reorder));
    wire.server.write_all(notify(5).as_bytes()).await.unwrap();
    expect(&mut wire.client, &notify(5)).await;
    let counters = wire.proxy.counters();
    assert_eq!(["drop", "duplicate", "reorder"].map(|name| counters.done(name)), [1, 1, 2]);
    assert_eq!(counters.messages[&(Way::ToClient, "NOTIFY".to_owned(), false)], 5);
}

#[tokio::test]
async fn what_is_split_delayed_or_comes_by_single_bytes_arrives_whole() {
    let (least, most) = (Duration::from_millis(5), Duration::from_millis(20));
    let mut wire = Wire::with(vec![
        rule(NetworkFault::Split).times(1),
        rule(NetworkFault::Delay { least, most }).times(1),
        rule(NetworkFault::Trickle { pause: Duration::from_micros(100) }).times(1),
    ])
    .await;
    for number in 1..=3 {
        wire.server.write_all(notify(number).as_bytes()).await.unwrap();
    }
    expect(&mut wire.client, &[notify(1), notify(2), notify(3)].concat()).await;
    let counters = wire.proxy.counters();
    assert_eq!(["split", "delay", "trickle"].map(|name| counters.done(name)), [1, 1, 1]);
}

#[tokio::test]
async fn a_reset_reaches_both_ends() {
    let mut wire = Wire::with(vec![rule(NetworkFault::Reset)]).await;
    wire.server.write_all(notify(1).as_bytes()).await.unwrap();
    expect_reset(&mut wire.client).await;
    expect_reset(&mut wire.server).await;
    let mut wire = Wire::with(vec![]).await;
    assert_eq!(wire.proxy.reset_all(), 1);
    expect_reset(&mut wire.client).await;
    expect_reset(&mut wire.server).await;
}

#[tokio::test]
async fn a_message_that_is_truncated_is_the_last_thing_that_comes() {
    for fault in [NetworkFault::Truncate, NetworkFault::CloseAfter { bytes: 20 }] {
        let mut wire = Wire::with(vec![rule(fault)]).await;
        wire.server.write_all(notify(1).as_bytes()).await.unwrap();
        let mut read = Vec::new();
        timeout(SOON, wire.client.read_to_end(&mut read)).await.unwrap().unwrap();
        assert!(!read.is_empty() && read.len() < notify(1).len(), "{fault:?}: {} bytes", read.len());
        assert!(notify(1).as_bytes().starts_with(&read), "{fault:?}");
    }
}

#[tokio::test]
async fn a_silent_connection_stands_and_says_nothing_even_of_its_end() {
    let mut wire = Wire::with(vec![]).await;
    assert_eq!(wire.proxy.silence_all(), 1);
    wire.server.write_all(notify(1).as_bytes()).await.unwrap();
    wire.client.write_all(notify(2).as_bytes()).await.unwrap();
    expect_nothing(&mut wire.client).await;
    drop(wire.client);
    expect_nothing(&mut wire.server).await;
    wire.proxy.heal();
    expect_nothing(&mut wire.server).await;
}

#[tokio::test]
async fn the_door_swallows_or_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = between(listener.local_addr().unwrap(), None).await;
    proxy.set_door(Door::HalfOpen);
    let mut swallowed = TcpStream::connect(proxy.address()).await.unwrap();
    swallowed.write_all(notify(1).as_bytes()).await.unwrap();
    expect_nothing(&mut swallowed).await;
    proxy.set_door(Door::Refused);
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    expect_reset(&mut refused).await;
    assert!(timeout(A_WHILE, listener.accept()).await.is_err(), "the server heard of neither");
    proxy.heal();
    let _open = TcpStream::connect(proxy.address()).await.unwrap();
    timeout(SOON, listener.accept()).await.unwrap().unwrap();
    let counters = proxy.counters();
    assert_eq!((counters.done("half open"), counters.done("refused"), counters.connections), (1, 1, 3));
}

#[tokio::test]
async fn the_server_reaches_the_clients_listener_under_the_proxys_name() {
    let (server, client) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (server_at, client_at) = (server.local_addr().unwrap(), client.local_addr().unwrap());
    let proxy = between(server_at, Some(client_at)).await;
    let mut out = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut accepted, seen) = timeout(SOON, server.accept()).await.unwrap().unwrap();
    let request = |to: SocketAddr, via: SocketAddr, contact: SocketAddr| {
        format!("SUBSCRIBE sip:{to} SIP/2.0\r\nVia: SIP/2.0/TCP {via}\r\nContact: <sip:{contact}>\r\n\r\n")
    };
    out.write_all(request(proxy.address(), out.local_addr().unwrap(), client_at).as_bytes()).await.unwrap();
    expect(&mut accepted, &request(server_at, seen, proxy.back_address())).await;
    let mut back = TcpStream::connect(proxy.back_address()).await.unwrap();
    let (mut incoming, _) = timeout(SOON, client.accept()).await.unwrap().unwrap();
    let notify = |to: SocketAddr, via: SocketAddr| format!("NOTIFY sip:{to} SIP/2.0\r\nVia: SIP/2.0/TCP {via}\r\n\r\n");
    back.write_all(notify(proxy.back_address(), server_at).as_bytes()).await.unwrap();
    expect(&mut incoming, &notify(client_at, proxy.address())).await;
    assert_eq!(proxy.counters().from_server, 1);
}

#[tokio::test]
async fn datagrams_meet_the_same_faults() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let proxy = between(server.local_addr().unwrap(), None).await;
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.connect(proxy.address()).await.unwrap();
    client.send(notify(0).as_bytes()).await.unwrap();
    let mut buffer = [0; 999];
    let (length, peer) = timeout(SOON, server.recv_from(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(buffer[..length], *notify(0).as_bytes());
    for fault in [NetworkFault::Drop, NetworkFault::Duplicate, NetworkFault::Reorder] {
        proxy.add(rule(fault).times(1));
    }
    for number in 1..=4 {
        server.send_to(notify(number).as_bytes(), peer).await.unwrap();
    }
    for number in [2, 2, 4, 3] {
        let length = timeout(SOON, client.recv(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&buffer[..length]), notify(number));
    }
    proxy.silence_all();
    server.send_to(notify(5).as_bytes(), peer).await.unwrap();
    assert!(timeout(A_WHILE, client.recv(&mut buffer)).await.is_err());
}

//! What one peer may cost: every limit is reached over real sockets with the documented defaults, and counted.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may fail")]

mod transport_support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use presence_actors::transport::{Refusal, Traffic, Transport};
use presence_sip::{FlowId, TransportKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;
use transport_support::certificates::{Authority, Kind};
use transport_support::{Events, PATIENCE, accept, loopback, notify, pool, read_to_end, recorder, settings};

/// A transport with a listener and the default limits, expecting a pool at 127.0.0.1.
async fn listener(kind: TransportKind) -> (Transport, Events, SocketAddr, Arc<Traffic>) {
    let mut settings = settings(kind, loopback());
    settings.listen = Some(loopback());
    if kind == TransportKind::Tls {
        let authority = Authority::new("ours");
        settings.tls = Some(authority.identity(Some(&authority.issue(Kind::Both, &["app.example.test"])), &[]));
    }
    let traffic = Arc::clone(&settings.traffic);
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    let address = events.listening().await;
    (transport, events, address, traffic)
}

/// A connection from another address of this computer.
async fn from(host: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((host, 0))).unwrap();
    socket.connect(to).await.unwrap()
}

/// True when the other side closes within the patience of a test.
async fn is_closed(stream: &mut TcpStream) -> bool {
    read_to_end(stream).await.is_empty()
}

async fn is_open(stream: &mut TcpStream) -> bool {
    timeout(Duration::from_millis(20), stream.read(&mut [0])).await.is_err()
}

#[actix::test]
async fn eight_connections_of_a_peer_and_256_in_all_are_taken_and_silent_handshakes_end_after_five_seconds() {
    let (_transport, _events, address, traffic) = listener(TransportKind::Tls).await;
    let mut strangers = Vec::new();
    for host in 2..=25 {
        for _ in 0..8 {
            strangers.push(from([127, 0, 0, host], address).await);
        }
    }
    let mut ninth = from([127, 0, 0, 2], address).await;
    let mut first_too_many = from([127, 0, 1, 1], address).await;
    assert!(is_closed(&mut ninth).await && is_closed(&mut first_too_many).await);
    // Three quarters are everybody's: the pool still gets in.
    let mut pool = Vec::new();
    for _ in 0..8 {
        pool.push(from([127, 0, 0, 1], address).await);
    }
    assert!(is_open(pool.last_mut().unwrap()).await);
    assert!(is_closed(&mut from([127, 0, 0, 1], address).await).await);
    let refused = |refusal| traffic.refused(refusal);
    assert_eq!((strangers.len(), refused(Refusal::TooMany), refused(Refusal::TooManyOfPeer)), (192, 2, 1));
    for stream in strangers.iter_mut().chain(&mut pool) {
        assert!(is_closed(stream).await);
    }
    assert_eq!(refused(Refusal::SlowHandshake), 200);
    assert!(is_open(&mut from([127, 0, 0, 9], address).await).await, "there is room again");
}

#[actix::test]
async fn without_tls_only_the_addresses_of_the_pool_may_connect() {
    let (_transport, mut events, address, traffic) = listener(TransportKind::Tcp).await;
    let mut stranger = from([127, 0, 0, 2], address).await;
    let _broken_pipe = stranger.write_all(&notify(1, 0)).await;
    assert!(is_closed(&mut stranger).await);
    let mut of_the_pool = from([127, 0, 0, 1], address).await;
    of_the_pool.write_all(&notify(2, 0)).await.unwrap();
    assert_eq!(events.message().await.1.cseq(), Some((2, "NOTIFY")), "what the stranger sent is read by nobody");
    assert_eq!(traffic.refused(Refusal::Stranger), 1);
}

#[actix::test]
async fn a_datagram_of_a_stranger_is_dropped_without_an_answer_and_counted_when_it_plays_the_pool() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(TransportKind::Udp, server.local_addr().unwrap());
    settings.listen = Some(loopback());
    let traffic = Arc::clone(&settings.traffic);
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    transport.connect(1);
    let (local, _) = events.connected(1).await;
    let stranger = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    stranger.send_to(&notify(1, 0), local).await.unwrap();
    stranger
        .send_to(&String::from_utf8(notify(2, 0)).unwrap().replace("NOTIFY", "BENOTIFY").into_bytes(), local)
        .await
        .unwrap();
    stranger.send_to(b"OPTIONS sip:a SIP/2.0\r\n\r\n", local).await.unwrap();
    server.send_to(&notify(3, 0), local).await.unwrap();
    let (flow, message) = events.message().await;
    assert_eq!((flow, message.cseq()), (FlowId::PRIMARY, Some((3, "NOTIFY"))));
    assert_eq!((traffic.refused(Refusal::Stranger), traffic.refused(Refusal::StrangersNotify)), (3, 2));
    assert!(timeout(Duration::from_millis(50), stranger.recv(&mut [0; 64])).await.is_err(), "it was answered");
}

#[actix::test]
async fn whoever_dials_us_may_send_2000_messages_a_second_after_a_burst_of_4000_and_loses_none() {
    let (_transport, mut events, address, traffic) = listener(TransportKind::Tcp).await;
    let mut stream = from([127, 0, 0, 1], address).await;
    let all: Vec<u8> = (1..=5_000).flat_map(|cseq| notify(cseq, 0)).collect();
    let sending = tokio::task::spawn_local(async move { stream.write_all(&all).await.map(|()| stream) });
    let (_, frames) = events.frames(5_000).await;
    assert_eq!(frames.len(), 5_000);
    assert!(traffic.refused(Refusal::OverBudget) >= 1);
    sending.await.unwrap().unwrap();
}

#[actix::test]
async fn the_pool_that_we_have_dialled_is_not_slowed_down_by_that() {
    let (listener, address) = pool().await;
    let settings = settings(TransportKind::Tcp, address);
    let traffic = Arc::clone(&settings.traffic);
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    transport.connect(1);
    let mut stream = accept(&listener).await;
    events.connected(1).await;
    let all: Vec<u8> = (1..=10_000).flat_map(|cseq| notify(cseq, 0)).collect();
    let sending = tokio::task::spawn_local(async move { stream.write_all(&all).await.map(|()| stream) });
    events.frames(10_000).await;
    assert_eq!(traffic.refused(Refusal::OverBudget), 0);
    sending.await.unwrap().unwrap();
}

#[actix::test]
async fn a_head_that_comes_byte_by_byte_costs_the_connection_after_its_time_and_is_counted() {
    let mut settings = settings(TransportKind::Tcp, loopback());
    settings.listen = Some(loopback());
    assert_eq!(settings.connections.first_message, Duration::from_secs(5));
    settings.connections.first_message = Duration::from_millis(300);
    let traffic = Arc::clone(&settings.traffic);
    let (recipient, mut events) = recorder();
    let _transport = Transport::start(settings, recipient);
    let address = events.listening().await;
    let mut slow = from([127, 0, 0, 1], address).await;
    let mut bytes = notify(1, 0).into_iter();
    while slow.write_all(&[bytes.next().unwrap()]).await.is_ok() {
        if timeout(Duration::from_millis(10), slow.read(&mut [0])).await.is_ok() {
            break;
        }
    }
    assert_eq!(events.lost().await.2, "the first message of the peer was not complete after 300ms");
    assert_eq!(traffic.refused(Refusal::SlowMessage), 1);
    let mut garbage = from([127, 0, 0, 1], address).await;
    garbage.write_all(&vec![b'x'; 200_000]).await.ok();
    let (_, _, why) = events.lost().await;
    assert!(why.starts_with("the bytes of the peer cannot be divided into messages"), "{why}");
    assert_eq!(traffic.refused(Refusal::Framing), 1);
    assert_eq!(timeout(PATIENCE, garbage.read(&mut [0])).await.unwrap().unwrap_or_default(), 0);
}

//! TCP over real sockets: connections, framing, limits and losses.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may fail")]

mod transport_support;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use presence_actors::transport::{SendError, Server, Transport, TransportEvent};
use presence_sip::{FlowId, Frame, TransportKind};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use transport_support::{
    Events, accept, loopback, malformed, notify, pool, read_to_end, read_until, recorder, settings,
};

/// A transport that is connected to a pool, with the pool's end.
async fn connected() -> (Transport, Events, TcpStream) {
    let (listener, address) = pool().await;
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings(TransportKind::Tcp, address), recipient);
    transport.connect(1);
    let stream = accept(&listener).await;
    let (local, peer) = events.connected(1).await;
    assert_eq!((peer, local), (address, stream.peer_addr().unwrap()));
    (transport, events, stream)
}

#[actix::test]
async fn messages_that_come_together_are_handed_over_together_and_in_order() {
    let (_transport, mut events, mut stream) = connected().await;
    let all: Vec<u8> = (1..=20).flat_map(|cseq| notify(cseq, 200)).collect();
    stream.write_all(&all).await.unwrap();
    let (flow, frames) = events.frames(20).await;
    assert_eq!(flow, FlowId::PRIMARY);
    for (frame, cseq) in frames.iter().zip(1..) {
        let Frame::Message(message) = frame else { panic!("{frame:?}") };
        assert_eq!(message.cseq(), Some((cseq, "NOTIFY")));
        assert_eq!(message.body().len(), 200);
    }
}

#[actix::test]
async fn a_message_that_comes_byte_by_byte_and_a_large_one_are_whole() {
    let (_transport, mut events, mut stream) = connected().await;
    stream.set_nodelay(true).unwrap();
    for byte in notify(1, 3) {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(events.message().await.1.body().len(), 3);
    stream.write_all(&notify(2, 200_000)).await.unwrap();
    assert_eq!(events.message().await.1.body().len(), 200_000);
}

#[actix::test]
async fn a_malformed_message_costs_itself_and_is_answered_once() {
    let (_transport, mut events, mut stream) = connected().await;
    stream.write_all(&malformed(1)).await.unwrap();
    stream.write_all(b"not sip at all\r\nContent-Length: 4\r\n\r\nbody").await.unwrap();
    stream.write_all(&notify(2, 5)).await.unwrap();
    let (_, frames) = events.frames(3).await;
    assert!(matches!(frames[0], Frame::Malformed { answer: None, .. }), "{:?}", frames[0]);
    assert!(matches!(frames[1], Frame::Malformed { answer: None, .. }), "{:?}", frames[1]);
    let Frame::Message(good) = &frames[2] else { panic!("{:?}", frames[2]) };
    assert_eq!(good.cseq(), Some((2, "NOTIFY")));
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");
}

#[actix::test]
async fn a_ping_is_answered_and_is_no_news_for_the_actor() {
    let (_transport, mut events, mut stream) = connected().await;
    stream.write_all(b"\r\n\r\n").await.unwrap();
    assert_eq!(read_until(&mut stream, "\r\n").await, "\r\n");
    stream.write_all(&notify(1, 0)).await.unwrap();
    assert_eq!(events.message().await.1.cseq(), Some((1, "NOTIFY")));
}

#[actix::test]
async fn lost_framing_costs_the_connection_with_the_reason_after_what_came_before() {
    for (bytes, reason) in [
        (&b"NOTIFY sip:a SIP/2.0\r\nContent-Length: 18446744073709551615\r\n\r\n"[..], "the framing is lost"),
        (&b"NOTIFY sip:a SIP/2.0\r\nContent-Length: 99999999\r\n\r\n"[..], "the body is larger than 1048576"),
        (&[b'x'; 20_000][..], "the header section is larger than 16384"),
    ] {
        let (transport, mut events, mut stream) = connected().await;
        stream.write_all(&[&notify(1, 0), bytes].concat()).await.unwrap();
        events.message().await;
        let (flow, number, why) = events.lost().await;
        assert_eq!((flow, number), (FlowId::PRIMARY, 1));
        assert!(why.contains(reason), "{why}");
        assert_eq!(transport.send(flow, Bytes::from_static(b"x")), Err(SendError::NotConnected(flow)));
        read_to_end(&mut stream).await;
    }
}

#[actix::test]
async fn a_connection_that_ends_is_told_at_once_and_can_be_dialled_again() {
    let (listener, address) = pool().await;
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings(TransportKind::Tcp, address), recipient);
    transport.connect(1);
    drop(accept(&listener).await);
    events.connected(1).await;
    assert_eq!(events.lost().await.2, "the peer closed the connection");
    transport.connect(2);
    let mut stream = accept(&listener).await;
    events.connected(2).await;
    stream.write_all(b"NOTIFY sip:a SIP/2.0\r\nVia").await.unwrap();
    drop(stream);
    let (flow, number, why) = events.lost().await;
    assert_eq!((flow, number), (FlowId::PRIMARY, 2));
    assert_eq!(why, "the peer closed the connection within a message");
    transport.connect(3);
    let stream = accept(&listener).await;
    events.connected(3).await;
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    assert_eq!(events.lost().await.2, "the peer reset the connection");
}

#[actix::test]
async fn nobody_at_home_is_said_of_every_server_and_the_next_one_is_tried() {
    let (closed, nobody) = pool().await;
    drop(closed);
    let (listener, address) = pool().await;
    let mut settings = settings(TransportKind::Tcp, nobody);
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings.clone(), recipient);
    transport.connect(1);
    let why = format!("connect to pool.example.test ({nobody}): connection refused: nothing listens there");
    assert_eq!(events.connect_failed(1).await, why);
    settings.servers.push(Server { address, name: "second.example.test".to_owned() });
    transport.set_servers(settings.servers);
    transport.connect(2);
    let _stream = accept(&listener).await;
    assert_eq!(events.connected(2).await.1, address);
    transport.set_servers(Vec::new());
    transport.connect(3);
    assert_eq!(events.connect_failed(3).await, "the pool has no server to connect to");
}

#[actix::test]
async fn there_is_one_connection_to_the_pool_however_often_it_is_asked_for() {
    let (listener, address) = pool().await;
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings(TransportKind::Tcp, address), recipient);
    transport.connect(1);
    transport.connect(1);
    let mut first = accept(&listener).await;
    events.connected(1).await;
    transport.connect(1);
    transport.connect(2);
    assert_eq!(read_to_end(&mut first).await, b"", "the older connection is closed");
    let mut second = accept(&listener).await;
    events.connected(2).await;
    transport.send(FlowId::PRIMARY, Bytes::from_static(b"to the second")).unwrap();
    read_until(&mut second, "to the second").await;
    assert!(events.is_empty(), "giving up a connection is no event");
}

#[actix::test]
async fn what_is_queued_is_written_before_an_orderly_end() {
    let (transport, events, mut stream) = connected().await;
    for number in 0..1_000 {
        transport.send(FlowId::PRIMARY, Bytes::from(format!("message {number}\r\n"))).unwrap();
    }
    transport.disconnect();
    assert_eq!(transport.send(FlowId::PRIMARY, Bytes::new()), Err(SendError::NotConnected(FlowId::PRIMARY)));
    let all = String::from_utf8(read_to_end(&mut stream).await).unwrap();
    assert_eq!(all.lines().count(), 1_000);
    assert!(all.ends_with("message 999\r\n"));
    assert!(events.is_empty());
}

#[actix::test]
async fn a_peer_that_does_not_read_loses_the_connection_and_nobody_waits() {
    let (listener, address) = pool().await;
    let (recipient, mut events) = recorder();
    let mut settings = settings(TransportKind::Tcp, address);
    settings.connections.write_queue = 16;
    let transport = Transport::start(settings, recipient);
    transport.connect(1);
    let _stream = accept(&listener).await;
    events.connected(1).await;
    let large = Bytes::from(vec![b'x'; 1024 * 1024]);
    let refused = loop {
        if let Err(refused) = transport.send(FlowId::PRIMARY, large.clone()) {
            break refused;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(refused, SendError::QueueFull(FlowId::PRIMARY));
    assert_eq!(events.lost().await.2, "the peer reads too slowly: 16 messages wait for it");
}

#[actix::test]
async fn dropping_the_transport_ends_listener_and_connections() {
    let (listener, address) = pool().await;
    let mut settings = settings(TransportKind::Tcp, address);
    settings.listen = Some(loopback());
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    let local = events.listening().await;
    transport.connect(1);
    let mut outbound = accept(&listener).await;
    events.connected(1).await;
    let mut inbound = TcpStream::connect(local).await.unwrap();
    inbound.write_all(&notify(1, 0)).await.unwrap();
    events.message().await;
    drop(transport);
    read_to_end(&mut outbound).await;
    read_to_end(&mut inbound).await;
    // The accept loop ends in a task of its own; nothing refuses us before it has run.
    while TcpStream::connect(local).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(events.is_empty());
}

#[actix::test]
async fn the_pool_may_connect_to_us_up_to_the_limits() {
    let mut settings = settings(TransportKind::Tcp, loopback());
    settings.listen = Some(loopback());
    settings.connections.per_peer = 2;
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    let local = events.listening().await;
    let mut first = TcpStream::connect(local).await.unwrap();
    first.write_all(&notify(1, 0)).await.unwrap();
    let (first_flow, _) = events.message().await;
    let mut second = TcpStream::connect(local).await.unwrap();
    second.write_all(&notify(2, 0)).await.unwrap();
    let (second_flow, _) = events.message().await;
    assert_ne!(first_flow, second_flow);
    let mut third = TcpStream::connect(local).await.unwrap();
    assert_eq!(read_to_end(&mut third).await, b"", "the third is turned away");

    transport.send(second_flow, Bytes::from_static(b"SIP/2.0 200 OK\r\n\r\n")).unwrap();
    read_until(&mut second, "200 OK").await;

    drop(first);
    assert_eq!(events.lost().await, (first_flow, first_flow.0, "the peer closed the connection".to_owned()));
    let mut fourth = TcpStream::connect(local).await.unwrap();
    fourth.write_all(&notify(4, 0)).await.unwrap();
    assert_eq!(events.message().await.1.cseq(), Some((4, "NOTIFY")));
}

#[actix::test]
async fn a_port_in_use_is_told_once_and_the_listener_comes_when_it_is_free() {
    let (occupied, address) = pool().await;
    let mut settings = settings(TransportKind::Tcp, loopback());
    settings.listen = Some(address);
    settings.connections.listen_again = Duration::from_millis(20);
    let (recipient, mut events) = recorder();
    let _transport = Transport::start(settings, recipient);
    let TransportEvent::ListenFailed { why } = events.next().await else { panic!("the port is in use") };
    assert_eq!(why.to_string(), format!("listen on {address}: another program uses this address"));
    drop(occupied);
    assert_eq!(events.listening().await, address);
}

#[actix::test]
async fn a_server_that_accepts_and_says_nothing_is_tried_last_until_it_speaks() {
    let (silent, silent_address) = pool().await;
    let (talking, talking_address) = pool().await;
    let mut settings = settings(TransportKind::Tcp, silent_address);
    settings.servers.push(Server { address: talking_address, name: "second.example.test".to_owned() });
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    transport.connect(1);
    let _first = accept(&silent).await;
    assert_eq!(events.connected(1).await.1, silent_address);
    for number in 2..=3 {
        transport.connect(number);
        let mut stream = accept(&talking).await;
        assert_eq!(events.connected(number).await.1, talking_address);
        stream.write_all(&notify(1, 0)).await.unwrap();
        events.message().await;
    }
}

#[actix::test]
async fn a_server_that_refused_is_passed_over_for_ten_minutes_while_another_is_left() {
    let (closed, refusing) = pool().await;
    drop(closed);
    let (talking, talking_address) = pool().await;
    let mut settings = settings(TransportKind::Tcp, refusing);
    settings.servers.push(Server { address: talking_address, name: "second.example.test".to_owned() });
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings.clone(), recipient);
    let mut number = 0;
    let mut reach = async |listener: &TcpListener, address: SocketAddr| {
        number += 1;
        transport.connect(number);
        let mut stream = accept(listener).await;
        assert_eq!(events.connected(number).await.1, address, "connection {number}");
        stream.write_all(&notify(1, 0)).await.unwrap();
        events.message().await;
    };
    reach(&talking, talking_address).await;
    let back = TcpListener::bind(refusing).await.unwrap();
    reach(&talking, talking_address).await;
    // The pool's list is looked up anew before every attempt; that changes nothing.
    transport.set_servers(settings.servers);
    reach(&talking, talking_address).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(600)).await;
    tokio::time::resume();
    reach(&back, refusing).await;
}

#[actix::test]
async fn over_ipv6_it_is_the_same() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        println!("SKIPPED: this machine has no IPv6 loopback");
        return;
    };
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings(TransportKind::Tcp, listener.local_addr().unwrap()), recipient);
    transport.connect(1);
    let mut stream = accept(&listener).await;
    assert!(events.connected(1).await.0.is_ipv6());
    stream.write_all(&notify(1, 0)).await.unwrap();
    events.message().await;
}

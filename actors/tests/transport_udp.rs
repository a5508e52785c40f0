//! UDP over real sockets: who is heard, where answers go, and how a dead pool is noticed.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may fail")]

mod transport_support;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use presence_actors::transport::{SendError, Transport};
use presence_sip::{FlowId, Frame, TransportKind};
use tokio::net::UdpSocket;
use tokio::time::timeout;
use transport_support::{Events, PATIENCE, loopback, malformed, notify, recorder, settings};

async fn connected(pool: &UdpSocket) -> (Transport, Events, SocketAddr) {
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings(TransportKind::Udp, pool.local_addr().unwrap()), recipient);
    transport.connect(1);
    let (local, peer) = events.connected(1).await;
    assert_eq!(peer, pool.local_addr().unwrap());
    (transport, events, local)
}

async fn receive(socket: &UdpSocket) -> (String, SocketAddr) {
    let mut buffer = vec![0; 65_535];
    let (size, from) = timeout(PATIENCE, socket.recv_from(&mut buffer)).await.expect("a datagram").unwrap();
    (String::from_utf8_lossy(&buffer[..size]).into_owned(), from)
}

#[actix::test]
async fn datagrams_go_both_ways_and_our_address_is_the_one_that_the_pool_sees() {
    let pool = UdpSocket::bind(loopback()).await.unwrap();
    let (transport, mut events, local) = connected(&pool).await;
    assert!(!local.ip().is_unspecified());
    transport.send(FlowId::PRIMARY, Bytes::from_static(b"OPTIONS sip:pool SIP/2.0\r\n\r\n")).unwrap();
    let (text, from) = receive(&pool).await;
    assert_eq!((text.as_str(), from), ("OPTIONS sip:pool SIP/2.0\r\n\r\n", local));
    pool.send_to(&malformed(1), local).await.unwrap();
    pool.send_to(b"\0\0\0\0", local).await.unwrap();
    pool.send_to(&notify(2, 1_000), local).await.unwrap();
    let (flow, frames) = events.frames(2).await;
    assert_eq!(flow, FlowId::PRIMARY);
    assert!(matches!(frames[0], Frame::Malformed { answer: None, .. }), "{:?}", frames[0]);
    let Frame::Message(message) = &frames[1] else { panic!("{:?}", frames[1]) };
    assert_eq!(message.body().len(), 1_000);
    assert!(receive(&pool).await.0.starts_with("SIP/2.0 400 "));
}

#[actix::test]
async fn an_answer_goes_to_the_port_of_the_pool_from_which_the_request_came() {
    let pool = UdpSocket::bind(loopback()).await.unwrap();
    let (transport, mut events, local) = connected(&pool).await;
    let other_port = UdpSocket::bind(loopback()).await.unwrap();
    other_port.send_to(&notify(1, 0), local).await.unwrap();
    let (flow, _) = events.message().await;
    assert_ne!(flow, FlowId::PRIMARY);
    transport.send(flow, Bytes::from_static(b"SIP/2.0 200 OK\r\n\r\n")).unwrap();
    assert_eq!(receive(&other_port).await, ("SIP/2.0 200 OK\r\n\r\n".to_owned(), local));
    transport.disconnect();
    assert_eq!(transport.send(FlowId::PRIMARY, Bytes::new()), Err(SendError::NotConnected(FlowId::PRIMARY)));
}

#[actix::test]
async fn what_goes_both_ways_is_counted_and_what_a_stranger_sends_is_not() {
    let pool = UdpSocket::bind(loopback()).await.unwrap();
    let (recipient, mut events) = recorder();
    let settings = settings(TransportKind::Udp, pool.local_addr().unwrap());
    let traffic = Arc::clone(&settings.traffic);
    let transport = Transport::start(settings, recipient);
    transport.connect(1);
    let (local, _) = events.connected(1).await;
    let stranger = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    stranger.send_to(&notify(1, 500), local).await.unwrap();
    let notify = notify(2, 100);
    pool.send_to(&notify, local).await.unwrap();
    events.message().await;
    transport.send(FlowId::PRIMARY, Bytes::from_static(b"OPTIONS sip:pool SIP/2.0\r\n\r\n")).unwrap();
    assert_eq!(receive(&pool).await.0.len(), 28);
    assert_eq!((traffic.sent(), traffic.received(), traffic.connections()), (28, notify.len() as u64, 1));
}

#[actix::test]
async fn a_stranger_is_not_heard() {
    let pool = UdpSocket::bind(loopback()).await.unwrap();
    let (_transport, mut events, local) = connected(&pool).await;
    let stranger = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    stranger.send_to(&notify(1, 0), local).await.unwrap();
    pool.send_to(&notify(2, 0), local).await.unwrap();
    assert_eq!(events.message().await.1.cseq(), Some((2, "NOTIFY")));
}

#[cfg(target_os = "linux")]
#[actix::test]
async fn a_pool_whose_port_is_closed_is_lost_at_once_and_found_again() {
    let pool = UdpSocket::bind(loopback()).await.unwrap();
    let server = pool.local_addr().unwrap();
    let (transport, mut events, local) = connected(&pool).await;
    drop(pool);
    transport.send(FlowId::PRIMARY, Bytes::from_static(b"OPTIONS sip:pool SIP/2.0\r\n\r\n")).unwrap();
    let (flow, number, why) = events.lost().await;
    assert_eq!((flow, number), (FlowId::PRIMARY, 1));
    assert_eq!(why, format!("UDP to {server}: connection refused: nothing listens there"));
    let pool = UdpSocket::bind(server).await.unwrap();
    transport.connect(2);
    let (again, _) = events.connected(2).await;
    assert_ne!(again, local);
    pool.send_to(&notify(1, 0), again).await.unwrap();
    events.message().await;
}

#[actix::test]
async fn the_listen_address_is_the_one_socket_and_an_address_in_use_is_said() {
    let pool = UdpSocket::bind(loopback()).await.unwrap();
    let occupied = UdpSocket::bind(loopback()).await.unwrap();
    let mut settings = settings(TransportKind::Udp, pool.local_addr().unwrap());
    settings.listen = Some(occupied.local_addr().unwrap());
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings.clone(), recipient);
    transport.connect(1);
    let address = occupied.local_addr().unwrap();
    assert_eq!(events.connect_failed(1).await, format!("use UDP on {address}: another program uses this address"));
    drop(occupied);
    transport.connect(2);
    assert_eq!(events.connected(2).await.0, address);
}

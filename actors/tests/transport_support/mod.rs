//! What the transport tests share: an actor that records events, messages, and certificates of every kind.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file uses its part of this one")]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

pub mod certificates;

use std::net::SocketAddr;
use std::time::Duration;

use actix::{Actor, Context, Handler, Recipient};
use presence_actors::transport::{Server, TransportEvent, TransportSettings};
use presence_sip::{FlowId, Frame, Message, TransportKind};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Far longer than anything here takes, so that a loaded machine does not fail a test.
pub const PATIENCE: Duration = Duration::from_secs(30);

struct Recorder(mpsc::UnboundedSender<TransportEvent>);

impl Actor for Recorder {
    type Context = Context<Self>;
}

impl Handler<TransportEvent> for Recorder {
    type Result = ();
    fn handle(&mut self, event: TransportEvent, _context: &mut Self::Context) {
        let _test_is_over = self.0.send(event);
    }
}

/// The events of one transport, in their order.
pub struct Events {
    received: mpsc::UnboundedReceiver<TransportEvent>,
    /// How long an event may take to come.
    pub patience: Duration,
}

pub fn recorder() -> (Recipient<TransportEvent>, Events) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Recorder(sender).start().recipient(), Events { received: receiver, patience: PATIENCE })
}

impl Events {
    pub async fn next(&mut self) -> TransportEvent {
        timeout(self.patience, self.received.recv()).await.expect("an event").expect("the recorder lives")
    }

    pub fn is_empty(&self) -> bool {
        self.received.is_empty()
    }

    pub async fn listening(&mut self) -> SocketAddr {
        match self.next().await {
            TransportEvent::Listening { local } => local,
            other => panic!("listening expected: {other:?}"),
        }
    }

    pub async fn connected(&mut self, number: u64) -> (SocketAddr, SocketAddr) {
        match self.next().await {
            TransportEvent::Connected { connection, local, peer } => {
                assert_eq!(connection, number);
                (local, peer)
            }
            other => panic!("connected expected: {other:?}"),
        }
    }

    pub async fn connect_failed(&mut self, number: u64) -> String {
        match self.next().await {
            TransportEvent::ConnectFailed { connection, why } => {
                assert_eq!(connection, number);
                assert_eq!(why.kind, presence_core::FailureKind::Endpoint);
                why.detail.to_string()
            }
            other => panic!("a failed connect expected: {other:?}"),
        }
    }

    pub async fn lost(&mut self) -> (FlowId, u64, String) {
        match self.next().await {
            TransportEvent::Lost { flow, connection, why } => {
                assert_eq!(why.kind, presence_core::FailureKind::Endpoint);
                (flow, connection, why.detail.to_string())
            }
            other => panic!("lost expected: {other:?}"),
        }
    }

    pub async fn batch(&mut self) -> (FlowId, Vec<Frame>) {
        match self.next().await {
            TransportEvent::Received { flow, frames } => (flow, frames),
            other => panic!("frames expected: {other:?}"),
        }
    }

    /// The next `count` frames of one flow, in as many batches as they come.
    pub async fn frames(&mut self, count: usize) -> (FlowId, Vec<Frame>) {
        let (flow, mut frames) = self.batch().await;
        while frames.len() < count {
            let (same, more) = self.batch().await;
            assert_eq!(same, flow);
            frames.extend(more);
        }
        assert_eq!(frames.len(), count);
        (flow, frames)
    }

    /// The next message, which must come alone.
    pub async fn message(&mut self) -> (FlowId, Message) {
        let (flow, mut frames) = self.frames(1).await;
        match frames.remove(0) {
            Frame::Message(message) => (flow, message),
            other => panic!("a message expected: {other:?}"),
        }
    }
}

/// A NOTIFY with a body of this size and this CSeq.
pub fn notify(cseq: u32, body: usize) -> Vec<u8> {
    let mut bytes = format!(
        "NOTIFY sip:app@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bK{cseq}\r\n\
         From: <sip:user1@domain.com>;tag=1\r\nTo: <sip:app@domain.com>;tag=2\r\nCall-ID: c\r\nCSeq: {cseq} NOTIFY\r\n\
         Event: presence\r\nSubscription-State: active;expires=600\r\nContent-Type: application/pidf+xml\r\n\
         Content-Length: {body}\r\n\r\n"
    )
    .into_bytes();
    bytes.resize(bytes.len() + body, b'x');
    bytes
}

/// A framed message that is none: the CSeq header has no name.
pub fn malformed(cseq: u32) -> Vec<u8> {
    let good = String::from_utf8(notify(cseq, 0)).unwrap();
    good.replace("Event: presence", "no colon in this line").into_bytes()
}

pub fn settings(kind: TransportKind, server: SocketAddr) -> TransportSettings {
    TransportSettings::new(kind, vec![Server { address: server, name: "pool.example.test".to_owned() }])
}

pub fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A pool that listens for TCP.
pub async fn pool() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(loopback()).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub async fn accept(listener: &TcpListener) -> TcpStream {
    timeout(PATIENCE, listener.accept()).await.expect("a connection").unwrap().0
}

/// Reads until this text has come.
pub async fn read_until(stream: &mut (impl AsyncRead + Unpin), text: &str) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let size = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("something to read").unwrap();
        assert!(size > 0, "the stream ended after {:?}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&buffer[..size]);
        if String::from_utf8_lossy(&all).contains(text) {
            return String::from_utf8_lossy(&all).into_owned();
        }
    }
}

/// Reads until the peer closes (or resets) the connection.
pub async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    // A reset is an end as well.
    let _reset = timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("the end of the stream");
    all
}

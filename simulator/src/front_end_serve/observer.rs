//! Puts requests and their answers together, for those who follow.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use presence_sip::{Limits, Message, NameAddr};
use tokio::sync::mpsc;

use super::event::{Exchange, FrontEndEvent};
use crate::ConnectionId;

/// How many requests may wait for their answers; the oldest is forgotten first.
const MOST_OPEN: usize = 1_000;

/// What a request and its answer share.
type Key = (ConnectionId, String, u32, String);

/// Tells a listener what happens. Without a listener it costs nothing.
#[derive(Default)]
pub(super) struct Observer {
    listener: Option<mpsc::Sender<FrontEndEvent>>,
    open: BTreeMap<Key, Exchange>,
    order: VecDeque<Key>,
}

impl Observer {
    /// For this listener.
    pub(super) fn new(listener: Option<mpsc::Sender<FrontEndEvent>>) -> Self {
        Self { listener, ..Self::default() }
    }

    /// Tells something; a listener that is slow misses it.
    pub(super) fn tell(&self, event: impl FnOnce() -> FrontEndEvent) {
        if let Some(listener) = &self.listener {
            let _slow_or_gone = listener.try_send(event());
        }
    }

    /// A request came.
    pub(super) fn received(&mut self, connection: ConnectionId, message: &Message) {
        if self.listener.is_none() {
            return;
        }
        let (Some(method), Some((sequence, _))) = (message.method(), message.cseq()) else { return };
        if method.as_str() == "ACK" {
            return;
        }
        let (subscribe, unsubscribe) = agents(message.body());
        let exchange = Exchange {
            method: method.as_str().to_owned(),
            from: message.from().map(|from| uri(&from)).unwrap_or_default(),
            event: message.header("Event").unwrap_or_default().to_owned(),
            in_dialog: message.to().is_some_and(|to| to.tag().is_some()),
            expires: message.expires(),
            subscribe,
            unsubscribe,
            ..Exchange::default()
        };
        let key = (connection, message.call_id().to_owned(), sequence, exchange.method.clone());
        if self.open.insert(key.clone(), exchange).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > MOST_OPEN {
            if let Some(oldest) = self.order.pop_front() {
                self.open.remove(&oldest);
            }
        }
    }

    /// Something is sent; a final answer is told of.
    pub(super) fn sent(&mut self, connection: ConnectionId, bytes: &Bytes) {
        if self.open.is_empty() || !bytes.starts_with(b"SIP/2.0 ") || bytes.starts_with(b"SIP/2.0 1") {
            return;
        }
        let limits = Limits { body: usize::MAX, ..Limits::default() };
        let Ok(answer) = Message::parse(bytes.clone(), &limits) else { return };
        let (Some(status), Some((sequence, method))) = (answer.status(), answer.cseq()) else { return };
        let key = (connection, answer.call_id().to_owned(), sequence, method.to_owned());
        let Some(exchange) = self.open.remove(&key) else { return };
        self.order.retain(|open| *open != key);
        self.tell(|| {
            FrontEndEvent::Answered(Exchange {
                status,
                reason: answer.reason().to_owned(),
                diagnostics: answer.header("ms-diagnostics").map(str::to_owned),
                lifetime: answer.expires(),
                ..exchange
            })
        });
    }
}

fn uri(from: &NameAddr<'_>) -> String {
    from.uri.split(';').next().unwrap_or_default().to_owned()
}

/// How many resources a batchSub subscribes, and how many it gives back. Only counted, for people; the machine reads it.
fn agents(body: &[u8]) -> (usize, usize) {
    let Ok(text) = std::str::from_utf8(body) else { return (0, 0) };
    let (mut subscribe, mut unsubscribe) = (0, 0);
    for action in text.split("<action").skip(1) {
        let resources = action.matches("<resource").count();
        let begin = action.split('>').next().unwrap_or_default();
        if begin.contains("unsubscribe") {
            unsubscribe += resources;
        } else {
            subscribe += resources;
        }
    }
    (subscribe, unsubscribe)
}

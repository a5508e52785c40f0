//! A subscriber made of text: it knows nothing of presence-sip's own subscriber.
#![allow(dead_code, clippy::unwrap_used, clippy::disallowed_methods, reason = "shared by tests that use a part each")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_core::AgentUri;
use presence_simulator::{ConnectionId, Effect, Faults, PresenceServer, Scope, ServerSettings, Wire};
use presence_sip::{Limits, Message};

pub(crate) const SERVER: &str = "127.0.0.1:5070";
pub(crate) const AGENT: &str = "sip:agent1@sim.example";

/// What a SUBSCRIBE of the tests is made of.
#[derive(Clone, Debug)]
pub(crate) struct Subscribe<'a> {
    pub(crate) uri: &'a str,
    pub(crate) call_id: &'a str,
    pub(crate) sequence: u32,
    pub(crate) expires: u32,
    pub(crate) to_tag: Option<String>,
    pub(crate) event: &'a str,
    pub(crate) extra: String,
}

impl Default for Subscribe<'_> {
    fn default() -> Self {
        Self {
            uri: AGENT,
            call_id: "call-1",
            sequence: 1,
            expires: 3_600,
            to_tag: None,
            event: "presence",
            extra: String::new(),
        }
    }
}

impl Subscribe<'_> {
    pub(crate) fn text(&self) -> String {
        let Self { uri, call_id, sequence, expires, event, extra, .. } = self;
        let tag = self.to_tag.as_ref().map_or_else(String::new, |tag| format!(";tag={tag}"));
        format!(
            "SUBSCRIBE {uri} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:6120;branch=z9hG4bK{call_id}{sequence}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:app@sim.example>;tag=from-{call_id}\r\nTo: <{AGENT}>{tag}\r\n\
             Call-ID: {call_id}\r\nCSeq: {sequence} SUBSCRIBE\r\nContact: <sip:app@127.0.0.1:6120;transport=tcp>\r\n\
             Event: {event}\r\nExpires: {expires}\r\nAccept: application/pidf+xml\r\n{extra}Content-Length: 0\r\n\r\n"
        )
    }
}

/// An answer to a request of the server.
pub(crate) fn answer(request: &Message, status: u16) -> String {
    let copy = |name| request.header(name).unwrap_or_default().to_owned();
    format!(
        "SIP/2.0 {status} Whatever\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {}\r\nContent-Length: 0\r\n\r\n",
        copy("Via"),
        copy("From"),
        copy("To"),
        copy("Call-ID"),
        copy("CSeq")
    )
}

pub(crate) fn parse(text: impl Into<Bytes>) -> Message {
    Message::parse(text.into(), &Limits::default()).unwrap()
}

/// A server under virtual time, with one connection.
pub(crate) struct Bench {
    pub(crate) server: PresenceServer,
    pub(crate) now: Instant,
    pub(crate) connection: ConnectionId,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Wire::Tcp, |_| {})
    }

    pub(crate) fn with(wire: Wire, adapt: impl FnOnce(&mut ServerSettings)) -> Self {
        let agents: Vec<AgentUri> = (1..=3).map(|n| format!("sip:agent{n}@sim.example").parse().unwrap()).collect();
        let address: SocketAddr = SERVER.parse().unwrap();
        let mut settings = ServerSettings { seed: 1, agents, change_interval: None, address, digest: None };
        adapt(&mut settings);
        let now = Instant::now();
        let mut server = PresenceServer::new(now, settings);
        let connection = ConnectionId(1);
        server.connected(connection, wire);
        Self { server, now, connection }
    }

    pub(crate) fn faulty(faults: Faults) -> Self {
        let mut bench = Self::new();
        bench.server.faults(&Scope::Everyone, faults);
        bench
    }

    /// What the server sends now, unparsed.
    pub(crate) fn raw(&mut self) -> Vec<(ConnectionId, Bytes)> {
        std::iter::from_fn(|| self.server.poll_effect())
            .map(|Effect::Transmit { connection, bytes }| (connection, bytes))
            .collect()
    }

    pub(crate) fn sent(&mut self) -> Vec<Message> {
        self.raw().into_iter().map(|(_, bytes)| parse(bytes)).collect()
    }

    /// Hands a message over; what the server says to it.
    pub(crate) fn say(&mut self, text: impl Into<Bytes>) -> Vec<Message> {
        self.server.receive(self.now, self.connection, &parse(text));
        self.sent()
    }

    /// Subscribes; the tag of the server.
    pub(crate) fn subscribed(&mut self, subscribe: &Subscribe<'_>) -> String {
        let sent = self.say(subscribe.text());
        let accepted = sent.iter().find(|message| message.status() == Some(200)).unwrap();
        accepted.to().unwrap().tag().unwrap().to_owned()
    }

    /// Lets time pass, step by step from deadline to deadline; everything that was sent, with the time since `start`.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<(Duration, Message)> {
        let (start, end) = (self.now, self.now + time);
        let mut all = Vec::new();
        while let Some((at, _)) = self.server.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = at.max(self.now);
            self.server.handle_timeout(self.now);
            let since = self.now - start;
            all.extend(self.sent().into_iter().map(|message| (since, message)));
        }
        self.now = end;
        all
    }

    pub(crate) fn agent() -> AgentUri {
        AGENT.parse().unwrap()
    }
}

/// The shape of what was sent: `200`, `NOTIFY active`, ...
pub(crate) fn shape(messages: &[Message]) -> Vec<String> {
    let one = |message: &Message| match message.status() {
        Some(status) => status.to_string(),
        None => {
            let method = message.method().unwrap().as_str();
            let state = message.header("Subscription-State").unwrap_or("?");
            let state = state.split(";expires").next().unwrap();
            format!("{method} {state}")
        }
    };
    messages.iter().map(one).collect()
}

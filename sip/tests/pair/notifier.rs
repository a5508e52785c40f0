//! Both ends of a conversation: the subscriber under test, and the words of a notifier.

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::{Duration, Instant};

use presence_core::{AgentUri, Attempt, Failure};
use presence_sip::{
    Credentials, Entropy, FlowId, Limits, Message, Method, Subscriber, SubscriberConfig, SubscriberEffect,
    TransportKind, WireEvent,
};

use crate::oracle;

/// A presence document that says `on-the-phone`.
pub(crate) const BUSY: &str = r#"<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:user1@domain.com"
 xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid">
<tuple id="t"><status><basic>open</basic></status></tuple>
<dm:person id="p"><r:activities><r:on-the-phone/></r:activities></dm:person></presence>"#;

pub(crate) const ONE: Attempt = Attempt(1);
pub(crate) const TWO: Attempt = Attempt(2);

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn agent(number: u32) -> AgentUri {
    AgentUri::parse(&format!("sip:user{number}@domain.com")).unwrap()
}

pub(crate) fn user() -> AgentUri {
    agent(1)
}

/// Bytes that look random and are the same in every run.
pub(crate) fn seeded(mut state: u64) -> Entropy {
    Box::new(move |bytes| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_be_bytes()[0];
        }
    })
}

pub(crate) struct Pair {
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) subscriber: Subscriber,
    /// What the subscriber has sent, and when.
    pub(crate) sent: VecDeque<(Instant, FlowId, Message)>,
    /// What it has told, without the counting.
    pub(crate) told: VecDeque<SubscriberEffect>,
    pub(crate) counted: Vec<WireEvent>,
}

impl Pair {
    pub(crate) fn over(transport: TransportKind) -> Self {
        Self::with(transport, |_| {})
    }

    pub(crate) fn with(transport: TransportKind, change: impl FnOnce(&mut SubscriberConfig)) -> Self {
        let endpoint = AgentUri::parse("sip:app@domain.com").unwrap();
        let mut config = SubscriberConfig::new(endpoint, "sip:app@192.0.2.1:6120;transport=tcp", "192.0.2.1:6120");
        config.transport = transport;
        change(&mut config);
        let now = Instant::now();
        let subscriber = Subscriber::new(config, seeded(42));
        Self { start: now, now, subscriber, sent: VecDeque::new(), told: VecDeque::new(), counted: Vec::new() }
    }

    pub(crate) fn tcp() -> Self {
        Self::over(TransportKind::Tcp)
    }

    pub(crate) fn udp() -> Self {
        Self::over(TransportKind::Udp)
    }

    pub(crate) fn credentials(config: &mut SubscriberConfig) {
        config.credentials = Some(Credentials { user: "app".into(), password: "secret".into() });
    }

    pub(crate) fn drain(&mut self) {
        while let Some(effect) = self.subscriber.poll_effect() {
            match effect {
                SubscriberEffect::Transmit { flow, bytes } => {
                    let message = Message::parse(bytes.clone(), &Limits::default()).expect("what we print can be read");
                    // A refusal copies what was wrong.
                    if message.status() != Some(400) {
                        assert_eq!(message.check(), Ok(()), "what we print is sane");
                        oracle::agree(&bytes, &message);
                    }
                    self.sent.push_back((self.now, flow, message));
                }
                SubscriberEffect::Count(event) => self.counted.push(event),
                other => self.told.push_back(other),
            }
        }
    }

    /// Lets time pass; every deadline on the way is met on the spot.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.subscriber.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.subscriber.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    pub(crate) fn subscribe(&mut self, attempt: Attempt) -> Message {
        self.subscribe_to(&user(), attempt)
    }

    pub(crate) fn subscribe_to(&mut self, uri: &AgentUri, attempt: Attempt) -> Message {
        self.subscriber.subscribe(self.now, uri, attempt);
        self.drain();
        self.request()
    }

    pub(crate) fn refresh(&mut self, attempt: Attempt) -> Message {
        self.subscriber.refresh(self.now, &user(), attempt);
        self.drain();
        self.request()
    }

    pub(crate) fn unsubscribe(&mut self, attempt: Attempt) {
        self.subscriber.unsubscribe(self.now, &user(), attempt);
        self.drain();
    }

    pub(crate) fn lose_transport(&mut self) {
        self.subscriber.transport_lost(self.now);
        self.drain();
    }

    /// The next message that was sent, which must be a request.
    pub(crate) fn request(&mut self) -> Message {
        let (_, flow, message) = self.sent.pop_front().expect("a request was sent");
        assert_eq!(flow, FlowId::PRIMARY);
        assert!(message.method().is_some(), "{message:?}");
        message
    }

    /// The code of the next message that was sent, which must be an answer.
    pub(crate) fn answered(&mut self) -> u16 {
        self.answer().status().unwrap()
    }

    pub(crate) fn answer(&mut self) -> Message {
        let (_, _, message) = self.sent.pop_front().expect("an answer was sent");
        assert!(message.status().is_some(), "{message:?}");
        message
    }

    pub(crate) fn silent(&mut self) {
        assert!(self.sent.is_empty(), "{:?}", self.sent);
    }

    pub(crate) fn tell(&mut self) -> SubscriberEffect {
        self.told.pop_front().expect("something was told")
    }

    pub(crate) fn failure(&mut self) -> Failure {
        match self.tell() {
            SubscriberEffect::Failed { failure, .. } => failure,
            other => panic!("{other:?}"),
        }
    }

    /// The attempt failed and its dialog stands: why, and whether for the second time.
    pub(crate) fn stall(&mut self) -> (Attempt, Failure, bool) {
        match self.tell() {
            SubscriberEffect::Stalled { attempt, failure, again, .. } => (attempt, failure, again),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn quiet(&mut self) {
        assert!(self.told.is_empty(), "{:?}", self.told);
    }

    pub(crate) fn receive(&mut self, text: &str) {
        self.receive_on(FlowId::PRIMARY, text);
    }

    pub(crate) fn receive_on(&mut self, flow: FlowId, text: &str) {
        let message = Message::parse(text.to_owned().into(), &Limits::default()).expect(text);
        self.subscriber.receive(self.now, flow, message);
        self.drain();
    }

    pub(crate) fn reply(&mut self, request: &Message, code: u16, extra: &[&str]) {
        self.receive(&reply(request, code, extra));
    }

    pub(crate) fn notify(&mut self, notify: &Notify) -> u16 {
        self.receive(&notify.text());
        self.answered()
    }

    /// A subscription as it should go: 200, NOTIFY, 200.
    pub(crate) fn live(&mut self) -> Notify {
        let subscribe = self.subscribe(ONE);
        self.reply(&subscribe, 200, &["Expires: 3600", "Contact: <sip:pool.domain.com:5061>"]);
        let notify = Notify::of(&subscribe);
        assert_eq!(self.notify(&notify), 200);
        self.told.clear();
        notify
    }
}

/// The answer of a notifier with the tag `n1`.
pub(crate) fn reply(request: &Message, code: u16, extra: &[&str]) -> String {
    let mut text = format!("SIP/2.0 {code} Phrase\r\n");
    for via in request.header_all("Via") {
        write!(text, "Via: {via}\r\n").unwrap();
    }
    let to = request.header("To").unwrap();
    let tag = if to.contains("tag=") || extra.iter().any(|line| line.starts_with("To:")) { "" } else { ";tag=n1" };
    if !extra.iter().any(|line| line.starts_with("To:")) {
        write!(text, "To: {to}{tag}\r\n").unwrap();
    }
    for name in ["From", "Call-ID", "CSeq"] {
        write!(text, "{name}: {}\r\n", request.header(name).unwrap()).unwrap();
    }
    for line in extra {
        write!(text, "{line}\r\n").unwrap();
    }
    text + "Content-Length: 0\r\n\r\n"
}

/// A NOTIFY to be said, and said otherwise.
#[derive(Clone)]
pub(crate) struct Notify {
    pub(crate) method: &'static str,
    pub(crate) call_id: String,
    pub(crate) our_tag: String,
    pub(crate) tag: String,
    pub(crate) cseq: u32,
    pub(crate) branch: String,
    pub(crate) event: Option<&'static str>,
    pub(crate) state: Option<String>,
    pub(crate) extra: Vec<String>,
    pub(crate) media_type: &'static str,
    pub(crate) body: String,
}

impl Notify {
    /// The first NOTIFY that follows a SUBSCRIBE: active, busy.
    pub(crate) fn of(subscribe: &Message) -> Self {
        assert_eq!(subscribe.method(), Some(&Method::Subscribe));
        Self {
            method: "NOTIFY",
            call_id: subscribe.call_id().into(),
            our_tag: subscribe.from().unwrap().tag().unwrap().into(),
            tag: "n1".into(),
            cseq: 1,
            branch: "z9hG4bKn1".into(),
            event: Some("presence"),
            state: Some("active;expires=3599".into()),
            extra: vec!["Contact: <sip:pool.domain.com:5061>".into()],
            media_type: "application/pidf+xml",
            body: BUSY.into(),
        }
    }

    pub(crate) fn next(&self) -> Self {
        let cseq = self.cseq + 1;
        Self { cseq, branch: format!("z9hG4bKn{cseq}"), ..self.clone() }
    }

    pub(crate) fn state(&self, state: &str) -> Self {
        Self { state: Some(state.into()), ..self.clone() }
    }

    pub(crate) fn text(&self) -> String {
        let Self { method, call_id, our_tag, tag, cseq, branch, media_type, body, .. } = self;
        let mut text = format!(
            "{method} sip:app@192.0.2.1:6120;transport=tcp SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9:5060;branch={branch}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:user1@domain.com>;tag={tag}\r\nTo: <sip:app@domain.com>;tag={our_tag}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n"
        );
        if let Some(event) = self.event {
            write!(text, "Event: {event}\r\n").unwrap();
        }
        if let Some(state) = &self.state {
            write!(text, "Subscription-State: {state}\r\n").unwrap();
        }
        for line in &self.extra {
            write!(text, "{line}\r\n").unwrap();
        }
        if !body.is_empty() {
            write!(text, "Content-Type: {media_type}\r\n").unwrap();
        }
        write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        text
    }
}

//! A pool whose every word is written here, and an endpoint that talks to it.

use std::collections::VecDeque;
use std::fmt::Write;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use presence_core::{AgentUri, Attempt, Failure};
use presence_sip::{
    Credentials, Dialect, Epid, FlowId, Gather, Limits, Message, Method, SkypeConfig, SkypeSubscriber,
    SubscriberEffect, TransportKind, WireEvent,
};

pub(crate) const ONE: Attempt = Attempt(1);
pub(crate) const TWO: Attempt = Attempt(2);
pub(crate) const GRUU: &str = "sip:app@domain.com;opaque=user:epid:fvceImg6cFWG7W6lvUt_-AAA;gruu";
/// The pool's Contact, with parameters that must come back as they are.
pub(crate) const TARGET: &str = "sip:fe01.domain.com:5061;transport=tls;ms-key-info=AbC~d;ms-route-sig=aab:c";
pub(crate) const FLUSH: Duration = Duration::from_millis(1_010);

pub(crate) fn agent(number: usize) -> AgentUri {
    AgentUri::parse(&format!("sip:agent{number}@domain.com")).unwrap()
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// One endpoint with all that it has said.
pub(crate) struct Pool {
    pub(crate) subject: SkypeSubscriber,
    pub(crate) now: Instant,
    pub(crate) sent: VecDeque<Message>,
    pub(crate) told: VecDeque<SubscriberEffect>,
    pub(crate) counted: Vec<WireEvent>,
    cseq: u32,
}

impl Pool {
    /// An endpoint with this rate that has not said anything.
    pub(crate) fn with(most: u32, change: impl FnOnce(&mut SkypeConfig)) -> Self {
        let now = Instant::now();
        let endpoint = AgentUri::parse("sip:app@domain.com").unwrap();
        let gather = Gather::new(now, NonZeroU32::new(most).unwrap());
        let epid = Epid::new("84d3db8c23").unwrap();
        let mut config = SkypeConfig::new(endpoint, epid, "sip:192.0.2.1:6120;transport=tcp", "192.0.2.1:6120", gather);
        config.transport = TransportKind::Tcp;
        change(&mut config);
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let entropy = Box::new(move |bytes: &mut [u8]| {
            for byte in bytes {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = (seed >> 33) as u8;
            }
        });
        let subject = SkypeSubscriber::new(config, entropy);
        let (sent, told) = (VecDeque::new(), VecDeque::new());
        Self { subject, now, sent, told, counted: Vec::new(), cseq: 0 }
    }

    /// An endpoint that the pool has registered.
    pub(crate) fn registered(most: u32) -> Self {
        let mut pool = Self::with(most, |_| {});
        pool.register();
        pool
    }

    pub(crate) fn with_credentials() -> Self {
        let credentials = Credentials { user: "app".into(), password: "secret".into() };
        let mut pool = Self::with(15, |config| config.credentials = Some(credentials));
        pool.register();
        pool
    }

    /// Probes and is registered.
    pub(crate) fn register(&mut self) {
        self.subject.probe(self.now);
        self.drain();
        let register = self.sent.pop_back().unwrap();
        assert_eq!(register.method(), Some(&Method::Register));
        self.accept_register(&register);
        assert_eq!(self.told.pop_back(), Some(SubscriberEffect::ProbeAnswered));
    }

    pub(crate) fn accept_register(&mut self, register: &Message) {
        let contact = register.header("Contact").unwrap();
        let contact = format!("Contact: {contact};expires=7200;gruu=\"{GRUU}\"");
        self.receive(&reply(register, 200, &[&contact, "Expires: 7200"], None));
    }

    pub(crate) fn drain(&mut self) {
        while let Some(effect) = self.subject.poll_effect() {
            match effect {
                SubscriberEffect::Transmit { bytes, .. } if *bytes == *b"\r\n\r\n" => {}
                SubscriberEffect::Transmit { bytes, .. } => {
                    let message = Message::parse(bytes, &Limits::default()).unwrap();
                    assert_eq!(message.check(), Ok(()), "what we print is sane");
                    self.sent.push_back(message);
                }
                SubscriberEffect::Count(event) => self.counted.push(event),
                other => self.told.push_back(other),
            }
        }
    }

    /// Lets time pass; every deadline on the way is met on the spot. REGISTERs to refresh are answered.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.subject.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.subject.handle_timeout(self.now);
            let next = self.subject.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "a deadline that was met falls due again at once");
            self.drain();
            if let Some(at) = self.sent.iter().position(|sent| sent.method() == Some(&Method::Register)) {
                let register = self.sent.remove(at).unwrap();
                if register.expires() != Some(Duration::ZERO) {
                    self.accept_register(&register);
                }
            }
        }
        self.now = end;
    }

    pub(crate) fn subscribe(&mut self, uri: &AgentUri, attempt: Attempt) {
        self.subject.subscribe(self.now, uri, attempt);
        self.drain();
    }

    pub(crate) fn refresh(&mut self, uri: &AgentUri, attempt: Attempt) {
        self.subject.refresh(self.now, uri, attempt);
        self.drain();
    }

    pub(crate) fn unsubscribe(&mut self, uri: &AgentUri, attempt: Attempt) {
        self.subject.unsubscribe(self.now, uri, attempt);
        self.drain();
    }

    pub(crate) fn lose_transport(&mut self) {
        self.subject.transport_lost(self.now);
        self.drain();
    }

    pub(crate) fn receive(&mut self, text: &str) {
        let limits = Limits { body: 8 << 20, ..Limits::default() };
        let message = Message::parse(text.to_owned().into(), &limits).expect(text);
        self.subject.receive(self.now, FlowId::PRIMARY, message);
        self.drain();
    }

    /// The next message that was sent, which must be a request.
    pub(crate) fn request(&mut self) -> Message {
        let message = self.sent.pop_front().expect("a request was sent");
        assert!(message.method().is_some(), "{message:?}");
        message
    }

    /// The next SUBSCRIBE, after a moment of gathering.
    pub(crate) fn flushed(&mut self) -> Message {
        self.pass(FLUSH);
        let request = self.request();
        assert_eq!(request.method(), Some(&Method::Subscribe));
        request
    }

    pub(crate) fn silent(&self) {
        assert!(self.sent.is_empty(), "{:?}", self.sent);
    }

    pub(crate) fn quiet(&self) {
        assert!(self.told.is_empty(), "{:?}", self.told);
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

    pub(crate) fn answer(&mut self, request: &Message, code: u16, extra: &[&str]) {
        self.receive(&reply(request, code, extra, None));
    }

    /// 200 with these resources in the list and these documents.
    pub(crate) fn accept(&mut self, request: &Message, rows: &[(&AgentUri, &str)], documents: &[String]) {
        self.cseq += 1;
        let body = multipart(rows, documents);
        let piggyback = format!("ms-piggyback-cseq: {}", self.cseq);
        self.receive(&reply(request, 200, &[&contact(), "Expires: 28800", &piggyback], Some(body)));
    }

    /// 200 with a document for everybody who was asked for.
    pub(crate) fn accept_all(&mut self, request: &Message) {
        let documents: Vec<String> = listed(request, "subscribe").iter().map(|uri| state(uri, 3_500)).collect();
        self.accept(request, &[], &documents);
    }

    /// These agents, members of the home dialog, and the SUBSCRIBE that made them so.
    pub(crate) fn live(most: u32, agents: &[AgentUri]) -> (Self, Message) {
        let mut pool = Self::registered(most);
        agents.iter().for_each(|uri| pool.subscribe(uri, ONE));
        let subscribe = pool.flushed();
        pool.accept_all(&subscribe);
        pool.told.clear();
        pool.silent();
        (pool, subscribe)
    }

    /// A notification in the dialog of this SUBSCRIBE, with the next number.
    pub(crate) fn notify(&mut self, method: &str, subscribe: &Message, head: &str, body: Option<(String, String)>) {
        self.cseq += 1;
        let cseq = self.cseq;
        self.receive(&notification(method, subscribe, cseq, head, body));
    }

    pub(crate) fn benotify(&mut self, subscribe: &Message, document: String) {
        let body = ("application/msrtc-event-categories+xml".to_owned(), document);
        self.notify("BENOTIFY", subscribe, "subscription-state: active;expires=28000", Some(body));
    }
}

pub(crate) fn contact() -> String {
    format!("Contact: <{TARGET}>")
}

/// An answer of the pool, with the tag `fe`.
pub(crate) fn reply(request: &Message, code: u16, extra: &[&str], body: Option<(String, String)>) -> String {
    let mut text = format!("SIP/2.0 {code} Phrase\r\n");
    for via in request.header_all("Via") {
        write!(text, "Via: {via};ms-received-port=4711;ms-received-cid=1A00\r\n").unwrap();
    }
    let to = request.header("To").unwrap();
    let tag = if to.contains("tag=") { "" } else { ";tag=fe" };
    write!(text, "To: {to}{tag}\r\n").unwrap();
    for name in ["From", "Call-ID", "CSeq"] {
        write!(text, "{name}: {}\r\n", request.header(name).unwrap()).unwrap();
    }
    for line in extra {
        write!(text, "{line}\r\n").unwrap();
    }
    finish(text, body)
}

fn finish(mut text: String, body: Option<(String, String)>) -> String {
    let (content_type, body) = body.unwrap_or_default();
    if !body.is_empty() {
        write!(text, "Content-Type: {content_type}\r\n").unwrap();
    }
    write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    text
}

pub(crate) fn notification(
    method: &str,
    subscribe: &Message,
    cseq: u32,
    head: &str,
    body: Option<(String, String)>,
) -> String {
    let tag = subscribe.from().unwrap().tag().unwrap().to_owned();
    let text = format!(
        "{method} {GRUU} SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.9:5061;branch=z9hG4bK{cseq:X}.{tag};branched=FALSE\r\n\
         Max-Forwards: 70\r\nFrom: <sip:app@domain.com>;tag=fe\r\nTo: <sip:app@domain.com>;tag={tag};epid=84d3db8c23\r\n\
         Call-ID: {}\r\nCSeq: {cseq} {method}\r\nEvent: presence\r\n{head}\r\n",
        subscribe.call_id()
    );
    finish(text, body)
}

pub(crate) fn categories(uri: &str, inside: &str) -> String {
    format!(
        "<categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" uri=\"{uri}\">{inside}</categories>"
    )
}

pub(crate) fn state(uri: &str, availability: u32) -> String {
    categories(
        uri,
        &format!(
            "<category name=\"state\" instance=\"1\"><state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"aggregateState\">\
             <availability>{availability}</availability></state></category>"
        ),
    )
}

pub(crate) fn services(uri: &str) -> String {
    categories(
        uri,
        "<category name=\"services\" instance=\"0\"><services xmlns=\"http://schemas.microsoft.com/2006/09/sip/service\">\
         <service uri=\"sip:a@domain.com\"><capabilities><voice render=\"true\" capture=\"true\"/></capabilities>\
         </service></services></category>",
    )
}

/// The list with these rows (attributes of each instance), and the documents.
pub(crate) fn multipart(rows: &[(&AgentUri, &str)], documents: &[String]) -> (String, String) {
    let mut list = String::from(
        "<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:app@domain.com\" version=\"0\" fullState=\"false\">",
    );
    for (uri, attributes) in rows {
        write!(list, "<resource uri=\"{uri}\"><instance id=\"0\" {attributes}/></resource>").unwrap();
    }
    list += "</list>";
    let mut body = format!(
        "--x1\r\nContent-Transfer-Encoding: binary\r\nContent-ID: resourceList\r\n\
         Content-Type: application/rlmi+xml\r\n\r\n{list}\r\n"
    );
    for document in documents {
        let uri = document.split("uri=\"sip:").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("nobody@d.com");
        write!(
            body,
            "--x1\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {uri}\r\n\
             Content-Type: application/msrtc-event-categories+xml\r\n\r\n{document}\r\n"
        )
        .unwrap();
    }
    body += "--x1--\r\n";
    ("multipart/related;type=\"application/rlmi+xml\";start=resourceList;boundary=x1".to_owned(), body)
}

/// The resources of the actions of this name in the body of a request.
pub(crate) fn listed(request: &Message, action: &str) -> Vec<String> {
    let body = String::from_utf8(request.body().to_vec()).unwrap();
    let start = format!("name=\"{action}\"");
    let actions = body.split("<action ").skip(1).filter(|part| part.starts_with(&start));
    let uris = actions.flat_map(|part| part.split("<resource uri=\"").skip(1));
    uris.map(|part| part.split('"').next().unwrap().to_owned()).collect()
}

/// All resources of a request.
pub(crate) fn carried(request: &Message) -> usize {
    listed(request, "subscribe").len() + listed(request, "unsubscribe").len()
}

pub(crate) fn joined(uri: &AgentUri, attempt: Attempt) -> SubscriberEffect {
    SubscriberEffect::Joined { uri: uri.clone(), attempt }
}

pub(crate) fn ended(uri: &AgentUri, attempt: Attempt) -> SubscriberEffect {
    SubscriberEffect::Ended { uri: uri.clone(), attempt }
}

pub(crate) fn wants(uri: &AgentUri, attempt: Attempt) -> SubscriberEffect {
    SubscriberEffect::WantsRefresh { uri: uri.clone(), attempt }
}

impl Pool {
    /// The code of the next message that was sent, if it is an answer.
    pub(crate) fn request_or_answer(&mut self) -> Option<u16> {
        self.sent.pop_front()?.status()
    }
}

impl Pool {
    /// Probes and is registered; what is told and sent besides stays to be looked at.
    pub(crate) fn register_quietly(&mut self) {
        self.subject.probe(self.now);
        self.drain();
        let at = self.sent.iter().position(|sent| sent.method() == Some(&Method::Register)).unwrap();
        let register = self.sent.remove(at).unwrap();
        self.accept_register(&register);
    }
}

//! An endpoint, its clock, and what it has sent to the pool.

use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_sip::{
    Credentials, Entropy, Epid, FlowId, Limits, Message, Registration, RegistrationConfig, RegistrationEffect,
    TransportKind, WireEvent, respond,
};

pub(crate) const OWNER: &str = "sip:app@domain.com";
pub(crate) const URN: &str = "urn:uuid:4b1682a8-f968-5701-83fc-7c6741dc6697";
pub(crate) const GRUU: &str = "sip:app@domain.com;opaque=user:epid:qIIWS2j5AVeD_HxnQdxmlwAA;gruu";
/// The flow of a connection that the pool opened to us.
pub(crate) const THEIRS: FlowId = FlowId(7);

pub(crate) fn seeded(mut state: u64) -> Entropy {
    Box::new(move |bytes| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_be_bytes()[0];
        }
    })
}

pub(crate) fn config() -> RegistrationConfig {
    let epid = Epid::new("01010101").unwrap();
    RegistrationConfig::new(OWNER.parse().unwrap(), epid, "sip:192.0.2.1:6120;transport=tls", "192.0.2.1:40000")
}

pub(crate) fn read(bytes: impl Into<Bytes>) -> Message {
    Message::parse(bytes.into(), &Limits::default()).unwrap()
}

pub(crate) struct Scene {
    pub(crate) registration: Registration,
    pub(crate) now: Instant,
    /// Messages that were sent, with their flows.
    pub(crate) sent: Vec<(FlowId, Message)>,
    /// When keep-alives were sent, since the start.
    pub(crate) pings: Vec<Duration>,
    /// All other effects.
    pub(crate) told: Vec<RegistrationEffect>,
    start: Instant,
}

impl Scene {
    pub(crate) fn new(config: RegistrationConfig) -> Self {
        let now = Instant::now();
        let registration = Registration::new(config, seeded(3));
        Self { registration, now, sent: Vec::new(), pings: Vec::new(), told: Vec::new(), start: now }
    }

    /// An endpoint that the pool has accepted for 7200 s.
    pub(crate) fn registered() -> Self {
        let mut scene = Self::new(config());
        scene.register();
        scene.accept(&[]);
        assert!(scene.registration.is_registered());
        scene.forget();
        scene
    }

    pub(crate) fn with_password() -> Self {
        let credentials = Credentials { user: "app".into(), password: "secret".into() };
        let mut scene = Self::new(RegistrationConfig { credentials: Some(credentials), ..config() });
        scene.register();
        scene
    }

    pub(crate) fn over_udp() -> Self {
        Self::new(RegistrationConfig { transport: TransportKind::Udp, ..config() })
    }

    pub(crate) fn register(&mut self) {
        self.registration.register(self.now);
        self.drain();
    }

    pub(crate) fn unregister(&mut self) {
        self.registration.unregister(self.now);
        self.drain();
    }

    pub(crate) fn lose_connection(&mut self) {
        self.registration.connection_lost(self.now);
        self.drain();
    }

    /// Answers the last REGISTER.
    pub(crate) fn answer(&mut self, status: u16, extra: &[(&str, &str)]) {
        let request = self.last();
        let answer = read(respond(&request, status, None, "pool", extra, None));
        assert!(self.registration.receive_response(self.now, &answer), "it is an answer to a REGISTER");
        self.drain();
    }

    /// A 200 as Skype for Business gives it, with these headers besides.
    pub(crate) fn accept(&mut self, extra: &[(&str, &str)]) {
        let contact = format!(
            "<sip:192.0.2.1:6120;transport=tls;ms-opaque=1>;expires=7200;+sip.instance=\"<{URN}>\";gruu=\"{GRUU}\""
        );
        let mut headers = vec![("Contact", contact.as_str()), ("Expires", "7200")];
        headers.extend_from_slice(extra);
        self.answer(200, &headers);
    }

    /// An event of the pool; the answer, if there was one.
    pub(crate) fn event(&mut self, text: &str) -> Option<u16> {
        let sent = self.sent.len();
        assert!(self.registration.receive_event(self.now, THEIRS, &read(text.to_owned())), "it is an event of ours");
        self.drain();
        let (flow, answer) = self.sent.get(sent)?;
        assert_eq!(*flow, THEIRS);
        answer.status()
    }

    /// The clock goes on, and everything is done when it is due.
    pub(crate) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        let mut steps = 0;
        while let Some(at) = self.registration.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.registration.handle_timeout(self.now);
            self.drain();
            steps += 1;
            assert!(steps < 10_000, "the clock stands still");
        }
        self.now = until;
        self.registration.handle_timeout(self.now);
        self.drain();
    }

    pub(crate) fn seconds(&mut self, seconds: u64) {
        self.wait(Duration::from_secs(seconds));
    }

    pub(crate) fn drain(&mut self) {
        while let Some(effect) = self.registration.poll_effect() {
            match effect {
                RegistrationEffect::Transmit { flow, bytes } if bytes.as_ref() == b"\r\n\r\n" => {
                    assert_eq!(flow, FlowId::PRIMARY);
                    self.pings.push(self.now - self.start);
                }
                RegistrationEffect::Transmit { flow, bytes } => self.sent.push((flow, read(bytes))),
                other => self.told.push(other),
            }
        }
    }

    pub(crate) fn forget(&mut self) {
        self.sent.clear();
        self.told.clear();
    }

    pub(crate) fn last(&self) -> Message {
        self.sent.last().unwrap().1.clone()
    }

    /// The header of the last message.
    pub(crate) fn header(&self, name: &str) -> String {
        self.last().header(name).unwrap_or_default().to_owned()
    }

    pub(crate) fn registers(&self) -> usize {
        self.sent.iter().filter(|(_, message)| message.status().is_none()).count()
    }

    pub(crate) fn counted(&self, event: WireEvent) -> bool {
        self.told.contains(&RegistrationEffect::Count(event))
    }
}

//! One endpoint, its pool, and the rules that hold whatever the pool says.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_core::AgentUri;
use presence_sip::{
    Credentials, Dialect, Epid, FlowId, Frame, Gather, Limits, Message, Method, SkypeConfig, SkypeSubscriber,
    Subscriber, SubscriberConfig, SubscriberEffect, TransportKind,
};

use super::ledger::Ledger;
use super::pool;
use crate::dice::Dice;
use crate::script::Script;

/// How many agents there are.
const AGENTS: usize = 8;
/// How many requests and dialogs of ours the pool remembers.
const REMEMBERED: usize = 48;
/// How many steps a script has at most.
const STEPS: usize = 400;
/// How long a time may pass in one step.
const TIMES: [u64; 10] = [0, 1, 500, 1_010, 5_000, 33_000, 64_000, 600_000, 3_600_000, 30_000_000];
/// How far in the future a deadline may lie: what 2^32 - 1 seconds come to, and a day.
const FARTHEST: Duration = Duration::from_secs((1 << 32) + 86_400);
/// The longest that a farewell takes: the hour for which a pool may ask to be left alone, a gathering for each agent, then what
/// waits for answers that do not come.
const FAREWELL: Duration = Duration::from_secs(3_600 + 900);

/// What we print may be longer than what we read: it repeats what a pool has said, with our words around it.
const WIDE: Limits = Limits { header_section: 256 * 1024, header: 64 * 1024, headers: 256, body: 1 << 20 };

/// Which dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Simple,
    Skype,
}

/// An endpoint under test.
pub(crate) struct Scene {
    kind: Kind,
    subject: Box<dyn Dialect>,
    now: Instant,
    ledger: Ledger,
    agents: Vec<AgentUri>,
    /// Requests without an answer.
    open: VecDeque<Message>,
    /// SUBSCRIBEs of all dialogs.
    known: VecDeque<Message>,
    /// When something was let go: its dialog may live until its farewell is over.
    released: VecDeque<Instant>,
    /// The last message that came.
    last: String,
    /// The Call-ID of the last SUBSCRIBE that asked for each agent; none since it was asked to end.
    serving: Vec<Option<String>>,
    cseq: u32,
    /// How often something was told of an agent.
    told: u64,
}

impl Scene {
    pub(crate) fn new(kind: Kind) -> Self {
        let now = begin();
        let endpoint = AgentUri::parse("sip:app@domain.com").expect("a URI");
        let mut dice = Dice::new(42);
        let entropy = Box::new(move |bytes: &mut [u8]| bytes.fill_with(|| dice.byte()));
        let credentials = Some(Credentials { user: "app".into(), password: "never-on-the-wire".into() });
        let (contact, sent_by) = ("sip:app@192.0.2.1:6120;transport=tcp", "192.0.2.1:6120");
        let subject: Box<dyn Dialect> = match kind {
            Kind::Simple => {
                let mut config = SubscriberConfig::new(endpoint, contact, sent_by);
                config.transport = TransportKind::Udp;
                config.credentials = credentials;
                Box::new(Subscriber::new(config, entropy))
            }
            Kind::Skype => {
                let gather = Gather::new(now, NonZeroU32::new(5).expect("it is not 0"));
                let epid = Epid::new("84d3db8c23").expect("hexadecimal");
                let mut config = SkypeConfig::new(endpoint, epid, contact, sent_by, gather);
                config.transport = TransportKind::Tcp;
                config.credentials = credentials;
                config.chunk = 3;
                Box::new(SkypeSubscriber::new(config, entropy))
            }
        };
        let agent = |number| AgentUri::parse(&format!("sip:agent{number}@domain.com")).expect("a URI");
        Self {
            kind,
            subject,
            now,
            ledger: Ledger::new(kind),
            agents: (0..AGENTS).map(agent).collect(),
            open: VecDeque::new(),
            known: VecDeque::new(),
            released: VecDeque::new(),
            last: String::new(),
            serving: vec![None; AGENTS],
            cseq: 1,
            told: 0,
        }
    }

    /// Plays a script to its end, and then says goodbye.
    pub(crate) fn play(&mut self, data: &[u8]) {
        let mut script = Script::new(data);
        for _ in 0..STEPS {
            if script.is_over() {
                break;
            }
            self.step(&mut script);
        }
        self.say_goodbye();
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let step = script.below(20);
        let agent = self.agents[script.below(AGENTS)].clone();
        match step {
            0..=3 => self.subscribe(&agent),
            4 => {
                if let Some(attempt) = self.ledger.wanted(&agent) {
                    self.ledger.refresh(&agent, attempt);
                    self.subject.refresh(self.now, &agent, attempt);
                    self.drain(None);
                }
            }
            5 => self.unsubscribe(&agent),
            6 => {
                self.subject.probe(self.now);
                self.drain(None);
            }
            7 => {
                self.subject.transport_lost(self.now);
                self.open.clear();
                self.drain(None);
            }
            8 => self.pass(Duration::from_millis(script.pick(&TIMES))),
            9 => self.subject.set_local("sip:app@192.0.2.2:6121;transport=tcp".into(), "192.0.2.2:6121".into()),
            10..=14 => {
                let Some(request) = self.request(script) else { return };
                let text = pool::answer(&request, script, self.kind);
                self.hear(text, script);
            }
            15 | 16 => {
                let Some(subscribe) = self.known.get(script.below(self.known.len())).cloned() else { return };
                self.cseq += 1;
                let text = pool::notification(&subscribe, self.cseq, script, self.kind);
                self.hear(text, script);
            }
            17 => {
                self.cseq += 1;
                let text = match self.kind {
                    Kind::Skype if !script.chance(3) => pool::registration_event(self.cseq, script),
                    Kind::Skype | Kind::Simple => pool::stranger(self.cseq, script),
                };
                self.hear(text, script);
            }
            18 => {
                let text = self.last.clone();
                self.hear(text, script);
            }
            _ => {
                let raw = script.take(60).to_vec();
                self.receive(&raw);
            }
        }
    }

    fn subscribe(&mut self, agent: &AgentUri) {
        let attempt = self.ledger.begin(agent);
        self.subject.subscribe(self.now, agent, attempt);
        self.drain(None);
    }

    fn unsubscribe(&mut self, agent: &AgentUri) {
        let Some(attempt) = self.ledger.wanted(agent) else { return };
        self.ledger.release(agent, attempt);
        self.released.push_back(self.now);
        self.subject.unsubscribe(self.now, agent, attempt);
        self.drain(None);
    }

    /// Registers where that is due, and subscribes to the first agent: a dialog that lives.
    pub(crate) fn begin(&mut self) {
        if self.kind == Kind::Skype {
            self.subject.probe(self.now);
            self.drain(None);
            self.accept(&Method::Register);
        }
        let agent = self.agents[0].clone();
        self.subscribe(&agent);
        self.pass(Duration::from_millis(1_100));
        self.accept(&Method::Subscribe);
    }

    fn accept(&mut self, method: &Method) {
        let at = self.open.iter().position(|request| request.method() == Some(method));
        let request = at.and_then(|at| self.open.remove(at)).expect("it was sent");
        self.receive(pool::acceptance(&request).as_bytes());
    }

    /// The SUBSCRIBE of the dialog that [`Scene::begin`] began, and the headers of a NOTIFY in it.
    pub(crate) fn notify(&mut self) -> Vec<(&'static str, String)> {
        self.cseq += 1;
        pool::honest(self.known.front().expect("it has begun"), self.cseq)
    }

    /// The answer to that SUBSCRIBE.
    pub(crate) fn accepted(&self) -> String {
        pool::acceptance(self.known.front().expect("it has begun"))
    }

    /// A NOTIFY with this body, whose Content-Type is its first line; true when something was told of an agent.
    pub(crate) fn notify_with(&mut self, body: &[u8]) -> bool {
        let at = body.iter().position(|byte| *byte == b'\n').unwrap_or(body.len());
        let (content_type, body) = body.split_at(at);
        let body = body.get(1..).unwrap_or_default();
        let mut head = "NOTIFY sip:app@192.0.2.1 SIP/2.0\r\n".to_owned();
        for (name, value) in self.notify() {
            head.extend([name, ": ", &value, "\r\n"]);
        }
        let content_type = String::from_utf8_lossy(content_type);
        head.push_str(&format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", body.len()));
        let limits = Limits { body: 4 << 20, ..Limits::default() };
        let Ok(message) = Message::parse([head.as_bytes(), body].concat().into(), &limits) else { return false };
        let before = self.told;
        self.subject.receive(self.now, FlowId::PRIMARY, message.clone());
        self.drain(Some(&message));
        self.told > before
    }

    /// One of the requests without an answer, mostly the oldest; it is sometimes answered again.
    fn request(&mut self, script: &mut Script<'_>) -> Option<Message> {
        let at = if script.chance(2) { 0 } else { script.below(self.open.len()) };
        if script.chance(8) { self.open.get(at).cloned() } else { self.open.remove(at) }
    }

    /// A message of the pool, sometimes damaged on its way.
    fn hear(&mut self, text: String, script: &mut Script<'_>) {
        self.last.clone_from(&text);
        let mut bytes = text.into_bytes();
        if script.chance(4) {
            let places = 1 + script.below(3);
            for _ in 0..places {
                let at = usize::from(script.byte()) * 256 + usize::from(script.byte());
                let at = at % (bytes.len() + 1);
                let morsel = script.take(6).to_vec();
                let until = (at + script.below(12)).min(bytes.len());
                drop(bytes.splice(at..until, morsel));
            }
        }
        self.receive(&bytes);
    }

    /// Bytes of the pool, as the transport would hand them over.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        let Frame::Message(message) = Frame::from_datagram(Bytes::copy_from_slice(bytes), &Limits::default()) else {
            return;
        };
        self.subject.receive(self.now, FlowId::PRIMARY, message.clone());
        self.drain(Some(&message));
    }

    /// Lets time pass; every deadline on the way is met on the spot, and none of them comes back at once.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut met = 0_u32;
        while let Some(at) = self.subject.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.subject.handle_timeout(self.now);
            self.drain(None);
            let next = self.subject.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "a deadline that was met falls due again at once");
            met += 1;
            assert!(met < 200_000, "deadlines without end");
        }
        self.now = end;
    }

    fn drain(&mut self, message: Option<&Message>) {
        let (mut effects, mut answers) = (0, 0);
        while let Some(effect) = self.subject.poll_effect() {
            effects += 1;
            assert!(effects < 500, "effects without end");
            self.told += u64::from(matches!(effect, SubscriberEffect::Notified { .. }));
            match &effect {
                SubscriberEffect::Transmit { bytes, .. } if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) => {}
                SubscriberEffect::Transmit { bytes, .. } => {
                    let sent = Message::parse(bytes.clone(), &WIDE).expect("what we print can be read");
                    if sent.method().is_some() {
                        self.sent(sent);
                    } else {
                        answers += 1;
                        let request = message.and_then(|message| message.method());
                        assert!(request.is_some_and(|method| !matches!(method, Method::Ack | Method::Benotify)));
                        assert_eq!(answers, 1, "one answer to one request");
                    }
                }
                SubscriberEffect::Notified { uri, .. } if self.kind == Kind::Simple => {
                    let at = self.agents.iter().position(|agent| agent == uri).expect("an agent of ours");
                    let by = message.map(Message::call_id);
                    assert!(by.is_some() && self.serving[at].as_deref() == by, "a second dialog speaks for {uri}");
                }
                _ => {}
            }
            self.ledger.hear(&effect);
        }
        self.look();
    }

    fn sent(&mut self, request: Message) {
        assert_eq!(request.check(), Ok(()), "what we print is sane, whatever the pool said");
        if request.method() == Some(&Method::Subscribe) {
            if let Some(at) = request.to().and_then(|to| self.agents.iter().position(|agent| agent.as_str() == to.uri))
            {
                let asks = request.expires() != Some(Duration::ZERO);
                let call = request.call_id();
                if asks {
                    self.serving[at] = Some(call.to_owned());
                } else if self.serving[at].as_deref() == Some(call) {
                    self.serving[at] = None;
                }
            }
            self.known.push_back(request.clone());
            let body = String::from_utf8_lossy(request.body()).into_owned();
            let mut asked: Vec<&str> = body.split("<resource uri=\"").skip(1).collect();
            assert!(self.kind == Kind::Simple || asked.len() <= 3, "no more than a chunk");
            asked.sort_unstable();
            asked.dedup_by_key(|rest| rest.split('"').next());
            assert_eq!(asked.len(), body.matches("<resource uri=\"").count(), "an agent twice in one message");
        }
        self.open.push_back(request);
        for queue in [&mut self.open, &mut self.known] {
            while queue.len() > REMEMBERED {
                queue.pop_front();
            }
        }
    }

    /// What holds at any moment.
    fn look(&mut self) {
        while self.released.front().is_some_and(|at| *at + Duration::from_secs(64) < self.now) {
            self.released.pop_front();
        }
        let stats = self.subject.stats();
        let most = match self.kind {
            Kind::Simple => AGENTS + self.released.len(),
            Kind::Skype => 4 * AGENTS + 8 + self.released.len(),
        };
        assert!(stats.dialogs <= most && stats.live <= stats.dialogs, "{stats:?}");
        if let Some(at) = self.subject.poll_timeout() {
            assert!(at <= self.now + FARTHEST, "a deadline beyond all sense");
        }
    }

    /// Says goodbye, as at the end of a script.
    pub(crate) fn end(&mut self) {
        self.say_goodbye();
    }

    /// Lets everybody go and leaves; nobody answers any more, and nothing is left behind.
    fn say_goodbye(&mut self) {
        for agent in self.agents.clone() {
            self.unsubscribe(&agent);
        }
        self.pass(FAREWELL);
        assert_eq!(self.ledger.unended(), Vec::<String>::new(), "attempts without an end");
        self.subject.leave(self.now);
        self.drain(None);
        self.pass(FAREWELL);
        assert!(self.ledger.left, "whoever leaves has left");
        let stats = self.subject.stats();
        assert_eq!((stats.dialogs, stats.remembered), (0, 0), "dialogs are left behind");
    }
}

#[expect(clippy::disallowed_methods, reason = "instants begin somewhere; only differences count")]
fn begin() -> Instant {
    Instant::now()
}

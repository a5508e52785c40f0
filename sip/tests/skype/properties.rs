//! Whatever happens in whatever order: every attempt ends once, and the wire stays in order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use presence_core::{AgentUri, Attempt, FailureKind};
use presence_sip::{Dialect, Message, Method, SubscriberEffect};
use proptest::prelude::*;

use crate::pool::{Pool, agent, carried, contact, listed, multipart, notification, reply, state};

const AGENTS: usize = 6;
const CHUNK: usize = 4;
const HOME: &str = "sip:app@domain.com";
const POOL2: &str = "sip:pool2.domain.com";

#[derive(Clone, Debug)]
enum Step {
    Subscribe(usize),
    Refresh(usize),
    Unsubscribe(usize),
    /// The oldest open request is answered: the code, and how the first listed agent stands.
    Answer(u16, u8),
    /// A notification of the latest dialog: how an agent stands, and whether the dialog is over.
    Notify(usize, u8, bool),
    Pass(u64),
    Lose,
    Probe,
    Deregister,
    /// The pool's presence service goes or comes.
    Presence(bool),
    /// A document or a list that cannot be read.
    Damage(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let code = prop_oneof![
        8 => Just(200_u16), 1 => Just(400), 1 => Just(403), 1 => Just(404), 1 => Just(408), 1 => Just(413),
        1 => Just(420), 1 => Just(423), 2 => Just(481), 1 => Just(480), 1 => Just(503), 1 => Just(401), 1 => Just(407),
        1 => Just(421), 1 => Just(488), 1 => Just(500), 1 => Just(504)
    ];
    prop_oneof![
        6 => (0..AGENTS).prop_map(Step::Subscribe),
        3 => (0..AGENTS).prop_map(Step::Refresh),
        4 => (0..AGENTS).prop_map(Step::Unsubscribe),
        8 => (code, 0..6_u8).prop_map(|(code, row)| Step::Answer(code, row)),
        4 => (0..AGENTS, 0..6_u8, prop::bool::weighted(0.15)).prop_map(|(agent, row, over)| Step::Notify(agent, row, over)),
        6 => prop_oneof![4 => Just(1_u64), 1 => Just(10), 1 => Just(400), 1 => Just(4_000)].prop_map(Step::Pass),
        1 => Just(Step::Lose),
        1 => Just(Step::Probe),
        1 => Just(Step::Deregister),
        1 => any::<bool>().prop_map(Step::Presence),
        1 => (0..AGENTS).prop_map(Step::Damage),
    ]
}

fn row(kind: u8) -> &'static str {
    match kind {
        0 | 1 => "state=\"active\"",
        2 => "state=\"resubscribe\"",
        3 => "state=\"resubscribe\" poolFqdn=\"sip:pool2.domain.com\"",
        4 => "state=\"terminated\" reason=\"quotaExceeded\" statusCode=\"413\" msDiagCode=\"2012\"",
        _ => "state=\"terminated\" statusCode=\"404\"",
    }
}

/// What the pool and the agents know.
struct World {
    pool: Pool,
    /// The attempts that have not ended.
    open: BTreeMap<AgentUri, BTreeSet<Attempt>>,
    /// The present attempt of each agent, which another may take over.
    present: BTreeMap<AgentUri, Attempt>,
    /// Whose attempts are refreshed and were not said to have joined since: the endpoint's failure may be one of the refresh alone.
    refreshed: BTreeSet<AgentUri>,
    last: u32,
    /// SUBSCRIBEs without an answer, oldest first, and since when.
    unanswered: Vec<(Instant, Message)>,
    /// The last SUBSCRIBE with an answer.
    known: Option<Message>,
    cseq: u32,
    /// The dialogs that the home server has, and until when.
    homes: BTreeMap<String, Instant>,
    /// Which agents each subscription lists that the server has.
    listing: BTreeMap<String, (Instant, BTreeSet<String>)>,
    /// Who is to be asked for again, for which there is a token at the next step.
    wanted: Vec<(AgentUri, Attempt)>,
    left: bool,
}

impl World {
    fn new() -> Self {
        let mut pool = Pool::with(100, |config| config.chunk = CHUNK);
        pool.register();
        let (open, present) = (BTreeMap::new(), BTreeMap::new());
        Self {
            pool,
            open,
            present,
            refreshed: BTreeSet::new(),
            last: 0,
            unanswered: Vec::new(),
            known: None,
            cseq: 100,
            homes: BTreeMap::new(),
            listing: BTreeMap::new(),
            wanted: Vec::new(),
            left: false,
        }
    }

    fn step(&mut self, step: &Step) {
        for (uri, attempt) in std::mem::take(&mut self.wanted) {
            if self.present.get(&uri) == Some(&attempt) {
                self.refresh(&uri, attempt);
            }
        }
        match step {
            Step::Subscribe(number) => {
                self.last += 1;
                let (uri, attempt) = (agent(*number), Attempt(self.last));
                self.open.entry(uri.clone()).or_default().insert(attempt);
                self.present.insert(uri.clone(), attempt);
                self.refreshed.remove(&uri);
                self.pool.subscribe(&uri, attempt);
            }
            Step::Refresh(number) => {
                let uri = agent(*number);
                if let Some(attempt) = self.present.get(&uri).copied() {
                    self.refresh(&uri, attempt);
                }
            }
            Step::Unsubscribe(number) => {
                let uri = agent(*number);
                if let Some(attempt) = self.present.get(&uri).copied() {
                    self.pool.unsubscribe(&uri, attempt);
                }
            }
            Step::Answer(code, kind) => self.answer(*code, *kind),
            Step::Notify(number, kind, over) => self.notify(*number, *kind, *over),
            Step::Pass(seconds) => {
                for _ in 0..*seconds {
                    self.pool.pass(Duration::from_secs(1));
                    self.look();
                }
            }
            Step::Lose => {
                self.pool.lose_transport();
                self.unanswered.clear();
            }
            Step::Probe => self.pool.subject.probe(self.pool.now),
            Step::Deregister => {
                self.event("deregistered;event=unregistered");
                self.homes.clear();
                self.listing.clear();
                self.unanswered.clear();
            }
            Step::Presence(false) => self.event("deregistered;event=userservices-unavailable"),
            Step::Presence(true) => self.event("registered;event=userservices-available"),
            Step::Damage(number) => {
                let Some(known) = self.known.clone() else { return };
                self.cseq += 1;
                let damaged = state(agent(*number).as_str(), 3_500).replace("</availability>", "</");
                let (content_type, body) = multipart(&[], &[damaged]);
                let body = if number % 2 == 0 { body.replace("</list>", "<") } else { body };
                let head = "subscription-state: active;expires=3000";
                self.pool.receive(&notification("NOTIFY", &known, self.cseq, head, Some((content_type, body))));
            }
        }
        self.pool.drain();
        self.look();
    }

    fn refresh(&mut self, uri: &AgentUri, attempt: Attempt) {
        self.refreshed.insert(uri.clone());
        self.pool.refresh(uri, attempt);
    }

    fn answer(&mut self, code: u16, kind: u8) {
        if self.unanswered.is_empty() {
            return;
        }
        let (_, request) = self.unanswered.remove(0);
        let uris = listed(&request, "subscribe");
        let body = (code == 200 && !request.body().is_empty()).then(|| {
            let first = uris.first().map(|uri| AgentUri::parse(uri).unwrap());
            let rows: Vec<(&AgentUri, &str)> = first.iter().map(|uri| (uri, row(kind))).collect();
            let documents: Vec<String> = uris.iter().skip(1).map(|uri| state(uri, 3_500)).collect();
            multipart(&rows, &documents)
        });
        let contact = contact();
        let call = request.call_id().to_owned();
        if code == 481 {
            self.listing.remove(&call);
        } else if code == 200
            && request.expires() != Some(Duration::ZERO)
            && (request.to().unwrap().tag().is_none() || self.listing.contains_key(&call))
        {
            let until = self.pool.now + Duration::from_secs(3_600);
            let (lasts, listing) = self.listing.entry(call.clone()).or_insert((until, BTreeSet::new()));
            *lasts = until;
            listing.extend(uris.iter().cloned());
            listed(&request, "unsubscribe").iter().chain(uris.first().filter(|_| kind > 1)).for_each(|gone| {
                listing.remove(gone);
            });
        }
        if code == 200 && self.homes.contains_key(&call) || begins(&request, HOME) {
            self.homes.insert(call.clone(), self.pool.now + Duration::from_secs(3_600));
        }
        if code != 200 && begins(&request, HOME) || code == 481 {
            self.homes.remove(&call);
        }
        self.pool.receive(&reply(&request, code, &[&contact, "Expires: 3600", "Min-Expires: 1800"], body));
        if code == 200 {
            self.known = Some(request);
        }
    }

    fn notify(&mut self, number: usize, kind: u8, over: bool) {
        let Some(known) = self.known.clone() else { return };
        self.cseq += 1;
        if over {
            self.listing.remove(known.call_id());
        } else if let Some((until, listing)) = self.listing.get_mut(known.call_id()) {
            if *until > self.pool.now {
                *until = self.pool.now + Duration::from_secs(3_000);
            }
            if kind > 1 {
                listing.remove(agent(number).as_str());
            }
        }
        if over {
            self.homes.remove(known.call_id());
        } else if let Some(until) = self.homes.get_mut(known.call_id()).filter(|until| **until > self.pool.now) {
            *until = self.pool.now + Duration::from_secs(3_000);
        }
        let head = if over { "subscription-state: terminated" } else { "subscription-state: active;expires=3000" };
        let body = multipart(&[(&agent(number), row(kind))], &[state(agent(number + 1).as_str(), 6_500)]);
        self.pool.receive(&notification("BENOTIFY", &known, self.cseq, head, Some(body)));
    }

    fn event(&mut self, line: &str) {
        self.cseq += 1;
        let cseq = self.cseq;
        let text = format!(
            "BENOTIFY sip:app@domain.com SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.9:5061;branch=z9hG4bKr{cseq}\r\n\
             From: <sip:app@domain.com>;tag=r1\r\nTo: <sip:app@domain.com>;epid=84d3db8c23\r\nCall-ID: r{cseq}\r\n\
             CSeq: {cseq} BENOTIFY\r\nEvent: registration-notify\r\nContent-Type: text/registration-event\r\n\
             subscription-state: terminated;expires=0\r\nContent-Length: {}\r\n\r\n{line}",
            line.len()
        );
        self.pool.receive(&text);
    }

    /// What was said and sent keeps the rules.
    fn look(&mut self) {
        let now = self.pool.now;
        self.unanswered.retain(|(since, _)| now - *since < Duration::from_secs(32));
        for told in self.pool.told.drain(..) {
            match told {
                SubscriberEffect::Failed { uri, attempt, failure }
                    if failure.kind == FailureKind::Endpoint && self.refreshed.contains(&uri) =>
                {
                    let is_open = self.open.get(&uri).is_some_and(|open| open.contains(&attempt));
                    assert!(is_open, "a refresh of an attempt that is over failed");
                }
                SubscriberEffect::Failed { uri, attempt, .. } | SubscriberEffect::Ended { uri, attempt } => {
                    assert!(self.open.entry(uri.clone()).or_default().remove(&attempt), "an attempt ended twice");
                    if self.present.get(&uri) == Some(&attempt) {
                        self.present.remove(&uri);
                    }
                }
                SubscriberEffect::Joined { uri, attempt } => {
                    assert_eq!(self.present.get(&uri), Some(&attempt), "told of an attempt that is over");
                    self.refreshed.remove(&uri);
                }
                SubscriberEffect::Notified { uri, attempt, .. } => {
                    assert_eq!(self.present.get(&uri), Some(&attempt), "told of an attempt that is over");
                }
                SubscriberEffect::WantsRefresh { uri, attempt } => {
                    assert_eq!(self.present.get(&uri), Some(&attempt), "asked for an attempt that is over");
                    self.wanted.push((uri, attempt));
                }
                SubscriberEffect::Left => self.left = true,
                _ => {}
            }
        }
        if let Some(message) = self.pool.sent.pop_front() {
            match message.method() {
                Some(Method::Register) => self.pool.accept_register(&message),
                Some(Method::Options) => self.pool.answer(&message, 200, &[]),
                Some(Method::Subscribe) => self.look_at(message),
                // The answer to a NOTIFY.
                None => {}
                _ => panic!("{message:?}"),
            }
            // What was answered may have brought news.
            self.look();
        }
    }

    /// How many dialogs with this server begin.
    fn beginning(&self, server: &str) -> usize {
        self.unanswered.iter().filter(|(_, sent)| begins(sent, server)).count()
    }

    fn look_at(&mut self, message: Message) {
        assert!(carried(&message) <= CHUNK);
        let resources: BTreeSet<String> = listed(&message, "subscribe").into_iter().collect();
        assert_eq!(resources.len(), listed(&message, "subscribe").len(), "an agent twice in one message");
        let now = self.pool.now;
        if message.expires() == Some(Duration::ZERO) {
            self.homes.remove(message.call_id());
            if message.body().is_empty() {
                self.listing.remove(message.call_id());
            }
        } else if begins(&message, HOME) {
            let dialog = |call: &&String| call.as_str() != message.call_id();
            let alive = self.homes.iter().filter(|(call, until)| dialog(call) && **until > now).count();
            assert_eq!(alive, 0, "two home dialogs");
        }
        // A search: some sequence in tens of thousands still gets there.
        if message.expires() != Some(Duration::ZERO) && std::env::var_os("PRESENCE_TWICE").is_some() {
            for (call, (until, listing)) in &self.listing {
                let twice = call != message.call_id() && *until > now && !listing.is_disjoint(&resources);
                assert!(!twice, "an agent in two subscriptions: {resources:?}");
            }
        }
        self.unanswered.push((now, message));
    }
}

/// Whether this SUBSCRIBE begins a dialog with this server.
fn begins(sent: &Message, server: &str) -> bool {
    let to = sent.to().unwrap();
    to.uri == server && to.tag().is_none() && sent.expires() != Some(Duration::ZERO)
}

/// No dialog has two SUBSCRIBEs on their way.
fn in_order(sent: &[(Instant, Message)]) -> bool {
    let calls: BTreeSet<&str> = sent.iter().map(|(_, sent)| sent.call_id()).collect();
    calls.len() == sent.len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_attempt_ends_once_and_dialogs_do_not_overlap(
        steps in prop::collection::vec(step(), 1..120),
        leaves in any::<bool>(),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
            prop_assert!(in_order(&world.unanswered));
            prop_assert!(world.beginning(HOME) <= 1, "two home dialogs begin");
            prop_assert!(world.beginning(POOL2) <= 1, "two dialogs with one pool begin");
        }
        if leaves {
            world.pool.subject.leave(world.pool.now);
            world.pool.drain();
            world.look();
            // Whose refresh has failed may not have been there any more.
            world.present.retain(|uri, _| !world.refreshed.contains(uri));
            prop_assert!(world.present.is_empty(), "{:?}", world.present);
            world.pool.pass(Duration::from_secs(3));
            world.look();
            prop_assert!(world.left);
            return Ok(());
        }
        // Everybody goes: every present attempt ends.
        for number in 0..AGENTS {
            world.step(&Step::Unsubscribe(number));
        }
        for _ in 0..40 {
            world.step(&Step::Pass(100));
            world.step(&Step::Answer(481, 0));
        }
        world.step(&Step::Lose);
        world.step(&Step::Probe);
        world.step(&Step::Pass(1));
        prop_assert!(world.present.is_empty(), "{:?}", world.present);
    }
}

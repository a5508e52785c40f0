//! The product's dialect and this front end, which were written apart from one another, in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use presence_core::{AgentUri, Attempt, Status};
use presence_simulator::{Activity, AgentState, ConnectionId, Dice, FrontEnd, FrontEndEffect, Switches};
use presence_sip::{Dialect, Epid, FlowId, Gather, SkypeConfig, SkypeSubscriber, SubscriberEffect, TransportKind};

use crate::support::{APP, agent, parse, settings, uri};

const CONNECTION: ConnectionId = ConnectionId(1);

/// Both machines, and what the product's told.
struct Pair {
    now: Instant,
    front: FrontEnd,
    client: SkypeSubscriber,
    told: BTreeMap<AgentUri, Status>,
    joined: BTreeSet<AgentUri>,
    failed: Vec<String>,
}

impl Pair {
    fn new(switches: Switches) -> Self {
        let now = Instant::now();
        let mut front = FrontEnd::new(now, settings(switches));
        front.connected(CONNECTION, 0);
        let gather = Gather::new(now, NonZeroU32::new(100).unwrap());
        let contact = "sip:192.0.2.7:6120;transport=tcp";
        let config = SkypeConfig {
            transport: TransportKind::Tcp,
            ..SkypeConfig::new(uri(APP), Epid::of(APP), contact, "192.0.2.7:6120", gather)
        };
        let mut dice = Dice::new(5);
        let entropy = Box::new(move |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = dice.throw().to_le_bytes()[0];
            }
        });
        let client = SkypeSubscriber::new(config, entropy);
        let mut pair = Self { now, front, client, told: BTreeMap::new(), joined: BTreeSet::new(), failed: Vec::new() };
        pair.client.probe(now);
        pair.exchange();
        for number in 1..=20 {
            pair.client.subscribe(pair.now, &uri(&agent(number)), Attempt(1));
        }
        pair.pass(Duration::from_secs(20));
        pair
    }

    fn exchange(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(effect) = self.client.poll_effect() {
                quiet = false;
                match effect {
                    // A keep-alive is no message.
                    SubscriberEffect::Transmit { bytes, .. } if bytes.trim_ascii().is_empty() => {}
                    SubscriberEffect::Transmit { bytes, .. } => {
                        self.front.receive(self.now, CONNECTION, &parse(bytes));
                    }
                    SubscriberEffect::WantsRefresh { uri, attempt } => self.client.refresh(self.now, &uri, attempt),
                    SubscriberEffect::Joined { uri, .. } => drop(self.joined.insert(uri)),
                    SubscriberEffect::Notified { uri, status: Some(status), .. } => {
                        self.told.insert(uri, status);
                    }
                    SubscriberEffect::Failed { uri, failure, .. } => self.failed.push(format!("{uri}: {failure:?}")),
                    _ => {}
                }
            }
            while let Some(effect) = self.front.poll_effect() {
                quiet = false;
                if let FrontEndEffect::Transmit { bytes, .. } = effect {
                    self.client.receive(self.now, FlowId::PRIMARY, parse(bytes));
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = [self.client.poll_timeout(), self.front.poll_timeout()].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = at.max(self.now);
            self.client.handle_timeout(self.now);
            self.front.handle_timeout(self.now);
            self.exchange();
        }
        self.now = end;
    }

    /// Everybody is known, once, and the front end has nothing to complain about.
    fn is_whole(&self, what: &str) {
        let counters = self.front.counters();
        assert_eq!(counters.violations, Vec::<String>::new(), "{what}");
        assert_eq!(self.failed, Vec::<String>::new(), "{what}");
        assert_eq!((self.joined.len(), self.told.len(), counters.live_now), (20, 20, 20), "{what}: {counters:?}");
        assert_eq!(
            (counters.most_live_for_one_agent, counters.asked_twice, counters.needless_wishes),
            (1, 0, 0),
            "{what}"
        );
        for number in 1..=20 {
            let agent = uri(&agent(number));
            let state = self.front.presence(&agent).unwrap();
            let status = &self.told[&agent];
            assert_eq!(status.availability.name(), state.availability().name(), "{what}: {agent}");
        }
    }

    fn follows_every_agent(&mut self, what: &str) {
        for (number, activity) in (1..=20).zip(Activity::ALL.into_iter().cycle()) {
            self.front.set_presence(self.now, &uri(&agent(number)), AgentState::of(activity));
            self.exchange();
        }
        self.is_whole(what);
    }
}

#[test]
fn the_dialect_of_the_product_and_the_front_end_understand_each_other_in_every_variation() {
    let usual = Switches::default;
    let variations = [
        ("usual", usual()),
        ("no piggyback", Switches { piggyback: false, ..usual() }),
        ("notified before the answer", Switches { piggyback: false, notify_before_answer: true, ..usual() }),
        ("NOTIFY", Switches { benotify: false, piggyback: false, ..usual() }),
        ("active omitted", Switches { rlmi_omits_active: true, ..usual() }),
        ("multipart bursts", Switches { multipart_updates: true, bursts: true, sequence_gaps: true, ..usual() }),
        ("header variants", Switches { header_variants: true, signed_routes: true, ..usual() }),
        ("legacy", Switches { legacy: vec![uri(&agent(1)), uri(&agent(2))], ..usual() }),
        ("short lists", Switches { longest_list: 3, ..usual() }),
    ];
    for (what, switches) in variations {
        let mut pair = Pair::new(switches);
        pair.is_whole(what);
        pair.follows_every_agent(what);
        // Three lifetimes of dialogs and a dozen of registrations: refreshed in time.
        pair.pass(Duration::from_secs(86_400));
        pair.follows_every_agent(what);
        assert_eq!(pair.front.counters().expired_dialogs, 0, "{what}");
        pair.client.leave(pair.now);
        pair.exchange();
        pair.pass(Duration::from_secs(5));
        let counters = pair.front.counters();
        assert_eq!((counters.live_now, counters.registered_now, counters.violation_count), (0, 0, 0), "{what}");
    }
}

#[test]
fn an_agent_who_moves_is_followed_to_the_other_pool() {
    let mut pair = Pair::new(Switches::default());
    assert_eq!(pair.front.counters().batch_dialogs_now, 2);
    pair.front.apply(pair.now, &"move sip:agent1@sim.example 1".parse().unwrap()).unwrap();
    pair.exchange();
    pair.pass(Duration::from_secs(15));
    assert_eq!(pair.front.subscriptions_of(&uri(&agent(1))), vec![(uri(APP), 1)]);
    pair.follows_every_agent("moved");
}

//! Whatever the network does to the messages, the two ends agree in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use presence_core::{Attempt, FailureKind};
use presence_sip::{Message, Method, SubscriberEffect};
use proptest::prelude::*;

use crate::notifier::{BUSY, Notify, ONE, Pair, reply, seconds, user};

/// What happens to one message on its way.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    Lost,
    Doubled,
    Late,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![5 => Just(Fate::Arrives), 2 => Just(Fate::Lost), 1 => Just(Fate::Doubled), 2 => Just(Fate::Late)]
}

/// A notifier on the far side of a bad UDP network.
struct Network {
    pair: Pair,
    fates: Vec<Fate>,
    /// Towards the subscriber: when, and what.
    travelling: BTreeMap<(u128, usize), String>,
    counter: usize,
    notify: Option<Notify>,
    /// The answers to SUBSCRIBEs by branch, for their copies.
    replies: BTreeMap<String, String>,
    /// CSeq of the NOTIFYs that were answered, and the unanswered one that is repeated.
    answered: Vec<u32>,
}

impl Network {
    fn new(fates: Vec<Fate>) -> Self {
        Self {
            pair: Pair::udp(),
            fates,
            travelling: BTreeMap::new(),
            counter: 0,
            notify: None,
            replies: BTreeMap::new(),
            answered: Vec::new(),
        }
    }

    fn at(&self, later: Duration) -> (u128, usize) {
        ((self.pair.now - self.pair.start + later).as_millis(), self.counter)
    }

    /// A message towards the subscriber. The fates run out, and then everything arrives.
    fn towards(&mut self, text: &str) {
        self.counter += 1;
        let fate = self.fates.pop().unwrap_or(Fate::Arrives);
        let (near, far) = (Duration::from_millis(20), Duration::from_millis(700));
        let times: &[Duration] = match fate {
            Fate::Arrives => &[near],
            Fate::Lost => &[],
            Fate::Doubled => &[near, far],
            Fate::Late => &[far],
        };
        for later in times {
            self.travelling.insert(self.at(*later), text.to_owned());
        }
    }

    /// What the notifier does with what the subscriber sent.
    fn hear(&mut self, message: &Message) {
        if self.fates.pop().is_some_and(|fate| matches!(fate, Fate::Lost)) {
            return;
        }
        match message.method() {
            Some(Method::Subscribe) => {
                let branch = message.top_via().unwrap().branch().unwrap().to_owned();
                if let Some(known) = self.replies.get(&branch).cloned() {
                    return self.towards(&known);
                }
                let text = reply(message, 200, &["Expires: 3600", "Contact: <sip:pool.domain.com>"]);
                self.replies.insert(branch, text.clone());
                if self.notify.is_none() {
                    self.notify = Some(Notify::of(message));
                }
                self.towards(&text);
            }
            Some(_) => {}
            None => {
                if let (Some(200), Some((number, "NOTIFY"))) = (message.status(), message.cseq()) {
                    self.answered.push(number);
                }
            }
        }
    }

    /// Half a second: what is due arrives, the subscriber acts, and the notifier repeats what is not answered.
    fn step(&mut self) {
        for _ in 0..25 {
            self.pair.pass(Duration::from_millis(20));
            let until = self.at(Duration::ZERO).0;
            while let Some(entry) = self.travelling.first_entry().filter(|entry| entry.key().0 <= until) {
                let text = entry.remove();
                self.pair.receive(&text);
            }
            while let Some((_, _, message)) = self.pair.sent.pop_front() {
                self.hear(&message);
            }
        }
    }

    /// Says something until it is answered, as timer E wants it.
    fn say(&mut self, expires: u64) {
        let Some(notify) = self.notify.take() else { return };
        let notify = notify.state(&format!("active;expires={expires}"));
        let text = notify.text();
        for _ in 0..60 {
            if self.answered.contains(&notify.cseq) {
                break;
            }
            self.towards(&text);
            self.step();
        }
        self.notify = Some(notify.next());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Loss, copies and delays of anything: the subscription comes to life, and every NOTIFY is delivered once, in order.
    #[test]
    fn over_a_bad_network_every_notify_is_delivered_once_and_in_order(fates in prop::collection::vec(fate(), 0..30)) {
        let mut network = Network::new(fates);
        network.pair.subscriber.subscribe(network.pair.now, &user(), ONE);
        network.pair.drain();
        for _ in 0..40 {
            network.step();
            if network.notify.is_some() { break; }
        }
        let said: Vec<u64> = (0..8).map(|number| 3000 - number).collect();
        for expires in &said {
            network.say(*expires);
        }
        for _ in 0..10 { network.step(); }
        let mut heard = Vec::new();
        let mut accepted = 0;
        for told in &network.pair.told {
            match told {
                SubscriberEffect::Notified { expires, status, .. } => {
                    prop_assert!(status.is_some());
                    heard.push(expires.unwrap().as_secs());
                }
                SubscriberEffect::Accepted { .. } => accepted += 1,
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert_eq!(heard, said);
        prop_assert_eq!(accepted, 1);
        prop_assert_eq!(network.pair.subscriber.stats().live, 1);
    }

    /// Any order of commands, messages, losses and time: nothing panics, nothing leaks, every attempt ends at most once.
    #[test]
    fn no_order_of_events_leaks_a_dialog_or_ends_an_attempt_too_often(steps in prop::collection::vec((0_u8..12, 0_u32..3), 1..60)) {
        let mut pair = Pair::udp();
        let mut attempt = 0;
        let mut requests: Vec<Message> = Vec::new();
        let mut cseq = 0;
        let mut commands: BTreeMap<Attempt, u32> = BTreeMap::new();
        for (what, which) in steps {
            attempt += u32::from(what < 2);
            if what < 4 { *commands.entry(Attempt(attempt)).or_default() += 1; }
            match what {
                0 | 1 => pair.subscriber.subscribe(pair.now, &user(), Attempt(attempt)),
                2 => pair.subscriber.refresh(pair.now, &user(), Attempt(attempt)),
                3 => pair.subscriber.unsubscribe(pair.now, &user(), Attempt(attempt)),
                4 => pair.subscriber.transport_lost(pair.now),
                5 => pair.pass(seconds(u64::from(which) * 7)),
                6 => pair.pass(Duration::from_millis(400)),
                7..=9 => if let Some(request) = requests.iter().rev().nth(which as usize) {
                    let code = [200, 481, 503][(what - 7) as usize];
                    pair.receive(&reply(request, code, &["Contact: <sip:p.example>"]));
                },
                10 | 11 => if let Some(request) = requests.iter().rev().nth(which as usize) {
                    cseq += 1;
                    let state = if what == 10 { "active;expires=60" } else { "terminated;reason=timeout" };
                    let notify = Notify { cseq, branch: format!("z9hG4bK{cseq}"), body: BUSY.into(), ..Notify::of(request) };
                    pair.receive(&notify.state(state).text());
                },
                _ => unreachable!(),
            }
            pair.drain();
            requests.extend(pair.sent.drain(..).map(|(_, _, m)| m).filter(|m| m.method() == Some(&Method::Subscribe)));
            prop_assert!(pair.subscriber.stats().live <= 1, "one agent, one live subscription");
            prop_assert!(pair.subscriber.stats().live <= pair.subscriber.stats().dialogs);
        }
        pair.subscriber.forget(&user());
        pair.pass(seconds(120));
        for told in &pair.told {
            let ended = match told {
                SubscriberEffect::Ended { attempt, .. } => attempt,
                SubscriberEffect::Failed { attempt, failure, .. } if failure.kind != FailureKind::Endpoint => attempt,
                _ => continue,
            };
            let left = commands.get_mut(ended).expect("an attempt that was ordered");
            prop_assert!(*left > 0, "one command, at most one end: {ended:?}");
            *left -= 1;
        }
        let stats = pair.subscriber.stats();
        prop_assert_eq!((stats.dialogs, stats.live, stats.remembered), (0, 0, 0));
        prop_assert_eq!(pair.subscriber.poll_timeout(), None);
    }
}

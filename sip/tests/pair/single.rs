//! The agent's machine, the subscriber and a notifier that loses its words: the notifier never has two dialogs of ours.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_core::{
    EndpointKind, Freshness, RetryPolicy, Subscription, SubscriptionEffect, SubscriptionInput, SubscriptionPolicy,
    SubscriptionState, Ticket,
};
use presence_sip::{Message, Method, SubscriberEffect};
use proptest::prelude::*;

use crate::notifier::{Notify, Pair, reply, seconds, user};

const VIA: EndpointKind = EndpointKind::Application;
const LASTS: u64 = 300;

/// What becomes of a SUBSCRIBE and of the NOTIFY that it brings. Its answer always arrives: one that is lost leaves a dialog
/// that nobody can name.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    NotifyLost,
    /// The NOTIFY comes after this many seconds.
    NotifyLate(u64),
    /// The NOTIFY is lost, and the notifier drops the dialog for want of an answer, as Kamailio does.
    Dropped,
    Refused(u16),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wanted,
    Unwanted,
    Wait(u64),
    /// The connection ends and comes back after so many seconds.
    ConnectionLost(u64),
    /// The notifier has news.
    News,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Arrives),
        4 => Just(Fate::NotifyLost),
        3 => prop_oneof![1_u64..31, 33_u64..200].prop_map(Fate::NotifyLate),
        2 => Just(Fate::Dropped),
        2 => prop_oneof![Just(500), Just(403), Just(404), Just(480), Just(503), Just(481)].prop_map(Fate::Refused),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Wanted),
        1 => Just(Step::Unwanted),
        5 => prop_oneof![1_u64..12, 20_u64..400].prop_map(Step::Wait),
        1 => (0_u64..50).prop_map(Step::ConnectionLost),
        2 => Just(Step::News),
    ]
}

/// A dialog at the notifier.
struct Held {
    next: Notify,
    until: Instant,
}

struct World {
    pair: Pair,
    machine: Subscription,
    fates: Vec<Fate>,
    /// By Call-ID.
    held: BTreeMap<String, Held>,
    /// NOTIFYs on their way.
    travelling: BTreeMap<(Instant, usize), String>,
    tickets: BTreeMap<Ticket, Instant>,
    counter: usize,
    /// The dialogs that were begun, and the failures that were told.
    begun: usize,
    stalled: usize,
}

impl World {
    fn new(max_failures: u32, fates: Vec<Fate>) -> Self {
        let pair = Pair::tcp();
        let retry = RetryPolicy::try_new(seconds(10), seconds(100)).unwrap();
        let endpoints = [VIA].into_iter().collect();
        let policy = Arc::new(SubscriptionPolicy { retry, max_failures, endpoints });
        let mut machine = Subscription::new(pair.now, user(), policy, None);
        machine.handle(pair.now, SubscriptionInput::EndpointUp(VIA));
        let (held, travelling, tickets) = Default::default();
        Self { pair, machine, fates, held, travelling, tickets, counter: 0, begun: 0, stalled: 0 }
    }

    fn feed(&mut self, input: SubscriptionInput) {
        self.machine.handle(self.pair.now, input);
        self.settle();
    }

    /// Until nobody has anything to say.
    fn settle(&mut self) {
        loop {
            self.pair.drain();
            if let Some(effect) = self.machine.poll_effect() {
                self.perform(effect);
            } else if let Some((_, _, message)) = self.pair.sent.pop_front() {
                self.hear(&message);
            } else if let Some(told) = self.pair.told.pop_front() {
                self.tell(told);
            } else {
                break;
            }
            let now = self.pair.now;
            let held = self.held.values().filter(|held| held.until > now).count();
            assert!(held <= 1, "two dialogs of ours at the notifier, in {:?}", self.machine.view().state);
        }
    }

    fn perform(&mut self, effect: SubscriptionEffect) {
        let now = self.pair.now;
        match effect {
            SubscriptionEffect::TakeToken { ticket, .. } => drop(self.tickets.insert(ticket, now + seconds(1))),
            SubscriptionEffect::CancelToken { ticket } => drop(self.tickets.remove(&ticket)),
            SubscriptionEffect::Subscribe { attempt, .. } => self.pair.subscriber.subscribe(now, &user(), attempt),
            SubscriptionEffect::Refresh { attempt, .. } => self.pair.subscriber.refresh(now, &user(), attempt),
            SubscriptionEffect::Unsubscribe { attempt, .. } => self.pair.subscriber.unsubscribe(now, &user(), attempt),
            _ => {}
        }
    }

    fn tell(&mut self, told: SubscriberEffect) {
        let input = match told {
            SubscriberEffect::Accepted { attempt, expires, .. } => SubscriptionInput::Accepted { attempt, expires },
            SubscriberEffect::Notified { attempt, status, expires, .. } => {
                SubscriptionInput::Notified { attempt, status, expires }
            }
            SubscriberEffect::Failed { attempt, failure, .. } => SubscriptionInput::Failed { attempt, failure },
            SubscriberEffect::Stalled { attempt, failure, again, .. } => {
                self.stalled += 1;
                SubscriptionInput::Stalled { attempt, failure, again }
            }
            SubscriberEffect::Ended { attempt, .. } => SubscriptionInput::Ended { attempt },
            SubscriberEffect::WantsRefresh { attempt, .. } => SubscriptionInput::RefreshWanted { attempt },
            _ => return,
        };
        self.machine.handle(self.pair.now, input);
    }

    /// The notifier hears something.
    fn hear(&mut self, message: &Message) {
        match (message.method(), message.status()) {
            (Some(Method::Subscribe), _) => self.subscribed(message),
            (None, Some(481)) => drop(self.held.remove(message.call_id())),
            _ => {}
        }
    }

    fn subscribed(&mut self, message: &Message) {
        let is_new = message.to().unwrap().tag().is_none();
        let call_id = message.call_id().to_owned();
        let is_end = message.header("Expires") == Some("0");
        let now = self.pair.now;
        self.held.retain(|_, held| held.until > now);
        if !is_new && !self.held.contains_key(&call_id) {
            return self.pair.receive(&reply(message, 481, &[]));
        }
        let fate = if is_end { Fate::Arrives } else { self.fates.pop().unwrap_or(Fate::Arrives) };
        if let Fate::Refused(code) = fate {
            if [404, 480, 481].contains(&code) {
                self.held.remove(&call_id);
            }
            return self.pair.receive(&reply(message, code, &[]));
        }
        let expires = if is_end { "Expires: 0".to_owned() } else { format!("Expires: {LASTS}") };
        let text = reply(message, 200, &[&expires, "Contact: <sip:pool.domain.com>"]);
        self.begun += usize::from(is_new);
        let held = self.held.entry(call_id.clone()).or_insert_with(|| Held { next: Notify::of(message), until: now });
        held.until = now + seconds(LASTS);
        let state = if is_end { "terminated;reason=timeout".to_owned() } else { format!("active;expires={LASTS}") };
        let notify = held.next.state(&state).text();
        held.next = held.next.next();
        if is_end || matches!(fate, Fate::Dropped) {
            self.held.remove(&call_id);
        }
        self.pair.receive(&text);
        match fate {
            Fate::Arrives => self.send(Duration::from_millis(20), notify),
            Fate::NotifyLate(late) => self.send(seconds(late), notify),
            Fate::NotifyLost | Fate::Dropped | Fate::Refused(_) => {}
        }
    }

    fn send(&mut self, later: Duration, text: String) {
        self.counter += 1;
        self.travelling.insert((self.pair.now + later, self.counter), text);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.pair.now + time;
        loop {
            let token = self.tickets.values().min().copied();
            let arrives = self.travelling.keys().next().map(|(at, _)| *at);
            let machine = self.machine.poll_timeout().map(|(at, _)| at);
            let next = [token, arrives, machine, self.pair.subscriber.poll_timeout()].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            let now = at.max(self.pair.now);
            self.pair.now = now;
            self.pair.subscriber.handle_timeout(now);
            self.machine.handle_timeout(now);
            self.settle();
            if let Some(entry) = self.travelling.first_entry().filter(|entry| entry.key().0 <= now) {
                let text = entry.remove();
                self.pair.receive(&text);
                self.settle();
            }
            let due = self.tickets.iter().find(|(_, at)| **at <= now).map(|(ticket, _)| *ticket);
            if let Some(ticket) = due {
                self.tickets.remove(&ticket);
                self.feed(SubscriptionInput::TokenGranted(ticket));
            }
        }
        self.pair.now = end;
        let (state, dialogs) = (self.machine.view().state, self.pair.subscriber.stats().dialogs);
        assert!(dialogs <= 1, "{dialogs} dialogs in {state}");
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wanted => self.feed(SubscriptionInput::Wanted),
            Step::Unwanted => self.feed(SubscriptionInput::Unwanted),
            Step::Wait(time) => self.pass(seconds(time)),
            Step::ConnectionLost(time) => {
                self.travelling.clear();
                self.pair.subscriber.transport_lost(self.pair.now);
                self.feed(SubscriptionInput::EndpointLost(VIA));
                self.pass(seconds(time));
                self.feed(SubscriptionInput::EndpointUp(VIA));
            }
            Step::News => {
                let news = self.held.values_mut().next().map(|held| {
                    let left = held.until.saturating_duration_since(self.pair.now).as_secs();
                    let text = held.next.state(&format!("active;expires={left}")).text();
                    held.next = held.next.next();
                    text
                });
                if let Some(text) = news {
                    self.send(Duration::ZERO, text);
                    self.pass(Duration::ZERO);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_is_lost_the_notifier_never_has_two_dialogs_and_in_the_end_the_one_that_is_wanted(
        max_failures in prop_oneof![Just(0_u32), Just(3)],
        fates in prop::collection::vec(fate(), 0..40),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(max_failures, fates);
        steps.into_iter().for_each(|step| world.step(step));
        world.fates.clear();
        world.feed(SubscriptionInput::Wanted);
        world.feed(SubscriptionInput::Revive);
        world.pass(seconds(1_000));
        prop_assert_eq!(world.machine.view().state, SubscriptionState::Active);
        prop_assert_eq!(world.machine.presence().freshness, Freshness::Fresh);
        prop_assert_eq!(world.held.values().filter(|held| held.until > world.pair.now).count(), 1);
        world.feed(SubscriptionInput::Unwanted);
        world.pass(seconds(100));
        prop_assert_eq!(world.machine.view().state, SubscriptionState::Idle);
        prop_assert_eq!(world.held.values().filter(|held| held.until > world.pair.now).count(), 0);
        prop_assert_eq!(world.pair.subscriber.stats().dialogs, 0);
    }
}

#[test]
fn a_first_notify_that_is_lost_costs_one_wait_and_no_second_dialog() {
    let mut world = World::new(3, vec![Fate::NotifyLost]);
    world.step(Step::Wanted);
    world.pass(seconds(34));
    assert_eq!((world.machine.view().state, world.stalled), (SubscriptionState::BackingOff, 1));
    assert_eq!(world.machine.view().failures, 1);
    world.pass(seconds(11));
    assert_eq!((world.machine.view().state, world.machine.view().failures), (SubscriptionState::Active, 0));
    assert_eq!((world.machine.presence().freshness, world.begun), (Freshness::Fresh, 1));
}

#[test]
fn a_first_notify_that_is_late_ends_the_wait() {
    let mut world = World::new(3, vec![Fate::NotifyLate(35)]);
    world.step(Step::Wanted);
    world.pass(seconds(34));
    assert_eq!(world.machine.view().state, SubscriptionState::BackingOff);
    world.pass(seconds(3));
    assert_eq!((world.machine.view().state, world.machine.view().failures), (SubscriptionState::Active, 0));
    assert_eq!((world.machine.presence().freshness, world.begun), (Freshness::Fresh, 1));
    assert_eq!(world.tickets.len(), 0);
}

#[test]
fn a_dialog_that_was_dropped_with_its_first_notify_is_no_second_failure() {
    let mut world = World::new(1, vec![Fate::Dropped]);
    world.step(Step::Wanted);
    world.pass(seconds(60));
    assert_eq!((world.machine.view().state, world.machine.view().failures), (SubscriptionState::Active, 0));
    assert_eq!((world.machine.presence().freshness, world.begun), (Freshness::Fresh, 2));
}

#[test]
fn a_dialog_that_stays_mute_is_ended_and_begun_anew() {
    let mut world = World::new(3, vec![Fate::NotifyLost, Fate::NotifyLost]);
    world.step(Step::Wanted);
    world.pass(seconds(200));
    assert_eq!((world.machine.view().state, world.stalled), (SubscriptionState::Active, 2));
    assert_eq!((world.machine.presence().freshness, world.begun), (Freshness::Fresh, 2));
}

#[test]
fn a_stalled_dialog_of_an_agent_whom_nobody_wants_any_more_is_ended_with_a_token() {
    let mut world = World::new(3, vec![Fate::NotifyLost]);
    world.step(Step::Wanted);
    world.pass(seconds(34));
    assert_eq!((world.held.len(), world.tickets.len()), (1, 0));
    world.step(Step::Unwanted);
    assert_eq!((world.held.len(), world.tickets.len()), (1, 1));
    world.pass(seconds(2));
    assert_eq!((world.held.len(), world.tickets.len()), (0, 0));
    assert!(world.machine.holds_nothing());
}

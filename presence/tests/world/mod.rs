//! A pool with two endpoints and a throttle around one subscription machine, which may do anything at any time.

mod events;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_core::{
    Attempt, Availability, Deadline, EndedBy, EndpointKind, EndpointSet, Failure, FailureKind, Freshness, Presence,
    RetryPolicy, Status, Subscription, SubscriptionEffect, SubscriptionInput, SubscriptionPolicy, SubscriptionState,
    Ticket, TokenClass,
};

pub(crate) use events::{Event, event};

pub(crate) const FIRST: Duration = Duration::from_secs(10);
pub(crate) const MAX: Duration = Duration::from_secs(1_000);

/// The world and what it remembers in order to judge the machine.
pub(crate) struct World {
    pub(crate) machine: Subscription,
    now: Instant,
    /// The endpoints keep their dialogs alive themselves: agents join them, and are refreshed only when they are told to.
    keeps: bool,
    wanted: bool,
    up: EndpointSet,
    /// Those of them where nothing new may be begun.
    paused: EndpointSet,
    tickets: BTreeMap<Ticket, TokenClass>,
    cancelled: Vec<Ticket>,
    /// What the pool holds: by endpoint and number, every dialog that was asked for and not seen to end.
    dialogs: BTreeSet<(EndpointKind, Attempt)>,
    unsubscribed: Vec<Attempt>,
    /// The SUBSCRIBE of this dialog, the first one or a refresh, is not answered yet.
    asked: Option<Attempt>,
    /// The dialog that was joined, since nothing else was asked of it.
    kept: Option<Attempt>,
    /// The dialog whose endpoint wants it refreshed and has not seen the refresh.
    wants_refresh: Option<Attempt>,
    published: Option<Arc<Presence>>,
    sequence: u64,
    longest_asked: Duration,
    is_invariant: bool,
    pub(crate) was_abandoned: bool,
    /// Samples that were asked for, and that have ended.
    samples: usize,
    sampled: usize,
}

#[allow(clippy::disallowed_methods, reason = "an instant to count from; the tests only add to it")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

impl World {
    pub(crate) fn new(max_failures: u32, keeps: bool) -> Self {
        let now = start();
        let retry = RetryPolicy::try_new(FIRST, MAX).expect("valid");
        let endpoints = EndpointKind::ALL.into_iter().collect();
        let policy = Arc::new(SubscriptionPolicy { retry, max_failures, endpoints });
        let uri = "sip:user1@domain.com".parse().expect("valid");
        Self {
            machine: Subscription::new(now, uri, policy, None),
            now,
            keeps,
            wanted: false,
            up: EndpointSet::EMPTY,
            paused: EndpointSet::EMPTY,
            tickets: BTreeMap::new(),
            cancelled: Vec::new(),
            dialogs: BTreeSet::new(),
            unsubscribed: Vec::new(),
            asked: None,
            kept: None,
            wants_refresh: None,
            published: None,
            sequence: 0,
            longest_asked: Duration::ZERO,
            is_invariant: false,
            was_abandoned: false,
            samples: 0,
            sampled: 0,
        }
    }

    pub(crate) fn step(&mut self, event: Event) {
        match event {
            Event::Wanted => {
                self.wanted = true;
                self.feed(SubscriptionInput::Wanted);
            }
            Event::Unwanted => {
                self.wanted = false;
                self.feed(SubscriptionInput::Unwanted);
            }
            Event::Up(endpoint) => {
                self.up.insert(endpoint);
                self.paused.remove(endpoint);
                self.feed(SubscriptionInput::EndpointUp(endpoint));
            }
            Event::Paused(endpoint) => {
                self.paused.insert(endpoint);
                self.feed(SubscriptionInput::EndpointPaused(endpoint));
            }
            Event::Lost(endpoint) => {
                self.up.remove(endpoint);
                self.paused.remove(endpoint);
                for (_, attempt) in self.dialogs.clone().into_iter().filter(|&(via, _)| via == endpoint) {
                    self.forget(attempt);
                }
                self.feed(SubscriptionInput::EndpointLost(endpoint));
            }
            Event::Grant(which) => {
                if let Some(&ticket) = self.tickets.keys().nth(which) {
                    self.grant(ticket);
                }
            }
            Event::GrantCancelled(which) => {
                if let Some(&ticket) = self.cancelled.get(which) {
                    assert_eq!(self.feed(SubscriptionInput::TokenGranted(ticket)), 0, "sent with a cancelled token");
                }
            }
            Event::Accept(which, expires) => {
                if let Some((_, attempt)) = self.reachable(which) {
                    self.accept(attempt, Duration::from_secs(expires));
                }
            }
            Event::Notify(which, availability, expires) => {
                if let Some((_, attempt)) = self.reachable(which) {
                    let status = Some(Status::of(Availability::new(availability)));
                    let expires = expires.map(Duration::from_secs);
                    self.feed(SubscriptionInput::Notified { attempt, status, expires });
                }
            }
            Event::Fail(which, kind, retry_after) => self.fail(which, kind, retry_after),
            Event::Stall(which, again) => {
                if let Some((_, attempt)) = self.reachable(which) {
                    self.forget(attempt);
                    let failure = Failure::new(FailureKind::Transient, EndedBy::Network, "test");
                    self.feed(SubscriptionInput::Stalled { attempt, failure, again });
                }
            }
            Event::WantRefresh(which) => self.want_refresh(which),
            Event::EndByEndpoint(which) => {
                if let Some((via, attempt)) = self.reachable(which) {
                    self.dialogs.remove(&(via, attempt));
                    self.forget(attempt);
                    self.feed(SubscriptionInput::Ended { attempt });
                }
            }
            Event::EndUnsubscribed(which) => {
                if which < self.unsubscribed.len() {
                    let attempt = self.unsubscribed.remove(which);
                    self.feed(SubscriptionInput::Ended { attempt });
                }
            }
            Event::StaleAnswer(number) => {
                let attempt = Attempt(number);
                if !self.dialogs.iter().any(|&(_, known)| known == attempt) && !self.unsubscribed.contains(&attempt) {
                    let before = self.machine.view();
                    self.feed(SubscriptionInput::Accepted { attempt, expires: FIRST });
                    self.feed(SubscriptionInput::Joined { attempt });
                    self.feed(SubscriptionInput::RefreshWanted { attempt });
                    self.feed(SubscriptionInput::Notified { attempt, status: None, expires: None });
                    assert_eq!(self.machine.view(), before);
                }
            }
            Event::Sample => {
                let (before, view) = (self.sampled, self.machine.view());
                self.samples += 1;
                self.feed(SubscriptionInput::Sample);
                assert!(self.sampled <= before + 1, "one end for each");
                assert_eq!(self.machine.view(), view, "to be sampled changes nothing");
            }
            Event::Queried(which, availability) => {
                if let Some((_, attempt)) = self.reachable(which) {
                    let status = availability.map(|value| Status::of(Availability::new(value)));
                    self.feed(SubscriptionInput::Queried { attempt, status });
                }
            }
            Event::Wait(seconds) => self.wait_until(self.now + Duration::from_secs(seconds)),
            Event::WaitForDeadline => {
                if let Some((due, _)) = self.machine.poll_timeout() {
                    self.wait_until(due.max(self.now));
                }
            }
            Event::Revive => {
                self.feed(SubscriptionInput::Revive);
            }
        }
        self.judge_state();
    }

    /// Everything is well from now on: in the end there is exactly one dialog if it is wanted and none if not.
    pub(crate) fn settle(&mut self) {
        for endpoint in EndpointKind::ALL {
            self.step(Event::Up(endpoint));
        }
        for _ in 0..50 {
            while let Some((&ticket, _)) = self.tickets.iter().min_by_key(|&(ticket, class)| (class, ticket)) {
                self.grant(ticket);
            }
            let reachable: Vec<_> = self.dialogs.iter().copied().collect();
            for (_, attempt) in reachable {
                self.accept(attempt, Duration::from_secs(3_600));
                let status = Some(Status::of(Availability::ONLINE));
                self.feed(SubscriptionInput::Notified { attempt, status, expires: None });
            }
            while let Some(attempt) = self.unsubscribed.pop() {
                self.feed(SubscriptionInput::Ended { attempt });
            }
            match self.machine.view().state {
                SubscriptionState::Active if self.wants_refresh.is_some() => self.step(Event::WaitForDeadline),
                SubscriptionState::Active | SubscriptionState::Idle
                    if self.tickets.is_empty() && self.unsubscribed.is_empty() =>
                {
                    break;
                }
                SubscriptionState::BackingOff | SubscriptionState::WaitingForEndpoint => {
                    self.step(Event::WaitForDeadline);
                }
                SubscriptionState::Abandoned => self.step(Event::Revive),
                _ => {}
            }
        }
        let expected = if self.wanted { SubscriptionState::Active } else { SubscriptionState::Idle };
        assert_eq!(self.machine.view().state, expected);
        assert_eq!(self.dialogs.len(), usize::from(self.wanted), "dialogs at the pool: {:?}", self.dialogs);
        assert!(self.wanted || self.machine.is_settled());
        let freshness = if self.wanted { Freshness::Fresh } else { Freshness::Unknown };
        assert_eq!(self.machine.presence().freshness, freshness);
        assert_eq!(self.wants_refresh, None, "the endpoint still waits for a refresh");
    }

    fn reachable(&self, which: usize) -> Option<(EndpointKind, Attempt)> {
        self.dialogs.iter().copied().filter(|(via, _)| self.up.contains(*via)).nth(which)
    }

    fn grant(&mut self, ticket: Ticket) {
        self.tickets.remove(&ticket).expect("outstanding");
        let sent = self.feed(SubscriptionInput::TokenGranted(ticket));
        assert_eq!(sent, 1, "a token that was not cancelled puts exactly one message on the wire");
    }

    /// A 2xx, in the manner of these endpoints.
    fn accept(&mut self, attempt: Attempt, expires: Duration) {
        if !self.keeps {
            self.feed(SubscriptionInput::Accepted { attempt, expires });
            return;
        }
        if self.asked == Some(attempt) {
            self.asked = None;
            self.feed(SubscriptionInput::Joined { attempt });
            let state = self.machine.view().state;
            if matches!(state, SubscriptionState::Active | SubscriptionState::Releasing) {
                self.kept = Some(attempt);
            }
        }
    }

    fn is_active_on(&self, attempt: Attempt) -> bool {
        // The present dialog has the last number that was given.
        self.machine.view().state == SubscriptionState::Active && self.machine.memory(self.now).attempt == attempt
    }

    fn want_refresh(&mut self, which: usize) {
        let Some((via, attempt)) = self.reachable(which) else { return };
        let is_served = self.kept == Some(attempt);
        let is_active = self.is_active_on(attempt);
        self.feed(SubscriptionInput::RefreshWanted { attempt });
        if is_served {
            self.kept = None;
            self.wants_refresh = Some(attempt);
            let is_asked = self.tickets.values().any(|&class| class == TokenClass::Refresh);
            assert_eq!(is_asked, is_active && self.may_begin(via), "a token is taken at once, unless it has to wait");
        }
    }

    /// Nothing is expected of this dialog any more.
    fn forget(&mut self, attempt: Attempt) {
        self.kept = self.kept.filter(|&kept| kept != attempt);
        self.wants_refresh = self.wants_refresh.filter(|&wanted| wanted != attempt);
        self.asked = self.asked.filter(|&asked| asked != attempt);
    }

    fn fail(&mut self, which: usize, kind: FailureKind, retry_after: Option<u64>) {
        let Some((via, attempt)) = self.reachable(which) else { return };
        let retry_after = retry_after.map(Duration::from_secs);
        self.longest_asked = self.longest_asked.max(retry_after.unwrap_or_default());
        if kind != FailureKind::Endpoint {
            self.dialogs.remove(&(via, attempt));
        }
        self.is_invariant |= kind == FailureKind::Invariant;
        let failure = Failure::new(kind, EndedBy::Peer, "test").with_retry_after(retry_after);
        let was_kept = self.kept == Some(attempt) && self.is_active_on(attempt);
        if was_kept || kind != FailureKind::Endpoint {
            self.forget(attempt);
        }
        self.feed(SubscriptionInput::Failed { attempt, failure });
        if was_kept {
            assert!(!self.is_active_on(attempt), "a membership that failed is left, whatever failed");
        }
    }

    fn wait_until(&mut self, then: Instant) {
        for _ in 0..10_000 {
            let Some((due, _)) = self.machine.poll_timeout().filter(|&(due, _)| due <= then) else {
                self.now = then;
                return;
            };
            self.now = due.max(self.now);
            self.machine.handle_timeout(self.now);
            assert_eq!(self.perform(), 0, "sent without a token");
            let next: Option<(Instant, Deadline)> = self.machine.poll_timeout();
            assert!(next.is_none_or(|(due, _)| due > self.now), "it would be woken for ever");
        }
        panic!("it never comes to rest");
    }

    fn feed(&mut self, input: SubscriptionInput) -> usize {
        let is_grant = matches!(input, SubscriptionInput::TokenGranted(_));
        self.machine.handle(self.now, input);
        let sent = self.perform();
        assert!(is_grant || sent == 0, "sent without a token");
        sent
    }

    /// Does what the machine wants, judging it; how many messages went on the wire.
    fn perform(&mut self) -> usize {
        let mut sent = 0;
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                SubscriptionEffect::TakeToken { ticket, class } => {
                    assert!(self.tickets.insert(ticket, class).is_none(), "a ticket is used twice");
                }
                SubscriptionEffect::CancelToken { ticket } => {
                    assert!(self.tickets.remove(&ticket).is_some(), "cancelled without being asked for");
                    self.cancelled.push(ticket);
                }
                SubscriptionEffect::Subscribe { via, attempt } => {
                    sent += 1;
                    self.judge_subscribe(via);
                    self.dialogs.retain(|&(endpoint, _)| endpoint != via);
                    (self.kept, self.wants_refresh, self.asked) = (None, None, Some(attempt));
                    self.dialogs.insert((via, attempt));
                }
                SubscriptionEffect::Refresh { via, attempt } => {
                    sent += 1;
                    assert!(self.may_begin(via), "refreshed through a lost endpoint");
                    assert!(self.dialogs.contains(&(via, attempt)), "refreshed what is not there");
                    assert_ne!(self.kept, Some(attempt), "refreshed although the endpoint keeps it");
                    self.forget(attempt);
                    self.asked = Some(attempt);
                }
                SubscriptionEffect::Unsubscribe { via, attempt } => {
                    sent += 1;
                    assert!(self.up.contains(via), "ended through a lost endpoint");
                    self.dialogs.remove(&(via, attempt));
                    self.forget(attempt);
                    self.unsubscribed.push(attempt);
                }
                SubscriptionEffect::Publish(change) => self.judge_change(&change),
                SubscriptionEffect::Failed { failure, failures, retry_in, .. } => {
                    self.judge_delay(&failure, failures, retry_in);
                }
                SubscriptionEffect::Abandoned(_) => self.was_abandoned = true,
                SubscriptionEffect::Revived => {}
                SubscriptionEffect::Query { via, attempt } => {
                    sent += 1;
                    assert!(self.may_begin(via), "asked through a lost endpoint");
                    assert!(self.is_active_on(attempt), "asked about a dialog that does not stand");
                }
                SubscriptionEffect::SilentLoss { held, said, retry_in, .. } => {
                    assert_ne!(held.status, said.status, "nothing was lost");
                    self.longest_asked = self.longest_asked.max(retry_in.unwrap_or_default());
                }
                SubscriptionEffect::Sampled { .. } => {
                    self.sampled += 1;
                    assert!(self.sampled <= self.samples, "an end without a sample");
                }
            }
        }
        sent
    }

    /// Another dialog may only be there if it cannot be reached or its end is already asked for.
    fn judge_subscribe(&self, via: EndpointKind) {
        assert!(self.wanted, "subscribed although nobody wants it");
        assert!(self.may_begin(via), "subscribed through a lost endpoint");
        let is_ending = self.tickets.values().any(|&class| class == TokenClass::Release);
        let is_second = self.dialogs.iter().any(|&(endpoint, _)| endpoint != via && self.may_begin(endpoint));
        assert!(!is_second || is_ending, "two live subscriptions: {:?}", self.dialogs);
    }

    fn judge_change(&mut self, change: &presence_core::Change) {
        assert_eq!(change.sequence, self.sequence + 1, "a gap");
        assert_eq!(change.previous, self.published, "previous is not what was published last");
        assert!(change.previous.as_ref() != Some(&change.new), "published without a difference");
        self.sequence = change.sequence;
        self.published = Some(Arc::clone(&change.new));
        if change.new.freshness == Freshness::Unknown {
            assert_eq!(change.new.status, Status::unknown(), "unknown must not look like anything else");
        }
        self.is_invariant = false;
    }

    fn may_begin(&self, via: EndpointKind) -> bool {
        self.up.contains(via) && !self.paused.contains(via)
    }

    fn judge_delay(&self, failure: &Failure, failures: u32, delay: Option<Duration>) {
        let Some(delay) = delay else { return };
        assert!(delay <= MAX.max(self.longest_asked), "{delay:?} after {failures}");
        let is_asked = failure.retry_after.is_some_and(|asked| delay >= asked);
        let is_rest = failure.kind == FailureKind::Endpoint && delay == Duration::from_secs(5);
        assert!(delay >= FIRST || is_asked || is_rest, "{delay:?} after {failures}");
    }

    fn judge_state(&self) {
        let view = self.machine.view();
        let has_dialog = matches!(view.state, SubscriptionState::Active | SubscriptionState::Releasing);
        if self.machine.presence().freshness == Freshness::Fresh {
            assert!(has_dialog || self.is_invariant, "fresh in {:?}", view.state);
        }
        let is_unwanted_state = matches!(
            view.state,
            SubscriptionState::Idle | SubscriptionState::Withdrawing | SubscriptionState::Releasing
        );
        assert!(!(is_unwanted_state && self.wanted), "wanted and {:?}", view.state);
        assert!(view.state != SubscriptionState::Active || self.wanted, "active and unwanted");
        if view.state == SubscriptionState::Active && self.kept.is_some() {
            let own = self.machine.poll_timeout().filter(|(_, why)| *why != Deadline::Sample);
            assert_eq!(own, None, "who keeps the dialog watches its end too");
        }
        if view.state == SubscriptionState::Active && self.wants_refresh.is_some() {
            let is_asked = self.tickets.values().any(|&class| class == TokenClass::Refresh);
            assert!(is_asked || self.machine.poll_timeout().is_some(), "the wish for a refresh is forgotten");
        }
        if let Some(via) = view.via {
            assert!(self.up.contains(via), "{:?} through a lost endpoint", view.state);
        }
    }
}

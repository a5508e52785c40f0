//! The table of (state, input) by what it must do.

mod endpoints;
mod ends;
mod failures;
mod joined;
mod legacy;
mod life;
mod races;
mod sampling;
mod stalled;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::test_clock::start;
use crate::{Availability, EndedBy, FailureKind, RetryPolicy, Status};

pub(super) const A: EndpointKind = EndpointKind::Application;
pub(super) const U: EndpointKind = EndpointKind::User;

/// A machine with a clock that counts seconds from its making.
pub(super) struct Rig {
    pub(super) start: Instant,
    pub(super) machine: Subscription,
}

/// An effect without what most tests do not care about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    Take(u32, TokenClass),
    Cancel(u32),
    Subscribe(EndpointKind, u32),
    Refresh(EndpointKind, u32),
    Unsubscribe(EndpointKind, u32),
    Publish(i32, Freshness),
    /// Counted failures and the delay in seconds.
    Failed(u32, Option<u64>),
    Abandoned,
    Revived,
    Query(EndpointKind, u32),
    /// What was held and what the server says, and the delay in seconds.
    Lost(i32, i32, Option<u64>),
    Sampled(SampleOutcome),
}

pub(super) use Seen::{Cancel, Failed, Publish, Refresh, Subscribe, Take, Unsubscribe};
pub(super) use TokenClass::{New, Refresh as ForRefresh, Release, Retry};

pub(super) fn policy(max_failures: u32, endpoints: &[EndpointKind]) -> Arc<SubscriptionPolicy> {
    let retry = RetryPolicy::try_new(Duration::from_secs(10), Duration::from_secs(100)).expect("valid");
    Arc::new(SubscriptionPolicy { retry, max_failures, endpoints: endpoints.iter().copied().collect() })
}

impl Rig {
    /// Both endpoints are configured, none is up, and three failures are forgiven.
    pub(super) fn new() -> Self {
        Self::with(3, &[A, U])
    }

    pub(super) fn with(max_failures: u32, endpoints: &[EndpointKind]) -> Self {
        let start = start();
        let uri = "sip:user1@domain.com".parse().expect("valid");
        Self { start, machine: Subscription::new(start, uri, policy(max_failures, endpoints), None) }
    }

    /// Wanted, the application endpoint is the only one configured, and the dialog stands with the status away.
    pub(super) fn active() -> Self {
        let mut rig = Self::with(3, &[A]);
        rig.up(0, A);
        rig.subscribing(0, A);
        rig.accepted(0, 1, 3_600);
        assert_eq!(rig.notified(0, 1, 15_500), [Publish(15_500, Freshness::Fresh)]);
        rig
    }

    /// The same with both endpoints configured and up.
    pub(super) fn active_with_both() -> Self {
        let mut rig = Self::new();
        rig.up(0, A);
        rig.up(0, U);
        rig.subscribing(0, A);
        rig.accepted(0, 1, 3_600);
        rig.notified(0, 1, 15_500);
        rig
    }

    /// Wants it and grants the first ticket.
    pub(super) fn subscribing(&mut self, seconds: u64, via: EndpointKind) {
        assert_eq!(self.wanted(seconds), [Take(1, New)]);
        assert_eq!(self.granted(seconds, 1), [Subscribe(via, 1)]);
    }

    pub(super) fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    pub(super) fn feed(&mut self, seconds: u64, input: SubscriptionInput) -> Vec<Seen> {
        self.machine.handle(self.at(seconds), input);
        self.drain()
    }

    pub(super) fn tick(&mut self, seconds: u64) -> Vec<Seen> {
        self.machine.handle_timeout(self.at(seconds));
        self.drain()
    }

    pub(super) fn due(&self) -> Option<(u64, Deadline)> {
        self.machine.poll_timeout().map(|(at, why)| ((at - self.start).as_secs(), why))
    }

    pub(super) fn state(&self) -> SubscriptionState {
        self.machine.view().state
    }

    pub(super) fn wanted(&mut self, seconds: u64) -> Vec<Seen> {
        self.feed(seconds, SubscriptionInput::Wanted)
    }

    pub(super) fn unwanted(&mut self, seconds: u64) -> Vec<Seen> {
        self.feed(seconds, SubscriptionInput::Unwanted)
    }

    pub(super) fn up(&mut self, seconds: u64, endpoint: EndpointKind) -> Vec<Seen> {
        self.feed(seconds, SubscriptionInput::EndpointUp(endpoint))
    }

    pub(super) fn lost(&mut self, seconds: u64, endpoint: EndpointKind) -> Vec<Seen> {
        self.feed(seconds, SubscriptionInput::EndpointLost(endpoint))
    }

    pub(super) fn paused(&mut self, seconds: u64, endpoint: EndpointKind) -> Vec<Seen> {
        self.feed(seconds, SubscriptionInput::EndpointPaused(endpoint))
    }

    pub(super) fn granted(&mut self, seconds: u64, ticket: u32) -> Vec<Seen> {
        self.feed(seconds, SubscriptionInput::TokenGranted(Ticket(ticket)))
    }

    pub(super) fn accepted(&mut self, seconds: u64, attempt: u32, expires: u64) -> Vec<Seen> {
        let expires = Duration::from_secs(expires);
        self.feed(seconds, SubscriptionInput::Accepted { attempt: Attempt(attempt), expires })
    }

    pub(super) fn notified(&mut self, seconds: u64, attempt: u32, availability: i32) -> Vec<Seen> {
        let status = Some(Status::of(Availability::new(availability)));
        self.feed(seconds, SubscriptionInput::Notified { attempt: Attempt(attempt), status, expires: None })
    }

    pub(super) fn ended(&mut self, seconds: u64, attempt: u32) -> Vec<Seen> {
        self.feed(seconds, SubscriptionInput::Ended { attempt: Attempt(attempt) })
    }

    pub(super) fn failed(&mut self, seconds: u64, attempt: u32, kind: FailureKind) -> Vec<Seen> {
        self.failed_asking(seconds, attempt, kind, None)
    }

    pub(super) fn failed_asking(
        &mut self,
        seconds: u64,
        attempt: u32,
        kind: FailureKind,
        retry_after: Option<u64>,
    ) -> Vec<Seen> {
        let failure = Failure::new(kind, EndedBy::Peer, "test").with_retry_after(retry_after.map(Duration::from_secs));
        self.feed(seconds, SubscriptionInput::Failed { attempt: Attempt(attempt), failure })
    }

    pub(super) fn presence_value(&self) -> i32 {
        self.machine.presence().status.availability.value()
    }

    pub(super) fn drain(&mut self) -> Vec<Seen> {
        std::iter::from_fn(|| self.machine.poll_effect()).map(seen).collect()
    }
}

fn seen(effect: SubscriptionEffect) -> Seen {
    match effect {
        SubscriptionEffect::TakeToken { ticket, class } => Take(ticket.0, class),
        SubscriptionEffect::CancelToken { ticket } => Cancel(ticket.0),
        SubscriptionEffect::Subscribe { via, attempt } => Subscribe(via, attempt.0),
        SubscriptionEffect::Refresh { via, attempt } => Refresh(via, attempt.0),
        SubscriptionEffect::Unsubscribe { via, attempt } => Unsubscribe(via, attempt.0),
        SubscriptionEffect::Publish(change) => Publish(change.new.status.availability.value(), change.new.freshness),
        SubscriptionEffect::Failed { failures, retry_in, .. } => {
            Failed(failures, retry_in.map(|delay| delay.as_secs()))
        }
        SubscriptionEffect::Abandoned(_) => Seen::Abandoned,
        SubscriptionEffect::Revived => Seen::Revived,
        SubscriptionEffect::Query { via, attempt } => Seen::Query(via, attempt.0),
        SubscriptionEffect::SilentLoss { held, said, retry_in, .. } => Seen::Lost(
            held.status.availability.value(),
            said.status.availability.value(),
            retry_in.map(|delay| delay.as_secs()),
        ),
        SubscriptionEffect::Sampled { outcome, .. } => Seen::Sampled(outcome),
    }
}

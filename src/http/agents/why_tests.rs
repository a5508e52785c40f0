use std::sync::Arc;
use std::time::Duration;

use presence_core::{AgentUri, Availability, FailureKind, Status};

use super::*;

/// An agent of a pool, backing off for no reason, and what is told of it.
struct Case {
    now: Instant,
    view: SubscriptionView,
    presence: Presence,
    quarantined: bool,
    failed_via: Option<EndpointKind>,
    up: Vec<EndpointKind>,
    queue: usize,
}

impl Case {
    fn of(state: SubscriptionState) -> Self {
        let now = presence_actors::now();
        let via = Some(EndpointKind::Application);
        let view = SubscriptionView { state, via, failures: 0, next_retry: None, last_failure: None, expires_at: None };
        let presence = Presence::unknown(now, SourceKind::Ucma);
        let up = vec![EndpointKind::Application];
        Self { now, view, presence, quarantined: false, failed_via: via, up, queue: 0 }
    }

    /// Of an agent without a subscription.
    fn served(source: SourceKind, freshness: Freshness, availability: Availability) -> Self {
        let mut case = Self::of(SubscriptionState::Idle).freshness(freshness);
        (case.presence.source, case.presence.status) = (source, Status::of(availability));
        case
    }

    fn freshness(mut self, freshness: Freshness) -> Self {
        self.presence.freshness = freshness;
        self
    }

    fn failed(mut self, failures: u32, failure: Failure) -> Self {
        (self.view.failures, self.view.last_failure) = (failures, Some(failure));
        self
    }

    fn again_in(mut self, seconds: u64) -> Self {
        self.view.next_retry = Some(self.now + Duration::from_secs(seconds));
        self
    }

    fn said(&self) -> String {
        let has_subscription = self.presence.source == SourceKind::Ucma;
        let agent = AgentView {
            uri: AgentUri::parse("sip:agent1@demo.example").expect("valid"),
            presence: Arc::new(self.presence.clone()),
            sequence: 3,
            subscription: has_subscription.then(|| self.view.clone()),
            watchers: Vec::new(),
            graph: None,
            quarantined_until: self.quarantined.then(|| self.now + Duration::from_secs(1_800)),
        };
        let queue = (self.queue, Some(self.now + Duration::from_secs(20)));
        let clock = |_| "14:05:49".to_owned();
        why(
            &agent,
            &Circumstances {
                now: self.now,
                failed_via: self.failed_via,
                up: &self.up,
                queue,
                clock: &clock,
                tenants: &[],
            },
        )
    }
}

fn not_found() -> Failure {
    Failure::answered(FailureKind::NotFound, 404, "Not Found").with_ms_diagnostics(Some(4005))
}

#[test]
fn every_state_of_a_subscription_has_its_sentence() {
    let gone = Failure::new(FailureKind::Endpoint, EndedBy::Network, "connection reset");
    let busy = Failure::answered(FailureKind::Transient, 480, "Temporarily Unavailable (ms-diagnostics 15030)")
        .with_ms_diagnostics(Some(15030))
        .with_retry_after(Some(Duration::from_secs(30)));
    let of = Case::of;
    let cases = [
        (of(SubscriptionState::Idle), "No queue asks for it."),
        (
            of(SubscriptionState::BackingOff).failed(2, not_found()).again_in(42),
            "Backing off after 2 failures: the pool of the application endpoint said `404 Not Found` \
             (ms-diagnostics 4005); next attempt in 42 s at 14:05:49. Queues see it as unknown.",
        ),
        (
            of(SubscriptionState::BackingOff).failed(0, busy).again_in(30).freshness(Freshness::Stale),
            "Backing off, which does not count as a failure: the pool of the application endpoint said \
             `480 Temporarily Unavailable (ms-diagnostics 15030)`, and asked for 30 s of rest; next attempt in 30 s at \
             14:05:49. Queues see its last value, from 14:05:49, as stale.",
        ),
        (
            of(SubscriptionState::BackingOff).again_in(28_800).freshness(Freshness::Fresh),
            "Backing off, which does not count as a failure; next attempt in 8 h at 14:05:49. Its value stays good.",
        ),
        (
            of(SubscriptionState::Abandoned).failed(4, not_found()),
            "Given up after 4 failures: the pool of the application endpoint said `404 Not Found` (ms-diagnostics 4005); \
             it is not tried again until it is revived or the service is started anew. Queues see it as unknown.",
        ),
        (
            of(SubscriptionState::AwaitingToken),
            "Waits for its turn to be subscribed through the application endpoint (MaxPresenceSubscriptionsPerSecond). \
             Queues see it as unknown.",
        ),
        (
            Case { queue: 1_200, ..of(SubscriptionState::AwaitingToken).failed(1, not_found()) },
            "Waits for its turn to be subscribed through the application endpoint after 1 failure \
             (MaxPresenceSubscriptionsPerSecond); 1,200 agents wait, and the last one has its turn in 20 s. \
             Queues see it as unknown.",
        ),
        (
            of(SubscriptionState::Subscribing),
            "The pool has been asked through the application endpoint and has not answered yet. Queues see it as unknown.",
        ),
        (
            Case { up: Vec::new(), ..of(SubscriptionState::WaitingForEndpoint).failed(0, gone.clone()) }
                .freshness(Freshness::Stale),
            "Waits for an endpoint: none is up; the last failure: no answer from the pool of the application endpoint: \
             connection reset. Queues see its last value, from 14:05:49, as stale.",
        ),
        (
            Case { failed_via: None, ..of(SubscriptionState::WaitingForEndpoint).failed(0, gone).again_in(5) },
            "Its endpoint has just failed it: no answer from the pool: connection reset; next attempt in 5 s at 14:05:49. \
             Queues see it as unknown.",
        ),
        (
            of(SubscriptionState::WaitingForEndpoint),
            "Waits for an endpoint that can serve it. Queues see it as unknown.",
        ),
        (
            of(SubscriptionState::Releasing),
            "No queue asks for it any more; its subscription through the application endpoint is being ended.",
        ),
    ];
    for (case, sentence) in cases {
        assert_eq!(case.said(), sentence);
    }
    let ending = [SubscriptionState::Withdrawing, SubscriptionState::Unsubscribing];
    assert!(ending.iter().all(|state| of(*state).said().starts_with("No queue asks for it any more")));
}

#[test]
fn a_subscription_that_stands_says_whether_the_pool_has_told_anything() {
    let mut case = Case::of(SubscriptionState::Active).freshness(Freshness::Fresh);
    case.view.expires_at = Some(case.now);
    let fresh = "Subscribed through the application endpoint; the pool says so since 14:05:49 and tells every change. \
                 It is renewed before 14:05:49.";
    assert_eq!(case.said(), fresh);
    let said = |freshness| Case::of(SubscriptionState::Active).freshness(freshness).said();
    let silent = "Subscribed through the application endpoint, but the pool has not told its presence yet";
    assert_eq!(said(Freshness::Unknown), format!("{silent}."));
    assert_eq!(said(Freshness::Stale), format!("{silent}: the last value is from before."));
}

#[test]
fn agents_without_a_subscription_have_theirs() {
    let cases = [
        (
            SourceKind::Attendant,
            Freshness::Unknown,
            "Unknown since 14:05:49: no third party pushes its state, or what was pushed has run out.",
        ),
        (SourceKind::Attendant, Freshness::Fresh, "A third party has pushed this state; it holds since 14:05:49."),
        (
            SourceKind::Attendant,
            Freshness::Stale,
            "A third party had pushed this state before the restart of this service; it holds since 14:05:49, and is stale \
             until it is pushed again or runs out.",
        ),
        (
            SourceKind::Pstn,
            Freshness::Fresh,
            "A telephone line that has been in a call of this service since 14:05:49.",
        ),
        (SourceKind::Pstn, Freshness::Unknown, "A telephone line that no queue asks for."),
    ];
    for (source, freshness, sentence) in cases {
        assert_eq!(Case::served(source, freshness, Availability::BUSY).said(), sentence);
    }
    let free = Case::served(SourceKind::Pstn, Freshness::Fresh, Availability::ONLINE).said();
    assert_eq!(free, "A telephone line without a call of this service since 14:05:49.");
}

#[test]
fn a_bug_of_ours_is_owned() {
    let case = Case { quarantined: true, ..Case::of(SubscriptionState::Active) };
    let sentence = "Left alone because its actor kept dying of a bug of this program, which the log tells about; it is \
                    begun again in 30 min at 14:05:49.";
    assert_eq!(case.said(), sentence);
}

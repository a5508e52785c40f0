//! What the provider does when a real Kamailio ends a subscription, for each reason of RFC 6665 section 4.1.3.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test binary has no reader of its docs and may panic")]

mod support;

use std::time::Duration;

use presence_core::{Availability, FailureKind, Freshness, RetryPolicy, SubscriptionState};
use presence_sip::TransportKind;
use support::documents::pidf;
use support::eventually;
use support::kamailio::{Kamailio, Setup};
use support::observed::Observed;
use support::running::{Queue, Running, SOON, application, setup};

/// What must follow the end of the subscription.
#[derive(Clone, Copy)]
enum Reaction {
    /// A new dialog after at least the first and less than the second, and nothing counts against the agent any more.
    Again(Duration, Duration),
    /// The agent is abandoned.
    Abandoned,
    /// The value stays as it is, and the next attempt is far away.
    Kept,
}

/// The first delay after a failure that counts.
const FIRST: Duration = Duration::from_secs(2);
const AT_ONCE: Reaction = Reaction::Again(Duration::ZERO, just_before(FIRST));
const BACK_OFF: Reaction = Reaction::Again(just_before(FIRST), Duration::from_secs(4));
/// The wait that a peer asks for.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The peer's log has the beginning of a wait a little late.
const fn just_before(wait: Duration) -> Duration {
    wait.saturating_sub(Duration::from_millis(20))
}

/// When the subscription of alice was ended, and when it was begun again.
fn ended_and_begun(observed: &Observed) -> Option<(Duration, Duration)> {
    let ended = observed.notifies.iter().find(|notify| notify.state.starts_with("terminated"))?.at;
    Some((ended, observed.initial().get(1)?.at))
}

fn a_new_dialog_follows(kamailio: &Kamailio, provider: &Running, queue: &Queue, least: Duration, most: Duration) {
    let (ended, begun) = eventually("a new dialog", SOON, || ended_and_begun(&kamailio.observed()));
    let waited = begun.checked_sub(ended).unwrap();
    assert!(least <= waited && waited < most, "it waited {waited:?} instead of {least:?} to {most:?}");
    provider.await_freshness("alice", Freshness::Fresh);
    let alice = provider.await_state("alice", SubscriptionState::Active).subscription.unwrap();
    assert_eq!(alice.failures, 0, "success forgives");
    assert_eq!(queue.changes("alice").len(), 1, "alice is what she was");
    let observed = kamailio.observed();
    assert_eq!(observed.initial().len(), 2);
    assert_ne!(observed.initial()[0].call_id, observed.initial()[1].call_id);

    // Kamailio still has the old dialog and notifies that too: it gets 481 there, and a UCC hears of the change once.
    let tag = kamailio.publish("alice", &pidf(&Kamailio::uri("alice"), true, Some("on-the-phone")), None);
    kamailio.publish("alice", &pidf(&Kamailio::uri("alice"), false, None), Some(&tag));
    queue.await_availability("alice", Availability::AWAY);
    let numbers: Vec<u64> = queue.changes("alice").iter().map(|change| change.sequence).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

fn after_terminated_with(reason: &str, kind: FailureKind, reaction: Reaction) {
    let Some(kamailio) = Kamailio::start(Setup::default()) else { return };
    kamailio.publish("alice", &pidf(&Kamailio::uri("alice"), true, Some("away")), None);
    let mut setup = setup(vec![application(&kamailio, TransportKind::Tcp)]);
    setup.retry = RetryPolicy::try_new(FIRST, 10 * FIRST).unwrap();
    let provider = Running::start(setup);
    let queue = provider.queue("one");
    queue.subscribe("alice");
    queue.await_availability("alice", Availability::AWAY);
    kamailio.notify_state("alice", &format!("terminated{reason}"));

    let failed = provider.await_agent("alice", "to know why", |agent| {
        agent.subscription.as_ref().is_some_and(|subscription| subscription.last_failure.is_some())
    });
    let failure = failed.subscription.unwrap().last_failure.unwrap();
    assert_eq!(failure.kind, kind, "{failure}");
    match reaction {
        Reaction::Again(least, most) => a_new_dialog_follows(&kamailio, &provider, &queue, least, most),
        Reaction::Abandoned => {
            let alice = provider.await_state("alice", SubscriptionState::Abandoned);
            assert_eq!(alice.presence.freshness, Freshness::Unknown);
            assert_eq!(kamailio.observed().initial().len(), 1);
        }
        Reaction::Kept => {
            let alice = provider.await_state("alice", SubscriptionState::BackingOff);
            assert_eq!(alice.presence.freshness, Freshness::Fresh);
            assert_eq!(alice.presence.status.availability, Availability::AWAY);
            assert_eq!(alice.subscription.unwrap().failures, 0);
            assert_eq!(queue.heard("alice").len(), 2, "pending and away: {:?}", queue.heard("alice"));
        }
    }
}

#[test]
fn after_deactivated_a_new_dialog_begins_at_once() {
    after_terminated_with(";reason=deactivated", FailureKind::Dialog, AT_ONCE);
}

#[test]
fn after_timeout_a_new_dialog_begins_at_once() {
    after_terminated_with(";reason=timeout", FailureKind::Dialog, AT_ONCE);
}

#[test]
fn after_probation_a_new_dialog_begins_when_retry_after_is_over() {
    let reaction = Reaction::Again(just_before(RETRY_AFTER), 2 * RETRY_AFTER);
    after_terminated_with(";reason=probation;retry-after=5", FailureKind::Transient, reaction);
}

#[test]
fn after_giveup_a_new_dialog_begins_after_the_first_delay() {
    after_terminated_with(";reason=giveup", FailureKind::Transient, BACK_OFF);
}

#[test]
fn after_rejected_the_agent_is_abandoned() {
    after_terminated_with(";reason=rejected", FailureKind::Forbidden, Reaction::Abandoned);
}

#[test]
fn after_noresource_a_new_dialog_begins_after_the_first_delay() {
    after_terminated_with(";reason=noresource", FailureKind::NotFound, BACK_OFF);
}

#[test]
fn after_invariant_the_value_is_kept_and_stays_fresh() {
    after_terminated_with(";reason=invariant", FailureKind::Invariant, Reaction::Kept);
}

#[test]
fn after_an_end_without_a_reason_a_new_dialog_begins_after_the_first_delay() {
    after_terminated_with("", FailureKind::Transient, BACK_OFF);
}

//! The application endpoint and the user endpoint, each at a Kamailio of its own (the user endpoint's PoolFqdn).
#![allow(missing_docs, clippy::unwrap_used, reason = "a test binary has no reader of its docs and may panic")]

mod support;

use std::time::Duration;

use presence_core::{Availability, EndpointKind, EndpointState, Freshness, RetryPolicy, SubscriptionState};
use presence_sip::TransportKind;
use support::documents::pidf;
use support::eventually;
use support::kamailio::{Kamailio, Setup, Store};
use support::observed::Subscribe;
use support::running::{Running, SOON, application, endpoint, setup};

/// Both servers, with alice away at each, and a provider with an endpoint at each.
fn two_pools(first_delay: Duration) -> Option<(Kamailio, Kamailio, Running)> {
    let pool = || Kamailio::start(Setup { store: Store::WriteThrough, ..Setup::default() });
    let (first, second) = (pool()?, pool()?);
    for kamailio in [&first, &second] {
        kamailio.publish("alice", &pidf(&Kamailio::uri("alice"), true, Some("away")), None);
    }
    let user = endpoint(EndpointKind::User, TransportKind::Tcp, second.tcp());
    let mut setup = setup(vec![application(&first, TransportKind::Tcp), user]);
    setup.retry = RetryPolicy::try_new(first_delay, 4 * first_delay).unwrap();
    let provider = Running::start(setup);
    // Agents go to whichever endpoint is up; here both are.
    EndpointKind::ALL.iter().for_each(|kind| provider.await_endpoint(*kind, EndpointState::Established));
    Some((first, second, provider))
}

#[test]
fn what_the_application_endpoint_is_refused_the_user_endpoint_gets_at_once() {
    let Some((first, second, provider)) = two_pools(Duration::from_secs(5)) else { return };
    first.fault_for("SUBSCRIBE", "alice", "404");
    let queue = provider.queue("one");
    queue.subscribe("alice");
    queue.subscribe("bob");
    queue.await_availability("alice", Availability::AWAY);
    let alice = provider.await_state("alice", SubscriptionState::Active).subscription.unwrap();
    assert_eq!((alice.via, alice.failures), (Some(EndpointKind::User), 0), "one refusal is no failure");
    let bob = provider.await_state("bob", SubscriptionState::Active).subscription.unwrap();
    assert_eq!(bob.via, Some(EndpointKind::Application), "who is not refused stays with the first");
    let (asked, served) = (first.observed(), second.observed());
    assert_eq!(asked.initial().len(), 2, "alice and bob");
    assert!(asked.initial().iter().all(|subscribe| subscribe.from == "sip:application@example.test"));
    assert_eq!(served.initial().len(), 1);
    assert_eq!(served.initial()[0].from, "sip:user@example.test");
    let refused = asked.initial().iter().find(|subscribe| subscribe.uri == Kamailio::uri("alice")).unwrap().at;
    let taken = served.initial()[0].at.checked_sub(refused).expect("the application endpoint is asked first");
    assert!(taken.as_secs() < 4, "at once and not after the delay of 5 s: {taken:?}");
}

#[test]
fn only_when_both_endpoints_refuse_is_it_a_failure() {
    let Some((first, second, provider)) = two_pools(Duration::from_millis(500)) else { return };
    first.fault_for("SUBSCRIBE", "alice", "404");
    second.fault_for("SUBSCRIBE", "alice", "480");
    let queue = provider.queue("one");
    queue.subscribe("alice");
    let alice = provider.await_state("alice", SubscriptionState::Abandoned).subscription.unwrap();
    assert_eq!(alice.failures, 4);
    let (one, two) = (first.observed().initial().len(), second.observed().initial().len());
    assert_eq!((one, two), (4, 4), "four rounds");
    first.clear_faults();
    assert_eq!(provider.revive(), 1);
    queue.await_availability("alice", Availability::AWAY);
}

#[test]
fn agents_of_a_lost_pool_move_to_the_other_endpoint_and_leave_nothing_behind() {
    let Some((mut first, second, provider)) = two_pools(Duration::from_secs(5)) else { return };
    let queue = provider.queue("one");
    queue.subscribe("alice");
    queue.await_availability("alice", Availability::AWAY);
    eventually("a dialog at the first pool", SOON, || (first.active_watchers() == 1).then_some(()));
    first.kill();
    let moved = |agent: &presence_actors::AgentView| {
        let subscription = agent.subscription.as_ref();
        subscription.is_some_and(|one| one.via == Some(EndpointKind::User) && one.state == SubscriptionState::Active)
    };
    provider.await_agent("alice", "at the other endpoint", moved);
    provider.await_freshness("alice", Freshness::Fresh);
    assert_eq!(second.observed().initial().len(), 1);

    // The first pool comes back with the dialog that it had: it is ended, for there are never two.
    first.restart();
    let old = first.observed().initial()[0].call_id.clone();
    eventually("the old dialog to be ended", SOON, || {
        let ended = |one: &Subscribe| one.call_id == old && one.expires == Some(0);
        first.observed().subscribes.iter().any(ended).then_some(())
    });
    assert_eq!(second.active_watchers(), 1);
    assert!(provider.view().agents().any(moved), "who is served stays where it is");
    assert_eq!(queue.changes("alice").len(), 1, "alice was away all the time");
}

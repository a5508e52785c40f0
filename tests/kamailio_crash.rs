//! A real Kamailio is killed with -9 and started again: every agent comes back by itself, at the configured rate.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test binary has no reader of its docs and may panic")]

mod support;

use std::time::Duration;

use presence_core::{Availability, EndpointKind, EndpointState, Freshness, SubscriptionState};
use presence_sip::TransportKind;
use support::documents::pidf;
use support::eventually;
use support::kamailio::{Kamailio, Setup, Store};
use support::running::{Queue, Running, SOON, application, setup};

/// How many agents there are, besides alice.
const OTHERS: usize = 29;
/// The configured rate.
const RATE: u32 = 15;

/// A Kamailio where alice is away, and a provider that has subscribed to her and to the others.
fn watching(store: Store, transport: TransportKind) -> Option<(Kamailio, Running, Queue)> {
    let kamailio = Kamailio::start(Setup { store, ..Setup::default() })?;
    kamailio.publish("alice", &pidf(&Kamailio::uri("alice"), true, Some("away")), None);
    let mut endpoint = application(&kamailio, transport);
    // What has no connection to lose learns of the loss by asking.
    endpoint.policy.keep_alive = Duration::from_secs(1);
    let mut setup = setup(vec![endpoint]);
    setup.subscriptions_per_second = RATE.try_into().unwrap();
    let provider = Running::start(setup);
    let queue = provider.queue("one");
    queue.subscribe("alice");
    (0..OTHERS).for_each(|index| queue.subscribe(&format!("agent{index}")));
    queue.await_availability("alice", Availability::AWAY);
    eventually("all dialogs", SOON, || (kamailio.observed().live_dialogs().len() == OTHERS + 1).then_some(()));
    Some((kamailio, provider, queue))
}

/// Killed and started again, and everybody has a dialog. Gives the number of SUBSCRIBEs from before the crash.
fn crash(kamailio: &mut Kamailio, provider: &Running) -> usize {
    let before = kamailio.observed().subscribes.len();
    kamailio.kill();
    let alice = provider.await_freshness("alice", Freshness::Stale);
    assert_eq!(alice.presence.status.availability, Availability::AWAY, "the last value is kept, and marked");
    provider.await_endpoint(EndpointKind::Application, EndpointState::Reestablishing);
    kamailio.restart();
    eventually("all agents to come back", SOON, || {
        let view = provider.view();
        let active = |state| state == SubscriptionState::Active;
        let back = view.agents().filter(|one| one.subscription.as_ref().is_some_and(|held| active(held.state))).count();
        (back == OTHERS + 1).then_some(())
    });
    for agent in provider.view().agents() {
        assert_eq!(agent.subscription.as_ref().unwrap().failures, 0, "a crash never counts against {}", agent.uri);
    }
    let most = kamailio.observed().most_in_any(Duration::from_secs(1));
    assert!(most <= RATE as usize, "{most} SUBSCRIBEs within one second, {RATE} are allowed");
    before
}

#[test]
fn after_a_crash_that_forgot_every_dialog_all_agents_are_subscribed_anew_at_the_configured_rate() {
    let Some((mut kamailio, provider, queue)) = watching(Store::Memory, TransportKind::Tcp) else { return };
    let before = crash(&mut kamailio, &provider);
    let observed = kamailio.observed();
    let after = &observed.subscribes[before..];
    let (anew, refreshes): (Vec<_>, Vec<_>) = after.iter().partition(|subscribe| subscribe.is_initial());
    assert_eq!(anew.len(), OTHERS + 1);
    assert!(refreshes.len() <= 2, "one 481 is enough to know that the others are forgotten as well: {refreshes:?}");

    // What was published is forgotten too; what is published now arrives.
    kamailio.publish("alice", &pidf(&Kamailio::uri("alice"), true, Some("busy")), None);
    queue.await_availability("alice", Availability::BUSY);
}

#[test]
fn after_a_crash_that_kept_the_dialogs_all_agents_are_refreshed_at_the_configured_rate() {
    let Some((mut kamailio, provider, queue)) = watching(Store::WriteThrough, TransportKind::Tcp) else { return };
    let before = crash(&mut kamailio, &provider);
    let observed = kamailio.observed();
    assert_eq!(observed.initial().len(), OTHERS + 1, "no dialog was begun a second time");
    assert_eq!(observed.subscribes.len() - before, OTHERS + 1, "each was refreshed once");
    queue.await_availability("alice", Availability::AWAY);
    assert_eq!(queue.changes("alice").len(), 1, "alice was away all the time");
}

#[test]
fn over_udp_a_crash_is_noticed_by_the_probe_and_all_agents_come_back_at_the_configured_rate() {
    let Some((mut kamailio, provider, queue)) = watching(Store::WriteThrough, TransportKind::Udp) else { return };
    crash(&mut kamailio, &provider);
    assert_eq!(kamailio.observed().initial().len(), OTHERS + 1, "no dialog was begun a second time");
    queue.await_availability("alice", Availability::AWAY);
}

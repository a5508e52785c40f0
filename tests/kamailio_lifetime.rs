//! Subscriptions at a real Kamailio are refreshed, ended and begun again when they should be.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test binary has no reader of its docs and may panic")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use presence_actors::EndpointSetup;
use presence_core::{Availability, EndpointKind, EndpointState, Freshness, SubscriptionState};
use presence_sip::{Credentials, TransportKind};
use support::documents::pidf;
use support::eventually;
use support::kamailio::{Digest, Kamailio, PASSWORD, Setup, Store};
use support::observed::Observed;
use support::running::{Running, SOON, application, setup};

/// An endpoint that asks for this many seconds.
fn asking_for(kamailio: &Kamailio, seconds: u64) -> EndpointSetup {
    let mut endpoint = application(kamailio, TransportKind::Tcp);
    endpoint.expires = Duration::from_secs(seconds);
    endpoint
}

/// All in one dialog, which never ended, and each SUBSCRIBE well before what the one before it got ran out.
fn assert_refreshed_in_time(observed: &Observed, granted: Duration) {
    let calls: BTreeSet<_> = observed.subscribes.iter().map(|subscribe| &subscribe.call_id).collect();
    assert_eq!((calls.len(), observed.initial().len()), (1, 1), "{:?}", observed.subscribes);
    for pair in observed.subscribes.windows(2) {
        assert!(pair[1].to_tag.is_some() && pair[1].at - pair[0].at < granted, "{pair:?}");
    }
    assert!(observed.notifies.iter().all(|notify| notify.state.starts_with("active")), "{:?}", observed.notifies);
}

#[test]
fn a_dialog_is_refreshed_before_it_expires() {
    let Some(kamailio) = Kamailio::start(Setup::default()) else { return };
    let provider = Running::start(setup(vec![asking_for(&kamailio, 6)]));
    let queue = provider.queue("one");
    queue.subscribe("alice");
    let observed = eventually("two refreshes", SOON, || {
        Some(kamailio.observed()).filter(|observed| observed.subscribes.len() >= 3)
    });
    assert!(observed.subscribes.iter().all(|subscribe| subscribe.expires == Some(6)));
    assert_refreshed_in_time(&observed, Duration::from_secs(6));
}

#[test]
fn a_dialog_is_refreshed_before_what_the_server_made_of_its_lifetime_expires() {
    let maximum = Duration::from_secs(6);
    let Some(kamailio) = Kamailio::start(Setup { maximum_expires: maximum, ..Setup::default() }) else { return };
    let provider = Running::start(setup(vec![asking_for(&kamailio, 3600)]));
    let queue = provider.queue("one");
    queue.subscribe("alice");
    let observed =
        eventually("a refresh", SOON, || Some(kamailio.observed()).filter(|observed| observed.subscribes.len() >= 2));
    assert_refreshed_in_time(&observed, maximum);
}

#[test]
fn a_dialog_that_the_server_forgot_is_begun_anew_when_its_refresh_is_answered_481() {
    let Some(kamailio) = Kamailio::start(Setup { store: Store::Database, ..Setup::default() }) else { return };
    kamailio.publish("alice", &pidf(&Kamailio::uri("alice"), true, Some("away")), None);
    let provider = Running::start(setup(vec![asking_for(&kamailio, 6)]));
    let queue = provider.queue("one");
    queue.subscribe("alice");
    queue.subscribe("bob");
    queue.await_availability("alice", Availability::AWAY);
    eventually("both dialogs", SOON, || (kamailio.active_watchers() == 2).then_some(()));
    kamailio.forget_dialogs_of("alice");

    let uri = Kamailio::uri("alice");
    eventually("a new dialog", SOON, || {
        (kamailio.observed().initial().iter().filter(|subscribe| subscribe.uri == uri).count() == 2).then_some(())
    });
    provider.await_freshness("alice", Freshness::Fresh);
    assert_eq!(queue.changes("alice").len(), 1, "alice is what she was");
    let observed = kamailio.observed();
    let of_alice: Vec<_> = observed.initial().into_iter().filter(|subscribe| subscribe.uri == uri).collect();
    assert_ne!(of_alice[0].call_id, of_alice[1].call_id, "a dialog is never begun under an old Call-ID");
    assert_eq!(observed.initial().len(), 3, "bob's dialog was not touched");
    assert_eq!(provider.await_state("alice", SubscriptionState::Active).subscription.unwrap().failures, 0);
}

#[test]
fn the_subscription_ends_when_the_last_ucc_leaves_and_not_before() {
    let Some(kamailio) = Kamailio::start(Setup::default()) else { return };
    kamailio.publish("alice", &pidf(&Kamailio::uri("alice"), true, Some("away")), None);
    let provider = Running::start(setup(vec![asking_for(&kamailio, 3600)]));
    let (one, two, three) = (provider.queue("one"), provider.queue("two"), provider.queue("three"));
    for queue in [&one, &two, &three] {
        queue.subscribe("alice");
        queue.await_availability("alice", Availability::AWAY);
    }
    one.unsubscribe("alice");
    drop(two);
    provider.await_agent("alice", "with one watcher", |agent| agent.watchers.len() == 1);
    assert_eq!(kamailio.observed().subscribes.len(), 1, "somebody still wants alice");
    three.unsubscribe("alice");
    eventually("the end of the dialog", SOON, || kamailio.observed().live_dialogs().is_empty().then_some(()));
    eventually("the agent to go", SOON, || provider.view().agents().next().is_none().then_some(()));
    let observed = kamailio.observed();
    assert_eq!(
        observed.subscribes.iter().map(|subscribe| subscribe.expires).collect::<Vec<_>>(),
        [Some(3600), Some(0)]
    );
    assert_eq!(observed.subscribes[0].call_id, observed.subscribes[1].call_id);

    // Wanted again, it is new.
    three.subscribe("alice");
    eventually("a new dialog", SOON, || (kamailio.observed().initial().len() == 2).then_some(()));
    provider.await_freshness("alice", Freshness::Fresh);
}

#[test]
fn a_shutdown_ends_every_subscription_and_then_the_endpoint() {
    const AGENTS: usize = 10;
    let Some(kamailio) = Kamailio::start(Setup { store: Store::WriteThrough, ..Setup::default() }) else { return };
    let provider = Running::start(setup(vec![asking_for(&kamailio, 3600)]));
    let queue = provider.queue("one");
    (0..AGENTS).for_each(|index| queue.subscribe(&format!("agent{index}")));
    eventually("all dialogs", SOON, || (kamailio.active_watchers() == AGENTS).then_some(()));
    (0..AGENTS).for_each(|index| drop(provider.await_state(&format!("agent{index}"), SubscriptionState::Active)));
    assert!(provider.shutdown(), "in time");
    assert_eq!(kamailio.active_watchers(), 0);
    let observed = kamailio.observed();
    assert_eq!(observed.subscribes.iter().filter(|subscribe| subscribe.expires == Some(0)).count(), AGENTS);
    assert!(observed.live_dialogs().is_empty());
    provider.await_endpoint(EndpointKind::Application, EndpointState::Terminated);
}

/// Challenged once; then every request carries what was learned, until the nonce is stale.
fn a_challenge_is_answered_with(digest: Digest) {
    let nonce_life = Duration::from_secs(2);
    let Some(kamailio) = Kamailio::start(Setup { digest: Some(digest), nonce_life, ..Setup::default() }) else {
        return;
    };
    kamailio.publish("alice", &pidf(&Kamailio::uri("alice"), true, Some("away")), None);
    let mut endpoint = asking_for(&kamailio, 8);
    endpoint.credentials = Some(Credentials { user: "application".into(), password: PASSWORD.into() });
    let provider = Running::start(setup(vec![endpoint]));
    let queue = provider.queue("one");
    queue.subscribe("alice");
    queue.await_availability("alice", Availability::AWAY);
    queue.subscribe("bob");
    provider.await_state("bob", SubscriptionState::Active);
    let of = |user: &str| {
        let uri = Kamailio::uri(user);
        let observed = kamailio.observed();
        observed.initial().iter().filter(|subscribe| subscribe.uri == uri).map(|subscribe| subscribe.sequence).collect()
    };
    let (alice, bob): (Vec<u32>, Vec<u32>) = (of("alice"), of("bob"));
    assert_eq!(alice, [1, 2], "refused once, then with an answer to the challenge");
    assert_eq!(bob.len(), 1, "the nonce is used again while it lives");

    // By its refresh the nonce has died: 401 with stale=true, and the same dialog goes on.
    eventually("a refresh that was challenged", SOON, || {
        let refreshes = kamailio.observed().subscribes.iter().filter(|subscribe| !subscribe.is_initial()).count();
        (refreshes >= 2).then_some(())
    });
    queue.unsubscribe("alice");
    queue.unsubscribe("bob");
    eventually("the end of both dialogs", SOON, || kamailio.observed().live_dialogs().is_empty().then_some(()));
    assert_eq!(kamailio.observed().initial().len(), 3, "no dialog was begun a second time");
}

#[test]
fn a_challenge_is_answered_with_md5() {
    a_challenge_is_answered_with(Digest::Md5);
}

#[test]
fn a_challenge_is_answered_with_sha_256() {
    a_challenge_is_answered_with(Digest::Sha256);
}

/// It is the endpoint's fault, so no agent pays for it; and the server is not hammered with the wrong password.
#[test]
fn a_wrong_password_never_counts_against_an_agent() {
    let setup_of_peer = Setup { digest: Some(Digest::Sha256), ..Setup::default() };
    let Some(kamailio) = Kamailio::start(setup_of_peer) else { return };
    let mut endpoint = asking_for(&kamailio, 3600);
    endpoint.credentials = Some(Credentials { user: "application".into(), password: "wrong".into() });
    let provider = Running::start(setup(vec![endpoint]));
    let queue = provider.queue("one");
    queue.subscribe("alice");
    let agent = provider.await_agent("alice", "to be refused", |agent| {
        agent.subscription.as_ref().is_some_and(|subscription| subscription.last_failure.is_some())
    });
    let subscription = agent.subscription.unwrap();
    assert_eq!((subscription.state, subscription.failures), (SubscriptionState::WaitingForEndpoint, 0));
    assert_eq!(subscription.last_failure.unwrap().code, Some(401));
    assert_eq!(kamailio.observed().subscribes.len(), 2, "without credentials, then once with the wrong ones");
}

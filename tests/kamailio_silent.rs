//! A real Kamailio that has forgotten a watcher and says nothing: found by a sample, and subscribed to anew.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test binary has no reader of its docs and may panic")]

mod support;

use std::time::Duration;

use presence_core::{Availability, Freshness, SampleOutcome};
use presence_sip::{Credentials, TransportKind};
use support::documents::pidf;
use support::eventually;
use support::kamailio::{Digest, Kamailio, PASSWORD, Setup, Store};
use support::running::{Running, SOON, application, setup};

/// Samples somebody every second.
fn sampling(kamailio: &Kamailio, transport: TransportKind) -> presence_actors::Setup {
    let mut setup = setup(vec![application(kamailio, transport)]);
    setup.sample_interval = Some(Duration::from_secs(1));
    setup
}

#[test]
fn a_watcher_that_kamailio_lost_without_a_sign_is_found_and_subscribed_anew() {
    let Some(kamailio) = Kamailio::start(Setup { store: Store::Database, ..Setup::default() }) else { return };
    let alice = Kamailio::uri("alice");
    let tag = kamailio.publish("alice", &pidf(&alice, true, Some("away")), None);
    kamailio.publish("bob", &pidf(&Kamailio::uri("bob"), true, Some("busy")), None);
    let provider = Running::start(sampling(&kamailio, TransportKind::Tcp));
    let queue = provider.queue("one");
    queue.subscribe("alice");
    queue.subscribe("bob");
    queue.await_availability("alice", Availability::AWAY);
    queue.await_availability("bob", Availability::BUSY);
    eventually("both dialogs", SOON, || (kamailio.active_watchers() == 2).then_some(()));
    eventually("samples that find nothing", SOON, || {
        (provider.meters().samples[&SampleOutcome::Same] >= 4).then_some(())
    });
    assert_eq!(kamailio.active_watchers(), 2, "a query leaves no watcher behind");

    kamailio.forget_dialogs_of("alice");
    let tag = kamailio.publish("alice", &pidf(&alice, true, Some("busy")), Some(&tag));
    eventually("the loss", SOON, || (provider.meters().silent_losses == 1).then_some(()));
    queue.await_availability("alice", Availability::BUSY);
    provider.await_freshness("alice", Freshness::Fresh);
    eventually("a new dialog", SOON, || (kamailio.active_watchers() == 2).then_some(()));
    kamailio.publish("alice", &pidf(&alice, true, Some("away")), Some(&tag));
    queue.await_availability("alice", Availability::AWAY);

    let read = provider.meters();
    assert_eq!((read.samples[&SampleOutcome::Lost], read.samples[&SampleOutcome::Unanswered]), (1, 0), "{read:?}");
    let observed = kamailio.observed();
    let standing = |uri: &str| {
        let begun = observed.initial().into_iter().filter(|subscribe| subscribe.expires != Some(0));
        begun.filter(|subscribe| subscribe.uri == uri).count()
    };
    assert_eq!((standing(&alice), standing(&Kamailio::uri("bob"))), (2, 1), "bob's dialog was not touched");
    let agent = provider.await_freshness("bob", Freshness::Fresh);
    assert_eq!(agent.subscription.unwrap().failures, 0);
}

#[test]
fn a_query_to_a_kamailio_that_asks_for_a_password_is_answered_over_udp_too() {
    let with_password = Setup { digest: Some(Digest::Md5), ..Setup::default() };
    let Some(kamailio) = Kamailio::start(with_password) else { return };
    kamailio.publish("alice", &pidf(&Kamailio::uri("alice"), true, Some("away")), None);
    let mut setup = sampling(&kamailio, TransportKind::Udp);
    setup.endpoints[0].credentials = Some(Credentials { user: "application".into(), password: PASSWORD.into() });
    let provider = Running::start(setup);
    let queue = provider.queue("one");
    queue.subscribe("alice");
    queue.await_availability("alice", Availability::AWAY);
    eventually("three samples", SOON, || (provider.meters().samples[&SampleOutcome::Same] >= 3).then_some(()));
    let read = provider.meters();
    assert_eq!((read.silent_losses, read.samples[&SampleOutcome::Unanswered]), (0, 0), "{read:?}");
}

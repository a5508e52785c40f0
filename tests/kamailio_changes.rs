//! Presence that is published at a real Kamailio reaches every UCC, over each transport.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test binary has no reader of its docs and may panic")]

mod support;

use std::net::{TcpListener, TcpStream};

use presence_actors::PresenceEvent;
use presence_core::{Availability, EndpointKind, EndpointState};
use presence_sip::TransportKind;
use support::documents::pidf;
use support::eventually;
use support::kamailio::{Kamailio, Setup};
use support::running::{Queue, Running, SOON, agent, application, setup};

/// Three UCCs want alice, two of them bob too; both publish, change and repeat themselves; a fourth UCC comes late.
fn every_change_reaches_every_ucc_over(transport: TransportKind) {
    let Some(kamailio) = Kamailio::start(Setup::default()) else { return };
    let provider = Running::start(setup(vec![application(&kamailio, transport)]));
    let queues: Vec<Queue> = ["one", "two", "three"].map(|name| provider.queue(name)).into();
    for queue in &queues {
        queue.subscribe("alice");
    }
    queues[0].subscribe("bob");
    queues[1].subscribe("bob");
    eventually("both dialogs", SOON, || (kamailio.observed().live_dialogs().len() == 2).then_some(()));
    for queue in &queues {
        eventually("pending", SOON, || queue.heard("alice").first().cloned());
        assert_eq!(queue.heard("alice"), [PresenceEvent::Pending { uri: agent("alice") }], "nothing is published yet");
    }

    let (alice, bob) = (Kamailio::uri("alice"), Kamailio::uri("bob"));
    let tag = kamailio.publish("alice", &pidf(&alice, true, Some("away")), None);
    kamailio.publish("bob", &pidf(&bob, true, Some("busy")), None);
    queues.iter().for_each(|queue| queue.await_availability("alice", Availability::AWAY));
    queues[..2].iter().for_each(|queue| queue.await_availability("bob", Availability::BUSY));
    let tag = kamailio.publish("alice", &pidf(&alice, true, Some("on-the-phone")), Some(&tag));
    queues.iter().for_each(|queue| queue.await_availability("alice", Availability::BUSY));

    let late = provider.queue("late");
    late.subscribe("alice");
    late.await_availability("alice", Availability::BUSY);
    assert!(matches!(&late.heard("alice")[..], [PresenceEvent::Current { sequence: 2, .. }]), "what holds, at once");

    // An identical repeat is no change: after it the next change has the next number.
    let tag = kamailio.publish("alice", &pidf(&alice, true, Some("on-the-phone")), Some(&tag));
    kamailio.publish("alice", &pidf(&alice, true, None), Some(&tag));
    for queue in queues.iter().chain([&late]) {
        queue.await_availability("alice", Availability::ONLINE);
    }
    for queue in &queues {
        let changes = queue.changes("alice");
        let steps: Vec<_> = changes.iter().map(|change| (change.sequence, change.new.status.availability)).collect();
        assert_eq!(steps, [(1, Availability::AWAY), (2, Availability::BUSY), (3, Availability::ONLINE)]);
        assert_eq!(changes[0].previous, None);
        assert_eq!(changes[1].previous.as_ref(), Some(&changes[0].new));
        assert_eq!(changes[2].previous.as_ref(), Some(&changes[1].new));
        assert_eq!(changes[1].new.status.activity.as_deref(), Some("on-the-phone"));
    }
    assert!(queues[2].heard("bob").is_empty(), "nobody hears of an agent that it did not want");

    let observed = kamailio.observed();
    assert_eq!(observed.initial().len(), 2, "one subscription per agent: {:?}", observed.subscribes);
    let word = transport.uri_param();
    assert!(observed.subscribes.iter().all(|subscribe| subscribe.transport == word && subscribe.expires == Some(3600)));
    assert!(observed.notifies.iter().all(|notify| notify.contact.contains(&format!("transport={word}"))));
    let wire = provider.view().endpoint(EndpointKind::Application).unwrap().wire;
    assert_eq!((wire.dialogs, wire.live), (2, 2));
}

#[test]
fn every_change_reaches_every_ucc_over_udp() {
    every_change_reaches_every_ucc_over(TransportKind::Udp);
}

#[test]
fn every_change_reaches_every_ucc_over_tcp() {
    every_change_reaches_every_ucc_over(TransportKind::Tcp);
}

/// Kamailio opens a TLS connection of its own to our listener for its NOTIFYs: both sides check both certificates.
#[test]
fn every_change_reaches_every_ucc_over_mutual_tls() {
    every_change_reaches_every_ucc_over(TransportKind::Tls);
}

/// Somebody else has our port when we start: once it is free, the pool is told where we listen without a new connection.
#[test]
fn a_listener_that_comes_late_is_where_the_pool_connects_to() {
    let Some(kamailio) = Kamailio::start(Setup::default()) else { return };
    kamailio.publish("alice", &pidf(&Kamailio::uri("alice"), true, Some("away")), None);
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap();
    let mut endpoint = application(&kamailio, TransportKind::Tls);
    endpoint.listen = Some(address);
    let provider = Running::start(setup(vec![endpoint]));
    provider.await_endpoint(EndpointKind::Application, EndpointState::Established);
    drop(occupied);
    eventually("our listener", SOON, || TcpStream::connect(address).ok());
    let queue = provider.queue("one");
    queue.subscribe("alice");
    queue.await_availability("alice", Availability::AWAY);
    let contact = format!("sip:application@{address};transport=tls");
    assert!(kamailio.observed().notifies.iter().all(|notify| notify.contact == contact));
}

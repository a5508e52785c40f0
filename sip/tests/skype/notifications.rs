//! NOTIFY and BENOTIFY (facts B.4), and where agents are (C.6).

use presence_core::{Modality, SourceNetwork, Status};
use presence_sip::{SubscriberEffect, WireEvent};

use crate::pool::{ONE, Pool, agent, joined, multipart, notification, services, state, wants};

const CATEGORIES: &str = "application/msrtc-event-categories+xml";

fn bare(document: String) -> Option<(String, String)> {
    Some((CATEGORIES.to_owned(), document))
}

fn status(pool: &mut Pool) -> Status {
    match pool.tell() {
        SubscriberEffect::Notified { status: Some(status), expires: None, .. } => status,
        other => panic!("{other:?}"),
    }
}

const ACTIVE: &str = "subscription-state: active;expires=28000";

#[test]
fn a_services_update_never_erases_the_state() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    pool.benotify(&home, state(agent(1).as_str(), 6_500));
    assert_eq!(status(&mut pool).availability.value(), 6_500);
    pool.benotify(&home, services(agent(1).as_str()));
    let both = status(&mut pool);
    assert_eq!((both.availability.value(), both.modalities.audio), (6_500, Modality::Enabled));
    pool.benotify(&home, state(agent(1).as_str(), 15_500));
    let both = status(&mut pool);
    assert_eq!((both.availability.value(), both.modalities.audio), (15_500, Modality::Enabled));
}

#[test]
fn a_notify_is_answered_200_and_a_benotify_never_whatever_is_wrong_with_it() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    pool.notify("NOTIFY", &home, ACTIVE, bare(state(agent(1).as_str(), 3_500)));
    assert_eq!(pool.request_or_answer(), Some(200));
    pool.told.clear();
    let good = notification("BENOTIFY", &home, 50, ACTIVE, bare(state(agent(1).as_str(), 3_500)));
    let tag = home.from().unwrap().tag().unwrap().to_owned();
    for (bad, event) in [
        (good.replace(home.call_id(), "elsewhere"), WireEvent::UnmatchedBenotify),
        (good.replace(&format!("tag={tag}"), "tag=other"), WireEvent::WrongTag),
        (good.replace("tag=fe\r", "tag=other\r"), WireEvent::Forked),
        (good.replace("Event: presence", "Event: dialog"), WireEvent::BadEvent),
        (good.replace("subscription-state: ", "X-State: "), WireEvent::MissingState),
        (good.replace("CSeq: 50 BENOTIFY", "CSeq: x BENOTIFY"), WireEvent::Malformed),
    ] {
        pool.counted.clear();
        pool.receive(&bad);
        assert_eq!(pool.counted, [event]);
        pool.silent();
        pool.quiet();
    }
    pool.receive(&good);
    assert_eq!(status(&mut pool).availability.value(), 3_500);
    pool.silent();
}

#[test]
fn a_notify_that_belongs_to_nothing_is_481() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    let text = notification("NOTIFY", &home, 7, ACTIVE, None).replace(home.call_id(), "elsewhere");
    pool.receive(&text);
    assert_eq!(pool.request_or_answer(), Some(481));
    assert_eq!(pool.counted, [WireEvent::Unmatched]);
}

#[test]
fn a_gap_in_the_cseq_is_accepted_and_a_lower_one_dropped() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    for (cseq, taken) in [(5, true), (4, false), (5, false), (900, true), (899, false)] {
        pool.receive(&notification("BENOTIFY", &home, cseq, ACTIVE, bare(state(agent(1).as_str(), 3_500))));
        assert_eq!(pool.told.drain(..).count(), usize::from(taken), "{cseq}");
    }
    assert_eq!(pool.counted, [WireEvent::StaleCSeq, WireEvent::Duplicate, WireEvent::StaleCSeq]);
    pool.receive(&notification("NOTIFY", &home, 3, ACTIVE, None));
    assert_eq!(pool.request_or_answer(), Some(500));
}

#[test]
fn a_notification_may_come_before_the_200_and_knows_better_than_what_comes_with_it() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let subscribe = pool.flushed();
    pool.receive(&notification("BENOTIFY", &subscribe, 4, ACTIVE, bare(state(agent(1).as_str(), 9_500))));
    assert_eq!(status(&mut pool).availability.value(), 9_500);
    pool.accept(&subscribe, &[], &[state(agent(1).as_str(), 3_500)]);
    assert_eq!(pool.tell(), joined(&agent(1), ONE));
    pool.quiet();
}

#[test]
fn without_a_piggyback_the_first_notification_follows() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let subscribe = pool.flushed();
    pool.answer(&subscribe, 200, &[&crate::pool::contact(), "Expires: 28800"]);
    assert_eq!(pool.tell(), joined(&agent(1), ONE));
    let body =
        multipart(&[(&agent(1), "state=\"active\" cid=\"agent1@domain.com\"")], &[state(agent(1).as_str(), 3_500)]);
    pool.receive(&notification("NOTIFY", &subscribe, 1, ACTIVE, Some(body)));
    assert_eq!(pool.request_or_answer(), Some(200));
    assert_eq!(status(&mut pool).availability.value(), 3_500);
}

#[test]
fn a_document_finds_its_agent_in_any_case_and_a_stranger_is_counted() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    pool.benotify(&home, state("SIP:Agent1@DOMAIN.com", 3_500));
    assert!(matches!(pool.tell(), SubscriberEffect::Notified { uri, .. } if uri == agent(1)));
    pool.benotify(&home, state("sip:stranger@domain.com", 3_500));
    pool.quiet();
    assert_eq!(pool.counted, [WireEvent::ForeignResource]);
}

#[test]
fn a_terminated_notification_is_read_before_its_end() {
    let (mut pool, home) = Pool::live(15, &[agent(1), agent(2)]);
    let row = "state=\"resubscribe\" poolFqdn=\"sip:pool2.domain.com\"";
    let body = multipart(&[(&agent(1), row)], &[state(agent(2).as_str(), 15_500)]);
    pool.notify("BENOTIFY", &home, "subscription-state: terminated;expires=0", Some(body));
    assert_eq!((pool.tell(), pool.tell()), (joined(&agent(1), ONE), wants(&agent(1), ONE)));
    assert_eq!(status(&mut pool).availability.value(), 15_500);
    assert_eq!(pool.failure().kind, presence_core::FailureKind::Dialog, "agent 2 comes again at once");
    pool.quiet();
    pool.refresh(&agent(1), ONE);
    assert_eq!(pool.flushed().request_uri(), Some("sip:pool2.domain.com"));
}

#[test]
fn the_network_is_what_the_edge_says() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    for (header, network) in [
        ("", SourceNetwork::SameEnterprise),
        (
            "\r\nms-edge-proxy-message-trust: ms-source-type=AutoFederation;ms-ep-fqdn=edge.b.com;\
             ms-source-verified-user=verified;ms-source-network=federation",
            SourceNetwork::Federated,
        ),
        ("\r\nms-edge-proxy-message-trust: ms-source-network=publiccloud", SourceNetwork::PublicCloud),
    ] {
        let head = format!("{ACTIVE}{header}");
        pool.notify("BENOTIFY", &home, &head, bare(state(agent(1).as_str(), 3_500)));
        assert_eq!(status(&mut pool).network, network);
    }
}

#[test]
fn a_part_that_cannot_be_read_keeps_the_value_and_asks_for_that_agent_once() {
    let (mut pool, home) = Pool::live(15, &[agent(1), agent(2)]);
    for _ in 0..2 {
        let broken = "<categories uri=\"sip:agent1@domain.com\"".to_owned();
        let body = multipart(&[], &[broken, state(agent(2).as_str(), 3_500)]);
        pool.notify("BENOTIFY", &home, ACTIVE, Some(body));
    }
    assert!(matches!(pool.tell(), SubscriberEffect::Notified { uri, .. } if uri == agent(2)));
    assert_eq!(pool.tell(), wants(&agent(1), ONE));
    assert!(matches!(pool.tell(), SubscriberEffect::Notified { uri, .. } if uri == agent(2)));
    pool.quiet();
    assert_eq!(pool.counted, [WireEvent::UnparsableBody; 2]);
    pool.benotify(&home, state(agent(1).as_str(), 3_500));
    assert!(matches!(pool.tell(), SubscriberEffect::Notified { uri, .. } if uri == agent(1)));
}

#[test]
fn a_body_that_cannot_be_read_at_all_asks_for_whom_it_was_about() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let subscribe = pool.flushed();
    let body = Some(("multipart/related;boundary=none".to_owned(), "no part at all".to_owned()));
    pool.receive(&crate::pool::reply(&subscribe, 200, &[&crate::pool::contact(), "Expires: 28800"], body));
    assert_eq!((pool.tell(), pool.tell()), (joined(&agent(1), ONE), wants(&agent(1), ONE)));
    // A notification of a batch does not say about whom it is.
    pool.notify("NOTIFY", &subscribe, ACTIVE, Some(("text/plain".to_owned(), "what?".to_owned())));
    assert_eq!(pool.request_or_answer(), Some(200));
    pool.quiet();
    assert_eq!(pool.counted, [WireEvent::UnparsableBody; 2]);
}

#[test]
fn other_requests_get_what_they_deserve() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    for (method, code) in [("OPTIONS", 200), ("BYE", 481), ("INVITE", 405), ("SERVICE", 405), ("PUBLISHX", 501)] {
        let text = notification("NOTIFY", &home, 9, ACTIVE, None).replace("NOTIFY", method);
        pool.receive(&text);
        assert_eq!(pool.request_or_answer(), Some(code), "{method}");
    }
    pool.receive("SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@d.com>;tag=1\r\nTo: <sip:b@d.com>;tag=2\r\n\
                  Call-ID: c\r\nCSeq: 1 SUBSCRIBE\r\n\r\n");
    assert_eq!(pool.counted.last(), Some(&WireEvent::StrayResponse));
}

#[test]
fn a_document_that_is_damaged_behind_its_beginning_asks_for_its_agent_once() {
    let (mut pool, home) = Pool::live(15, &[agent(1), agent(2)]);
    let damaged = state(agent(2).as_str(), 6_500).replace("</availability>", "</availab");
    for _ in 0..2 {
        pool.benotify(&home, damaged.clone());
    }
    // The Content-ID of the part says nothing.
    let (content_type, body) = multipart(&[], &[damaged.replace("agent2", "agent1")]);
    pool.notify("BENOTIFY", &home, ACTIVE, Some((content_type, body.replace("Content-ID: agent1", "Content-ID: x"))));
    assert_eq!((pool.tell(), pool.tell()), (wants(&agent(2), ONE), wants(&agent(1), ONE)));
    pool.quiet();
    assert_eq!(pool.counted, [WireEvent::UnparsableBody; 3]);
    pool.refresh(&agent(2), ONE);
    let refresh = pool.flushed();
    pool.accept_all(&refresh);
    assert_eq!(pool.tell(), joined(&agent(2), ONE));
    assert!(matches!(pool.tell(), SubscriberEffect::Notified { uri, .. } if uri == agent(2)));
    pool.benotify(&home, damaged);
    assert_eq!(pool.tell(), wants(&agent(2), ONE), "and once more the next time");
}

#[test]
fn a_list_that_cannot_be_read_asks_once_for_who_got_no_document_beside_it() {
    let mut pool = Pool::registered(15);
    [1, 2].into_iter().for_each(|number| pool.subscribe(&agent(number), ONE));
    let subscribe = pool.flushed();
    let (content_type, body) = multipart(&[], &[state(agent(1).as_str(), 3_500)]);
    let body = body.replace("</list>", "</lis");
    pool.receive(&crate::pool::reply(
        &subscribe,
        200,
        &[&crate::pool::contact(), "Expires: 28800"],
        Some((content_type, body)),
    ));
    let told: Vec<_> = pool.told.drain(..).collect();
    assert_eq!(told.iter().filter(|told| matches!(told, SubscriberEffect::WantsRefresh { .. })).count(), 1);
    assert!(told.contains(&wants(&agent(2), ONE)), "{told:?}");
    assert_eq!(pool.counted, [WireEvent::UnparsableBody]);
}

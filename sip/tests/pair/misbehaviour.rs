//! Every row of the table of misbehaving notifiers (design facts, the Rust SIP foundation, section 4) that is not a
//! matter of sockets.

use std::time::Duration;

use presence_core::Availability;
use presence_sip::{FlowId, SubscriberEffect, WireEvent};

use crate::notifier::{BUSY, Notify, ONE, Pair, seconds, user};

#[test]
fn a_notify_30_ms_before_the_200_is_accepted_and_delivered() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    assert_eq!(pair.notify(&Notify::of(&subscribe)), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { status: Some(_), attempt: ONE, .. }));
    pair.pass(Duration::from_millis(30));
    pair.reply(&subscribe, 200, &["Expires: 3600"]);
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { attempt: ONE, .. }));
    pair.pass(seconds(3000));
    pair.quiet();
    assert_eq!(pair.subscriber.stats().live, 1);
}

#[test]
fn the_early_notify_makes_the_dialog_with_its_own_route_in_its_own_order() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    let mut notify = Notify::of(&subscribe);
    notify.extra.push("Record-Route: <sip:near.example;lr>, <sip:far.example;lr>".into());
    assert_eq!(pair.notify(&notify), 200);
    pair.reply(&subscribe, 200, &["Record-Route: <sip:far.example;lr>, <sip:near.example;lr>"]);
    let refresh = pair.refresh(ONE);
    let routes: Vec<_> = refresh.values("Route").collect();
    assert_eq!(routes, ["<sip:near.example;lr>", "<sip:far.example;lr>"]);
}

#[test]
fn a_cseq_that_jumps_from_1_to_5_to_6_is_accepted() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    for cseq in [5, 6] {
        let jumped = Notify { cseq, branch: format!("z9hG4bKj{cseq}"), ..notify.clone() };
        assert_eq!(pair.notify(&jumped), 200);
        assert!(matches!(pair.tell(), SubscriberEffect::Notified { .. }));
    }
    assert_eq!(pair.counted, []);
}

#[test]
fn a_benotify_in_the_dialog_is_delivered_and_never_answered() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    let fire = Notify { method: "BENOTIFY", ..notify.next() };
    pair.receive(&fire.text());
    pair.silent();
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { .. }));
    assert_eq!(pair.notify(&notify.next().next()), 200);
}

#[test]
fn a_benotify_is_never_answered_whatever_is_wrong_with_it() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    let fire = Notify { method: "BENOTIFY", ..notify.next() };
    let strange = [
        Notify { call_id: "nobody".into(), ..fire.clone() },
        Notify { event: Some("dialog"), ..fire.clone() },
        Notify { state: None, ..fire.clone() },
        Notify { tag: "other".into(), ..fire.clone() },
        Notify { cseq: 0, ..fire.clone() },
    ];
    for notify in strange {
        pair.receive(&notify.text());
    }
    pair.receive(&fire.text().replace("From:", "X-From:"));
    pair.silent();
    pair.quiet();
    assert_eq!(
        pair.counted,
        [
            WireEvent::UnmatchedBenotify,
            WireEvent::BadEvent,
            WireEvent::MissingState,
            WireEvent::Forked,
            WireEvent::StaleCSeq,
            WireEvent::Malformed,
        ]
    );
}

#[test]
fn a_framed_but_malformed_message_costs_only_itself() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    pair.receive(&notify.next().text().replace("From:", "X-From:"));
    assert_eq!(pair.answered(), 400);
    pair.receive(&notify.next().text().replace("CSeq: 2 NOTIFY", "CSeq: 2 SUBSCRIBE"));
    assert_eq!(pair.answered(), 400);
    pair.receive("SIP/2.0 200 OK\r\nCall-ID: x\r\n\r\n");
    pair.silent();
    assert_eq!(pair.counted, [WireEvent::Malformed; 3]);
    assert_eq!(pair.notify(&notify.next()), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { .. }));
}

#[test]
fn a_large_notify_is_read_up_to_the_limit_of_documents_and_beyond_it_keeps_the_old_value() {
    let mut pair = Pair::tcp();
    let mut notify = pair.live();
    for (size, readable) in [(60_000, true), (70_000, true), (200_000, true), (300_000, false)] {
        notify = notify.next();
        notify.body = BUSY.replace("<tuple", &format!("{}<tuple", " ".repeat(size)));
        assert_eq!(pair.notify(&notify), 200, "{size}");
        let SubscriberEffect::Notified { status, .. } = pair.tell() else { panic!() };
        assert_eq!(status.is_some(), readable, "{size}");
    }
    assert_eq!(pair.counted, [WireEvent::UnparsableBody]);
}

#[test]
fn twenty_notifies_in_one_batch_are_delivered_in_their_order() {
    let mut pair = Pair::tcp();
    let mut notify = pair.live();
    for number in 0..20 {
        notify = notify.next();
        notify.state = Some(format!("active;expires={}", 1000 - number));
        pair.receive(&notify.text());
    }
    for number in 0..20 {
        assert_eq!(pair.answered(), 200);
        let SubscriberEffect::Notified { expires, .. } = pair.tell() else { panic!() };
        assert_eq!(expires, Some(seconds(1000 - number)));
    }
}

#[test]
fn an_older_cseq_after_a_newer_one_is_refused_with_500_and_dropped() {
    let mut pair = Pair::tcp();
    let first = pair.live();
    let (second, third) = (first.next(), first.next().next());
    assert_eq!(pair.notify(&third), 200);
    pair.told.clear();
    assert_eq!(pair.notify(&second), 500);
    pair.quiet();
    assert_eq!(pair.counted, [WireEvent::StaleCSeq]);
}

#[test]
fn two_record_routes_of_the_200_become_the_route_in_reverse() {
    for headers in [
        &["Record-Route: <sip:far.example;lr>", "Record-Route: <sip:near.example;lr>"][..],
        &["Record-Route: <sip:far.example;lr>, <sip:near.example;lr>"][..],
    ] {
        let mut pair = Pair::tcp();
        let subscribe = pair.subscribe(ONE);
        let contact = ["Contact: <sip:notifier@198.51.100.7>"];
        pair.reply(&subscribe, 200, &[headers, &contact].concat());
        assert_eq!(pair.notify(&Notify { extra: Vec::new(), ..Notify::of(&subscribe) }), 200);
        let refresh = pair.refresh(ONE);
        let routes: Vec<_> = refresh.header_all("Route").collect();
        assert_eq!(routes, ["<sip:near.example;lr>", "<sip:far.example;lr>"]);
        assert_eq!(refresh.request_uri(), Some("sip:notifier@198.51.100.7"));
    }
}

#[test]
fn a_record_route_of_skype_for_business_is_echoed_character_for_character() {
    let route =
        "<sip:fe01.domain.com:5061;transport=tls;opaque=state:T:F:Ci.R7d0;lr;ms-route-sig=aaBb12=>;tag=\"x, y\"";
    let contact = "sip:user1@domain.com;opaque=user:epid:A1b2C3d4;gruu";
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    pair.reply(&subscribe, 200, &[&format!("Record-Route: {route}"), &format!("Contact: <{contact}>")]);
    assert_eq!(pair.notify(&Notify { extra: Vec::new(), ..Notify::of(&subscribe) }), 200);
    let refresh = pair.refresh(ONE);
    assert_eq!(refresh.header("Route"), Some(route));
    assert_eq!(refresh.request_uri(), Some(contact));
}

#[test]
fn a_strict_router_becomes_the_request_uri_and_the_target_goes_last() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    let headers = ["Record-Route: <sip:far.example;lr>, <sip:strict.example>", "Contact: <sip:n@198.51.100.7>"];
    pair.reply(&subscribe, 200, &headers);
    let refresh = pair.refresh(ONE);
    assert_eq!(refresh.request_uri(), Some("sip:strict.example"));
    assert_eq!(refresh.values("Route").collect::<Vec<_>>(), ["<sip:far.example;lr>", "<sip:n@198.51.100.7>"]);
}

#[test]
fn a_compact_folded_and_spaced_notify_is_read() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    pair.reply(&subscribe, 200, &[]);
    pair.told.clear();
    let (call_id, tag) = (subscribe.call_id(), subscribe.from().unwrap().tag().unwrap());
    pair.receive(&format!(
        "NOTIFY sip:app@192.0.2.1 SIP/2.0\r\nv: SIP / 2.0 / TCP 192.0.2.9 ;\r\n branch = z9hG4bKc\r\n\
         f : \"U, 1\" <sip:user1@domain.com> ; tag = n1\r\nt: <sip:app@domain.com>\r\n\t; tag={tag}\r\ni:{call_id}\r\n\
         CSeq:  9\r\n  NOTIFY\r\no: presence\r\nsubscription-state: active\r\n ; expires = 77\r\n\
         m: <sip:pool.domain.com>\r\nc: application/pidf+xml; charset=UTF-8\r\nl: {}\r\n\r\n{BUSY}",
        BUSY.len()
    ));
    assert_eq!(pair.answered(), 200);
    let SubscriberEffect::Notified { status: Some(status), expires, .. } = pair.tell() else { panic!() };
    assert_eq!((status.availability, expires), (Availability::BUSY, Some(seconds(77))));
}

#[test]
fn the_contact_of_a_notify_is_where_the_next_request_goes() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    let moved = Notify { extra: vec!["Contact: <sip:other@203.0.113.5:5070>".into()], ..notify.next() };
    assert_eq!(pair.notify(&moved), 200);
    assert_eq!(pair.refresh(ONE).request_uri(), Some("sip:other@203.0.113.5:5070"));
}

#[test]
fn a_duplicate_notify_over_udp_is_answered_alike_and_delivered_once() {
    let mut pair = Pair::udp();
    let notify = pair.live().next();
    pair.receive(&notify.text());
    let first = pair.answer();
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { .. }));
    // Its successor comes in between: the copy is still no old NOTIFY.
    assert_eq!(pair.notify(&notify.next()), 200);
    pair.told.clear();
    pair.receive(&notify.text());
    let copy = pair.answer();
    assert_eq!(copy.headers().collect::<Vec<_>>(), first.headers().collect::<Vec<_>>());
    assert_eq!(copy.status(), Some(200));
    pair.quiet();
    assert_eq!(pair.counted, [WireEvent::Duplicate]);
    pair.pass(seconds(32));
    assert_eq!(pair.subscriber.stats().remembered, 0);
}

#[test]
fn answered_requests_are_not_remembered_on_a_reliable_transport() {
    let mut pair = Pair::tcp();
    let mut notify = pair.live();
    for _ in 0..100 {
        notify = notify.next();
        assert_eq!(pair.notify(&notify), 200);
    }
    assert_eq!(pair.subscriber.stats().remembered, 0);
    assert_eq!(pair.notify(&notify), 200, "a copy is still a copy");
    assert_eq!(pair.counted, [WireEvent::Duplicate]);
}

#[test]
fn the_notify_of_another_fork_is_refused_and_the_first_one_stays() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    let fork = Notify { tag: "n2".into(), ..notify.next() };
    assert_eq!(pair.notify(&fork), 481);
    pair.quiet();
    assert_eq!(pair.counted, [WireEvent::Forked]);
    assert_eq!(pair.notify(&notify.next()), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { .. }));
}

#[test]
fn the_first_notifier_stays_when_the_200_is_of_another_fork() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    let early = Notify { tag: "early".into(), ..Notify::of(&subscribe) };
    assert_eq!(pair.notify(&early), 200);
    pair.reply(&subscribe, 200, &["Contact: <sip:wrong.example>", "Record-Route: <sip:wrong.example;lr>"]);
    assert_eq!(pair.notify(&Notify::of(&subscribe)), 481);
    assert_eq!(pair.notify(&early.next()), 200);
    let refresh = pair.refresh(ONE);
    assert_eq!((refresh.to().unwrap().tag(), refresh.request_uri()), (Some("early"), Some("sip:pool.domain.com:5061")));
    assert_eq!(refresh.header("Route"), None);
}

#[test]
fn an_answer_goes_back_on_the_flow_of_its_request() {
    let mut pair = Pair::tcp();
    let notify = pair.live().next();
    pair.receive_on(FlowId(7), &notify.text());
    let (_, flow, answer) = pair.sent.pop_front().unwrap();
    assert_eq!((flow, answer.status()), (FlowId(7), Some(200)));
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { uri, .. } if uri == user()));
}

#[test]
fn a_200_without_a_tag_makes_no_dialog_but_the_notify_does() {
    let accepted = |pair: &mut Pair| {
        let subscribe = pair.subscribe(ONE);
        pair.reply(&subscribe, 204, &["To: <sip:user1@domain.com>"]);
        assert!(matches!(pair.tell(), SubscriberEffect::Accepted { .. }));
        subscribe
    };
    let mut pair = Pair::tcp();
    accepted(&mut pair);
    pair.unsubscribe(ONE);
    pair.silent();
    assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: ONE });
    pair.pass(seconds(4000));
    pair.quiet();
    let mut pair = Pair::tcp();
    let subscribe = accepted(&mut pair);
    assert_eq!(pair.notify(&Notify::of(&subscribe)), 200);
    assert_eq!(pair.refresh(ONE).to().unwrap().tag(), Some("n1"));
}

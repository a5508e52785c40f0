//! Requests of the pool that are no proper NOTIFY.

use presence_sip::{SubscriberEffect, WireEvent};

use crate::notifier::{Notify, ONE, Pair};

fn request(method: &str) -> String {
    format!(
        "{method} sip:app@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKr{method}\r\n\
         From: <sip:pool@domain.com>;tag=1\r\nTo: <sip:app@domain.com>\r\nCall-ID: call\r\nCSeq: 1 {method}\r\n\r\n"
    )
}

#[test]
fn an_options_towards_us_is_answered_with_what_we_can() {
    let mut pair = Pair::tcp();
    pair.receive(&request("OPTIONS"));
    let answer = pair.answer();
    assert_eq!((answer.status(), answer.header("Allow")), (Some(200), Some("NOTIFY, BENOTIFY, OPTIONS")));
    assert_eq!(answer.header("Accept"), Some("application/pidf+xml"));
    assert_eq!(answer.to().unwrap().tag().map(str::len), Some(32));
}

#[test]
fn methods_that_are_not_served_are_refused() {
    let table = [
        ("INVITE", 405),
        ("SUBSCRIBE", 405),
        ("MESSAGE", 405),
        ("REGISTER", 405),
        ("PUBLISH", 405),
        ("SERVICE", 405),
        ("INFO", 405),
        ("NOTIFYX", 501),
        ("REFER", 501),
        ("BYE", 481),
        ("CANCEL", 481),
    ];
    let mut pair = Pair::udp();
    for (method, code) in table {
        pair.receive(&request(method));
        let answer = pair.answer();
        assert_eq!(answer.status(), Some(code), "{method}");
        assert_eq!(answer.header("Allow").is_some(), code != 481, "{method}");
        pair.receive(&request(method));
        assert_eq!(pair.answer().to().unwrap().tag(), answer.to().unwrap().tag(), "{method}: the same answer again");
    }
    pair.receive(&request("ACK"));
    pair.silent();
    pair.quiet();
}

#[test]
fn a_notify_of_no_dialog_is_answered_481() {
    let mut pair = Pair::tcp();
    let notify = pair.live().next();
    let strange = [
        Notify { call_id: "0123".into(), ..notify.clone() },
        Notify { call_id: notify.call_id.to_uppercase() + "0", ..notify.clone() },
        Notify { our_tag: "0123".into(), ..notify.clone() },
        Notify { event: Some("presence;id=7"), ..notify.clone() },
    ];
    for notify in strange {
        assert_eq!(pair.notify(&notify), 481);
    }
    use WireEvent::{Unmatched, WrongTag};
    assert_eq!(pair.counted, [Unmatched, Unmatched, WrongTag, Unmatched]);
    pair.quiet();
}

#[test]
fn a_notify_of_another_event_package_is_answered_489() {
    let mut pair = Pair::tcp();
    let notify = pair.live().next();
    for event in [Some("dialog"), Some("presence.winfo"), None] {
        pair.receive(&Notify { event, ..notify.clone() }.text());
        let answer = pair.answer();
        assert_eq!((answer.status(), answer.header("Allow-Events")), (Some(489), Some("presence")), "{event:?}");
    }
    assert_eq!(pair.counted, [WireEvent::BadEvent; 3]);
    assert_eq!(pair.notify(&notify), 200, "the refused ones have not used up the CSeq");
}

#[test]
fn a_notify_without_a_subscription_state_is_answered_400() {
    let mut pair = Pair::tcp();
    let notify = pair.live().next();
    assert_eq!(pair.notify(&Notify { state: None, ..notify.clone() }), 400);
    assert_eq!(pair.counted, [WireEvent::MissingState]);
    pair.quiet();
    assert_eq!(pair.notify(&notify), 200);
}

#[test]
fn an_unreadable_body_keeps_the_old_value_and_asks_once_for_a_refresh() {
    let mut pair = Pair::tcp();
    let mut notify = pair.live();
    let mut say = |pair: &mut Pair, body: &str, media_type: &'static str| {
        notify = notify.next();
        notify.body = body.into();
        notify.media_type = media_type;
        assert_eq!(pair.notify(&notify), 200);
        assert!(matches!(pair.tell(), SubscriberEffect::Notified { .. }));
    };
    let pidf = "application/pidf+xml";
    say(&mut pair, "<presence", pidf);
    assert!(matches!(pair.tell(), SubscriberEffect::WantsRefresh { attempt: ONE, .. }));
    say(&mut pair, "hello", "text/plain");
    say(&mut pair, "<!DOCTYPE a>", pidf);
    pair.quiet();
    assert_eq!(pair.counted, [WireEvent::UnparsableBody; 3]);
    say(&mut pair, crate::notifier::BUSY, pidf);
    pair.quiet();
    say(&mut pair, "<presence/>", pidf);
    assert!(matches!(pair.tell(), SubscriberEffect::WantsRefresh { .. }));
}

#[test]
fn an_empty_body_is_legal_and_says_nothing() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    let empty = Notify { body: String::new(), ..notify.next() };
    assert_eq!(pair.notify(&empty.state("pending;expires=600")), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { status: None, .. }));
    assert_eq!(pair.notify(&empty.next()), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { status: None, .. }));
    pair.quiet();
    assert_eq!(pair.counted, []);
}

#[test]
fn what_a_document_says_while_the_subscription_is_pending_is_not_believed() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    let mut notify = Notify::of(&subscribe).state("pending;expires=600");
    notify.body = r#"<presence xmlns="urn:ietf:params:xml:ns:pidf"/>"#.into();
    assert_eq!(pair.notify(&notify), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { status: None, .. }));
    assert_eq!(pair.notify(&notify.next().state("active;expires=600")), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { status: Some(_), .. }));
}

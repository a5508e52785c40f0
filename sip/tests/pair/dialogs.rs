//! How a dialog is made, prolonged and ended when everybody behaves.

use presence_core::{Availability, FailureKind};
use presence_sip::{Method, SubscriberEffect};

use crate::notifier::{Notify, ONE, Pair, TWO, seconds, user};

#[test]
fn a_subscription_is_accepted_notified_refreshed_and_ended() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    assert_eq!(subscribe.request_uri(), Some("sip:user1@domain.com"));
    assert_eq!(subscribe.event().unwrap().package, "presence");
    assert_eq!((subscribe.expires(), subscribe.header("Accept")), (Some(seconds(3600)), Some("application/pidf+xml")));
    assert_eq!(subscribe.to().unwrap().tag(), None);
    pair.reply(&subscribe, 200, &["Expires: 1800", "Contact: <sip:pool.domain.com:5061;transport=tls>"]);
    assert_eq!(pair.tell(), SubscriberEffect::Accepted { uri: user(), attempt: ONE, expires: seconds(1800) });
    let notify = Notify::of(&subscribe);
    assert_eq!(pair.notify(&notify), 200);
    let SubscriberEffect::Notified { status: Some(status), expires, .. } = pair.tell() else { panic!() };
    assert_eq!((status.availability, status.activity.as_deref()), (Availability::BUSY, Some("on-the-phone")));
    assert_eq!(expires, Some(seconds(3599)));

    let refresh = pair.refresh(ONE);
    assert_eq!(refresh.request_uri(), Some("sip:pool.domain.com:5061"), "the Contact of the last NOTIFY");
    assert_eq!(refresh.call_id(), subscribe.call_id());
    assert_eq!(refresh.from().unwrap().tag(), subscribe.from().unwrap().tag());
    assert_eq!(refresh.to().unwrap().tag(), Some("n1"));
    assert_eq!(refresh.cseq(), Some((2, "SUBSCRIBE")));
    assert_ne!(refresh.top_via().unwrap().branch(), subscribe.top_via().unwrap().branch());
    pair.reply(&refresh, 200, &["Expires: 3600"]);
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { .. }));
    assert_eq!(pair.notify(&notify.next()), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { .. }));

    pair.unsubscribe(ONE);
    let close = pair.request();
    assert_eq!((close.expires(), close.cseq()), (Some(seconds(0)), Some((3, "SUBSCRIBE"))));
    pair.reply(&close, 200, &["Expires: 0"]);
    pair.quiet();
    assert_eq!(pair.notify(&notify.next().next().state("terminated;reason=timeout")), 200);
    assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: ONE });
    assert_eq!(pair.subscriber.stats().dialogs, 0);
    assert_eq!(pair.subscriber.poll_timeout(), None);
}

#[test]
fn identifiers_have_128_bits_and_are_never_used_twice() {
    let mut pair = Pair::tcp();
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..200 {
        let request = pair.subscribe_to(&crate::notifier::agent(number), ONE);
        let branch = request.top_via().unwrap().branch().unwrap().strip_prefix("z9hG4bK").unwrap().to_owned();
        for text in [request.call_id().to_owned(), request.from().unwrap().tag().unwrap().to_owned(), branch] {
            assert_eq!(text.len(), 32);
            assert!(seen.insert(text));
        }
    }
}

#[test]
fn subscribing_again_refreshes_the_dialog_that_is_there_under_the_new_attempt() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    let again = pair.subscribe(TWO);
    assert_eq!((again.call_id(), again.cseq()), (&*notify.call_id, Some((2, "SUBSCRIBE"))));
    pair.reply(&again, 200, &["Expires: 600"]);
    assert_eq!(pair.tell(), SubscriberEffect::Accepted { uri: user(), attempt: TWO, expires: seconds(600) });
    assert_eq!(pair.notify(&notify.next()), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { attempt: TWO, .. }));
}

#[test]
fn subscribing_again_while_the_first_is_on_its_way_sends_nothing_and_takes_the_new_attempt() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    pair.subscriber.subscribe(pair.now, &user(), TWO);
    pair.drain();
    pair.silent();
    pair.reply(&subscribe, 200, &[]);
    assert_eq!(pair.tell(), SubscriberEffect::Accepted { uri: user(), attempt: TWO, expires: seconds(3600) });
}

#[test]
fn a_refresh_of_an_attempt_without_a_dialog_fails_as_a_dialog() {
    let mut pair = Pair::tcp();
    pair.live();
    pair.subscriber.refresh(pair.now, &user(), TWO);
    pair.drain();
    pair.silent();
    assert_eq!(pair.failure().kind, FailureKind::Dialog);
}

#[test]
fn unsubscribing_before_any_answer_waits_for_one_and_then_ends_the_dialog() {
    for notify_first in [false, true] {
        let mut pair = Pair::tcp();
        let subscribe = pair.subscribe(ONE);
        pair.unsubscribe(ONE);
        pair.silent();
        if notify_first {
            assert_eq!(pair.notify(&Notify::of(&subscribe)), 200);
        } else {
            pair.reply(&subscribe, 200, &["Contact: <sip:pool.domain.com>"]);
        }
        let close = pair.request();
        assert_eq!((close.expires(), close.to().unwrap().tag()), (Some(seconds(0)), Some("n1")));
        pair.quiet();
        let last = Notify::of(&subscribe).next().state("terminated;reason=timeout");
        assert_eq!(pair.notify(&last), 200);
        assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: ONE });
    }
}

#[test]
fn the_final_notify_is_waited_for_ten_seconds_and_not_longer() {
    let mut pair = Pair::tcp();
    pair.live();
    pair.unsubscribe(ONE);
    let close = pair.request();
    pair.reply(&close, 200, &[]);
    pair.pass(seconds(9));
    pair.quiet();
    pair.pass(seconds(1));
    assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: ONE });
    assert_eq!(pair.subscriber.stats().dialogs, 0);
}

#[test]
fn an_agent_that_is_wanted_again_while_its_dialog_ends_gets_a_new_one() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    pair.unsubscribe(ONE);
    let close = pair.request();
    let subscribe = pair.subscribe(TWO);
    assert_ne!(subscribe.call_id(), close.call_id());
    assert_eq!(pair.notify(&notify.next().state("terminated")), 200);
    assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: ONE });
    pair.reply(&subscribe, 200, &[]);
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { attempt: TWO, .. }));
}

#[test]
fn unsubscribing_what_is_not_there_ends_at_once() {
    let mut pair = Pair::tcp();
    pair.unsubscribe(ONE);
    pair.silent();
    assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: ONE });
    pair.live();
    pair.unsubscribe(TWO);
    pair.silent();
    assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: TWO });
    assert_eq!(pair.subscriber.stats().live, 1);
}

#[test]
fn a_forgotten_dialog_is_ended_by_the_answer_to_its_next_notify() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    pair.subscriber.forget(&user());
    pair.drain();
    pair.silent();
    pair.quiet();
    assert_eq!(pair.notify(&notify.next()), 481);
    assert_eq!(pair.subscriber.stats().dialogs, 0);
}

#[test]
fn a_new_address_is_used_by_the_next_request() {
    let mut pair = Pair::tcp();
    pair.live();
    pair.subscriber.set_local("sip:app@192.0.2.77:4000;transport=tcp", "192.0.2.77:4000");
    let refresh = pair.refresh(ONE);
    assert_eq!(refresh.contact().unwrap().uri, "sip:app@192.0.2.77:4000;transport=tcp");
    let via = refresh.top_via().unwrap();
    assert_eq!((via.transport, via.host, via.port), ("TCP", "192.0.2.77", Some(4000)));
    assert_eq!(refresh.method(), Some(&Method::Subscribe));
}

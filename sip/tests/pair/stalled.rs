//! Dialogs that the notifier has accepted and of which nothing is heard.

use presence_core::FailureKind::{Dialog, Endpoint, Forbidden, Transient};
use presence_sip::{Message, SubscriberEffect, WireEvent};

use crate::notifier::{Notify, ONE, Pair, TWO, agent, seconds, user};

const OK: &[&str] = &["Expires: 3600", "Contact: <sip:pool.domain.com:5061>"];

/// The 200 has come, its NOTIFY has not, and timer N is over.
fn stalled(pair: &mut Pair) -> Message {
    let subscribe = pair.subscribe(ONE);
    pair.reply(&subscribe, 200, OK);
    pair.told.clear();
    pair.pass(seconds(32));
    let (attempt, failure, again) = pair.stall();
    assert_eq!((attempt, failure.kind, again), (ONE, Transient, false));
    assert_eq!((pair.subscriber.stats().dialogs, pair.subscriber.stats().live), (1, 0));
    pair.silent();
    subscribe
}

/// This one is sent in the dialog of the other.
#[track_caller]
fn same_dialog(request: &Message, first: &Message, cseq: u32) {
    assert_eq!(request.call_id(), first.call_id());
    assert_eq!(request.from().unwrap().tag(), first.from().unwrap().tag());
    assert_eq!((request.to().unwrap().tag(), request.cseq()), (Some("n1"), Some((cseq, "SUBSCRIBE"))));
}

#[test]
fn without_a_notify_the_attempt_fails_when_timer_n_is_over_and_the_next_one_takes_its_dialog_over() {
    let mut pair = Pair::tcp();
    let first = stalled(&mut pair);
    pair.pass(seconds(15));
    let refresh = pair.subscribe(TWO);
    same_dialog(&refresh, &first, 2);
    pair.reply(&refresh, 200, OK);
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { attempt: TWO, .. }));
    assert_eq!(pair.notify(&Notify::of(&first)), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { attempt: TWO, status: Some(_), .. }));
    pair.pass(seconds(60));
    pair.quiet();
    assert_eq!((pair.subscriber.stats().dialogs, pair.subscriber.stats().live), (1, 1));
}

#[test]
fn timer_n_runs_after_a_refresh_too_and_its_dialog_is_kept() {
    let mut pair = Pair::tcp();
    let before = pair.live();
    let refresh = pair.refresh(ONE);
    pair.reply(&refresh, 200, OK);
    pair.told.clear();
    pair.pass(seconds(32));
    let (attempt, failure, again) = pair.stall();
    assert_eq!((attempt, failure.kind, again), (ONE, Transient, false));
    let again = pair.subscribe(TWO);
    assert_eq!((again.call_id(), again.cseq()), (&*before.call_id, Some((3, "SUBSCRIBE"))));
}

#[test]
fn a_late_notify_of_a_stalled_dialog_is_taken() {
    let mut pair = Pair::tcp();
    let first = stalled(&mut pair);
    assert_eq!(pair.notify(&Notify::of(&first)), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { attempt: ONE, status: Some(_), .. }));
    assert_eq!(pair.subscriber.stats().live, 1);
    let refresh = pair.refresh(ONE);
    same_dialog(&refresh, &first, 2);
    pair.reply(&refresh, 200, OK);
    pair.told.clear();
    pair.pass(seconds(32));
    assert!(!pair.stall().2, "it has spoken since it stalled");
}

#[test]
fn a_dialog_that_stalls_again_is_to_be_ended() {
    let mut pair = Pair::tcp();
    let first = stalled(&mut pair);
    let refresh = pair.subscribe(TWO);
    pair.reply(&refresh, 200, OK);
    pair.told.clear();
    pair.pass(seconds(32));
    let (attempt, _, again) = pair.stall();
    assert_eq!((attempt, again), (TWO, true));
    pair.unsubscribe(TWO);
    let close = pair.request();
    same_dialog(&close, &first, 3);
    assert_eq!(close.header("Expires"), Some("0"));
}

#[test]
fn a_stalled_dialog_that_is_not_wanted_any_more_is_ended_at_the_notifier() {
    let mut pair = Pair::tcp();
    let first = stalled(&mut pair);
    pair.unsubscribe(ONE);
    let close = pair.request();
    same_dialog(&close, &first, 2);
    assert_eq!(close.header("Expires"), Some("0"));
    pair.reply(&close, 200, &[]);
    assert_eq!(pair.notify(&Notify::of(&first).state("terminated;reason=timeout")), 200);
    assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: ONE });
    assert_eq!(pair.subscriber.stats().dialogs, 0);
}

#[test]
fn a_server_that_does_not_know_the_stalled_dialog_any_more_costs_the_agent_nothing() {
    let mut pair = Pair::tcp();
    let first = stalled(&mut pair);
    let refresh = pair.subscribe(TWO);
    pair.reply(&refresh, 481, &[]);
    assert_eq!(pair.failure().kind, Dialog, "subscribed anew at once");
    let anew = pair.subscribe(TWO);
    assert_ne!(anew.call_id(), first.call_id());
    assert_eq!(anew.to().unwrap().tag(), None);
}

#[test]
fn one_stalled_dialog_that_is_forgotten_says_nothing_of_the_others() {
    let mut pair = Pair::tcp();
    let mut firsts = Vec::new();
    for number in 1..=2 {
        let subscribe = pair.subscribe_to(&agent(number), ONE);
        pair.reply(&subscribe, 200, OK);
        firsts.push(subscribe);
    }
    pair.pass(seconds(32));
    pair.told.clear();
    let refresh = pair.subscribe_to(&agent(1), TWO);
    pair.reply(&refresh, 481, &[]);
    same_dialog(&pair.subscribe_to(&agent(2), TWO), &firsts[1], 2);
}

#[test]
fn a_stalled_dialog_is_kept_until_it_expires_and_no_longer() {
    let mut pair = Pair::tcp();
    let first = stalled(&mut pair);
    pair.pass(seconds(3_600 - 33));
    pair.quiet();
    pair.pass(seconds(1));
    assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: ONE });
    assert_eq!((pair.subscriber.stats().dialogs, pair.subscriber.poll_timeout()), (0, None));
    assert_eq!(pair.notify(&Notify::of(&first)), 481);
}

#[test]
fn the_notifiers_last_word_about_a_stalled_dialog_is_its_end() {
    let mut pair = Pair::tcp();
    let first = stalled(&mut pair);
    assert_eq!(pair.notify(&Notify::of(&first).state("terminated;reason=timeout")), 200);
    assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: ONE });
    assert_eq!(pair.subscriber.stats().dialogs, 0);
}

#[test]
fn a_stranger_does_not_rouse_a_stalled_dialog() {
    let mut pair = Pair::tcp();
    let first = stalled(&mut pair);
    assert_eq!(pair.notify(&Notify { tag: "n2".into(), ..Notify::of(&first) }), 481);
    assert_eq!(pair.notify(&Notify { our_tag: "none".into(), ..Notify::of(&first) }), 481);
    pair.quiet();
    assert_eq!(pair.counted, [WireEvent::Forked, WireEvent::WrongTag]);
}

#[test]
fn a_lost_connection_leaves_a_stalled_dialog_for_the_next_attempt() {
    let mut pair = Pair::tcp();
    let first = stalled(&mut pair);
    pair.lose_transport();
    pair.quiet();
    let refresh = pair.subscribe(TWO);
    same_dialog(&refresh, &first, 2);
    pair.reply(&refresh, 503, &[]);
    pair.told.clear();
    same_dialog(&pair.subscribe(TWO), &first, 3);
}

#[test]
fn a_notifier_that_never_gave_a_tag_has_no_dialog_that_could_be_kept() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    let to = format!("To: {}", subscribe.header("To").unwrap());
    pair.reply(&subscribe, 200, &[&to]);
    pair.told.clear();
    pair.pass(seconds(32));
    assert_eq!(pair.failure().kind, Transient);
    assert_eq!(pair.subscriber.stats().dialogs, 0);
}

#[test]
fn a_refusal_of_a_refresh_that_does_not_end_the_subscription_leaves_the_dialog() {
    for (code, kind) in [(400, Transient), (403, Forbidden), (500, Transient), (504, Transient), (603, Forbidden)] {
        let mut pair = Pair::tcp();
        let before = pair.live();
        let refresh = pair.refresh(ONE);
        pair.reply(&refresh, code, &[]);
        let (attempt, failure, again) = pair.stall();
        assert_eq!((attempt, failure.kind, failure.code, again), (ONE, kind, Some(code), false), "{code}");
        assert_eq!(pair.notify(&before.next()), 200, "it notifies all the same");
        assert!(matches!(pair.tell(), SubscriberEffect::Notified { attempt: ONE, .. }), "{code}");
        let again = pair.subscribe(TWO);
        assert_eq!(again.call_id(), &*before.call_id, "{code}");
    }
}

#[test]
fn taking_a_stalled_dialog_over_may_fail_for_the_endpoint_and_is_done_again() {
    let mut pair = Pair::tcp();
    let first = stalled(&mut pair);
    let refresh = pair.subscribe(TWO);
    pair.reply(&refresh, 503, &["Retry-After: 5"]);
    assert!(matches!(pair.tell(), SubscriberEffect::Overloaded { .. }));
    assert_eq!(pair.failure().kind, Endpoint);
    same_dialog(&pair.subscribe(TWO), &first, 3);
}

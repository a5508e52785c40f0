//! How long a subscription lasts, by whose word.

use presence_core::FailureKind;
use presence_sip::SubscriberEffect;

use crate::notifier::{Notify, ONE, Pair, TWO, seconds, user};

#[test]
fn the_200_may_only_shorten_what_was_asked_for() {
    for (header, expires) in [("Expires: 600", 600), ("Expires: 7200", 3600), ("X: y", 3600)] {
        let mut pair = Pair::tcp();
        let subscribe = pair.subscribe(ONE);
        pair.reply(&subscribe, 200, &[header]);
        let expected = SubscriberEffect::Accepted { uri: user(), attempt: ONE, expires: seconds(expires) };
        assert_eq!(pair.tell(), expected, "{header}");
    }
}

#[test]
fn a_subscription_that_is_accepted_for_no_time_is_a_failure() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    pair.reply(&subscribe, 200, &["Expires: 0"]);
    assert_eq!(pair.failure().kind, FailureKind::Transient);
    assert_eq!(pair.subscriber.stats().dialogs, 0);
}

#[test]
fn the_early_notify_knows_better_than_the_200() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    assert_eq!(pair.notify(&Notify::of(&subscribe).state("active;expires=120")), 200);
    pair.told.clear();
    pair.reply(&subscribe, 200, &["Expires: 3600"]);
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { expires, .. } if expires == seconds(120)));
    pair.pass(seconds(119));
    pair.quiet();
    pair.pass(seconds(1));
    assert_eq!(pair.failure().kind, FailureKind::Dialog);
}

#[test]
fn a_subscription_that_is_not_refreshed_expires() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    assert_eq!(pair.notify(&notify.next().state("active;expires=50")), 200);
    pair.told.clear();
    pair.pass(seconds(50));
    assert_eq!(pair.failure().kind, FailureKind::Dialog);
    assert_eq!(pair.subscriber.stats().dialogs, 0);
    assert_eq!(pair.subscriber.poll_timeout(), None);
}

#[test]
fn a_dialog_that_has_run_out_is_not_refreshed_but_made_anew() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    // The caller's own clock is first: the deadline has come, but nobody has called.
    pair.now += seconds(3600);
    let anew = pair.subscribe(TWO);
    assert_ne!(anew.call_id(), notify.call_id);
    assert_eq!(pair.subscriber.stats().dialogs, 1);
}

#[test]
fn a_refresh_on_its_way_keeps_the_dialog_over_its_end() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    assert_eq!(pair.notify(&notify.next().state("active;expires=10")), 200);
    pair.told.clear();
    pair.pass(seconds(9));
    let refresh = pair.refresh(ONE);
    pair.pass(seconds(5));
    pair.quiet();
    pair.reply(&refresh, 200, &["Expires: 3600"]);
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { .. }));
    assert_eq!(pair.notify(&notify.next().next()), 200);
}

#[test]
fn every_notify_sets_the_end_anew() {
    let mut pair = Pair::tcp();
    let mut notify = pair.live();
    for _ in 0..50 {
        notify = notify.next().state("active;expires=100");
        assert_eq!(pair.notify(&notify), 200);
        pair.pass(seconds(90));
    }
    pair.told.retain(|told| !matches!(told, SubscriberEffect::Notified { .. }));
    pair.quiet();
    pair.pass(seconds(10));
    assert_eq!(pair.failure().kind, FailureKind::Dialog);
}

//! Every row of the failure table (design facts E) that concerns this dialect, as the subscriber reports it.

use presence_core::FailureKind::{self, Dialog, Endpoint, Forbidden, Invariant, NotFound, Transient};
use presence_sip::{SubscriberEffect, WireEvent};

use crate::notifier::{Notify, ONE, Pair, TWO, agent, seconds, user};

#[test]
fn a_refused_subscribe_has_the_owner_that_the_table_says() {
    let table: [(u16, &[&str], FailureKind); 20] = [
        (403, &[], Forbidden),
        (603, &[], Forbidden),
        (404, &[], NotFound),
        (410, &[], NotFound),
        (604, &[], NotFound),
        (480, &[], Transient),
        (504, &[], Transient),
        (408, &[], Transient),
        (500, &[], Transient),
        (486, &[], Transient),
        (481, &[], Dialog),
        (405, &[], Endpoint),
        (489, &[], Endpoint),
        (501, &[], Endpoint),
        (503, &[], Endpoint),
        (302, &[], Endpoint),
        (480, &["ms-diagnostics: 1003;reason=\"User does not exist\""], NotFound),
        (403, &["ms-diagnostics: 2004;reason=\"not authorized\""], Forbidden),
        (500, &["ms-diagnostics: 2014"], Dialog),
        (504, &["ms-diagnostics: 1007"], Transient),
    ];
    for (code, extra, kind) in table {
        let mut pair = Pair::tcp();
        let subscribe = pair.subscribe(ONE);
        pair.reply(&subscribe, code, extra);
        pair.told.retain(|told| matches!(told, SubscriberEffect::Failed { .. }));
        let failure = pair.failure();
        assert_eq!((failure.kind, failure.code), (kind, Some(code)), "{code} {extra:?}");
        assert_eq!(pair.subscriber.stats().dialogs, 0);
        pair.silent();
        assert_eq!(pair.notify(&Notify::of(&subscribe)), 481, "there is no dialog any more");
    }
}

#[test]
fn retry_after_is_told_with_every_refusal_that_has_one() {
    for code in [404, 413, 480, 486, 500, 600, 603] {
        let mut pair = Pair::tcp();
        let subscribe = pair.subscribe(ONE);
        pair.reply(&subscribe, code, &["Retry-After: 120 (maintenance);duration=3600"]);
        assert_eq!(pair.failure().retry_after, Some(seconds(120)), "{code}");
    }
}

#[test]
fn a_503_pauses_the_whole_pool() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    pair.reply(&subscribe, 503, &["Retry-After: 17"]);
    assert_eq!(pair.tell(), SubscriberEffect::Overloaded { retry_after: Some(seconds(17)) });
    assert_eq!(pair.failure().kind, Endpoint);
}

#[test]
fn a_503_to_a_refresh_leaves_the_dialog_for_the_next_one() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    let refresh = pair.refresh(ONE);
    pair.reply(&refresh, 503, &[]);
    assert_eq!(pair.tell(), SubscriberEffect::Overloaded { retry_after: None });
    assert_eq!(pair.failure().kind, Endpoint);
    let again = pair.subscribe(TWO);
    assert_eq!((again.call_id(), again.to().unwrap().tag()), (&*notify.call_id, Some("n1")));
}

#[test]
fn an_unknown_event_is_an_alarm_only_while_nothing_is_active() {
    for code in [405, 489, 501] {
        let mut pair = Pair::tcp();
        let subscribe = pair.subscribe(ONE);
        pair.reply(&subscribe, code, &[]);
        assert!(matches!(pair.tell(), SubscriberEffect::Unsupported(failure) if failure.code == Some(code)));
        assert_eq!(pair.failure().code, Some(code));
        pair.live();
        let other = pair.subscribe_to(&agent(2), ONE);
        pair.reply(&other, code, &[]);
        assert_eq!(pair.failure().code, Some(code));
        pair.quiet();
    }
}

#[test]
fn the_refusals_of_a_refresh_that_end_the_dialog_end_it() {
    for (code, kind) in [
        (404, NotFound),
        (405, Endpoint),
        (408, Dialog),
        (410, NotFound),
        (416, Transient),
        (480, Transient),
        (481, Dialog),
        (482, Transient),
        (483, Transient),
        (484, NotFound),
        (485, NotFound),
        (489, Endpoint),
        (501, Endpoint),
        (604, NotFound),
    ] {
        let mut pair = Pair::tcp();
        let notify = pair.live();
        let refresh = pair.refresh(ONE);
        pair.reply(&refresh, code, &[]);
        pair.told.retain(|told| matches!(told, SubscriberEffect::Failed { .. }));
        assert_eq!(pair.failure().kind, kind, "{code}");
        assert_eq!(pair.notify(&notify.next()), 481, "{code}");
        let anew = pair.subscribe(TWO);
        assert_ne!(anew.call_id(), notify.call_id, "{code}");
        assert_ne!(anew.from().unwrap().tag(), Some(&*notify.our_tag), "{code}");
        assert_eq!((anew.to().unwrap().tag(), anew.cseq()), (None, Some((1, "SUBSCRIBE"))), "{code}");
    }
}

#[test]
fn each_reason_of_a_termination_has_its_owner() {
    let table = [
        ("terminated;reason=deactivated", Dialog, None),
        ("terminated;reason=timeout", Dialog, None),
        ("terminated;reason=probation;retry-after=30", Transient, Some(30)),
        ("terminated;reason=giveup;retry-after=60", Transient, Some(60)),
        ("terminated;reason=giveup", Transient, None),
        ("terminated;reason=rejected", Forbidden, None),
        ("terminated;reason=noresource", NotFound, None),
        ("terminated;reason=invariant", Invariant, None),
        ("terminated;reason=badfilter", Transient, None),
        ("terminated;reason=meteorite", Transient, None),
        ("terminated;retry-after=5", Transient, Some(5)),
        ("Terminated ; Reason = Rejected", Forbidden, None),
    ];
    for (state, kind, retry_after) in table {
        let mut pair = Pair::tcp();
        let notify = pair.live().next();
        assert_eq!(pair.notify(&Notify { body: String::new(), ..notify.state(state) }), 200, "{state}");
        let failure = pair.failure();
        assert_eq!((failure.kind, failure.retry_after), (kind, retry_after.map(seconds)), "{state}");
        assert_eq!(pair.subscriber.stats().dialogs, 0, "{state}");
        assert_eq!(pair.notify(&notify.next()), 481, "{state}");
    }
}

#[test]
fn a_termination_may_overtake_the_200() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    assert_eq!(pair.notify(&Notify::of(&subscribe).state("terminated;reason=rejected")), 200);
    assert_eq!(pair.failure().kind, Forbidden);
    pair.reply(&subscribe, 200, &[]);
    pair.quiet();
    assert_eq!(pair.counted, [WireEvent::StrayResponse]);
}

#[test]
fn an_invariant_presence_is_told_before_the_end() {
    let mut pair = Pair::tcp();
    let notify = pair.live().next();
    assert_eq!(pair.notify(&notify.state("terminated;reason=invariant")), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { status: Some(_), .. }));
    assert_eq!(pair.failure().kind, Invariant);
}

#[test]
fn a_204_says_that_no_notify_follows() {
    let mut pair = Pair::tcp();
    pair.live();
    let refresh = pair.refresh(ONE);
    pair.reply(&refresh, 204, &["Expires: 3600"]);
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { .. }));
    pair.pass(seconds(3000));
    pair.quiet();
}

#[test]
fn after_a_lost_connection_the_dialogs_are_refreshed_and_not_made_anew() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    pair.lose_transport();
    pair.quiet();
    assert_eq!((pair.subscriber.stats().dialogs, pair.subscriber.stats().live), (1, 0));
    let refresh = pair.subscribe(TWO);
    assert_eq!((refresh.call_id(), refresh.cseq()), (&*notify.call_id, Some((2, "SUBSCRIBE"))));
    pair.reply(&refresh, 200, &[]);
    assert_eq!(pair.tell(), SubscriberEffect::Adopted { uri: user(), attempt: TWO });
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { attempt: TWO, .. }));
    assert_eq!(pair.subscriber.stats().live, 1);
    let again = pair.refresh(TWO);
    pair.reply(&again, 200, &[]);
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { .. }), "it is adopted once");
}

#[test]
fn a_dialog_that_was_notified_after_the_loss_is_adopted_by_its_refresh_all_the_same() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    pair.lose_transport();
    assert_eq!(pair.notify(&notify.next()), 200);
    pair.told.clear();
    let refresh = pair.subscribe(TWO);
    pair.reply(&refresh, 200, &[]);
    assert_eq!(pair.tell(), SubscriberEffect::Adopted { uri: user(), attempt: TWO });
}

#[test]
fn what_was_on_its_way_when_the_connection_was_lost_is_the_failure_of_the_endpoint() {
    let mut pair = Pair::tcp();
    pair.live();
    pair.refresh(ONE);
    pair.subscribe_to(&agent(2), ONE);
    pair.lose_transport();
    assert_eq!((pair.failure().kind, pair.failure().kind), (Endpoint, Endpoint));
    pair.quiet();
    pair.pass(seconds(100));
    pair.quiet();
    assert_eq!(pair.subscriber.stats().dialogs, 1, "the refreshed one is kept, the new one never was");
}

#[test]
fn an_ended_subscription_is_over_when_the_connection_is_lost() {
    let mut pair = Pair::tcp();
    pair.live();
    pair.unsubscribe(ONE);
    pair.lose_transport();
    assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: ONE });
}

#[test]
fn a_pool_that_has_forgotten_one_doubtful_dialog_has_forgotten_all() {
    let mut pair = Pair::tcp();
    let old: Vec<Notify> = (1..=4)
        .map(|number| {
            let subscribe = pair.subscribe_to(&agent(number), ONE);
            pair.reply(&subscribe, 200, &[]);
            let notify = Notify::of(&subscribe);
            assert_eq!(pair.notify(&notify), 200);
            notify
        })
        .collect();
    pair.lose_transport();
    assert_eq!(pair.notify(&old[3].next()), 200, "the fourth is known to live");
    pair.told.clear();
    let first = pair.subscribe_to(&agent(1), TWO);
    let second = pair.subscribe_to(&agent(2), TWO);
    pair.reply(&first, 481, &[]);
    assert_eq!(pair.failure().kind, Dialog);
    let third = pair.subscribe_to(&agent(3), TWO);
    assert_ne!(third.call_id(), old[2].call_id, "not asked for in vain");
    pair.reply(&second, 481, &[]);
    assert_eq!(pair.failure().kind, Dialog);
    let fourth = pair.subscribe_to(&agent(4), TWO);
    assert_eq!(fourth.call_id(), old[3].call_id);
}

#[test]
fn a_refused_unsubscription_is_an_end_as_well() {
    for code in [403, 481, 500, 503] {
        let mut pair = Pair::tcp();
        pair.live();
        pair.unsubscribe(ONE);
        let close = pair.request();
        pair.reply(&close, code, &[]);
        pair.told.retain(|told| !matches!(told, SubscriberEffect::Overloaded { .. }));
        assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: ONE }, "{code}");
        pair.quiet();
    }
}

/// Found by the fuzzer: the refresh failed at once, and once more with the verdict.
#[test]
fn a_refresh_while_the_pool_is_asked_whose_fault_the_silence_was_waits_for_the_verdict() {
    let mut pair = Pair::tcp();
    pair.live();
    pair.refresh(ONE);
    pair.pass(seconds(33));
    let options = pair.request();
    assert_eq!(pair.tell(), SubscriberEffect::Congested);
    pair.subscriber.refresh(pair.now, &user(), ONE);
    pair.drain();
    pair.quiet();
    pair.silent();
    pair.reply(&options, 200, &[]);
    assert_eq!(pair.tell(), SubscriberEffect::ProbeAnswered);
    assert_eq!(pair.failure().kind, Dialog);
    pair.quiet();
}

/// Found by the fuzzer: the attempt failed at the refresh, and once more when no NOTIFY had followed.
#[test]
fn a_dialog_without_a_tag_is_over_when_it_cannot_be_refreshed() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    let to = format!("To: {}", subscribe.header("To").unwrap());
    pair.reply(&subscribe, 200, &[&to, "Expires: 3600"]);
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { .. }));
    pair.subscriber.refresh(pair.now, &user(), ONE);
    pair.drain();
    assert_eq!(pair.failure().kind, Dialog);
    pair.pass(seconds(3_700));
    pair.quiet();
    assert_eq!(pair.subscriber.stats().dialogs, 0);
}

//! Agents whose own server takes no more watchers: RLMI `terminated`, 413, 2012 (facts B.3, B.5).

use presence_core::FailureKind;
use presence_sip::{Dialect, Message, SubscriberEffect};

use crate::pool::{FLUSH, ONE, Pool, agent, ended, joined, listed, multipart, seconds, state, wants};

const QUOTA: &str = "state=\"terminated\" reason=\"quotaExceeded\" statusCode=\"413\" msDiagCode=\"2012\"";

/// Agent 1 is polled, agent 2 is a member; the home SUBSCRIBE and the first question.
fn polled() -> (Pool, Message, Message) {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    pool.subscribe(&agent(2), ONE);
    let home = pool.flushed();
    pool.accept(&home, &[(&agent(1), QUOTA)], &[]);
    assert_eq!((pool.tell(), pool.tell()), (joined(&agent(1), ONE), wants(&agent(1), ONE)));
    assert_eq!(pool.tell(), joined(&agent(2), ONE));
    pool.refresh(&agent(1), ONE);
    let question = pool.flushed();
    (pool, home, question)
}

fn answered(pool: &mut Pool, question: &Message) {
    pool.accept(question, &[], &[state(agent(1).as_str(), 6_500)]);
    assert_eq!(pool.tell(), joined(&agent(1), ONE));
    assert!(matches!(pool.tell(), SubscriberEffect::Notified { status: Some(_), .. }));
    pool.quiet();
}

#[test]
fn a_full_quota_is_polled_every_300_seconds_with_expires_0() {
    let (mut pool, home, question) = polled();
    assert_eq!(question.expires(), Some(seconds(0)));
    assert_eq!(question.request_uri(), Some("sip:app@domain.com"));
    assert_ne!(question.call_id(), home.call_id());
    assert_eq!(listed(&question, "subscribe"), ["sip:agent1@domain.com"]);
    answered(&mut pool, &question);
    pool.pass(seconds(299));
    pool.quiet();
    pool.pass(seconds(1));
    assert_eq!(pool.tell(), wants(&agent(1), ONE));
    pool.refresh(&agent(1), ONE);
    let next = pool.flushed();
    assert_eq!(next.expires(), Some(seconds(0)));
    assert_ne!(next.call_id(), question.call_id());
}

#[test]
fn who_is_polled_is_not_asked_for_beside_that() {
    let (mut pool, _, question) = polled();
    answered(&mut pool, &question);
    pool.subject.query(pool.now, &agent(1), ONE);
    pool.subject.query(pool.now, &agent(2), ONE);
    pool.drain();
    assert_eq!(pool.tell(), SubscriberEffect::NotQueried { uri: agent(1), attempt: ONE });
    assert_eq!(listed(&pool.flushed(), "subscribe"), ["sip:agent2@domain.com"]);
    pool.quiet();
}

#[test]
fn every_sixth_time_a_subscription_is_tried_and_ends_the_polling_when_the_quota_is_free() {
    for free in [true, false] {
        let (mut pool, home, mut question) = polled();
        for round in 0..5 {
            assert_eq!(question.expires(), Some(seconds(0)), "{round}");
            answered(&mut pool, &question);
            pool.pass(seconds(300));
            assert_eq!(pool.tell(), wants(&agent(1), ONE));
            pool.refresh(&agent(1), ONE);
            question = pool.flushed();
        }
        assert_eq!((question.expires(), question.call_id()), (None, home.call_id()));
        if free {
            pool.accept(&question, &[], &[state(agent(1).as_str(), 3_500)]);
            assert_eq!(pool.tell(), joined(&agent(1), ONE));
            pool.told.clear();
            pool.pass(seconds(2_000));
            pool.quiet();
            pool.benotify(&home, state(agent(1).as_str(), 15_500));
            assert!(matches!(pool.tell(), SubscriberEffect::Notified { .. }));
        } else {
            pool.accept(&question, &[(&agent(1), QUOTA)], &[]);
            assert_eq!((pool.tell(), pool.tell()), (joined(&agent(1), ONE), wants(&agent(1), ONE)));
            pool.refresh(&agent(1), ONE);
            assert_eq!(pool.flushed().expires(), Some(seconds(0)));
        }
    }
}

#[test]
fn the_answer_to_a_question_may_come_as_a_notify() {
    let (mut pool, _, question) = polled();
    pool.answer(&question, 200, &["Expires: 0"]);
    assert_eq!(pool.tell(), joined(&agent(1), ONE));
    let body = multipart(&[], &[state(agent(1).as_str(), 9_500)]);
    let head = "subscription-state: terminated;reason=timeout";
    pool.receive(&crate::pool::notification("NOTIFY", &question, 1, head, Some(body)));
    assert_eq!(pool.request_or_answer(), Some(200));
    assert!(matches!(pool.tell(), SubscriberEffect::Notified { status: Some(_), .. }));
    assert_eq!(Dialect::stats(&pool.subject).dialogs, 1);
}

#[test]
fn the_quota_may_be_told_in_a_notification_and_without_a_diagnosis() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    let row = "state=\"terminated\" reason=\"quotaExceeded\" statusCode=\"413\"";
    pool.notify("BENOTIFY", &home, "subscription-state: active", Some(multipart(&[(&agent(1), row)], &[])));
    assert_eq!((pool.tell(), pool.tell()), (joined(&agent(1), ONE), wants(&agent(1), ONE)));
}

#[test]
fn who_is_polled_is_let_go_without_a_message() {
    let (mut pool, _, question) = polled();
    answered(&mut pool, &question);
    pool.unsubscribe(&agent(1), ONE);
    assert_eq!(pool.tell(), ended(&agent(1), ONE));
    pool.pass(FLUSH);
    pool.silent();
    pool.pass(seconds(600));
    pool.quiet();
}

#[test]
fn a_question_that_is_refused_blames_nobody_and_is_held_back() {
    let (mut pool, _, question) = polled();
    pool.answer(&question, 480, &[]);
    assert_eq!(pool.failure().kind, FailureKind::Endpoint);
    pool.subscribe(&agent(3), ONE);
    pool.pass(seconds(4));
    pool.silent();
    pool.pass(seconds(3));
    assert_eq!(listed(&pool.request(), "subscribe"), ["sip:agent3@domain.com"]);
}

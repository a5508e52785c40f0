//! Attempts: how they end, and how one takes another's place.

use presence_core::{Attempt, FailureKind};
use presence_sip::SubscriberEffect;

use crate::pool::{FLUSH, ONE, Pool, TWO, agent, ended, joined, listed};

#[test]
fn an_attempt_that_finds_the_agent_subscribed_takes_it_over() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    pool.subscribe(&agent(1), TWO);
    let message = pool.flushed();
    assert_eq!((message.call_id(), listed(&message, "subscribe").len()), (home.call_id(), 1));
    pool.accept_all(&message);
    assert_eq!(pool.tell(), joined(&agent(1), TWO));
    assert!(matches!(pool.tell(), SubscriberEffect::Notified { attempt: TWO, .. }));
    pool.unsubscribe(&agent(1), ONE);
    assert_eq!(pool.tell(), ended(&agent(1), ONE), "the old one is no business of ours any more");
    pool.pass(FLUSH);
    pool.silent();
}

#[test]
fn an_attempt_takes_over_what_is_waiting_or_on_its_way() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    pool.subscribe(&agent(1), TWO);
    let message = pool.flushed();
    assert_eq!(listed(&message, "subscribe").len(), 1);
    pool.subscribe(&agent(1), Attempt(3));
    pool.accept_all(&message);
    assert_eq!(pool.tell(), joined(&agent(1), Attempt(3)));
    pool.pass(FLUSH);
    pool.silent();
}

#[test]
fn an_agent_that_is_let_go_while_it_waits_never_goes_out() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    pool.unsubscribe(&agent(1), ONE);
    assert_eq!(pool.tell(), ended(&agent(1), ONE));
    pool.pass(FLUSH);
    pool.silent();
}

#[test]
fn an_agent_that_is_let_go_while_it_is_asked_for_is_let_go_after_the_answer() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let message = pool.flushed();
    pool.unsubscribe(&agent(1), ONE);
    pool.quiet();
    pool.accept_all(&message);
    pool.quiet();
    let end = pool.flushed();
    assert_eq!(listed(&end, "unsubscribe"), ["sip:agent1@domain.com"]);
    pool.accept_all(&end);
    assert_eq!(pool.tell(), ended(&agent(1), ONE));
}

#[test]
fn an_agent_that_is_let_go_and_refused_is_just_ended() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let message = pool.flushed();
    pool.unsubscribe(&agent(1), ONE);
    pool.answer(&message, 480, &[]);
    assert_eq!(pool.tell(), ended(&agent(1), ONE));
    pool.quiet();
}

#[test]
fn an_agent_that_is_wanted_again_before_it_was_let_go_stays() {
    let (mut pool, _) = Pool::live(15, &[agent(1)]);
    pool.unsubscribe(&agent(1), ONE);
    pool.subscribe(&agent(1), TWO);
    assert_eq!(pool.tell(), ended(&agent(1), ONE));
    let message = pool.flushed();
    assert_eq!((listed(&message, "subscribe").len(), listed(&message, "unsubscribe").len()), (1, 0));
    pool.accept_all(&message);
    assert_eq!(pool.tell(), joined(&agent(1), TWO));
}

#[test]
fn an_agent_that_is_wanted_again_while_it_is_let_go_comes_back() {
    let (mut pool, _) = Pool::live(15, &[agent(1)]);
    pool.unsubscribe(&agent(1), ONE);
    let message = pool.flushed();
    pool.subscribe(&agent(1), TWO);
    assert_eq!(pool.tell(), ended(&agent(1), ONE));
    pool.accept_all(&message);
    pool.quiet();
    let back = pool.flushed();
    assert_eq!(listed(&back, "subscribe"), ["sip:agent1@domain.com"]);
    pool.accept_all(&back);
    assert_eq!(pool.tell(), joined(&agent(1), TWO));
}

#[test]
fn what_is_not_there_cannot_be_refreshed_and_is_ended_at_once() {
    let mut pool = Pool::registered(15);
    pool.refresh(&agent(1), ONE);
    assert_eq!(pool.failure().kind, FailureKind::Dialog);
    pool.unsubscribe(&agent(1), ONE);
    assert_eq!(pool.tell(), ended(&agent(1), ONE));
}

#[test]
fn a_document_of_an_agent_that_is_being_let_go_says_nothing() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    pool.unsubscribe(&agent(1), ONE);
    pool.benotify(&home, crate::pool::state(agent(1).as_str(), 3_500));
    pool.quiet();
    assert_eq!(pool.counted, []);
}

//! When agents go out, and how many in one message.

use std::collections::BTreeSet;
use std::time::Duration;

use presence_sip::SubscriberEffect;

use crate::pool::{FLUSH, ONE, Pool, TWO, agent, carried, joined, listed, seconds, wants};

#[test]
fn ten_thousand_agents_go_in_25_messages_at_most_and_none_twice() {
    let mut pool = Pool::registered(100_000);
    (0..10_000).for_each(|number| pool.subscribe(&agent(number), ONE));
    pool.pass(FLUSH);
    let (mut messages, mut seen) = (0, BTreeSet::new());
    while let Some(message) = pool.sent.pop_front() {
        messages += 1;
        assert!(carried(&message) <= 500);
        for uri in listed(&message, "subscribe") {
            assert!(seen.insert(uri));
        }
        assert!(pool.sent.is_empty(), "one at a time in a dialog");
        pool.accept_all(&message);
    }
    assert_eq!((messages, seen.len()), (20, 10_000));
    let joined = pool.told.iter().filter(|told| matches!(told, SubscriberEffect::Joined { .. })).count();
    assert_eq!(joined, 10_000);
    assert_eq!(presence_sip::Dialect::stats(&pool.subject).dialogs, 1);
}

#[test]
fn at_15_a_second_no_second_sees_more_than_15() {
    let mut pool = Pool::registered(15);
    (0..40).for_each(|number| pool.subscribe(&agent(number), ONE));
    let mut counts = Vec::new();
    for _ in 0..5 {
        pool.pass(FLUSH);
        let mut count = 0;
        while let Some(message) = pool.sent.pop_front() {
            count += carried(&message);
            pool.accept_all(&message);
        }
        counts.push(count);
    }
    assert_eq!(counts, [15, 15, 10, 0, 0]);
}

#[test]
fn what_comes_within_a_period_goes_in_one_message() {
    let mut pool = Pool::registered(15);
    for number in 0..5 {
        pool.subscribe(&agent(number), ONE);
        pool.pass(Duration::from_millis(100));
    }
    pool.silent();
    let message = pool.flushed();
    assert_eq!(carried(&message), 5);
    pool.silent();
}

#[test]
fn a_flush_that_came_late_leaves_no_second_with_more_than_the_rate() {
    let mut pool = Pool::registered(2);
    (0..4).for_each(|number| pool.subscribe(&agent(number), ONE));
    // The timer of the first moment comes 300 ms late.
    pool.now += FLUSH + Duration::from_millis(300);
    presence_sip::Dialect::handle_timeout(&mut pool.subject, pool.now);
    pool.drain();
    let first = pool.request();
    pool.accept_all(&first);
    pool.pass(Duration::from_millis(990));
    pool.silent();
    pool.pass(Duration::from_millis(20));
    assert_eq!(carried(&pool.request()), 2);
}

#[test]
fn while_a_message_is_on_its_way_the_next_waits_for_its_answer() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let first = pool.flushed();
    pool.subscribe(&agent(2), ONE);
    pool.pass(seconds(5));
    pool.silent();
    pool.accept_all(&first);
    let second = pool.flushed();
    assert_eq!(listed(&second, "subscribe"), ["sip:agent2@domain.com"]);
    assert_eq!(second.call_id(), first.call_id());
}

#[test]
fn a_refresh_puts_the_agent_on_the_wire_again_and_is_answered_by_joined() {
    let (mut pool, first) = Pool::live(15, &[agent(1)]);
    pool.refresh(&agent(1), ONE);
    let message = pool.flushed();
    assert_eq!(message.call_id(), first.call_id());
    pool.accept_all(&message);
    assert_eq!(pool.tell(), joined(&agent(1), ONE));
}

#[test]
fn agents_of_several_kinds_share_the_rate() {
    let (mut pool, home) = Pool::live(3, &[agent(1), agent(2), agent(3)]);
    let body = crate::pool::multipart(
        &[(&agent(1), "state=\"resubscribe\""), (&agent(2), "state=\"resubscribe\" poolFqdn=\"sip:pool2.domain.com\"")],
        &[],
    );
    pool.notify("BENOTIFY", &home, "subscription-state: active;expires=28000", Some(body));
    assert_eq!((pool.tell(), pool.tell()), (joined(&agent(1), ONE), wants(&agent(1), ONE)));
    assert_eq!((pool.tell(), pool.tell()), (joined(&agent(2), ONE), wants(&agent(2), ONE)));
    pool.subscribe(&agent(4), TWO);
    pool.refresh(&agent(1), ONE);
    pool.refresh(&agent(2), ONE);
    pool.subscribe(&agent(5), TWO);
    pool.pass(FLUSH);
    let lines: Vec<String> = pool.sent.drain(..).map(|sent| sent.request_uri().unwrap().to_owned()).collect();
    // Who goes the same way as the first in the queue goes with it.
    assert_eq!(lines, [crate::pool::TARGET, "sip:agent1@domain.com"]);
    pool.pass(FLUSH);
    assert_eq!(pool.request().request_uri(), Some("sip:pool2.domain.com"));
}

//! What many agents cost.

use std::time::{Duration, Instant};

use presence_sip::{Dialect, SubscriberEffect};

use crate::pool::{FLUSH, ONE, Pool, agent, reply, state};

/// A debug build is several times slower; the figures of a release build are the product's.
const SLOWER: u32 = if cfg!(debug_assertions) { 8 } else { 1 };

#[test]
fn a_hundred_thousand_agents_live_and_a_notification_finds_its_own_at_once() {
    const AGENTS: usize = 100_000;
    let mut pool = Pool::registered(1_000_000);
    (0..AGENTS).for_each(|number| pool.subscribe(&agent(number), ONE));
    pool.pass(FLUSH);
    let mut home = None;
    while let Some(message) = pool.sent.pop_front() {
        pool.receive(&reply(&message, 200, &[&crate::pool::contact(), "Expires: 28800"], None));
        home.get_or_insert(message);
    }
    let home = home.unwrap();
    assert_eq!(pool.told.drain(..).count(), AGENTS);
    assert_eq!(pool.subject.stats().dialogs, 1);
    let began = Instant::now();
    for number in 0..2_000 {
        pool.benotify(&home, state(agent(number * 50).as_str(), 6_500));
    }
    let each = began.elapsed() / 2_000;
    assert_eq!(pool.told.drain(..).filter(|told| matches!(told, SubscriberEffect::Notified { .. })).count(), 2_000);
    // A scan over all agents would take milliseconds.
    assert!(each < Duration::from_micros(60) * SLOWER, "{each:?} for each notification");
}

#[test]
fn five_hundred_agents_in_one_notification_take_milliseconds() {
    let mut pool = Pool::registered(1_000);
    (0..500).for_each(|number| pool.subscribe(&agent(number), ONE));
    let message = pool.flushed();
    pool.accept_all(&message);
    pool.told.clear();
    let documents: Vec<String> = (0..500).map(|number| state(agent(number).as_str(), 6_500)).collect();
    let body = crate::pool::multipart(&[], &documents);
    let text = crate::pool::notification("BENOTIFY", &message, 2, "subscription-state: active", Some(body));
    let began = Instant::now();
    pool.receive(&text);
    let took = began.elapsed();
    assert_eq!(pool.told.len(), 500);
    assert!(took < Duration::from_millis(10) * SLOWER, "{took:?}");
}

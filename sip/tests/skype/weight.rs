//! What many agents cost.

use std::time::{Duration, Instant};

use presence_sip::{Dialect, FlowId, Limits, Message, SubscriberEffect};

use crate::pool::{FLUSH, ONE, Pool, agent, contact, multipart, notification, reply, state};

/// A debug build is several times slower; the figures of a release build are the product's.
const SLOWER: u32 = if cfg!(debug_assertions) { 8 } else { 1 };

/// Bytes of this process in memory, where the system says so.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<usize>().ok()? * 1024)
}

#[test]
fn a_hundred_thousand_agents_live_and_a_notification_finds_its_own_at_once() {
    const AGENTS: usize = 100_000;
    let mut pool = Pool::registered(1_000_000);
    let before = resident();
    (0..AGENTS).for_each(|number| pool.subscribe(&agent(number), ONE));
    pool.pass(FLUSH);
    let mut home = None;
    while let Some(message) = pool.sent.pop_front() {
        pool.receive(&reply(&message, 200, &[&contact(), "Expires: 28800"], None));
        home.get_or_insert(message);
    }
    let home = home.unwrap();
    assert_eq!(pool.told.drain(..).count(), AGENTS);
    pool.told.shrink_to_fit();
    if let (Some(before), Some(after)) = (before, resident()) {
        println!("{} bytes for each of {AGENTS} agents, and what allocators keep", (after - before) / AGENTS);
    }
    assert_eq!(pool.subject.stats().dialogs, 1);
    let began = Instant::now();
    for number in 0..2_000 {
        pool.benotify(&home, state(agent(number * 50).as_str(), 6_500));
    }
    let each = began.elapsed() / 2_000;
    println!("{each:?} for each notification among {AGENTS} agents");
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
    let body = multipart(&[], &documents);
    // The best of some, as others may be using the machine.
    let mut took = Duration::MAX;
    for cseq in 2..12 {
        let body = Some(body.clone());
        let text = notification("BENOTIFY", &message, cseq, "subscription-state: active", body);
        let benotify = Message::parse(text.into(), &Limits::default()).unwrap();
        let began = Instant::now();
        pool.subject.receive(pool.now, FlowId::PRIMARY, benotify);
        took = took.min(began.elapsed());
        pool.told.clear();
        pool.drain();
    }
    println!("{took:?} for 500 agents in one notification");
    assert_eq!(pool.told.len(), 500);
    assert!(took < Duration::from_millis(10) * SLOWER, "{took:?}");
}

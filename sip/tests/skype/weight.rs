//! What many agents cost.

use presence_sip::{Dialect, SubscriberEffect};

use crate::pool::{FLUSH, ONE, Pool, agent, contact, reply, state};

/// Bytes of this process in memory, where the system says so.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<usize>().ok()? * 1024)
}

#[test]
fn a_hundred_thousand_agents_live_in_one_dialog_and_each_notification_finds_its_own() {
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
    for number in 0..2_000 {
        pool.benotify(&home, state(agent(number * 50).as_str(), 6_500));
    }
    assert_eq!(pool.told.drain(..).filter(|told| matches!(told, SubscriberEffect::Notified { .. })).count(), 2_000);
}

//! What a notification costs in the dialect of lists: bytes to message to dialog to members to presence.
//!
//! `cargo bench -p presence-sip --bench skype`
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    dead_code,
    reason = "a benchmark may panic, begins now, and uses a part of the tests' pool"
)]

#[path = "../tests/skype/pool.rs"]
mod pool;

use bytes::Bytes;
use divan::{Bencher, counter::ItemsCount};
use presence_sip::{Dialect, FlowId, Limits, Message, SubscriberEffect};

use pool::{FLUSH, ONE, Pool, agent, contact, multipart, notification, reply, state};

fn main() {
    divan::main();
}

/// An endpoint with so many members in its home dialog, and the SUBSCRIBE that began it.
fn with_members(agents: usize) -> (Pool, Message) {
    let mut pool = Pool::registered(1_000_000);
    (0..agents).for_each(|number| pool.subscribe(&agent(number), ONE));
    pool.pass(FLUSH);
    let mut home = None;
    while let Some(message) = pool.sent.pop_front() {
        pool.receive(&reply(&message, 200, &[&contact(), "Expires: 28800"], None));
        home.get_or_insert(message);
    }
    pool.told.clear();
    (pool, home.unwrap())
}

/// Takes one BENOTIFY as it came from the socket; how many agents it told of.
fn take(pool: &mut Pool, bytes: Bytes) -> usize {
    let message = Message::parse(bytes, &Limits { body: 4 << 20, ..Limits::default() }).unwrap();
    pool.subject.receive(pool.now, FlowId::PRIMARY, message);
    let mut told = 0;
    while let Some(effect) = pool.subject.poll_effect() {
        told += usize::from(matches!(effect, SubscriberEffect::Notified { .. }));
    }
    told
}

/// The bare document of one agent among so many.
#[divan::bench(args = [500, 10_000, 100_000])]
fn one_agent_among(bencher: Bencher<'_, '_>, agents: usize) {
    let (mut pool, home) = with_members(agents);
    let mut cseq = 1;
    let texts = std::cell::RefCell::new(move || {
        cseq += 1;
        let document = state(agent((usize::try_from(cseq).unwrap() * 7_919) % agents).as_str(), 6_500);
        let body = ("application/msrtc-event-categories+xml".to_owned(), document);
        Bytes::from(notification("BENOTIFY", &home, cseq, "subscription-state: active;expires=28000", Some(body)))
    });
    bencher
        .with_inputs(|| (texts.borrow_mut())())
        .input_counter(|_| ItemsCount::new(1_u32))
        .bench_local_values(|bytes| assert_eq!(take(&mut pool, bytes), 1));
}

/// A list with the documents of so many agents.
#[divan::bench(args = [15, 500])]
fn a_list_of(bencher: Bencher<'_, '_>, agents: usize) {
    let (mut pool, home) = with_members(agents);
    let documents: Vec<String> = (0..agents).map(|number| state(agent(number).as_str(), 6_500)).collect();
    let body = multipart(&[], &documents);
    let mut cseq = 1;
    let texts = std::cell::RefCell::new(move || {
        cseq += 1;
        Bytes::from(notification("BENOTIFY", &home, cseq, "subscription-state: active", Some(body.clone())))
    });
    bencher
        .with_inputs(|| (texts.borrow_mut())())
        .input_counter(move |_| ItemsCount::new(agents))
        .bench_local_values(|bytes| assert_eq!(take(&mut pool, bytes), agents));
}

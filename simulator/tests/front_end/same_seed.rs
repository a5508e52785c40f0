//! The same seed makes the same bytes, and garbage makes no panic.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use presence_simulator::{Dice, Switches};
use presence_sip::{Limits, Message};

use crate::support::{APP, Ask, Bench, agent, answer, settings};

/// Ten minutes of a story; everything that was sent, with its time.
fn story(seed: u64) -> String {
    let switches = Switches { header_variants: true, signed_routes: true, sequence_gaps: true, ..Switches::default() };
    let mut settings = settings(Switches { strict: false, ..switches });
    settings.seed = seed;
    settings.change_interval = Some(Duration::from_secs(30));
    let mut bench = Bench::of(settings);
    let mut told = String::new();
    let mut note = |at: Duration, messages: Vec<Message>| {
        for message in messages {
            let headers: Vec<_> = message.headers().collect();
            let _ = writeln!(told, "{at:?} {message:?} {headers:?} {:?}", message.body());
        }
    };
    note(Duration::ZERO, bench.say(Ask::register(APP).text()));
    note(Duration::ZERO, bench.say(Ask::list(APP, &(1..=20).map(agent).collect::<Vec<_>>()).text()));
    for (at, message) in bench.pass(Duration::from_secs(600)) {
        note(at, vec![message]);
    }
    note(Duration::ZERO, bench.order("disable sip:agent3@sim.example"));
    note(Duration::ZERO, bench.order(&format!("terminate {APP} resubscribe")));
    told
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let first = story(7);
    assert!(first.len() > 50_000);
    assert_eq!(first, story(7));
    assert_ne!(first, story(8));
}

#[test]
fn garbage_never_panics_and_is_never_served_twice() {
    let mut dice = Dice::new(11);
    let mut bench = Bench::with(Switches { benotify: false, own_connections: true, ..Switches::default() });
    let list = bench.listed(5);
    let told = bench.order("set sip:agent1@sim.example busy");
    let mut seeds: Vec<Vec<u8>> = [
        Ask::register(APP).text(),
        Ask::list(APP, &[agent(1), agent(19)]).text(),
        Ask::single(APP, &agent(1)).text(),
        list.text(),
        Ask::list(APP, &[agent(19)]).at_pool("sip:pool1.sim.example@sim.example;gruu;opaque=srvr:HomeServer:x").text(),
        Ask { method: "OPTIONS", ..Ask::register(APP) }.text(),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    seeds.extend(told.iter().map(|one| answer(one, 481).to_vec()));
    let mut read = 0;
    for turn in 0..30_000 {
        let mut bytes = seeds[turn % seeds.len()].clone();
        for _ in 0..=dice.below(4) {
            let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            match dice.below(4) {
                0 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"<>\";:,@ \r\n0\xff"[usize::try_from(dice.below(12)).unwrap()]),
                _ => {
                    let end = (at + usize::try_from(dice.below(40)).unwrap()).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        if let Ok(message) = Message::parse(Bytes::from(bytes), &Limits::default()) {
            read += 1;
            bench.front.receive(bench.now, bench.connection, &message);
            bench.now += Duration::from_millis(50);
            bench.front.handle_timeout(bench.now);
            while bench.front.poll_effect().is_some() {}
        }
    }
    assert!(read > 10_000, "{read}");
    let counters = bench.front.counters();
    assert!(counters.violations.len() <= 1_000 && counters.violation_count > 0);
    let watched: usize =
        (1..=20).map(|number| bench.front.subscriptions_of(&agent(number).parse().unwrap()).len()).sum();
    assert_eq!((watched, counters.live_now), (bench.front.live_subscriptions(), watched), "the books agree");
}

//! Nothing that arrives can stop the machine, whatever faults are in force.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::time::Duration;

use common::{Bench, Subscribe, answer};
use presence_simulator::{Body, Dice, DigestSettings, Faults, Scope, Wire};
use presence_sip::{Frame, Limits};

/// A text with a few bytes changed, doubled or cut out.
fn mutated(text: &str, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=dice.below(6) {
        let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
        let length = usize::try_from(dice.below(20)).unwrap().min(bytes.len() - at);
        match dice.below(4) {
            0 => bytes[at] = dice.throw().to_le_bytes()[0],
            1 => drop(bytes.drain(at..at + length)),
            2 => bytes.extend_from_within(at..at + length),
            _ => bytes[at] = b",;:=<>\"\r\n %0"[usize::try_from(dice.below(12)).unwrap()],
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

#[test]
fn twenty_thousand_mutated_messages_leave_a_server_that_serves() {
    let mut dice = Dice::new(42);
    for round in 0..4 {
        let wire = if round % 2 == 0 { Wire::Tcp } else { Wire::Udp };
        let mut bench = Bench::with(wire, |settings| {
            settings.digest = (round == 3).then(|| DigestSettings::one_user("sim.example", "app", "secret"));
            settings.change_interval = Some(Duration::from_secs(30));
        });
        let faults = Faults { two_record_routes: round == 1, body: Body::Padded(3_000), ..Faults::default() };
        bench.server.faults(&Scope::Everyone, faults);
        for turn in 0..5_000 {
            let call_id = format!("call-{}", turn % 20);
            let expires = u32::try_from(dice.below(100)).unwrap();
            let extra = "Authorization: Digest username=\"app\", realm=\"sim.example\", nonce=\"1\", nc=00000001\r\n";
            let subscribe = Subscribe {
                call_id: &call_id,
                sequence: turn + 1,
                expires,
                extra: extra.into(),
                ..Subscribe::default()
            };
            let text = match turn % 3 {
                0 => answer(&common::parse(subscribe.text().replace("SUBSCRIBE", "NOTIFY")), 200),
                _ => subscribe.text(),
            };
            let bytes = mutated(&text, &mut dice);
            if let Frame::Message(message) = Frame::from_datagram(bytes.into(), &Limits::default()) {
                bench.server.receive(bench.now, bench.connection, &message);
            }
            bench.raw();
            bench.now += Duration::from_millis(50);
            bench.server.handle_timeout(bench.now);
            bench.raw();
        }
        let counters = bench.server.counters();
        let heard =
            counters.subscribes + counters.refreshes + counters.unsubscribes + counters.queries + counters.challenges;
        assert!(heard > 500, "only {heard} were whole enough to reach the machine");
        assert_eq!(counters.by_agent.values().sum::<usize>(), counters.active_subscriptions);
        assert!(counters.active_subscriptions < 5_000);
        let fresh = Subscribe { call_id: "fresh", ..Subscribe::default() };
        let expect = if round == 3 { 401 } else { 200 };
        assert_eq!(bench.say(fresh.text())[0].status(), Some(expect));
    }
}

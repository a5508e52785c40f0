//! What is lost, what is late, and who is to blame for silence.

use std::time::Duration;

use presence_core::FailureKind;
use presence_sip::{SubscriberEffect, WireEvent};

use crate::notifier::{Notify, ONE, Pair, TWO, agent, seconds, user};

fn sent_at(pair: &Pair, method: &str) -> Vec<u64> {
    let ours = pair.sent.iter().filter(|(_, _, message)| message.method().is_some_and(|m| m.as_str() == method));
    ours.map(|(at, _, _)| u64::try_from((*at - pair.start).as_millis()).unwrap()).collect()
}

#[test]
fn over_udp_a_request_is_repeated_on_the_schedule_of_the_rfc_for_32_seconds() {
    let mut pair = Pair::udp();
    pair.subscriber.subscribe(pair.now, &user(), ONE);
    pair.drain();
    pair.pass(Duration::from_millis(31_999));
    let expected = [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(sent_at(&pair, "SUBSCRIBE"), expected);
    let first = pair.sent.front().unwrap().2.headers().map(|(n, v)| format!("{n}{v}")).collect::<Vec<_>>();
    let last = pair.sent.back().unwrap().2.headers().map(|(n, v)| format!("{n}{v}")).collect::<Vec<_>>();
    assert_eq!(first, last, "a copy is the same to the letter");
    assert_eq!(sent_at(&pair, "OPTIONS"), [0_u64; 0]);
    pair.pass(Duration::from_millis(1));
    assert_eq!(sent_at(&pair, "OPTIONS"), [32_000]);
    assert_eq!(pair.subscriber.stats().retransmissions, 10);
}

#[test]
fn after_a_provisional_answer_copies_are_4_seconds_apart() {
    let mut pair = Pair::udp();
    let subscribe = pair.subscribe(ONE);
    pair.pass(Duration::from_millis(100));
    pair.reply(&subscribe, 100, &[]);
    pair.pass(seconds(13));
    assert_eq!(sent_at(&pair, "SUBSCRIBE"), [500, 4500, 8500, 12_500]);
    pair.reply(&subscribe, 200, &[]);
    pair.sent.clear();
    pair.pass(seconds(10));
    pair.silent();
}

#[test]
fn over_tcp_nothing_is_repeated() {
    let mut pair = Pair::tcp();
    pair.subscriber.subscribe(pair.now, &user(), ONE);
    pair.drain();
    pair.pass(Duration::from_millis(31_999));
    assert_eq!(sent_at(&pair, "SUBSCRIBE"), [0]);
}

#[test]
fn a_copy_of_the_final_answer_is_absorbed() {
    let mut pair = Pair::udp();
    let subscribe = pair.subscribe(ONE);
    pair.reply(&subscribe, 200, &[]);
    pair.told.clear();
    pair.reply(&subscribe, 200, &[]);
    pair.quiet();
    assert_eq!(pair.counted, []);
    pair.pass(seconds(5));
    pair.reply(&subscribe, 200, &[]);
    assert_eq!(pair.counted, [WireEvent::StrayResponse], "timer K is over");
}

#[test]
fn silence_is_the_agents_fault_when_the_pool_answers_the_probe() {
    let mut pair = Pair::tcp();
    pair.subscribe(ONE);
    pair.pass(seconds(32));
    assert_eq!(pair.tell(), SubscriberEffect::Congested);
    let probe = pair.request();
    assert_eq!(probe.request_uri(), Some("sip:domain.com"));
    pair.quiet();
    pair.reply(&probe, 405, &[]);
    assert_eq!(pair.tell(), SubscriberEffect::ProbeAnswered);
    assert_eq!(pair.failure().kind, FailureKind::Transient);
}

#[test]
fn silence_is_the_pools_fault_when_it_does_not_answer_the_probe_either() {
    let mut pair = Pair::tcp();
    pair.subscribe_to(&agent(1), ONE);
    pair.subscribe_to(&agent(2), ONE);
    pair.pass(seconds(32));
    assert_eq!(pair.tell(), SubscriberEffect::Congested);
    assert_eq!(pair.tell(), SubscriberEffect::Congested);
    pair.request();
    pair.silent();
    pair.pass(seconds(9));
    pair.quiet();
    pair.pass(seconds(1));
    assert!(matches!(pair.tell(), SubscriberEffect::ProbeFailed(failure) if failure.kind == FailureKind::Endpoint));
    assert_eq!((pair.failure().kind, pair.failure().kind), (FailureKind::Endpoint, FailureKind::Endpoint));
}

#[test]
fn an_overloaded_pool_is_to_blame_for_its_silence() {
    let mut pair = Pair::tcp();
    pair.subscribe(ONE);
    pair.pass(seconds(32));
    assert_eq!(pair.tell(), SubscriberEffect::Congested);
    let probe = pair.request();
    pair.reply(&probe, 503, &["Retry-After: 9"]);
    assert_eq!(pair.tell(), SubscriberEffect::Overloaded { retry_after: Some(seconds(9)) });
    assert_eq!(pair.failure().kind, FailureKind::Endpoint);
}

#[test]
fn a_refresh_without_an_answer_ends_the_dialog() {
    let mut pair = Pair::tcp();
    let notify = pair.live();
    pair.refresh(ONE);
    pair.pass(seconds(32));
    assert_eq!(pair.tell(), SubscriberEffect::Congested);
    let probe = pair.request();
    pair.reply(&probe, 200, &[]);
    assert_eq!(pair.tell(), SubscriberEffect::ProbeAnswered);
    assert_eq!(pair.failure().kind, FailureKind::Dialog);
    assert_eq!(pair.notify(&notify.next()), 481);
}

#[test]
fn a_lost_200_does_no_harm_when_the_notify_has_come() {
    let mut pair = Pair::udp();
    let subscribe = pair.subscribe(ONE);
    pair.pass(seconds(2));
    let notify = Notify::of(&subscribe);
    pair.sent.clear();
    assert_eq!(pair.notify(&notify), 200);
    pair.told.clear();
    pair.pass(seconds(60));
    pair.quiet();
    pair.sent.clear();
    assert_eq!(pair.notify(&notify.next()), 200);
    assert_eq!(pair.subscriber.stats().live, 1);
}

#[test]
fn an_agent_that_is_not_wanted_any_more_is_no_failure_when_nobody_answers() {
    let mut pair = Pair::tcp();
    pair.subscribe(ONE);
    pair.pass(seconds(32));
    assert_eq!(pair.tell(), SubscriberEffect::Congested);
    let probe = pair.request();
    pair.unsubscribe(ONE);
    assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: ONE });
    pair.reply(&probe, 200, &[]);
    assert_eq!(pair.tell(), SubscriberEffect::ProbeAnswered);
    pair.quiet();
    pair.subscribe(TWO);
    pair.unsubscribe(TWO);
    pair.pass(seconds(32));
    assert_eq!(pair.tell(), SubscriberEffect::Ended { uri: user(), attempt: TWO });
}

#[test]
fn one_probe_is_enough_and_a_lost_connection_answers_it() {
    let mut pair = Pair::udp();
    pair.subscriber.probe(pair.now);
    pair.subscriber.probe(pair.now);
    pair.drain();
    assert_eq!(pair.sent.len(), 1);
    pair.lose_transport();
    assert!(matches!(pair.tell(), SubscriberEffect::ProbeFailed(_)));
    pair.quiet();
    pair.subscriber.probe(pair.now);
    pair.drain();
    assert_eq!(pair.sent.len(), 2);
}

#[test]
fn an_answer_to_nothing_of_ours_is_dropped() {
    let mut pair = Pair::tcp();
    let subscribe = pair.subscribe(ONE);
    let text = crate::notifier::reply(&subscribe, 200, &[]);
    let branch = subscribe.top_via().unwrap().branch().unwrap().to_owned();
    for strange in [
        text.replace(&branch, "z9hG4bKother"),
        text.replace(&branch, &branch.replace("z9hG4bK", "z9hG4bJ")),
        text.replace("1 SUBSCRIBE", "1 OPTIONS"),
        text.replace(subscribe.call_id(), "0123456789abcdef0123456789abcdef"),
    ] {
        pair.receive(&strange);
    }
    pair.quiet();
    assert_eq!(pair.counted, [WireEvent::StrayResponse; 4]);
    pair.receive(&text);
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { .. }));
}

/// Kamailio with dialogs in its database does this after kill -9.
#[test]
fn after_a_lost_connection_a_notifier_may_repeat_its_last_number_or_an_older_one_with_news() {
    let mut pair = Pair::tcp();
    let notify = pair.live().next().next();
    assert_eq!(pair.notify(&notify), 200);
    pair.told.clear();
    pair.lose_transport();
    pair.subscriber.subscribe(pair.now, &user(), TWO);
    pair.drain();
    let refresh = pair.request();
    pair.reply(&refresh, 200, &["Expires: 3600"]);
    assert!(matches!(pair.tell(), SubscriberEffect::Adopted { .. }));
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { .. }));
    let older = Notify { cseq: notify.cseq - 1, branch: "z9hG4bKnews".into(), ..notify.clone() };
    assert_eq!(pair.notify(&older), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { attempt: TWO, .. }));
    assert_eq!(pair.notify(&older), 200, "a repeat of that one is a repeat again");
    pair.quiet();
}

//! The machine under virtual time: everything it can do wrong.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{AGENT, Bench, SERVER, Subscribe, shape};
use presence_simulator::{Activity, AgentState, Body, Deadline, Faults, Reaction, Refusal, Scope};
use presence_sip::{Limits, Message};

#[test]
fn a_refusal_carries_its_code_and_its_headers_and_spares_the_others() {
    let mut bench = Bench::new();
    let refusal = Refusal { min_expires: Some(Duration::from_secs(90)), ..Refusal::with(503) };
    let faults = Faults::refusing(refusal.retry_after(Duration::from_secs(12)).times(1));
    bench.server.faults(&Scope::Agent(Bench::agent()), faults);
    let other = Subscribe { uri: "sip:agent2@sim.example", call_id: "call-2", ..Subscribe::default() };
    assert_eq!(shape(&bench.say(other.text())), ["200", "NOTIFY active"]);
    let sent = bench.say(Subscribe::default().text());
    assert_eq!(shape(&sent), ["503"]);
    assert_eq!((sent[0].header("Retry-After"), sent[0].header("Min-Expires")), (Some("12"), Some("90")));
    assert_eq!(shape(&bench.say(Subscribe { sequence: 2, ..Subscribe::default() }.text())), ["200", "NOTIFY active"]);
    assert_eq!(bench.server.counters().most_for_one_agent, 1);
}

#[test]
fn too_short_a_lifetime_is_refused_and_too_long_a_one_is_cut() {
    let faults = Faults {
        shortest_expires: Some(Duration::from_secs(120)),
        longest_expires: Some(Duration::from_secs(300)),
        ..Faults::default()
    };
    let mut bench = Bench::faulty(faults);
    let sent = bench.say(Subscribe { expires: 119, ..Subscribe::default() }.text());
    assert_eq!((sent[0].status(), sent[0].header("Min-Expires")), (Some(423), Some("120")));
    let sent = bench.say(Subscribe { sequence: 2, ..Subscribe::default() }.text());
    assert_eq!(sent[0].header("Expires"), Some("300"));
    assert_eq!(sent[1].header("Subscription-State"), Some("active;expires=300"));
}

#[test]
fn a_server_that_ignores_says_nothing_until_it_is_healed() {
    let mut bench =
        Bench::faulty(Faults { subscribe: Reaction::Ignore, options: Reaction::Ignore, ..Faults::default() });
    assert!(bench.say(Subscribe::default().text()).is_empty());
    let options = Subscribe::default().text().replace("SUBSCRIBE", "OPTIONS");
    assert!(bench.say(options.clone()).is_empty());
    bench.server.heal();
    assert_eq!(shape(&bench.say(options)), ["200"]);
    assert_eq!(bench.server.counters().subscribes, 1);
}

#[test]
fn options_can_be_refused_while_subscriptions_work() {
    let mut bench = Bench::faulty(Faults { options: Reaction::Refuse(Refusal::with(503)), ..Faults::default() });
    assert_eq!(shape(&bench.say(Subscribe::default().text().replace("SUBSCRIBE", "OPTIONS"))), ["503"]);
    assert_eq!(shape(&bench.say(Subscribe::default().text())), ["200", "NOTIFY active"]);
}

#[test]
fn the_notify_can_overtake_the_answer_or_stay_away() {
    let mut bench = Bench::faulty(Faults { notify_before_answer: true, ..Faults::default() });
    assert_eq!(shape(&bench.say(Subscribe::default().text())), ["NOTIFY active", "200"]);
    let mut bench = Bench::faulty(Faults { no_notify: true, ..Faults::default() });
    assert_eq!(shape(&bench.say(Subscribe::default().text())), ["200"]);
}

#[test]
fn sequence_numbers_jump_by_the_step() {
    let mut bench = Bench::faulty(Faults { sequence_step: 4, ..Faults::default() });
    bench.subscribed(&Subscribe::default());
    let mut numbers = Vec::new();
    for activity in [Activity::Busy, Activity::Away] {
        bench.server.set_presence(bench.now, &Bench::agent(), AgentState::of(activity));
        numbers.extend(bench.sent().iter().map(|notify| notify.cseq().unwrap().0));
    }
    assert_eq!(numbers, [5, 9]);
}

#[test]
fn two_record_routes_want_the_route_turned_round() {
    let mut bench = Bench::faulty(Faults { two_record_routes: true, ..Faults::default() });
    let sent = bench.say(Subscribe::default().text());
    let far = format!("<sip:hop1@{SERVER};transport=tcp;lr>");
    let near = format!("<sip:hop2@{SERVER};transport=tcp;lr>");
    assert_eq!(sent[0].values("Record-Route").collect::<Vec<_>>(), [&near, &far], "in the answer");
    assert_eq!(sent[1].values("Record-Route").collect::<Vec<_>>(), [&far, &near], "in the first NOTIFY");
    let tag = sent[0].to().unwrap().tag().map(str::to_owned);
    let extra = format!("Route: {far}\r\nRoute: {near}\r\n");
    bench.say(Subscribe { to_tag: tag.clone(), sequence: 2, extra, ..Subscribe::default() }.text());
    assert_eq!(bench.server.counters().wrong_routes, 0);
    let extra = format!("Route: {near}, {far}\r\n");
    bench.say(Subscribe { to_tag: tag, sequence: 3, extra, ..Subscribe::default() }.text());
    assert_eq!(bench.server.counters().wrong_routes, 1);
}

#[test]
fn benotify_takes_the_place_of_notify() {
    let mut bench = Bench::faulty(Faults { benotify: true, ..Faults::default() });
    let sent = bench.say(Subscribe::default().text());
    assert_eq!(shape(&sent), ["200", "BENOTIFY active"]);
    assert_eq!(sent[1].cseq(), Some((1, "BENOTIFY")));
}

#[test]
fn bodies_come_empty_broken_or_huge() {
    for (body, expect) in [(Body::Empty, 0), (Body::Padded(200_000), 200_000)] {
        let mut bench = Bench::faulty(Faults { body, ..Faults::default() });
        let notify = bench.say(Subscribe::default().text()).remove(1);
        assert_eq!(notify.body().len(), expect);
        assert_eq!(notify.content_type().is_some(), expect > 0);
    }
    let mut bench = Bench::faulty(Faults { body: Body::Malformed, ..Faults::default() });
    let notify = bench.say(Subscribe::default().text()).remove(1);
    let limits = presence_sip::DocumentLimits::default();
    assert!(presence_sip::read_pidf(notify.body(), &limits).is_err());
}

#[test]
fn a_malformed_message_can_go_before_the_good_one_without_breaking_the_stream() {
    let mut bench = Bench::faulty(Faults { malformed_message_first: true, ..Faults::default() });
    bench.server.receive(bench.now, bench.connection, &common::parse(Subscribe::default().text()));
    let raw: Vec<Bytes> = bench.raw().into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(raw.len(), 3);
    let usable =
        |bytes: &Bytes| Message::parse(bytes.clone(), &Limits::default()).is_ok_and(|message| message.check().is_ok());
    assert_eq!(raw.iter().map(usable).collect::<Vec<_>>(), [true, false, true]);
    let mut framer = presence_sip::Framer::new(Limits::default());
    framer.push(&raw.concat());
    let frames = std::iter::from_fn(|| framer.next_frame().unwrap()).count();
    assert_eq!(frames, 3);
}

#[test]
fn a_duplicate_is_the_same_to_the_byte() {
    let mut bench = Bench::faulty(Faults { duplicate_notify: true, ..Faults::default() });
    bench.server.receive(bench.now, bench.connection, &common::parse(Subscribe::default().text()));
    let raw = bench.raw();
    assert_eq!(raw.len(), 3);
    assert_eq!(raw[1], raw[2]);
    assert_eq!(bench.server.counters().notifies_sent, 1);
}

#[test]
fn late_answers_leave_in_order_at_their_time() {
    let delay = Duration::from_millis(700);
    let mut bench = Bench::faulty(Faults { delay, ..Faults::default() });
    assert!(bench.say(Subscribe::default().text()).is_empty());
    assert_eq!(bench.server.poll_timeout(), Some((bench.now + delay, Deadline::Delayed)));
    let sent = bench.pass(Duration::from_secs(1));
    assert!(sent.iter().all(|(at, _)| *at == delay));
    let sent: Vec<_> = sent.into_iter().map(|(_, message)| message).collect();
    assert_eq!(shape(&sent), ["200", "NOTIFY active"]);
}

#[test]
fn a_server_that_forgot_its_dialogs_answers_481() {
    let mut bench = Bench::new();
    let tag = bench.subscribed(&Subscribe::default());
    assert_eq!(bench.server.forget_dialogs(), 1);
    assert!(bench.sent().is_empty());
    assert_eq!(shape(&bench.say(Subscribe { to_tag: Some(tag), sequence: 2, ..Subscribe::default() }.text())), ["481"]);
    assert_eq!(bench.server.counters().by_agent.get(AGENT), None);
}

#[test]
fn the_event_is_echoed_verbatim_only_on_request() {
    let event = "Presence ; x=\"y\"";
    let mut bench = Bench::new();
    assert_eq!(bench.say(Subscribe { event, ..Subscribe::default() }.text())[1].header("Event"), Some("presence"));
    let mut bench = Bench::faulty(Faults { echo_event: true, ..Faults::default() });
    assert_eq!(bench.say(Subscribe { event, ..Subscribe::default() }.text())[1].header("Event"), Some(event));
    let mut bench = Bench::new();
    let with_id = Subscribe { event: "presence;id=7", ..Subscribe::default() };
    assert_eq!(bench.say(with_id.text())[1].header("Event"), Some("presence;id=7"));
}

#[test]
fn a_spurious_timeout_changes_nothing() {
    let mut bench = Bench::new();
    bench.subscribed(&Subscribe::default());
    let (deadline, counters) = (bench.server.poll_timeout(), bench.server.counters());
    bench.server.handle_timeout(bench.now);
    assert!(bench.sent().is_empty());
    assert_eq!((bench.server.poll_timeout(), bench.server.counters()), (deadline, counters));
}

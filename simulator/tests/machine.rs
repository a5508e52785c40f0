//! The machine under virtual time: a healthy server.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::time::Duration;

use common::{AGENT, Bench, Subscribe, answer, shape};
use presence_simulator::{
    Activity, AgentState, ConnectionId, Deadline, DigestAlgorithm, DigestSettings, Termination, Wire, pidf,
};
use presence_sip::{Credentials, DigestClient, DocumentLimits, read_pidf};

#[test]
fn a_subscription_is_accepted_and_told_at_once_and_at_each_change() {
    let mut bench = Bench::new();
    let sent = bench.say(Subscribe::default().text());
    assert_eq!(shape(&sent), ["200", "NOTIFY active"]);
    assert_eq!(sent[0].expires(), Some(Duration::from_secs(3_600)));
    let notify = &sent[1];
    assert_eq!(notify.check(), Ok(()));
    assert_eq!(notify.request_uri(), Some("sip:app@127.0.0.1:6120;transport=tcp"));
    assert_eq!(notify.from().unwrap().tag(), sent[0].to().unwrap().tag());
    assert_eq!(notify.to().unwrap().tag(), Some("from-call-1"));
    assert_eq!(notify.call_id(), "call-1");
    assert_eq!(notify.header("Event"), Some("presence"));
    assert!(bench.server.set_presence(bench.now, &Bench::agent(), AgentState::of(Activity::Meeting)));
    let sent = bench.sent();
    assert_eq!(shape(&sent), ["NOTIFY active"]);
    assert_eq!(sent[0].cseq(), Some((2, "NOTIFY")));
    assert!(std::str::from_utf8(sent[0].body()).unwrap().contains("<rpid:meeting/>"));
    bench.say(answer(&sent[0], 200));
    let counters = bench.server.counters();
    assert_eq!((counters.subscribes, counters.notifies_sent, counters.answers), (1, 2, 1));
    assert_eq!(counters.by_agent.get(AGENT), Some(&1));
    assert_eq!(counters.subscribe_times, [bench.now]);
}

#[test]
fn every_state_of_an_agent_is_read_as_the_number_it_stands_for() {
    for activity in Activity::ALL {
        for state in [AgentState::of(activity), AgentState::of(activity).idle()] {
            let status = read_pidf(pidf(AGENT, state).as_bytes(), &DocumentLimits::default()).unwrap();
            assert_eq!(status.availability, state.availability(), "{state:?}");
        }
    }
}

#[test]
fn a_refresh_moves_the_dialog_to_the_connection_it_came_over() {
    let mut bench = Bench::new();
    let tag = bench.subscribed(&Subscribe::default());
    bench.server.connection_lost(bench.connection);
    bench.server.set_presence(bench.now, &Bench::agent(), AgentState::of(Activity::Away));
    assert!(bench.raw().is_empty());
    assert_eq!(bench.server.counters().undeliverable, 1);
    bench.connection = ConnectionId(2);
    bench.server.connected(bench.connection, Wire::Tcp);
    let refresh = Subscribe { to_tag: Some(tag), sequence: 2, expires: 600, ..Subscribe::default() };
    bench.server.receive(bench.now, bench.connection, &common::parse(refresh.text()));
    let raw = bench.raw();
    assert!(raw.iter().all(|(connection, _)| *connection == ConnectionId(2)));
    let sent: Vec<_> = raw.into_iter().map(|(_, bytes)| common::parse(bytes)).collect();
    assert_eq!(shape(&sent), ["200", "NOTIFY active"]);
    assert!(std::str::from_utf8(sent[1].body()).unwrap().contains("<rpid:away/>"));
    assert_eq!(bench.server.counters().refreshes, 1);
    assert_eq!(bench.server.counters().active_subscriptions, 1);
}

#[test]
fn expires_zero_ends_a_subscription_with_a_last_notify() {
    let mut bench = Bench::new();
    let tag = bench.subscribed(&Subscribe::default());
    let last = Subscribe { to_tag: Some(tag), sequence: 2, expires: 0, ..Subscribe::default() };
    assert_eq!(shape(&bench.say(last.text())), ["200", "NOTIFY terminated;reason=timeout"]);
    assert_eq!(bench.server.counters().active_subscriptions, 0);
    assert_eq!(bench.server.counters().unsubscribes, 1);
    assert_eq!(bench.server.poll_timeout(), None);
}

#[test]
fn a_fetch_gets_one_document_and_leaves_nothing_behind() {
    let mut bench = Bench::new();
    let sent = bench.say(Subscribe { expires: 0, ..Subscribe::default() }.text());
    assert_eq!(shape(&sent), ["200", "NOTIFY terminated;reason=timeout"]);
    assert!(!sent[1].body().is_empty());
    assert!(bench.server.counters().by_agent.is_empty());
}

#[test]
fn a_subscription_that_is_not_refreshed_runs_out_at_its_time() {
    let mut bench = Bench::new();
    let tag = bench.subscribed(&Subscribe { expires: 60, ..Subscribe::default() });
    assert_eq!(bench.server.poll_timeout(), Some((bench.now + Duration::from_secs(60), Deadline::Expiry)));
    assert!(bench.pass(Duration::from_millis(59_999)).is_empty());
    let ended = bench.pass(Duration::from_millis(1));
    assert_eq!(shape(&[ended[0].1.clone()]), ["NOTIFY terminated;reason=timeout"]);
    let late = Subscribe { to_tag: Some(tag), sequence: 2, ..Subscribe::default() };
    assert_eq!(shape(&bench.say(late.text())), ["481"]);
    assert_eq!(bench.server.counters().unknown_dialogs, 1);
}

#[test]
fn a_refresh_puts_the_end_off() {
    let mut bench = Bench::new();
    let tag = bench.subscribed(&Subscribe { expires: 60, ..Subscribe::default() });
    bench.pass(Duration::from_secs(50));
    bench.say(Subscribe { to_tag: Some(tag), sequence: 2, expires: 60, ..Subscribe::default() }.text());
    assert!(bench.pass(Duration::from_secs(59)).is_empty());
    assert_eq!(bench.pass(Duration::from_secs(1)).len(), 1);
}

#[test]
fn strangers_and_strange_requests_are_refused_with_the_code_for_it() {
    let mut bench = Bench::new();
    let code = |bench: &mut Bench, subscribe: Subscribe<'_>| shape(&bench.say(subscribe.text()));
    assert_eq!(code(&mut bench, Subscribe { uri: "sip:nobody@sim.example", ..Subscribe::default() }), ["404"]);
    assert_eq!(code(&mut bench, Subscribe { event: "dialog", ..Subscribe::default() }), ["489"]);
    assert_eq!(code(&mut bench, Subscribe { to_tag: Some("x".into()), ..Subscribe::default() }), ["481"]);
    let publish = Subscribe::default().text().replace("SUBSCRIBE", "PUBLISH");
    assert_eq!(shape(&bench.say(publish)), ["405"]);
    let options = Subscribe::default().text().replace("SUBSCRIBE", "OPTIONS");
    assert_eq!(shape(&bench.say(options)), ["200"]);
    assert_eq!(bench.server.counters().options, 1);
    assert_eq!(bench.server.counters().refusals, 4);
}

#[test]
fn a_repeated_subscribe_gets_the_same_answer_and_an_older_one_500() {
    let mut bench = Bench::with(Wire::Udp, |_| {});
    let first = bench.say(Subscribe { sequence: 5, ..Subscribe::default() }.text());
    let again = bench.say(Subscribe { sequence: 5, ..Subscribe::default() }.text());
    assert_eq!(shape(&again), ["200"]);
    assert_eq!(again[0].header("To"), first[0].header("To"));
    assert_eq!(bench.server.counters().retransmissions, 1);
    let tag = first[0].to().unwrap().tag().map(str::to_owned);
    assert_eq!(shape(&bench.say(Subscribe { sequence: 4, to_tag: tag, ..Subscribe::default() }.text())), ["500"]);
    assert_eq!(bench.server.counters().active_subscriptions, 1);
}

#[test]
fn a_notify_over_udp_is_repeated_on_the_schedule_of_rfc_3261_and_then_given_up() {
    let mut bench = Bench::with(Wire::Udp, |_| {});
    bench.subscribed(&Subscribe::default());
    let at: Vec<u128> = bench.pass(Duration::from_secs(40)).iter().map(|(at, _)| at.as_millis()).collect();
    assert_eq!(at, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert_eq!(bench.server.counters().unanswered_notifies, 1);
    assert_eq!(bench.server.counters().active_subscriptions, 0);
}

#[test]
fn an_answered_notify_is_not_repeated() {
    let mut bench = Bench::with(Wire::Udp, |_| {});
    let sent = bench.say(Subscribe::default().text());
    bench.say(answer(&sent[1], 200));
    assert!(bench.pass(Duration::from_secs(40)).is_empty());
    assert_eq!(bench.server.counters().active_subscriptions, 1);
}

#[test]
fn a_subscriber_that_knows_no_such_dialog_is_believed() {
    let mut bench = Bench::new();
    let sent = bench.say(Subscribe::default().text());
    bench.say(answer(&sent[1], 481));
    assert_eq!(bench.server.counters().active_subscriptions, 0);
    assert_eq!(bench.server.counters().rejected_notifies, 1);
}

#[test]
fn a_termination_names_its_reason_and_concerns_one_agent() {
    let mut bench = Bench::new();
    bench.subscribed(&Subscribe::default());
    bench.subscribed(&Subscribe { uri: "sip:agent2@sim.example", call_id: "call-2", ..Subscribe::default() });
    let termination = Termination::because("probation").retry_after(Duration::from_secs(7));
    assert_eq!(bench.server.terminate(bench.now, Some(&Bench::agent()), &termination), 1);
    assert_eq!(shape(&bench.sent()), ["NOTIFY terminated;reason=probation;retry-after=7"]);
    assert_eq!(bench.server.counters().active_subscriptions, 1);
    assert_eq!(bench.server.terminate(bench.now, None, &Termination::default()), 1);
    assert_eq!(shape(&bench.sent()), ["NOTIFY terminated"]);
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed| {
        let mut bench = Bench::with(Wire::Tcp, |settings| {
            (settings.seed, settings.change_interval) = (seed, Some(Duration::from_secs(10)));
        });
        bench.subscribed(&Subscribe::default());
        let told = bench.pass(Duration::from_secs(600));
        told.iter().map(|(at, notify)| (*at, notify.body().clone())).collect::<Vec<_>>()
    };
    let told = story(1);
    assert!((35..90).contains(&told.len()), "about 60 changes in 600 s: {}", told.len());
    assert_eq!(told, story(1));
    assert_ne!(told, story(2));
    assert!(told.windows(2).all(|pair| pair[0].1 != pair[1].1), "each is a change");
}

#[test]
fn who_knows_the_password_may_subscribe() {
    for algorithm in [DigestAlgorithm::Md5, DigestAlgorithm::Sha256] {
        for qop in [None, Some("auth"), Some("auth,auth-int")] {
            let mut bench = Bench::with(Wire::Tcp, |settings| {
                let mut digest = DigestSettings::one_user("sim.example", "app", "secret");
                digest.algorithms = vec![algorithm];
                digest.qop = qop.map(str::to_owned);
                digest.nonce_uses = Some(2);
                settings.digest = Some(digest);
            });
            let client =
                |password: &str| DigestClient::new(Credentials { user: "app".into(), password: password.into() });
            let mut entropy: presence_sip::Entropy = Box::new(|bytes: &mut [u8]| bytes.fill(7));
            let challenge = &bench.say(Subscribe::default().text())[0];
            assert_eq!(challenge.status(), Some(401));
            let mut wrong = client("guess");
            wrong.challenge(challenge).unwrap();
            let mut right = client("secret");
            right.challenge(challenge).unwrap();
            let mut codes = Vec::new();
            for (sequence, client) in [(2, &mut wrong), (3, &mut right)] {
                let (name, value) = client.authorize("SUBSCRIBE", AGENT, &mut entropy).remove(0);
                let extra = format!("{name}: {value}\r\n");
                codes.extend(shape(&bench.say(Subscribe { sequence, extra, ..Subscribe::default() }.text())));
            }
            assert_eq!(codes, ["401", "200", "NOTIFY active"], "{algorithm:?} {qop:?}");
            assert_eq!(bench.server.counters().challenges, 2);
            assert_eq!(bench.server.counters().subscribes, 1);
        }
    }
}

#[test]
fn a_nonce_that_was_used_up_is_stale_and_the_next_one_is_good() {
    let mut bench = Bench::with(Wire::Tcp, |settings| {
        let digest = DigestSettings::one_user("sim.example", "app", "secret");
        settings.digest = Some(DigestSettings { nonce_uses: Some(1), ..digest });
    });
    let mut client = DigestClient::new(Credentials { user: "app".into(), password: "secret".into() });
    let mut entropy: presence_sip::Entropy = Box::new(|bytes: &mut [u8]| bytes.fill(7));
    client.challenge(&bench.say(Subscribe::default().text())[0]).unwrap();
    let mut codes = Vec::new();
    for sequence in 2..=4 {
        let (name, value) = client.authorize("SUBSCRIBE", AGENT, &mut entropy).remove(0);
        let (call_id, extra) = (format!("call-{sequence}"), format!("{name}: {value}\r\n"));
        let sent = bench.say(Subscribe { sequence, call_id: &call_id, extra, ..Subscribe::default() }.text());
        codes.push(sent[0].status());
        if sent[0].status() == Some(401) {
            assert!(sent[0].header("WWW-Authenticate").unwrap().contains("stale=true"));
            client.challenge(&sent[0]).unwrap();
        }
    }
    assert_eq!(codes, [Some(200), Some(401), Some(200)]);
}

#[test]
fn a_mute_server_tells_no_change_keeps_its_dialogs_and_answers_queries_and_new_subscriptions() {
    let mut bench = Bench::new();
    let tag = bench.subscribed(&Subscribe::default());
    assert_eq!(bench.server.mute(Some(&Bench::agent())), 1);
    assert!(bench.server.set_presence(bench.now, &Bench::agent(), AgentState::of(Activity::Busy)));
    assert!(bench.sent().is_empty(), "without a sign");
    let query = bench.say(Subscribe { expires: 0, call_id: "query", ..Subscribe::default() }.text());
    assert_eq!(shape(&query), ["200", "NOTIFY terminated;reason=timeout"]);
    assert!(std::str::from_utf8(query[1].body()).unwrap().contains("<rpid:busy/>"));
    assert_eq!((bench.server.counters().queries, bench.server.counters().unsubscribes), (1, 0));
    let refresh = Subscribe { to_tag: Some(tag), sequence: 2, ..Subscribe::default() };
    assert_eq!(bench.say(refresh.text()).len(), 2);
    assert!(bench.server.set_presence(bench.now, &Bench::agent(), AgentState::of(Activity::Away)));
    assert!(bench.sent().is_empty(), "a refresh does not mend it");
    bench.subscribed(&Subscribe { call_id: "call-2", ..Subscribe::default() });
    assert!(bench.server.set_presence(bench.now, &Bench::agent(), AgentState::of(Activity::Busy)));
    assert_eq!(bench.sent().len(), 1, "the new one is told");
    assert_eq!(bench.server.mute(None), 2);
    bench.server.heal();
    assert!(bench.server.set_presence(bench.now, &Bench::agent(), AgentState::of(Activity::Away)));
    assert_eq!(bench.sent().len(), 2);
}

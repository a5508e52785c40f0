//! The connection, the registration and the endpoint itself go.

use presence_core::{Again, FailureKind, TransitionReason};
use presence_sip::{Dialect, Method, SubscriberEffect};

use crate::pool::{FLUSH, ONE, Pool, TWO, agent, ended, listed, multipart, notification, seconds, state};

#[test]
fn what_outlived_its_connection_is_ended_by_one_message_before_the_pool_counts_as_back() {
    let (mut pool, home) = Pool::live(15, &[agent(1), agent(2)]);
    pool.lose_transport();
    pool.quiet();
    // The server may still speak of it; nobody listens.
    pool.receive(&notification("NOTIFY", &home, 9, "subscription-state: active", None));
    assert_eq!(pool.request_or_answer(), Some(200));
    pool.subject.probe(pool.now);
    pool.drain();
    let register = pool.request();
    assert_eq!(register.method(), Some(&Method::Register));
    pool.silent();
    pool.accept_register(&register);
    let end = pool.request();
    assert_eq!((end.call_id(), end.expires(), end.body().len()), (home.call_id(), Some(seconds(0)), 0));
    assert_eq!(end.to().unwrap().tag(), Some("fe"));
    pool.silent();
    let told = [pool.tell(), pool.tell(), pool.tell()];
    assert_eq!(told, [ended(&agent(1), ONE), ended(&agent(2), ONE), SubscriberEffect::ProbeAnswered]);
    // New dialogs begin when the server has let the old one go, and not before.
    pool.subscribe(&agent(1), TWO);
    pool.pass(FLUSH);
    pool.silent();
    pool.answer(&end, 481, &[]);
    pool.quiet();
    let anew = pool.flushed();
    assert_ne!(anew.call_id(), home.call_id());
    assert_eq!(pool.subject.stats().dialogs, 1);
}

#[test]
fn what_was_waiting_or_on_its_way_fails_with_the_endpoint() {
    let (mut pool, _) = Pool::live(15, &[agent(1), agent(2), agent(3)]);
    pool.subscribe(&agent(4), ONE);
    pool.refresh(&agent(2), ONE);
    pool.unsubscribe(&agent(3), ONE);
    pool.flushed();
    pool.subscribe(&agent(5), ONE);
    pool.lose_transport();
    let told: Vec<_> = pool.told.drain(..).collect();
    assert!(told.contains(&ended(&agent(3), ONE)));
    let failed: Vec<_> = told
        .iter()
        .filter_map(|told| match told {
            SubscriberEffect::Failed { uri, failure, .. } => {
                assert_eq!(failure.kind, FailureKind::Endpoint);
                Some(uri.clone())
            }
            _ => None,
        })
        .collect();
    assert_eq!(failed, [agent(2), agent(4), agent(5)]);
    assert_eq!(told.len(), 4);
    pool.register_quietly();
    assert_eq!(pool.told.drain(..).collect::<Vec<_>>(), [ended(&agent(1), ONE), SubscriberEffect::ProbeAnswered]);
    pool.pass(FLUSH);
}

#[test]
fn an_orphan_that_has_run_out_is_not_ended_again() {
    let (mut pool, _) = Pool::live(15, &[agent(1)]);
    pool.lose_transport();
    pool.pass(seconds(28_801));
    pool.quiet();
    pool.register_quietly();
    assert_eq!(pool.told.drain(..).collect::<Vec<_>>(), [ended(&agent(1), ONE), SubscriberEffect::ProbeAnswered]);
    pool.silent();
}

#[test]
fn who_is_let_go_while_the_pool_is_away_ends_once() {
    let (mut pool, _) = Pool::live(15, &[agent(1), agent(2)]);
    pool.lose_transport();
    pool.unsubscribe(&agent(1), ONE);
    assert_eq!(pool.tell(), ended(&agent(1), ONE));
    pool.register_quietly();
    assert_eq!(pool.told.drain(..).collect::<Vec<_>>(), [ended(&agent(2), ONE), SubscriberEffect::ProbeAnswered]);
}

#[test]
fn every_single_dialog_is_ended_too() {
    let (mut pool, home) = Pool::live(15, &[agent(1), agent(2)]);
    let subscribe = crate::singles::single(&mut pool, &home, &agent(1));
    pool.accept(&subscribe, &[], &[state(agent(1).as_str(), 3_500)]);
    pool.told.clear();
    pool.lose_transport();
    pool.register_quietly();
    pool.pass(FLUSH);
    let ends: Vec<_> = pool.sent.drain(..).map(|sent| (sent.call_id().to_owned(), sent.expires())).collect();
    let zero = Some(seconds(0));
    assert_eq!(ends, [(home.call_id().to_owned(), zero), (subscribe.call_id().to_owned(), zero)]);
}

#[test]
fn a_pool_that_ends_the_registration_has_dropped_the_dialogs() {
    let (mut pool, _) = Pool::live(15, &[agent(1)]);
    let event = "NOTIFY sip:app@domain.com SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.9:5061;branch=z9hG4bKr1\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:app@domain.com>;tag=r1\r\nTo: <sip:app@domain.com>;epid=84d3db8c23\r\n\
                 Call-ID: r1\r\nCSeq: 1 NOTIFY\r\nEvent: registration-notify\r\nContent-Type: text/registration-event\r\n\
                 subscription-state: terminated;expires=0\r\nms-diagnostics: 4140;reason=\"too many\"\r\n\
                 Content-Length: 31\r\n\r\nderegistered;event=unregistered";
    pool.receive(event);
    assert_eq!(pool.request_or_answer(), Some(200));
    match pool.tell() {
        SubscriberEffect::Deregistered { reason, again, .. } => {
            assert_eq!((reason, again), (TransitionReason::TooManyActiveEndpoints, Again::AfterBackOff));
        }
        other => panic!("{other:?}"),
    }
    pool.quiet();
    assert_eq!(pool.subject.stats().dialogs, 0);
    pool.register_quietly();
    assert_eq!(pool.told.drain(..).collect::<Vec<_>>(), [ended(&agent(1), ONE), SubscriberEffect::ProbeAnswered]);
    pool.silent();
}

#[test]
fn a_registered_endpoint_is_asked_for_a_sign_of_life_by_options() {
    let (mut pool, _) = Pool::live(15, &[agent(1)]);
    pool.subject.probe(pool.now);
    pool.drain();
    let options = pool.request();
    assert_eq!(options.method(), Some(&Method::Options));
    pool.pass(seconds(11));
    assert!(matches!(pool.tell(), SubscriberEffect::ProbeFailed(_)));
    pool.subject.probe(pool.now);
    pool.drain();
    let options = pool.request();
    pool.answer(&options, 503, &["Retry-After: 7"]);
    assert_eq!(pool.tell(), SubscriberEffect::Overloaded { retry_after: Some(seconds(7)) });
    pool.subject.probe(pool.now);
    pool.drain();
    let options = pool.request();
    pool.lose_transport();
    assert!(matches!(pool.tell(), SubscriberEffect::ProbeFailed(_)));
    pool.answer(&options, 200, &[]);
    pool.quiet();
}

#[test]
fn leaving_ends_every_dialog_then_the_registration_and_says_so() {
    let (mut pool, home) = Pool::live(15, &[agent(1), agent(2), agent(3)]);
    let row = "state=\"resubscribe\" poolFqdn=\"sip:pool2.domain.com\"";
    pool.notify("BENOTIFY", &home, "subscription-state: active", Some(multipart(&[(&agent(3), row)], &[])));
    pool.told.clear();
    pool.refresh(&agent(3), ONE);
    let batch = pool.flushed();
    pool.accept_all(&batch);
    pool.told.clear();
    pool.subscribe(&agent(4), ONE);
    pool.subject.leave(pool.now);
    pool.drain();
    let told: Vec<_> = pool.told.drain(..).collect();
    assert_eq!(told, [1, 2, 3, 4].map(|number| ended(&agent(number), ONE)));
    pool.subscribe(&agent(5), ONE);
    assert_eq!(pool.failure().kind, FailureKind::Endpoint, "nothing begins any more");
    let (first, second, register) = (pool.request(), pool.request(), pool.request());
    assert_eq!((first.expires(), second.expires()), (Some(seconds(0)), Some(seconds(0))));
    assert_eq!([first.call_id(), second.call_id()], [home.call_id(), batch.call_id()]);
    assert_eq!((register.method(), register.expires()), (Some(&Method::Register), Some(seconds(0))));
    pool.answer(&first, 200, &[]);
    pool.answer(&register, 200, &["Expires: 0"]);
    pool.quiet();
    pool.answer(&second, 481, &[]);
    assert_eq!(pool.tell(), SubscriberEffect::Left);
    pool.pass(seconds(100));
    pool.silent();
    pool.quiet();
}

#[test]
fn leaving_takes_two_seconds_when_nobody_answers_and_none_without_a_connection() {
    let (mut pool, _) = Pool::live(15, &[agent(1)]);
    pool.subject.leave(pool.now);
    pool.pass(seconds(2));
    assert_eq!(pool.told.back(), Some(&SubscriberEffect::Left));
    let (mut pool, _) = Pool::live(15, &[agent(1)]);
    pool.subject.leave(pool.now);
    pool.lose_transport();
    assert_eq!(pool.told.back(), Some(&SubscriberEffect::Left));
}

#[test]
fn a_dialog_that_is_beginning_is_ended_when_it_has_begun() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let subscribe = pool.flushed();
    pool.subject.leave(pool.now);
    pool.drain();
    assert_eq!(pool.tell(), ended(&agent(1), ONE));
    pool.silent();
    pool.accept_all(&subscribe);
    let end = pool.request();
    assert_eq!((end.call_id(), end.expires()), (subscribe.call_id(), Some(seconds(0))));
    assert_eq!(pool.request().method(), Some(&Method::Register));
}

#[test]
fn a_failed_registration_is_a_failed_probe() {
    let mut pool = Pool::with(15, |_| {});
    pool.subject.probe(pool.now);
    pool.drain();
    let register = pool.request();
    pool.answer(&register, 480, &[]);
    assert!(matches!(pool.tell(), SubscriberEffect::ProbeFailed(_)));
    pool.quiet();
}

#[test]
fn single_dialogs_are_ended_at_the_rate_and_each_before_its_agent_is_subscribed_anew() {
    let agents: Vec<_> = (1..=10).map(agent).collect();
    let (mut pool, home) = Pool::live(2, &agents[..1]);
    for uri in &agents[1..] {
        pool.subscribe(uri, ONE);
        let asked = pool.flushed();
        pool.accept(&asked, &[(uri, "state=\"resubscribe\"")], &[]);
        pool.refresh(uri, ONE);
        let single = pool.flushed();
        pool.accept(&single, &[], &[state(uri.as_str(), 3_500)]);
    }
    pool.told.clear();
    pool.lose_transport();
    pool.register_quietly();
    let told = pool.told.drain(..).collect::<Vec<_>>();
    assert_eq!((told.len(), told.last()), (11, Some(&SubscriberEffect::ProbeAnswered)));
    let ends = |pool: &mut Pool| -> Vec<String> {
        let sent = pool.sent.drain(..).filter(|sent| sent.expires() == Some(seconds(0)));
        sent.map(|sent| sent.to().unwrap().uri.to_owned()).collect()
    };
    let first = pool.request();
    assert_eq!((first.call_id(), first.expires()), (home.call_id(), Some(seconds(0))));
    assert_eq!(ends(&mut pool).len(), 0, "the rest in time");
    pool.answer(&first, 200, &[]);
    pool.subscribe(&agents[9], TWO);
    pool.pass(FLUSH);
    let sent: Vec<_> = pool.sent.iter().map(|sent| (sent.to().unwrap().uri.to_owned(), sent.body().len())).collect();
    let farewell = sent.iter().position(|(to, body)| to == agents[9].as_str() && *body == 0);
    let anew = sent.iter().position(|(_, body)| *body > 0);
    assert!(farewell.is_some() && farewell < anew, "{sent:?}");
    let mut all = ends(&mut pool);
    assert!(all.len() <= 3, "{all:?}");
    for _ in 0..4 {
        pool.pass(FLUSH);
        let some = ends(&mut pool);
        assert!(some.len() <= 2, "{some:?}");
        all.extend(some);
    }
    all.sort();
    let mut expected: Vec<_> = agents[1..].iter().map(|uri| uri.as_str().to_owned()).collect();
    expected.sort();
    assert_eq!(all, expected, "each once");
}

#[test]
fn a_connection_that_is_lost_again_ends_nothing_twice_and_leaving_ends_the_rest() {
    let agents: Vec<_> = (1..=6).map(agent).collect();
    let mut pool = Pool::registered(1);
    for uri in &agents {
        pool.subscribe(uri, ONE);
        let asked = pool.flushed();
        pool.accept(&asked, &[(uri, "state=\"resubscribe\"")], &[]);
        pool.refresh(uri, ONE);
        let single = pool.flushed();
        pool.accept(&single, &[], &[state(uri.as_str(), 3_500)]);
    }
    pool.told.clear();
    pool.lose_transport();
    pool.register_quietly();
    pool.sent.clear();
    pool.pass(FLUSH);
    pool.pass(FLUSH);
    assert_eq!(pool.sent.drain(..).count(), 2);
    pool.lose_transport();
    pool.pass(seconds(5));
    pool.silent();
    pool.register_quietly();
    pool.pass(FLUSH);
    assert_eq!(pool.sent.drain(..).count(), 2, "the list's end, which was not answered, and one of those that wait");
    pool.subject.leave(pool.now);
    pool.drain();
    let ends = pool.sent.iter().filter(|sent| sent.method() == Some(&Method::Subscribe)).count();
    assert_eq!(ends, 5, "two of them for the second time, as nobody knows whether the first arrived");
}

#[test]
fn a_server_that_does_not_let_a_dialog_go_is_asked_again_and_a_new_list_waits_for_that() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    pool.lose_transport();
    pool.register_quietly();
    pool.told.clear();
    let mut end = pool.request();
    pool.subscribe(&agent(1), TWO);
    for wait in [2, 4, 8] {
        pool.answer(&end, 503, &[]);
        pool.pass(seconds(wait) - std::time::Duration::from_millis(1));
        pool.silent();
        pool.pass(std::time::Duration::from_millis(1));
        end = pool.request();
        assert_eq!((end.call_id(), end.expires()), (home.call_id(), Some(seconds(0))), "after {wait} s");
    }
    pool.answer(&end, 200, &[]);
    assert_eq!(listed(&pool.flushed(), "subscribe"), [agent(1).as_str()]);
}

#[test]
fn a_server_that_never_lets_a_dialog_go_keeps_nobody_waiting_for_ever() {
    let (mut pool, _) = Pool::live(15, &[agent(1)]);
    pool.lose_transport();
    pool.register_quietly();
    for wait in [2, 4, 8, 16, 32, 64] {
        let end = pool.request();
        pool.answer(&end, 405, &[]);
        pool.pass(seconds(wait));
    }
    let end = pool.request();
    pool.answer(&end, 405, &[]);
    pool.subscribe(&agent(1), TWO);
    assert_eq!(listed(&pool.flushed(), "subscribe"), [agent(1).as_str()]);
    pool.pass(seconds(63));
    let end = pool.request();
    assert_eq!(end.expires(), Some(seconds(0)), "it is still asked to");
    pool.answer(&end, 481, &[]);
    pool.pass(seconds(600));
    pool.silent();
}

#[test]
fn whoever_could_not_be_sent_for_a_minute_is_given_back_and_never_sent_behind_the_agents_back() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let first = pool.flushed();
    pool.answer(&first, 503, &["Retry-After: 300"]);
    pool.told.clear();
    pool.subscribe(&agent(2), ONE);
    pool.pass(seconds(59));
    pool.quiet();
    pool.pass(seconds(3));
    assert_eq!(pool.failure().kind, FailureKind::Endpoint);
    pool.pass(seconds(600));
    assert!(pool.sent.iter().all(|sent| sent.method() != Some(&Method::Subscribe)), "{:?}", pool.sent);
}

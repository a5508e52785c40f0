//! Agents that do not fit into a batch: RLMI `resubscribe` without a pool (facts B.3).

use presence_core::{AgentUri, FailureKind};
use presence_sip::{Message, SubscriberEffect};

use crate::pool::{FLUSH, ONE, Pool, agent, contact, ended, joined, listed, multipart, reply, seconds, state, wants};

/// An agent with a dialog of its own, and the SUBSCRIBE that began it.
pub(crate) fn single(pool: &mut Pool, home: &Message, uri: &AgentUri) -> Message {
    let body = multipart(&[(uri, "state=\"resubscribe\"")], &[]);
    pool.notify("BENOTIFY", home, "subscription-state: active;expires=28000", Some(body));
    assert_eq!((pool.tell(), pool.tell()), (joined(uri, ONE), wants(uri, ONE)));
    pool.refresh(uri, ONE);
    pool.flushed()
}

fn accepted(pool: &mut Pool, subscribe: &Message, uri: &AgentUri) {
    let document = ("application/msrtc-event-categories+xml".to_owned(), state(uri.as_str(), 6_500));
    pool.receive(&reply(subscribe, 200, &[&contact(), "Expires: 3600", "ms-piggyback-cseq: 1"], Some(document)));
    assert_eq!(pool.tell(), joined(uri, ONE));
    assert!(matches!(pool.tell(), SubscriberEffect::Notified { status: Some(_), .. }));
}

#[test]
fn resubscribe_makes_a_dialog_of_its_own_without_the_options_of_a_list() {
    let (mut pool, home) = Pool::live(15, &[agent(1), agent(2)]);
    let subscribe = single(&mut pool, &home, &agent(1));
    assert_ne!(subscribe.call_id(), home.call_id());
    assert_eq!(subscribe.request_uri(), Some("sip:agent1@domain.com"));
    assert_eq!(subscribe.to().unwrap().uri, "sip:agent1@domain.com");
    assert_eq!(subscribe.header("Require"), None);
    assert!(!subscribe.values("Supported").any(|option| option == "eventlist"));
    assert_eq!(listed(&subscribe, "subscribe"), ["sip:agent1@domain.com"]);
    accepted(&mut pool, &subscribe, &agent(1));
    // It is refreshed by itself: half of a lifetime of an hour and a quarter before its end.
    pool.pass(seconds(2_701));
    assert_eq!(pool.tell(), wants(&agent(1), ONE));
    pool.refresh(&agent(1), ONE);
    let refresh = pool.flushed();
    assert_eq!((refresh.call_id(), refresh.request_uri()), (subscribe.call_id(), Some(crate::pool::TARGET)));
}

#[test]
fn resubscribe_in_the_200_itself_joins_and_moves() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let first = pool.flushed();
    pool.accept(&first, &[(&agent(1), "state=\"resubscribe\"")], &[]);
    assert_eq!((pool.tell(), pool.tell()), (joined(&agent(1), ONE), wants(&agent(1), ONE)));
    pool.quiet();
}

#[test]
fn a_single_that_is_told_to_resubscribe_is_not_sent_round_for_ever() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    let subscribe = single(&mut pool, &home, &agent(1));
    pool.accept(&subscribe, &[(&agent(1), "state=\"resubscribe\"")], &[]);
    assert_eq!(pool.failure().kind, FailureKind::Transient);
    assert_eq!(pool.request().expires(), Some(seconds(0)), "the useless dialog is ended");
}

#[test]
fn the_end_of_a_single_is_one_expires_0_without_a_body() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    let subscribe = single(&mut pool, &home, &agent(1));
    accepted(&mut pool, &subscribe, &agent(1));
    pool.unsubscribe(&agent(1), ONE);
    let end = pool.flushed();
    assert_eq!((end.expires(), end.body().len(), end.call_id()), (Some(seconds(0)), 0, subscribe.call_id()));
    pool.quiet();
    pool.answer(&end, 200, &["Expires: 0"]);
    assert_eq!(pool.tell(), ended(&agent(1), ONE));
    let last = crate::pool::notification("NOTIFY", &subscribe, 9, "subscription-state: terminated;expires=0", None);
    pool.receive(&last);
    assert_eq!(pool.sent.pop_front().unwrap().status(), Some(200));
    assert_eq!(presence_sip::Dialect::stats(&pool.subject).dialogs, 1, "the home dialog is left");
}

#[test]
fn an_agent_that_is_wanted_again_while_its_single_ends_gets_a_new_one() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    let subscribe = single(&mut pool, &home, &agent(1));
    accepted(&mut pool, &subscribe, &agent(1));
    pool.unsubscribe(&agent(1), ONE);
    let end = pool.flushed();
    pool.subscribe(&agent(1), crate::pool::TWO);
    assert_eq!(pool.tell(), ended(&agent(1), ONE));
    pool.answer(&end, 200, &["Expires: 0"]);
    pool.pass(FLUSH);
    let anew = pool.request();
    assert_ne!(anew.call_id(), subscribe.call_id());
    assert_eq!(anew.request_uri(), Some("sip:agent1@domain.com"));
}

#[test]
fn what_a_single_is_refused_with_is_about_the_agent() {
    for (status, kind) in [
        (403, FailureKind::Forbidden),
        (404, FailureKind::NotFound),
        (480, FailureKind::Transient),
        (481, FailureKind::Dialog),
        (503, FailureKind::Endpoint),
    ] {
        let (mut pool, home) = Pool::live(15, &[agent(1)]);
        let subscribe = single(&mut pool, &home, &agent(1));
        pool.answer(&subscribe, status, &[]);
        if status == 503 {
            assert_eq!(pool.tell(), SubscriberEffect::Overloaded { retry_after: None });
        }
        assert_eq!(pool.failure().kind, kind, "{status}");
        pool.quiet();
        assert_eq!(presence_sip::Dialect::stats(&pool.subject).dialogs, 1);
    }
}

#[test]
fn a_single_that_the_server_ends_fails_by_its_reason() {
    for (reason, kind) in [
        ("rejected", FailureKind::Forbidden),
        ("noresource", FailureKind::NotFound),
        ("deactivated", FailureKind::Dialog),
        ("giveup", FailureKind::Transient),
    ] {
        let (mut pool, home) = Pool::live(15, &[agent(1)]);
        let subscribe = single(&mut pool, &home, &agent(1));
        accepted(&mut pool, &subscribe, &agent(1));
        let head = format!("subscription-state: terminated;reason={reason}");
        pool.receive(&crate::pool::notification("BENOTIFY", &subscribe, 7, &head, None));
        assert_eq!(pool.failure().kind, kind, "{reason}");
    }
}

#[test]
fn a_single_that_nobody_answers_is_the_agents_own_trouble() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    single(&mut pool, &home, &agent(1));
    pool.pass(seconds(33));
    assert_eq!(pool.tell(), SubscriberEffect::Congested);
    assert_eq!(pool.failure().kind, FailureKind::Transient);
}

#[test]
fn a_single_whose_quota_is_full_backs_off() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    let subscribe = single(&mut pool, &home, &agent(1));
    let row = "state=\"terminated\" reason=\"quotaExceeded\" statusCode=\"413\" msDiagCode=\"2012\"";
    pool.accept(&subscribe, &[(&agent(1), row)], &[]);
    assert_eq!(pool.failure().kind, FailureKind::Transient);
}

//! RLMI rows that send agents to other pools or turn them away (facts B.3).

use presence_core::FailureKind;
use presence_sip::{Dialect, SubscriberEffect};

use crate::pool::{FLUSH, ONE, Pool, agent, carried, joined, listed, multipart, seconds, state, wants};

const POOL2: &str = "sip:pool2.domain.com@domain.com;gruu;opaque=srvr:HomeServer:Gq5mPFi5TkyG7wAaZgZk1wAA";

#[test]
fn active_with_a_document_subscribes() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let first = pool.flushed();
    pool.accept(
        &first,
        &[(&agent(1), "state=\"active\" cid=\"agent1@domain.com\"")],
        &[state(agent(1).as_str(), 3_500)],
    );
    assert_eq!(pool.tell(), joined(&agent(1), ONE));
    match pool.tell() {
        SubscriberEffect::Notified { uri, attempt, status: Some(status), expires: None } => {
            assert_eq!((uri, attempt, status.availability.value()), (agent(1), ONE, 3_500));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_agent_that_is_neither_in_the_list_nor_in_a_document_has_no_data_yet() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    pool.subscribe(&agent(2), ONE);
    let first = pool.flushed();
    // The second is missing in the list although it has data, the first has neither.
    pool.accept(&first, &[], &[state(agent(2).as_str(), 3_500)]);
    assert_eq!((pool.tell(), pool.tell()), (joined(&agent(1), ONE), joined(&agent(2), ONE)));
    assert!(matches!(pool.tell(), SubscriberEffect::Notified { uri, .. } if uri == agent(2)));
    pool.quiet();
}

#[test]
fn agents_of_one_other_pool_go_there_in_one_batch() {
    let (mut pool, home) = Pool::live(15, &[agent(1), agent(2), agent(3)]);
    let row = format!("state=\"resubscribe\" poolFqdn=\"{POOL2}\"");
    let body = multipart(&[(&agent(1), &row), (&agent(3), &row)], &[]);
    pool.notify("BENOTIFY", &home, "subscription-state: active;expires=28000", Some(body));
    for uri in [agent(1), agent(3)] {
        assert_eq!((pool.tell(), pool.tell()), (joined(&uri, ONE), wants(&uri, ONE)));
        pool.refresh(&uri, ONE);
    }
    let batch = pool.flushed();
    assert_eq!((batch.request_uri(), batch.to().unwrap().uri), (Some(POOL2), POOL2));
    assert_eq!(batch.header("Require"), Some("adhoclist, categoryList"));
    assert_eq!(listed(&batch, "subscribe"), ["sip:agent1@domain.com", "sip:agent3@domain.com"]);
    assert_ne!(batch.call_id(), home.call_id());
    pool.accept_all(&batch);
    assert_eq!(pool.subject.stats().live, 2);
    pool.told.clear();
    // A later one joins the same dialog.
    let body = multipart(&[(&agent(2), &row)], &[]);
    pool.notify("BENOTIFY", &home, "subscription-state: active;expires=28000", Some(body));
    pool.refresh(&agent(2), ONE);
    let more = pool.flushed();
    assert_eq!((more.call_id(), carried(&more)), (batch.call_id(), 1));
}

#[test]
fn a_pool_that_sends_back_to_itself_is_not_followed() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    let row = format!("state=\"resubscribe\" poolFqdn=\"{POOL2}\"");
    let body = multipart(&[(&agent(1), &row)], &[]);
    pool.notify("BENOTIFY", &home, "subscription-state: active;expires=28000", Some(body));
    pool.told.clear();
    pool.refresh(&agent(1), ONE);
    let batch = pool.flushed();
    pool.accept(&batch, &[(&agent(1), &row)], &[]);
    assert_eq!(pool.failure().kind, FailureKind::Transient);
    pool.quiet();
}

#[test]
fn a_pool_with_an_impossible_name_is_a_passing_failure() {
    for name in ["a b", "sip:x@y@z", &"x".repeat(600)] {
        let (mut pool, home) = Pool::live(15, &[agent(1)]);
        let row = format!("state=\"resubscribe\" poolFqdn=\"{name}\"");
        pool.notify("BENOTIFY", &home, "subscription-state: active", Some(multipart(&[(&agent(1), &row)], &[])));
        assert_eq!(pool.failure().kind, FailureKind::Transient, "{name}");
    }
}

#[test]
fn each_end_in_the_list_is_owned_as_its_status_and_diagnosis_say() {
    for (row, kind) in [
        ("state=\"terminated\" statusCode=\"403\"", FailureKind::Forbidden),
        ("state=\"terminated\" statusCode=\"403\" msDiagCode=\"2004\"", FailureKind::Forbidden),
        ("state=\"terminated\" reason=\"rejected\"", FailureKind::Forbidden),
        ("state=\"terminated\" statusCode=\"404\"", FailureKind::NotFound),
        ("state=\"terminated\" statusCode=\"404\" msDiagCode=\"1003\"", FailureKind::NotFound),
        ("state=\"terminated\" reason=\"noresource\"", FailureKind::NotFound),
        ("state=\"terminated\" statusCode=\"410\"", FailureKind::NotFound),
        ("state=\"terminated\" statusCode=\"480\" msDiagCode=\"1007\"", FailureKind::Transient),
        ("state=\"terminated\" statusCode=\"504\"", FailureKind::Transient),
        ("state=\"terminated\" statusCode=\"408\"", FailureKind::Transient),
        ("state=\"terminated\" reason=\"deactivated\"", FailureKind::Dialog),
        ("state=\"terminated\"", FailureKind::Transient),
        ("state=\"deferred\"", FailureKind::Transient),
        ("state=\"poll\"", FailureKind::Transient),
    ] {
        let mut pool = Pool::registered(15);
        pool.subscribe(&agent(1), ONE);
        pool.subscribe(&agent(2), ONE);
        let first = pool.flushed();
        pool.accept(&first, &[(&agent(1), row)], &[]);
        assert_eq!(pool.failure().kind, kind, "{row}");
        assert_eq!(pool.tell(), joined(&agent(2), ONE), "the other is not concerned");
        pool.quiet();
        // The one that failed may come again, into the same dialog.
        pool.subscribe(&agent(1), crate::pool::TWO);
        let again = pool.flushed();
        assert_eq!(again.call_id(), first.call_id());
    }
}

#[test]
fn another_pool_that_cannot_serve_is_left_alone_and_home_goes_on() {
    let (mut pool, home) = Pool::live(15, &[agent(1), agent(2)]);
    let row = format!("state=\"resubscribe\" poolFqdn=\"{POOL2}\"");
    pool.notify("BENOTIFY", &home, "subscription-state: active", Some(multipart(&[(&agent(1), &row)], &[])));
    pool.told.clear();
    pool.refresh(&agent(1), ONE);
    let batch = pool.flushed();
    pool.answer(&batch, 504, &[]);
    assert_eq!(pool.failure().kind, FailureKind::Endpoint);
    pool.quiet();
    // What is asked for there is held back; home is not.
    pool.subscribe(&agent(3), ONE);
    let message = pool.flushed();
    assert_eq!(message.call_id(), home.call_id());
    pool.pass(FLUSH);
    pool.pass(seconds(10));
    pool.silent();
}

//! Messages that are refused for what is in them: bisected, halved, reworded.

use std::collections::BTreeSet;

use presence_core::FailureKind;
use presence_sip::{Message, SubscriberEffect};

use crate::pool::{FLUSH, ONE, Pool, agent, carried, ended, joined, listed, multipart, reply, seconds};

/// Answers everything as a server that cannot stand this agent: 400 for each message with it.
fn serve_but(pool: &mut Pool, culprit: &str) -> Vec<usize> {
    let mut sizes = Vec::new();
    for _ in 0..40 {
        pool.pass(FLUSH);
        while let Some(message) = pool.sent.pop_front() {
            sizes.push(carried(&message));
            if listed(&message, "subscribe").iter().any(|uri| uri == culprit) {
                pool.answer(&message, 400, &[]);
            } else {
                pool.accept_all(&message);
            }
        }
    }
    sizes
}

#[test]
fn bisection_finds_the_one_uri_that_spoils_a_batch_and_only_that_one_fails() {
    for (count, culprit) in [(2, 0), (15, 14), (8, 3), (1, 0)] {
        let mut pool = Pool::registered(15);
        (0..count).for_each(|number| pool.subscribe(&agent(number), ONE));
        let sizes = serve_but(&mut pool, agent(culprit).as_str());
        let failed: Vec<_> = pool
            .told
            .iter()
            .filter_map(|told| match told {
                SubscriberEffect::Failed { uri, failure, .. } => Some((uri.clone(), failure.kind)),
                _ => None,
            })
            .collect();
        assert_eq!(failed, [(agent(culprit), FailureKind::Forbidden)]);
        let joined: BTreeSet<_> = pool
            .told
            .iter()
            .filter_map(|told| match told {
                SubscriberEffect::Joined { uri, .. } => Some(uri.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(joined.len(), count - 1);
        assert!(sizes.len() <= 10, "{sizes:?}");
        assert_eq!(presence_sip::Dialect::stats(&pool.subject).dialogs, usize::from(count > 1));
    }
}

#[test]
fn bisection_in_a_living_dialog_stays_in_it() {
    let (mut pool, home) = Pool::live(15, &[agent(0)]);
    (1..6).for_each(|number| pool.subscribe(&agent(number), ONE));
    let first = pool.flushed();
    pool.answer(&first, 400, &[]);
    pool.silent();
    let half = pool.flushed();
    assert_eq!((half.call_id(), carried(&half)), (home.call_id(), 2));
    pool.accept_all(&half);
    let other = pool.flushed();
    assert_eq!((other.call_id(), carried(&other)), (home.call_id(), 3));
}

#[test]
fn a_400_that_is_about_us_is_not_bisected() {
    for diagnosis in ["4010", "4011", "4012", "2013"] {
        let mut pool = Pool::registered(15);
        (0..4).for_each(|number| pool.subscribe(&agent(number), ONE));
        let message = pool.flushed();
        pool.answer(&message, 400, &[&format!("ms-diagnostics: {diagnosis};reason=\"epid missing\"")]);
        assert!(matches!(pool.tell(), SubscriberEffect::Unsupported(_)));
        for _ in 0..4 {
            assert_eq!(pool.failure().kind, FailureKind::Endpoint);
        }
        pool.pass(seconds(60));
        pool.silent();
    }
}

#[test]
fn a_400_about_the_body_is_bisected_as_one_uri_has_spoilt_it() {
    for diagnosis in ["4001", "4002", "1000"] {
        let mut pool = Pool::registered(15);
        (0..4).for_each(|number| pool.subscribe(&agent(number), ONE));
        let message = pool.flushed();
        pool.answer(&message, 400, &[&format!("ms-diagnostics: {diagnosis};reason=\"bad XML\"")]);
        pool.quiet();
        assert_eq!(listed(&pool.flushed(), "subscribe").len(), 2, "half of it, diagnosed with {diagnosis}");
    }
}

#[test]
fn a_telephone_number_is_never_put_on_the_wire() {
    let mut pool = Pool::registered(15);
    let line: presence_core::AgentUri = "tel:4711".parse().unwrap();
    pool.subscribe(&line, ONE);
    assert_eq!(pool.failure().kind, FailureKind::Forbidden);
    pool.pass(seconds(60));
    pool.silent();
}

#[test]
fn who_is_let_go_while_its_batch_is_bisected_is_not_sent_again() {
    let mut pool = Pool::registered(15);
    (0..4).for_each(|number| pool.subscribe(&agent(number), ONE));
    let first = pool.flushed();
    pool.answer(&first, 400, &[]);
    pool.unsubscribe(&agent(0), ONE);
    assert_eq!(pool.tell(), ended(&agent(0), ONE));
    assert_eq!(listed(&pool.flushed(), "subscribe"), ["sip:agent1@domain.com"]);
}

#[test]
fn a_message_that_is_too_large_is_halved_for_good() {
    let mut pool = Pool::registered(15);
    (0..15).for_each(|number| pool.subscribe(&agent(number), ONE));
    let first = pool.flushed();
    assert_eq!(carried(&first), 15);
    pool.answer(&first, 413, &[]);
    pool.quiet();
    let mut seen = Vec::new();
    for size in [7, 7, 1] {
        let message = pool.flushed();
        assert_eq!(carried(&message), size);
        seen.extend(listed(&message, "subscribe"));
        pool.accept_all(&message);
    }
    let expected: Vec<String> = (0..15).map(|number| agent(number).as_str().to_owned()).collect();
    assert_eq!(seen, expected, "in their order");
    (20..40).for_each(|number| pool.subscribe(&agent(number), ONE));
    assert_eq!(carried(&pool.flushed()), 7);
}

#[test]
fn a_413_for_one_agent_is_its_own() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let message = pool.flushed();
    pool.answer(&message, 413, &[]);
    assert_eq!(pool.failure().kind, FailureKind::Transient);
}

#[test]
fn extensions_that_are_refused_are_dropped_once() {
    for status in [420, 421, 406] {
        let mut pool = Pool::registered(15);
        pool.subscribe(&agent(1), ONE);
        let first = pool.flushed();
        pool.receive(&reply(&first, status, &["Unsupported: ms-benotify"], None));
        pool.quiet();
        let second = pool.request();
        assert_eq!(second.header("Proxy-Require"), None);
        assert_eq!(second.values("Supported").collect::<Vec<_>>(), ["eventlist"]);
        assert_eq!((second.header("Require"), second.call_id()), (Some("adhoclist, categoryList"), first.call_id()));
        pool.answer(&second, status, &[]);
        assert_eq!(pool.failure().kind, FailureKind::Endpoint, "{status}");
        pool.silent();
        // What comes later is worded so from the start.
        pool.subscribe(&agent(2), ONE);
        pool.pass(seconds(7));
        assert_eq!(pool.request().header("Proxy-Require"), None);
    }
}

#[test]
fn a_repair_says_what_is_wanted_by_then() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    pool.subscribe(&agent(2), ONE);
    let first: Message = pool.flushed();
    pool.unsubscribe(&agent(1), ONE);
    pool.quiet();
    pool.answer(&first, 420, &[]);
    assert_eq!(pool.tell(), ended(&agent(1), ONE));
    let second = pool.request();
    assert_eq!(listed(&second, "subscribe"), ["sip:agent2@domain.com"]);
    pool.receive(&reply(&second, 200, &[&crate::pool::contact()], Some(multipart(&[], &[]))));
    assert_eq!(pool.tell(), joined(&agent(2), ONE));
}

/// Answers 400 to everything for this many moments of gathering; whom it has cost what.
fn serve_nobody(pool: &mut Pool, moments: usize) -> Vec<FailureKind> {
    for _ in 0..moments {
        pool.pass(FLUSH);
        while let Some(message) = pool.sent.pop_front() {
            pool.answer(&message, 400, &[]);
        }
    }
    let told = pool.told.drain(..);
    told.filter_map(|told| match told {
        SubscriberEffect::Failed { failure, .. } => Some(failure.kind),
        SubscriberEffect::Unsupported(failure) => {
            assert_eq!(failure.kind, FailureKind::Endpoint);
            None
        }
        other => panic!("{other:?}"),
    })
    .collect()
}

#[test]
fn a_pool_that_answers_400_to_everything_is_the_endpoints_failure_after_three_culprits() {
    let mut pool = Pool::registered(15);
    (0..15).for_each(|number| pool.subscribe(&agent(number), ONE));
    let failures = serve_nobody(&mut pool, 30);
    assert_eq!(failures.len(), 15);
    let blamed = failures.iter().filter(|kind| **kind == FailureKind::Forbidden).count();
    assert_eq!((blamed, failures[2]), (2, FailureKind::Endpoint));
    // It goes on so, and nobody else is to blame, over another connection neither; the batch is held back.
    for _ in 0..3 {
        pool.pass(seconds(60));
        (2..15).for_each(|number| pool.subscribe(&agent(number), ONE));
        let failures = serve_nobody(&mut pool, 6);
        assert_eq!(failures, [FailureKind::Endpoint; 13]);
        pool.subscribe(&agent(20), ONE);
        pool.pass(FLUSH);
        pool.silent();
        pool.unsubscribe(&agent(20), ONE);
        pool.lose_transport();
        pool.register_quietly();
        pool.told.clear();
    }
}

#[test]
fn a_pool_that_begins_to_answer_400_to_everything_costs_its_members_nothing() {
    let members: Vec<_> = (0..6).map(agent).collect();
    let (mut pool, _) = Pool::live(15, &members);
    members[..5].iter().for_each(|uri| pool.refresh(uri, ONE));
    let failures = serve_nobody(&mut pool, 8);
    assert_eq!(failures.iter().filter(|kind| **kind == FailureKind::Forbidden).count(), 2);
    assert_eq!(failures.len(), 5, "the last one, who was asked for as a witness, stays");
    pool.pass(seconds(30));
    let refresh = pool.request();
    assert_eq!(listed(&refresh, "subscribe"), [members[5].as_str()]);
    // Those with a failure of their own go elsewhere; whose refresh failed with the endpoint keeps what it has.
    assert_eq!(listed(&refresh, "unsubscribe").len(), 2, "whom it lists and who went elsewhere is taken out");
    pool.accept_all(&refresh);
    assert_eq!(pool.tell(), joined(&members[5], ONE));
}

#[test]
fn many_culprits_keep_nobody_else_away_for_long() {
    let bad: BTreeSet<String> = [0, 1, 2, 3, 4, 9].map(|number| agent(number).as_str().to_owned()).into();
    let mut pool = Pool::registered(15);
    let mut waiting: BTreeSet<usize> = (0..10).collect();
    for _ in 0..10 {
        waiting.iter().for_each(|number| pool.subscribe(&agent(*number), ONE));
        for _ in 0..70 {
            pool.pass(FLUSH);
            while let Some(message) = pool.sent.pop_front() {
                if listed(&message, "subscribe").iter().any(|uri| bad.contains(uri)) {
                    pool.answer(&message, 400, &[]);
                } else {
                    pool.accept_all(&message);
                }
            }
            for told in pool.told.drain(..) {
                match told {
                    SubscriberEffect::Joined { uri, .. } => {
                        assert!(!bad.contains(uri.as_str()));
                        waiting.retain(|number| agent(*number) != uri);
                    }
                    SubscriberEffect::Failed { uri, failure, .. } if failure.kind == FailureKind::Forbidden => {
                        assert!(bad.contains(uri.as_str()));
                        waiting.retain(|number| agent(*number) != uri);
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(waiting.is_empty(), "{waiting:?}");
}

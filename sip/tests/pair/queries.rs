//! One-shot queries beside the standing dialogs (RFC 6665 section 4.4.3).

use presence_core::{Attempt, Availability, Status};
use presence_sip::{Message, SubscriberEffect, TransportKind, WireEvent};

use crate::notifier::{Notify, ONE, Pair, TWO, agent, seconds, user};

const OPEN: &str = r#"<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:user1@domain.com">
<tuple id="t"><status><basic>open</basic></status></tuple></presence>"#;

fn query(pair: &mut Pair) -> Message {
    pair.subscriber.query(pair.now, &user(), ONE);
    pair.drain();
    pair.request()
}

/// What the server says to a query: it ends with its first words.
fn said(query: &Message) -> Notify {
    Notify { body: OPEN.into(), ..Notify::of(query).state("terminated;reason=timeout") }
}

fn told(pair: &mut Pair) -> Option<Status> {
    match pair.tell() {
        SubscriberEffect::Queried { uri, attempt, status } => {
            assert_eq!((uri, attempt), (user(), ONE));
            status
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_query_is_a_subscribe_for_no_time_in_a_dialog_of_its_own_and_leaves_the_standing_one_alone() {
    let mut pair = Pair::tcp();
    let standing = pair.live();
    let before = pair.subscriber.stats();
    let asked = query(&mut pair);
    assert_eq!(asked.header("Expires"), Some("0"));
    assert_eq!(
        (asked.request_uri(), asked.event().map(|event| event.package)),
        (Some("sip:user1@domain.com"), Some("presence"))
    );
    assert_ne!(asked.call_id(), standing.call_id);
    assert_ne!(asked.from().unwrap().tag(), Some(standing.our_tag.as_str()));
    assert_eq!(asked.to().unwrap().tag(), None, "it is outside of every dialog");
    pair.reply(&asked, 200, &["Expires: 0"]);
    pair.quiet();
    assert_eq!(pair.notify(&said(&asked)), 200);
    assert_eq!(told(&mut pair).unwrap().availability, Availability::ONLINE);
    pair.quiet();
    let after = pair.subscriber.stats();
    assert_eq!((after.dialogs, after.live), (before.dialogs, before.live));
    assert_eq!(pair.notify(&standing.next()), 200);
    assert!(matches!(pair.tell(), SubscriberEffect::Notified { .. }));
    // Nothing is left that could fall due.
    pair.pass(seconds(100));
    assert!(pair.told.is_empty() && pair.sent.is_empty());
}

#[test]
fn the_notify_may_overtake_the_answer_which_is_a_stray_then() {
    let mut pair = Pair::tcp();
    pair.live();
    let asked = query(&mut pair);
    assert_eq!(pair.notify(&said(&asked)), 200);
    assert!(told(&mut pair).is_some());
    pair.reply(&asked, 200, &["Expires: 0"]);
    pair.quiet();
    assert_eq!(pair.counted, [WireEvent::StrayResponse]);
    assert_eq!(pair.notify(&said(&asked).next()), 481, "it had one word");
}

#[test]
fn a_query_that_is_refused_or_not_answered_says_nothing_and_the_dialog_stands() {
    for code in [403, 404, 480, 489, 503, 204] {
        let mut pair = Pair::tcp();
        pair.live();
        let asked = query(&mut pair);
        pair.reply(&asked, code, &[]);
        assert_eq!(told(&mut pair), None, "{code}");
        pair.quiet();
        assert_eq!(pair.subscriber.stats().live, 1);
    }
    for accepted in [false, true] {
        let mut pair = Pair::tcp();
        pair.live();
        let asked = query(&mut pair);
        if accepted {
            pair.reply(&asked, 200, &["Expires: 0"]);
        }
        pair.pass(seconds(31));
        pair.quiet();
        pair.pass(seconds(1));
        assert_eq!(told(&mut pair), None);
        pair.quiet();
        assert_eq!(pair.notify(&said(&asked)), 481, "too late");
        assert_eq!(pair.subscriber.stats().live, 1);
    }
}

#[test]
fn only_what_an_entitled_watcher_is_told_is_believed() {
    let cases = [
        ("terminated;reason=timeout", OPEN, true),
        ("terminated", OPEN, true),
        ("active;expires=0", OPEN, true),
        ("terminated;reason=rejected", OPEN, false),
        ("terminated;reason=noresource", OPEN, false),
        ("pending;expires=0", OPEN, false),
        ("terminated;reason=timeout", "", false),
        ("terminated;reason=timeout", "<presence", false),
    ];
    for (state, body, believed) in cases {
        let mut pair = Pair::tcp();
        let asked = query(&mut pair);
        pair.reply(&asked, 202, &[]);
        assert_eq!(pair.notify(&Notify { body: body.into(), ..said(&asked).state(state) }), 200);
        assert_eq!(told(&mut pair).is_some(), believed, "{state} {body}");
    }
}

#[test]
fn a_notify_with_another_tag_is_not_the_answer() {
    let mut pair = Pair::tcp();
    let asked = query(&mut pair);
    pair.reply(&asked, 200, &[]);
    let ours = Notify { our_tag: "guessed".into(), ..said(&asked) };
    assert_eq!(pair.notify(&ours), 481);
    let forked = Notify { tag: "other".into(), ..said(&asked) };
    assert_eq!(pair.notify(&forked), 481);
    assert_eq!(pair.notify(&Notify { event: Some("dialog"), ..said(&asked) }), 489);
    assert_eq!(pair.notify(&Notify { state: None, ..said(&asked) }), 400);
    pair.quiet();
    assert_eq!(pair.notify(&said(&asked)), 200);
    assert!(told(&mut pair).is_some());
}

#[test]
fn a_benotify_answers_a_query_too() {
    let mut pair = Pair::tcp();
    let asked = query(&mut pair);
    pair.receive(&Notify { method: "BENOTIFY", ..said(&asked) }.text());
    assert!(told(&mut pair).is_some());
    pair.silent();
}

#[test]
fn a_challenge_is_answered_twice_at_most() {
    let mut pair = Pair::with(TransportKind::Tcp, Pair::credentials);
    let challenge = |nonce: &str| {
        format!(r#"WWW-Authenticate: Digest realm="domain.com", nonce="{nonce}", algorithm=MD5, stale=true"#)
    };
    let mut asked = query(&mut pair);
    for nonce in ["a", "b"] {
        pair.reply(&asked, 401, &[&challenge(nonce)]);
        asked = pair.request();
        assert!(asked.header("Authorization").unwrap().contains(nonce));
    }
    assert_eq!(asked.cseq(), Some((3, "SUBSCRIBE")));
    pair.reply(&asked, 401, &[&challenge("c")]);
    assert_eq!(told(&mut pair), None);
    pair.silent();
}

#[test]
fn over_udp_a_query_is_repeated_until_it_is_answered() {
    let mut pair = Pair::udp();
    let asked = query(&mut pair);
    pair.pass(seconds(2));
    assert_eq!(pair.sent.len(), 2, "after 0.5 and 1.5 s");
    pair.sent.clear();
    pair.reply(&asked, 200, &[]);
    pair.pass(seconds(5));
    pair.silent();
    assert_eq!(pair.notify(&said(&asked)), 200);
    assert_eq!(pair.notify(&said(&asked)), 200, "a copy gets the same answer");
    assert!(told(&mut pair).is_some());
    pair.quiet();
}

#[test]
fn a_lost_connection_answers_all_queries_and_another_query_takes_the_place_of_the_first() {
    let mut pair = Pair::tcp();
    let first = query(&mut pair);
    let second = query(&mut pair);
    assert_eq!(pair.notify(&said(&first)), 481);
    pair.quiet();
    pair.subscriber.query(pair.now, &agent(2), TWO);
    pair.drain();
    pair.lose_transport();
    let attempts: Vec<Attempt> = pair
        .told
        .drain(..)
        .map(|told| match told {
            SubscriberEffect::Queried { attempt, status: None, .. } => attempt,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(attempts.len(), 2);
    assert!(attempts.contains(&ONE) && attempts.contains(&TWO));
    assert_eq!(pair.subscriber.poll_timeout(), None);
    drop(second);
}

#[test]
fn no_more_than_256_queries_are_open() {
    let mut pair = Pair::tcp();
    for number in 0..300 {
        pair.subscriber.query(pair.now, &agent(number), ONE);
    }
    pair.drain();
    assert_eq!((pair.sent.len(), pair.told.len()), (256, 44));
    assert!(pair.told.iter().all(|told| matches!(told, SubscriberEffect::NotQueried { .. })));
}

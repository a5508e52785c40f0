//! Presences on the wire: what is asked, and every way in which an answer can be wrong.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use presence_core::{Availability, Status};
use presence_graph::wire::{MAX_PRESENCE_IDS, PresenceItem, parse_presences, presence_request};
use presence_graph::{Body, Host, Method, ObjectId};
use proptest::prelude::*;

const ONE: &str = "fa8bf3dc-eca7-46b7-bad1-db199b62afc3";
const TWO: &str = "66825e03-7ef5-42da-9069-724602c31f6b";

fn id(text: &str) -> ObjectId {
    text.parse().unwrap()
}

/// The items of this list, and how many could not be read.
fn read(items: &str) -> (Vec<PresenceItem>, usize) {
    let list = parse_presences(format!(r#"{{"@odata.context":"x","value":[{items}]}}"#).as_bytes()).unwrap();
    (list.items, list.unreadable)
}

fn item(id: &str, availability: &str, rest: &str) -> String {
    format!(r#"{{"id":"{id}","availability":{availability},"activity":null{rest}}}"#)
}

#[test]
fn a_request_holds_the_ids_and_nothing_else() {
    let request = presence_request(&[id(ONE), id(TWO)]);
    assert_eq!((request.method, request.host), (Method::Post, Host::Graph));
    assert_eq!(request.path, "/v1.0/communications/getPresencesByUserId");
    assert!(request.bearer.is_none() && request.headers.is_empty());
    let Body::Json(body) = request.body else { panic!("not JSON") };
    assert_eq!(body, format!(r#"{{"ids":["{ONE}","{TWO}"]}}"#));
}

#[test]
fn batches_of_every_size_are_json() {
    for size in [0, 1, 2, MAX_PRESENCE_IDS] {
        let ids: Vec<ObjectId> = (0..size).map(|number| ObjectId::new((number as u128).to_be_bytes())).collect();
        let Body::Json(body) = presence_request(&ids).body else { panic!("not JSON") };
        let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let read: Vec<ObjectId> =
            read["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(read, ids);
    }
}

#[test]
fn items_are_read_and_sorted_by_user() {
    let (items, unreadable) = read(&format!(
        r#"{{"id":"{}","availability":"Busy","activity":"InACall","sequenceNumber":"A1","workLocation":{{"id":"x"}}}},{}"#,
        ONE.to_uppercase(),
        item(TWO, "\"Away\"", ""),
    ));
    assert_eq!(unreadable, 0);
    assert_eq!((items[0].id, items[1].id), (id(TWO), id(ONE)));
    assert_eq!(items[0].reading.status, Some(Status::of(Availability::AWAY)));
    assert_eq!(items[1].reading.status, Some(Status::of(Availability::BUSY).with_activity("on-the-phone")));
    assert_eq!((items[0].sequence.as_deref(), items[1].sequence.as_deref()), (None, Some("A1")));
}

#[test]
fn an_item_without_a_user_is_left_out_and_counted() {
    let bad = [
        "7",
        "null",
        "true",
        "-1.5",
        "\"text\"",
        "[]",
        "[{}]",
        "{}",
        r#"{"id":null}"#,
        r#"{"id":7}"#,
        r#"{"id":"nobody"}"#,
        r#"{"id":["fa8bf3dc-eca7-46b7-bad1-db199b62afc3"]}"#,
        r#"{"availability":"Busy"}"#,
        r#"{"ID":"fa8bf3dc-eca7-46b7-bad1-db199b62afc3"}"#,
    ];
    let (items, unreadable) = read(&format!("{},{}", bad.join(","), item(ONE, "\"Busy\"", "")));
    assert_eq!((items.len(), unreadable), (1, bad.len()));
}

#[test]
fn a_word_of_another_type_is_unknown_for_its_item_only() {
    for bad in ["7", "null", "true", "{\"a\":[1]}", "[\"Busy\"]", "\"\"", "1e3"] {
        let (items, unreadable) = read(&format!("{},{}", item(ONE, bad, ""), item(TWO, "\"Busy\"", "")));
        assert_eq!(unreadable, 0);
        assert_eq!(items[0].reading.status, Some(Status::of(Availability::BUSY)));
        assert_eq!((&items[1].reading.status, &items[1].reading.unknown), (&None, &[None, None]), "{bad}");
    }
}

#[test]
fn words_with_escapes_are_read() {
    let (items, _) = read(&format!(r#"{{"\u0069d":"{ONE}","availability":"\u0042usy","activity":"Jugg\"ling"}}"#));
    assert_eq!(items[0].reading.status, Some(Status::of(Availability::BUSY)));
    assert_eq!(items[0].reading.unknown[1].as_deref(), Some("Jugg\"ling"));
}

#[test]
fn of_two_items_about_one_user_the_higher_sequence_counts() {
    let sequence = |first: &str, second: &str| {
        let (items, unreadable) = read(&format!("{},{}", item(ONE, "\"Busy\"", first), item(ONE, "\"Away\"", second)));
        assert_eq!((items.len(), unreadable), (1, 0));
        items[0].reading.status.as_ref().unwrap().availability
    };
    let (low, high) = (r#","sequenceNumber":"A0129311063""#, r#","sequenceNumber":"A0129311064""#);
    assert_eq!(sequence(low, high), Availability::AWAY);
    assert_eq!(sequence(high, low), Availability::BUSY);
    assert_eq!(sequence(high, ""), Availability::BUSY);
    assert_eq!(sequence("", low), Availability::AWAY);
    assert_eq!(sequence("", ""), Availability::AWAY, "the later one");
    assert_eq!(sequence(low, r#","sequenceNumber":7"#), Availability::BUSY, "not a text");
}

#[test]
fn a_sequence_that_is_too_long_is_none() {
    let (items, _) = read(&item(ONE, "\"Busy\"", &format!(r#","sequenceNumber":"{}""#, "A".repeat(65))));
    assert_eq!(items[0].sequence, None);
}

#[test]
fn what_is_no_list_of_presences_is_an_error() {
    for bad in [
        "",
        "{",
        "[]",
        "7",
        "null",
        "\"value\"",
        "{}",
        r#"{"value":null}"#,
        r#"{"value":{}}"#,
        r#"{"value":"x"}"#,
        r#"{"value":[}"#,
        r#"{"value":[]} x"#,
    ] {
        let error = parse_presences(bad.as_bytes()).unwrap_err();
        assert!(error.starts_with("the presences are not"), "{bad}: {error}");
    }
    assert!(parse_presences(b"\xff\xfe").is_err());
    assert_eq!(parse_presences(br#"{"value":[]}"#).unwrap().items.len(), 0);
}

#[test]
fn deep_nesting_neither_overflows_nor_hurts_the_others() {
    let deep = |open: &str, close: &str| format!("{}7{}", open.repeat(40_000), close.repeat(40_000));
    let (items, unreadable) = read(&format!(
        r#"{},{},{{"id":"{ONE}","statusMessage":{},"availability":"Busy"}},{}"#,
        deep("[", "]"),
        deep("{\"a\":", "}"),
        deep("[", "]"),
        item(TWO, &deep("[", "]"), ""),
    ));
    assert_eq!((items.len(), unreadable), (2, 2));
    assert_eq!(items[1].reading.status, Some(Status::of(Availability::BUSY)));
    assert!(parse_presences("[".repeat(1_000_000).as_bytes()).is_err());
    assert!(parse_presences(format!("{{\"value\":{}", "[".repeat(1_000_000)).as_bytes()).is_err());
}

#[test]
fn an_answer_about_far_more_than_could_be_asked_for_is_refused_and_says_so() {
    let items = |count: u128| -> String {
        let item = |number: u128| item(&ObjectId::new(number.to_be_bytes()).to_string(), "\"Busy\"", "");
        (0..count).map(item).collect::<Vec<_>>().join(",")
    };
    assert_eq!(read(&items(2_600)).0.len(), 2_600);
    let refused = parse_presences(format!(r#"{{"value":[{}]}}"#, items(2_601)).as_bytes()).unwrap_err();
    assert!(refused.starts_with("more presences than could be asked for (line 1"), "{refused}");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(parse_presences(&bytes));
    }

    #[test]
    fn a_spoilt_answer_never_panics_and_never_invents_users(at in 0..400_usize, byte: u8, cut in 0..400_usize) {
        let body = format!(r#"{{"value":[{},{}]}}"#, item(ONE, "\"Busy\"", ""), item(TWO, "\"Away\"", r#","sequenceNumber":"A1""#));
        let mut spoilt = body.into_bytes();
        let length = spoilt.len();
        spoilt[at % length] = byte;
        if let Ok(list) = parse_presences(&spoilt) {
            prop_assert!(list.items.len() + list.unreadable <= 2);
        }
        spoilt.truncate(cut % length);
        prop_assert!(parse_presences(&spoilt).is_err());
    }

    #[test]
    fn every_user_comes_once_and_in_order(numbers in proptest::collection::vec(0..20_u128, 0..60)) {
        let items: Vec<String> = numbers.iter().map(|number| item(&ObjectId::new(number.to_be_bytes()).to_string(), "\"Busy\"", "")).collect();
        let (items, unreadable) = read(&items.join(","));
        prop_assert_eq!(unreadable, 0);
        let wanted: std::collections::BTreeSet<ObjectId> = numbers.iter().map(|number| ObjectId::new(number.to_be_bytes())).collect();
        prop_assert!(items.iter().map(|item| item.id).eq(wanted));
    }
}

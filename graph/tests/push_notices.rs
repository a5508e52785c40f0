//! Notifications as Microsoft posts them, and as nobody should.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use presence_graph::ObjectId;
use presence_graph::wire::{Lifecycle, Notice, NoticesError, parse_notices};
use proptest::prelude::*;
use serde_json::{Value, json};

const USER: &str = "fa8bf3dc-eca7-46b7-bad1-db199b62afc3";
const OTHER: &str = "0fc0d6db-0073-42e5-a186-853da75fb308";

fn user() -> ObjectId {
    USER.parse().unwrap()
}

fn read(items: Value) -> (Vec<Notice>, usize) {
    parse_notices(json!({"value": items}).to_string().as_bytes()).unwrap()
}

/// The basic notification of Microsoft's documentation.
fn basic() -> Value {
    json!({
        "subscriptionId": "s1", "clientState": "secret", "changeType": "updated", "tenantId": OTHER,
        "resource": format!("communications/presences/{USER}"),
        "subscriptionExpirationDateTime": "2023-09-14T10:00:00.0000000Z",
        "resourceData": {"@odata.id": format!("users/{USER}/presence"), "@odata.type": "#microsoft.graph.presence", "id": USER},
        "organizationId": OTHER
    })
}

#[test]
fn a_basic_notification_names_subscription_state_tenant_and_user() {
    let (notices, unreadable) = read(json!([basic(), basic()]));
    let expected = Notice {
        subscription: "s1".to_owned(),
        client_state: Some("secret".to_owned()),
        tenant: Some(OTHER.to_owned()),
        user: Some(user()),
        lifecycle: None,
    };
    assert_eq!((notices, unreadable), (vec![expected.clone(), expected.clone()], 0));
    assert!(!format!("{expected:?}").contains("secret"), "{expected:?}");
}

#[test]
fn a_lifecycle_event_has_neither_resource_nor_change_type() {
    for (word, event) in [
        ("reauthorizationRequired", Lifecycle::ReauthorizationRequired),
        ("subscriptionRemoved", Lifecycle::SubscriptionRemoved),
        ("missed", Lifecycle::Missed),
        ("Missed", Lifecycle::Missed),
    ] {
        let (notices, _) = read(json!([{"lifecycleEvent": word, "subscriptionId": "s1", "tenantId": OTHER,
            "clientState": "x", "subscriptionExpirationDateTime": "2019-09-18T00:52:45.9696658+00:00"}]));
        assert_eq!((notices[0].lifecycle, notices[0].user), (Some(event), None), "{word}");
    }
    assert_eq!(read(json!([{"lifecycleEvent": "somethingNew", "subscriptionId": "s1"}])), (vec![], 1));
}

#[test]
fn the_user_is_found_in_every_form_of_the_resource() {
    for resource in [
        format!("communications/presences/{USER}"),
        format!("/communications/presences('{USER}')"),
        format!("users/{USER}/presence"),
        format!("Users('{}')/Presence", USER.to_ascii_uppercase()),
        format!("https://graph.microsoft.com/v1.0/communications/presences/{USER}"),
    ] {
        let (notices, _) = read(json!([{"subscriptionId": "s1", "resource": resource}]));
        assert_eq!(notices[0].user, Some(user()), "{resource}");
        let (notices, _) = read(json!([{"subscriptionId": "s1", "resourceData": {"@odata.id": resource}}]));
        assert_eq!(notices[0].user, Some(user()), "{resource}");
    }
    let filter = format!("communications/presences?$filter=id in ('{USER}','{OTHER}')");
    let both = json!([{"subscriptionId": "s1", "resource": filter, "resourceData": {"id": USER}}]);
    assert_eq!(read(both).0[0].user, Some(user()));
    for unclear in [filter, format!("messages/{USER}"), "communications/presences/me".to_owned(), String::new()] {
        assert_eq!(read(json!([{"subscriptionId": "s1", "resource": unclear}])), (vec![], 1), "{unclear}");
    }
}

#[test]
fn an_item_that_cannot_be_read_costs_only_itself() {
    let long = "x".repeat(129);
    let odd = json!([
        basic(), 7, "text", null, [], {}, true, 1.5, -3,
        {"subscriptionId": 7, "resourceData": {"id": USER}},
        {"subscriptionId": "", "resourceData": {"id": USER}},
        {"subscriptionId": long, "resourceData": {"id": USER}},
        {"subscriptionId": "s1", "resourceData": {"id": "nobody"}},
        {"subscriptionId": "s1", "resourceData": [1, {"id": USER}]},
        {"subscriptionId": "s1", "resourceData": "text"},
        basic(),
    ]);
    let (notices, unreadable) = read(odd);
    assert_eq!((notices.len(), unreadable), (2, 14));
    let kinds =
        json!([{"subscriptionId": "s1", "clientState": {"a": [1]}, "tenantId": 7, "resourceData": {"id": USER}}]);
    let (notices, _) = read(kinds);
    assert_eq!((&notices[0].client_state, &notices[0].tenant), (&None, &None));
    let mut long = basic();
    long["clientState"] = json!("x".repeat(256));
    assert_eq!(read(json!([long])).0[0].client_state, None, "it matches nothing");
}

#[test]
fn a_body_that_is_no_notification_is_malformed_and_a_thousand_items_are_the_most() {
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "",
        " ",
        "x",
        "{",
        "[]",
        "7",
        "null",
        "{}",
        r#"{"value": null}"#,
        r#"{"value": {}}"#,
        r#"{"value": 7}"#,
        r#"{"value": []}"#,
        r#"{"value": [{}]} x"#,
        r#"{"value": [{},]}"#,
        "\u{feff}{\"value\": [{}]}",
        &nested,
        "{\"value\": [\"\\ud800\"]}",
    ] {
        let read = parse_notices(body.as_bytes());
        let start: String = body.chars().take(40).collect();
        assert!(matches!(read, Err(NoticesError::Malformed(_))), "{start}: {read:?}");
    }
    assert!(parse_notices(b"{\"value\": [\"\xff\"]}").is_err());
    // What is deep and not wanted is read over, without depth of ours.
    let (in_item, in_list) = (format!("{{\"value\":[{{\"a\":{nested}}}]}}"), format!("{{\"value\":{nested}}}"));
    assert_eq!(parse_notices(in_item.as_bytes()), Ok((vec![], 1)));
    assert_eq!(parse_notices(in_list.as_bytes()), Ok((vec![], 1)));
    let many = |number: usize| parse_notices(format!("{{\"value\":[{}7]}}", "7,".repeat(number - 1)).as_bytes());
    assert_eq!(many(1_000), Ok((vec![], 1_000)));
    assert_eq!(many(1_001), Err(NoticesError::TooMany(1_001)));
    assert_eq!(many(100_000), Err(NoticesError::TooMany(100_000)));
    assert!(matches!(many(400_000), Err(NoticesError::Malformed(_))), "it is not even read");
    assert_eq!(NoticesError::TooMany(400_000).to_string(), "400000 items, which is more than 1000");
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_notices(&bytes);
    }

    #[test]
    fn a_notification_that_is_cut_or_changed_is_read_or_refused(at in 0_usize..500, byte in any::<u8>(), cut in any::<bool>()) {
        let mut body = json!({"value": [basic()]}).to_string().into_bytes();
        let at = at % body.len();
        if cut {
            body.truncate(at);
        } else {
            body[at] = byte;
        }
        let read = parse_notices(&body);
        prop_assert!(!cut || read.is_err());
        prop_assert!(read.is_err() || read.is_ok_and(|(notices, unreadable)| notices.len() + unreadable == 1));
    }
}

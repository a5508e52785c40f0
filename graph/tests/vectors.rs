//! Microsoft's own examples, read to exact values. Where they are not beside the repository (`../shared/vectors/graph`) the
//! tests say so and pass.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests that say why they skip")]

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use presence_core::{Availability, Status};
use presence_graph::wire::{Ruling, parse_presences, presence_request, rule};
use presence_graph::{Answer, Body};
use serde_json::Value;

/// One example; none when there are no examples.
fn example(name: &str) -> Option<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/graph");
    if !folder.is_dir() {
        println!("skipped: there is no folder ../shared/vectors/graph beside the repository");
        return None;
    }
    Some(std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// Status, header fields by name, and the body of an answer as it would be on the wire.
fn answered(text: &str) -> Answer {
    let (head, body) = text.split_once("{").map_or((text, String::new()), |(head, body)| (head, format!("{{{body}")));
    let field = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    Answer { status, retry_after: field("Retry-After"), date: None, request_id: None, body: body.into() }
}

/// One presence as an answer about many would hold it.
fn single(presence: &str) -> (String, Option<Status>, Option<String>) {
    let list = parse_presences(format!(r#"{{"value":[{presence}]}}"#).as_bytes()).unwrap();
    assert_eq!((list.items.len(), list.unreadable), (1, 0));
    let item = &list.items[0];
    assert_eq!(item.reading.unknown, [None, None]);
    (item.id.to_string(), item.reading.status.clone(), item.sequence.as_deref().map(str::to_owned))
}

fn status(number: i32, token: &str) -> Option<Status> {
    Some(Status::of(Availability::new(number)).with_activity(token))
}

const ONE: &str = "fa8bf3dc-eca7-46b7-bad1-db199b62afc3";
const TWO: &str = "66825e03-7ef5-42da-9069-724602c31f6b";

#[test]
fn the_request_for_presences_is_that_of_the_page() {
    let Some(text) = example("docs/cloudcommunications-getpresencesbyuserid-1.txt") else { return };
    let (head, body) = text.split_once("\n\n").unwrap();
    let request = presence_request(&[ONE.parse().unwrap(), TWO.parse().unwrap()]);
    assert!(head.lines().next().unwrap().ends_with(&request.path), "{head}");
    let Body::Json(ours) = request.body else { panic!("not JSON") };
    assert_eq!(serde_json::from_slice::<Value>(&ours).unwrap(), serde_json::from_str::<Value>(body).unwrap());
}

#[test]
fn the_answer_about_two_users_is_read() {
    let Some(text) = example("docs/cloudcommunications-getpresencesbyuserid-2.txt") else { return };
    let answer = answered(&text);
    assert_eq!(rule(&Ok(answer.clone()), UNIX_EPOCH), Ruling::Done);
    let list = parse_presences(&answer.body).unwrap();
    let read: Vec<_> = list.items.iter().map(|item| (item.id.to_string(), item.reading.status.clone())).collect();
    assert_eq!(read, [(TWO.to_owned(), status(15_500, "")), (ONE.to_owned(), status(6_500, "in-a-meeting"))]);
}

#[test]
fn the_presences_of_single_users_are_read() {
    for (name, id, expected) in [
        ("docs/presence-get-2.txt", ONE, status(3_500, "")),
        ("docs/presence-get-3.txt", TWO, status(9_500, "in-presentation")),
        ("docs/presence-get-beta-2.txt", ONE, status(3_500, "")),
        ("docs/presence-get-beta-3.txt", TWO, status(9_500, "in-presentation")),
        ("docs/presence-get-beta-4.txt", "dc74d9bb-6afe-433d-8eaa-e39d80d3a647", status(12_500, "")),
    ] {
        let Some(text) = example(name) else { return };
        let body = String::from_utf8(answered(&text).body.to_vec()).unwrap();
        assert_eq!(single(&body), (id.to_owned(), expected, None), "{name}");
    }
    let Some(text) = example("docs-2026/presence-of-another-user.json") else { return };
    assert_eq!(single(&text), (ONE.to_owned(), status(3_500, ""), Some("A0129311063".to_owned())));
    let Some(text) = example("docs/presence-get-4.txt") else { return };
    let list = parse_presences(&answered(&text).body).unwrap();
    assert_eq!(list.items[0].reading.status, status(12_500, ""), "away, but right back");
}

#[test]
fn the_answer_that_throttles_is_ruled_with_its_fraction_of_a_second() {
    let Some(text) = example("docs/throttling-1.txt") else { return };
    let Ruling::Throttled { failure } = rule(&Ok(answered(&text)), UNIX_EPOCH) else { panic!("not throttled") };
    assert_eq!(failure.retry_after, Some(Duration::from_millis(2_128)));
    assert_eq!(
        failure.to_string(),
        "429 TooManyRequests: Please retry again later. (request-id 94fb3b52-452a-4535-a601-69e0a90e3aa2)"
    );
}

#[test]
fn the_errors_of_the_pages_are_repeated_in_one_line() {
    let answer =
        |status, body: String| Answer { status, retry_after: None, date: None, request_id: None, body: body.into() };
    for (name, status, expected) in [
        (
            "docs-2026/error-401-captured-2020.json",
            401,
            "401 Unauthorized (request-id 5e834853-632c-41fb-847e-2ff70fbc8fe7)",
        ),
        (
            "docs/errors-1.txt",
            416,
            // Its number is a word that stands for one.
            "416 invalidRange: Uploaded fragment overlaps with existing data.",
        ),
        ("docs/errors-2.txt", 400, "400 refused without a reason"),
    ] {
        let Some(text) = example(name) else { return };
        let failure = match rule(&Ok(answer(status, text)), UNIX_EPOCH) {
            Ruling::Unauthorized(failure) if status == 401 => failure,
            Ruling::BadRequest(failure) if status != 401 => failure,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(failure.to_string(), expected, "{name}");
    }
}

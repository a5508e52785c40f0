//! Answers that nobody honest gives: they are read within bounds, or refused.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::time::{Duration, SystemTime};

use presence_graph::Answer;
use presence_graph::wire::{parse_device_code, parse_notices, parse_presences, parse_token};

/// So much of an answer of Graph is read at most.
const MOST: usize = 4 << 20;

fn answer(body: &[u8]) -> Answer {
    Answer { status: 200, retry_after: None, date: None, request_id: None, body: body.to_vec().into() }
}

/// `{"value": [item, item ...]}` of nearly 4 MiB.
fn full_of(item: &str) -> String {
    format!("{{\"value\": [{}]}}", vec![item; (MOST - 20) / (item.len() + 1)].join(","))
}

/// Bodies of 4 MiB that are as much work as any.
fn heavy() -> Vec<(&'static str, Vec<u8>)> {
    let id = "2d5a6e1f-4d3b-4f4e-9c1a-0b8a3f6f1c11";
    let item = |rest: &str| format!("{{\"id\":\"{id}\",\"availability\":\"Busy\",\"activity\":\"InACall\"{rest}}}");
    let long = "9".repeat(1 << 20);
    vec![
        ("one user again and again", full_of(&item("")).into()),
        ("empty items", full_of("{}").into()),
        ("numbers", full_of("7").into()),
        ("escaped texts", full_of(r#"{"id":"\u0041\u0041","\u0061vailability":"\u0042"}"#).into()),
        ("long sequence numbers", full_of(&item(&format!(",\"sequenceNumber\":\"{long}\""))).into()),
        ("nested lists", format!("{{\"value\": [{}", "[".repeat(MOST - 20)).into()),
        ("nested objects", "{\"value\":".repeat((MOST - 20) / 9).into()),
        ("many members", format!("{{{}\"value\": []}}", "\"x\":1,".repeat((MOST - 20) / 6)).into()),
        ("a long number", format!("{{\"value\": [{}]}}", "9".repeat(MOST - 20)).into()),
        ("no UTF-8", [b"{\"value\": [{\"id\": \"".to_vec(), vec![0xff; MOST - 30], b"\"}]}".to_vec()].concat()),
        ("cut in the middle", full_of(&item("")).into_bytes()[..MOST / 2].to_vec()),
    ]
}

#[test]
fn four_mebibytes_of_anything_are_read_within_bounds() {
    for (what, body) in heavy() {
        let begun = instant();
        let read = parse_presences(&body);
        let took = instant() - begun;
        println!("{what}: {} bytes in {took:?}", body.len());
        let is_refused_early =
            matches!(what, "one user again and again" | "empty items" | "numbers" | "nested lists" | "nested objects");
        assert!(!is_refused_early || read.is_err(), "{what}");
        if let Ok(list) = read {
            assert!(list.items.len() <= 2_600, "{what}: {}", list.items.len());
            assert!(list.items.iter().all(|item| item.sequence.as_ref().is_none_or(|text| text.len() <= 64)), "{what}");
        }
        // The same at the two other doors: no panic, no overflow of the stack.
        if let Ok((notices, _)) = parse_notices(&body[..body.len().min(1 << 20)]) {
            assert!(notices.len() <= 1_000, "{what}");
        }
        assert!(parse_token(&answer(&body), SystemTime::UNIX_EPOCH).is_err(), "{what}");
        assert!(parse_device_code(&answer(&body), SystemTime::UNIX_EPOCH).is_err(), "{what}");
    }
}

#[expect(clippy::disallowed_methods, reason = "how long it really takes")]
fn instant() -> std::time::Instant {
    std::time::Instant::now()
}

#[test]
fn a_life_of_absurd_length_is_a_day_and_none_at_all_is_five_minutes() {
    let day = Duration::from_secs(86_400);
    let usual = Duration::from_secs(300);
    for (life, expected) in [
        ("1e308", day),
        ("\"1e308\"", day),
        ("18446744073709551616", day),
        ("86401", day),
        ("-1", usual),
        ("0", usual),
        ("-1e308", usual),
        ("\"NaN\"", usual),
        ("\"inf\"", day),
        ("\"\"", usual),
        ("[]", usual),
        ("null", usual),
        ("1e-308", Duration::ZERO),
    ] {
        let body = format!("{{\"access_token\": \"a\", \"expires_in\": {life}}}");
        let token = parse_token(&answer(body.as_bytes()), SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(token.life, expected, "{life}");
    }
    let body = br#"{"access_token": "a", "expires_in": 1e309}"#;
    assert!(parse_token(&answer(body), SystemTime::UNIX_EPOCH).is_err(), "no number of JSON");
}

#[test]
fn a_token_that_would_break_a_header_is_none() {
    for token in ["a\\r\\nX: y", "a b", "", "\\u0000", "\u{e9}", &"x".repeat(32_769)] {
        let body = format!("{{\"access_token\": \"{token}\"}}");
        let refused = parse_token(&answer(body.as_bytes()), SystemTime::UNIX_EPOCH).unwrap_err().to_string();
        assert!(refused.contains("no usable access_token"), "{refused}");
    }
}

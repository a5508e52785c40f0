//! Bombs for the readers of JSON.

use std::time::SystemTime;

use presence_graph::Answer;
use presence_graph::wire::{door, parse_device_code, parse_notices, parse_presences, parse_token, rule};
#[cfg(feature = "http")]
use presence_provider::http::door as api;

use super::{Bomb, each, filled};

/// An answer of Graph.
const ANSWER: usize = 4 << 20;
/// An answer that is read without a look before.
const SHORT: usize = 256 << 10;
/// An answer of the login host, and a body of the HTTP API.
const BODY: usize = 64 << 10;
/// A notification.
const NOTIFICATION: usize = 1 << 20;

fn presences(body: &[u8]) -> bool {
    parse_presences(body).is_ok()
}

fn users(body: &[u8]) -> bool {
    door::users(body).is_ok()
}

fn user(body: &[u8]) -> bool {
    door::user(body).is_ok()
}

fn subscriptions(body: &[u8]) -> bool {
    door::subscriptions(body).is_some()
}

fn subscription(body: &[u8]) -> bool {
    door::subscription(body)
}

fn notices(body: &[u8]) -> bool {
    parse_notices(body).is_ok()
}

fn answer(status: u16, body: &[u8]) -> Answer {
    Answer { status, retry_after: None, date: None, request_id: None, body: bytes::Bytes::copy_from_slice(body) }
}

fn token(body: &[u8]) -> bool {
    let code = parse_device_code(&answer(200, body), SystemTime::UNIX_EPOCH).is_ok();
    parse_token(&answer(200, body), SystemTime::UNIX_EPOCH).is_ok() || code
}

fn token_error(body: &[u8]) -> bool {
    parse_token(&answer(400, body), SystemTime::UNIX_EPOCH).is_ok()
}

fn error(body: &[u8]) -> bool {
    let _ = rule(&Ok(answer(500, body)), SystemTime::UNIX_EPOCH);
    false
}

pub(super) fn bombs(part: usize) -> Vec<Bomb> {
    let mut all = each(
        part,
        &[
            ("Graph: presences 4 MiB", ANSWER, presences),
            ("Graph: users 4 MiB", ANSWER, users),
            ("Graph: user 4 MiB", ANSWER, user),
            // Up to this an answer is read without a look before.
            ("Graph: users 256 KiB", SHORT, users),
            ("Graph: user 256 KiB", SHORT, user),
            ("Graph: presences 256 KiB", SHORT, presences),
            ("Graph: subscriptions 4 MiB", ANSWER, subscriptions),
            ("Graph: subscription 4 MiB", ANSWER, subscription),
            ("Graph: error 4 MiB", ANSWER, error),
            ("Graph: notification 1 MiB", NOTIFICATION, notices),
            ("login: token 64 KiB", BODY, token),
            ("login: error 64 KiB", BODY, token_error),
        ],
        generic,
    );
    all.extend(each(part, &[("Graph: users 4 MiB", ANSWER, users), ("Graph: user 4 MiB", ANSWER, user)], people));
    all.extend(each(part, &[("Graph: presences 4 MiB", ANSWER, presences)], items));
    all.extend(each(part, &[("Graph: subscriptions 4 MiB", ANSWER, subscriptions)], pages));
    all.extend(each(part, &[("Graph: notification 1 MiB", NOTIFICATION, notices)], notifications));
    all.extend(each(part, &[("Graph: error 64 KiB", BODY, error), ("login: error 64 KiB", BODY, token_error)], errors));
    #[cfg(feature = "http")]
    all.extend(of_the_api(part));
    all
}

/// What explodes in any JSON.
fn generic(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let value = |part: &str, end: &str| filled("{\"value\":[", part, end, cap);
    let names: Vec<u8> = {
        let mut text = String::from("{");
        let mut number = 0;
        while text.len() + 24 < cap {
            text.push_str(&format!("\"k{number}\":0,"));
            number += 1;
        }
        (text + "\"value\":[]}").into_bytes()
    };
    vec![
        ("nested lists", filled("{\"value\":", "[", "", cap)),
        ("nested objects", filled("", "{\"value\":", "", cap)),
        ("nested lists in turn", value("[[[[[[[[[[]]]]]]]]]],", "0]}")),
        ("empty lists", value("[],", "[]]}")),
        ("empty objects", value("{},", "{}]}")),
        ("empty texts", value("\"\",", "\"\"]}")),
        ("nulls", value("null,", "null]}")),
        ("digits", value("7,", "7]}")),
        ("a huge number", value("9", "]}")),
        ("a huge fraction", filled("{\"value\":[0.", "9", "]}", cap)),
        ("a huge exponent", filled("{\"value\":[1e", "9", "]}", cap)),
        ("a huge number as another member", filled("{\"x\":", "1", ",\"value\":[]}", cap)),
        ("numbers that are long", value("1.7976931348623157e308,", "0]}")),
        ("numbers of 300 digits", value(&format!("{},", "8".repeat(300)), "0]}")),
        ("a huge text", filled("{\"value\":[\"", "x", "\"]}", cap)),
        ("a huge text of escapes", filled("{\"value\":[\"", "\\u0041", "\"]}", cap)),
        ("half surrogates", filled("{\"value\":[\"", "\\ud800", "\"]}", cap)),
        ("a huge name", filled("{\"", "x", "\":1,\"value\":[]}", cap)),
        ("the same name", filled("{", "\"value\":[],", "\"value\":[]}", cap)),
        ("the same name without a value", filled("{", "\"x\":1,", "\"value\":[]}", cap)),
        ("many names", names),
        ("blanks", filled("{\"value\":[", " ", "]}", cap)),
        ("cut off", filled("{\"value\":[", "{\"id\":\"x", "", cap)),
        ("no UTF-8", [b"{\"value\":[\"".to_vec(), vec![0xff; cap - 20], b"\"]}".to_vec()].concat()),
        ("NUL", vec![0; cap]),
    ]
}

const ID: &str = "2d5a6e1f-4d3b-4f4e-9c1a-0b8a3f6f1c11";

fn people(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let user = |inside: &str| format!("{{\"id\":\"{ID}\",\"userPrincipalName\":\"a@b.c\"{inside}}}");
    let one = user("");
    let addresses = format!("{{\"id\":\"{ID}\",\"imAddresses\":[");
    vec![
        ("users", filled("{\"value\":[", &format!("{one},"), &format!("{one}]}}"), cap)),
        ("a user with addresses", filled(&addresses, "\"sip:a@b.c\",", "\"\"]}", cap)),
        ("a user with a long address", filled(&addresses, "É", "\"]}", cap)),
        (
            "a list of one user with addresses",
            filled(&format!("{{\"value\":[{addresses}"), "\"sip:a@b.c\",", "\"\"]}]}", cap),
        ),
    ]
}

fn items(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let item =
        |inside: &str| format!("{{\"id\":\"{ID}\",\"availability\":\"Busy\",\"activity\":\"InACall\"{inside}}},");
    let long = item(&format!(",\"sequenceNumber\":\"{}\"", "9".repeat(1 << 20)));
    let members = item(&",\"x\":[{},{}]".repeat(500));
    vec![
        ("one user again and again", filled("{\"value\":[", &item(""), "{}]}", cap)),
        ("long sequence numbers", filled("{\"value\":[", &long, "{}]}", cap)),
        ("items with many members", filled("{\"value\":[", &members, "{}]}", cap)),
        ("escaped names", filled("{\"value\":[", r#"{"\u0069\u0064":"\u0041"},"#, "{}]}", cap)),
    ]
}

fn pages(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let item = "{\"id\":\"a\",\"notificationUrl\":\"https://x\",\"expirationDateTime\":\"2026-11-22T00:00:00Z\"},";
    vec![
        ("subscriptions", filled("{\"value\":[", item, "{}]}", cap)),
        ("a long address of the next page", filled("{\"value\":[],\"@odata.nextLink\":\"https://x/", "a", "\"}", cap)),
    ]
}

fn notifications(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let item = format!(
        "{{\"subscriptionId\":\"a\",\"clientState\":\"b\",\"tenantId\":\"c\",\"resourceData\":{{\"id\":\"{ID}\"}}}},"
    );
    vec![
        ("notices", filled("{\"value\":[", &item, "{}]}", cap)),
        ("a notice with a long state", filled("{\"value\":[{\"clientState\":\"", "x", "\"}]}", cap)),
    ]
}

fn errors(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a long message", filled("{\"error\":{\"code\":\"x\",\"message\":\"", "word ", "\"}}", cap)),
        ("a long word", filled("{\"error\":{\"code\":\"x\",\"message\":\"", "é", "\"}}", cap)),
        (
            "a long description",
            filled("{\"error\":\"x\",\"error_description\":\"AADSTS7: ", "a b\u{202e} ", "\"}", cap),
        ),
        ("lines", filled("{\"error\":\"x\",\"error_description\":\"", "\\n", "\"}", cap)),
    ]
}

#[cfg(feature = "http")]
fn of_the_api(part: usize) -> Vec<Bomb> {
    const BULK: usize = 4 << 20;
    fn push(body: &[u8]) -> bool {
        api::push(body).is_ok()
    }
    fn pushes(body: &[u8]) -> bool {
        api::pushes(body).is_ok()
    }
    fn interest(body: &[u8]) -> bool {
        api::interest(body).is_ok()
    }
    fn call(body: &[u8]) -> bool {
        api::call(body).is_ok()
    }
    fn query(body: &[u8]) -> bool {
        std::str::from_utf8(body).is_ok_and(|query| api::filter(query).is_ok())
    }
    let mut all = each(
        part,
        &[
            ("API: push 64 KiB", BODY, push),
            ("API: call 64 KiB", BODY, call),
            ("API: pushes 4 MiB", BULK, pushes),
            ("API: interest 4 MiB", BULK, interest),
        ],
        generic,
    );
    let item = "{\"uri\":\"sip:a@b.c\",\"presence\":{\"state\":\"Busy\",\"time_to_live\":90}},";
    let small = "{\"uri\":\"\",\"presence\":{\"state\":1}},";
    all.extend(each(part, &[("API: pushes 4 MiB", BULK, pushes)], |cap| {
        vec![
            ("pushes", filled("{\"presences\":[", item, &format!("{}]}}", item.trim_end_matches(',')), cap)),
            ("empty pushes", filled("{\"presences\":[", small, &format!("{}]}}", small.trim_end_matches(',')), cap)),
            (
                "a huge number as a state",
                filled("{\"presences\":[{\"uri\":\"\",\"presence\":{\"state\":", "1", "}}]}", cap),
            ),
        ]
    }));
    all.extend(each(part, &[("API: interest 4 MiB", BULK, interest)], |cap| {
        let long = format!("\"sip:{}@b.c\",", "x".repeat(10_000));
        vec![
            ("URIs", filled("{\"subscribe\":[", "\"sip:user@example.com\",", "\"\"]}", cap)),
            ("empty URIs", filled("{\"subscribe\":[", "\"\",", "\"\"]}", cap)),
            ("long URIs", filled("{\"subscribe\":[", &long, "\"\"]}", cap)),
        ]
    }));
    all.extend(each(part, &[("API: query 8 KiB", 8 << 10, query)], |cap| {
        vec![
            ("states", filled("state=", "served,", "served", cap)),
            ("parameters", filled("", "ucc=a&", "limit=1", cap)),
            ("escapes", filled("q=", "%41", "", cap)),
        ]
    }));
    all
}

//! What Microsoft Graph and its login answer, and what its webhook is sent: bounded, and never a secret in a message.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use presence_core::log_text::is_treacherous;
use presence_graph::wire::{
    NoticesError, Ruling, door, parse_device_code, parse_notices, parse_presences, parse_token, rule,
};
use presence_graph::{Answer, ObjectId, read_status};

const STATUSES: [u16; 8] = [200, 400, 401, 403, 404, 409, 429, 503];

/// The first byte says what the rest answers.
pub(crate) fn run(data: &[u8]) {
    let Some((what, body)) = data.split_first() else { return };
    match what % 8 {
        0 => presences(body),
        1 => notices(body),
        2 => tokens(body, what / 8),
        3 => errors(body, what / 8),
        4 => drop(door::users(body).map(|count| assert!(count <= 100))),
        5 => drop(door::user(body)),
        6 => {
            assert!(door::subscriptions(body).is_none_or(|count| count <= 1_000));
            let _ = door::subscription(body);
        }
        _ => words(body),
    }
}

fn answer(status: u16, body: &[u8]) -> Answer {
    let text = |from: usize| String::from_utf8_lossy(body.get(from..body.len().min(from + 40)).unwrap_or_default());
    let field = |from: usize| Some(text(from).replace(['\r', '\n', '\0'], "")).filter(|text| !text.is_empty());
    Answer { status, retry_after: field(0), date: field(7), request_id: field(11), body: Bytes::copy_from_slice(body) }
}

fn presences(body: &[u8]) {
    match parse_presences(body) {
        Ok(list) => {
            assert!(list.items.len() <= 2_600 && list.items.is_sorted_by(|one, next| one.id < next.id));
            for item in &list.items {
                assert!(item.sequence.as_ref().is_none_or(|sequence| sequence.len() <= 64));
                let again: ObjectId = item.id.to_string().parse().expect("an id is read as it is written");
                assert_eq!(again, item.id);
            }
        }
        Err(why) => line(&why),
    }
}

fn notices(body: &[u8]) {
    match parse_notices(body) {
        Ok((notices, unreadable)) => {
            assert!((1..=1_000).contains(&(notices.len() + unreadable)));
            for notice in &notices {
                let state = notice.client_state.as_deref().unwrap_or_default();
                assert!(notice.subscription.len() <= 128 && state.len() <= 255);
                let shown = format!("{notice:?}");
                assert!(state.len() < 16 || !shown.contains(state), "a clientState is shown nowhere");
            }
        }
        Err(NoticesError::TooMany(count)) => assert!(count > 1_000),
        Err(why) => line(&why.to_string()),
    }
}

fn tokens(body: &[u8], how: u8) {
    let answer = answer(STATUSES[usize::from(how) % STATUSES.len()], body);
    let wall = SystemTime::UNIX_EPOCH;
    match parse_token(&answer, wall) {
        Ok(token) => assert!(token.life <= Duration::from_secs(86_400)),
        Err(error) => line(&error.to_string()),
    }
    match parse_device_code(&answer, wall) {
        Ok(code) => {
            assert!((1..=60).contains(&code.interval.as_secs()));
            line(&code.to_string());
        }
        Err(error) => line(&error.to_string()),
    }
}

fn errors(body: &[u8], how: u8) {
    let answer = answer(STATUSES[usize::from(how) % STATUSES.len()], body);
    match rule(&Ok(answer), SystemTime::UNIX_EPOCH) {
        Ruling::Done => {}
        Ruling::Unauthorized(failure)
        | Ruling::Forbidden(failure)
        | Ruling::NotFound(failure)
        | Ruling::Conflict(failure)
        | Ruling::BadRequest(failure)
        | Ruling::Throttled { failure }
        | Ruling::Unavailable { failure } => {
            line(&failure.detail);
            assert!(failure.retry_after.is_none_or(|wait| wait <= Duration::from_secs(86_400)));
        }
    }
}

/// An availability and an activity, one in each line.
fn words(body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    let mut lines = text.lines();
    let reading = read_status(lines.next(), lines.next());
    assert_eq!(reading, read_status(text.lines().next(), text.lines().nth(1)));
}

/// What is written into a log is one line of a length that a person reads.
#[track_caller]
fn line(text: &str) {
    assert!(text.len() < 4_096 && !text.contains(is_treacherous), "{text:?}");
}

//! What an answer of Microsoft Graph costs, and whom.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use presence_core::{EndedBy, Failure, FailureKind};
use presence_graph::wire::{Ruling, rule};
use presence_graph::{Answer, Trouble};
use proptest::prelude::*;
use serde_json::{Value, json};

fn wall() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer { status, retry_after: None, date: None, request_id: None, body: body.to_string().into() }
}

/// The name of the ruling, and its failure.
fn judged(result: Result<Answer, Trouble>) -> (&'static str, Option<Failure>) {
    match rule(&result, wall()) {
        Ruling::Done => ("done", None),
        Ruling::BadRequest(failure) => ("bad request", Some(failure)),
        Ruling::Unauthorized(failure) => ("unauthorized", Some(failure)),
        Ruling::Forbidden(failure) => ("forbidden", Some(failure)),
        Ruling::NotFound(failure) => ("not found", Some(failure)),
        Ruling::Conflict(failure) => ("conflict", Some(failure)),
        Ruling::Throttled { failure } => ("throttled", Some(failure)),
        Ruling::Unavailable { failure } => ("unavailable", Some(failure)),
    }
}

#[test]
fn every_status_has_its_ruling_and_its_owner() {
    let endpoint = Some(FailureKind::Endpoint);
    for (statuses, ruling, kind) in [
        (&[200, 201, 202, 204][..], "done", None),
        (&[301, 302, 307, 308], "unavailable", endpoint),
        (&[400, 405, 413, 414, 415, 422], "bad request", Some(FailureKind::Transient)),
        (&[401], "unauthorized", endpoint),
        (&[403], "forbidden", endpoint),
        (&[404, 410], "not found", Some(FailureKind::NotFound)),
        (&[409], "conflict", endpoint),
        (&[429], "throttled", endpoint),
        (&[407, 408, 412, 423, 424, 500, 501, 502, 503, 504, 509], "unavailable", endpoint),
        (&[0, 100, 199, 600, 65_535], "unavailable", endpoint),
    ] {
        for status in statuses {
            let (name, failure) = judged(Ok(answer(*status, &json!({}))));
            assert_eq!((name, failure.as_ref().map(|failure| failure.kind)), (ruling, kind), "{status}");
            if let Some(failure) = failure {
                assert_eq!((failure.by, failure.code), (EndedBy::Peer, Some(*status)));
            }
        }
    }
}

#[test]
fn no_answer_is_nobodys_at_microsoft() {
    for trouble in [
        Trouble::Name("no such host".to_owned()),
        Trouble::Connect("refused".to_owned()),
        Trouble::Tls("expired".to_owned()),
        Trouble::Timeout(Duration::from_secs(15)),
        Trouble::TooLong(4_194_304),
        Trouble::Broken("reset".to_owned()),
    ] {
        let text = format!("no answer: {trouble}");
        let (name, failure) = judged(Err(trouble));
        let failure = failure.unwrap();
        assert_eq!(
            (name, failure.kind, failure.by, failure.code),
            ("unavailable", FailureKind::Endpoint, EndedBy::Network, None)
        );
        assert_eq!(&*failure.detail, text);
    }
}

#[test]
fn the_wait_that_is_asked_for_comes_along() {
    for status in [429, 503, 403] {
        let asked = Answer { retry_after: Some(" 2.128".to_owned()), ..answer(status, &json!({})) };
        assert_eq!(judged(Ok(asked)).1.unwrap().retry_after, Some(Duration::from_millis(2_128)));
    }
    let dated = Answer {
        retry_after: Some(httpdate::fmt_http_date(wall() + Duration::from_secs(30))),
        ..answer(429, &json!({}))
    };
    assert_eq!(judged(Ok(dated)).1.unwrap().retry_after, Some(Duration::from_secs(30)));
    let odd = Answer { retry_after: Some("soon".to_owned()), ..answer(429, &json!({})) };
    assert_eq!(judged(Ok(odd)).1.unwrap().retry_after, None);
}

#[test]
fn the_text_is_microsofts_code_message_and_number_in_either_spelling() {
    let text = |body: Value| judged(Ok(answer(403, &body))).1.unwrap().to_string();
    let error = |inner: &str, id: &str| json!({"error": {"code": "Forbidden", "message": "No consent.\nMore", inner: {id: "5e83-4853"}}});
    assert_eq!(text(error("innerError", "request-id")), "403 Forbidden: No consent. (request-id 5e83-4853)");
    assert_eq!(text(error("innererror", "requestId")), "403 Forbidden: No consent. (request-id 5e83-4853)");
    assert_eq!(text(json!({"error": {"code": "Unauthorized", "message": "Unauthorized"}})), "403 Unauthorized");
    assert_eq!(text(json!({"error": {"code": "Unauthorized"}})), "403 Unauthorized");
    assert_eq!(text(json!({"error": {"message": "Only words"}})), "403 Only words");
    for odd in
        [json!(null), json!([]), json!({"error": "text"}), json!({"error": {"code": 7, "message": {}}}), json!("x")]
    {
        assert_eq!(text(odd), "403 refused without a reason");
    }
    let header = Answer { request_id: Some("5e83-4854".to_owned()), ..answer(503, &json!({})) };
    assert_eq!(judged(Ok(header)).1.unwrap().to_string(), "503 Microsoft Graph is in trouble (request-id 5e83-4854)");
    let forged = Answer { request_id: Some("not a number".to_owned()), ..answer(503, &json!({})) };
    assert_eq!(judged(Ok(forged)).1.unwrap().to_string(), "503 Microsoft Graph is in trouble");
}

#[test]
fn a_message_that_holds_a_token_does_not_show_it() {
    let token = format!("eyJ0eXAi.{}", "x".repeat(600));
    let body = json!({"error": {"code": "InvalidAuthenticationToken", "message": format!("CompactToken parsing failed: {token} is bad")}});
    let failure = judged(Ok(answer(401, &body))).1.unwrap();
    assert_eq!(&*failure.detail, "InvalidAuthenticationToken: CompactToken parsing failed: … is bad");
}

#[test]
fn a_long_error_document_is_not_read() {
    let body = json!({"error": {"code": "X", "message": "m", "pad": "x".repeat(70_000)}});
    assert_eq!(judged(Ok(answer(500, &body))).1.unwrap().to_string(), "500 Microsoft Graph is in trouble");
}

proptest! {
    #[test]
    fn no_answer_panics_or_forges_a_line(status in 0..=u16::MAX, code in ".{0,80}", message in ".{0,500}", id in ".{0,80}") {
        let body = json!({"error": {"code": code, "message": message, "innerError": {"request-id": id.clone()}}});
        let asked = Answer { request_id: Some(id), ..answer(status, &body) };
        if let (_, Some(failure)) = judged(Ok(asked)) {
            prop_assert!(!failure.detail.chars().any(char::is_control));
            prop_assert!(failure.detail.chars().count() < 520);
        }
    }
}

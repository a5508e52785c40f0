//! What every request and every answer passes, with handlers that go wrong.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::to_bytes;
use actix_web::dev::{Payload, Service};
use actix_web::http::{Method, header};
use actix_web::middleware::{Compress, from_fn};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{self, Bytes};
use actix_web::{App, Error, HttpRequest, HttpResponse, error};
use futures_util::stream;
use presence_config::HttpSettings;
use serde_json::Value;

use super::super::{Access, HttpMeters, RequestRate};
use super::front::{Front, front};

/// The answer of an application with handlers of all kinds: its status, its headers as text, its body as JSON.
async fn asked(request: TestRequest, endless: bool) -> (u16, String, Value) {
    let meters = Arc::new(HttpMeters::default());
    let settings = HttpSettings::default();
    let rate = Arc::new(RequestRate::new(settings.requests_per_second));
    let at_front = Front::new(&settings, Access::open(), Arc::clone(&meters), rate);
    let app = App::new()
        .app_data(web::Data::new(at_front))
        .route("/fine", web::get().to(async || "fine"))
        .route("/panics", web::get().to(async |_: HttpRequest| -> HttpResponse { panic!("on purpose") }))
        .route("/fails", web::get().to(async || -> Result<&str, Error> { Err(error::ErrorBadGateway("plain words")) }))
        .route("/never", web::get().to(async || std::future::pending::<&str>().await))
        .route("/body", web::post().to(async |body: Bytes| body.len().to_string()))
        .route("/api/v1/events", web::get().to(async || "x".repeat(10_000)))
        .route("/large", web::get().to(async || "x".repeat(10_000)))
        .wrap(Compress::default())
        .wrap(from_fn(front));
    let app = init_service(app).await;
    let mut request = request.insert_header((header::HOST, "localhost")).to_request();
    if endless {
        let payload: Payload = Payload::Stream { payload: Box::pin(stream::pending()) };
        request = request.replace_payload(payload).0;
    }
    let response = match app.call(request).await {
        Ok(response) => response.into_parts().1,
        Err(error) => error.error_response(),
    };
    let status = response.status().as_u16();
    let mut headers: Vec<_> = response.headers().iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    headers.sort();
    let body = to_bytes(response.into_body()).await.expect("a body that is there");
    (status, headers.join("\n"), serde_json::from_slice(&body).unwrap_or_default())
}

#[actix_web::test]
async fn a_handler_that_panics_is_a_problem_that_names_the_request_in_the_log() {
    let (status, headers, body) = asked(TestRequest::get().uri("/panics"), false).await;
    assert_eq!(status, 500, "{body}");
    let id = headers.lines().find_map(|line| line.strip_prefix("x-request-id: ")).expect("an id").trim_matches('"');
    assert_eq!(body["detail"], format!("a bug of ours; the log says more, look for {id}"));
    assert!(headers.contains("nosniff") && headers.contains("application/problem+json"), "{headers}");
    assert!(!body.to_string().contains("on purpose"), "{body}");
}

#[actix_web::test]
async fn an_error_in_other_words_becomes_a_problem() {
    let (status, headers, body) = asked(TestRequest::get().uri("/fails"), false).await;
    assert_eq!((status, body["status"].as_u64(), body["title"].as_str()), (502, Some(502), Some("Bad Gateway")));
    assert!(headers.contains("application/problem+json"), "{headers}");
    assert_eq!(asked(TestRequest::get().uri("/nowhere"), false).await.2["status"], 404);
    assert_eq!(asked(TestRequest::get().uri("/fine"), false).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_arrives_and_an_answer_that_never_comes_end_after_half_a_minute() {
    let local = tokio::task::LocalSet::new();
    let begin = presence_actors::now();
    let slow = TestRequest::post().uri("/body").insert_header((header::CONTENT_LENGTH, "10"));
    let (status, _, body) = local.run_until(asked(slow, true)).await;
    assert_eq!((status, body["detail"].as_str()), (408, Some("the body has not arrived within 30 s")));
    assert_eq!(presence_actors::now() - begin, Duration::from_secs(30));
    let (status, headers, body) = local.run_until(asked(TestRequest::get().uri("/never"), false)).await;
    assert_eq!((status, body["detail"].as_str()), (503, Some("there was no answer within 30 s")));
    assert!(headers.contains("retry-after: \"30\""), "{headers}");
}

#[actix_web::test]
async fn head_is_answered_like_get_and_event_streams_are_never_compressed() {
    let gzip = |target: &str| TestRequest::get().uri(target).insert_header((header::ACCEPT_ENCODING, "gzip"));
    assert!(asked(gzip("/large"), false).await.1.contains("content-encoding: \"gzip\""));
    assert!(!asked(gzip("/api/v1/events"), false).await.1.contains("content-encoding"));
    assert_eq!(asked(TestRequest::default().method(Method::HEAD).uri("/fine"), false).await.0, 200);
    let stream = TestRequest::default().method(Method::HEAD).uri("/api/v1/events");
    let (status, headers, _) = asked(stream, false).await;
    assert_eq!(status, 405);
    assert!(headers.contains("allow: \"GET\""), "{headers}");
}

#[actix_web::test]
async fn a_body_that_is_compressed_is_refused_before_it_is_unpacked() {
    let sent = |coding: &'static str| {
        asked(TestRequest::post().uri("/body").insert_header(("content-encoding", coding)).set_payload("x"), false)
    };
    for coding in ["gzip", "identity, gzip", "br", "x"] {
        let (status, _, body) = sent(coding).await;
        assert!(status == 415 && body["detail"].to_string().contains("Content-Encoding"), "{coding}: {body}");
    }
    assert_eq!(sent("Identity").await.0, 200);
    let both = TestRequest::post().uri("/body").append_header(("content-encoding", "identity"));
    assert_eq!(asked(both.append_header(("content-encoding", "gzip")).set_payload("x"), false).await.0, 415);
}

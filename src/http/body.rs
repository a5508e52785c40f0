//! How the bodies, paths and query strings of requests are read, and what is said of those that cannot be.

use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError};
use actix_web::http::StatusCode;
use actix_web::web::{JsonConfig, PathConfig, PayloadConfig, QueryConfig};
use presence_core::log_text::Safe;

use super::Problem;

/// The longest body, in bytes.
pub(super) const LONGEST: usize = 64 << 10;
/// The longest body of a route that takes thousands of things in one call, in bytes.
pub(super) const LONGEST_BULK: usize = 4 << 20;
/// So much of an error's text is shown: it may quote the request.
const SHOWN: usize = 300;

/// How JSON bodies are read.
pub(super) fn json() -> JsonConfig {
    JsonConfig::default().limit(LONGEST).error_handler(|error, _| json_problem(&error, LONGEST).into())
}

/// How the JSON bodies of bulk routes are read: `web::resource(..).app_data(body::bulk_json())`.
pub(super) fn bulk_json() -> JsonConfig {
    JsonConfig::default().limit(LONGEST_BULK).error_handler(|error, _| json_problem(&error, LONGEST_BULK).into())
}

/// How bodies of other kinds are read.
pub(super) fn payload() -> PayloadConfig {
    PayloadConfig::new(LONGEST)
}

/// How query strings are read.
pub(super) fn query() -> QueryConfig {
    QueryConfig::default().error_handler(|error, _| query_problem(&error).into())
}

/// How the variables of a path are read.
pub(super) fn path() -> PathConfig {
    PathConfig::default().error_handler(|error, _| path_problem(&error).into())
}

fn shown(text: &str) -> String {
    let short: String = text.chars().take(SHOWN).collect();
    Safe(&short).to_string()
}

fn json_problem(error: &JsonPayloadError, longest: usize) -> Problem {
    match error {
        JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {} KiB; send it in parts", longest >> 10),
        ),
        JsonPayloadError::ContentType => Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be JSON, and say so: `Content-Type: application/json`",
        ),
        JsonPayloadError::Deserialize(error) => {
            Problem::bad_request(format!("the body cannot be read: {}", shown(&error.to_string())))
        }
        error => Problem::bad_request(format!("the body did not arrive as it should: {}", shown(&error.to_string()))),
    }
}

fn query_problem(error: &QueryPayloadError) -> Problem {
    let text = match error {
        QueryPayloadError::Deserialize(error) => error.to_string(),
        error => error.to_string(),
    };
    Problem::bad_request(format!("the query string cannot be read: {}", shown(&text)))
}

fn path_problem(error: &PathError) -> Problem {
    Problem::bad_request(format!("the path cannot be read: {}", shown(&error.to_string())))
}

#[cfg(test)]
mod tests {
    use actix_web::web::{Json, Path, Query, resource};
    use actix_web::{App, HttpResponse, test};
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        #[serde(rename = "name")]
        _name: Option<String>,
        #[serde(default, rename = "limit")]
        _limit: u8,
    }

    async fn sent(kind: &str, target: &str, body: String) -> (u16, String) {
        let app = App::new()
            .app_data(json())
            .app_data(query())
            .app_data(path())
            .service(resource("/json").to(async |_: Json<Asked>| HttpResponse::Ok()))
            .service(resource("/bulk").app_data(bulk_json()).to(async |_: Json<Asked>| HttpResponse::Ok()))
            .service(resource("/query").to(async |_: Query<Asked>| HttpResponse::Ok()))
            .service(resource("/path/{number}").to(async |_: Path<u8>| HttpResponse::Ok()));
        let app = test::init_service(app).await;
        let request = test::TestRequest::post().uri(target).insert_header(("content-type", kind)).set_payload(body);
        let answer = test::call_service(&app, request.to_request()).await;
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_slice(&test::read_body(answer).await).unwrap_or_default();
        (status, body["detail"].as_str().unwrap_or_default().to_owned())
    }

    #[actix_web::test]
    async fn a_body_that_cannot_be_read_is_refused_with_the_field_the_line_and_the_column() {
        let json = |body: &str| sent("application/json", "/json", body.to_owned());
        let (status, detail) = json("{\n  \"nmae\": \"x\"}").await;
        assert_eq!(
            (status, detail.as_str()),
            (400, "the body cannot be read: unknown field `nmae`, expected `name` or `limit` at line 2 column 8")
        );
        assert_eq!(json("{}").await.0, 200);
        assert!(json("{\"limit\": 256}").await.1.contains("expected u8 at line 1 column 13"));
        assert!(json("{").await.1.contains("EOF while parsing an object at line 1 column 1"));
        let long = json(&format!("{{\"{}\": 1}}", "x\u{1b}".repeat(5_000))).await;
        assert!(long.0 == 400 && long.1.len() < 1_500 && !long.1.contains('\u{1b}'), "{long:?}");
    }

    #[actix_web::test]
    async fn a_body_that_is_too_long_or_of_another_kind_is_refused() {
        let long = format!("{{\"name\": \"{}\"}}", "x".repeat(LONGEST));
        let (status, detail) = sent("application/json", "/json", long.clone()).await;
        assert_eq!((status, detail.as_str()), (413, "the body is longer than 64 KiB; send it in parts"));
        assert_eq!(sent("application/json", "/bulk", long).await.0, 200);
        let longer = format!("{{\"name\": \"{}\"}}", "x".repeat(LONGEST_BULK));
        assert_eq!(sent("application/json", "/bulk", longer).await.0, 413);
        assert_eq!(sent("text/plain", "/json", "{}".to_owned()).await.0, 415);
    }

    #[actix_web::test]
    async fn a_query_string_and_a_path_that_cannot_be_read_are_refused() {
        let (status, detail) = sent("", "/query?nmae=x", String::new()).await;
        assert_eq!(
            (status, detail.as_str()),
            (400, "the query string cannot be read: unknown field `nmae`, expected `name` or `limit`")
        );
        let (status, detail) = sent("", "/path/x", String::new()).await;
        assert_eq!((status, detail.split(": ").next()), (400, Some("the path cannot be read")), "{detail}");
    }
}

//! The files of the page are complete, keep to the policy, and are answered as files should be.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, dev::ServiceResponse};

use super::*;

async fn ask(request: TestRequest) -> ServiceResponse {
    let app = init_service(App::new().configure(configure)).await;
    call_service(&app, request.to_request()).await
}

fn header_of(response: &ServiceResponse, name: header::HeaderName) -> &str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// What stands between `before` and the next quotation mark, each time.
fn quoted<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(|rest| rest.split('"').next().unwrap())
}

#[test]
fn every_file_in_the_folder_is_served_and_small() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/dashboard/assets");
    let on_disk: BTreeSet<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let served: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(on_disk, served);
    for (name, text) in FILES {
        assert!(text.lines().count() <= 300, "{name} is to be split");
    }
}

#[test]
fn everything_that_the_files_need_is_there() {
    let names: BTreeSet<&str> = FILES.iter().map(|(name, _)| *name).collect();
    let (_, page) = FILES.iter().find(|(name, _)| *name == PAGE).unwrap();
    let mut found = 0;
    for name in quoted(page, "\"dashboard/") {
        assert!(names.contains(name), "{name} is no file");
        found += 1;
    }
    for (file, text) in FILES.iter().filter(|(name, _)| name.ends_with(".js")) {
        for name in quoted(text, " from \"./") {
            assert!(names.contains(name), "{file} imports {name}");
            found += 1;
        }
        for id in quoted(text, "byId(\"").filter(|id| *id != "drawer-title") {
            assert!(page.contains(&format!("id=\"{id}\"")), "{file} looks for #{id}");
        }
    }
    assert!(found > 30, "{found}");
}

#[test]
fn nothing_is_inline_nothing_is_foreign_and_no_text_becomes_markup() {
    for (name, text) in FILES {
        for bad in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "@import"]
        {
            assert!(!text.contains(bad), "{name}: {bad}");
        }
        let addresses = text.matches("://").count() - text.matches("http://www.w3.org/2000/svg").count();
        assert_eq!(addresses, 0, "{name} names another host");
        if name.ends_with(".html") {
            for bad in ["style=", "<style", "<script>", " onclick", " onload", "javascript:"] {
                assert!(!text.contains(bad), "{name}: {bad}");
            }
        }
    }
}

#[actix_web::test]
async fn the_page_is_answered_with_its_policy() {
    let response = ask(TestRequest::get().uri("/")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header_of(&response, header::CONTENT_TYPE), "text/html; charset=utf-8");
    let policy = header_of(&response, header::CONTENT_SECURITY_POLICY);
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.split("; ").any(|one| one == part), "{part} is missing in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let body = read_body(response).await;
    assert!(body.starts_with(b"<!doctype html>"));
}

#[actix_web::test]
async fn files_have_their_media_types() {
    for (name, kind) in [
        ("main.js", "text/javascript; charset=utf-8"),
        ("base.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let response = ask(TestRequest::get().uri(&format!("/dashboard/{name}"))).await;
        assert_eq!((response.status(), header_of(&response, header::CONTENT_TYPE)), (StatusCode::OK, kind), "{name}");
        assert_eq!(header_of(&response, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    }
    let response = ask(TestRequest::get().uri("/dashboard/index.html")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND, "the page is at / only");
}

#[actix_web::test]
async fn a_browser_that_has_a_file_is_told_so() {
    let response = ask(TestRequest::get().uri("/dashboard/main.js")).await;
    assert_eq!(header_of(&response, header::CACHE_CONTROL), "no-cache");
    let tag = header_of(&response, header::ETAG).to_owned();
    let again = |tag: &str| TestRequest::get().uri("/dashboard/main.js").insert_header((header::IF_NONE_MATCH, tag));
    for known in [tag.clone(), format!("W/{tag}"), format!("\"old\", {tag}"), "*".to_owned()] {
        let response = ask(again(&known)).await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(header_of(&response, header::ETAG), tag);
        assert!(read_body(response).await.is_empty());
    }
    assert_eq!(ask(again("\"old\"")).await.status(), StatusCode::OK);
    let other = ask(TestRequest::get().uri("/dashboard/api.js")).await;
    assert_ne!(header_of(&other, header::ETAG), tag);
}

#[actix_web::test]
async fn the_files_can_only_be_read() {
    for path in ["/", "/dashboard/main.js"] {
        let response = ask(TestRequest::post().uri(path)).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(header_of(&response, header::ALLOW), "GET, HEAD");
        assert_eq!(header_of(&response, header::CONTENT_TYPE), "application/problem+json");
    }
}

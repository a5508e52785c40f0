//! The routes that answer and those that are described are the same.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use actix_web::dev::Service;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, http::Method};

use super::table::operations;
use super::{openapi, routes};

/// Pages and what belongs to them: not for programs, and so not in the description.
fn is_page(pattern: &str) -> bool {
    pattern == "/"
        || pattern.starts_with("/dashboard/")
        || pattern.starts_with("/api/v1/docs")
        || pattern == "/favicon.ico"
}

/// The patterns of all routes, as actix knows them.
async fn known_to_actix() -> BTreeSet<String> {
    let map = Rc::new(RefCell::new(String::new()));
    let seen = Rc::clone(&map);
    let app = App::new().configure(routes).wrap_fn(move |request, service| {
        // The map has no other way to be listed.
        *seen.borrow_mut() = format!("{:?}", request.request().resource_map());
        service.call(request)
    });
    let app = init_service(app).await;
    call_service(&app, TestRequest::get().uri("/nowhere").to_request()).await;
    let map = map.borrow();
    // `patterns: Single("/health/live")` or `patterns: List(["/a", "/b"])`.
    let quoted = map.split("patterns: ").skip(1).flat_map(|rest| {
        let list = rest.split_once(')').map_or("", |(list, _)| list);
        list.split('"').skip(1).step_by(2)
    });
    quoted.filter(|pattern| pattern.starts_with('/')).map(without_expressions).collect()
}

/// `/a/{file:.*}` as the description writes it: `/a/{file}`.
fn without_expressions(pattern: &str) -> String {
    let mut parts = pattern.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| {
        let (variable, rest) = part.rsplit_once('}').unwrap_or((part, ""));
        let name = variable.split(':').next().unwrap_or_default();
        format!("{whole}{{{name}}}{rest}")
    })
}

#[actix_web::test]
async fn every_route_is_described_and_everything_described_is_a_route() {
    let known = known_to_actix().await;
    assert!(known.len() > 20 && known.contains("/api/v1/status"), "{known:?}");
    let known: BTreeSet<_> = known.into_iter().filter(|pattern| !is_page(pattern)).collect();
    let description = openapi::description();
    let described: BTreeSet<_> = description.paths.paths.keys().cloned().collect();
    assert_eq!(known.difference(&described).collect::<Vec<_>>(), Vec::<&String>::new(), "not described");
    assert_eq!(described.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "described, and no route");
}

#[actix_web::test]
async fn every_method_that_is_described_is_served_and_no_other_is() {
    let app = init_service(App::new().configure(routes)).await;
    for (path, item) in &openapi::description().paths.paths {
        let described: BTreeSet<_> = operations(item).map(|(method, _)| method.to_string()).collect();
        for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
            let target = path.replace(['{', '}'], "");
            let request = TestRequest::default().method(method.clone()).uri(&target).to_request();
            // Without the data of the API a handler that is reached fails; the router's own answers are 404 and 405.
            let status = call_service(&app, request).await.status().as_u16();
            let is_served = !matches!(status, 404 | 405);
            assert_eq!(is_served, described.contains(method.as_str()), "{method} {path}: {status}");
        }
    }
}

//! The page for supervisors and operators at `/`: plain HTML, CSS and JavaScript modules inside the program.
//!
//! | part | file |
//! |---|---|
//! | the page | `assets/index.html` |
//! | puts the parts together, asks again and again | `assets/main.js` |
//! | requests, tokens, problems; the stream of events | `assets/api.js`, `assets/signin.js`, `assets/stream.js` |
//! | is what is shown still true | `assets/connection.js` |
//! | verdict, recovery, endpoints, numbers | `assets/overview.js` |
//! | the tenants of Microsoft Graph | `assets/tenants.js` |
//! | the list: its pages, its rows, its filters, its address | `assets/agents.js`, `grid.js`, `row.js`, `filters.js`, `view.js` |
//! | one agent | `assets/drawer.js`, `assets/detail.js` |
//! | queues, live feed, charts | `assets/queues.js`, `assets/live.js`, `assets/charts.js` |
//!
//! Nothing comes from another host, nothing runs that is not one of these files (see [`POLICY`]), and what the provider
//! tells becomes text, never markup. The page needs no token; what it shows does.

mod asset;
#[cfg(test)]
mod tests;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::Problem;
use asset::Asset;

/// What the page may do: run, show and ask what comes from here, and nothing else; not even its own code may make
/// markup out of text, and nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

/// The name of a file of the page and its text.
macro_rules! asset {
    ($name:literal) => {
        ($name, include_str!(concat!("assets/", $name)))
    };
}

/// Everything that the page consists of, by its name below `/dashboard/`.
const FILES: [(&str, &str); 28] = [
    asset!("agents.js"),
    asset!("api.js"),
    asset!("base.css"),
    asset!("charts.js"),
    asset!("chevron.svg"),
    asset!("connection.js"),
    asset!("detail.js"),
    asset!("dom.js"),
    asset!("drawer.js"),
    asset!("early.js"),
    asset!("filters.js"),
    asset!("format.js"),
    asset!("grid.js"),
    asset!("icon.svg"),
    asset!("live.js"),
    asset!("main.js"),
    asset!("overview.css"),
    asset!("overview.js"),
    asset!("panels.css"),
    asset!("queues.js"),
    asset!("row.js"),
    asset!("signin.js"),
    asset!("stream.js"),
    asset!("table.css"),
    asset!("tenants.js"),
    asset!("theme.js"),
    asset!("view.js"),
    asset!("index.html"),
];

/// The page itself; it is at `/` only.
const PAGE: &str = "index.html";

/// The routes of this part.
pub(super) fn configure(config: &mut ServiceConfig) {
    for (name, text) in FILES {
        let path = if name == PAGE { "/".to_owned() } else { format!("/dashboard/{name}") };
        let asset = Asset::new(name, text);
        let answer = move |request: HttpRequest| {
            let answer = asset.answer(&request);
            async move { answer }
        };
        // The front of the server makes GET of HEAD.
        config.service(web::resource(path).route(web::get().to(answer)).default_service(web::to(wrong_method)));
    }
}

/// Any other method.
async fn wrong_method() -> HttpResponse {
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the dashboard can only be read: use GET or HEAD");
    let mut response = problem.error_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

//! Metrics in the format of Prometheus.

mod collect;
mod coverage;
mod exposition;
mod graph;
mod http_meters;
mod process;
mod samples;
mod state;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, Accept, Header, QualityItem};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use presence_actors::now;
use utoipa::OpenApi;

use self::exposition::{CLASSIC, Exposition, OPEN_METRICS};
use super::{Api, Caller, Problem, Scope};
pub use http_meters::HttpMeters;
pub(super) use http_meters::Stream;

/// What this part adds to the description of the API.
#[derive(OpenApi)]
#[openapi(paths(metrics), tags((name = "monitoring", description = "For monitoring systems")))]
pub(super) struct Doc;

/// The routes of this part.
pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(web::resource("/metrics").route(web::get().to(metrics)));
}

/// Metrics for Prometheus.
///
/// As OpenMetrics 1.0 when the client accepts `application/openmetrics-text`, otherwise in the text format 0.0.4. The names
/// and units are in docs/operations.md.
#[utoipa::path(
    get, path = "/metrics", tag = "monitoring",
    responses(
        (status = 200, description = "All metrics", content(
            (String = "text/plain"), (String = "application/openmetrics-text")
        )),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Without the scope `read`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn metrics(caller: Caller, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    caller.require(&Scope::Read)?;
    let mut answer = Exposition::default();
    let snapshot = api.observatory.snapshot();
    collect::seen(&mut answer, now(), &snapshot);
    coverage::seen(&mut answer, now(), &snapshot.view.throttle);
    graph::seen(&mut answer, now(), &snapshot.view.sources, &snapshot.status.graph);
    let counted = api.provider.meters().read();
    collect::counted(&mut answer, &counted);
    samples::samples(&mut answer, &counted);
    let (agents, pushers) = api.pushers.counts().await;
    collect::pushed(&mut answer, agents, pushers);
    collect::certificates(&mut answer, Timestamp::now(), &api.certificates.read());
    state::state(&mut answer, api.keeping.read(now()).as_ref());
    collect::api(&mut answer, &api.meters);
    collect::process(&mut answer, collect::since_1970(api.started));
    let is_open = Accept::parse(&request).is_ok_and(|accept| wants_open_metrics(&accept));
    let (kind, text) = if is_open { (OPEN_METRICS, answer.open_metrics()) } else { (CLASSIC, answer.classic()) };
    let text = text.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, kind)).body(text))
}

/// True when OpenMetrics comes before the classic text.
fn wants_open_metrics(accept: &Accept) -> bool {
    let ranked = accept.ranked();
    let first = ranked.iter().find_map(|kind| match (kind.type_().as_str(), kind.subtype().as_str()) {
        ("application", "openmetrics-text") => Some(true),
        ("text" | "*", _) => Some(false),
        _ => None,
    });
    first.unwrap_or(false) && !accept.iter().all(|QualityItem { quality, .. }| *quality == header::q(0.0))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn open(accept: &str) -> bool {
        let request = TestRequest::default().insert_header((header::ACCEPT, accept)).to_http_request();
        wants_open_metrics(&Accept::parse(&request).unwrap())
    }

    #[test]
    fn open_metrics_is_for_those_who_prefer_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert!(open(prometheus));
        assert!(open("application/openmetrics-text"));
        for classic in
            ["*/*", "text/html, */*;q=0.5", "text/plain, application/openmetrics-text;q=0.5", "image/png", ""]
        {
            assert!(!open(classic), "{classic}");
        }
    }
}

//! Metrics in the format of Prometheus.

mod http_meters;

use actix_web::web::ServiceConfig;
use utoipa::OpenApi;

pub use http_meters::HttpMeters;
pub(super) use http_meters::Stream;

/// What this part adds to the description of the API.
#[derive(OpenApi)]
#[openapi()]
pub(super) struct Doc;

/// The routes of this part.
pub(super) fn configure(_config: &mut ServiceConfig) {}

//! Calls with PSTN agents.

use actix_web::web::ServiceConfig;
use utoipa::OpenApi;

/// What this part adds to the description of the API.
#[derive(OpenApi)]
#[openapi()]
pub(super) struct Doc;

/// The routes of this part.
pub(super) fn configure(_config: &mut ServiceConfig) {}

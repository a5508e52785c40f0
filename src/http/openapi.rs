//! The description of the API, made from the code, and the page to try it.

use actix_web::web::ServiceConfig;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Description;

use super::{agents, attendant, calls, events, health, metrics, status, uccs};

/// The whole description.
#[must_use]
pub fn description() -> Description {
    let mut whole = agents::Doc::openapi();
    for part in [
        status::Doc::openapi(),
        attendant::Doc::openapi(),
        calls::Doc::openapi(),
        uccs::Doc::openapi(),
        events::Doc::openapi(),
        health::Doc::openapi(),
        metrics::Doc::openapi(),
    ] {
        whole.merge(part);
    }
    whole
}

/// The routes of this part.
pub(super) fn configure(_config: &mut ServiceConfig) {}

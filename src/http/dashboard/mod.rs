//! The page for supervisors and operators.

use actix_web::web::ServiceConfig;

/// The routes of this part.
pub(super) fn configure(_config: &mut ServiceConfig) {}

//! What third parties push: attendant consoles and others.

use actix_web::web::ServiceConfig;
use utoipa::OpenApi;

/// What this part adds to the description of the API.
#[derive(OpenApi)]
#[openapi()]
pub(super) struct Doc;

/// The routes of this part.
pub(super) fn configure(_config: &mut ServiceConfig) {}

/// Who pushed what, and by when it must be heard of again.
pub struct Pushers {
    _provider: presence_actors::Provider,
}

impl Pushers {
    /// Nobody has pushed anything.
    #[must_use]
    pub const fn new(provider: presence_actors::Provider) -> Self {
        Self { _provider: provider }
    }
}

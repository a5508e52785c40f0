//! Remote queues: clients of the API that are served like those inside the process.

use actix_web::web::ServiceConfig;
use utoipa::OpenApi;

/// What this part adds to the description of the API.
#[derive(OpenApi)]
#[openapi()]
pub(super) struct Doc;

/// The routes of this part.
pub(super) fn configure(_config: &mut ServiceConfig) {}

/// The queues that are clients of the API. A handle; clones speak to the same ones.
#[derive(Clone)]
pub struct RemoteUccs {
    _provider: presence_actors::Provider,
}

impl RemoteUccs {
    /// Begins to take clients. Call it inside an actix system.
    #[must_use]
    pub fn start(provider: presence_actors::Provider, _settings: &presence_config::HttpSettings) -> Self {
        Self { _provider: provider }
    }
}

//! What the process looks like, looked at once a second for all who ask.

use presence_actors::Provider;

/// Looks at the provider once a second, and keeps the last minutes and each agent's last changes.
#[derive(Clone)]
pub struct Observatory {
    _provider: Provider,
}

impl Observatory {
    /// Begins to look. Call it inside an actix system.
    #[must_use]
    pub fn start(provider: Provider) -> Self {
        Self { _provider: provider }
    }
}

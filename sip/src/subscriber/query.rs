//! What the server says about an agent when it is asked once.

use std::time::Instant;

use presence_core::{AgentUri, Attempt};

use super::{Subscriber, SubscriberEffect};

impl Subscriber {
    /// Asks once how the agent is.
    pub fn query(&mut self, _now: Instant, uri: &AgentUri, attempt: Attempt) {
        self.effects.push_back(SubscriberEffect::Queried { uri: uri.clone(), attempt, status: None });
    }
}

//! What the server says about agents when it is asked once.

use std::time::Instant;

use presence_core::{AgentUri, Attempt};

use super::SkypeSubscriber;
use crate::subscriber::SubscriberEffect;

impl SkypeSubscriber {
    pub(super) fn ask_once(&mut self, _now: Instant, uri: &AgentUri, attempt: Attempt) {
        self.effects.push_back(SubscriberEffect::Queried { uri: uri.clone(), attempt, status: None });
    }
}

//! AttendantServiceSource: third parties push how an agent is, with a time to live.

use std::time::Instant;

use actix::{Context, Handler};
use presence_core::{AgentUri, Pushed, PushedInput, SourceKind, SubscriptionMemory};

use super::{Serves, Source};
use crate::agent::{FeedPushed, Life};
use crate::messages::{Push, PushRefused};

/// How many agents are kept; pushes for agents that nobody watches count too.
const MAX_PUSHED_AGENTS: usize = 100_000;

/// Pushed presence.
pub(crate) struct Attendant;

impl Serves for Attendant {
    const KIND: SourceKind = SourceKind::Attendant;

    fn life(&self, now: Instant, uri: &AgentUri, _: Option<SubscriptionMemory>) -> Life {
        Life::Pushed(Pushed::new(now, uri.clone()))
    }
}

impl Handler<Push> for Source<Attendant> {
    type Result = Result<(), PushRefused>;

    fn handle(&mut self, message: Push, _: &mut Context<Self>) -> Self::Result {
        if self.draining.is_some() {
            return Err(PushRefused::ShuttingDown);
        }
        if self.children.get(&message.uri).is_none() && self.children.len() >= MAX_PUSHED_AGENTS {
            return Err(PushRefused::TooMany(MAX_PUSHED_AGENTS));
        }
        if let Some(agent) = self.ensure(&message.uri) {
            let input = PushedInput::Push { status: message.status, time_to_live: message.time_to_live };
            agent.do_send(FeedPushed(input));
        }
        Ok(())
    }
}

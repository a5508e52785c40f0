//! AttendantServiceSource: third parties push how an agent is, with a time to live.

use std::time::Instant;

use actix::{Context, Handler, ResponseFuture};
use presence_core::{AgentUri, Pushed, PushedInput, SourceKind};

use super::{Serves, Source};
use crate::agent::{Birth, FeedPushed, Life, Memory};
use crate::messages::{Push, PushRefused, Withdraw};

/// How many agents are kept; pushes for agents that nobody watches count too.
const MAX_PUSHED_AGENTS: usize = 100_000;

/// Pushed presence.
pub(crate) struct Attendant;

impl Serves for Attendant {
    const KIND: SourceKind = SourceKind::Attendant;

    fn life(&self, now: Instant, uri: &AgentUri, birth: Birth) -> Life {
        Life::Pushed(match birth.memory {
            Some(Memory::Pushed(pushed)) => pushed,
            Some(Memory::Subscribed(_) | Memory::Line(_)) | None => Pushed::new(now, uri.clone()),
        })
    }

    /// A push counts whether anybody watches or not, and runs out in its time.
    fn started(source: &mut Source<Self>, _: &mut Context<Source<Self>>) {
        for uri in source.children.left() {
            source.ensure(&uri);
        }
    }
}

impl Handler<Push> for Source<Attendant> {
    type Result = Result<(), PushRefused>;

    fn handle(&mut self, message: Push, _: &mut Context<Self>) -> Self::Result {
        if self.leaving {
            return Err(PushRefused::ShuttingDown);
        }
        if self.children.get(&message.uri).is_none() && self.children.len() >= MAX_PUSHED_AGENTS {
            return Err(PushRefused::TooMany(MAX_PUSHED_AGENTS));
        }
        self.ensure(&message.uri);
        let input = PushedInput::Push { status: message.status, time_to_live: message.time_to_live };
        self.children.push(&message.uri, FeedPushed(input));
        Ok(())
    }
}

impl Handler<Withdraw> for Source<Attendant> {
    type Result = ResponseFuture<Result<bool, PushRefused>>;

    fn handle(&mut self, message: Withdraw, _: &mut Context<Self>) -> Self::Result {
        if self.leaving {
            return Box::pin(std::future::ready(Err(PushRefused::ShuttingDown)));
        }
        let held = self.children.withdraw(&message.uri);
        Box::pin(async move { Ok(held.await) })
    }
}

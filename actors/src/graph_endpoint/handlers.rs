//! What the endpoint does with each message: it feeds the machine, and then drives its effects.

use std::sync::{Arc, PoisonError};

use actix::{Context, Handler, Message, MessageResult};
use presence_core::{AgentUri, Attempt};
use presence_graph::{Answer, ExchangeId, GraphAgentView, GraphInput, GraphView, Secret, Trouble};

use super::{ENDING, GraphEndpoint};
use crate::clock;
use crate::messages::{Drain, PanicNow, SendSubscribe, SendUnsubscribe, TokenSent};
use crate::remember::CollectGraph;

impl GraphEndpoint {
    fn token_is_used(&self) {
        if let Some(sent) = &self.parent.sent {
            sent.do_send(TokenSent);
        }
    }
}

impl Handler<SendSubscribe> for GraphEndpoint {
    type Result = ();

    fn handle(&mut self, message: SendSubscribe, ctx: &mut Context<Self>) {
        let SendSubscribe { agent, uri, attempt, refresh: _ } = message;
        self.token_is_used();
        self.agents.insert(uri.clone(), (attempt, agent));
        self.handle(GraphInput::Register { uri, attempt }, ctx);
    }
}

impl Handler<SendUnsubscribe> for GraphEndpoint {
    type Result = ();

    fn handle(&mut self, message: SendUnsubscribe, ctx: &mut Context<Self>) {
        let SendUnsubscribe { uri, attempt } = message;
        self.token_is_used();
        self.handle(GraphInput::Unregister { uri, attempt }, ctx);
    }
}

/// What came of a request.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Answered {
    pub(super) exchange: ExchangeId,
    pub(super) result: Result<Answer, Trouble>,
}

impl Handler<Answered> for GraphEndpoint {
    type Result = ();

    fn handle(&mut self, message: Answered, ctx: &mut Context<Self>) {
        self.handle(GraphInput::Answered { exchange: message.exchange, result: message.result }, ctx);
    }
}

/// What came of reading a secret.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct SecretLoaded {
    pub(super) account: Arc<str>,
    pub(super) secret: Result<Secret, String>,
}

impl Handler<SecretLoaded> for GraphEndpoint {
    type Result = ();

    fn handle(&mut self, message: SecretLoaded, ctx: &mut Context<Self>) {
        self.handle(GraphInput::SecretLoaded { account: message.account, secret: message.secret }, ctx);
    }
}

/// No tenant knows this agent, which was registered under this number, and nothing of it is left here.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct AgentDeclined {
    pub(crate) uri: AgentUri,
    pub(crate) attempt: Attempt,
}

/// How the whole looks.
#[derive(Clone, Copy, Message)]
#[rtype(result = "GraphView")]
pub(crate) struct ObserveGraph;

impl Handler<ObserveGraph> for GraphEndpoint {
    type Result = MessageResult<ObserveGraph>;

    fn handle(&mut self, _: ObserveGraph, _: &mut Context<Self>) -> Self::Result {
        let mut view = self.machine.view(clock::now());
        // What was turned away at the door came as well.
        let forged = self.doorway.lock().unwrap_or_else(PoisonError::into_inner).forged();
        view.counters.notices += forged;
        view.counters.notices_dropped += forged;
        MessageResult(view)
    }
}

impl Handler<CollectGraph> for GraphEndpoint {
    type Result = MessageResult<CollectGraph>;

    fn handle(&mut self, message: CollectGraph, _: &mut Context<Self>) -> Self::Result {
        let after = message.after.as_ref().map(|(tenant, name)| (&**tenant, &**name));
        MessageResult(self.machine.memory(clock::now(), after))
    }
}

/// What is known of these agents, in the same order.
#[derive(Clone, Message)]
#[rtype(result = "Vec<Option<GraphAgentView>>")]
pub(crate) struct InspectAgents(pub(crate) Vec<AgentUri>);

impl Handler<InspectAgents> for GraphEndpoint {
    type Result = Vec<Option<GraphAgentView>>;

    fn handle(&mut self, message: InspectAgents, _: &mut Context<Self>) -> Self::Result {
        message.0.iter().map(|uri| self.machine.inspect(uri)).collect()
    }
}

/// A person wants every account that waits tried again now.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Retry;

impl Handler<Retry> for GraphEndpoint {
    type Result = ();

    fn handle(&mut self, _: Retry, ctx: &mut Context<Self>) {
        self.handle(GraphInput::Retry, ctx);
    }
}

impl Handler<Drain> for GraphEndpoint {
    type Result = ();

    fn handle(&mut self, message: Drain, ctx: &mut Context<Self>) {
        match &mut self.ending {
            Some((_, waiting)) => waiting.push(message.done),
            None => {
                self.ending = Some((clock::now() + ENDING, vec![message.done]));
                self.handle(GraphInput::Stop, ctx);
            }
        }
    }
}

impl Handler<PanicNow> for GraphEndpoint {
    type Result = ();

    fn handle(&mut self, _: PanicNow, _: &mut Context<Self>) {
        panic!("the endpoint at Microsoft Graph was told to panic");
    }
}

//! One agent: its life cycle, its back-off and its watchers.

mod handlers;
mod life;
mod standing;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use actix::{Actor, Addr, AsyncContext, Context, Recipient, SpawnHandle};
use presence_core::{
    AgentUri, Change, EndpointKind, FailureKind, SourceEffect, SourceKind, Status, SubscriptionEffect,
};

pub(crate) use handlers::{FeedLine, FeedPushed, TakeBack};
pub(crate) use life::{AgentMemory, Birth, Life, Memory};
use standing::Told;

use crate::clock;
use crate::messages::{
    AgentIdle, CancelToken, ChildDown, Sampled, SendQuery, SendSubscribe, SendUnsubscribe, TakeToken, TokenSent,
};
use crate::occurrence::{Bulletin, Occurrence};
use crate::throttle::Throttle;
use crate::views::AgentView;
use crate::watchers::Watchers;

/// What all agents of one source share.
pub(crate) struct AgentContext {
    pub(crate) source: SourceKind,
    pub(crate) throttle: Option<Addr<Throttle>>,
    /// Who is told how the agents stand: the pool's throttle, whichever source they are of.
    pub(crate) order: Addr<Throttle>,
    pub(crate) endpoints: Mutex<Vec<AgentDoor>>,
    pub(crate) idle: Recipient<AgentIdle>,
    pub(crate) down: Recipient<ChildDown<AgentUri>>,
    pub(crate) sampled: Recipient<Sampled>,
    pub(crate) bulletin: Bulletin,
}

/// Where agents are put on the wire: one endpoint of their source.
pub(crate) struct AgentDoor {
    pub(crate) kind: EndpointKind,
    pub(crate) subscribe: Recipient<SendSubscribe>,
    pub(crate) unsubscribe: Recipient<SendUnsubscribe>,
    /// None where nobody is sampled.
    pub(crate) query: Option<Recipient<SendQuery>>,
}

/// The actor of one agent URI.
pub(crate) struct Agent {
    uri: AgentUri,
    incarnation: u32,
    life: Life,
    watchers: Watchers,
    shared: Arc<AgentContext>,
    memory: Arc<AgentMemory>,
    /// What is armed, and when it fires: never later than the deadline.
    timer: Option<(Instant, SpawnHandle)>,
    /// How many orders of its parent it has taken: only an agent that has taken them all may be let go.
    orders: u32,
    /// The provider shuts down: nothing is kept for later.
    leaving: bool,
    told_to_stop: bool,
    /// Somebody's order to watch it is on its way.
    expected: bool,
    /// How it stands, as the throttle knows it.
    told: Told,
}

impl Agent {
    pub(crate) fn new(
        uri: AgentUri,
        incarnation: u32,
        life: Life,
        watchers: Watchers,
        shared: Arc<AgentContext>,
        memory: Arc<AgentMemory>,
    ) -> Self {
        let (timer, orders, leaving, told_to_stop, expected) = (None, 0, false, false, false);
        let told = Told::default();
        Self { uri, incarnation, life, watchers, shared, memory, timer, orders, leaving, told_to_stop, told, expected }
    }

    /// The same agent; somebody's order to watch it follows.
    pub(crate) fn expected(self, expected: bool) -> Self {
        Self { expected, ..self }
    }

    /// The only place with side effects: performs what the machine asks for, then arms the one timer.
    ///
    /// True when an endpoint was told to put the agent on the wire.
    fn drive(&mut self, ctx: &mut Context<Self>) -> bool {
        // Before it asks for a token: whose turn it is depends on it.
        self.tell_standing();
        let mut is_sending = false;
        match &mut self.life {
            Life::Subscribed(machine) => {
                let mut remember = false;
                while let Some(effect) = machine.poll_effect() {
                    remember = true;
                    is_sending |= perform(effect, &self.uri, &mut self.watchers, &self.shared, ctx);
                }
                if remember {
                    self.memory.keep(Memory::Subscribed(machine.memory(clock::now())));
                }
            }
            Life::Line(machine) => {
                while let Some(SourceEffect::Publish(change)) = machine.poll_effect() {
                    publish(&change, &mut self.watchers, &self.shared);
                }
                self.memory.keep(Memory::Line(machine.clone()));
            }
            Life::Pushed(machine) => {
                while let Some(SourceEffect::Publish(change)) = machine.poll_effect() {
                    publish(&change, &mut self.watchers, &self.shared);
                }
                self.memory.keep(Memory::Pushed(machine.clone()));
            }
        }
        self.rearm(ctx);
        if self.watchers.is_empty() && self.life.is_idle(self.leaving) {
            let (uri, incarnation, orders) = (self.uri.clone(), self.incarnation, self.orders);
            self.shared.idle.do_send(AgentIdle { uri, incarnation, orders });
        }
        is_sending
    }

    fn rearm(&mut self, ctx: &mut Context<Self>) {
        let deadline = self.life.deadline();
        if clock::keeps(self.timer, deadline) {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.timer = deadline.map(|deadline| {
            let timer = ctx.run_later(clock::until(deadline), |agent, ctx| {
                agent.timer = None;
                agent.life.handle_timeout(clock::now());
                agent.drive(ctx);
            });
            (deadline, timer)
        });
    }

    fn wanted(&mut self, wanted: bool) {
        self.life.set_wanted(clock::now(), wanted);
    }

    fn view(&self) -> AgentView {
        let (presence, sequence) = self.life.presence();
        AgentView {
            uri: self.uri.clone(),
            presence: Arc::clone(presence),
            sequence,
            subscription: self.life.subscription(),
            watchers: self.watchers.names(),
            graph: None,
            quarantined_until: None,
        }
    }
}

/// Tells observers and every watching UCC.
fn publish(change: &Arc<Change>, watchers: &mut Watchers, shared: &AgentContext) {
    shared.bulletin.changed(change);
    watchers.publish(change);
}

/// Does what the machine asks for; true when an endpoint was told to put the agent on the wire.
fn perform(
    effect: SubscriptionEffect,
    uri: &AgentUri,
    watchers: &mut Watchers,
    shared: &AgentContext,
    ctx: &mut Context<Agent>,
) -> bool {
    match effect {
        SubscriptionEffect::TakeToken { ticket, class } => {
            if let Some(throttle) = &shared.throttle {
                throttle.do_send(TakeToken { agent: ctx.address().recipient(), uri: uri.clone(), ticket, class });
            }
        }
        SubscriptionEffect::CancelToken { ticket } => {
            if let Some(throttle) = &shared.throttle {
                throttle.do_send(CancelToken { uri: uri.clone(), ticket });
            }
        }
        SubscriptionEffect::Subscribe { via, attempt } | SubscriptionEffect::Refresh { via, attempt } => {
            let refresh = matches!(effect, SubscriptionEffect::Refresh { .. });
            let agent = ctx.address().recipient();
            return shared.with_endpoint(via, |endpoint| {
                endpoint.subscribe.do_send(SendSubscribe { agent, uri: uri.clone(), attempt, refresh });
            });
        }
        SubscriptionEffect::Unsubscribe { via, attempt } => {
            return shared.with_endpoint(via, |endpoint| {
                endpoint.unsubscribe.do_send(SendUnsubscribe { uri: uri.clone(), attempt })
            });
        }
        SubscriptionEffect::Publish(change) => publish(&change, watchers, shared),
        // The endpoint has told what is no agent's fault, once for all of its agents.
        SubscriptionEffect::Failed { failure, via, .. } if failure.kind == FailureKind::Endpoint => {
            shared.bulletin.meters.count_failure(failure.kind);
            tracing::debug!(logger = "PresenceProvider", uri = %uri, via = %via, failure = %failure, "the subscription waits for its endpoint");
        }
        SubscriptionEffect::Failed { failure, via, failures, retry_in } => {
            let retry_in = retry_in.map(|delay| format!("{} s", delay.as_secs_f64()));
            // At Microsoft Graph an agent has no endpoint of the pool.
            let at_graph = shared.source == SourceKind::MsGraph;
            let by = if at_graph { shared.source.element().to_owned() } else { via.to_string() };
            tracing::warn!(logger = "PresenceProvider", uri = %uri, via = %by, failure = %failure, failures,
                next_retry_in = retry_in.as_deref().unwrap_or("no delay"), "the subscription failed");
            shared.bulletin.meters.count_failure(failure.kind);
            shared.bulletin.tell(|| Occurrence::Failed { uri: uri.clone(), via, failure, failures, at: clock::now() });
        }
        SubscriptionEffect::Abandoned(failure) => {
            tracing::warn!(logger = "PresenceProvider", uri = %uri, failure = %failure,
                "the agent is abandoned after too many failures; it is tried again when it is revived or the provider restarts");
            shared.bulletin.meters.count_abandoned();
            shared.bulletin.tell(|| Occurrence::Abandoned { uri: uri.clone(), failure, at: clock::now() });
        }
        SubscriptionEffect::Revived => {
            tracing::info!(logger = "PresenceProvider", uri = %uri, "the agent is revived");
            shared.bulletin.meters.count_revived();
            shared.bulletin.tell(|| Occurrence::Revived { uri: uri.clone(), at: clock::now() });
        }
        SubscriptionEffect::Query { via, attempt } => {
            let agent = ctx.address().recipient();
            let mut is_sending = false;
            shared.with_endpoint(via, |endpoint| {
                if let Some(query) = &endpoint.query {
                    is_sending = true;
                    query.do_send(SendQuery { agent, uri: uri.clone(), attempt });
                }
            });
            return is_sending;
        }
        SubscriptionEffect::SilentLoss { via, held, said, retry_in } => {
            let retry_in = retry_in.map(|delay| format!("in {} s", delay.as_secs_f64()));
            tracing::warn!(logger = "PresenceProvider", uri = %uri, via = %via, held = %in_words(&held.status),
                said = %in_words(&said.status), subscribed_anew = retry_in.as_deref().unwrap_or("at once"),
                "the server has stopped notifying without a sign; what it says when it is asked holds from now on");
            shared.bulletin.meters.count_silent_loss();
            let (held, said) = (Arc::clone(&held), Arc::clone(&said));
            shared.bulletin.tell(|| Occurrence::SilentLoss { uri: uri.clone(), via, held, said, at: clock::now() });
        }
        SubscriptionEffect::Sampled { via, outcome } => {
            shared.bulletin.meters.count_sample(outcome);
            shared.sampled.do_send(Sampled { uri: uri.clone(), via, outcome });
        }
    }
    false
}

/// A status in a log line.
fn in_words(status: &Status) -> String {
    let activity = status.activity.as_deref().map(|activity| format!(" ({activity})")).unwrap_or_default();
    format!("{} {}{activity}", status.availability.name(), status.availability.value())
}

impl AgentContext {
    /// Agents use this endpoint from now on, in place of an earlier one of its kind.
    pub(crate) fn use_endpoint(&self, door: AgentDoor) {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        endpoints.retain(|known| known.kind != door.kind);
        endpoints.push(door);
    }

    /// False when there is no such endpoint at the moment.
    fn with_endpoint(&self, kind: EndpointKind, then: impl FnOnce(&AgentDoor)) -> bool {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let endpoint = endpoints.iter().find(|door| door.kind == kind && door.subscribe.connected());
        if let Some(endpoint) = endpoint {
            then(endpoint);
        }
        endpoint.is_some()
    }

    /// A token that the agent was granted and has no use for.
    fn give_back(&self) {
        if let Some(throttle) = &self.throttle {
            throttle.do_send(TokenSent);
        }
    }
}

impl Actor for Agent {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // An agent that is created again has watchers from the beginning, and tells them only what is new.
        self.wanted(self.expected || !self.watchers.is_empty());
        self.drive(ctx);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.take_back_standing();
        if !self.told_to_stop {
            self.shared.down.do_send(ChildDown { child: self.uri.clone(), incarnation: self.incarnation });
        }
    }
}

//! One agent: its life cycle, its back-off and its watchers.

use std::sync::{Arc, Mutex, PoisonError};

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, MessageResult, Recipient, SpawnHandle};
use presence_core::{
    AgentUri, EndpointKind, Line, LineInput, Presence, Pushed, PushedInput, SourceEffect, Subscription,
    SubscriptionEffect, SubscriptionInput, SubscriptionMemory,
};

use crate::clock;
use crate::local_endpoint::LocalEndpoint;
use crate::messages::{
    AgentIdle, CancelToken, ChildDown, Feed, Granted, LetGo, PanicNow, SendSubscribe, SendUnsubscribe, Stop, TakeToken,
    Unwatch, Watch,
};
use crate::throttle::Throttle;
use crate::views::{AgentView, ObserveAgent};
use crate::watchers::{Watchers, first_event};

/// How an agent's presence is learned.
pub(crate) enum Life {
    /// By a subscription of ours at a pool.
    Subscribed(Subscription),
    /// By the calls of this service.
    Line(Line),
    /// By third parties that push.
    Pushed(Pushed),
}

/// What all agents of one source share.
pub(crate) struct AgentContext {
    pub(crate) throttle: Option<Addr<Throttle>>,
    pub(crate) endpoints: Mutex<Vec<(EndpointKind, Addr<LocalEndpoint>)>>,
    pub(crate) idle: Recipient<AgentIdle>,
    pub(crate) down: Recipient<ChildDown<AgentUri>>,
}

/// What an agent remembers of an earlier life.
#[derive(Clone)]
pub(crate) enum Memory {
    /// Of a subscription, what still counts.
    Subscribed(SubscriptionMemory),
    /// A line as it was.
    Line(Line),
    /// What was pushed, and until when it holds.
    Pushed(Pushed),
}

/// What an agent begins its life with.
pub(crate) struct Birth {
    /// Which actor of its parent it is; no other one ever had this number.
    pub(crate) incarnation: u32,
    /// Somebody watches it from the beginning.
    pub(crate) wanted: bool,
    /// What an earlier life left to it.
    pub(crate) memory: Option<Memory>,
}

/// What survives an agent whose actor died: kept by the parent, written by the agent.
#[derive(Default)]
pub(crate) struct AgentMemory(Mutex<Option<Memory>>);

impl AgentMemory {
    pub(crate) fn recall(&self) -> Option<Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True when the agent was given up and nobody has revived it.
    pub(crate) fn is_abandoned(&self) -> bool {
        matches!(self.recall(), Some(Memory::Subscribed(memory)) if memory.abandoned.is_some())
    }

    fn keep(&self, memory: Memory) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(memory);
    }
}

/// The actor of one agent URI.
pub(crate) struct Agent {
    uri: AgentUri,
    incarnation: u32,
    life: Life,
    watchers: Watchers,
    shared: Arc<AgentContext>,
    memory: Arc<AgentMemory>,
    timer: Option<SpawnHandle>,
    /// How many orders of its parent it has taken: only an agent that has taken them all may be let go.
    orders: u32,
    /// The provider shuts down: nothing is kept for later.
    leaving: bool,
    told_to_stop: bool,
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
        let (timer, orders, leaving, told_to_stop) = (None, 0, false, false);
        Self { uri, incarnation, life, watchers, shared, memory, timer, orders, leaving, told_to_stop }
    }

    /// The only place with side effects: performs what the machine asks for, then arms the one timer.
    fn drive(&mut self, ctx: &mut Context<Self>) {
        match &mut self.life {
            Life::Subscribed(machine) => {
                let mut remember = false;
                while let Some(effect) = machine.poll_effect() {
                    remember = true;
                    perform(effect, &self.uri, &mut self.watchers, &self.shared, ctx);
                }
                if remember {
                    self.memory.keep(Memory::Subscribed(machine.memory()));
                }
            }
            Life::Line(machine) => {
                while let Some(SourceEffect::Publish(change)) = machine.poll_effect() {
                    self.watchers.publish(&change);
                }
                self.memory.keep(Memory::Line(machine.clone()));
            }
            Life::Pushed(machine) => {
                while let Some(SourceEffect::Publish(change)) = machine.poll_effect() {
                    self.watchers.publish(&change);
                }
                self.memory.keep(Memory::Pushed(machine.clone()));
            }
        }
        self.rearm(ctx);
        if self.watchers.is_empty() && self.is_idle() {
            let (uri, incarnation, orders) = (self.uri.clone(), self.incarnation, self.orders);
            self.shared.idle.do_send(AgentIdle { uri, incarnation, orders });
        }
    }

    fn rearm(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let deadline = match &self.life {
            Life::Subscribed(machine) => machine.poll_timeout().map(|(at, _)| at),
            Life::Line(_) => None,
            Life::Pushed(machine) => machine.poll_timeout().map(|(at, _)| at),
        };
        self.timer = deadline.map(|deadline| {
            ctx.run_later(clock::until(deadline), |agent, ctx| {
                agent.timer = None;
                match &mut agent.life {
                    Life::Subscribed(machine) => machine.handle_timeout(clock::now()),
                    Life::Line(_) => {}
                    Life::Pushed(machine) => machine.handle_timeout(clock::now()),
                }
                agent.drive(ctx);
            })
        });
    }

    fn is_idle(&self) -> bool {
        match &self.life {
            // A dialog that was left on an endpoint that is down is ended when the endpoint is back.
            Life::Subscribed(machine) => {
                machine.is_settled() && (self.leaving || machine.memory().dialogs.iter().all(Option::is_none))
            }
            Life::Line(_) => true,
            Life::Pushed(machine) => self.leaving || machine.poll_timeout().is_none(),
        }
    }

    fn wanted(&mut self, wanted: bool) {
        let now = clock::now();
        match &mut self.life {
            Life::Subscribed(machine) => {
                machine.handle(now, if wanted { SubscriptionInput::Wanted } else { SubscriptionInput::Unwanted });
            }
            Life::Line(machine) => machine.handle(now, if wanted { LineInput::Wanted } else { LineInput::Unwanted }),
            Life::Pushed(_) => {}
        }
    }

    fn presence(&self) -> (&Arc<Presence>, u64) {
        match &self.life {
            Life::Subscribed(machine) => (machine.presence(), machine.sequence()),
            Life::Line(machine) => (machine.presence(), machine.sequence()),
            Life::Pushed(machine) => (machine.presence(), machine.sequence()),
        }
    }

    fn view(&self) -> AgentView {
        let (presence, sequence) = self.presence();
        let subscription = match &self.life {
            Life::Subscribed(machine) => Some(machine.view()),
            Life::Line(_) | Life::Pushed(_) => None,
        };
        AgentView {
            uri: self.uri.clone(),
            presence: Arc::clone(presence),
            sequence,
            subscription,
            watchers: self.watchers.names(),
        }
    }
}

fn perform(
    effect: SubscriptionEffect,
    uri: &AgentUri,
    watchers: &mut Watchers,
    shared: &AgentContext,
    ctx: &mut Context<Agent>,
) {
    match effect {
        SubscriptionEffect::TakeToken { ticket, class } => {
            if let Some(throttle) = &shared.throttle {
                throttle.do_send(TakeToken { agent: ctx.address(), uri: uri.clone(), ticket, class });
            }
        }
        SubscriptionEffect::CancelToken { ticket } => {
            if let Some(throttle) = &shared.throttle {
                throttle.do_send(CancelToken { uri: uri.clone(), ticket });
            }
        }
        SubscriptionEffect::Subscribe { via, attempt } | SubscriptionEffect::Refresh { via, attempt } => {
            let refresh = matches!(effect, SubscriptionEffect::Refresh { .. });
            shared.with_endpoint(via, |endpoint| {
                endpoint.do_send(SendSubscribe { agent: ctx.address(), uri: uri.clone(), attempt, refresh });
            });
        }
        SubscriptionEffect::Unsubscribe { via, attempt } => {
            shared.with_endpoint(via, |endpoint| endpoint.do_send(SendUnsubscribe { uri: uri.clone(), attempt }));
        }
        SubscriptionEffect::Publish(change) => watchers.publish(&change),
        SubscriptionEffect::Failed { failure, via, failures, retry_in } => {
            let retry_in = retry_in.map(|delay| format!("{} s", delay.as_secs_f64()));
            tracing::warn!(logger = "PresenceProvider", uri = %uri, via = %via, failure = %failure, failures,
                next_retry_in = retry_in.as_deref().unwrap_or("none"), "the subscription failed");
        }
        SubscriptionEffect::Abandoned(failure) => {
            tracing::warn!(logger = "PresenceProvider", uri = %uri, failure = %failure,
                "the agent is abandoned after too many failures; it is tried again when it is revived or the provider restarts");
        }
        SubscriptionEffect::Revived => tracing::info!(logger = "PresenceProvider", uri = %uri, "the agent is revived"),
    }
}

impl AgentContext {
    fn with_endpoint(&self, kind: EndpointKind, then: impl FnOnce(&Addr<LocalEndpoint>)) {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, endpoint)) = endpoints.iter().find(|(known, _)| *known == kind) {
            then(endpoint);
        }
    }
}

impl Actor for Agent {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // An agent that is created again has watchers from the beginning, and tells them only what is new.
        self.wanted(!self.watchers.is_empty());
        self.drive(ctx);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        if !self.told_to_stop {
            self.shared.down.do_send(ChildDown { child: self.uri.clone(), incarnation: self.incarnation });
        }
    }
}

impl Handler<Watch> for Agent {
    type Result = ();

    fn handle(&mut self, message: Watch, ctx: &mut Self::Context) {
        self.orders += 1;
        if self.watchers.is_empty() {
            self.wanted(true);
            self.drive(ctx);
        }
        let (presence, sequence) = self.presence();
        if message.ucc.post(first_event(&self.uri, presence, sequence)) {
            self.watchers.add(message.ucc);
        } else if self.watchers.is_empty() {
            self.wanted(false);
            self.drive(ctx);
        }
    }
}

impl Handler<Unwatch> for Agent {
    type Result = ();

    fn handle(&mut self, message: Unwatch, ctx: &mut Self::Context) {
        self.orders += 1;
        self.watchers.remove(message.ucc);
        if self.watchers.is_empty() {
            self.wanted(false);
        }
        self.drive(ctx);
    }
}

impl Handler<LetGo> for Agent {
    type Result = ();

    fn handle(&mut self, _: LetGo, ctx: &mut Self::Context) {
        self.orders += 1;
        self.leaving = true;
        self.watchers = Watchers::default();
        self.wanted(false);
        self.drive(ctx);
    }
}

impl Handler<Granted> for Agent {
    type Result = ();

    fn handle(&mut self, message: Granted, ctx: &mut Self::Context) {
        if let Life::Subscribed(machine) = &mut self.life {
            machine.handle(clock::now(), SubscriptionInput::TokenGranted(message.ticket));
        }
        self.drive(ctx);
    }
}

impl Handler<Feed> for Agent {
    type Result = ();

    fn handle(&mut self, message: Feed, ctx: &mut Self::Context) {
        if let Life::Subscribed(machine) = &mut self.life {
            machine.handle(clock::now(), message.0);
        }
        self.drive(ctx);
    }
}

/// The number of calls of a PSTN agent went from none to some, or back.
#[derive(Clone, Copy, Debug, actix::Message)]
#[rtype(result = "()")]
pub(crate) struct FeedLine(pub(crate) LineInput);

impl Handler<FeedLine> for Agent {
    type Result = ();

    fn handle(&mut self, message: FeedLine, ctx: &mut Self::Context) {
        if let Life::Line(machine) = &mut self.life {
            machine.handle(clock::now(), message.0);
        }
        self.drive(ctx);
    }
}

/// A third party said how the agent is.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub(crate) struct FeedPushed(pub(crate) PushedInput);

impl Handler<FeedPushed> for Agent {
    type Result = ();

    fn handle(&mut self, message: FeedPushed, ctx: &mut Self::Context) {
        self.orders += 1;
        if let Life::Pushed(machine) = &mut self.life {
            machine.handle(clock::now(), message.0);
        }
        self.drive(ctx);
    }
}

impl Handler<ObserveAgent> for Agent {
    type Result = MessageResult<ObserveAgent>;

    fn handle(&mut self, _: ObserveAgent, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.view())
    }
}

impl Handler<Stop> for Agent {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        self.told_to_stop = true;
        ctx.stop();
    }
}

impl Handler<PanicNow> for Agent {
    type Result = ();

    fn handle(&mut self, _: PanicNow, _: &mut Self::Context) {
        panic!("the agent {} was told to panic", self.uri);
    }
}

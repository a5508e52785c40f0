//! The sources: one actor each, parent of its agents.

mod attendant;
mod children;
mod graph;
mod pstn;
mod sampling;
mod subscribed;
mod ucma;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use actix::{
    Actor, Addr, AsyncContext, Context, Handler, MessageResult, ResponseFuture, SpawnHandle, Supervised, Supervisor,
};
use presence_core::{AgentUri, SourceKind, SubscriptionInput};
use presence_graph::{GraphAgentView, GraphView};

pub(crate) use attendant::Attendant;
use children::Children;
pub(crate) use graph::{GraphWiring, Introduce, MsGraph, PanicGraph};
pub(crate) use pstn::Pstn;
use subscribed::subscribed;
pub(crate) use ucma::{PanicEndpoint, Ucma};

use crate::agent::{AgentContext, Birth, Life, Memory};
use crate::clock;
use crate::messages::{
    AgentIdle, ChildDown, Done, Drain, Feed, Leave, PanicNow, PresenceEvent, ReviveAgents, Revived, Sampled, Unwatch,
    Watch,
};
use crate::occurrence::Bulletin;
use crate::remember::{CollectAgents, Kept};
use crate::router::SourceHandle;
use crate::supervise::Escalation;
use crate::throttle::Throttle;
use crate::ucc::UccId;
use crate::views::{AgentView, EndpointView, FindAgent, ObserveAgent, ObserveSource, SourceView};

/// What makes one source different from another.
pub(crate) trait Serves: Unpin + Sized + 'static {
    /// Which source it is.
    const KIND: SourceKind;

    /// The life cycle of a new agent, or of one that is created again with what it remembered.
    fn life(&self, now: Instant, uri: &AgentUri, birth: Birth) -> Life;

    /// The source's actor runs.
    fn started(_source: &mut Source<Self>, _ctx: &mut Context<Source<Self>>) {}

    /// A UCC is gone.
    fn left(_source: &mut Source<Self>, _ucc: UccId) {}

    /// True when nothing can be ended because nothing reaches the wire.
    fn is_cut_off(&self) -> bool {
        false
    }

    /// An operator had everything tried again.
    fn revived(_source: &mut Source<Self>) {}

    /// What came of a sample.
    fn sampled(_source: &mut Source<Self>, _message: &Sampled, _ctx: &mut Context<Source<Self>>) {}

    /// Everything ends: the agents have been told to leave the wire.
    fn leaving(_source: &mut Source<Self>) {}

    /// All agents have left the wire.
    fn drained(_source: &mut Source<Self>, _done: &Done) {}

    /// What the source's own parts look like.
    fn observe(&self) -> ResponseFuture<Parts> {
        Box::pin(std::future::ready(Parts::default()))
    }

    /// True when [`Serves::inspect`] knows something.
    const INSPECTS: bool = false;

    /// What the source's parts know of these agents beside their subscriptions, in the same order.
    fn inspect(&self, _agents: Vec<AgentUri>) -> ResponseFuture<Vec<Option<GraphAgentView>>> {
        Box::pin(std::future::ready(Vec::new()))
    }
}

/// What the parts of a source look like.
#[derive(Default)]
pub(crate) struct Parts {
    endpoints: Vec<EndpointView>,
    graph: Option<GraphView>,
}

/// The actor of one source: parent of the agents that it serves.
pub(crate) struct Source<S: Serves> {
    serves: S,
    children: Children,
    shared: Arc<AgentContext>,
    escalation: Escalation,
    /// The provider shuts down: nothing new is begun.
    leaving: bool,
    /// Who waits for the end of all subscriptions.
    draining: Vec<Done>,
    timer: Option<SpawnHandle>,
}

impl<S: Serves> Source<S> {
    /// Starts the actor of a source.
    pub(crate) fn launch(
        serves: S,
        left: BTreeMap<AgentUri, Memory>,
        throttle: Option<Addr<Throttle>>,
        order: Addr<Throttle>,
        bulletin: Bulletin,
        escalation: Escalation,
    ) -> Addr<Self> {
        Supervisor::start(move |ctx: &mut Context<Self>| {
            let shared = AgentContext {
                source: S::KIND,
                throttle,
                order,
                endpoints: Mutex::new(Vec::new()),
                idle: ctx.address().recipient(),
                down: ctx.address().recipient(),
                sampled: ctx.address().recipient(),
                bulletin,
            };
            Self {
                serves,
                children: Children::new(S::KIND, left),
                shared: Arc::new(shared),
                escalation,
                leaving: false,
                draining: Vec::new(),
                timer: None,
            }
        })
    }

    /// What may be asked of it whichever source it is.
    pub(crate) fn handle(address: &Addr<Self>) -> SourceHandle {
        SourceHandle {
            kind: S::KIND,
            watch: address.clone().recipient(),
            unwatch: address.clone().recipient(),
            leave: address.clone().recipient(),
            drain: address.clone().recipient(),
            observe: address.clone().recipient(),
            find: address.clone().recipient(),
            revive: address.clone().recipient(),
            drill: address.clone().recipient(),
            collect: address.clone().recipient(),
        }
    }

    /// Creates the agent of `uri` when it is not there.
    fn ensure(&mut self, uri: &AgentUri) {
        let serves = &self.serves;
        self.children.ensure(uri, &self.shared, |birth| serves.life(clock::now(), uri, birth));
    }

    fn rearm(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.timer = self.children.next_release().map(|at| {
            ctx.run_later(clock::until(at), |source, ctx| {
                source.timer = None;
                let now = clock::now();
                while let Some(uri) = source.children.released(now) {
                    let serves = &source.serves;
                    source.children.create_again(&uri, &source.shared, |birth| serves.life(now, &uri, birth));
                }
                source.rearm(ctx);
            })
        });
    }

    fn feed_all(&self, input: &SubscriptionInput) {
        for agent in self.children.addresses() {
            agent.do_send(Feed(input.clone()));
        }
    }

    fn check_drained(&mut self) {
        if (self.children.len() == 0 || self.serves.is_cut_off()) && self.leaving {
            for done in std::mem::take(&mut self.draining) {
                S::drained(self, &done);
            }
        }
    }
}

impl<S: Serves> Actor for Source<S> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        S::started(self, ctx);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.escalation.escalate_a_panic(S::KIND.element());
    }
}

impl<S: Serves> Supervised for Source<S> {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.timer = None;
    }
}

impl<S: Serves> Handler<Watch> for Source<S> {
    type Result = ();

    fn handle(&mut self, message: Watch, _: &mut Self::Context) {
        if self.leaving {
            message.ucc.post(PresenceEvent::Unserved {
                uri: message.uri,
                why: "the presence provider is shutting down".into(),
            });
            return;
        }
        let uri = message.uri.clone();
        self.ensure(&uri);
        self.children.watch(message);
    }
}

impl<S: Serves> Handler<Unwatch> for Source<S> {
    type Result = ();

    fn handle(&mut self, message: Unwatch, _: &mut Self::Context) {
        self.children.unwatch(message);
    }
}

impl<S: Serves> Handler<Leave> for Source<S> {
    type Result = ();

    fn handle(&mut self, message: Leave, _: &mut Self::Context) {
        S::left(self, message.ucc);
    }
}

impl<S: Serves> Handler<AgentIdle> for Source<S> {
    type Result = ();

    fn handle(&mut self, message: AgentIdle, _: &mut Self::Context) {
        self.children.idle(&message);
        self.check_drained();
    }
}

impl<S: Serves> Handler<ChildDown<AgentUri>> for Source<S> {
    type Result = ();

    fn handle(&mut self, message: ChildDown<AgentUri>, ctx: &mut Self::Context) {
        if self.leaving {
            tracing::error!(logger = %S::KIND, uri = %message.child, "the agent's actor died of a bug while everything ends");
            self.children.forget(&message);
            self.check_drained();
            return;
        }
        let (now, serves) = (clock::now(), &self.serves);
        self.children.down(now, &message, &self.shared, |birth| serves.life(now, &message.child, birth));
        self.rearm(ctx);
    }
}

impl<S: Serves> Handler<Drain> for Source<S> {
    type Result = ();

    fn handle(&mut self, message: Drain, _: &mut Self::Context) {
        self.leaving = true;
        self.draining.push(message.done);
        self.children.let_go();
        S::leaving(self);
        self.check_drained();
    }
}

impl<S: Serves> Handler<CollectAgents> for Source<S> {
    type Result = Vec<(AgentUri, Kept)>;

    fn handle(&mut self, message: CollectAgents, _: &mut Self::Context) -> Self::Result {
        self.children.collect(&message)
    }
}

impl<S: Serves> Handler<ObserveSource> for Source<S> {
    type Result = ResponseFuture<SourceView>;

    fn handle(&mut self, _: ObserveSource, _: &mut Self::Context) -> Self::Result {
        let addresses: Vec<_> = self.children.addresses().cloned().collect();
        let quarantined = self.children.quarantined();
        let (parts, restarts) = (self.serves.observe(), self.children.restarts());
        let uris: Vec<_> = if S::INSPECTS { self.children.uris().cloned().collect() } else { Vec::new() };
        let inspected = S::INSPECTS.then(|| self.serves.inspect(uris.clone()));
        Box::pin(async move {
            let mut agents = Vec::with_capacity(addresses.len());
            for address in addresses {
                if let Ok(view) = address.send(ObserveAgent).await {
                    agents.push(view);
                }
            }
            agents.extend(quarantined);
            if let Some(inspected) = inspected {
                let mut known: BTreeMap<_, _> = uris.into_iter().zip(inspected.await).collect();
                for agent in &mut agents {
                    agent.graph = known.remove(&agent.uri).flatten();
                }
            }
            let Parts { endpoints, graph } = parts.await;
            SourceView { kind: S::KIND, agents, endpoints, graph, restarts }
        })
    }
}

impl<S: Serves> Handler<FindAgent> for Source<S> {
    type Result = ResponseFuture<Option<AgentView>>;

    fn handle(&mut self, message: FindAgent, _: &mut Self::Context) -> Self::Result {
        match self.children.get(&message.0) {
            Some(agent) => {
                let view = agent.send(ObserveAgent);
                let inspected = S::INSPECTS.then(|| self.serves.inspect(vec![message.0]));
                Box::pin(async move {
                    let mut view = view.await.ok()?;
                    if let Some(inspected) = inspected {
                        view.graph = inspected.await.pop().flatten();
                    }
                    Some(view)
                })
            }
            None => {
                let quarantined = self.children.find_quarantined(&message.0);
                Box::pin(std::future::ready(quarantined))
            }
        }
    }
}

impl<S: Serves> Handler<ReviveAgents> for Source<S> {
    type Result = MessageResult<ReviveAgents>;

    fn handle(&mut self, message: ReviveAgents, _: &mut Self::Context) -> Self::Result {
        let wanted = |uri: &AgentUri| message.uri.as_ref().is_none_or(|only| only == uri);
        let mut revived = Revived::default();
        for (uri, agent) in self.children.abandoned().filter(|(uri, _)| wanted(uri)) {
            if message.declined.contains(uri) && self.children.holds_nothing(uri) {
                revived.given_back.push(uri.clone());
            } else {
                agent.do_send(Feed(SubscriptionInput::Revive));
                revived.count += 1;
            }
        }
        for uri in &revived.given_back {
            self.children.dismiss(uri);
        }
        if message.uri.is_none() {
            S::revived(self);
        }
        MessageResult(revived)
    }
}

/// Has the actor of one agent panic, for tests and drills of the supervision. True when there is such an agent.
#[derive(actix::Message)]
#[rtype(result = "bool")]
pub(crate) struct PanicAgent(pub(crate) AgentUri);

impl<S: Serves> Handler<PanicAgent> for Source<S> {
    type Result = bool;

    fn handle(&mut self, message: PanicAgent, _: &mut Self::Context) -> Self::Result {
        match self.children.get(&message.0) {
            Some(agent) => {
                agent.do_send(PanicNow);
                true
            }
            None => false,
        }
    }
}

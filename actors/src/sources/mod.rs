//! The sources: one actor each, parent of its agents.

mod attendant;
mod children;
mod pstn;
mod ucma;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use actix::{Actor, Addr, AsyncContext, Context, Handler, ResponseFuture, SpawnHandle, Supervised, Supervisor};
use presence_core::{AgentUri, SourceKind};

pub(crate) use attendant::Attendant;
use children::Children;
pub(crate) use pstn::Pstn;
pub(crate) use ucma::{PanicEndpoint, Ucma};

use crate::agent::{AgentContext, Birth, Life};
use crate::clock;
use crate::messages::{AgentIdle, ChildDown, Done, Drain, Leave, PanicNow, PresenceEvent, Unwatch, Watch};
use crate::occurrence::Bulletin;
use crate::router::SourceHandle;
use crate::supervise::Escalation;
use crate::throttle::Throttle;
use crate::ucc::UccId;
use crate::views::{AgentView, FindAgent, ObserveAgent, ObserveSource, SourceView};

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

    /// Everything ends: the agents have been told to leave the wire.
    fn leaving(_source: &mut Source<Self>) {}

    /// All agents have left the wire.
    fn drained(_source: &mut Source<Self>, _done: &Done) {}

    /// What the source's own parts look like.
    fn observe(&self) -> ResponseFuture<Vec<crate::views::EndpointView>> {
        Box::pin(std::future::ready(Vec::new()))
    }
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
        throttle: Option<Addr<Throttle>>,
        bulletin: Bulletin,
        escalation: Escalation,
    ) -> Addr<Self> {
        Supervisor::start(move |ctx: &mut Context<Self>| {
            let shared = AgentContext {
                throttle,
                endpoints: Mutex::new(Vec::new()),
                idle: ctx.address().recipient(),
                down: ctx.address().recipient(),
                bulletin,
            };
            Self {
                serves,
                children: Children::new(S::KIND),
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
            drill: address.clone().recipient(),
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

impl<S: Serves> Handler<ObserveSource> for Source<S> {
    type Result = ResponseFuture<SourceView>;

    fn handle(&mut self, _: ObserveSource, _: &mut Self::Context) -> Self::Result {
        let addresses: Vec<_> = self.children.addresses().cloned().collect();
        let quarantined = self.children.quarantined();
        let (endpoints, restarts) = (self.serves.observe(), self.children.restarts());
        Box::pin(async move {
            let mut agents = Vec::with_capacity(addresses.len());
            for address in addresses {
                if let Ok(view) = address.send(ObserveAgent).await {
                    agents.push(view);
                }
            }
            agents.extend(quarantined);
            SourceView { kind: S::KIND, agents, endpoints: endpoints.await, graph: None, restarts }
        })
    }
}

impl<S: Serves> Handler<FindAgent> for Source<S> {
    type Result = ResponseFuture<Option<AgentView>>;

    fn handle(&mut self, message: FindAgent, _: &mut Self::Context) -> Self::Result {
        match self.children.get(&message.0) {
            Some(agent) => {
                let view = agent.send(ObserveAgent);
                Box::pin(async move { view.await.ok() })
            }
            None => {
                let quarantined = self.children.find_quarantined(&message.0);
                Box::pin(std::future::ready(quarantined))
            }
        }
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

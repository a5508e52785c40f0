//! UcmaPresenceSource: subscriptions at Skype for Business pools and RFC 3856 presence servers.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use actix::{Addr, AsyncContext, Context, Handler, ResponseFuture};
use presence_core::{
    AgentUri, EndpointKind, EndpointMemory, EndpointSet, RestartBudget, SourceKind, SubscriptionInput,
    SubscriptionPolicy,
};
use presence_sip::Gather;

use super::sampling::Sampling;
use super::{Parts, Serves, Source, subscribed};
use crate::agent::{AgentDoor, Birth, Life};
use crate::clock;
use crate::local_endpoint::{Depart, LocalEndpoint, Parent, Throttled};
use crate::messages::{ChildDown, Done, Drain, EndpointLost, EndpointPaused, EndpointUp, PanicNow, Sampled};
use crate::remember::CollectEndpoints;
use crate::setup::EndpointSetup;
use crate::supervise::{ENDPOINT_RESTARTS, ENDPOINT_WINDOW};
use crate::transport::Traffic;
use crate::views::ObserveEndpoint;

/// At the start agents wait so long for the application endpoint when the user endpoint is up before it: agents are the
/// application endpoint's first, and what an earlier run has left at the pool is replaced by what this one begins there.
const PRECEDENCE: Duration = Duration::from_secs(2);

/// When the application endpoint has to rest from an earlier run for longer than this, nobody waits for it.
const LONGEST_PRECEDENCE: Duration = Duration::from_secs(10);

/// One local endpoint, as its parent keeps it.
struct EndpointChild {
    setup: EndpointSetup,
    address: Option<Addr<LocalEndpoint>>,
    incarnation: u32,
    traffic: Arc<Traffic>,
    budget: RestartBudget,
    /// What an earlier run has left, until it is started.
    left: Option<EndpointMemory>,
}

/// The application endpoint and perhaps the user endpoint, and which of them can serve.
pub(crate) struct Ucma {
    policy: Arc<SubscriptionPolicy>,
    /// When the endpoints send what they have gathered, in the dialect of lists: all of them at the same moments, so that
    /// no second sees what two of them have gathered in one.
    gather: Gather,
    /// Shared with the endpoints: one of their pools could not keep up once.
    was_congested: Arc<AtomicBool>,
    endpoints: Vec<EndpointChild>,
    up: EndpointSet,
    /// Until then the application endpoint has precedence.
    precedence: Instant,
    /// The user endpoint is up, and the agents are not told yet.
    user_waits: bool,
    pub(super) sampling: Sampling,
}

impl Ucma {
    /// `left`: what an earlier run has left of the same endpoints; `sample_interval`: how often somebody is sampled.
    pub(crate) fn new(
        policy: SubscriptionPolicy,
        per_second: NonZeroU32,
        endpoints: Vec<EndpointSetup>,
        left: &[EndpointMemory],
        sample_interval: Option<Duration>,
    ) -> Self {
        let random = endpoints.first().map(|endpoint| endpoint.random.clone()).unwrap_or_default();
        let sampling = Sampling::new(sample_interval, per_second, &random);
        let now = clock::now();
        // An earlier run may have to leave the pool alone for some seconds yet; for longer nobody waits.
        let application = left.iter().find(|left| left.kind == EndpointKind::Application);
        let begin = application.and_then(|left| left.next_attempt).filter(|at| *at <= now + LONGEST_PRECEDENCE);
        let precedence = begin.map_or(now, |at| at.max(now)) + PRECEDENCE;
        let endpoints = endpoints
            .into_iter()
            .map(|setup| EndpointChild {
                left: left.iter().find(|left| left.kind == setup.kind).cloned(),
                setup,
                address: None,
                incarnation: 0,
                traffic: Arc::default(),
                budget: RestartBudget::new(ENDPOINT_RESTARTS, ENDPOINT_WINDOW),
            })
            .collect();
        Self {
            policy: Arc::new(policy),
            gather: Gather::new(now, per_second),
            was_congested: Arc::default(),
            endpoints,
            up: EndpointSet::EMPTY,
            precedence,
            user_waits: false,
            sampling,
        }
    }

    /// At the start: the application endpoint is still to come.
    fn awaits_application(&self, now: Instant) -> bool {
        let application = |endpoint: &EndpointChild| endpoint.setup.kind == EndpointKind::Application;
        now < self.precedence && !self.up.contains(EndpointKind::Application) && self.endpoints.iter().any(application)
    }
}

impl Serves for Ucma {
    const KIND: SourceKind = SourceKind::Ucma;

    fn life(&self, now: Instant, uri: &AgentUri, birth: Birth) -> Life {
        subscribed(now, uri, birth, Self::KIND, &self.policy, self.up)
    }

    fn started(source: &mut Source<Self>, ctx: &mut Context<Source<Self>>) {
        for index in 0..source.serves.endpoints.len() {
            source.start_endpoint(index, ctx);
        }
        source.sample(ctx);
    }

    fn sampled(source: &mut Source<Self>, message: &Sampled, ctx: &mut Context<Source<Self>>) {
        source.was_sampled(message, ctx);
    }

    fn is_cut_off(&self) -> bool {
        self.up.is_empty()
    }

    fn leaving(source: &mut Source<Self>) {
        for address in source.serves.endpoints.iter().filter_map(|endpoint| endpoint.address.as_ref()) {
            address.do_send(Depart);
        }
    }

    fn drained(source: &mut Source<Self>, done: &Done) {
        for endpoint in &source.serves.endpoints {
            if let Some(address) = &endpoint.address {
                address.do_send(Drain { done: done.clone() });
            }
        }
    }

    fn observe(&self) -> ResponseFuture<Parts> {
        let addresses: Vec<_> = self.endpoints.iter().filter_map(|endpoint| endpoint.address.clone()).collect();
        Box::pin(async move {
            let mut endpoints = Vec::with_capacity(addresses.len());
            for address in addresses {
                if let Ok(view) = address.send(ObserveEndpoint).await {
                    endpoints.push(view);
                }
            }
            Parts { endpoints, graph: None }
        })
    }
}

impl Source<Ucma> {
    /// Starts the endpoint at this place of the list, and has the agents use it from now on.
    fn start_endpoint(&mut self, index: usize, ctx: &mut Context<Self>) {
        let Some(endpoint) = self.serves.endpoints.get_mut(index) else { return };
        endpoint.incarnation += 1;
        let kind = endpoint.setup.kind;
        let parent = Parent {
            up: ctx.address().recipient(),
            paused: ctx.address().recipient(),
            lost: ctx.address().recipient(),
            down: ctx.address().recipient(),
            adopted: ctx.address().recipient(),
            throttle: self
                .shared
                .throttle
                .clone()
                .map(|throttle| Throttled::of(throttle, Arc::clone(&self.serves.was_congested))),
            traffic: Arc::clone(&endpoint.traffic),
            bulletin: self.shared.bulletin.clone(),
        };
        let address = LocalEndpoint::launch(
            endpoint.setup.clone(),
            self.serves.gather.clone(),
            endpoint.incarnation,
            parent,
            endpoint.left.take(),
        );
        endpoint.address = Some(address.clone());
        let (subscribe, unsubscribe) = (address.clone().recipient(), address.clone().recipient());
        self.shared.use_endpoint(AgentDoor { kind, subscribe, unsubscribe, query: Some(address.recipient()) });
    }

    fn rise(&mut self, kind: EndpointKind) {
        self.serves.up.insert(kind);
        tracing::info!(logger = "PresenceProvider", agents = self.children.len(), "the {kind} is up");
        self.feed_all(&SubscriptionInput::EndpointUp(kind));
    }

    fn user_has_waited(&mut self) {
        if std::mem::take(&mut self.serves.user_waits) {
            self.rise(EndpointKind::User);
        }
    }

    /// Nothing new is to be begun there.
    fn fall(&mut self, kind: EndpointKind) {
        self.serves.up.remove(kind);
        if kind == EndpointKind::User {
            self.serves.user_waits = false;
        }
    }

    fn lost(&mut self, kind: EndpointKind) {
        self.fall(kind);
        self.feed_all(&SubscriptionInput::EndpointLost(kind));
        self.check_drained();
    }
}

impl Handler<CollectEndpoints> for Source<Ucma> {
    type Result = ResponseFuture<Vec<EndpointMemory>>;

    fn handle(&mut self, message: CollectEndpoints, _: &mut Context<Self>) -> Self::Result {
        let endpoints = self.serves.endpoints.iter();
        let endpoints: Vec<_> =
            endpoints.map(|endpoint| (endpoint.setup.identity(), endpoint.address.clone())).collect();
        Box::pin(async move {
            let mut memories = Vec::with_capacity(endpoints.len());
            for (identity, address) in endpoints {
                let held = match address {
                    Some(address) => address.send(message).await.ok().and_then(|mut held| held.pop()),
                    None => None,
                };
                memories.push(held.unwrap_or(identity));
            }
            memories
        })
    }
}

impl Handler<EndpointUp> for Source<Ucma> {
    type Result = ();

    fn handle(&mut self, message: EndpointUp, ctx: &mut Context<Self>) {
        if message.kind == EndpointKind::User && self.serves.awaits_application(clock::now()) {
            self.serves.user_waits = true;
            ctx.run_later(clock::until(self.serves.precedence), |source, _| source.user_has_waited());
        } else {
            self.rise(message.kind);
            self.user_has_waited();
        }
    }
}

impl Handler<EndpointPaused> for Source<Ucma> {
    type Result = ();

    fn handle(&mut self, message: EndpointPaused, _: &mut Context<Self>) {
        let wait = message.failure.retry_after.map(|wait| format!("{} s", wait.as_secs()));
        tracing::warn!(logger = "PresenceProvider", failure = %message.failure, agents = self.children.len(),
            retry_after = wait.as_deref().unwrap_or("none"),
            "the {} is paused; what is subscribed goes on, and nothing new is sent for now", message.kind);
        self.fall(message.kind);
        self.feed_all(&SubscriptionInput::EndpointPaused(message.kind));
    }
}

impl Handler<EndpointLost> for Source<Ucma> {
    type Result = ();

    fn handle(&mut self, message: EndpointLost, _: &mut Context<Self>) {
        tracing::warn!(logger = "PresenceProvider", failure = %message.failure, agents = self.children.len(),
            "the {} is lost; its agents keep their last value as stale", message.kind);
        self.lost(message.kind);
    }
}

impl Handler<ChildDown<EndpointKind>> for Source<Ucma> {
    type Result = ();

    fn handle(&mut self, message: ChildDown<EndpointKind>, ctx: &mut Context<Self>) {
        let position = self.serves.endpoints.iter().position(|endpoint| endpoint.setup.kind == message.child);
        let Some((index, endpoint)) = position.and_then(|i| self.serves.endpoints.get_mut(i).map(|e| (i, e))) else {
            return;
        };
        if endpoint.incarnation != message.incarnation {
            return;
        }
        if endpoint.budget.allow(clock::now()) {
            tracing::error!(logger = "PresenceProvider", "the {} died of a bug; it is created again", message.child);
            self.children.count_restart();
            self.shared.bulletin.meters.count_restart();
            self.lost(message.child);
            self.start_endpoint(index, ctx);
        } else {
            self.escalation.escalate(&format!("the {} keeps dying", message.child));
        }
    }
}

/// Has a local endpoint panic, for tests and drills of the supervision.
#[derive(actix::Message)]
#[rtype(result = "bool")]
pub(crate) struct PanicEndpoint(pub(crate) EndpointKind);

impl Handler<PanicEndpoint> for Source<Ucma> {
    type Result = bool;

    fn handle(&mut self, message: PanicEndpoint, _: &mut Context<Self>) -> Self::Result {
        let endpoint = self.serves.endpoints.iter().find(|endpoint| endpoint.setup.kind == message.0);
        match endpoint.and_then(|endpoint| endpoint.address.as_ref()) {
            Some(address) => {
                address.do_send(PanicNow);
                true
            }
            None => false,
        }
    }
}

//! One local endpoint: an identity of ours at a pool, with its connection and its dialogs.
//!
//! The pure parts decide: [`EndpointLifecycle`] when to connect, probe and recover, [`Dialect`] what goes over the
//! wire. A loss stops the actor, and the actix supervisor restarts it: the same value, its mailbox kept, its timer
//! forgotten; what the lifecycle asks for then (a new connection, in its own time) is done by the restarted actor.

mod complaints;
mod dialect;
mod handlers;
mod parent;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Recipient, SpawnHandle, Supervised, Supervisor};
use presence_core::{
    AgentUri, Attempt, EndedBy, EndpointEffect, EndpointInput, EndpointKind, EndpointLifecycle, EndpointMemory,
    EndpointPolicy, EndpointState, Failure, FailureKind, TransitionReason,
};
use presence_sip::{Dialect, Gather, WireEvent};

use crate::clock;
use crate::messages::{ChildDown, Done, EndpointLost, EndpointPaused, EndpointUp, Feed};
use crate::meters::SubscribeResult;
use crate::occurrence::Occurrence;
use crate::setup::{DialectSetup, EndpointSetup, Pool};
use crate::transport::{Transport, TransportSettings};

use complaints::Complaints;
use dialect::{advice, dialect};
pub(crate) use handlers::Depart;
pub(crate) use parent::{Parent, Throttled};

/// The largest body that is accepted where agents travel in lists, in bytes.
const LARGEST_LIST: usize = 4 * 1024 * 1024;

/// How far the end of everything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Departure {
    /// Not begun.
    None,
    /// The dialect is ending its dialogs and its registration.
    UnderWay,
    /// The pool holds nothing of ours any more.
    Done,
}

/// An agent with a dialog here, or one under way.
struct Member {
    agent: Recipient<Feed>,
    attempt: Attempt,
    /// What was sent for it last has had no answer yet.
    awaited: bool,
}

/// The actor of one local endpoint.
pub(crate) struct LocalEndpoint {
    setup: EndpointSetup,
    incarnation: u32,
    parent: Parent,
    lifecycle: EndpointLifecycle,
    dialect: Box<dyn Dialect>,
    /// Where the pool has sent us.
    redirected: Option<Pool>,
    complaints: Complaints,
    departure: Departure,
    /// Agents that were accepted since the throttle was told.
    accepted: u32,
    transport: Option<Transport>,
    listening: Option<SocketAddr>,
    /// Our side of the connection; none after a loss.
    connection: Option<SocketAddr>,
    /// Who is told about which agent's dialog.
    members: HashMap<AgentUri, Member>,
    /// How often what came over the wire was not as it should be.
    deviations: BTreeMap<WireEvent, u64>,
    last_failure: Option<Failure>,
    draining: Option<Done>,
    timer: Option<SpawnHandle>,
    /// The connection was lost while the effects were performed: the supervisor is to restart the actor.
    restart: bool,
}

impl LocalEndpoint {
    /// Starts the actor of an endpoint; it connects by itself.
    pub(crate) fn launch(
        setup: EndpointSetup,
        gather: Gather,
        incarnation: u32,
        parent: Parent,
        left: Option<EndpointMemory>,
    ) -> Addr<Self> {
        let now = clock::now();
        let dialect = dialect(&setup, gather);
        let registers = matches!(setup.dialect, DialectSetup::Skype { registers: true });
        let mut lifecycle = EndpointLifecycle::new(now, EndpointPolicy { registers, ..setup.policy });
        if let Some(left) = left {
            lifecycle.resume(now, left.next_attempt, left.troubles);
        }
        lifecycle.handle(now, EndpointInput::Start);
        Supervisor::start(move |_| Self {
            setup,
            incarnation,
            parent,
            lifecycle,
            dialect,
            redirected: None,
            complaints: Complaints::default(),
            departure: Departure::None,
            accepted: 0,
            transport: None,
            listening: None,
            connection: None,
            members: HashMap::new(),
            deviations: BTreeMap::new(),
            last_failure: None,
            draining: None,
            timer: None,
            restart: false,
        })
    }

    const fn kind(&self) -> EndpointKind {
        self.setup.kind
    }

    /// The only place with side effects: performs what both machines ask for until both are quiet, then arms the timer.
    fn drive(&mut self, ctx: &mut Context<Self>) {
        loop {
            if let Some(effect) = self.dialect.poll_effect() {
                self.perform_wire(effect);
            } else if let Some(effect) = self.lifecycle.poll_effect() {
                self.perform(effect, ctx);
            } else {
                break;
            }
        }
        self.relieve();
        self.tell_refused();
        if self.lifecycle.is_over() {
            // Also for whoever asks when it is over already.
            self.draining = None;
        }
        self.rearm(ctx);
        if std::mem::take(&mut self.restart) {
            ctx.stop();
        }
    }

    /// What was sent for an agent has come to an end.
    fn count_result(&mut self, uri: &AgentUri, attempt: Attempt, result: SubscribeResult) {
        if let Some(member) = self.members.get_mut(uri).filter(|member| member.attempt == attempt)
            && std::mem::take(&mut member.awaited)
        {
            self.parent.bulletin.meters.count_subscribe(result);
        }
    }

    /// The token of an order of an agent is used up.
    fn token_sent(&self) {
        self.parent.throttle.iter().for_each(Throttled::sent);
    }

    /// The pool cannot keep up: the rate is lowered.
    fn congested(&self) {
        self.parent.throttle.iter().for_each(Throttled::congested);
    }

    /// What the pool has accepted lets the rate rise again.
    fn relieve(&mut self) {
        let agents = std::mem::take(&mut self.accepted);
        self.parent.throttle.iter().for_each(|throttle| throttle.relieved(agents));
    }

    fn rearm(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let lifecycle = self.lifecycle.poll_timeout().map(|(at, _)| at);
        let deadline = lifecycle.into_iter().chain(self.dialect.poll_timeout()).min();
        self.timer = deadline.map(|deadline| {
            ctx.run_later(clock::until(deadline), |endpoint, ctx| {
                endpoint.timer = None;
                let now = clock::now();
                endpoint.dialect.handle_timeout(now);
                endpoint.lifecycle.handle_timeout(now);
                endpoint.drive(ctx);
            })
        });
    }

    /// Tells observers of a transition.
    fn tell_transition(&self, from: EndpointState, to: EndpointState) {
        let (kind, bulletin) = (self.kind(), &self.parent.bulletin);
        bulletin.meters.count_transition(kind, to);
        bulletin.tell(|| {
            let failure = match to {
                EndpointState::Establishing | EndpointState::Reestablishing => self.lifecycle.view().last_failure,
                EndpointState::Terminated if !self.lifecycle.is_over() => self.lifecycle.view().last_failure,
                // It is well, or we are the ones who end it.
                EndpointState::Idle | EndpointState::Established => None,
                EndpointState::Draining | EndpointState::Terminating | EndpointState::Terminated => None,
            };
            // The endpoint is up exactly in this state.
            let up = to == EndpointState::Established;
            Occurrence::Endpoint { kind, from, to, up, failure, at: clock::now() }
        });
    }

    fn lifecycle_input(&mut self, input: EndpointInput) {
        self.lifecycle.handle(clock::now(), input);
    }

    fn perform(&mut self, effect: EndpointEffect, ctx: &mut Context<Self>) {
        match effect {
            EndpointEffect::Connect { attempt } => self.find_pool(attempt, ctx),
            EndpointEffect::Disconnect => {
                if let Some(transport) = &self.transport {
                    transport.disconnect();
                }
                self.dialect.transport_lost(clock::now());
                if self.lifecycle.state() == EndpointState::Terminating {
                    // The transport says nothing about a connection that we closed ourselves.
                    let failure = Failure::new(FailureKind::Endpoint, EndedBy::Us, "closed");
                    self.lifecycle_input(EndpointInput::ConnectionLost { failure });
                }
            }
            EndpointEffect::Probe => self.dialect.probe(clock::now()),
            EndpointEffect::Up => {
                self.complaints.forget_pools();
                self.parent.up.do_send(EndpointUp { kind: self.kind() });
            }
            EndpointEffect::Paused(failure) => {
                self.last_failure = Some(failure.clone());
                self.parent.paused.do_send(EndpointPaused { kind: self.kind(), failure });
            }
            EndpointEffect::Lost(failure) => {
                self.last_failure = Some(failure.clone());
                self.parent.lost.do_send(EndpointLost { kind: self.kind(), failure });
                self.restart = true;
            }
            // The same is not said again for every agent and every pause.
            EndpointEffect::Alarm(failure) if self.last_failure.as_ref() == Some(&failure) => {}
            EndpointEffect::Alarm(failure) => {
                tracing::error!(logger = %self.setup.uri, failure = %failure, "{}", advice(self.setup.dialect));
            }
            EndpointEffect::StateChanged { from, to, why, reason } => {
                match reason {
                    TransitionReason::None => {
                        tracing::info!(logger = %self.setup.uri, "{} {from} -> {to}: {why}", self.kind());
                    }
                    _ => tracing::info!(logger = %self.setup.uri, "{} {from} -> {to}: {why} ({reason:?})", self.kind()),
                }
                self.tell_transition(from, to);
            }
            EndpointEffect::Terminated => {
                self.transport = None;
                self.draining = None;
            }
        }
    }
}

impl Actor for LocalEndpoint {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.transport.is_none() && self.draining.is_none() {
            let mut settings = TransportSettings::new(self.setup.transport, Vec::new());
            settings.listen = self.setup.listen;
            settings.tls.clone_from(&self.setup.tls);
            settings.limits = self.setup.limits;
            settings.traffic = Arc::clone(&self.parent.traffic);
            if matches!(self.setup.dialect, DialectSetup::Skype { .. }) {
                // The answer to a list of 500 agents carries a document for each.
                settings.limits.body = settings.limits.body.max(LARGEST_LIST);
            }
            let events = ctx.address().recipient();
            self.transport = Some(match &self.setup.memory {
                Some(network) => Transport::start_in_memory(settings, Arc::clone(network), events),
                None => Transport::start(settings, events),
            });
        }
        self.drive(ctx);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        if std::thread::panicking() {
            self.parent.down.do_send(ChildDown { child: self.setup.kind, incarnation: self.incarnation });
        }
    }
}

impl Supervised for LocalEndpoint {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.timer = None;
        tracing::debug!(logger = %self.setup.uri, "the supervisor restarts the {}", self.setup.kind);
    }
}

//! One local endpoint: an identity of ours at a pool, with its connection and its dialogs.
//!
//! The pure parts decide: [`EndpointLifecycle`] when to connect, probe and recover, [`Subscriber`] what goes over the
//! wire. A loss stops the actor, and the actix supervisor restarts it: the same value, its mailbox kept, its timer
//! forgotten; what the lifecycle asks for then (a new connection, in its own time) is done by the restarted actor.

mod handlers;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Recipient, SpawnHandle, Supervised, Supervisor};
use presence_core::{
    AgentUri, Attempt, EndedBy, EndpointEffect, EndpointInput, EndpointKind, EndpointLifecycle, EndpointState, Failure,
    FailureKind,
};
use presence_sip::{Subscriber, SubscriberConfig, WireEvent};

use crate::messages::{ChildDown, Done, EndpointLost, EndpointPaused, EndpointUp, Feed, TokenSent};
use crate::setup::EndpointSetup;
use crate::transport::{Transport, TransportSettings};
use crate::{clock, entropy};

/// What an endpoint tells its parent.
pub(crate) struct Parent {
    pub(crate) up: Recipient<EndpointUp>,
    pub(crate) paused: Recipient<EndpointPaused>,
    pub(crate) lost: Recipient<EndpointLost>,
    pub(crate) down: Recipient<ChildDown<EndpointKind>>,
    /// Is told when what a token was granted for has reached the wire.
    pub(crate) sent: Option<Recipient<TokenSent>>,
}

/// An agent with a dialog here, or one under way.
struct Member {
    agent: Recipient<Feed>,
    attempt: Attempt,
}

/// The actor of one local endpoint.
pub(crate) struct LocalEndpoint {
    setup: EndpointSetup,
    incarnation: u32,
    parent: Parent,
    lifecycle: EndpointLifecycle,
    subscriber: Subscriber,
    transport: Option<Transport>,
    listening: Option<SocketAddr>,
    /// Our side of the last connection that was made.
    connection: Option<SocketAddr>,
    /// Who is told about which agent's dialog.
    members: BTreeMap<AgentUri, Member>,
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
    pub(crate) fn launch(setup: EndpointSetup, incarnation: u32, parent: Parent) -> Addr<Self> {
        let now = clock::now();
        let mut config = SubscriberConfig::new(setup.uri.clone(), "", "");
        config.target = setup.pool.target();
        config.transport = setup.transport;
        config.expires = setup.expires;
        config.credentials.clone_from(&setup.credentials);
        config.timers = setup.timers;
        let subscriber = Subscriber::new(config, Box::new(entropy::fill));
        let mut lifecycle = EndpointLifecycle::new(now, setup.policy);
        lifecycle.handle(now, EndpointInput::Start);
        Supervisor::start(move |_| Self {
            setup,
            incarnation,
            parent,
            lifecycle,
            subscriber,
            transport: None,
            listening: None,
            connection: None,
            members: BTreeMap::new(),
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
            if let Some(effect) = self.subscriber.poll_effect() {
                self.perform_wire(effect);
            } else if let Some(effect) = self.lifecycle.poll_effect() {
                self.perform(effect, ctx);
            } else {
                break;
            }
        }
        if self.lifecycle.state() == EndpointState::Terminated {
            // Also for whoever asks when it is over already.
            self.draining = None;
        }
        self.rearm(ctx);
        if std::mem::take(&mut self.restart) {
            ctx.stop();
        }
    }

    /// The token of an order of an agent is used up.
    fn token_sent(&self) {
        if let Some(throttle) = &self.parent.sent {
            throttle.do_send(TokenSent);
        }
    }

    fn rearm(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let lifecycle = self.lifecycle.poll_timeout().map(|(at, _)| at);
        let deadline = lifecycle.into_iter().chain(self.subscriber.poll_timeout()).min();
        self.timer = deadline.map(|deadline| {
            ctx.run_later(clock::until(deadline), |endpoint, ctx| {
                endpoint.timer = None;
                let now = clock::now();
                endpoint.subscriber.handle_timeout(now);
                endpoint.lifecycle.handle_timeout(now);
                endpoint.drive(ctx);
            })
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
                self.subscriber.transport_lost(clock::now());
                if self.lifecycle.state() == EndpointState::Terminating {
                    // The transport says nothing about a connection that we closed ourselves.
                    let failure = Failure::new(FailureKind::Endpoint, EndedBy::Us, "closed");
                    self.lifecycle_input(EndpointInput::ConnectionLost { failure });
                }
            }
            EndpointEffect::Probe => self.subscriber.probe(clock::now()),
            EndpointEffect::Up => self.parent.up.do_send(EndpointUp { kind: self.kind() }),
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
                tracing::error!(logger = %self.setup.uri, failure = %failure,
                    "the pool does not serve presence subscriptions; check that the address is that of a presence server");
            }
            EndpointEffect::StateChanged { from, to, why } => {
                tracing::info!(logger = %self.setup.uri, "{} {from} -> {to}: {why}", self.kind());
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

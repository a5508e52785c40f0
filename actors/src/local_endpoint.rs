//! One local endpoint: an identity of ours at a pool, with its connection and its dialogs.
//!
//! The pure parts decide: [`EndpointLifecycle`] when to connect, probe and recover, [`Subscriber`] what goes over the
//! wire. A loss stops the actor, and the actix supervisor restarts it: the same value, its mailbox kept, its timer
//! forgotten; what the lifecycle asks for then (a new connection, in its own time) is done by the restarted actor.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use actix::{
    Actor, ActorContext, Addr, AsyncContext, Context, Handler, MessageResult, SpawnHandle, Supervised, Supervisor,
};
use presence_core::{
    AgentUri, Attempt, EndedBy, EndpointEffect, EndpointInput, EndpointKind, EndpointLifecycle, EndpointState, Failure,
    FailureKind, SubscriptionInput,
};
use presence_sip::{FlowId, Frame, Subscriber, SubscriberConfig, SubscriberEffect, WireEvent};

use crate::agent::Agent;
use crate::messages::{
    ChildDown, Done, Drain, EndpointLost, EndpointPaused, EndpointUp, Feed, PanicNow, SendSubscribe, SendUnsubscribe,
};
use crate::pool_lookup::find;
use crate::setup::EndpointSetup;
use crate::sources::{Source, Ucma};
use crate::transport::{DiscoveryError, Server, Transport, TransportEvent, TransportSettings};
use crate::views::{EndpointView, ObserveEndpoint};
use crate::{clock, entropy};

/// An agent with a dialog here, or one under way.
struct Member {
    agent: Addr<Agent>,
    attempt: Attempt,
}

/// The actor of one local endpoint.
pub(crate) struct LocalEndpoint {
    setup: EndpointSetup,
    incarnation: u32,
    source: Addr<Source<Ucma>>,
    lifecycle: EndpointLifecycle,
    subscriber: Subscriber,
    transport: Option<Transport>,
    listening: Option<SocketAddr>,
    /// Our side of the last connection that was made.
    connection: Option<SocketAddr>,
    /// Who is told about which agent's dialog.
    members: BTreeMap<AgentUri, Member>,
    last_failure: Option<Failure>,
    draining: Option<Done>,
    timer: Option<SpawnHandle>,
    /// The connection was lost while the effects were performed: the supervisor is to restart the actor.
    restart: bool,
}

impl LocalEndpoint {
    /// Starts the actor of an endpoint; it connects by itself.
    pub(crate) fn launch(setup: EndpointSetup, incarnation: u32, source: Addr<Source<Ucma>>) -> Addr<Self> {
        let now = clock::now();
        let mut config = SubscriberConfig::new(setup.uri.clone(), "", "");
        config.target = pool_uri(&setup);
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
            source,
            lifecycle,
            subscriber,
            transport: None,
            listening: None,
            connection: None,
            members: BTreeMap::new(),
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

    fn tell(&self, uri: &AgentUri, input: SubscriptionInput) {
        if let Some(member) = self.members.get(uri) {
            member.agent.do_send(Feed(input));
        }
    }

    /// The dialog of this attempt is no more; a newer one of the same agent may be.
    fn dismiss(&mut self, uri: &AgentUri, attempt: Attempt) {
        if self.members.get(uri).is_some_and(|member| member.attempt == attempt) {
            self.members.remove(uri);
        }
    }

    fn perform_wire(&mut self, effect: SubscriberEffect) {
        match effect {
            SubscriberEffect::Transmit { flow, bytes } => self.transmit(flow, bytes),
            SubscriberEffect::Accepted { uri, attempt, expires } => {
                self.tell(&uri, SubscriptionInput::Accepted { attempt, expires });
            }
            SubscriberEffect::Notified { uri, attempt, status, expires } => {
                self.tell(&uri, SubscriptionInput::Notified { attempt, status, expires });
            }
            SubscriberEffect::WantsRefresh { uri, attempt } => {
                self.tell(&uri, SubscriptionInput::RefreshWanted { attempt });
            }
            SubscriberEffect::Failed { uri, attempt, failure } => {
                tracing::debug!(logger = %self.setup.uri, uri = %uri, attempt = attempt.0, failure = %failure, "SUBSCRIBE failed");
                let over = failure.kind != FailureKind::Endpoint;
                self.tell(&uri, SubscriptionInput::Failed { attempt, failure });
                if over {
                    self.dismiss(&uri, attempt);
                }
            }
            SubscriberEffect::Ended { uri, attempt } => {
                self.tell(&uri, SubscriptionInput::Ended { attempt });
                self.dismiss(&uri, attempt);
            }
            SubscriberEffect::ProbeAnswered => self.lifecycle_input(EndpointInput::ProbeAnswered),
            SubscriberEffect::ProbeFailed(failure) => self.lifecycle_input(EndpointInput::ProbeFailed { failure }),
            SubscriberEffect::Overloaded { retry_after } => {
                self.lifecycle_input(EndpointInput::Overloaded { retry_after });
            }
            SubscriberEffect::Unsupported(failure) => self.lifecycle_input(EndpointInput::Unsupported { failure }),
            SubscriberEffect::Count(event) => self.count(event),
        }
    }

    fn count(&self, event: WireEvent) {
        tracing::debug!(logger = %self.setup.uri, event = ?event, "a deviation on the wire");
    }

    fn transmit(&mut self, flow: FlowId, bytes: bytes::Bytes) {
        let sent = self.transport.as_ref().map_or_else(|| Ok(()), |transport| transport.send(flow, bytes));
        if let Err(error) = sent
            && flow == FlowId::PRIMARY
        {
            let failure = Failure::new(FailureKind::Endpoint, EndedBy::Network, error.to_string());
            // What was to be sent is no agent's failure.
            self.subscriber.transport_lost(clock::now());
            self.lifecycle_input(EndpointInput::ConnectionLost { failure });
        }
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
            EndpointEffect::Up => self.source.do_send(EndpointUp { kind: self.kind() }),
            EndpointEffect::Paused(failure) => {
                self.last_failure = Some(failure.clone());
                self.source.do_send(EndpointPaused { kind: self.kind(), failure });
            }
            EndpointEffect::Lost(failure) => {
                self.last_failure = Some(failure.clone());
                self.source.do_send(EndpointLost { kind: self.kind(), failure });
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

    /// Looks the pool up, in a task of its own; the answer comes back as [`PoolFound`].
    fn find_pool(&self, attempt: u32, ctx: &Context<Self>) {
        let (pool, kind, back) = (self.setup.pool.clone(), self.setup.transport, ctx.address());
        actix_rt::spawn(async move {
            let servers = find(&pool, kind).await;
            back.do_send(PoolFound { attempt, servers });
        });
    }

    fn connect_failed(&mut self, attempt: u32, failure: Failure) {
        if self.last_failure.as_ref() != Some(&failure) {
            tracing::warn!(logger = %self.setup.uri, failure = %failure, "the {} cannot reach its pool; it keeps trying", self.kind());
        }
        self.last_failure = Some(failure.clone());
        self.lifecycle_input(EndpointInput::ConnectFailed { attempt, failure });
    }

    /// The address at which the pool reaches us: our listener's, with the local address of the connection where the
    /// listener is bound to all.
    fn local_address(&self, connection: SocketAddr) -> SocketAddr {
        match self.listening {
            Some(listening) if listening.ip().is_unspecified() => SocketAddr::new(connection.ip(), listening.port()),
            Some(listening) => listening,
            None => connection,
        }
    }

    /// All requests from now on say where we are reached.
    fn announce(&mut self) {
        let Some(connection) = self.connection else { return };
        let sent_by = self.local_address(connection).to_string();
        let user = self.setup.uri.user().unwrap_or("presence-provider");
        let contact = format!("sip:{user}@{sent_by};transport={}", self.setup.transport.uri_param());
        self.subscriber.set_local(contact, sent_by);
    }

    fn connected(&mut self, attempt: u32, local: SocketAddr) {
        self.connection = Some(local);
        self.announce();
        self.lifecycle_input(EndpointInput::Connected { attempt });
    }

    fn received(&mut self, flow: FlowId, frames: Vec<Frame>) {
        let now = clock::now();
        self.lifecycle.handle(now, EndpointInput::Heard);
        for frame in frames {
            match frame {
                Frame::Message(message) => self.subscriber.receive(now, flow, message),
                Frame::Ping | Frame::Pong => {}
                // The transport has answered it already, where that was possible.
                Frame::Malformed { reason, .. } => {
                    tracing::debug!(logger = %self.setup.uri, reason = %reason, "a malformed message was dropped");
                }
            }
            // Keep what a burst brings in order and bounded: each message's effects are performed before the next.
            while let Some(effect) = self.subscriber.poll_effect() {
                self.perform_wire(effect);
            }
        }
    }
}

/// The Request-URI of an OPTIONS to the pool.
fn pool_uri(setup: &EndpointSetup) -> Option<String> {
    match &setup.pool {
        crate::setup::Pool::Address { host, port: Some(port) } => Some(format!("{host}:{port}")),
        crate::setup::Pool::Address { host, port: None } => Some(host.clone()),
        crate::setup::Pool::Discover { .. } => None,
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
            self.source.do_send(ChildDown { child: self.setup.kind, incarnation: self.incarnation });
        }
    }
}

impl Supervised for LocalEndpoint {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.timer = None;
        tracing::debug!(logger = %self.setup.uri, "the supervisor restarts the {}", self.setup.kind);
    }
}

/// The pool's servers, in the order in which they are to be tried.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct PoolFound {
    attempt: u32,
    servers: Result<Vec<Server>, DiscoveryError>,
}

impl Handler<PoolFound> for LocalEndpoint {
    type Result = ();

    fn handle(&mut self, message: PoolFound, ctx: &mut Self::Context) {
        match (message.servers, &self.transport) {
            // The look-up took so long that another one was begun; what that one finds is tried.
            _ if message.attempt != self.lifecycle.view().attempts => {}
            (Ok(servers), Some(transport)) => {
                transport.set_servers(servers);
                transport.connect(u64::from(message.attempt));
            }
            (Ok(_), None) => {}
            (Err(error), _) => {
                let failure = Failure::new(FailureKind::Endpoint, EndedBy::Network, error.to_string());
                self.connect_failed(message.attempt, failure);
            }
        }
        self.drive(ctx);
    }
}

impl Handler<TransportEvent> for LocalEndpoint {
    type Result = ();

    fn handle(&mut self, event: TransportEvent, ctx: &mut Self::Context) {
        match event {
            TransportEvent::Listening { local } => {
                tracing::info!(logger = %self.setup.uri, "the {} listens on {local} ({})", self.kind(), self.setup.transport);
                self.listening = Some(local);
                // It may have come after the connection, when somebody else had the port.
                self.announce();
            }
            TransportEvent::ListenFailed { why } => {
                tracing::error!(logger = %self.setup.uri, reason = %why, "the {} cannot listen; the pool cannot open connections to us", self.kind());
            }
            TransportEvent::Connected { connection, local, .. } => {
                self.connected(u32::try_from(connection).unwrap_or(u32::MAX), local);
            }
            TransportEvent::ConnectFailed { connection, why } => {
                self.connect_failed(u32::try_from(connection).unwrap_or(u32::MAX), why);
            }
            TransportEvent::Lost { flow, why, .. } if flow == FlowId::PRIMARY => {
                self.subscriber.transport_lost(clock::now());
                self.lifecycle_input(EndpointInput::ConnectionLost { failure: why });
            }
            TransportEvent::Lost { why, .. } => {
                tracing::debug!(logger = %self.setup.uri, reason = %why, "a connection of the pool to us ended");
            }
            TransportEvent::Received { flow, frames } => self.received(flow, frames),
        }
        self.drive(ctx);
    }
}

impl Handler<SendSubscribe> for LocalEndpoint {
    type Result = ();

    fn handle(&mut self, message: SendSubscribe, ctx: &mut Self::Context) {
        let SendSubscribe { agent, uri, attempt, refresh } = message;
        if !refresh && !self.lifecycle.is_up() {
            // The endpoint was lost while the order was on its way: nothing may be sent, and it is not the agent's failure.
            let failure = Failure::new(FailureKind::Endpoint, EndedBy::Us, "the endpoint is not up");
            agent.do_send(Feed(SubscriptionInput::Failed { attempt, failure }));
            return;
        }
        if refresh {
            self.subscriber.refresh(clock::now(), &uri, attempt);
        } else {
            self.subscriber.subscribe(clock::now(), &uri, attempt);
        }
        self.members.insert(uri, Member { agent, attempt });
        self.drive(ctx);
    }
}

impl Handler<SendUnsubscribe> for LocalEndpoint {
    type Result = ();

    fn handle(&mut self, message: SendUnsubscribe, ctx: &mut Self::Context) {
        self.subscriber.unsubscribe(clock::now(), &message.uri, message.attempt);
        self.drive(ctx);
    }
}

impl Handler<Drain> for LocalEndpoint {
    type Result = ();

    fn handle(&mut self, message: Drain, ctx: &mut Self::Context) {
        self.draining = Some(message.done);
        self.lifecycle_input(EndpointInput::Drain);
        // The source says so when every agent has left the wire, or when nothing reaches the wire.
        self.lifecycle_input(EndpointInput::Drained);
        self.drive(ctx);
    }
}

impl Handler<ObserveEndpoint> for LocalEndpoint {
    type Result = MessageResult<ObserveEndpoint>;

    fn handle(&mut self, _: ObserveEndpoint, _: &mut Self::Context) -> Self::Result {
        MessageResult(EndpointView {
            kind: self.kind(),
            uri: self.setup.uri.clone(),
            state: self.lifecycle.state(),
            last_failure: self.last_failure.clone(),
            wire: self.subscriber.stats(),
        })
    }
}

impl Handler<PanicNow> for LocalEndpoint {
    type Result = ();

    fn handle(&mut self, _: PanicNow, _: &mut Self::Context) {
        panic!("the {} was told to panic", self.setup.kind);
    }
}

//! What an endpoint does with each message: it feeds a machine, and then drives the effects of both.

use actix::{Handler, MessageResult};
use presence_core::{EndedBy, EndpointInput, EndpointMemory, Failure, FailureKind, SubscriptionInput};
use presence_sip::FlowId;

use super::{Departure, LocalEndpoint, Member};
use crate::clock;
use crate::messages::{Drain, Feed, PanicNow, SendQuery, SendSubscribe, SendUnsubscribe};
use crate::meters::SubscribeResult;
use crate::remember::CollectEndpoints;
use crate::setup::DialectSetup;
use crate::transport::{DiscoveryError, Refusal, Server, TransportEvent};
use crate::views::{EndpointView, ObserveEndpoint};

/// The pool's servers, in the order in which they are to be tried.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct PoolFound {
    pub(super) attempt: u32,
    pub(super) servers: Result<Vec<Server>, DiscoveryError>,
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
                self.pool_not_found(message.attempt, failure);
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
                self.connection = None;
                self.unserved(&why);
                self.dialect.transport_lost(clock::now());
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
            self.parent.bulletin.meters.count_subscribe(SubscribeResult::Unsent);
            self.token_sent();
            return;
        }
        if refresh {
            self.dialect.refresh(clock::now(), &uri, attempt);
        } else {
            self.dialect.subscribe(clock::now(), &uri, attempt);
        }
        self.members.insert(uri, Member { agent, attempt, awaited: true });
        self.drive(ctx);
        self.token_sent();
    }
}

impl Handler<SendQuery> for LocalEndpoint {
    type Result = ();

    fn handle(&mut self, message: SendQuery, ctx: &mut Self::Context) {
        let SendQuery { agent, uri, attempt } = message;
        let stands = self.members.get(&uri).is_some_and(|member| member.attempt == attempt);
        if stands && self.lifecycle.is_up() {
            self.dialect.query(clock::now(), &uri, attempt);
            self.drive(ctx);
        } else {
            agent.do_send(Feed(SubscriptionInput::NotQueried { attempt }));
        }
        self.token_sent();
    }
}

impl Handler<SendUnsubscribe> for LocalEndpoint {
    type Result = ();

    fn handle(&mut self, message: SendUnsubscribe, ctx: &mut Self::Context) {
        self.dialect.unsubscribe(clock::now(), &message.uri, message.attempt);
        self.drive(ctx);
        self.token_sent();
    }
}

/// Everything ends: what ends all dialogs with a single message need not wait for the agents.
#[derive(Clone, Copy, Debug, actix::Message)]
#[rtype(result = "()")]
pub(crate) struct Depart;

impl Handler<Depart> for LocalEndpoint {
    type Result = ();

    fn handle(&mut self, _: Depart, ctx: &mut Self::Context) {
        match self.setup.dialect {
            // Every dialog is ended by its agent.
            DialectSetup::Simple => {}
            DialectSetup::Skype { .. } => self.depart(),
        }
        self.drive(ctx);
    }
}

impl LocalEndpoint {
    fn depart(&mut self) {
        self.departure = Departure::UnderWay;
        self.dialect.leave(clock::now());
    }
}

impl Handler<Drain> for LocalEndpoint {
    type Result = ();

    fn handle(&mut self, message: Drain, ctx: &mut Self::Context) {
        // The source says so when every agent has left the wire, or when nothing reaches the wire.
        self.draining = Some(message.done);
        self.lifecycle_input(EndpointInput::Drain);
        match self.departure {
            Departure::None => self.depart(),
            // The pool is to hear it to the end.
            Departure::UnderWay => {}
            Departure::Done => self.lifecycle_input(EndpointInput::Drained),
        }
        self.drive(ctx);
    }
}

impl Handler<CollectEndpoints> for LocalEndpoint {
    type Result = Vec<EndpointMemory>;

    fn handle(&mut self, _: CollectEndpoints, _: &mut Self::Context) -> Self::Result {
        let (next_attempt, troubles) = self.lifecycle.legacy();
        vec![EndpointMemory { next_attempt, troubles, ..self.setup.identity() }]
    }
}

impl Handler<ObserveEndpoint> for LocalEndpoint {
    type Result = MessageResult<ObserveEndpoint>;

    fn handle(&mut self, _: ObserveEndpoint, _: &mut Self::Context) -> Self::Result {
        MessageResult(EndpointView {
            kind: self.kind(),
            uri: self.setup.uri.clone(),
            state: self.lifecycle.state(),
            up: self.lifecycle.is_up(),
            last_failure: self.last_failure.clone().or_else(|| self.lifecycle.view().last_failure),
            wire: self.dialect.stats(),
            bytes_received: self.parent.traffic.received(),
            bytes_sent: self.parent.traffic.sent(),
            connections: self.parent.traffic.connections(),
            deviations: self.deviations.clone(),
            refused: Refusal::ALL.into_iter().map(|why| (why, self.parent.traffic.refused(why))).collect(),
        })
    }
}

impl Handler<PanicNow> for LocalEndpoint {
    type Result = ();

    fn handle(&mut self, _: PanicNow, _: &mut Self::Context) {
        panic!("the {} was told to panic", self.setup.kind);
    }
}

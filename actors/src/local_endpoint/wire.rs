//! What goes over the wire and comes from it: the network's facts for the subscriber, the subscriber's effects for the
//! network and the agents.

use std::net::SocketAddr;

use actix::{AsyncContext, Context};
use presence_core::{AgentUri, Attempt, EndedBy, EndpointInput, Failure, FailureKind, SubscriptionInput};
use presence_sip::{FlowId, Frame, SubscriberEffect, WireEvent};

use super::handlers::PoolFound;
use super::{Departure, LocalEndpoint};
use crate::clock;
use crate::messages::{Adopted, Feed};
use crate::meters::SubscribeResult;
use crate::pool_lookup::find_pool;
use crate::setup::Pool;

impl LocalEndpoint {
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

    pub(super) fn perform_wire(&mut self, effect: SubscriberEffect) {
        match effect {
            SubscriberEffect::Transmit { flow, bytes } => self.transmit(flow, bytes),
            SubscriberEffect::Accepted { uri, attempt, expires } => {
                self.accepted = self.accepted.saturating_add(1);
                self.count_result(&uri, attempt, SubscribeResult::Accepted);
                self.tell(&uri, SubscriptionInput::Accepted { attempt, expires });
            }
            SubscriberEffect::Notified { uri, attempt, status, expires } => {
                self.tell(&uri, SubscriptionInput::Notified { attempt, status, expires });
            }
            SubscriberEffect::Adopted { uri, attempt } => self.parent.adopted.do_send(Adopted { uri, attempt }),
            SubscriberEffect::Joined { uri, attempt } => {
                self.accepted = self.accepted.saturating_add(1);
                self.count_result(&uri, attempt, SubscribeResult::Accepted);
                self.tell(&uri, SubscriptionInput::Joined { attempt });
            }
            SubscriberEffect::Queried { uri, attempt, status } => {
                self.tell(&uri, SubscriptionInput::Queried { attempt, status });
            }
            SubscriberEffect::NotQueried { uri, attempt } => {
                self.tell(&uri, SubscriptionInput::NotQueried { attempt });
            }
            SubscriberEffect::WantsRefresh { uri, attempt } => {
                self.tell(&uri, SubscriptionInput::RefreshWanted { attempt });
            }
            SubscriberEffect::Failed { uri, attempt, failure } => {
                tracing::debug!(logger = %self.setup.uri, uri = %uri, attempt = attempt.0, failure = %failure, "SUBSCRIBE failed");
                self.count_result(&uri, attempt, SubscribeResult::of(&failure));
                let over = failure.kind != FailureKind::Endpoint;
                if !over {
                    self.complaints.count(&failure);
                }
                self.tell(&uri, SubscriptionInput::Failed { attempt, failure });
                if over {
                    self.dismiss(&uri, attempt);
                }
            }
            SubscriberEffect::Stalled { uri, attempt, failure, again } => {
                tracing::debug!(logger = %self.setup.uri, uri = %uri, attempt = attempt.0, failure = %failure, "SUBSCRIBE failed, and its dialog stands");
                self.count_result(&uri, attempt, SubscribeResult::of(&failure));
                self.tell(&uri, SubscriptionInput::Stalled { attempt, failure, again });
            }
            SubscriberEffect::Ended { uri, attempt } => {
                self.tell(&uri, SubscriptionInput::Ended { attempt });
                self.dismiss(&uri, attempt);
            }
            SubscriberEffect::ProbeAnswered => self.lifecycle_input(EndpointInput::ProbeAnswered),
            SubscriberEffect::ProbeFailed(failure) => {
                // Of a connection that is gone it was told why.
                if self.connection.is_some() {
                    self.unserved(&failure);
                }
                self.lifecycle_input(EndpointInput::ProbeFailed { failure });
            }
            SubscriberEffect::Overloaded { retry_after } => {
                // While it is paused nothing of the throttle's goes there, so that its rate is not to blame.
                if self.lifecycle.is_up() {
                    self.congested();
                }
                let failure = Failure::new(FailureKind::Endpoint, EndedBy::Peer, "503 the pool is overloaded");
                self.unserved(&failure);
                self.lifecycle_input(EndpointInput::Overloaded { retry_after });
            }
            SubscriberEffect::Unsupported(failure) => self.lifecycle_input(EndpointInput::Unsupported { failure }),
            SubscriberEffect::Congested => self.congested(),
            SubscriberEffect::Redirected { host, port } => {
                let pool = Pool::Address { host, port };
                self.sent_elsewhere(&pool);
                self.redirected = Some(pool);
                self.lifecycle_input(EndpointInput::Redirected);
            }
            SubscriberEffect::Deregistered { failure, reason, again } => {
                // Whoever said so may not be where the endpoint belongs: the pool is looked up anew.
                self.redirected = None;
                self.lifecycle_input(EndpointInput::Deregistered { failure, reason, again });
            }
            SubscriberEffect::PresenceUnavailable(failure) => {
                self.lifecycle_input(EndpointInput::PresenceUnavailable { failure });
            }
            SubscriberEffect::PresenceAvailable => self.lifecycle_input(EndpointInput::PresenceAvailable),
            SubscriberEffect::Left => {
                self.departure = Departure::Done;
                if self.draining.is_some() {
                    self.lifecycle_input(EndpointInput::Drained);
                }
            }
            SubscriberEffect::Count(event) => self.count(event),
        }
    }

    fn count(&mut self, event: WireEvent) {
        *self.deviations.entry(event).or_default() += 1;
        tracing::debug!(logger = %self.setup.uri, event = ?event, "a deviation on the wire");
    }

    pub(super) fn transmit(&mut self, flow: FlowId, bytes: bytes::Bytes) {
        let sent = self.transport.as_ref().map_or_else(|| Ok(()), |transport| transport.send(flow, bytes));
        if let Err(error) = sent
            && flow == FlowId::PRIMARY
        {
            let failure = Failure::new(FailureKind::Endpoint, EndedBy::Network, error.to_string());
            // What was to be sent is no agent's failure.
            self.dialect.transport_lost(clock::now());
            self.lifecycle_input(EndpointInput::ConnectionLost { failure });
        }
    }

    /// Looks the pool up, in a task of its own; the answer comes back as [`PoolFound`].
    pub(super) fn find_pool(&self, attempt: u32, ctx: &Context<Self>) {
        let pool = self.redirected.as_ref().unwrap_or(&self.setup.pool).clone();
        let (kind, back) = (self.setup.transport, ctx.address());
        let mut order = self.setup.random.for_sip();
        actix_rt::spawn(async move {
            let servers = find_pool(&pool, kind, &mut order).await;
            back.do_send(PoolFound { attempt, servers });
        });
    }

    pub(super) fn pool_not_found(&mut self, attempt: u32, failure: Failure) {
        self.cannot_reach(&failure);
        self.lifecycle_input(EndpointInput::PoolNotFound { attempt, failure });
    }

    pub(super) fn connect_failed(&mut self, attempt: u32, failure: Failure) {
        self.cannot_reach(&failure);
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
    pub(super) fn announce(&mut self) {
        let Some(connection) = self.connection else { return };
        let sent_by = self.local_address(connection).to_string();
        let user = self.setup.uri.user().unwrap_or("presence-provider");
        let contact = format!("sip:{user}@{sent_by};transport={}", self.setup.transport.uri_param());
        self.dialect.set_local(contact, sent_by);
    }

    pub(super) fn connected(&mut self, attempt: u32, local: SocketAddr) {
        self.connection = Some(local);
        self.announce();
        self.lifecycle_input(EndpointInput::Connected { attempt });
    }

    pub(super) fn received(&mut self, flow: FlowId, frames: Vec<Frame>) {
        let now = clock::now();
        self.lifecycle.handle(now, EndpointInput::Heard);
        for frame in frames {
            match frame {
                Frame::Message(message) => self.dialect.receive(now, flow, message),
                Frame::Ping | Frame::Pong => {}
                // The transport has answered it already, where that was possible.
                Frame::Malformed { reason, .. } => {
                    tracing::debug!(logger = %self.setup.uri, reason = %reason, "a malformed message was dropped");
                    self.count(WireEvent::Malformed);
                }
            }
            // Keep what a burst brings in order and bounded: each message's effects are performed before the next.
            while let Some(effect) = self.dialect.poll_effect() {
                self.perform_wire(effect);
            }
        }
    }
}

//! What every dialect of SIP presence can do for a local endpoint.

use std::time::Instant;

use presence_core::{AgentUri, Attempt};

use crate::flow::FlowId;
use crate::message::Message;
use crate::subscriber::{Subscriber, SubscriberEffect, SubscriberStats};

/// Every transaction, dialog and registration of one local endpoint, in one of the two dialects. Pure.
///
/// Contract: after every call drain [`Dialect::poll_effect`], then arm one timer for [`Dialect::poll_timeout`] and call
/// [`Dialect::handle_timeout`] when it has come; a call too many changes nothing. Whoever calls [`Dialect::subscribe`],
/// [`Dialect::refresh`], [`Dialect::unsubscribe`] or [`Dialect::query`] holds a token of the throttle. Every attempt ends with one of
/// [`SubscriberEffect::Failed`] and [`SubscriberEffect::Ended`].
pub trait Dialect: std::fmt::Debug {
    /// Sets our Contact (a URI) and our address in the Via (`ip:port`) for all requests from now on.
    fn set_local(&mut self, contact: String, sent_by: String);
    /// Asks the pool whether it serves us: registers where that is due, asks for a sign of life otherwise.
    /// [`SubscriberEffect::ProbeAnswered`], or one that says why not, follows.
    fn probe(&mut self, now: Instant);
    /// Subscribes to an agent under this attempt, or takes what is still there over under it.
    fn subscribe(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt);
    /// Puts the agent on the wire again in its attempt.
    fn refresh(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt);
    /// Ends the subscription of this attempt.
    fn unsubscribe(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt);
    /// Asks the server once how the agent is, without a subscription and beside the one that stands under this attempt.
    /// [`SubscriberEffect::Queried`] follows once, within 45 s, or [`SubscriberEffect::NotQueried`]; another query for the agent
    /// before that takes its place.
    fn query(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt);
    /// Ends everything at once, without a token: the endpoint is to go. [`SubscriberEffect::Left`] follows soon, whatever
    /// the pool says.
    fn leave(&mut self, now: Instant);
    /// The connection is gone.
    fn transport_lost(&mut self, now: Instant);
    /// A message came on this flow.
    fn receive(&mut self, now: Instant, flow: FlowId, message: Message);
    /// Does what has fallen due.
    fn handle_timeout(&mut self, now: Instant);
    /// The next thing to do or to tell.
    fn poll_effect(&mut self) -> Option<SubscriberEffect>;
    /// When [`Dialect::handle_timeout`] wants to be called.
    fn poll_timeout(&self) -> Option<Instant>;
    /// How much it holds and has done.
    fn stats(&self) -> SubscriberStats;
}

impl Dialect for Subscriber {
    fn set_local(&mut self, contact: String, sent_by: String) {
        Self::set_local(self, contact, sent_by);
    }

    fn probe(&mut self, now: Instant) {
        Self::probe(self, now);
    }

    fn subscribe(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        Self::subscribe(self, now, uri, attempt);
    }

    fn refresh(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        Self::refresh(self, now, uri, attempt);
    }

    fn unsubscribe(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        Self::unsubscribe(self, now, uri, attempt);
    }

    fn query(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        Self::query(self, now, uri, attempt);
    }

    fn leave(&mut self, now: Instant) {
        Self::leave(self, now);
    }

    fn transport_lost(&mut self, now: Instant) {
        Self::transport_lost(self, now);
    }

    fn receive(&mut self, now: Instant, flow: FlowId, message: Message) {
        Self::receive(self, now, flow, message);
    }

    fn handle_timeout(&mut self, now: Instant) {
        Self::handle_timeout(self, now);
    }

    fn poll_effect(&mut self) -> Option<SubscriberEffect> {
        Self::poll_effect(self)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Self::poll_timeout(self)
    }

    fn stats(&self) -> SubscriberStats {
        Self::stats(self)
    }
}

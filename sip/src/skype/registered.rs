//! The registration, the sign of life, and what both say about the pool.

use std::time::{Duration, Instant};

use presence_core::{Again, EndedBy, Failure, FailureKind, TransitionReason};

use super::SkypeSubscriber;
use super::batch::Batch;
use super::orphans::Server;
use super::requests;
use crate::flow::FlowId;
use crate::identity::Identifier;
use crate::message::Message;
use crate::registration::RegistrationEffect;
use crate::subscriber::SubscriberEffect;
use crate::transaction::{Answer, ClientTransaction, Due};

/// How long a pool is left alone that answers 503 and does not say for how long.
const PAUSE: Duration = Duration::from_secs(5);

/// A registration in doubt is renewed so often at most.
const RENEWALS: Duration = Duration::from_secs(60);

/// A pool that wants to be left alone for longer is asked again after this.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

impl SkypeSubscriber {
    /// Registers, or asks for a sign of life where that was done or is not wanted.
    pub(super) fn ask_pool(&mut self, now: Instant) {
        self.probing = true;
        if self.config.use_registration && !self.registration.is_registered() {
            self.registration.register(now);
            return self.drain_registration(now);
        }
        if self.options.as_ref().is_some_and(ClientTransaction::awaits_answer) {
            return;
        }
        let mut fresh = || Identifier::fresh(&mut self.entropy);
        let (call_id, tag, branch) = (fresh(), fresh(), fresh());
        let contact = self.registration.gruu().unwrap_or(&self.config.contact);
        let bytes = match requests::options(&self.config, contact, call_id, tag, branch).to_bytes() {
            Ok(bytes) => bytes,
            Err(error) => {
                let failure = Failure::new(FailureKind::Endpoint, EndedBy::Us, error.to_string());
                return self.probe_failed(failure);
            }
        };
        let timers = &self.config.timers;
        let (reliable, timeout) = (self.config.transport.reliable(), timers.probe_timeout());
        let transaction = ClientTransaction::start(now, branch, "OPTIONS", bytes.clone(), reliable, timers, timeout);
        self.options = Some(transaction);
        self.transmit(now, FlowId::PRIMARY, bytes);
    }

    /// True when the response belonged to a question for a sign of life.
    pub(super) fn options_answer(&mut self, now: Instant, response: &Message) -> bool {
        let Some(status) = response.status() else { return false };
        let reliable = self.config.transport.reliable();
        let Some(options) = self.options.as_mut().filter(|options| options.matches(response)) else { return false };
        match options.receive(now, status, reliable, &self.config.timers) {
            Answer::Provisional | Answer::Repeated => {}
            Answer::Final if status == 503 => {
                self.probing = false;
                self.overloaded(now, response.retry_after());
            }
            // Whatever it says, it says something.
            Answer::Final => self.pool_answered(now),
        }
        true
    }

    pub(super) fn options_due(&mut self, now: Instant) {
        let Some(options) = self.options.as_mut() else { return };
        match options.handle_timeout(now, &self.config.timers) {
            Due::Resend(bytes) => {
                self.retransmissions += 1;
                self.transmit(now, FlowId::PRIMARY, bytes);
            }
            Due::TimedOut => {
                self.options = None;
                let why = "the pool answers nothing";
                self.probe_failed(Failure::new(FailureKind::Endpoint, EndedBy::Network, why));
            }
            Due::Nothing if options.poll_timeout().is_none() => self.options = None,
            Due::Nothing => {}
        }
    }

    pub(super) fn probe_failed(&mut self, failure: Failure) {
        self.probing = false;
        self.effects.push_back(SubscriberEffect::ProbeFailed(failure));
    }

    /// 503: nothing that waits goes out before the time that the pool asks for.
    pub(super) fn overloaded(&mut self, now: Instant, retry_after: Option<Duration>) {
        self.paused_until = Some(now + retry_after.unwrap_or(PAUSE).min(LONGEST_PAUSE));
        self.effects.push_back(SubscriberEffect::Overloaded { retry_after });
    }

    /// The pool lives, and we are registered where that is due.
    fn pool_answered(&mut self, now: Instant) {
        self.paused_until = None;
        if std::mem::take(&mut self.presence_away) {
            self.relieve_all(now);
        }
        self.end_orphans(now);
        if std::mem::take(&mut self.probing) {
            self.effects.push_back(SubscriberEffect::ProbeAnswered);
        }
    }

    /// The pool finds no way to us: it may have dropped our registration, and the word of it was lost. Otherwise that is found when
    /// it falls due, after hours in which nobody is notified. For a pool that has it this is a refresh.
    pub(super) fn doubt_registration(&mut self, now: Instant) {
        let lately = self.renewed_at.is_some_and(|at| now.saturating_duration_since(at) < RENEWALS);
        let is_going = self.departure.is_some() || !self.registration.is_registered();
        if lately || is_going || self.services_away {
            return;
        }
        self.renewed_at = Some(now);
        self.registration.register(now);
        self.drain_registration(now);
    }

    /// The pool cannot serve presence for now; whoever keeps the endpoint waits before it asks again.
    pub(super) fn presence_unavailable(&mut self, failure: Failure) {
        self.presence_away = true;
        self.effects.push_back(SubscriberEffect::PresenceUnavailable(failure));
    }

    /// The pool serves presence again, or may: what it refused before says nothing about now.
    fn relieve_all(&mut self, now: Instant) {
        self.batches.iter_mut().for_each(Batch::relieve);
        if self.anyone_waits() {
            self.arm_flush(now);
        }
    }

    /// What the registration wants and tells.
    pub(super) fn drain_registration(&mut self, now: Instant) {
        while let Some(effect) = self.registration.poll_effect() {
            match effect {
                RegistrationEffect::Transmit { flow, bytes } => {
                    self.effects.push_back(SubscriberEffect::Transmit { flow, bytes });
                }
                RegistrationEffect::Registered { .. } => self.pool_answered(now),
                RegistrationEffect::Failed(failure) if self.probing => self.probe_failed(failure),
                RegistrationEffect::Failed(failure) => {
                    // It could not be refreshed in time.
                    self.abandon(now, Server::Remembers, &failure);
                    let reason = TransitionReason::RegistrationRefreshFailed;
                    let again = Again::AfterBackOff;
                    self.effects.push_back(SubscriberEffect::Deregistered { failure, reason, again });
                }
                RegistrationEffect::Overloaded { retry_after } => {
                    if !self.registration.is_registered() {
                        self.probing = false;
                    }
                    self.overloaded(now, retry_after);
                }
                RegistrationEffect::Deregistered { failure, reason, again } => {
                    self.probing = false;
                    // A REGISTER that was refused says nothing about the dialogs; an event has ended them.
                    let server = if failure.code.is_some() { Server::Remembers } else { Server::Forgot };
                    self.abandon(now, server, &failure);
                    self.effects.push_back(SubscriberEffect::Deregistered { failure, reason, again });
                }
                RegistrationEffect::Redirected { host, port } => {
                    self.probing = false;
                    self.effects.push_back(SubscriberEffect::Redirected { host, port });
                }
                RegistrationEffect::PresenceUnavailable(failure) => {
                    self.services_away = true;
                    self.presence_unavailable(failure);
                }
                RegistrationEffect::PresenceAvailable => {
                    self.services_away = false;
                    self.presence_away = false;
                    self.relieve_all(now);
                    self.effects.push_back(SubscriberEffect::PresenceAvailable);
                }
                RegistrationEffect::Unregistered => self.unregistered = true,
                RegistrationEffect::Count(event) => self.count(event),
            }
        }
    }
}

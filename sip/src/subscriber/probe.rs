//! Does the pool live? Asked by OPTIONS, and on behalf of agents whose SUBSCRIBE was not answered.

use std::time::Instant;

use presence_core::{Attempt, EndedBy, Failure, FailureKind};

use super::book::Key;
use super::{Subscriber, SubscriberEffect, requests};
use crate::flow::FlowId;
use crate::identity::Identifier;
use crate::message::Message;
use crate::transaction::{Answer, ClientTransaction, Due};

/// An OPTIONS on its way, or the last one that was answered.
#[derive(Debug)]
pub(super) struct Probe {
    transaction: ClientTransaction,
}

impl Probe {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.transaction.poll_timeout()
    }
}

/// An attempt that was not answered; whose fault it is depends on whether the pool answers the probe.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) attempt: Attempt,
    /// Who owns the failure when the pool lives.
    otherwise: FailureKind,
}

impl Subscriber {
    /// Asks the pool whether it lives. [`SubscriberEffect::ProbeAnswered`], `ProbeFailed` (after 10 s of silence) or
    /// `Overloaded` follows. While one question is open another changes nothing.
    pub fn probe(&mut self, now: Instant) {
        if self.probe.as_ref().is_some_and(|probe| probe.transaction.awaits_answer()) {
            return;
        }
        let mut fresh = || Identifier::fresh(&mut self.entropy);
        let (call_id, tag, branch) = (fresh(), fresh(), fresh());
        let bytes = match requests::options(&self.config, call_id, tag, branch).to_bytes() {
            Ok(bytes) => bytes,
            Err(error) => {
                return self.probe_lost_always(Failure::new(FailureKind::Endpoint, EndedBy::Us, error.to_string()));
            }
        };
        let timers = &self.config.timers;
        let reliable = self.config.transport.reliable();
        let timeout = timers.probe_timeout();
        let transaction = ClientTransaction::start(now, branch, "OPTIONS", bytes.clone(), reliable, timers, timeout);
        self.probe = Some(Probe { transaction });
        self.effects.push_back(SubscriberEffect::Transmit { flow: FlowId::PRIMARY, bytes });
    }

    /// A dialog is over because nobody answered. The verdict waits for the pool.
    pub(super) fn suspect(&mut self, now: Instant, key: Key, otherwise: FailureKind) {
        let Some(dialog) = self.book.remove(key) else { return };
        self.suspects.insert(dialog.uri.clone(), Suspect { attempt: dialog.attempt, otherwise });
        self.probe(now);
    }

    /// True when the response belonged to a probe.
    pub(super) fn probe_answer(&mut self, now: Instant, response: &Message, status: u16) -> bool {
        let reliable = self.config.transport.reliable();
        let Some(probe) = self.probe.as_mut().filter(|probe| probe.transaction.matches(response)) else { return false };
        match probe.transaction.receive(now, status, reliable, &self.config.timers) {
            Answer::Provisional | Answer::Repeated => {}
            Answer::Final if status == 503 => {
                let retry_after = response.retry_after();
                self.effects.push_back(SubscriberEffect::Overloaded { retry_after });
                let why = Failure::answered(FailureKind::Endpoint, 503, "the pool is overloaded");
                self.judge(|_| why.clone().with_retry_after(retry_after));
            }
            // Whatever it says, it says something.
            Answer::Final => {
                self.effects.push_back(SubscriberEffect::ProbeAnswered);
                self.judge(|kind| Failure::new(kind, EndedBy::Network, "the SUBSCRIBE was not answered"));
            }
        }
        true
    }

    pub(super) fn probe_due(&mut self, now: Instant) {
        let Some(probe) = self.probe.as_mut() else { return };
        match probe.transaction.handle_timeout(now, &self.config.timers) {
            Due::Resend(bytes) => {
                self.retransmissions += 1;
                self.effects.push_back(SubscriberEffect::Transmit { flow: FlowId::PRIMARY, bytes });
            }
            Due::TimedOut => {
                let why = "the pool answers nothing";
                self.probe_lost_always(Failure::new(FailureKind::Endpoint, EndedBy::Network, why));
            }
            Due::Nothing if probe.transaction.poll_timeout().is_none() => self.probe = None,
            Due::Nothing => {}
        }
    }

    /// The connection is gone: an open question has its answer.
    pub(super) fn probe_lost(&mut self, failure: Failure) {
        if self.probe.take().is_some_and(|probe| probe.transaction.awaits_answer()) {
            self.probe_lost_always(failure);
        }
    }

    fn probe_lost_always(&mut self, failure: Failure) {
        self.probe = None;
        self.effects.push_back(SubscriberEffect::ProbeFailed(failure.clone()));
        self.judge(|_| failure.clone());
    }

    fn judge(&mut self, verdict: impl Fn(FailureKind) -> Failure) {
        for (uri, Suspect { attempt, otherwise }) in std::mem::take(&mut self.suspects) {
            self.effects.push_back(SubscriberEffect::Failed { uri, attempt, failure: verdict(otherwise) });
        }
    }
}

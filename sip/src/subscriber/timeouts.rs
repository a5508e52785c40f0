//! What happens when nothing happens.

use std::time::Instant;

use presence_core::{EndedBy, Failure, FailureKind};

use super::book::Key;
use super::dialog::{DialogState, Purpose};
use super::{Subscriber, SubscriberEffect};
use crate::flow::FlowId;
use crate::transaction::Due;

impl Subscriber {
    /// Does what has fallen due: copies of requests (timer E), requests without an answer (F), subscriptions without a
    /// NOTIFY (N), expired ones, answered requests that need not be remembered any more (J). Nothing otherwise.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.answered.handle_timeout(now);
        self.probe_due(now);
        self.queries_due(now);
        while let Some(key) = self.book.pop_due(now) {
            self.dialog_due(now, key);
            self.book.rearm(key);
        }
    }

    fn dialog_due(&mut self, now: Instant, key: Key) {
        self.exchange_due(now, key);
        let Some(dialog) = self.book.get(key) else { return };
        let silent = dialog.notify_by.is_some_and(|at| at <= now);
        let expired = dialog.expires_at.is_some_and(|at| at <= now) && !dialog.awaits_answer();
        match dialog.state {
            DialogState::Closing { until } if until <= now => self.end(key),
            DialogState::Closing { .. } => {}
            DialogState::Leaving if silent || expired => self.end(key),
            DialogState::Leaving => {}
            DialogState::Opening => {
                if silent {
                    self.fail(key, no_notify());
                }
            }
            // The notifier has accepted it: to forget it would leave it there, beside the next one.
            DialogState::Accepted | DialogState::Live | DialogState::Doubtful if silent => {
                self.stall(now, key, no_notify());
            }
            DialogState::Stalled if expired => self.end(key),
            DialogState::Stalled => {}
            DialogState::Accepted | DialogState::Live | DialogState::Doubtful if expired => {
                self.fail(key, Failure::new(FailureKind::Dialog, EndedBy::Network, "the subscription expired"));
            }
            DialogState::Accepted | DialogState::Live | DialogState::Doubtful => {}
        }
    }

    fn exchange_due(&mut self, now: Instant, key: Key) {
        let Some(dialog) = self.book.get_mut(key) else { return };
        let Some(exchange) = dialog.exchange.as_mut() else { return };
        let purpose = exchange.purpose;
        match exchange.transaction.handle_timeout(now, &self.config.timers) {
            Due::Resend(bytes) => {
                self.retransmissions += 1;
                self.effects.push_back(SubscriberEffect::Transmit { flow: FlowId::PRIMARY, bytes });
            }
            Due::TimedOut => {
                dialog.exchange = None;
                self.unanswered(now, key, purpose);
            }
            Due::Nothing if exchange.transaction.poll_timeout().is_none() => dialog.exchange = None,
            Due::Nothing => {}
        }
    }

    /// Timer F. Whether the agent or the pool is to blame is found out by asking the pool (OPTIONS).
    fn unanswered(&mut self, now: Instant, key: Key, purpose: Purpose) {
        let Some(dialog) = self.book.get(key) else { return };
        match (purpose, dialog.state) {
            (_, DialogState::Leaving | DialogState::Closing { .. }) | (Purpose::Close, _) => self.end(key),
            (Purpose::Open, DialogState::Opening) => {
                self.effects.push_back(SubscriberEffect::Congested);
                self.suspect(now, key, FailureKind::Transient);
            }
            // The NOTIFY has come, so the notifier has accepted; only its answer was lost.
            (
                Purpose::Open,
                DialogState::Accepted | DialogState::Live | DialogState::Doubtful | DialogState::Stalled,
            ) => {}
            // RFC 3261 section 12.2.1.2: a request in a dialog without an answer ends the dialog.
            (Purpose::Refresh, _) => {
                self.effects.push_back(SubscriberEffect::Congested);
                self.suspect(now, key, FailureKind::Dialog);
            }
        }
    }
}

fn no_notify() -> Failure {
    Failure::new(FailureKind::Transient, EndedBy::Network, "no NOTIFY followed the SUBSCRIBE (timer N)")
}

//! What becomes of dialogs when the connection or the registration is gone, and when the endpoint goes.

use std::time::Instant;

use presence_core::{AgentUri, EndedBy, Failure, FailureKind};

use super::SkypeSubscriber;
use super::batch::Batch;
use super::dialog::{DialogKey, Kind, Phase};
use super::member::{Errand, Wish};
use crate::subscriber::SubscriberEffect;

/// Whether the server may still have our dialogs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// It may: they are ended when it can be reached again.
    Remembers,
    /// It has dropped them with the registration.
    Forgot,
}

/// The endpoint is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// Dialogs wait for an answer before they can be ended.
    Settling {
        /// When waiting ends.
        until: Instant,
    },
    /// The last messages were sent.
    Unregistering {
        /// When waiting ends.
        until: Instant,
    },
}

impl SkypeSubscriber {
    /// Nothing that was on its way will be answered. What stood stands until the pool can be told.
    pub(super) fn abandon(&mut self, now: Instant, server: Server, failure: &Failure) {
        let failure = Failure { kind: FailureKind::Endpoint, ..failure.clone() };
        self.queries_lost();
        self.services_away = false;
        for key in self.members.keys() {
            let Some(member) = self.members.get(key) else { continue };
            if member.errand == Errand::None && member.wish == Wish::Keep {
                if let Some(member) = self.take_out(key) {
                    self.orphaned.insert(member.uri.clone(), member.attempt);
                }
            } else {
                self.fail(key, &failure);
            }
        }
        self.orphans.extend(std::mem::take(&mut self.farewells).into_values());
        for key in self.dialogs.keys() {
            let Some(dialog) = self.dialogs.get_mut(key) else { continue };
            // What was to end it may not have arrived.
            let ending =
                dialog.exchange.take().is_some_and(|exchange| exchange.closes && exchange.transaction.awaits_answer());
            let held = match dialog.phase {
                Phase::Live | Phase::Orphaned | Phase::Refused { .. } => true,
                Phase::Closing { .. } => ending,
                Phase::Opening => false,
            };
            let known = held && dialog.remote_tag.is_some();
            let over = dialog.expires_at.is_some_and(|at| at <= now) || matches!(dialog.kind, Kind::Poll(_));
            if server == Server::Remembers && known && !over {
                // A notifier that crashed may count anew.
                dialog.remote_cseq = None;
                if dialog.phase != Phase::Orphaned {
                    self.dialogs.enter(key, Phase::Orphaned, "nobody can be told");
                    self.orphans.push(key);
                }
                self.dialogs.rearm(key);
            } else {
                self.dialogs.remove(key);
            }
        }
        self.orphans.retain(|orphan| self.dialogs.get(*orphan).is_some());
        let chunk = self.config.chunk;
        self.batches.iter_mut().for_each(|batch| batch.reset(chunk));
        self.reworded.clear();
        self.flush_at = None;
        self.waits_for_orphans = true;
    }

    /// The pool can be told now: every orphaned dialog is ended by one message. Those of a list are ended before
    /// anything new begins; those of one agent each at the pace of the gathering, but before that agent begins anew.
    pub(super) fn end_orphans(&mut self, now: Instant) {
        for key in std::mem::take(&mut self.orphans) {
            let single = self.dialogs.get(key).filter(|dialog| matches!(dialog.kind, Kind::Single(_)));
            let earlier = match single.and_then(|dialog| AgentUri::parse(&dialog.target).ok()) {
                Some(uri) => self.farewells.insert(uri, key),
                None => Some(key),
            };
            if let Some(key) = earlier {
                self.end_orphan(now, key);
            }
        }
        for (uri, attempt) in std::mem::take(&mut self.orphaned) {
            self.effects.push_back(SubscriberEffect::Ended { uri, attempt });
        }
        self.waits_for_orphans = false;
        if self.anyone_waits() {
            self.arm_flush(now);
        }
    }

    fn end_orphan(&mut self, now: Instant, key: DialogKey) {
        self.close(now, key, "it outlived its connection");
        self.dialogs.rearm(key);
    }

    /// The dialog that this agent had before is ended, if that was still to be done.
    pub(super) fn end_former(&mut self, now: Instant, uri: &AgentUri) {
        if let Some(key) = self.farewells.remove(uri) {
            self.end_orphan(now, key);
        }
    }

    /// As many orphans of one agent each as one moment of gathering allows are ended.
    pub(super) fn end_some_orphans(&mut self, now: Instant) {
        for _ in 0..self.config.gather.most() {
            let Some((_, key)) = self.farewells.pop_first() else { return };
            self.end_orphan(now, key);
        }
    }

    /// Every dialog is ended, then the registration.
    pub(super) fn depart(&mut self, now: Instant) {
        if self.departure.is_some() {
            return;
        }
        self.queries_lost();
        for key in self.members.keys() {
            self.end(key);
        }
        for (uri, attempt) in std::mem::take(&mut self.orphaned) {
            self.effects.push_back(SubscriberEffect::Ended { uri, attempt });
        }
        self.orphans.clear();
        for key in std::mem::take(&mut self.farewells).into_values() {
            self.end_orphan(now, key);
        }
        self.reworded.clear();
        self.batches.iter_mut().for_each(Batch::forget_waiting);
        self.flush_at = None;
        for key in self.dialogs.keys() {
            match self.dialogs.get(key).map(|dialog| dialog.phase) {
                Some(Phase::Orphaned) => self.forget(key),
                Some(Phase::Refused { .. }) => self.end_again(now, key),
                Some(_) | None => {
                    self.close(now, key, "the endpoint goes");
                    self.dialogs.rearm(key);
                }
            }
        }
        self.departure = Some(Departure::Settling { until: now + self.config.timers.t1.saturating_mul(2) });
        self.proceed(now);
    }

    /// The next step of going, if it is due.
    pub(super) fn proceed(&mut self, now: Instant) {
        if let Some(Departure::Settling { until }) = self.departure {
            let unsettled = |key: &DialogKey| {
                self.dialogs.get(*key).is_some_and(|dialog| dialog.unwanted && dialog.awaits_answer())
            };
            if until > now && self.dialogs.keys().iter().any(unsettled) {
                return;
            }
            let until = now + self.config.timers.t1.saturating_mul(4);
            self.departure = Some(Departure::Unregistering { until });
            self.registration.unregister(now);
            self.drain_registration(now);
        }
        if let Some(Departure::Unregistering { until }) = self.departure {
            let answered = |key: &DialogKey| self.dialogs.get(*key).is_some_and(|dialog| dialog.awaits_answer());
            if until <= now || (self.unregistered && !self.dialogs.keys().iter().any(answered)) {
                self.left();
            }
        }
    }

    /// Nothing is left to wait for.
    pub(super) fn left(&mut self) {
        if self.departure.take().is_none() {
            return;
        }
        self.unregistered = false;
        for key in self.dialogs.keys() {
            self.forget(key);
        }
        self.effects.push_back(SubscriberEffect::Left);
    }

    /// What the endpoint fails with when its connection is gone.
    pub(super) fn connection_lost() -> Failure {
        Failure::new(FailureKind::Endpoint, EndedBy::Network, "the connection was lost")
    }

    pub(super) fn departure_at(&self) -> Option<Instant> {
        self.departure.map(|departure| match departure {
            Departure::Settling { until } | Departure::Unregistering { until } => until,
        })
    }
}

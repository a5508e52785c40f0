//! What the pool says of the registration and of its presence service.

use std::time::{Duration, Instant};

use super::state::{Connection, Recovery, Since, State};
use super::types::{Again, EndpointEffect, TransitionReason};
use super::{EndpointLifecycle, LONGEST_PAUSE};
use crate::{EndedBy, Failure, FailureKind};

/// So many times in a row a redirection is followed at once; then at the pace of the attempts.
const FOLLOWED_AT_ONCE: u32 = 3;

impl EndpointLifecycle {
    /// An endpoint that was up for longer than the recovery interval has left its troubles behind.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.is_up() && self.up_since.is_some_and(|up| now > up + self.policy.recovery_interval) {
            self.troubles = 0;
            self.redirections = 0;
        }
    }

    /// The probe interval, doubled each time in a row up to the recovery interval.
    fn back_off(&mut self) -> Duration {
        let doubled = 1_u32.checked_shl(self.troubles).unwrap_or(u32::MAX);
        self.troubles = self.troubles.saturating_add(1);
        self.policy.probe_interval.saturating_mul(doubled).min(self.longest_rest())
    }

    fn longest_rest(&self) -> Duration {
        self.policy.recovery_interval.max(self.policy.probe_interval)
    }

    pub(super) fn deregistered(&mut self, now: Instant, failure: Failure, reason: TransitionReason, again: Again) {
        let earlier = match self.state {
            State::Established(_) | State::Recovering(_, Recovery::Probing { .. }) => now,
            State::Recovering(
                _,
                Recovery::Waiting { until, .. } | Recovery::Resting { until, connection: Connection::Kept },
            ) => until,
            // Of a connection that is gone, or it does not matter any more.
            State::Idle
            | State::Recovering(
                _,
                Recovery::Connecting { .. } | Recovery::Resting { connection: Connection::Gone, .. },
            )
            | State::Deregistered { .. }
            | State::Draining
            | State::Terminating { .. }
            | State::Over => return,
        };
        self.settle(now);
        self.raise_alarm(&failure, reason);
        let asked = failure.retry_after.unwrap_or_default().min(LONGEST_PAUSE);
        let rest = match again {
            Again::AtOnce if self.may_connect_at_once(now, failure.retry_after) => Duration::ZERO,
            Again::AtOnce => self.policy.probe_interval,
            Again::AfterBackOff => self.back_off(),
            Again::Seldom => self.longest_rest(),
        };
        self.effects.push_back(EndpointEffect::Disconnect);
        self.announce_lost(failure);
        let until = if rest.is_zero() { now } else { earlier.max(now + rest.max(asked)) };
        self.enter_for(State::Deregistered { until }, "the pool has ended the registration", reason);
        if rest.is_zero() {
            self.connect(now, Since::Start);
        }
    }

    /// An operator is told of what only an operator can mend, once until it is mended.
    fn raise_alarm(&mut self, failure: &Failure, reason: TransitionReason) {
        match reason {
            TransitionReason::TooManyActiveEndpoints | TransitionReason::OwnerDisabledOrRemoved => {
                if self.alarmed.replace(reason) != Some(reason) {
                    self.effects.push_back(EndpointEffect::Alarm(failure.clone()));
                }
            }
            TransitionReason::None
            | TransitionReason::RegistrationRefreshSucceeded
            | TransitionReason::RegistrationRefreshFailed
            | TransitionReason::ServerDiscoveryFailed => {}
        }
    }

    pub(super) fn presence_unavailable(&mut self, now: Instant, failure: Failure) {
        let (since, answered) = match self.state {
            State::Established(_) => (Since::Loss, true),
            State::Recovering(since, Recovery::Probing { .. }) => (since, false),
            // The pool has asked to be left alone for so long; then it is probed.
            State::Recovering(_, Recovery::Resting { connection: Connection::Kept, .. }) => {
                return self.announce_lost(failure);
            }
            // It is known, or of a connection that is gone, or it does not matter any more.
            State::Idle
            | State::Recovering(
                _,
                Recovery::Connecting { .. }
                | Recovery::Waiting { .. }
                | Recovery::Resting { connection: Connection::Gone, .. },
            )
            | State::Deregistered { .. }
            | State::Draining
            | State::Terminating { .. }
            | State::Over => return,
        };
        self.settle(now);
        let asked = failure.retry_after.unwrap_or_default().min(LONGEST_PAUSE);
        let until = now + self.back_off().max(asked);
        self.announce_lost(failure);
        let waiting = Recovery::Waiting { until, answered };
        self.enter(State::Recovering(since, waiting), "the pool has no presence to give");
    }

    pub(super) fn presence_available(&mut self, now: Instant) {
        match self.state {
            State::Recovering(since, Recovery::Waiting { until, answered }) => {
                // A service that comes and goes is followed at the pace of the attempts.
                let paced = self.up_since.map_or(now, |up| up + self.policy.probe_interval);
                if paced > now {
                    let waiting = Recovery::Waiting { until: until.min(paced), answered };
                    self.enter(State::Recovering(since, waiting), "the pool has presence again, and is unsteady");
                } else if answered {
                    self.rise(now, since, "the pool has presence again");
                } else {
                    self.probe(now, since);
                }
            }
            // Nothing waits for it.
            State::Idle
            | State::Recovering(..)
            | State::Established(_)
            | State::Deregistered { .. }
            | State::Draining
            | State::Terminating { .. }
            | State::Over => {}
        }
    }

    pub(super) fn redirected(&mut self, now: Instant) {
        let since = match self.state {
            State::Established(_) => Since::Loss,
            State::Recovering(
                since,
                Recovery::Probing { .. }
                | Recovery::Waiting { .. }
                | Recovery::Resting { connection: Connection::Kept, .. },
            ) => since,
            // The next attempt goes to the new server anyway.
            State::Idle
            | State::Recovering(
                _,
                Recovery::Connecting { .. } | Recovery::Resting { connection: Connection::Gone, .. },
            )
            | State::Deregistered { .. }
            | State::Draining
            | State::Terminating { .. }
            | State::Over => return,
        };
        self.settle(now);
        self.redirections = self.redirections.saturating_add(1);
        self.effects.push_back(EndpointEffect::Disconnect);
        self.announce_lost(Failure::new(FailureKind::Endpoint, EndedBy::Peer, "the pool names another server"));
        if self.redirections <= FOLLOWED_AT_ONCE {
            self.connect(now, since);
        } else {
            self.rest(now, since, None, "redirected again and again", TransitionReason::None);
        }
    }
}

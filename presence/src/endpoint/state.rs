//! The states of an endpoint with the data that is valid in each, and its transitions.

use std::time::{Duration, Instant};

use super::types::{EndpointDeadline, EndpointEffect, EndpointState, TransitionReason};
use super::{EndpointLifecycle, LONGEST_PAUSE, PROBE_TIMEOUT};
use crate::{EndedBy, Failure, FailureKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    /// Establishing or reestablishing, by the first field.
    Recovering(Since, Recovery),
    Established(Watch),
    /// The pool has ended or refused the registration; it begins anew.
    Deregistered {
        until: Instant,
    },
    Draining,
    Terminating {
        close_by: Instant,
    },
    Over,
}

/// Whether the endpoint was ever up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    Start,
    Loss,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    Connecting {
        attempt: u32,
        give_up_at: Instant,
    },
    Probing {
        answer_by: Instant,
    },
    Resting {
        until: Instant,
        connection: Connection,
    },
    /// The connection and the registration stand, and the pool has no presence to give.
    /// `answered`: it was up with them, or would be.
    Waiting {
        until: Instant,
        answered: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    Kept,
    Gone,
}

/// What the agents were told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    Down,
    Paused,
    Up,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    Quiet { probe_at: Instant },
    Asked { answer_by: Instant },
}

impl State {
    pub(super) const fn name(&self) -> EndpointState {
        match self {
            Self::Idle => EndpointState::Idle,
            Self::Recovering(Since::Start, _) => EndpointState::Establishing,
            Self::Recovering(Since::Loss, _) => EndpointState::Reestablishing,
            Self::Established(_) => EndpointState::Established,
            Self::Draining => EndpointState::Draining,
            Self::Terminating { .. } => EndpointState::Terminating,
            Self::Deregistered { .. } | Self::Over => EndpointState::Terminated,
        }
    }

    pub(super) const fn deadline(&self) -> Option<(Instant, EndpointDeadline)> {
        match *self {
            Self::Recovering(_, Recovery::Connecting { give_up_at, .. }) => {
                Some((give_up_at, EndpointDeadline::Connect))
            }
            Self::Recovering(_, Recovery::Probing { answer_by }) | Self::Established(Watch::Asked { answer_by }) => {
                Some((answer_by, EndpointDeadline::Answer))
            }
            Self::Recovering(_, Recovery::Resting { until, .. } | Recovery::Waiting { until, .. })
            | Self::Deregistered { until } => Some((until, EndpointDeadline::Attempt)),
            Self::Established(Watch::Quiet { probe_at }) => Some((probe_at, EndpointDeadline::KeepAlive)),
            Self::Terminating { close_by } => Some((close_by, EndpointDeadline::Close)),
            Self::Idle | Self::Draining | Self::Over => None,
        }
    }
}

impl EndpointLifecycle {
    /// A transition for which UCMA has no reason.
    pub(super) fn enter(&mut self, next: State, why: &'static str) {
        self.enter_for(next, why, TransitionReason::None);
    }

    /// Every transition is made here, and nowhere else.
    pub(super) fn enter_for(&mut self, next: State, why: &'static str, reason: TransitionReason) {
        tracing::trace!(from = ?self.state, to = ?next, why, ?reason);
        let (from, to) = (self.state.name(), next.name());
        self.state = next;
        if from != to {
            self.reason = reason;
            self.effects.push_back(EndpointEffect::StateChanged { from, to, why, reason });
        } else if reason != TransitionReason::None {
            self.reason = reason;
        }
    }

    pub(super) fn start(&mut self, now: Instant) {
        match self.state {
            State::Idle => match self.held_until.take().filter(|until| now < *until) {
                Some(until) => self.rest_on(until),
                None => self.connect(now, Since::Start),
            },
            // It is started already, or over.
            State::Recovering(..)
            | State::Established(_)
            | State::Deregistered { .. }
            | State::Draining
            | State::Terminating { .. }
            | State::Over => {}
        }
    }

    pub(super) fn connect(&mut self, now: Instant, since: Since) {
        self.attempts = self.attempts.wrapping_add(1);
        self.tried_at = Some(now);
        let attempt = self.attempts;
        let give_up_at = now + self.policy.connect_timeout;
        self.enter(State::Recovering(since, Recovery::Connecting { attempt, give_up_at }), "connecting");
        self.effects.push_back(EndpointEffect::Connect { attempt });
    }

    pub(super) fn probe(&mut self, now: Instant, since: Since) {
        let answer_by = now + PROBE_TIMEOUT;
        self.enter(State::Recovering(since, Recovery::Probing { answer_by }), "probing");
        self.effects.push_back(EndpointEffect::Probe);
    }

    /// When the pace of the attempts, and what the pool asked for, allow the next one.
    pub(super) fn next_attempt(&self, now: Instant, asked: Option<Duration>) -> Instant {
        let paced = self.tried_at.map_or(now, |tried| tried + self.policy.probe_interval);
        paced.max(now + asked.unwrap_or_default().min(LONGEST_PAUSE))
    }

    /// Without a connection until the next attempt is allowed.
    pub(super) fn rest(
        &mut self,
        now: Instant,
        since: Since,
        asked: Option<Duration>,
        why: &'static str,
        reason: TransitionReason,
    ) {
        let resting = Recovery::Resting { until: self.next_attempt(now, asked), connection: Connection::Gone };
        self.enter_for(State::Recovering(since, resting), why, reason);
    }

    pub(super) fn connected(&mut self, now: Instant, answered: u32) {
        match self.state {
            State::Recovering(since, Recovery::Connecting { attempt, .. }) if attempt == answered => {
                self.probe(now, since);
            }
            // Of an attempt that was given up.
            State::Idle
            | State::Recovering(..)
            | State::Established(_)
            | State::Deregistered { .. }
            | State::Draining
            | State::Terminating { .. }
            | State::Over => {}
        }
    }

    pub(super) fn connect_failed(&mut self, now: Instant, answered: u32, failure: Failure, reason: TransitionReason) {
        match self.state {
            State::Recovering(since, Recovery::Connecting { attempt, .. }) if attempt == answered => {
                let asked = failure.retry_after;
                self.last_failure = Some(failure);
                self.rest(now, since, asked, "not connected", reason);
            }
            // Of an attempt that was given up.
            State::Idle
            | State::Recovering(..)
            | State::Established(_)
            | State::Deregistered { .. }
            | State::Draining
            | State::Terminating { .. }
            | State::Over => {}
        }
    }

    pub(super) fn connection_lost(&mut self, now: Instant, failure: Failure) {
        match self.state {
            State::Established(_) => self.lose(now, failure, "the connection is lost"),
            State::Recovering(since, Recovery::Probing { .. }) => {
                let asked = failure.retry_after;
                self.announce_lost(failure);
                self.rest(now, since, asked, "the connection is lost", TransitionReason::None);
            }
            State::Recovering(
                since,
                Recovery::Resting { until, connection: Connection::Kept } | Recovery::Waiting { until, .. },
            ) => {
                self.announce_lost(failure);
                // A probe may be due sooner than another attempt to connect is allowed.
                let (until, connection) = (until.max(self.next_attempt(now, None)), Connection::Gone);
                self.enter(State::Recovering(since, Recovery::Resting { until, connection }), "the connection is lost");
            }
            State::Draining | State::Terminating { .. } => self.terminate("the connection is closed"),
            // There is no connection that could be lost: it is the end of an earlier one.
            State::Idle
            | State::Recovering(_, Recovery::Connecting { .. } | Recovery::Resting { .. })
            | State::Deregistered { .. }
            | State::Over => {}
        }
    }

    /// Tells the agents, unless they know.
    pub(super) fn announce_lost(&mut self, failure: Failure) {
        match self.announced {
            Announced::Up | Announced::Paused => self.effects.push_back(EndpointEffect::Lost(failure.clone())),
            Announced::Down => {}
        }
        self.announced = Announced::Down;
        self.last_failure = Some(failure);
    }

    /// The connection of an established endpoint is gone: once at once, then at the pace of the probes.
    pub(super) fn lose(&mut self, now: Instant, failure: Failure, why: &'static str) {
        self.settle(now);
        let asked = failure.retry_after;
        self.announce_lost(failure);
        let reason = self.registration_reason(TransitionReason::RegistrationRefreshFailed);
        let may_connect = self.may_connect_at_once(now, asked);
        self.rest(now, Since::Loss, asked, why, reason);
        if may_connect {
            self.connect(now, Since::Loss);
        }
    }

    /// A loss is answered at once, unless another one was within the probe interval or the pool asked to be left alone.
    pub(super) fn may_connect_at_once(&mut self, now: Instant, asked: Option<Duration>) -> bool {
        let is_flapping = self.lost_at.is_some_and(|lost| now < lost + self.policy.probe_interval);
        self.lost_at = Some(now);
        !is_flapping && asked.is_none_or(|asked| asked.is_zero())
    }

    /// The reason, if there is a registration that it can be true of.
    const fn registration_reason(&self, reason: TransitionReason) -> TransitionReason {
        if self.policy.registers { reason } else { TransitionReason::None }
    }

    /// From now on the endpoint is up.
    pub(super) fn rise(&mut self, now: Instant, since: Since, why: &'static str) {
        self.times_up = self.times_up.saturating_add(1);
        self.up_since = Some(now);
        self.alarmed = None;
        let reason = match since {
            Since::Start => TransitionReason::None,
            Since::Loss => self.registration_reason(TransitionReason::RegistrationRefreshSucceeded),
        };
        let probe_at = now + self.policy.keep_alive;
        self.enter_for(State::Established(Watch::Quiet { probe_at }), why, reason);
        self.announced = Announced::Up;
        self.effects.push_back(EndpointEffect::Up);
    }

    pub(super) fn probe_answered(&mut self, now: Instant) {
        match self.state {
            State::Recovering(since, Recovery::Probing { .. }) => self.rise(now, since, "the pool answers"),
            State::Established(_) => {
                let probe_at = now + self.policy.keep_alive;
                self.enter(State::Established(Watch::Quiet { probe_at }), "the pool answers");
            }
            // It was asked on a connection that is gone, or the endpoint is not to be used any more.
            State::Idle
            | State::Recovering(_, Recovery::Connecting { .. } | Recovery::Resting { .. } | Recovery::Waiting { .. })
            | State::Deregistered { .. }
            | State::Draining
            | State::Terminating { .. }
            | State::Over => {}
        }
    }

    pub(super) fn probe_failed(&mut self, now: Instant, failure: Failure) {
        match self.state {
            State::Recovering(since, Recovery::Probing { .. }) => {
                let asked = failure.retry_after;
                self.announce_lost(failure);
                self.effects.push_back(EndpointEffect::Disconnect);
                self.rest(now, since, asked, "the pool does not answer", TransitionReason::None);
            }
            State::Established(_) => {
                self.effects.push_back(EndpointEffect::Disconnect);
                self.lose(now, failure, "the pool does not answer");
            }
            // It was asked on a connection that is gone, or the endpoint is not to be used any more.
            State::Idle
            | State::Recovering(_, Recovery::Connecting { .. } | Recovery::Resting { .. } | Recovery::Waiting { .. })
            | State::Deregistered { .. }
            | State::Draining
            | State::Terminating { .. }
            | State::Over => {}
        }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        match self.state {
            State::Established(Watch::Quiet { .. }) => {
                let probe_at = now + self.policy.keep_alive;
                self.enter(State::Established(Watch::Quiet { probe_at }), "heard from the pool");
            }
            // A probe is under way and its answer decides, or it does not matter.
            State::Established(Watch::Asked { .. })
            | State::Idle
            | State::Recovering(..)
            | State::Deregistered { .. }
            | State::Draining
            | State::Terminating { .. }
            | State::Over => {}
        }
    }

    /// True while there is a pool that could ask for a pause.
    pub(super) const fn can_pause(&self) -> bool {
        match self.state {
            State::Established(_)
            | State::Recovering(
                _,
                Recovery::Probing { .. }
                | Recovery::Waiting { .. }
                | Recovery::Resting { connection: Connection::Kept, .. },
            ) => true,
            State::Idle
            | State::Recovering(
                _,
                Recovery::Connecting { .. } | Recovery::Resting { connection: Connection::Gone, .. },
            )
            | State::Deregistered { .. }
            | State::Draining
            | State::Terminating { .. }
            | State::Over => false,
        }
    }

    /// The connection is kept and nothing is sent for this long, then the pool is probed.
    pub(super) fn pause(&mut self, now: Instant, pause: Duration, failure: Failure, why: &'static str) {
        if !self.can_pause() {
            return;
        }
        let mut until = now + pause;
        let since = match self.state {
            State::Established(_) => {
                self.settle(now);
                self.announced = Announced::Paused;
                self.effects.push_back(EndpointEffect::Paused(failure.clone()));
                Since::Loss
            }
            State::Recovering(
                since,
                Recovery::Resting { until: earlier, .. } | Recovery::Waiting { until: earlier, .. },
            ) => {
                until = until.max(earlier);
                since
            }
            State::Recovering(since, _) => since,
            State::Idle | State::Deregistered { .. } | State::Draining | State::Terminating { .. } | State::Over => {
                return;
            }
        };
        self.last_failure = Some(failure);
        self.enter(State::Recovering(since, Recovery::Resting { until, connection: Connection::Kept }), why);
    }
}

pub(super) fn timed_out(detail: &'static str) -> Failure {
    Failure::new(FailureKind::Endpoint, EndedBy::Network, detail)
}

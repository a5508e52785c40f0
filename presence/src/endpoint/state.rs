//! The states of an endpoint with the data that is valid in each, and its transitions.

use std::time::{Duration, Instant};

use super::types::{EndpointDeadline, EndpointEffect, EndpointState};
use super::{CLOSE_TIMEOUT, EndpointLifecycle, PROBE_TIMEOUT};
use crate::{EndedBy, Failure, FailureKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    /// Establishing or reestablishing, by the first field.
    Recovering(Since, Recovery),
    Established(Watch),
    Draining,
    Terminating {
        close_by: Instant,
    },
    Terminated,
}

/// Whether the endpoint was ever up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    Start,
    Loss,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    Connecting { attempt: u32, give_up_at: Instant },
    Probing { answer_by: Instant },
    Resting { until: Instant, connection: Connection },
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
            Self::Terminated => EndpointState::Terminated,
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
            Self::Recovering(_, Recovery::Resting { until, .. }) => Some((until, EndpointDeadline::Attempt)),
            Self::Established(Watch::Quiet { probe_at }) => Some((probe_at, EndpointDeadline::KeepAlive)),
            Self::Terminating { close_by } => Some((close_by, EndpointDeadline::Close)),
            Self::Idle | Self::Draining | Self::Terminated => None,
        }
    }
}

impl EndpointLifecycle {
    /// Every transition is made here, and nowhere else.
    pub(super) fn enter(&mut self, next: State, why: &'static str) {
        tracing::trace!(from = ?self.state, to = ?next, why);
        let (from, to) = (self.state.name(), next.name());
        self.state = next;
        if from != to {
            self.effects.push_back(EndpointEffect::StateChanged { from, to, why });
        }
    }

    pub(super) fn start(&mut self, now: Instant) {
        match self.state {
            State::Idle => self.connect(now, Since::Start),
            // It is started already, or over.
            State::Recovering(..)
            | State::Established(_)
            | State::Draining
            | State::Terminating { .. }
            | State::Terminated => {}
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

    /// Without a connection until the next attempt is allowed.
    pub(super) fn rest(&mut self, now: Instant, since: Since, why: &'static str) {
        let until = self.tried_at.map_or(now, |tried| (tried + self.policy.probe_interval).max(now));
        let connection = Connection::Gone;
        self.enter(State::Recovering(since, Recovery::Resting { until, connection }), why);
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
            | State::Draining
            | State::Terminating { .. }
            | State::Terminated => {}
        }
    }

    pub(super) fn connect_failed(&mut self, now: Instant, answered: u32, failure: Failure) {
        match self.state {
            State::Recovering(since, Recovery::Connecting { attempt, .. }) if attempt == answered => {
                self.last_failure = Some(failure);
                self.rest(now, since, "not connected");
            }
            // Of an attempt that was given up.
            State::Idle
            | State::Recovering(..)
            | State::Established(_)
            | State::Draining
            | State::Terminating { .. }
            | State::Terminated => {}
        }
    }

    pub(super) fn connection_lost(&mut self, now: Instant, failure: Failure) {
        match self.state {
            State::Established(_) => self.lose(now, failure, "the connection is lost"),
            State::Recovering(since, Recovery::Probing { .. }) => {
                self.announce_lost(failure);
                self.rest(now, since, "the connection is lost");
            }
            State::Recovering(since, Recovery::Resting { until, connection: Connection::Kept }) => {
                self.announce_lost(failure);
                let connection = Connection::Gone;
                self.enter(State::Recovering(since, Recovery::Resting { until, connection }), "the connection is lost");
            }
            State::Draining | State::Terminating { .. } => self.terminate("the connection is closed"),
            // There is no connection that could be lost: it is the end of an earlier one.
            State::Idle
            | State::Recovering(_, Recovery::Connecting { .. } | Recovery::Resting { .. })
            | State::Terminated => {}
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
        self.announce_lost(failure);
        let is_flapping = self.lost_at.is_some_and(|lost| now < lost + self.policy.probe_interval);
        self.lost_at = Some(now);
        self.rest(now, Since::Loss, why);
        if !is_flapping {
            self.connect(now, Since::Loss);
        }
    }

    pub(super) fn probe_answered(&mut self, now: Instant) {
        let watch = Watch::Quiet { probe_at: now + self.policy.keep_alive };
        match self.state {
            State::Recovering(_, Recovery::Probing { .. }) => {
                self.times_up = self.times_up.saturating_add(1);
                self.enter(State::Established(watch), "the pool answers");
                self.announced = Announced::Up;
                self.effects.push_back(EndpointEffect::Up);
            }
            State::Established(_) => self.enter(State::Established(watch), "the pool answers"),
            // It was asked on a connection that is gone, or the endpoint is not to be used any more.
            State::Idle
            | State::Recovering(_, Recovery::Connecting { .. } | Recovery::Resting { .. })
            | State::Draining
            | State::Terminating { .. }
            | State::Terminated => {}
        }
    }

    pub(super) fn probe_failed(&mut self, now: Instant, failure: Failure) {
        match self.state {
            State::Recovering(since, Recovery::Probing { .. }) => {
                self.announce_lost(failure);
                self.effects.push_back(EndpointEffect::Disconnect);
                self.rest(now, since, "the pool does not answer");
            }
            State::Established(_) => {
                self.effects.push_back(EndpointEffect::Disconnect);
                self.lose(now, failure, "the pool does not answer");
            }
            // It was asked on a connection that is gone, or the endpoint is not to be used any more.
            State::Idle
            | State::Recovering(_, Recovery::Connecting { .. } | Recovery::Resting { .. })
            | State::Draining
            | State::Terminating { .. }
            | State::Terminated => {}
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
            | State::Draining
            | State::Terminating { .. }
            | State::Terminated => {}
        }
    }

    /// True while there is a pool that could ask for a pause.
    pub(super) const fn can_pause(&self) -> bool {
        match self.state {
            State::Established(_)
            | State::Recovering(_, Recovery::Probing { .. } | Recovery::Resting { connection: Connection::Kept, .. }) => {
                true
            }
            State::Idle
            | State::Recovering(
                _,
                Recovery::Connecting { .. } | Recovery::Resting { connection: Connection::Gone, .. },
            )
            | State::Draining
            | State::Terminating { .. }
            | State::Terminated => false,
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
                self.announced = Announced::Paused;
                self.effects.push_back(EndpointEffect::Paused(failure.clone()));
                Since::Loss
            }
            State::Recovering(since, Recovery::Resting { until: earlier, .. }) => {
                until = until.max(earlier);
                since
            }
            State::Recovering(since, _) => since,
            State::Idle | State::Draining | State::Terminating { .. } | State::Terminated => return,
        };
        self.last_failure = Some(failure);
        self.enter(State::Recovering(since, Recovery::Resting { until, connection: Connection::Kept }), why);
    }

    pub(super) fn drain(&mut self, now: Instant) {
        match self.state {
            State::Established(_) => self.enter(State::Draining, "asked to drain"),
            State::Recovering(_, Recovery::Resting { connection: Connection::Gone, .. }) | State::Idle => {
                self.terminate("asked to drain, and nothing is connected");
            }
            State::Recovering(..) => self.close(now, "asked to drain"),
            // It is ending already.
            State::Draining | State::Terminating { .. } | State::Terminated => {}
        }
    }

    pub(super) fn drained(&mut self, now: Instant) {
        match self.state {
            State::Draining => self.close(now, "nothing is left"),
            // It was not asked to drain, or it is over.
            State::Idle
            | State::Recovering(..)
            | State::Established(_)
            | State::Terminating { .. }
            | State::Terminated => {}
        }
    }

    fn close(&mut self, now: Instant, why: &'static str) {
        self.effects.push_back(EndpointEffect::Disconnect);
        self.enter(State::Terminating { close_by: now + CLOSE_TIMEOUT }, why);
    }

    pub(super) fn terminate(&mut self, why: &'static str) {
        self.enter(State::Terminated, why);
        self.effects.push_back(EndpointEffect::Terminated);
    }
}

pub(super) fn timed_out(detail: &'static str) -> Failure {
    Failure::new(FailureKind::Endpoint, EndedBy::Network, detail)
}

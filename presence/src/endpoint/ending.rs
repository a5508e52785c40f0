//! How an endpoint ends for good.

use std::time::Instant;

use super::state::{Connection, Recovery, State};
use super::types::EndpointEffect;
use super::{CLOSE_TIMEOUT, EndpointLifecycle};

impl EndpointLifecycle {
    pub(super) fn drain(&mut self, now: Instant) {
        match self.state {
            State::Established(_) => self.enter(State::Draining, "asked to drain"),
            State::Recovering(_, Recovery::Resting { connection: Connection::Gone, .. })
            | State::Deregistered { .. }
            | State::Idle => {
                self.terminate("asked to drain, and nothing is connected");
            }
            State::Recovering(..) => self.close(now, "asked to drain"),
            // It is ending already.
            State::Draining | State::Terminating { .. } | State::Over => {}
        }
    }

    pub(super) fn drained(&mut self, now: Instant) {
        match self.state {
            State::Draining => self.close(now, "nothing is left"),
            // It was not asked to drain, or it is over.
            State::Idle
            | State::Recovering(..)
            | State::Established(_)
            | State::Deregistered { .. }
            | State::Terminating { .. }
            | State::Over => {}
        }
    }

    fn close(&mut self, now: Instant, why: &'static str) {
        self.effects.push_back(EndpointEffect::Disconnect);
        self.enter(State::Terminating { close_by: now + CLOSE_TIMEOUT }, why);
    }

    pub(super) fn terminate(&mut self, why: &'static str) {
        self.enter(State::Over, why);
        self.effects.push_back(EndpointEffect::Terminated);
    }
}

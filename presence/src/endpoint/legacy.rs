//! What an endpoint leaves to the one of the next process.

use std::time::Instant;

use super::state::{Connection, Recovery, Since, State};
use super::{EndpointLifecycle, LONGEST_PAUSE};

impl EndpointLifecycle {
    /// Until when the pool is to be left alone, and how often in a row the endpoint had to back off: what the next process
    /// gives to [`EndpointLifecycle::resume`].
    #[must_use]
    pub fn legacy(&self) -> (Option<Instant>, u32) {
        let paced = self.tried_at.map(|tried| tried + self.policy.probe_interval);
        let until = match self.state {
            State::Recovering(_, Recovery::Resting { until, .. } | Recovery::Waiting { until, .. })
            | State::Deregistered { until } => Some(until),
            State::Recovering(_, Recovery::Connecting { .. } | Recovery::Probing { .. }) => paced,
            State::Idle => self.held_until,
            // A pool that answers may be connected to at once.
            State::Established(_) | State::Draining | State::Terminating { .. } | State::Over => None,
        };
        (until, self.troubles)
    }

    /// Leaves the pool alone as long as an earlier process was to, at most an hour. Call it before it is started.
    pub fn resume(&mut self, now: Instant, until: Option<Instant>, troubles: u32) {
        self.held_until = until.map(|until| until.min(now + LONGEST_PAUSE)).filter(|until| now < *until);
        self.troubles = troubles;
    }

    pub(super) fn rest_on(&mut self, until: Instant) {
        let resting = Recovery::Resting { until, connection: Connection::Gone };
        self.enter(State::Recovering(Since::Start, resting), "an earlier run was to leave the pool alone");
    }
}

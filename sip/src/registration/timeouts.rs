//! Refreshes, keep-alives, and what happens when nothing happens.

use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_core::{EndedBy, Failure, FailureKind};

use super::state::{Repairs, State};
use super::{Registration, RegistrationEffect};
use crate::flow::FlowId;
use crate::transaction::Due;

/// How long before its end a registration is refreshed; a short one at half its time.
const MARGIN: Duration = Duration::from_secs(300);

/// The wait after the first refresh that failed; it doubles.
const AGAIN: Duration = Duration::from_secs(5);

/// The longest wait between two refreshes that fail.
const AGAIN_AT_MOST: Duration = Duration::from_secs(300);

/// How long before the end of the silence that was agreed on a keep-alive goes out; at most a quarter of it.
const KEEP_ALIVE_MARGIN: Duration = Duration::from_secs(30);

/// When to refresh a registration of this length.
pub(super) fn refresh_after(expires: Duration) -> Duration {
    if expires > 2 * MARGIN { expires - MARGIN } else { expires / 2 }
}

/// When to send a keep-alive where this silence was agreed on.
pub(super) fn keep_alive_after(timeout: Duration) -> Duration {
    timeout - KEEP_ALIVE_MARGIN.min(timeout / 4)
}

/// How long to wait after so many refreshes that failed.
fn again_after(failures: u32) -> Duration {
    AGAIN.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(AGAIN_AT_MOST)
}

impl Registration {
    /// Does what has fallen due: the refresh, a keep-alive, copies of requests on UDP, requests without an answer, the
    /// end of the registration. Nothing otherwise.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.state.deadline().is_some_and(|at| at <= now) {
            self.due(now);
        }
        if self.keep_alive_at().is_some_and(|at| at <= now) {
            self.transmit(now, FlowId::PRIMARY, Bytes::from_static(b"\r\n\r\n"));
        }
    }

    fn due(&mut self, now: Instant) {
        match &self.state {
            State::Registered { until, .. } if *until <= now => {
                let why = "the registration expired";
                return self.fail(Failure::new(FailureKind::Endpoint, EndedBy::Network, why), why);
            }
            State::Refreshing { until, .. } if *until <= now => {
                let why = "the registration expired before the pool answered";
                return self.fail(Failure::new(FailureKind::Endpoint, EndedBy::Network, why), why);
            }
            State::Waiting { until, failure, .. } if *until <= now => {
                let failure = failure.clone();
                return self.fail(failure, "the registration expired");
            }
            State::Unregistering { until, .. } if *until <= now => return self.unregistered("nobody answers"),
            State::Registered { until, .. } => {
                let until = *until;
                return self.refresh(now, until, 0);
            }
            State::Waiting { until, failures, .. } => {
                let (until, failures) = (*until, *failures);
                return self.refresh(now, until, failures);
            }
            State::Unregistered | State::Registering(_) | State::Refreshing { .. } | State::Unregistering { .. } => {}
        }
        let timers = self.config.timers;
        let Some(exchange) = self.state.exchange_mut() else { return };
        match exchange.transaction.handle_timeout(now, &timers) {
            Due::Resend(bytes) => self.transmit(now, FlowId::PRIMARY, bytes),
            Due::TimedOut => {
                let why = "the pool does not answer the REGISTER";
                self.later(now, Failure::new(FailureKind::Endpoint, EndedBy::Network, why));
            }
            Due::Nothing => {}
        }
    }

    /// Registers again before the end.
    pub(super) fn refresh(&mut self, now: Instant, until: Instant, failures: u32) {
        match self.send(now, self.expires, Repairs::default()) {
            Ok(exchange) => self.enter(State::Refreshing { exchange, until, failures }, "refresh"),
            Err(failure) => self.fail(failure, "it cannot be written"),
        }
    }

    /// The pool cannot serve us now. A refresh comes again by itself; anything else is for the owner to repeat.
    pub(super) fn later(&mut self, now: Instant, failure: Failure) {
        match self.state {
            State::Refreshing { until, failures, .. } => {
                let failures = failures.saturating_add(1);
                let wait = again_after(failures).max(failure.retry_after.unwrap_or_default());
                let again_at = now + wait;
                self.enter(State::Waiting { until, again_at, failures, failure }, "the refresh failed");
            }
            State::Unregistering { .. } => self.unregistered("nobody answers"),
            State::Unregistered | State::Registering(_) | State::Registered { .. } | State::Waiting { .. } => {
                self.fail(failure, "the pool cannot serve us now");
            }
        }
    }

    /// The pool is overloaded. [`RegistrationEffect::Failed`] is not told besides.
    pub(super) fn overloaded(&mut self, now: Instant, failure: Failure) {
        self.effects.push_back(RegistrationEffect::Overloaded { retry_after: failure.retry_after });
        match self.state {
            State::Refreshing { .. } => self.later(now, failure),
            State::Unregistering { .. } => self.unregistered("the pool is overloaded"),
            State::Unregistered | State::Registering(_) | State::Registered { .. } | State::Waiting { .. } => {
                self.enter(State::Unregistered, "the pool is overloaded");
            }
        }
    }

    /// When the next keep-alive is due.
    pub(super) fn keep_alive_at(&self) -> Option<Instant> {
        let after = self.keep_alive.filter(|_| self.is_registered())?;
        self.sent_at.map(|at| at + after)
    }
}

//! What a failure costs, by its owner.

use std::time::{Duration, Instant};

use super::state::{LONGEST_RETRY_AFTER, Plan, Round, State};
use super::{Attempt, Subscription, SubscriptionEffect, after};
use crate::{EndpointKind, Failure, FailureKind, LOOP_GUARD};

impl Subscription {
    /// The wanted dialog failed, or could not be had. It is not held by the endpoint, except after a failure of the
    /// endpoint itself.
    pub(super) fn fail(&mut self, now: Instant, via: EndpointKind, attempt: Attempt, failure: Failure) {
        self.last_failure = Some(Box::new(failure.clone()));
        match failure.kind {
            FailureKind::Transient | FailureKind::NotFound | FailureKind::Forbidden => {
                self.refused(now, via, failure);
            }
            FailureKind::Dialog => self.dialog_failed(now, via, failure),
            FailureKind::Invariant => self.cannot_change(now, via, failure),
            FailureKind::Endpoint => self.endpoint_failed(now, via, attempt, failure),
        }
    }

    /// This endpoint cannot have the agent. Only when no configured one can is it a failure that counts.
    fn refused(&mut self, now: Instant, via: EndpointKind, failure: Failure) {
        self.round.refused.insert(via);
        if failure.kind == FailureKind::Forbidden {
            self.round.forbidden.insert(via);
        }
        self.round.retry_after = self.round.retry_after.max(asked_wait(&failure));
        if !self.policy.endpoints.without(self.round.refused).is_empty() {
            let plan = self.plan();
            self.log_failure(failure, via, plan);
            self.go_stale(now);
            self.follow(now, plan, "one endpoint refused");
            return;
        }
        let is_forbidden_by_all = self.policy.endpoints.without(self.round.forbidden).is_empty();
        let retry_after = self.round.retry_after;
        self.count_failure();
        if self.is_limit_exceeded() || (is_forbidden_by_all && self.policy.max_failures > 0) {
            self.abandon(now, via, failure);
            return;
        }
        let delay = if is_forbidden_by_all { self.policy.retry.max() } else { self.policy.retry.delay(self.failures) };
        self.log_and_back_off(now, via, failure, delay.max(retry_after), "all endpoints refused");
    }

    /// The dialog is gone and the agent may well have another: at once, but not in a loop.
    fn dialog_failed(&mut self, now: Instant, via: EndpointKind, failure: Failure) {
        let asked = asked_wait(&failure);
        if self.guarded_until.is_some_and(|end| now < end) {
            self.loops = self.loops.saturating_add(1);
            self.count_failure();
            if self.is_limit_exceeded() {
                self.abandon(now, via, failure);
                return;
            }
            let delay = self.policy.retry.delay(self.failures.max(self.loops)).max(asked);
            self.guarded_until = Some(after(now, delay.saturating_add(LOOP_GUARD)));
            self.log_and_back_off(now, via, failure, delay, "dialogs end in a loop");
            return;
        }
        self.loops = 0;
        self.guarded_until = Some(after(now, asked.saturating_add(LOOP_GUARD)));
        if asked.is_zero() {
            let plan = self.plan();
            self.log_failure(failure, via, plan);
            self.go_stale(now);
            self.follow(now, plan, "the dialog ended");
        } else {
            self.log_and_back_off(now, via, failure, asked, "the dialog ended and the peer asks for a wait");
        }
    }

    /// The value stays good for ever, so there is no hurry; only a restart of the peer's data could change it.
    fn cannot_change(&mut self, now: Instant, via: EndpointKind, failure: Failure) {
        let delay = self.policy.retry.max().max(asked_wait(&failure));
        self.round = Round::default();
        self.emit_failed(failure, via, Some(delay));
        self.back_off(now, delay, "the presence cannot change");
    }

    /// Never counts. The endpoint says itself when it is lost; until then it is left alone for a moment.
    fn endpoint_failed(&mut self, now: Instant, via: EndpointKind, attempt: Attempt, failure: Failure) {
        self.leave_behind(via, attempt);
        // What the loss does to dialogs must not look like a loop of the agent's.
        self.guarded_until = None;
        if self.up.contains(via) {
            self.suspect.insert(via);
        }
        let plan = self.plan();
        self.log_failure(failure, via, plan);
        self.go_stale(now);
        self.follow(now, plan, "the endpoint failed");
    }

    fn count_failure(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.postponed = 0;
        self.round = Round::default();
    }

    fn is_limit_exceeded(&self) -> bool {
        self.policy.max_failures > 0 && self.failures > self.policy.max_failures
    }

    fn abandon(&mut self, now: Instant, via: EndpointKind, failure: Failure) {
        self.emit_failed(failure.clone(), via, None);
        let change = self.publication.forget(now);
        self.publish(change);
        self.effects.push_back(SubscriptionEffect::Abandoned(failure));
        self.enter(State::Abandoned, "the limit is exceeded");
    }

    fn log_and_back_off(
        &mut self,
        now: Instant,
        via: EndpointKind,
        failure: Failure,
        delay: Duration,
        why: &'static str,
    ) {
        self.emit_failed(failure, via, Some(delay));
        self.go_stale(now);
        self.back_off(now, delay, why);
    }

    fn log_failure(&mut self, failure: Failure, via: EndpointKind, plan: Plan) {
        let retry_in = match plan {
            Plan::BackOff(delay) => Some(delay),
            Plan::Rest => Some(super::state::ENDPOINT_REST),
            Plan::Try(_) | Plan::Wait => None,
        };
        self.emit_failed(failure, via, retry_in);
    }

    fn emit_failed(&mut self, failure: Failure, via: EndpointKind, retry_in: Option<Duration>) {
        self.effects.push_back(SubscriptionEffect::Failed { failure, via, failures: self.failures, retry_in });
    }
}

fn asked_wait(failure: &Failure) -> Duration {
    failure.retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER)
}

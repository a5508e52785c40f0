//! What each input does in each state.

use std::time::Instant;

use super::answers::Grant;
use super::state::{ANSWER_TIMEOUT, Dialog, ENDPOINT_REST, Leftover, Refresh, Round, State, Then};
use super::{Attempt, Subscription, SubscriptionEffect, SubscriptionInput, Ticket, after};
use crate::{EndedBy, EndpointKind, EndpointSet, Failure, FailureKind, TokenClass};

impl Subscription {
    /// Takes an input. Never fails; what does not fit the state is dropped.
    pub fn handle(&mut self, now: Instant, input: SubscriptionInput) {
        match input {
            SubscriptionInput::Wanted => self.wanted(now),
            SubscriptionInput::Unwanted => self.unwanted(now),
            SubscriptionInput::EndpointUp(endpoint) => self.endpoint_up(now, endpoint),
            SubscriptionInput::EndpointPaused(endpoint) => self.endpoint_paused(now, endpoint),
            SubscriptionInput::EndpointLost(endpoint) => self.endpoint_lost(now, endpoint),
            SubscriptionInput::TokenGranted(ticket) => self.token_granted(now, ticket),
            SubscriptionInput::Accepted { attempt, expires } if self.is_present(attempt) => {
                self.accepted(now, expires);
            }
            SubscriptionInput::Joined { attempt } if self.is_present(attempt) => self.granted(now, Grant::Kept),
            SubscriptionInput::Notified { attempt, status, expires } if self.is_present(attempt) => {
                self.sample_overtaken();
                self.notified(now, status, expires);
            }
            SubscriptionInput::Failed { attempt, failure } if self.is_present(attempt) => {
                self.failed(now, failure);
            }
            SubscriptionInput::Stalled { attempt, failure, again } if self.is_present(attempt) => {
                self.stalled(now, attempt, failure, again);
            }
            SubscriptionInput::Notified { attempt, status, expires } => self.roused(now, attempt, status, expires),
            SubscriptionInput::Ended { attempt } if self.is_present(attempt) => self.ended(now),
            SubscriptionInput::Failed { attempt, failure } if failure.kind != FailureKind::Endpoint => {
                self.leftover_gone(attempt);
            }
            SubscriptionInput::Ended { attempt } => self.leftover_gone(attempt),
            SubscriptionInput::RefreshWanted { attempt } if self.is_present(attempt) => self.refresh_wanted(now),
            SubscriptionInput::Doubted { attempt } if self.is_present(attempt) => self.go_stale(now),
            // Of a dialog that is not the present one: it came too late.
            SubscriptionInput::Accepted { .. }
            | SubscriptionInput::Joined { .. }
            | SubscriptionInput::RefreshWanted { .. }
            | SubscriptionInput::Doubted { .. }
            | SubscriptionInput::Stalled { .. }
            | SubscriptionInput::Failed { .. } => {}
            SubscriptionInput::Revive => self.revive(now),
            SubscriptionInput::Sample => self.sample(),
            SubscriptionInput::Queried { attempt, status } => self.queried(now, attempt, status),
            SubscriptionInput::NotQueried { attempt } => self.not_queried(attempt),
        }
        self.tend_sample();
        self.tend_leftovers();
    }

    /// Does what is due. A call before the deadline changes nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.sample_due(now);
        match self.state {
            State::WaitingForEndpoint { retry_at: Some(at) } if at <= now => {
                self.suspect = EndpointSet::EMPTY;
                self.choose(now, "the endpoint has rested");
            }
            State::BackingOff { until } if until <= now => {
                self.round = Round::default();
                self.suspect = EndpointSet::EMPTY;
                self.choose(now, "the delay is over");
            }
            State::Subscribing { via, attempt, answer_by } if answer_by <= now => {
                self.fail(now, via, attempt, no_answer());
            }
            State::Active(dialog) => self.dialog_due(now, dialog),
            State::Withdrawing { via, attempt, answer_by } if answer_by <= now => {
                self.leave_behind(via, attempt);
                self.enter_idle(now, "no answer, and nobody wants it");
            }
            State::Unsubscribing { answer_by, .. } if answer_by <= now => self.ended(now),
            // Nothing is due.
            State::Idle
            | State::WaitingForEndpoint { .. }
            | State::AwaitingToken { .. }
            | State::Subscribing { .. }
            | State::BackingOff { .. }
            | State::Abandoned
            | State::Withdrawing { .. }
            | State::Releasing { .. }
            | State::Unsubscribing { .. } => {}
        }
        self.tend_sample();
        self.tend_leftovers();
    }

    fn is_present(&self, attempt: Attempt) -> bool {
        self.state.attempt() == Some(attempt)
    }

    pub(super) fn choose(&mut self, now: Instant, why: &'static str) {
        let plan = self.plan();
        self.follow(now, plan, why);
    }

    fn wanted(&mut self, now: Instant) {
        match self.state {
            State::Idle => {
                match self.legacy.as_mut().and_then(|legacy| legacy.held_until.take()).filter(|at| now < *at) {
                    // Nothing but its time, or a revival, ends it: which endpoints had refused is not known any more.
                    Some(until) => self.enter(State::BackingOff { until }, "wanted, and its time has not come"),
                    None => self.choose(now, "wanted"),
                }
            }
            State::Withdrawing { via, attempt, answer_by } => {
                self.enter(State::Subscribing { via, attempt, answer_by }, "wanted again");
            }
            State::Releasing { dialog, ticket } => {
                self.cancel_token(ticket);
                self.enter(State::Active(dialog), "wanted again");
            }
            State::Unsubscribing { via, attempt, answer_by, then: Then::Stop } => {
                let then = Then::Subscribe;
                self.enter(State::Unsubscribing { via, attempt, answer_by, then }, "wanted again");
            }
            // It is wanted already.
            State::WaitingForEndpoint { .. }
            | State::AwaitingToken { .. }
            | State::Subscribing { .. }
            | State::Active(_)
            | State::BackingOff { .. }
            | State::Abandoned
            | State::Unsubscribing { then: Then::Subscribe, .. } => {}
        }
    }

    fn unwanted(&mut self, now: Instant) {
        match self.state {
            State::WaitingForEndpoint { .. } | State::BackingOff { .. } | State::Abandoned => {
                self.enter_idle(now, "unwanted");
            }
            State::AwaitingToken { ticket, .. } => {
                self.cancel_token(ticket);
                self.enter_idle(now, "unwanted");
            }
            State::Subscribing { via, attempt, answer_by } => {
                self.enter(State::Withdrawing { via, attempt, answer_by }, "unwanted");
            }
            State::Active(mut dialog) => {
                if let Some(ticket) = dialog.refresh_ticket() {
                    self.cancel_token(ticket);
                    dialog.refresh = Refresh::Scheduled { at: now };
                }
                self.release(dialog, "unwanted");
            }
            State::Unsubscribing { via, attempt, answer_by, then: Then::Subscribe } => {
                self.enter(State::Unsubscribing { via, attempt, answer_by, then: Then::Stop }, "unwanted");
            }
            // It is unwanted already.
            State::Idle
            | State::Withdrawing { .. }
            | State::Releasing { .. }
            | State::Unsubscribing { then: Then::Stop, .. } => {}
        }
    }

    pub(super) fn release(&mut self, dialog: Dialog, why: &'static str) {
        let ticket = self.take_token(TokenClass::Release);
        self.enter(State::Releasing { dialog, ticket }, why);
    }

    fn endpoint_up(&mut self, now: Instant, endpoint: EndpointKind) {
        if !self.policy.endpoints.contains(endpoint) {
            return;
        }
        self.up.insert(endpoint);
        self.suspect.remove(endpoint);
        match self.state {
            State::WaitingForEndpoint { .. } => self.choose(now, "an endpoint is up"),
            // The round was not finished because this endpoint was down.
            State::BackingOff { .. } if !self.round.refused.is_empty() && !self.round.refused.contains(endpoint) => {
                self.choose(now, "the other endpoint is up");
            }
            // A dialog stays where it is, and a counted back-off is not cut short by an endpoint.
            State::Idle
            | State::AwaitingToken { .. }
            | State::Subscribing { .. }
            | State::Active(_)
            | State::BackingOff { .. }
            | State::Abandoned
            | State::Withdrawing { .. }
            | State::Releasing { .. }
            | State::Unsubscribing { .. } => {}
        }
    }

    fn endpoint_paused(&mut self, now: Instant, endpoint: EndpointKind) {
        self.up.remove(endpoint);
        match self.state {
            State::AwaitingToken { via, ticket } if via == endpoint => {
                self.cancel_token(ticket);
                self.choose(now, "the endpoint is paused");
            }
            State::Active(mut dialog) if dialog.via == endpoint && dialog.refresh_ticket().is_some() => {
                self.drop_refresh(dialog);
                dialog.refresh = Refresh::Scheduled { at: after(now, ENDPOINT_REST) };
                self.enter(State::Active(dialog), "the endpoint is paused");
            }
            // A dialog stands, an answer is awaited, or the endpoint has nothing to do with it.
            State::Idle
            | State::WaitingForEndpoint { .. }
            | State::AwaitingToken { .. }
            | State::Subscribing { .. }
            | State::Active(_)
            | State::BackingOff { .. }
            | State::Abandoned
            | State::Withdrawing { .. }
            | State::Releasing { .. }
            | State::Unsubscribing { .. } => {}
        }
    }

    fn endpoint_lost(&mut self, now: Instant, endpoint: EndpointKind) {
        self.up.remove(endpoint);
        self.suspect.remove(endpoint);
        if self.state.via() == Some(endpoint) {
            // What the loss does to dialogs must not look like a loop of the agent's.
            self.guarded_until = None;
        }
        match self.state {
            State::WaitingForEndpoint { .. } => self.choose(now, "an endpoint is lost"),
            State::AwaitingToken { via, ticket } if via == endpoint => {
                self.cancel_token(ticket);
                self.choose(now, "the endpoint is lost");
            }
            State::Subscribing { via, attempt, .. } if via == endpoint => {
                self.leave_behind(via, attempt);
                self.choose(now, "the endpoint is lost");
            }
            State::Active(dialog) if dialog.via == endpoint => {
                self.drop_refresh(dialog);
                self.leave_behind(dialog.via, dialog.attempt);
                self.go_stale(now);
                self.choose(now, "the endpoint is lost");
            }
            State::Withdrawing { via, attempt, .. } | State::Unsubscribing { via, attempt, then: Then::Stop, .. }
                if via == endpoint =>
            {
                self.leave_behind(via, attempt);
                self.enter_idle(now, "the endpoint is lost, and nobody wants it");
            }
            State::Releasing { dialog, ticket } if dialog.via == endpoint => {
                self.cancel_token(ticket);
                self.leave_behind(dialog.via, dialog.attempt);
                self.enter_idle(now, "the endpoint is lost, and nobody wants it");
            }
            State::Unsubscribing { via, attempt, then: Then::Subscribe, .. } if via == endpoint => {
                self.leave_behind(via, attempt);
                self.choose(now, "the endpoint is lost");
            }
            // Another endpoint has to do with it, or none.
            State::Idle
            | State::AwaitingToken { .. }
            | State::Subscribing { .. }
            | State::Active(_)
            | State::BackingOff { .. }
            | State::Abandoned
            | State::Withdrawing { .. }
            | State::Releasing { .. }
            | State::Unsubscribing { .. } => {}
        }
    }

    fn token_granted(&mut self, now: Instant, granted: Ticket) {
        let answer_by = after(now, ANSWER_TIMEOUT);
        if self.sample_granted(now, granted) {
            return;
        }
        match self.state {
            State::AwaitingToken { via, ticket } if ticket == granted => {
                self.attempt = Attempt(self.attempt.0.wrapping_add(1));
                let attempt = self.attempt;
                // What was left behind on this endpoint is taken over under the new number.
                self.leftovers[via.index()] = Leftover::None;
                self.effects.push_back(SubscriptionEffect::Subscribe { via, attempt });
                self.enter(State::Subscribing { via, attempt, answer_by }, "granted");
            }
            State::Active(mut dialog) if dialog.refresh_ticket() == Some(granted) => {
                let Dialog { via, attempt, .. } = dialog;
                dialog.refresh = Refresh::Answering { answer_by };
                self.effects.push_back(SubscriptionEffect::Refresh { via, attempt });
                self.enter(State::Active(dialog), "granted");
            }
            State::Releasing { dialog: Dialog { via, attempt, .. }, ticket } if ticket == granted => {
                self.effects.push_back(SubscriptionEffect::Unsubscribe { via, attempt });
                self.enter(State::Unsubscribing { via, attempt, answer_by, then: Then::Stop }, "granted");
                self.go_stale(now);
            }
            // It may be for a dialog that was left behind; otherwise it was cancelled too late.
            State::Idle
            | State::WaitingForEndpoint { .. }
            | State::AwaitingToken { .. }
            | State::Subscribing { .. }
            | State::Active(_)
            | State::BackingOff { .. }
            | State::Abandoned
            | State::Withdrawing { .. }
            | State::Releasing { .. }
            | State::Unsubscribing { .. } => self.leftover_granted(granted),
        }
    }

    fn leftover_granted(&mut self, granted: Ticket) {
        for via in EndpointKind::ALL {
            match self.leftovers[via.index()] {
                Leftover::Releasing { attempt, ticket } if ticket == granted => {
                    self.leftovers[via.index()] = Leftover::None;
                    self.effects.push_back(SubscriptionEffect::Unsubscribe { via, attempt });
                }
                Leftover::None | Leftover::Held(_) | Leftover::Stalled(_) | Leftover::Releasing { .. } => {}
            }
        }
    }

    fn revive(&mut self, now: Instant) {
        match self.state {
            State::Abandoned | State::BackingOff { .. } => {
                self.forgive();
                self.loops = 0;
                self.guarded_until = None;
                self.effects.push_back(SubscriptionEffect::Revived);
                self.choose(now, "revived");
            }
            // It is alive.
            State::Idle
            | State::WaitingForEndpoint { .. }
            | State::AwaitingToken { .. }
            | State::Subscribing { .. }
            | State::Active(_)
            | State::Withdrawing { .. }
            | State::Releasing { .. }
            | State::Unsubscribing { .. } => {}
        }
    }

    fn refresh_wanted(&mut self, now: Instant) {
        match self.state {
            State::Active(mut dialog) => {
                if let Refresh::Scheduled { .. } | Refresh::Kept = dialog.refresh {
                    dialog.refresh = Refresh::Scheduled { at: now };
                    self.dialog_due(now, dialog);
                }
            }
            // It is made up for if the agent is wanted again.
            State::Releasing { mut dialog, ticket } => {
                if let Refresh::Scheduled { .. } | Refresh::Kept = dialog.refresh {
                    dialog.refresh = Refresh::Scheduled { at: now };
                    self.enter(State::Releasing { dialog, ticket }, "the endpoint wants a refresh");
                }
            }
            // There is no dialog that could be refreshed, or its SUBSCRIBE is under way.
            State::Idle
            | State::WaitingForEndpoint { .. }
            | State::AwaitingToken { .. }
            | State::Subscribing { .. }
            | State::BackingOff { .. }
            | State::Abandoned
            | State::Withdrawing { .. }
            | State::Unsubscribing { .. } => {}
        }
    }

    fn dialog_due(&mut self, now: Instant, mut dialog: Dialog) {
        if dialog.has_expired(now) {
            self.drop_refresh(dialog);
            // A refresh whose answer is late may have prolonged it at the peer.
            self.leave_behind(dialog.via, dialog.attempt);
            let detail = "expired without being refreshed in time";
            self.fail(now, dialog.via, dialog.attempt, Failure::new(FailureKind::Dialog, EndedBy::Network, detail));
            return;
        }
        match dialog.refresh {
            Refresh::Scheduled { at } if at <= now && !self.up.contains(dialog.via) => {
                dialog.refresh = Refresh::Scheduled { at: after(now, ENDPOINT_REST) };
                self.enter(State::Active(dialog), "refresh is due, but the endpoint is paused");
            }
            Refresh::Scheduled { at } if at <= now => {
                let ticket = self.take_token(TokenClass::Refresh);
                dialog.refresh = Refresh::AwaitingToken { ticket };
                self.enter(State::Active(dialog), "refresh is due");
            }
            Refresh::Answering { answer_by } if answer_by <= now => {
                self.fail(now, dialog.via, dialog.attempt, no_answer());
            }
            // Nothing is due.
            Refresh::Kept | Refresh::Scheduled { .. } | Refresh::Answering { .. } | Refresh::AwaitingToken { .. } => {}
        }
    }

    pub(super) fn drop_refresh(&mut self, dialog: Dialog) {
        if let Some(ticket) = dialog.refresh_ticket() {
            self.cancel_token(ticket);
        }
    }
}

fn no_answer() -> Failure {
    Failure::new(FailureKind::Endpoint, EndedBy::Network, "no answer from the endpoint")
}

//! What the SIP layer's answers about the present dialog do in each state.

use std::time::{Duration, Instant};

use super::state::{Dialog, ENDPOINT_REST, Leftover, Refresh, State, Then};
use super::{Attempt, Subscription, after};
use crate::{EndedBy, EndpointKind, Failure, FailureKind, Status};

/// What a 2xx grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// A dialog of this length, which we refresh.
    For(Duration),
    /// A membership in a dialog that the endpoint keeps alive.
    Kept,
}

impl Grant {
    fn apply(self, now: Instant, dialog: &mut Dialog) {
        match self {
            Self::For(expires) => dialog.accept(now, expires),
            Self::Kept => dialog.join(),
        }
    }
}

impl Subscription {
    pub(super) fn accepted(&mut self, now: Instant, expires: Duration) {
        if expires.is_zero() {
            if let (Some(via), Some(attempt)) = (self.state.via(), self.state.attempt()) {
                // The endpoint may think that it has a dialog.
                self.leave_behind(via, attempt);
            }
            let detail = "accepted for no time at all";
            self.failed(now, Failure::new(FailureKind::Dialog, EndedBy::Peer, detail));
            return;
        }
        self.granted(now, Grant::For(expires));
    }

    /// A 2xx, whoever keeps the dialog alive from now on.
    pub(super) fn granted(&mut self, now: Instant, grant: Grant) {
        match self.state {
            State::Subscribing { via, attempt, answer_by } => {
                self.taken(via, grant);
                let mut dialog = Dialog { via, attempt, expires_at: None, refresh: Refresh::Answering { answer_by } };
                grant.apply(now, &mut dialog);
                self.enter(State::Active(dialog), "accepted");
            }
            State::Active(mut dialog) => {
                self.taken(dialog.via, grant);
                self.drop_refresh(dialog);
                grant.apply(now, &mut dialog);
                self.enter(State::Active(dialog), "accepted");
            }
            State::Withdrawing { via, attempt, answer_by } => {
                let mut dialog = Dialog { via, attempt, expires_at: None, refresh: Refresh::Answering { answer_by } };
                grant.apply(now, &mut dialog);
                self.release(dialog, "accepted, and nobody wants it");
            }
            State::Releasing { mut dialog, ticket } => {
                grant.apply(now, &mut dialog);
                self.enter(State::Releasing { dialog, ticket }, "accepted");
            }
            // The end of the dialog is under way: this answers what came before.
            State::Unsubscribing { .. } => {}
            // These have no dialog that could be the present one.
            State::Idle
            | State::WaitingForEndpoint { .. }
            | State::AwaitingToken { .. }
            | State::BackingOff { .. }
            | State::Abandoned => {}
        }
    }

    pub(super) fn notified(&mut self, now: Instant, status: Option<Status>, expires: Option<Duration>) {
        match self.state {
            State::Subscribing { via, attempt, answer_by } => {
                self.succeeded(via);
                let dialog = notified_first(now, via, attempt, answer_by, expires);
                self.enter(State::Active(dialog), "notified before it was accepted");
            }
            State::Active(mut dialog) => {
                self.succeeded(dialog.via);
                expires.into_iter().for_each(|expires| dialog.shorten(now, expires));
                self.enter(State::Active(dialog), "notified");
            }
            State::Withdrawing { via, attempt, answer_by } => {
                let dialog = notified_first(now, via, attempt, answer_by, expires);
                self.release(dialog, "notified, and nobody wants it");
            }
            State::Releasing { mut dialog, ticket } => {
                expires.into_iter().for_each(|expires| dialog.shorten(now, expires));
                self.enter(State::Releasing { dialog, ticket }, "notified");
            }
            // The last words of a dialog that is being ended.
            State::Unsubscribing { .. } => return,
            // These have no dialog that could be the present one.
            State::Idle
            | State::WaitingForEndpoint { .. }
            | State::AwaitingToken { .. }
            | State::BackingOff { .. }
            | State::Abandoned => return,
        }
        let change = status.and_then(|status| self.publication.observe(now, status));
        self.publish(change);
    }

    /// The 2xx to a list says nothing about one agent: a pool may turn it away in the notification that follows, and
    /// what counts against the agent is forgiven only when it is heard of.
    fn taken(&mut self, via: EndpointKind, grant: Grant) {
        match grant {
            Grant::For(_) => self.succeeded(via),
            Grant::Kept => {}
        }
    }

    fn succeeded(&mut self, via: EndpointKind) {
        self.forgive();
        self.home = via;
    }

    pub(super) fn failed(&mut self, now: Instant, failure: Failure) {
        match self.state {
            State::Subscribing { via, attempt, .. } => self.fail(now, via, attempt, failure),
            // The refresh failed, not the dialog: it stands until it expires (RFC 6665 section 4.1.2.2), and if its
            // endpoint is lost we are told so.
            State::Active(mut dialog) if failure.kind == FailureKind::Endpoint && dialog.refresh != Refresh::Kept => {
                let rest = ENDPOINT_REST.max(failure.retry_after.unwrap_or_default());
                self.drop_refresh(dialog);
                dialog.refresh = Refresh::Scheduled { at: after(now, rest) };
                self.last_failure = Some(Box::new(failure));
                self.enter(State::Active(dialog), "the refresh failed, the dialog stands");
            }
            State::Active(dialog) => {
                self.drop_refresh(dialog);
                self.fail(now, dialog.via, dialog.attempt, failure);
            }
            State::Withdrawing { via, attempt, .. } => {
                self.leave_behind_if_endpoint(via, attempt, &failure);
                self.enter_idle(now, "failed, and nobody wants it");
            }
            State::Releasing { dialog, ticket } => {
                self.cancel_token(ticket);
                self.leave_behind_if_endpoint(dialog.via, dialog.attempt, &failure);
                self.enter_idle(now, "failed, and nobody wants it");
            }
            State::Unsubscribing { via, attempt, .. } => {
                self.leave_behind_if_endpoint(via, attempt, &failure);
                self.ended(now);
            }
            // These have no dialog that could be the present one.
            State::Idle
            | State::WaitingForEndpoint { .. }
            | State::AwaitingToken { .. }
            | State::BackingOff { .. }
            | State::Abandoned => {}
        }
    }

    fn leave_behind_if_endpoint(&mut self, via: EndpointKind, attempt: Attempt, failure: &Failure) {
        if failure.kind == FailureKind::Endpoint {
            self.leave_behind(via, attempt);
        }
    }

    pub(super) fn ended(&mut self, now: Instant) {
        match self.state {
            State::Unsubscribing { then: Then::Stop, .. } => self.enter_idle(now, "ended"),
            State::Unsubscribing { then: Then::Subscribe, .. } => self.choose(now, "ended, and wanted again"),
            // We did not ask for this end.
            State::Subscribing { .. } | State::Active(_) | State::Withdrawing { .. } | State::Releasing { .. } => {
                self.failed(now, Failure::new(FailureKind::Dialog, EndedBy::Us, "the dialog was ended"));
            }
            // These have no dialog that could be the present one.
            State::Idle
            | State::WaitingForEndpoint { .. }
            | State::AwaitingToken { .. }
            | State::BackingOff { .. }
            | State::Abandoned => {}
        }
    }

    /// The SIP layer says that it holds nothing any more of a dialog that was left behind.
    pub(super) fn leftover_gone(&mut self, gone: Attempt) {
        for via in EndpointKind::ALL {
            match self.leftovers[via.index()] {
                Leftover::Held(attempt) | Leftover::Stalled(attempt) if attempt == gone => {
                    self.leftovers[via.index()] = Leftover::None;
                }
                Leftover::Releasing { attempt, ticket } if attempt == gone => {
                    self.cancel_token(ticket);
                    self.leftovers[via.index()] = Leftover::None;
                }
                Leftover::None | Leftover::Held(_) | Leftover::Stalled(_) | Leftover::Releasing { .. } => {}
            }
        }
    }
}

/// A dialog of which a NOTIFY told before the 2xx came: the answer is still due.
fn notified_first(
    now: Instant,
    via: EndpointKind,
    attempt: Attempt,
    answer_by: Instant,
    expires: Option<Duration>,
) -> Dialog {
    let expires_at = expires.map(|expires| after(now, expires));
    Dialog { via, attempt, expires_at, refresh: Refresh::Answering { answer_by } }
}

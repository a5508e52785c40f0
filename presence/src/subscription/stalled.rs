//! Dialogs that have failed and that the server still has: accepted, and never notified.

use std::time::{Duration, Instant};

use super::state::{Dialog, Leftover, Refresh, State};
use super::{Attempt, Subscription};
use crate::{EndpointKind, Failure, Status};

impl Subscription {
    /// The present attempt failed and the endpoint keeps its dialog. Forgetting that would leave it at the server, beside the
    /// next one.
    pub(super) fn stalled(&mut self, now: Instant, attempt: Attempt, failure: Failure, again: bool) {
        // The end of one that is being ended is under way, and will be told.
        let ending = matches!(self.state, State::Unsubscribing { .. });
        let Some(via) = self.state.via().filter(|_| !ending) else { return };
        self.leftovers[via.index()] = if again { Leftover::Held(attempt) } else { Leftover::Stalled(attempt) };
        // That the server does not know the dialog any more when it is taken over must not look like a loop of the agent's.
        self.guarded_until = None;
        self.failed(now, failure);
    }

    /// A NOTIFY of a dialog that is not the present one. Where it had stalled and waits for the next attempt, it lives after
    /// all, and that attempt is not needed.
    pub(super) fn roused(&mut self, now: Instant, attempt: Attempt, status: Option<Status>, expires: Option<Duration>) {
        let waits = |via: &EndpointKind| self.leftovers[via.index()] == Leftover::Stalled(attempt);
        let Some(via) = EndpointKind::ALL.into_iter().find(waits).filter(|via| self.up.contains(*via)) else { return };
        match self.state {
            State::BackingOff { .. } => {}
            State::AwaitingToken { via: next, ticket } if next == via => self.cancel_token(ticket),
            // Nobody wants it, or another endpoint serves the agent: its end is asked for.
            State::Idle
            | State::WaitingForEndpoint { .. }
            | State::AwaitingToken { .. }
            | State::Subscribing { .. }
            | State::Active(_)
            | State::Abandoned
            | State::Withdrawing { .. }
            | State::Releasing { .. }
            | State::Unsubscribing { .. } => return,
        }
        self.leftovers[via.index()] = Leftover::None;
        // Where it does not say how long it lasts, a refresh is to tell.
        let mut dialog = Dialog { via, attempt, expires_at: None, refresh: Refresh::Scheduled { at: now } };
        expires.into_iter().for_each(|expires| dialog.accept(now, expires));
        self.enter(State::Active(dialog), "a stalled dialog was notified");
        self.notified(now, status, expires);
    }
}

//! Does the server still tell? One-shot queries compare what it says with what is held.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::state::{ANSWER_TIMEOUT, Dialog, Refresh, State, Then};
use super::{Attempt, SampleOutcome, Subscription, SubscriptionEffect, Ticket, after};
use crate::{EndpointKind, Freshness, LOOP_GUARD, Status, TokenClass};

/// How long after a difference the server is asked again. A notifier may hold a NOTIFY back for 5 s (RFC 3856 section
/// 6.10); one more second is for its way.
const CONFIRM_AFTER: Duration = Duration::from_secs(6);

/// A sample under way; there is one at most, and only while the dialog of `attempt` stands.
///
/// ```text
///            Sample                 granted                 the same, nothing, or not asked
///  (none) ----------> AwaitingToken ---------> Answering -----------------------> (none)
///                       ^                         |   a difference
///                       |  6 s          first     v
///                       +------------- Doubting <-+
///                                                 | second
///                                     granted     v
///          (none) <-- Unsubscribe <------------ Replacing     (again within the loop guard: left behind, backing off)
/// ```
/// A NOTIFY, and whatever ends the dialog, makes it stale or pauses its endpoint, makes an end of the sample.
#[derive(Clone, Debug)]
pub(super) struct Sampling {
    attempt: Attempt,
    via: EndpointKind,
    /// A difference was seen before.
    second: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    AwaitingToken { ticket: Ticket },
    Answering { answer_by: Instant },
    Doubting { ask_at: Instant },
    Replacing { ticket: Ticket },
}

impl Sampling {
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Answering { answer_by } => Some(answer_by),
            Stage::Doubting { ask_at } => Some(ask_at),
            Stage::AwaitingToken { .. } | Stage::Replacing { .. } => None,
        }
    }

    const fn ticket(&self) -> Option<Ticket> {
        match self.stage {
            Stage::AwaitingToken { ticket } | Stage::Replacing { ticket } => Some(ticket),
            Stage::Answering { .. } | Stage::Doubting { .. } => None,
        }
    }
}

impl Subscription {
    /// Somebody wants what is held compared with what the server says.
    pub(super) fn sample(&mut self) {
        match self.state {
            State::Active(Dialog { via, attempt, refresh: Refresh::Kept | Refresh::Scheduled { .. }, .. })
                if self.sampling.is_none() && self.is_vouched_for(via) =>
            {
                let stage = Stage::AwaitingToken { ticket: self.take_token(TokenClass::Sample) };
                self.sampling = Some(Box::new(Sampling { attempt, via, second: false, stage }));
            }
            // There is nothing to compare, or the server will say it anyway.
            State::Active(_)
            | State::Idle
            | State::WaitingForEndpoint { .. }
            | State::AwaitingToken { .. }
            | State::Subscribing { .. }
            | State::BackingOff { .. }
            | State::Abandoned
            | State::Withdrawing { .. }
            | State::Releasing { .. }
            | State::Unsubscribing { .. } => self.sampled(self.home, SampleOutcome::Skipped),
        }
    }

    /// True when the grant was the sample's.
    pub(super) fn sample_granted(&mut self, now: Instant, granted: Ticket) -> bool {
        let Some(sampling) = self.sampling.as_mut().filter(|sampling| sampling.ticket() == Some(granted)) else {
            return false;
        };
        let (via, attempt) = (sampling.via, sampling.attempt);
        let answer_by = after(now, ANSWER_TIMEOUT);
        match (sampling.stage, self.state) {
            (Stage::AwaitingToken { .. }, _) => {
                sampling.stage = Stage::Answering { answer_by };
                self.effects.push_back(SubscriptionEffect::Query { via, attempt });
            }
            (Stage::Replacing { .. }, State::Active(dialog)) => {
                self.sampling = None;
                self.drop_refresh(dialog);
                self.effects.push_back(SubscriptionEffect::Unsubscribe { via, attempt });
                self.enter(State::Unsubscribing { via, attempt, answer_by, then: Then::Subscribe }, "silently lost");
                self.go_stale(now);
            }
            // Nothing else has a ticket, and whatever is replaced is active.
            (Stage::Replacing { .. } | Stage::Answering { .. } | Stage::Doubting { .. }, _) => return false,
        }
        true
    }

    /// What the server said to the query; `None` when it said nothing that can be compared.
    pub(super) fn queried(&mut self, now: Instant, attempt: Attempt, status: Option<Status>) {
        let Some(sampling) = self.sampling.as_mut() else { return };
        let Stage::Answering { .. } = sampling.stage else { return };
        if sampling.attempt != attempt {
            return;
        }
        let via = sampling.via;
        match status {
            None => self.end_sample(SampleOutcome::Unanswered),
            Some(said) if said == self.publication.current().status => self.end_sample(SampleOutcome::Same),
            Some(_) if !sampling.second => {
                sampling.second = true;
                sampling.stage = Stage::Doubting { ask_at: after(now, CONFIRM_AFTER) };
            }
            Some(said) => self.silently_lost(now, via, said),
        }
    }

    /// Nobody was asked: whatever that says, it is nothing about the server.
    pub(super) fn not_queried(&mut self, attempt: Attempt) {
        let asked =
            |sampling: &Sampling| sampling.attempt == attempt && matches!(sampling.stage, Stage::Answering { .. });
        if self.sampling.as_deref().is_some_and(asked) {
            self.end_sample(SampleOutcome::Skipped);
        }
    }

    /// The server has said nothing of this for 6 s and says it again when it is asked: it does not notify any more.
    fn silently_lost(&mut self, now: Instant, via: EndpointKind, said: Status) {
        let State::Active(dialog) = self.state else { return };
        let held = Arc::clone(self.publication.current());
        let change = self.publication.observe(now, said);
        let said = Arc::clone(self.publication.current());
        self.sampled(via, SampleOutcome::Lost);
        if self.guarded_until.is_some_and(|end| now < end) {
            self.loops = self.loops.saturating_add(1);
            let delay = self.policy.retry.delay(self.failures.max(self.loops));
            self.guarded_until = Some(after(now, delay.saturating_add(LOOP_GUARD)));
            self.effects.push_back(SubscriptionEffect::SilentLoss { via, held, said, retry_in: Some(delay) });
            self.publish(change);
            self.sampling = None;
            self.drop_refresh(dialog);
            self.leave_behind(dialog.via, dialog.attempt);
            self.go_stale(now);
            self.back_off(now, delay, "silently lost in a loop");
            return;
        }
        self.loops = 0;
        self.guarded_until = Some(after(now, LOOP_GUARD));
        self.effects.push_back(SubscriptionEffect::SilentLoss { via, held, said, retry_in: None });
        self.publish(change);
        let ticket = self.take_token(TokenClass::Release);
        if let Some(sampling) = &mut self.sampling {
            sampling.stage = Stage::Replacing { ticket };
        }
    }

    /// The server has told something by itself: whatever a query says now may be older.
    pub(super) fn sample_overtaken(&mut self) {
        if self.sampling.as_ref().is_some_and(|sampling| !matches!(sampling.stage, Stage::Replacing { .. })) {
            self.void_sample();
        }
    }

    /// What the sample waits for has come.
    pub(super) fn sample_due(&mut self, now: Instant) {
        let Some(sampling) = &self.sampling else { return };
        match sampling.stage {
            Stage::Answering { answer_by } if answer_by <= now => self.end_sample(SampleOutcome::Unanswered),
            Stage::Doubting { ask_at } if ask_at <= now => {
                let ticket = self.take_token(TokenClass::Sample);
                if let Some(sampling) = &mut self.sampling {
                    sampling.stage = Stage::AwaitingToken { ticket };
                }
            }
            // Nothing is due.
            Stage::Answering { .. } | Stage::Doubting { .. } => {}
            Stage::AwaitingToken { .. } | Stage::Replacing { .. } => {}
        }
    }

    /// A sample ends with the dialog that it is about, and when nobody stands behind the value any more.
    pub(super) fn tend_sample(&mut self) {
        let Some(sampling) = &self.sampling else { return };
        let stands = match self.state {
            State::Active(dialog) => dialog.attempt == sampling.attempt && self.is_vouched_for(dialog.via),
            State::Idle
            | State::WaitingForEndpoint { .. }
            | State::AwaitingToken { .. }
            | State::Subscribing { .. }
            | State::BackingOff { .. }
            | State::Abandoned
            | State::Withdrawing { .. }
            | State::Releasing { .. }
            | State::Unsubscribing { .. } => false,
        };
        if !stands {
            self.void_sample();
        }
    }

    fn is_vouched_for(&self, via: EndpointKind) -> bool {
        self.up.contains(via) && self.publication.current().freshness == Freshness::Fresh
    }

    fn void_sample(&mut self) {
        let Some(sampling) = self.sampling.take() else { return };
        if let Some(ticket) = sampling.ticket() {
            self.cancel_token(ticket);
        }
        if !matches!(sampling.stage, Stage::Replacing { .. }) {
            self.sampled(sampling.via, SampleOutcome::Void);
        }
    }

    fn end_sample(&mut self, outcome: SampleOutcome) {
        if let Some(sampling) = self.sampling.take() {
            self.sampled(sampling.via, outcome);
        }
    }

    fn sampled(&mut self, via: EndpointKind, outcome: SampleOutcome) {
        self.effects.push_back(SubscriptionEffect::Sampled { via, outcome });
    }
}

//! The life of one agent's subscription.

mod answers;
mod failing;
mod inputs;
mod legacy;
mod sampling;
mod stalled;
mod state;
#[cfg(test)]
mod tests;
mod types;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use legacy::Legacy;
use sampling::Sampling;
use state::{Leftover, Plan, Round, State, after};
pub use types::{
    Attempt, Deadline, SampleOutcome, SubscriptionEffect, SubscriptionInput, SubscriptionMemory, SubscriptionPolicy,
    SubscriptionState, SubscriptionView, Ticket,
};

use crate::{
    AgentUri, Change, EndpointKind, EndpointSet, Failure, Freshness, Presence, Publication, SourceKind, TokenClass,
};

/// A machine that is made from a memory numbers its attempts and tickets from this much above the remembered ones:
/// the memory may be older than the last number that was used.
const NUMBERS_SKIPPED: u32 = 1_000;

/// Keeps the one presence subscription of an agent, through whichever endpoint can have it.
///
/// ```text
///          Wanted                                     no endpoint up
///  Idle -----------> (an endpoint is chosen) <----------------------------> WaitingForEndpoint
///   ^                  |              ^  ^           EndpointUp, 5 s
///   |         TakeToken|              |  |
///   |                  v              |  +------------------------------+
///   |            AwaitingToken        |                                 |
///   |       Granted,   |              | Dialog failed: at once          | delay over, Revive,
///   |       Subscribe  |              | refused: the other endpoint     | the other endpoint up
///   |                  v              | endpoint failed or lost         |
///   |             Subscribing --------+---------------------------> BackingOff
///   |    Accepted or   |              |   refused by all configured     |
///   |    Notified      v              |   endpoints: counted            | limit exceeded, or
///   |               Active -----------+                                 v all forbid it
///   |                  | Unwanted                                   Abandoned --Revive--> (chosen)
///   |                  v
///   |              Releasing --Wanted--> Active        Subscribing --Unwanted--> Withdrawing
///   |         Granted, |                               Withdrawing --Wanted----> Subscribing
///   |     Unsubscribe  v                               Withdrawing --Accepted--> Releasing
///   +----------- Unsubscribing --Wanted, then Ended--> (an endpoint is chosen)
/// ```
///
/// In every other state `Unwanted` leads to Idle. Rules that the diagram does not show:
///
/// - Nothing is sent without a granted token, and a grant, an answer or a NOTIFY that carries another number than
///   the present one is dropped, however late it comes.
/// - A failure is counted once per round: when every *configured* endpoint has refused. If the other one is down, the
///   back-off is not counted, grows all the same, and ends when that endpoint comes up.
/// - The presence is fresh only while a dialog stands (or after `invariant`, when it cannot change); else it is stale.
///   Idle and Abandoned know nothing.
/// - A dialog that had to be left on an endpoint (lost, silent) is taken over by the next `Subscribe` through that
///   endpoint, or ended as soon as the endpoint is up: there are never two.
/// - A dialog that failed and that the server still has (it was accepted and never notified) is taken over by the next
///   attempt; until then a late NOTIFY makes it the present one, and it is ended when the next attempt goes elsewhere.
/// - A sample compares what is held with what the server says, beside all this; it is drawn at its own type. Twice another
///   word without a notification is a silent loss: published, and the dialog is ended and begun anew.
///
/// Tell a new machine of every endpoint that is up, then what is wanted. After [`Subscription::new`], [`Subscription::handle`] and
/// [`Subscription::handle_timeout`] drain [`Subscription::poll_effect`] to `None`, then ask
/// [`Subscription::poll_timeout`] and arm one timer. Drop the machine only when [`Subscription::is_settled`].
#[derive(Clone, Debug)]
pub struct Subscription {
    policy: Arc<SubscriptionPolicy>,
    publication: Publication,
    state: State,
    effects: VecDeque<SubscriptionEffect>,
    attempt: Attempt,
    ticket: Ticket,
    /// Configured endpoints that are up.
    up: EndpointSet,
    /// Those of them that failed a moment ago.
    suspect: EndpointSet,
    home: EndpointKind,
    leftovers: [Leftover; 2],
    round: Round,
    failures: u32,
    /// Consecutive back-offs that were not counted because the other endpoint was down.
    postponed: u32,
    /// Consecutive dialogs that ended within the loop guard.
    loops: u32,
    /// A dialog that ends before this is one too many.
    guarded_until: Option<Instant>,
    /// Boxed, as what follows: few agents have them, and every agent has their place.
    last_failure: Option<Box<Failure>>,
    /// What an earlier process has left, until it is used.
    legacy: Option<Box<Legacy>>,
    /// Nearly always none, and then a word of memory.
    sampling: Option<Box<Sampling>>,
}

impl Subscription {
    /// A subscription that nobody wants yet; with a memory it goes on where an earlier one died.
    #[must_use]
    pub fn new(
        now: Instant,
        uri: AgentUri,
        policy: Arc<SubscriptionPolicy>,
        memory: Option<SubscriptionMemory>,
    ) -> Self {
        let mut machine = Self {
            policy,
            publication: Publication::new(now, uri, SourceKind::Ucma),
            state: State::Idle,
            effects: VecDeque::new(),
            attempt: Attempt(0),
            ticket: Ticket(0),
            up: EndpointSet::EMPTY,
            suspect: EndpointSet::EMPTY,
            home: EndpointKind::Application,
            leftovers: [Leftover::None; 2],
            round: Round::default(),
            failures: 0,
            postponed: 0,
            loops: 0,
            guarded_until: None,
            last_failure: None,
            legacy: None,
            sampling: None,
        };
        if let Some(memory) = memory {
            machine.remember(now, memory);
        }
        machine
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<SubscriptionEffect> {
        let effect = self.effects.pop_front();
        if effect.is_none() {
            // There are ten thousand of these machines, at rest nearly always: none keeps room for what it is not doing.
            self.effects = VecDeque::new();
        }
        effect
    }

    /// When to call [`Subscription::handle_timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Deadline)> {
        let sample = self.sampling.as_ref().and_then(|sampling| sampling.deadline());
        self.state.deadline().into_iter().chain(sample.map(|at| (at, Deadline::Sample))).min()
    }

    /// What is known about the agent.
    #[must_use]
    pub const fn presence(&self) -> &Arc<Presence> {
        self.publication.current()
    }

    /// The number of the last change; 0 before the first.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.publication.sequence()
    }

    /// True when nobody wants the agent and there is nothing more to send for it: the machine may be dropped. What it
    /// had to leave on an endpoint that is down is then the SIP layer's to forget.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let is_releasing = |leftover: &Leftover| matches!(leftover, Leftover::Releasing { .. });
        self.state == State::Idle && !self.leftovers.iter().any(is_releasing)
    }

    /// True when nobody wants the agent and no endpoint may still hold a dialog for it: nothing is lost with the machine.
    #[must_use]
    pub fn holds_nothing(&self) -> bool {
        self.state == State::Idle && self.leftovers == [Leftover::None; 2]
    }

    /// How it looks to an operator.
    #[must_use]
    pub fn view(&self) -> SubscriptionView {
        SubscriptionView {
            state: self.state.name(),
            via: self.state.via(),
            failures: self.failures,
            next_retry: self.state.next_retry(),
            last_failure: self.last_failure.as_deref().cloned(),
            expires_at: self.state.expires_at(),
        }
    }

    /// What a machine that replaces this one should know.
    #[must_use]
    pub fn memory(&self, now: Instant) -> SubscriptionMemory {
        let dialog = |endpoint: EndpointKind| match (self.state.via(), self.state.attempt()) {
            (Some(via), Some(attempt)) if via == endpoint => Some(attempt),
            _ => self.leftovers[endpoint.index()].attempt(),
        };
        SubscriptionMemory {
            presence: self.remembered_presence(),
            sequence: self.publication.sequence(),
            failures: self.failures,
            home: self.home,
            abandoned: if self.state == State::Abandoned { self.last_failure.clone() } else { None },
            attempt: self.attempt,
            ticket: self.ticket,
            dialogs: EndpointKind::ALL.map(dialog),
            confirmed: self.last_known(now).map(|(_, confirmed)| confirmed),
            postponed: self.postponed,
            retry_at: self.state.next_retry().or(self.held_until()),
        }
    }

    fn remember(&mut self, now: Instant, memory: SubscriptionMemory) {
        self.inherit(now, &memory);
        self.failures = memory.failures;
        self.postponed = memory.postponed;
        self.home = memory.home;
        self.attempt = Attempt(memory.attempt.0.wrapping_add(NUMBERS_SKIPPED));
        self.ticket = Ticket(memory.ticket.0.wrapping_add(NUMBERS_SKIPPED));
        self.leftovers = memory.dialogs.map(|dialog| dialog.map_or(Leftover::None, Leftover::Held));
        self.go_stale(now);
        if let Some(failure) = memory.abandoned {
            self.last_failure = Some(failure);
            self.enter(State::Abandoned, "abandoned in an earlier life");
        }
    }

    /// Every transition is made here, and nowhere else.
    fn enter(&mut self, next: State, why: &'static str) {
        tracing::trace!(uri = %self.publication.uri(), from = ?self.state, to = ?next, why);
        self.state = next;
    }

    /// Nobody wants the agent any more, and there is no dialog: everything is as it was in the beginning.
    fn enter_idle(&mut self, now: Instant, why: &'static str) {
        self.forgive();
        self.guarded_until = None;
        self.loops = 0;
        self.last_failure = None;
        self.legacy = None;
        self.enter(State::Idle, why);
        let change = self.publication.forget(now);
        self.publish(change);
    }

    /// Nothing counts against the agent and the endpoints any more.
    fn forgive(&mut self) {
        self.failures = 0;
        self.postponed = 0;
        self.round = Round::default();
        self.suspect = EndpointSet::EMPTY;
    }

    /// A dialog is wanted and there is none: what now?
    fn plan(&self) -> Plan {
        let usable = self.policy.endpoints.and(self.up);
        let open = usable.without(self.round.refused).without(self.suspect);
        if open.contains(self.home) {
            Plan::Try(self.home)
        } else if let Some(endpoint) = open.iter().next() {
            Plan::Try(endpoint)
        } else if !self.round.refused.is_empty() {
            let rounds = self.failures.saturating_add(self.postponed).saturating_add(1);
            Plan::BackOff(self.policy.retry.delay(rounds).max(self.round.retry_after))
        } else if usable.is_empty() {
            Plan::Wait
        } else {
            Plan::Rest
        }
    }

    /// Does what was planned.
    fn follow(&mut self, now: Instant, plan: Plan, why: &'static str) {
        match plan {
            Plan::Try(via) => {
                let class = if self.failures == 0 && self.postponed == 0 { TokenClass::New } else { TokenClass::Retry };
                let ticket = self.take_token(class);
                self.enter(State::AwaitingToken { via, ticket }, why);
            }
            Plan::Wait => {
                self.go_stale(now);
                self.enter(State::WaitingForEndpoint { retry_at: None }, why);
            }
            Plan::Rest => {
                self.go_stale(now);
                self.enter(State::WaitingForEndpoint { retry_at: Some(after(now, state::ENDPOINT_REST)) }, why);
            }
            Plan::BackOff(delay) => {
                self.postponed = self.postponed.saturating_add(1);
                self.back_off(now, delay, why);
            }
        }
    }

    fn back_off(&mut self, now: Instant, delay: Duration, why: &'static str) {
        self.enter(State::BackingOff { until: after(now, delay) }, why);
    }

    fn take_token(&mut self, class: TokenClass) -> Ticket {
        self.ticket = Ticket(self.ticket.0.wrapping_add(1));
        self.effects.push_back(SubscriptionEffect::TakeToken { ticket: self.ticket, class });
        self.ticket
    }

    fn cancel_token(&mut self, ticket: Ticket) {
        self.effects.push_back(SubscriptionEffect::CancelToken { ticket });
    }

    fn publish(&mut self, change: Option<Arc<Change>>) {
        self.effects.extend(change.map(SubscriptionEffect::Publish));
    }

    fn go_stale(&mut self, now: Instant) {
        let change = self.publication.set_freshness(now, Freshness::Stale);
        self.publish(change);
    }

    /// The endpoint may still hold this dialog, and we do not use it any more.
    fn leave_behind(&mut self, via: EndpointKind, attempt: Attempt) {
        self.leftovers[via.index()] = Leftover::Held(attempt);
    }

    /// Ends dialogs that were left behind as soon as their endpoint can, unless the next subscription takes them over.
    fn tend_leftovers(&mut self) {
        for endpoint in EndpointKind::ALL {
            let taken_over = match self.state {
                State::AwaitingToken { via, .. } => via == endpoint,
                // The endpoint will probably be the next one to be tried.
                State::WaitingForEndpoint { .. } => true,
                State::BackingOff { .. } => matches!(self.leftovers[endpoint.index()], Leftover::Stalled(_)),
                State::Idle
                | State::Subscribing { .. }
                | State::Active(_)
                | State::Abandoned
                | State::Withdrawing { .. }
                | State::Releasing { .. }
                | State::Unsubscribing { .. } => false,
            };
            let can_end = self.up.contains(endpoint) && !taken_over;
            match (self.leftovers[endpoint.index()], can_end) {
                (Leftover::Held(attempt) | Leftover::Stalled(attempt), true) => {
                    let ticket = self.take_token(TokenClass::Release);
                    self.leftovers[endpoint.index()] = Leftover::Releasing { attempt, ticket };
                }
                (Leftover::Releasing { attempt, ticket }, false) => {
                    self.cancel_token(ticket);
                    self.leftovers[endpoint.index()] = Leftover::Held(attempt);
                }
                (Leftover::None, _)
                | (Leftover::Held(_) | Leftover::Stalled(_), false)
                | (Leftover::Releasing { .. }, true) => {}
            }
        }
    }
}

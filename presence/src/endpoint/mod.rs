//! The life of one local endpoint: connect, probe, watch, recover, drain.

mod ending;
mod legacy;
mod registration;
mod state;
#[cfg(test)]
mod tests;
mod types;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use state::{Announced, Connection, Recovery, Since, State, Watch, timed_out};
pub use types::{
    Again, EndpointDeadline, EndpointEffect, EndpointInput, EndpointPolicy, EndpointState, EndpointView,
    TransitionReason,
};

use crate::{Failure, FailureKind};

/// A probe that takes longer will not be answered: the SIP layer gives up a request after 32 s (RFC 3261 17.1.2.2).
const PROBE_TIMEOUT: Duration = Duration::from_secs(40);

/// How long a pool is left alone that does not know what we need.
const UNSUPPORTED_PAUSE: Duration = Duration::from_secs(60);

/// How long a connection may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest pause that a pool can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Keeps one local endpoint connected to its pool, and says when it can be used.
///
/// ```text
///        Start                 Connected, ProbeAnswered
///  Idle -------> Establishing ---------------------------> Established --Drain--> Draining
///                 |   ^   |                                  |      ^                |
///                 +---+   | Drain         ConnectionLost,    |      | Connected,     | Drained
///        ConnectFailed,   |               ProbeFailed,       |      | ProbeAnswered  |
///        ProbeFailed:     |               Overloaded,        v      |                v
///        again after the  |               Unsupported   Reestablishing --Drain--> Terminating
///        probe interval   |                               |   ^                      | closed
///                         +--------> Terminating          +---+ again, for ever      v
///                                                                                Terminated
/// ```
///
/// Where there is a registration, the pool can end or refuse it, and can be without presence for a while:
///
/// ```text
///                                  Deregistered                      rest over (or at once)
///  Establishing, Established, ------------------> Terminated (resting) --------------------> Establishing
///  Reestablishing                                       | Drain
///       | PresenceUnavailable                           v
///       v                          PresenceAvailable   Terminated (over)
///  Reestablishing (connection kept) -----------------> Established
///                                   rest over, ProbeAnswered
/// ```
///
/// The endpoint is up exactly in Established; `Up`, `Paused` and `Lost` tell its agents. It never gives up: the first
/// attempt after a loss is made at once, the others at most once per probe interval; up to three redirections in a row are
/// followed at once. An overloaded pool (503) keeps its connection and its dialogs (`Paused`) and is probed when its
/// Retry-After is over. A rest after a registration that was ended, or while the pool has no presence, doubles from the
/// probe interval to the recovery interval, until the endpoint was up for longer than that. What only an operator can mend
/// raises one `Alarm` until the endpoint is up again.
///
/// After [`EndpointLifecycle::handle`] and [`EndpointLifecycle::handle_timeout`] drain
/// [`EndpointLifecycle::poll_effect`] to `None`, then arm one timer at [`EndpointLifecycle::poll_timeout`].
#[derive(Clone, Debug)]
pub struct EndpointLifecycle {
    policy: EndpointPolicy,
    state: State,
    effects: VecDeque<EndpointEffect>,
    attempts: u32,
    times_up: u32,
    /// When it was last tried to connect.
    tried_at: Option<Instant>,
    /// When an established connection was last lost.
    lost_at: Option<Instant>,
    last_failure: Option<Failure>,
    announced: Announced,
    /// When it came up last.
    up_since: Option<Instant>,
    /// How often in a row it had to back off.
    troubles: u32,
    /// How often in a row the pool has named another server.
    redirections: u32,
    /// What an operator was told since it was last up.
    alarmed: Option<TransitionReason>,
    reason: TransitionReason,
    /// An earlier process was to leave the pool alone until then.
    held_until: Option<Instant>,
}

impl EndpointLifecycle {
    /// An endpoint that is not started.
    #[must_use]
    pub const fn new(_now: Instant, policy: EndpointPolicy) -> Self {
        Self {
            policy,
            state: State::Idle,
            effects: VecDeque::new(),
            attempts: 0,
            times_up: 0,
            tried_at: None,
            lost_at: None,
            last_failure: None,
            announced: Announced::Down,
            up_since: None,
            troubles: 0,
            redirections: 0,
            alarmed: None,
            reason: TransitionReason::None,
            held_until: None,
        }
    }

    /// Takes an input. Never fails; what does not fit the state is dropped.
    pub fn handle(&mut self, now: Instant, input: EndpointInput) {
        match input {
            EndpointInput::Start => self.start(now),
            EndpointInput::Connected { attempt } => self.connected(now, attempt),
            EndpointInput::ConnectFailed { attempt, failure } => {
                self.connect_failed(now, attempt, failure, TransitionReason::None);
            }
            EndpointInput::PoolNotFound { attempt, failure } => {
                self.connect_failed(now, attempt, failure, TransitionReason::ServerDiscoveryFailed);
            }
            EndpointInput::ConnectionLost { failure } => self.connection_lost(now, failure),
            EndpointInput::ProbeAnswered => self.probe_answered(now),
            EndpointInput::ProbeFailed { failure } => self.probe_failed(now, failure),
            EndpointInput::Heard => self.heard(now),
            EndpointInput::Overloaded { retry_after } => {
                let failure = Failure::answered(FailureKind::Endpoint, 503, "the pool is overloaded");
                let pause = retry_after.unwrap_or_default().min(LONGEST_PAUSE).max(self.policy.probe_interval);
                self.pause(now, pause, failure.with_retry_after(retry_after), "the pool is overloaded");
            }
            EndpointInput::Unsupported { failure } => {
                if self.can_pause() {
                    self.effects.push_back(EndpointEffect::Alarm(failure.clone()));
                }
                self.pause(now, UNSUPPORTED_PAUSE, failure, "the pool does not support what we need");
            }
            EndpointInput::Deregistered { failure, reason, again } => self.deregistered(now, failure, reason, again),
            EndpointInput::PresenceUnavailable { failure } => self.presence_unavailable(now, failure),
            EndpointInput::PresenceAvailable => self.presence_available(now),
            EndpointInput::Redirected => self.redirected(now),
            EndpointInput::Drain => self.drain(now),
            EndpointInput::Drained => self.drained(now),
        }
    }

    /// Does what is due. A call before the deadline changes nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|(due, _)| now < due) {
            return;
        }
        match self.state {
            State::Recovering(at, Recovery::Connecting { .. }) => {
                let failure = timed_out("the connection could not be made in time");
                self.effects.push_back(EndpointEffect::Disconnect);
                self.announce_lost(failure);
                self.rest(now, at, None, "connecting takes too long", TransitionReason::None);
            }
            State::Recovering(_, Recovery::Probing { .. }) | State::Established(Watch::Asked { .. }) => {
                let failure = timed_out("the pool did not answer the probe");
                self.probe_failed(now, failure);
            }
            State::Recovering(at, Recovery::Resting { connection: Connection::Gone, .. }) => self.connect(now, at),
            State::Recovering(
                at,
                Recovery::Resting { connection: Connection::Kept, .. } | Recovery::Waiting { .. },
            ) => self.probe(now, at),
            State::Deregistered { .. } => self.connect(now, Since::Start),
            State::Established(Watch::Quiet { .. }) => {
                self.effects.push_back(EndpointEffect::Probe);
                let answer_by = now + PROBE_TIMEOUT;
                self.enter(State::Established(Watch::Asked { answer_by }), "silent for long");
            }
            State::Terminating { .. } => self.terminate("closing takes too long"),
            // These have no deadline.
            State::Idle | State::Draining | State::Over => {}
        }
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<EndpointEffect> {
        self.effects.pop_front()
    }

    /// When to call [`EndpointLifecycle::handle_timeout`], and why.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<(Instant, EndpointDeadline)> {
        self.state.deadline()
    }

    /// Where it is in its life.
    #[must_use]
    pub const fn state(&self) -> EndpointState {
        self.state.name()
    }

    /// True between `Up` and `Lost`.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self.state, State::Established(_))
    }

    /// True when it has ended for good, after [`EndpointEffect::Terminated`]: it wants nothing more and takes nothing more.
    /// [`EndpointState::Terminated`] alone does not say so, because it shows a registration that was ended too.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// How it looks to an operator.
    #[must_use]
    pub fn view(&self) -> EndpointView {
        EndpointView {
            state: self.state(),
            is_up: self.is_up(),
            reason: self.reason,
            attempts: self.attempts,
            times_up: self.times_up,
            next_attempt: match self.state {
                State::Recovering(_, Recovery::Resting { until, .. } | Recovery::Waiting { until, .. })
                | State::Deregistered { until } => Some(until),
                _ => None,
            },
            last_failure: self.last_failure.clone(),
        }
    }
}

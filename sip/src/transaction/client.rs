//! One request that we sent and the answer that it waits for.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::identity::Identifier;
use crate::message::Message;
use crate::timers::Timers;

/// The client side of a non-INVITE transaction (RFC 3261 section 17.1.2).
///
/// ```text
///            +--(E: send again, doubling up to T2)--+
///            v                                      |
///  start --> Trying ---------------------------------
///              | 1xx                    | 2xx..6xx          | F
///              v                        |                   v
///            Proceeding --(E: every T2) |               Terminated
///              | 2xx..6xx               |  F --------------->^
///              v                        v                    |
///            Completed <----------------+ --(K: T4 on UDP, at once otherwise)
/// ```
/// On a reliable transport nothing is sent again and the bytes are not kept.
#[derive(Debug)]
pub(crate) struct ClientTransaction {
    branch: Identifier,
    method: &'static str,
    state: State,
}

#[derive(Debug)]
enum State {
    Trying { resend: Option<Resend>, timeout: Instant },
    Proceeding { resend: Option<Resend>, timeout: Instant },
    Completed { until: Instant },
    Terminated,
}

/// What is repeated, when, and at which interval. Only on unreliable transports.
#[derive(Debug)]
struct Resend {
    bytes: Bytes,
    at: Instant,
    interval: Duration,
}

/// What an answer means to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 1xx.
    Provisional,
    /// The first 2xx to 6xx: for the owner of the request.
    Final,
    /// A copy of the final answer, or anything after the end: absorbed.
    Repeated,
}

/// What a deadline of a transaction means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Timer E: send these bytes again.
    Resend(Bytes),
    /// Timer F: no final answer came.
    TimedOut,
    /// Nothing was due, or timer K ended the transaction.
    Nothing,
}

impl ClientTransaction {
    /// A request that is sent now; it is repeated when the transport is not reliable.
    pub(crate) fn start(
        now: Instant,
        branch: Identifier,
        method: &'static str,
        bytes: Bytes,
        reliable: bool,
        timers: &Timers,
        timeout: Duration,
    ) -> Self {
        let resend = (!reliable).then(|| Resend { bytes, at: now + timers.t1, interval: timers.t1 });
        Self { branch, method, state: State::Trying { resend, timeout: now + timeout } }
    }

    /// True when this response answers this request: the branch of its topmost Via and the method of its CSeq
    /// (RFC 3261 section 17.1.3).
    pub(crate) fn matches(&self, response: &Message) -> bool {
        let branch = response.top_via().and_then(|via| via.branch().and_then(read_branch));
        branch == Some(self.branch) && response.cseq().is_some_and(|(_, method)| method == self.method)
    }

    /// True while a final answer is awaited.
    pub(crate) const fn awaits_answer(&self) -> bool {
        matches!(self.state, State::Trying { .. } | State::Proceeding { .. })
    }

    pub(crate) fn receive(&mut self, now: Instant, status: u16, reliable: bool, timers: &Timers) -> Answer {
        match (&mut self.state, status) {
            (State::Trying { resend, timeout } | State::Proceeding { resend, timeout }, 100..=199) => {
                let resend = resend.take().map(|resend| Resend { interval: timers.t2, ..resend });
                let timeout = *timeout;
                self.enter(State::Proceeding { resend, timeout }, "1xx");
                Answer::Provisional
            }
            (State::Trying { .. } | State::Proceeding { .. }, _) => {
                let next = if reliable { State::Terminated } else { State::Completed { until: now + timers.t4 } };
                self.enter(next, "final answer");
                Answer::Final
            }
            (State::Completed { .. } | State::Terminated, _) => Answer::Repeated,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, timers: &Timers) -> Due {
        match &mut self.state {
            State::Trying { timeout, .. } | State::Proceeding { timeout, .. } if *timeout <= now => {
                self.enter(State::Terminated, "timer F");
                Due::TimedOut
            }
            State::Trying { resend: Some(resend), .. } if resend.at <= now => {
                resend.interval = resend.interval.saturating_mul(2).min(timers.t2);
                resend.at = now + resend.interval;
                Due::Resend(resend.bytes.clone())
            }
            State::Proceeding { resend: Some(resend), .. } if resend.at <= now => {
                resend.interval = timers.t2;
                resend.at = now + resend.interval;
                Due::Resend(resend.bytes.clone())
            }
            State::Completed { until } if *until <= now => {
                self.enter(State::Terminated, "timer K");
                Due::Nothing
            }
            State::Trying { .. } | State::Proceeding { .. } | State::Completed { .. } | State::Terminated => {
                Due::Nothing
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Trying { resend, timeout } | State::Proceeding { resend, timeout } => {
                Some(resend.as_ref().map_or(*timeout, |resend| resend.at.min(*timeout)))
            }
            State::Completed { until } => Some(*until),
            State::Terminated => None,
        }
    }

    fn enter(&mut self, next: State, why: &'static str) {
        tracing::trace!(branch = %self.branch, from = self.state.name(), to = next.name(), why, "client transaction");
        self.state = next;
    }
}

impl State {
    const fn name(&self) -> &'static str {
        match self {
            Self::Trying { .. } => "trying",
            Self::Proceeding { .. } => "proceeding",
            Self::Completed { .. } => "completed",
            Self::Terminated => "terminated",
        }
    }
}

/// The start of every branch of an RFC 3261 transaction (section 8.1.1.7).
pub(crate) const MAGIC: &str = "z9hG4bK";

fn read_branch(branch: &str) -> Option<Identifier> {
    let magic = branch.get(..MAGIC.len()).filter(|magic| magic.eq_ignore_ascii_case(MAGIC))?;
    Identifier::read(branch.get(magic.len()..)?)
}

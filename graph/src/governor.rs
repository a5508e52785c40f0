//! When an account may send its next request.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::dice::Dice;

/// A little more than a second, so that what leaves with unequal delay stays within any second.
const WINDOW: Duration = Duration::from_millis(1_010);
/// So many requests in a row fail before the breaker opens.
const FAILURES: u32 = 5;
/// The steps of the back-off after failures of the network or of Graph, and on top of a `Retry-After`.
const SHORT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5 * 60));
/// The same after a 403, which only a person can mend.
const LONG: (Duration, Duration) = (Duration::from_secs(15 * 60), Duration::from_secs(60 * 60));
/// No `Retry-After` is longer.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// 5xx, no answer, or what is no answer of Graph's.
    Unavailable,
    /// 429, or another answer with `Retry-After`.
    Throttled,
    /// 403.
    Forbidden,
}

/// Whether a request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Now.
    Open,
    /// The rate allows it then.
    At(Instant),
    /// Not before then.
    Shut(Instant),
    /// One, to see whether it is answered.
    Probe,
    /// The one that shows it is on its way.
    Probing,
}

/// What a request was sent as; comes back with its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// One of many.
    Ordinary,
    /// The one that shows whether the account can be used again.
    Probe,
}

#[derive(Clone, Copy, Debug)]
enum Breaker {
    Closed { failures: u32 },
    Open { until: Instant, cause: Cause },
    Probing { cause: Cause },
}

/// Keeps an account below its rate, silent while Microsoft asks for it, and gentle with what is broken.
///
/// ```text
///           5 failures in a row, 429, 403                 back-off over, one request
///  Closed --------------------------------> Open(until) ------------------------------> Probing
///    ^                                         ^  (step x2)    it failed                   |
///    |                                         +-------------------------------------------+
///    +------------------------------- it was answered -------------------------------------+
/// ```
///
/// In no second more than the rate is sent. A `Retry-After` is waited for in full, with jitter of up to the present step on
/// top; without one the wait is the step, its second half by chance (after a 403 the whole step and a little more). Outcomes of requests that were sent before the breaker
/// opened change nothing any more, except that a longer `Retry-After` holds.
#[derive(Debug)]
pub(crate) struct Governor {
    per_second: usize,
    sent: VecDeque<Instant>,
    breaker: Breaker,
    /// How often in a row it has opened; the step of the back-off.
    opened: u32,
    dice: Dice,
}

impl Governor {
    /// At most so many requests in any second.
    pub(crate) fn new(per_second: NonZeroU32, seed: u64) -> Self {
        let per_second = usize::try_from(per_second.get()).unwrap_or(usize::MAX);
        Self {
            per_second,
            sent: VecDeque::new(),
            breaker: Breaker::Closed { failures: 0 },
            opened: 0,
            dice: Dice::new(seed),
        }
    }

    /// Goes on with a wait of an earlier run, no longer than any is.
    pub(crate) fn resume(&mut self, now: Instant, until: Instant, cause: Cause, opened: u32) {
        if now < until {
            self.opened = opened;
            self.breaker = Breaker::Open { until: until.min(now + LONGEST_RETRY_AFTER), cause };
        }
    }

    /// May a request be sent?
    pub(crate) fn gate(&self, now: Instant) -> Gate {
        match self.breaker {
            Breaker::Open { until, .. } if now < until => Gate::Shut(until),
            Breaker::Probing { .. } => Gate::Probing,
            Breaker::Open { .. } => self.by_rate(now).map_or(Gate::Probe, Gate::At),
            Breaker::Closed { .. } => self.by_rate(now).map_or(Gate::Open, Gate::At),
        }
    }

    /// When the rate allows the next request, if that is later than now.
    fn by_rate(&self, now: Instant) -> Option<Instant> {
        let full = self.sent.len() >= self.per_second;
        self.sent.front().map(|first| *first + WINDOW).filter(|free| full && *free > now)
    }

    /// A request is sent.
    pub(crate) fn sent(&mut self, now: Instant) -> Pass {
        debug_assert!(matches!(self.gate(now), Gate::Open | Gate::Probe), "a request passes the governor");
        while self.sent.front().is_some_and(|first| *first + WINDOW <= now) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
        match self.breaker {
            Breaker::Open { cause, .. } => {
                self.breaker = Breaker::Probing { cause };
                Pass::Probe
            }
            Breaker::Closed { .. } | Breaker::Probing { .. } => Pass::Ordinary,
        }
    }

    /// The account had nothing to do with the outcome, or it was not sent after all: a probe is to be tried again.
    pub(crate) fn undecided(&mut self, now: Instant, pass: Pass) {
        if let (Pass::Probe, Breaker::Probing { cause }) = (pass, self.breaker) {
            self.breaker = Breaker::Open { until: now, cause };
        }
    }

    /// It was answered. True when that ends a time in which the account could not be used.
    pub(crate) fn succeeded(&mut self, pass: Pass) -> bool {
        match (pass, self.breaker) {
            (Pass::Probe, Breaker::Probing { .. }) => {
                self.opened = 0;
                self.breaker = Breaker::Closed { failures: 0 };
                true
            }
            (_, Breaker::Closed { .. }) => {
                self.breaker = Breaker::Closed { failures: 0 };
                false
            }
            (Pass::Ordinary, _) | (Pass::Probe, Breaker::Open { .. }) => false,
        }
    }

    /// It was not answered, or with 5xx. With `retry_after` the account is silent as long.
    pub(crate) fn failed(&mut self, now: Instant, pass: Pass, retry_after: Option<Duration>) {
        match (pass, self.breaker) {
            _ if retry_after.is_some() => self.throttled(now, pass, retry_after),
            (_, Breaker::Closed { failures }) if failures + 1 < FAILURES => {
                self.breaker = Breaker::Closed { failures: failures + 1 };
            }
            (_, Breaker::Closed { .. }) | (Pass::Probe, Breaker::Probing { .. }) => {
                self.open(now, Cause::Unavailable, None);
            }
            (Pass::Ordinary, _) | (Pass::Probe, Breaker::Open { .. }) => {}
        }
    }

    /// 429: Microsoft asks for less.
    pub(crate) fn throttled(&mut self, now: Instant, pass: Pass, retry_after: Option<Duration>) {
        match (pass, self.breaker) {
            (_, Breaker::Closed { .. }) | (Pass::Probe, Breaker::Probing { .. }) => {
                self.open(now, Cause::Throttled, retry_after);
            }
            (_, Breaker::Open { until, cause }) => {
                let asked = retry_after.map(|wait| now + wait.min(LONGEST_RETRY_AFTER));
                self.breaker = Breaker::Open { until: asked.map_or(until, |asked| asked.max(until)), cause };
            }
            (Pass::Ordinary, Breaker::Probing { .. }) => {}
        }
    }

    /// 403: the account lacks a right.
    pub(crate) fn forbidden(&mut self, now: Instant, pass: Pass) {
        match (pass, self.breaker) {
            (_, Breaker::Open { cause: Cause::Forbidden, .. }) | (Pass::Ordinary, Breaker::Probing { .. }) => return,
            (_, Breaker::Closed { .. } | Breaker::Open { .. }) | (Pass::Probe, Breaker::Probing { .. }) => {}
        }
        if self.cause() != Some(Cause::Forbidden) {
            self.opened = 0;
        }
        self.open(now, Cause::Forbidden, None);
    }

    fn open(&mut self, now: Instant, cause: Cause, retry_after: Option<Duration>) {
        let (first, longest) = if cause == Cause::Forbidden { LONG } else { SHORT };
        let step = first.saturating_mul(1 << self.opened.min(20)).min(longest);
        self.opened = self.opened.saturating_add(1);
        let wait = match retry_after {
            None if cause == Cause::Forbidden => step + self.dice.jitter(step / 10),
            // A time that has passed already is no reason to ask at once.
            Some(asked) => asked.clamp(first / 2, LONGEST_RETRY_AFTER) + self.dice.jitter(step),
            None => step / 2 + self.dice.jitter(step / 2),
        };
        self.breaker = Breaker::Open { until: now + wait, cause };
    }

    /// A person says that it can be asked again: what was refused or failed is probed now. What Microsoft asked us to wait is waited.
    pub(crate) fn retry(&mut self, now: Instant) {
        match &mut self.breaker {
            Breaker::Open { until, cause: Cause::Forbidden | Cause::Unavailable } => {
                *until = now;
            }
            Breaker::Open { cause: Cause::Throttled, .. } | Breaker::Closed { .. } | Breaker::Probing { .. } => {}
        }
    }

    /// Why nothing but probes is sent at present, if that is so.
    pub(crate) const fn cause(&self) -> Option<Cause> {
        match self.breaker {
            Breaker::Closed { .. } => None,
            Breaker::Open { cause, .. } | Breaker::Probing { cause } => Some(cause),
        }
    }

    /// How often in a row the breaker has opened.
    pub(crate) const fn opened(&self) -> u32 {
        self.opened
    }

    /// When the account is tried again, while it is not used.
    pub(crate) fn retry_at(&self, now: Instant) -> Option<Instant> {
        match self.breaker {
            Breaker::Closed { .. } => None,
            Breaker::Open { until, .. } => Some(until),
            Breaker::Probing { .. } => Some(now),
        }
    }
}

#[cfg(test)]
#[path = "governor_tests.rs"]
mod tests;

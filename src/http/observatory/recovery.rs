//! How far a recovery is.

use std::time::{Duration, Instant};

use presence_core::{Coverage, EndpointKind, EndpointSet};

use super::tally::Tally;
use super::words::{counted, thousands};
use crate::http::convert::{moment, seconds_between};
use crate::http::model::Recovery;

/// What is on its way so soon after the first look is there because the service has just been started.
const START: Duration = Duration::from_secs(10);
/// The pool may take so long to tell the presence of the last agents that were subscribed.
const SETTLE: Duration = Duration::from_secs(10);
/// With an endpoint up, nobody in the throttle's queue, and no progress for so long, nothing is being recovered any more.
const STALLED: Duration = Duration::from_secs(30);
/// A loss that no agent has felt within this time was none for the agents.
const LOSS_COUNTS: Duration = Duration::from_secs(10);
/// Fewer agents than this that are on their way are everyday life, unless the service was just started or a pool lost.
const CROWD: usize = 10;

/// One endpoint, as far as it matters to a recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EndpointNow {
    /// Which.
    pub(super) kind: EndpointKind,
    /// It can serve agents.
    pub(super) is_up: bool,
    /// What it lost its pool by, the last time.
    pub(super) why: Option<String>,
}

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    /// The agents of the source that subscribes.
    pub(super) tally: &'a Tally,
    /// Its endpoints.
    pub(super) endpoints: &'a [EndpointNow],
    /// How many wait for the throttle.
    pub(super) waiting: usize,
    /// When the last of them has its token.
    pub(super) queue_end: Option<Instant>,
    /// Tokens per second.
    pub(super) rate: f64,
    /// Which queues have an available agent.
    pub(super) coverage: Coverage,
}

/// What began a recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The service was started.
    Start,
    /// An endpoint lost its pool, or each of them did.
    Loss {
        /// Which.
        kinds: EndpointSet,
        /// By what the first of them did.
        why: Option<String>,
    },
    /// Subscriptions ended although no endpoint was lost.
    Ended,
    /// Queues have asked for many agents at once.
    NewAgents,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start => f.write_str("the service was started"),
            Self::Loss { kinds, why } => {
                let mut lost = kinds.iter();
                match (lost.next(), lost.next()) {
                    (Some(kind), None) => write!(f, "the {kind} was lost")?,
                    (Some(_), Some(_)) | (None, _) => f.write_str("both endpoints were lost")?,
                }
                why.iter().try_for_each(|why| write!(f, ": {why}"))
            }
            Self::Ended => f.write_str("many subscriptions have ended at the pool"),
            Self::NewAgents => f.write_str("queues have asked for many agents at once"),
        }
    }
}

/// A recovery at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recovering {
    /// What began it; the latest loss when there were several.
    pub(super) cause: Cause,
    /// When it began.
    pub(super) since: Instant,
    /// How many agents were missing at the worst moment.
    pub(super) total: usize,
    /// How many of them are back.
    pub(super) done: usize,
    /// When the last one is expected back; none while no endpoint is up.
    pub(super) predicted_end: Option<Instant>,
    /// How many have failed on their own since it began: they are not waited for.
    pub(super) failed: usize,
    /// Tokens per second.
    pub(super) rate: f64,
    /// Which queues have an available agent.
    pub(super) coverage: Coverage,
}

impl Recovering {
    /// In which order agents come back, and how far that is.
    #[must_use]
    pub(super) fn order(&self) -> String {
        let Coverage { uccs, covered, seeking, .. } = self.coverage;
        let have = if covered == 1 || uccs == 1 { "has" } else { "have" };
        let of = format!("{} of {} {have} one", thousands(covered), counted(uccs, "queue"));
        if self.predicted_end.is_none() || seeking > 0 {
            format!("one available agent for every queue first: {of}; then the likeliest for most queues")
        } else {
            format!("the likeliest for most queues; of available agents every queue has one that can: {of}")
        }
    }

    /// As the API tells it.
    #[must_use]
    pub(super) fn told(&self, now: Instant) -> Recovery {
        Recovery {
            cause: self.cause.to_string(),
            order: self.order(),
            failed: self.failed,
            since: moment(self.since),
            total: self.total,
            done: self.done,
            predicted_end: self.predicted_end.map(moment),
            predicted_end_in: self.predicted_end.map(|end| seconds_between(now, end)),
        }
    }
}

/// A recovery that is under way.
#[derive(Clone, Debug)]
struct Open {
    cause: Cause,
    since: Instant,
    total: usize,
    /// Agents that had failed on their own, and agents that the pool told nothing about, when it began.
    before: Tally,
    /// Nobody is on the way since then.
    quiet_since: Option<Instant>,
    /// The fewest that ever remained, and since when.
    least: (usize, Instant),
}

/// Finds out when a recovery begins, how far it is, and when it is over, from one look at the provider after the other.
///
/// ```text
///            agents on their way, and: just started | endpoint lost | many of them
///  Quiet ------------------------------------------------------------------------> Open
///    ^   nobody on the way, and the pool has told the presence of all (or 10 s)      |
///    |   | an endpoint up, nobody queued, no progress for 30 s                       |
///    +-------------------------------------------------------------------------------+
/// ```
///
/// An agent that fails on its own is not on its way: it backs off, and no recovery waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct RecoveryTracker {
    first_look: Option<Instant>,
    has_started: bool,
    up: Vec<EndpointKind>,
    loss: Option<(Instant, Cause)>,
    open: Option<Open>,
}

impl RecoveryTracker {
    /// An endpoint lost its pool; said also when it is back before the next look.
    pub(super) fn lost(&mut self, now: Instant, kind: EndpointKind, why: Option<String>) {
        // The first reason is the one that matters: what follows are attempts at a pool that is away.
        let earlier = self.loss.take().map(|(_, cause)| cause);
        self.loss = Some((now, joined(earlier, kind, why)));
    }

    /// Takes a look; the recovery that is under way, if there is one.
    pub(super) fn look(&mut self, now: Instant, look: &Look<'_>) -> Option<Recovering> {
        self.notice_losses(now, look.endpoints);
        let first_look = *self.first_look.get_or_insert(now);
        match &mut self.open {
            Some(open) => {
                if let Some((_, cause)) = self.loss.take() {
                    open.cause = match (&open.cause, cause) {
                        (Cause::Loss { kinds: earlier, why }, Cause::Loss { kinds, .. })
                            if earlier.iter().all(|kind| !self.up.contains(&kind) && !kinds.contains(kind)) =>
                        {
                            Cause::Loss { kinds: kinds.iter().fold(*earlier, EndpointSet::with), why: why.clone() }
                        }
                        (_, cause) => cause,
                    };
                }
            }
            None => self.open = self.cause(look).map(|cause| Open::new(now, cause, look.tally)),
        }
        if self.open.is_some() || now >= first_look + START {
            self.has_started = true;
        }
        let open = self.open.as_mut()?;
        let is_over = open.look(now, look);
        let recovering = open.recovering(now, look);
        if is_over {
            self.open = None;
            return None;
        }
        Some(recovering)
    }

    /// Endpoints that were up at the last look and are not now.
    fn notice_losses(&mut self, now: Instant, endpoints: &[EndpointNow]) {
        for endpoint in endpoints.iter().filter(|endpoint| !endpoint.is_up && self.up.contains(&endpoint.kind)) {
            let earlier = self.loss.take().map(|(_, cause)| cause);
            self.loss = Some((now, joined(earlier, endpoint.kind, endpoint.why.clone())));
        }
        self.up = endpoints.iter().filter(|endpoint| endpoint.is_up).map(|endpoint| endpoint.kind).collect();
        if self.loss.as_ref().is_some_and(|(at, _)| now > *at + LOSS_COUNTS) {
            self.loss = None;
        }
    }

    /// Why a recovery begins now, if one does.
    fn cause(&mut self, look: &Look<'_>) -> Option<Cause> {
        let tally = look.tally;
        if tally.missing == 0 {
            return None;
        }
        if let Some((_, loss)) = self.loss.take() {
            return Some(loss);
        }
        if !self.has_started {
            return Some(Cause::Start);
        }
        let is_crowd = tally.missing >= CROWD && tally.missing * 100 >= tally.counts.total;
        is_crowd.then_some(if tally.lost * 2 >= tally.missing { Cause::Ended } else { Cause::NewAgents })
    }
}

/// The loss of one endpoint, or of one more.
fn joined(earlier: Option<Cause>, kind: EndpointKind, why: Option<String>) -> Cause {
    match earlier {
        Some(Cause::Loss { kinds, why }) => Cause::Loss { kinds: kinds.with(kind), why },
        Some(Cause::Start | Cause::Ended | Cause::NewAgents) | None => {
            Cause::Loss { kinds: EndpointSet::EMPTY.with(kind), why }
        }
    }
}

impl Open {
    const fn new(now: Instant, cause: Cause, before: &Tally) -> Self {
        Self { cause, since: now, total: 0, before: *before, quiet_since: None, least: (usize::MAX, now) }
    }

    /// Agents that will be back.
    const fn remaining(&self, tally: &Tally) -> usize {
        tally.missing + tally.silent.saturating_sub(self.before.silent)
    }

    /// Agents that have failed on their own since it began: they are not waited for.
    const fn failed(&self, tally: &Tally) -> usize {
        tally.aside.saturating_sub(self.before.aside)
    }

    /// True when it is over.
    fn look(&mut self, now: Instant, look: &Look<'_>) -> bool {
        let remaining = self.remaining(look.tally);
        let missing = remaining + self.failed(look.tally);
        self.total = self.total.min(look.tally.counts.total).max(missing);
        if remaining < self.least.0 || look.waiting > 0 || look.endpoints.iter().all(|endpoint| !endpoint.is_up) {
            self.least = (remaining.min(self.least.0), now);
        }
        if look.tally.missing > 0 {
            self.quiet_since = None;
            return now >= self.least.1 + STALLED;
        }
        let quiet_since = *self.quiet_since.get_or_insert(now);
        remaining == 0 || now >= quiet_since + SETTLE
    }

    fn recovering(&self, now: Instant, look: &Look<'_>) -> Recovering {
        let tally = look.tally;
        let is_up = look.endpoints.iter().any(|endpoint| endpoint.is_up);
        let predicted_end = is_up.then(|| {
            let queue = look.queue_end.filter(|_| look.waiting > 0).map_or(now, |end| end.max(now));
            let later = tally.unqueued as f64 / look.rate.max(0.01);
            queue + Duration::from_secs_f64(later.min(86_400.0))
        });
        Recovering {
            cause: self.cause.clone(),
            since: self.since,
            total: self.total,
            done: self.total.saturating_sub(self.remaining(tally) + self.failed(tally)),
            predicted_end,
            failed: self.failed(tally),
            rate: look.rate,
            coverage: look.coverage,
        }
    }
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;

//! What the log says of a recovery.

use std::time::{Duration, Instant};

use super::recovery::{Cause, Recovering};
use super::words::{counted, spoken};

/// How far it is is said so often.
const EVERY: Duration = Duration::from_secs(10);
/// Fewer agents than this are everyday life.
const WORTH_A_LINE: usize = 10;

/// A line for the log.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    /// A recovery has begun.
    Began(Recovering),
    /// How far it is.
    Progress(Recovering),
    /// Every queue has an available agent that has asked for one which can be had.
    Covered {
        /// How many queues have one.
        covered: usize,
        /// Of how many.
        uccs: usize,
        /// How long it took since the pool was there.
        after: Duration,
    },
    /// Everybody is back who will be.
    Ended {
        /// As it was seen last.
        last: Recovering,
        /// How long it took in all.
        after: Duration,
    },
}

/// Decides what the log says of recoveries, from one look to the next.
///
/// ```text
///          10 agents are missing               nobody is
///  silent -----------------------> following -----------> silent
/// ```
///
/// While no endpoint is up nothing moves, and nothing is said; when one is, how far it is is said at once.
#[derive(Debug, Default)]
pub(super) struct Diary {
    following: Option<Following>,
}

#[derive(Debug)]
struct Following {
    last: Recovering,
    told_at: Instant,
    /// Since when there is an endpoint, and whether a queue has sought an available agent since then.
    up: Option<(Instant, bool)>,
    told_covered: bool,
    /// How often a queue had found an available agent before that: it may do so between two looks.
    found_before: u64,
}

impl Diary {
    /// Takes what was seen.
    pub(super) fn look(&mut self, now: Instant, recovery: Option<&Recovering>) -> Vec<Line> {
        let mut lines = Vec::new();
        match (&mut self.following, recovery) {
            (None, Some(recovery)) if recovery.total >= WORTH_A_LINE => {
                let found_before = if recovery.cause == Cause::Start { 0 } else { recovery.coverage.found };
                let (last, told_at, up, told_covered) = (recovery.clone(), now, None, false);
                let mut following = Following { last, told_at, up, told_covered, found_before };
                lines.push(Line::Began(recovery.clone()));
                lines.extend(following.look(now, recovery));
                self.following = Some(following);
            }
            (None, Some(_) | None) => {}
            (Some(following), Some(recovery)) => lines.extend(following.look(now, recovery)),
            (Some(_), None) => {
                if let Some(Following { last, .. }) = self.following.take() {
                    let after = now.saturating_duration_since(last.since);
                    lines.push(Line::Ended { last, after });
                }
            }
        }
        lines
    }
}

impl Following {
    fn look(&mut self, now: Instant, recovery: &Recovering) -> Vec<Line> {
        let mut lines = Vec::new();
        self.last = recovery.clone();
        if recovery.predicted_end.is_none() {
            (self.up, self.told_covered, self.told_at) = (None, false, now);
            self.found_before = recovery.coverage.found;
            return lines;
        }
        if self.up.is_none() && recovery.since < now {
            // There is an endpoint again, and an end to predict.
            self.told_at = now;
            lines.push(Line::Progress(recovery.clone()));
        }
        let (up_since, has_sought) = self.up.get_or_insert((now, false));
        *has_sought |= recovery.coverage.seeking > 0 || recovery.coverage.found > self.found_before;
        if *has_sought && recovery.coverage.seeking == 0 && !self.told_covered {
            self.told_covered = true;
            let (covered, uccs) = (recovery.coverage.covered, recovery.coverage.uccs);
            lines.push(Line::Covered { covered, uccs, after: now.saturating_duration_since(*up_since) });
        }
        if now >= self.told_at + EVERY {
            self.told_at = now;
            lines.push(Line::Progress(recovery.clone()));
        }
        lines
    }
}

impl Line {
    /// Writes it into the log.
    pub(super) fn log(&self, now: Instant) {
        let left = |end: Option<Instant>| match end {
            Some(end) => format!("in about {}", spoken(end.saturating_duration_since(now))),
            None => "not before an endpoint is up".to_owned(),
        };
        match self {
            Self::Began(recovery) => tracing::info!(logger = "PresenceProvider", cause = %recovery.cause,
                agents = recovery.total, rate = recovery.rate, end = left(recovery.predicted_end),
                "a recovery begins: {}", recovery.order()),
            Self::Progress(recovery) => tracing::info!(
                logger = "PresenceProvider",
                back = recovery.done,
                agents = recovery.total,
                rate = recovery.rate,
                end = left(recovery.predicted_end),
                "the recovery goes on: {}",
                recovery.order()
            ),
            Self::Covered { covered, uccs, after } => tracing::info!(
                logger = "PresenceProvider",
                covered,
                queues = uccs,
                "every queue whose agents include one has an available agent again, after {}",
                spoken(*after)
            ),
            Self::Ended { last, after } => {
                tracing::info!(logger = "PresenceProvider", agents = last.total - last.failed.min(last.total),
                failed = last.failed, cause = %last.cause, "the recovery is over after {}: {}", spoken(*after),
                match last.failed {
                    0 => "everybody is back".to_owned(),
                    failed => format!("everybody is back but {} that failed on their own", counted(failed, "agent")),
                })
            }
        }
    }
}

#[cfg(test)]
#[path = "diary_tests.rs"]
mod tests;

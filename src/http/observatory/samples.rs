//! The last ten minutes, and how much happens per second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::http::convert::moment;
use crate::http::model::{AgentCounts, History, Sample};

/// How long samples are kept.
const KEPT: Duration = Duration::from_secs(600);

/// What has been counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// Changes of presence.
    pub(super) changes: u64,
    /// SIP messages about presence, in both directions.
    pub(super) messages: u64,
}

/// How much happens per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    /// Changes of presence.
    pub(super) changes: f64,
    /// SIP messages about presence, in both directions.
    pub(super) messages: f64,
}

/// The samples of the last ten minutes. Looks are a second apart at least, so there are 601 at most.
#[derive(Debug, Default)]
pub(super) struct Samples {
    before: Option<(Instant, Counters)>,
    kept: VecDeque<(Instant, Sample)>,
}

impl Samples {
    /// Takes what was counted and how the agents stood at `now`; says how much has happened per second since the last
    /// time.
    pub(super) fn take(&mut self, now: Instant, counters: Counters, agents: &AgentCounts, waiting: usize) -> Rates {
        let rates = self.before.map_or_else(Rates::default, |(at, before)| {
            let seconds = now.saturating_duration_since(at).as_secs_f64().max(0.001);
            Rates {
                changes: since(before.changes, counters.changes) / seconds,
                messages: since(before.messages, counters.messages) / seconds,
            }
        });
        self.before = Some((now, counters));
        while self.kept.front().is_some_and(|(at, _)| *at + KEPT < now) {
            self.kept.pop_front();
        }
        let sample = Sample {
            age: 0.0,
            changes: rates.changes,
            messages: rates.messages,
            fresh: agents.fresh,
            stale: agents.stale,
            unknown: agents.unknown,
            waiting,
        };
        self.kept.push_back((now, sample));
        rates
    }

    /// From the oldest to the newest, with their ages at `now`.
    #[must_use]
    pub(super) fn history(&self, now: Instant) -> History {
        let aged = |(at, sample): &(Instant, Sample)| {
            let age = now.saturating_duration_since(*at);
            (age <= KEPT).then_some(Sample { age: age.as_secs_f64(), ..*sample })
        };
        History { samples: self.kept.iter().filter_map(aged).collect(), taken: moment(now) }
    }
}

/// A counter that is smaller than before has begun anew at zero: that of an endpoint that was created again.
fn since(before: u64, after: u64) -> f64 {
    after.checked_sub(before).unwrap_or(after) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn counters(changes: u64, messages: u64) -> Counters {
        Counters { changes, messages }
    }

    #[test]
    fn rates_are_the_differences_of_counters_over_the_time_between() {
        let (start, agents) = (presence_actors::now(), AgentCounts::default());
        let mut samples = Samples::default();
        assert_eq!(samples.take(start, counters(500, 900), &agents, 0), Rates::default());
        let rates = samples.take(start + 2 * SECOND, counters(520, 900), &agents, 0);
        assert_eq!(rates, Rates { changes: 10.0, messages: 0.0 });
        let rates = samples.take(start + 3 * SECOND, counters(520, 30), &agents, 0);
        assert_eq!(rates, Rates { changes: 0.0, messages: 30.0 }, "the counter began anew");
    }

    #[test]
    fn ten_minutes_are_kept_from_the_oldest_to_the_newest() {
        let start = presence_actors::now();
        let mut samples = Samples::default();
        for second in 0..2_000_u32 {
            let agents = AgentCounts { fresh: second as usize, ..AgentCounts::default() };
            samples.take(start + second * SECOND, counters(0, 0), &agents, 7);
        }
        let history = samples.history(start + 2_000 * SECOND).samples;
        assert_eq!((history.len(), samples.kept.len()), (600, 601));
        let first = history.first().expect("samples");
        assert_eq!((first.age, first.fresh, first.waiting), (600.0, 1_400, 7));
        assert_eq!(history.last().map(|sample| (sample.age, sample.fresh)), Some((1.0, 1_999)));
    }
}

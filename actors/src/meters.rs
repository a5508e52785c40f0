//! What is counted for a monitoring system: atomics that anyone may add to, read as a whole now and then.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use presence_core::{EndedBy, EndpointKind, EndpointState, Failure, FailureKind, SampleOutcome};

/// The upper bounds of the buckets of the delivery latency, in seconds.
const DELIVERY: &[f64] = &[0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
/// The upper bounds of the buckets of the wait for a token, in seconds.
const TOKEN_WAIT: &[f64] = &[0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0];

/// The upper bounds of the buckets of how late the actors' thread was, in seconds.
const LATE: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// In the order of their places in [`Meters`].
const FAILURES: [FailureKind; 6] = [
    FailureKind::Transient,
    FailureKind::NotFound,
    FailureKind::Forbidden,
    FailureKind::Dialog,
    FailureKind::Invariant,
    FailureKind::Endpoint,
];

/// In the order of their places in [`Meters`].
const STATES: [EndpointState; 7] = [
    EndpointState::Idle,
    EndpointState::Establishing,
    EndpointState::Established,
    EndpointState::Reestablishing,
    EndpointState::Draining,
    EndpointState::Terminating,
    EndpointState::Terminated,
];

/// How a SUBSCRIBE of an agent, new or a refresh, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubscribeResult {
    /// The pool took it.
    Accepted,
    /// The pool answered that it does not.
    Refused,
    /// No answer came, or the connection went away before.
    Unanswered,
    /// It never reached the wire.
    Unsent,
}

impl SubscribeResult {
    /// How it ended that failed like this.
    pub(crate) const fn of(failure: &Failure) -> Self {
        match (failure.code, failure.by) {
            (Some(_), _) | (None, EndedBy::Peer) => Self::Refused,
            (None, EndedBy::Network) => Self::Unanswered,
            (None, EndedBy::Us) => Self::Unsent,
        }
    }
}

const RESULTS: [&str; 4] = ["accepted", "refused", "unanswered", "unsent"];

/// Counters since the start of the provider. Adding costs one or two atomic additions and no lock.
#[derive(Debug)]
pub struct Meters {
    changes: AtomicU64,
    failures: [AtomicU64; FAILURES.len()],
    abandoned: AtomicU64,
    revived: AtomicU64,
    subscribes: [AtomicU64; RESULTS.len()],
    transitions: [[AtomicU64; STATES.len()]; EndpointKind::ALL.len()],
    token_wait: Histogram,
    delivery: Histogram,
    late: Histogram,
    restarts: AtomicU64,
    turned_away: AtomicU64,
    samples: [AtomicU64; SampleOutcome::ALL.len()],
    silent_losses: AtomicU64,
}

/// What the [`Meters`] show at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct MeterReadings {
    /// Changes of presence of all agents.
    pub changes: u64,
    /// Subscriptions that failed or ended, by whose fault; every kind is there.
    pub failures: BTreeMap<FailureKind, u64>,
    /// Agents that were given up, each time.
    pub abandoned: u64,
    /// Agents that an operator had tried again, each time.
    pub revived: u64,
    /// SUBSCRIBEs of agents, new ones and refreshes, by how they ended: `accepted`, `refused`, `unanswered`, or `unsent`
    /// (it never reached the wire).
    pub subscribes: BTreeMap<&'static str, u64>,
    /// How often each endpoint came into each state; every pair is there.
    pub transitions: BTreeMap<(EndpointKind, EndpointState), u64>,
    /// How long agents waited for the right to be put on the wire.
    pub token_wait: HistogramReading,
    /// How long it took from a change to its delivery, as the UCCs tell it by [`Meters::delivered`].
    pub delivery: HistogramReading,
    /// How late the thread of the actors was, as the process tells it by [`Meters::beat_late`], ten times a second.
    pub late: HistogramReading,
    /// Actors that died of a bug, each time: agents and endpoints.
    pub restarts: u64,
    /// Agents that were not taken because there are as many as there may be, each time.
    pub turned_away: u64,
    /// Comparisons of what is held with what a pool says when it is asked, by how they ended; every outcome is there.
    pub samples: BTreeMap<SampleOutcome, u64>,
    /// Agents about whom a pool had stopped notifying without a sign, each time.
    pub silent_losses: u64,
}

/// What a histogram shows at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramReading {
    /// The upper bounds of the buckets in seconds, each included in its bucket.
    pub bounds: &'static [f64],
    /// How many there are in each bucket, not added up; one more than bounds, for what is above all of them.
    pub counts: Vec<u64>,
    /// All of them together, in seconds.
    pub sum: f64,
}

impl HistogramReading {
    /// How many were observed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            changes: AtomicU64::new(0),
            failures: Default::default(),
            abandoned: AtomicU64::new(0),
            revived: AtomicU64::new(0),
            subscribes: Default::default(),
            transitions: Default::default(),
            token_wait: Histogram::new(TOKEN_WAIT),
            delivery: Histogram::new(DELIVERY),
            late: Histogram::new(LATE),
            restarts: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            samples: Default::default(),
            silent_losses: AtomicU64::new(0),
        }
    }
}

impl Meters {
    /// A change was delivered to a UCC so long after it was published.
    pub fn delivered(&self, took: Duration) {
        self.delivery.record(took);
    }

    /// The thread of the actors ran something so long after its time.
    pub fn beat_late(&self, late: Duration) {
        self.late.record(late);
    }

    /// Everything, now.
    #[must_use]
    pub fn read(&self) -> MeterReadings {
        let transitions = EndpointKind::ALL.into_iter().zip(&self.transitions).flat_map(|(kind, counts)| {
            STATES.into_iter().zip(counts).map(move |(state, count)| ((kind, state), load(count)))
        });
        MeterReadings {
            changes: load(&self.changes),
            failures: FAILURES.into_iter().zip(self.failures.iter().map(load)).collect(),
            abandoned: load(&self.abandoned),
            revived: load(&self.revived),
            subscribes: RESULTS.into_iter().zip(self.subscribes.iter().map(load)).collect(),
            transitions: transitions.collect(),
            token_wait: self.token_wait.read(),
            delivery: self.delivery.read(),
            late: self.late.read(),
            restarts: load(&self.restarts),
            turned_away: load(&self.turned_away),
            samples: SampleOutcome::ALL.into_iter().zip(self.samples.iter().map(load)).collect(),
            silent_losses: load(&self.silent_losses),
        }
    }

    pub(crate) fn count_change(&self) {
        add(&self.changes);
    }

    pub(crate) fn count_failure(&self, kind: FailureKind) {
        add_at(&FAILURES, &kind, &self.failures);
    }

    pub(crate) fn count_abandoned(&self) {
        add(&self.abandoned);
    }

    pub(crate) fn count_revived(&self) {
        add(&self.revived);
    }

    pub(crate) fn count_subscribe(&self, result: SubscribeResult) {
        let [accepted, refused, unanswered, unsent] = &self.subscribes;
        add(match result {
            SubscribeResult::Accepted => accepted,
            SubscribeResult::Refused => refused,
            SubscribeResult::Unanswered => unanswered,
            SubscribeResult::Unsent => unsent,
        });
    }

    pub(crate) fn count_transition(&self, kind: EndpointKind, to: EndpointState) {
        let [application, user] = &self.transitions;
        let counts = match kind {
            EndpointKind::Application => application,
            EndpointKind::User => user,
        };
        add_at(&STATES, &to, counts);
    }

    pub(crate) fn waited_for_token(&self, waited: Duration) {
        self.token_wait.record(waited);
    }

    /// An agent more was not taken; how many times that was now.
    pub(crate) fn count_turned_away(&self) -> u64 {
        self.turned_away.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn count_sample(&self, outcome: SampleOutcome) {
        add_at(&SampleOutcome::ALL, &outcome, &self.samples);
    }

    pub(crate) fn count_silent_loss(&self) {
        add(&self.silent_losses);
    }

    pub(crate) fn count_restart(&self) {
        add(&self.restarts);
    }
}

/// Durations, by size.
#[derive(Debug)]
struct Histogram {
    bounds: &'static [f64],
    counts: Box<[AtomicU64]>,
    nanoseconds: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, nanoseconds: AtomicU64::new(0) }
    }

    fn record(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get(bucket) {
            add(count);
        }
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    fn read(&self) -> HistogramReading {
        let sum = Duration::from_nanos(load(&self.nanoseconds)).as_secs_f64();
        HistogramReading { bounds: self.bounds, counts: self.counts.iter().map(load).collect(), sum }
    }
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// Adds where `what` has its place.
fn add_at<T: PartialEq>(places: &[T], what: &T, counts: &[AtomicU64]) {
    let place = places.iter().position(|place| place == what);
    if let Some(count) = place.and_then(|place| counts.get(place)) {
        add(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_whose_bound_it_does_not_exceed() {
        let meters = Meters::default();
        for nanoseconds in [0, 100_000, 100_001, 1_000_000_000, 1_000_000_001, 7_000_000_000] {
            meters.delivered(Duration::from_nanos(nanoseconds));
        }
        let delivery = meters.read().delivery;
        assert_eq!(delivery.counts.len(), delivery.bounds.len() + 1);
        let last = delivery.counts.len() - 1;
        let filled: Vec<_> = delivery.counts.iter().enumerate().filter(|(_, count)| **count > 0).collect();
        assert_eq!(filled, [(0, &2), (1, &1), (last - 1, &1), (last, &2)]);
        assert_eq!((delivery.count(), delivery.sum), (6, 9.000_200_002));
        assert!(DELIVERY.is_sorted() && TOKEN_WAIT.is_sorted() && LATE.is_sorted());
    }

    #[test]
    fn everything_is_counted_in_its_own_place() {
        let meters = Meters::default();
        for (times, kind) in FAILURES.into_iter().enumerate() {
            (0..times).for_each(|_| meters.count_failure(kind));
        }
        for (times, state) in STATES.into_iter().enumerate() {
            (0..times).for_each(|_| meters.count_transition(EndpointKind::User, state));
        }
        meters.count_transition(EndpointKind::Application, EndpointState::Established);
        let failure = |by| Failure::new(FailureKind::Transient, by, "no");
        let results = [
            (SubscribeResult::Accepted, 1),
            (SubscribeResult::of(&Failure::answered(FailureKind::NotFound, 404, "no")), 2),
            (SubscribeResult::of(&failure(EndedBy::Network)), 3),
            (SubscribeResult::of(&failure(EndedBy::Us)), 4),
        ];
        for (result, times) in results {
            (0..times).for_each(|_| meters.count_subscribe(result));
        }
        for (times, outcome) in SampleOutcome::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| meters.count_sample(outcome));
        }
        let readings = meters.read();
        assert_eq!(readings.samples.values().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(readings.failures.values().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        let of_user: Vec<_> =
            readings.transitions.iter().filter(|((kind, _), _)| *kind == EndpointKind::User).map(|(_, n)| *n).collect();
        assert_eq!(of_user, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(readings.transitions[&(EndpointKind::Application, EndpointState::Established)], 1);
        let subscribes: Vec<_> = readings.subscribes.into_iter().collect();
        assert_eq!(subscribes, [("accepted", 1), ("refused", 2), ("unanswered", 3), ("unsent", 4)]);
    }
}

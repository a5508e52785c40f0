//! Whether the state is being kept: what the log says of it, and what whoever looks is told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use humantime::format_duration;

/// Between two warnings there is so much time, however often the reason changes or the writing comes and goes.
const QUIET: Duration = Duration::from_secs(60);
/// What lasts is said again so often: nobody reads the log of last week.
const REMIND_EVERY: Duration = Duration::from_secs(24 * 3600);
/// A state that is older than this is not being kept, whatever the reason: it is written once a minute at least.
const OVERDUE: Duration = Duration::from_secs(180);

/// The last writing that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// When it was done.
    pub at: Instant,
    /// How large the state is, in bytes.
    pub bytes: u64,
    /// How long the disk took.
    pub took: Duration,
}

/// Why the next start would not begin with what holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotKept {
    /// Since when.
    pub since: Instant,
    /// Why; it may name a path.
    pub why: String,
}

/// How the keeping of the state stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeepingReading {
    /// The last writing of this run that succeeded.
    pub written: Option<Written>,
    /// How often it was written in this run.
    pub writes: u64,
    /// How often it could not be.
    pub failures: u64,
    /// What is wrong, where something is.
    pub not_kept: Option<NotKept>,
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It is well again.
    Info(String),
    /// It is not.
    Warn(String),
}

/// The keeping of the state through time:
///
/// ```text
///   kept --failed (Warn)--> not kept --written (Info)--> kept
///                             failed: Warn again when the reason is another one, and once a day; at most one a minute
/// ```
#[derive(Debug)]
pub(super) struct Ledger {
    begun: Instant,
    reading: KeepingReading,
    /// The last warning, and the reason that it gave.
    warned: Option<(Instant, String)>,
    /// A warning stands that no word of its end has followed yet.
    is_open: bool,
}

impl Ledger {
    pub(super) fn new(begun: Instant) -> Self {
        Self { begun, reading: KeepingReading::default(), warned: None, is_open: false }
    }

    /// The folder cannot be used in this run.
    fn unusable(now: Instant, why: String) -> Self {
        let not_kept = Some(NotKept { since: now, why });
        Self { reading: KeepingReading { not_kept, failures: 1, ..KeepingReading::default() }, ..Self::new(now) }
    }

    /// The state was written.
    pub(super) fn written(&mut self, written: Written) -> Option<Said> {
        self.reading.writes += 1;
        self.reading.written = Some(written);
        let trouble = self.reading.not_kept.take();
        let since = trouble.filter(|_| std::mem::take(&mut self.is_open))?.since;
        let lasted = rounded(written.at.saturating_duration_since(since));
        Some(Said::Info(format!("the state is written again, after {}", format_duration(lasted))))
    }

    /// The state could not be written.
    pub(super) fn failed(&mut self, now: Instant, why: String) -> Option<Said> {
        self.reading.failures += 1;
        let since = self.reading.not_kept.as_ref().map_or(now, |before| before.since);
        self.reading.not_kept = Some(NotKept { since, why: why.clone() });
        let is_due = match &self.warned {
            None => true,
            Some((at, said)) => {
                let is_news = !self.is_open || *said != why;
                now >= *at + if is_news { QUIET } else { REMIND_EVERY }
            }
        };
        if !is_due {
            return None;
        }
        (self.warned, self.is_open) = (Some((now, why.clone())), true);
        let next = match &self.reading.written {
            Some(written) => {
                let age = rounded(now.saturating_duration_since(written.at));
                format!("a restart would begin with an older state, now of {} ago", format_duration(age))
            }
            None => "a restart would know nothing of this run".to_owned(),
        };
        Some(Said::Warn(format!("the state cannot be written: {why}; the service goes on, and {next}")))
    }

    /// How it stands. A disk that does not even answer is told by its silence.
    pub(super) fn read(&self, now: Instant) -> KeepingReading {
        let mut reading = self.reading.clone();
        let last = reading.written.map_or(self.begun, |written| written.at);
        if reading.not_kept.is_none() && now > last + OVERDUE {
            let why = "the disk does not answer: the writing has not ended".to_owned();
            reading.not_kept = Some(NotKept { since: last, why });
        }
        reading
    }
}

/// To whole seconds, as people read them.
fn rounded(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().max(1))
}

/// Whether the state is being kept. A handle: clones are cheap and show the same, on any thread.
#[derive(Clone, Debug, Default)]
pub struct Keeping(Option<Arc<Mutex<Ledger>>>);

impl Keeping {
    /// It is kept from now on.
    pub(super) fn begun(now: Instant) -> Self {
        Self(Some(Arc::new(Mutex::new(Ledger::new(now)))))
    }

    /// It should be kept, and cannot be in this run.
    pub(super) fn unusable(now: Instant, why: String) -> Self {
        Self(Some(Arc::new(Mutex::new(Ledger::unusable(now, why)))))
    }

    /// How it stands; nothing where no state is to be kept.
    #[must_use]
    pub fn read(&self, now: Instant) -> Option<KeepingReading> {
        self.0.as_ref().map(|ledger| open(ledger).read(now))
    }

    /// Enters what became of a writing.
    pub(super) fn enter(&self, enter: impl FnOnce(&mut Ledger) -> Option<Said>) -> Option<Said> {
        self.0.as_ref().and_then(|ledger| enter(&mut open(ledger)))
    }
}

fn open(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn begun() -> (Instant, Ledger) {
        let now = presence_actors::now();
        (now, Ledger::new(now))
    }

    fn written(at: Instant) -> Written {
        Written { at, bytes: 100, took: SECOND }
    }

    fn warned(said: &Option<Said>) -> bool {
        matches!(said, Some(Said::Warn(_)))
    }

    #[test]
    fn an_outage_of_the_disk_is_one_warning_at_its_begin_and_one_word_at_its_end() {
        let (start, mut ledger) = begun();
        assert_eq!(ledger.written(written(start)), None);
        let said: Vec<_> =
            (1..=100).filter_map(|tick| ledger.failed(start + tick * 8 * SECOND, "full".into())).collect();
        let words = "the state cannot be written: full; the service goes on, and a restart would begin with an older state, \
                     now of 8s ago";
        assert_eq!(said, [Said::Warn(words.to_owned())]);
        let end = start + 808 * SECOND;
        let not_kept = ledger.read(end).not_kept.expect("not kept");
        assert_eq!((not_kept.since, ledger.read(end).failures), (start + 8 * SECOND, 100));
        let again = Said::Info("the state is written again, after 13m 20s".to_owned());
        assert_eq!(ledger.written(written(end)), Some(again));
        assert_eq!(ledger.written(written(end + 8 * SECOND)), None);
        assert_eq!(ledger.read(end + 8 * SECOND).not_kept, None);
    }

    #[test]
    fn another_reason_is_said_at_most_once_a_minute_and_what_lasts_once_a_day() {
        let (start, mut ledger) = begun();
        assert!(warned(&ledger.failed(start, "full".into())));
        assert_eq!(ledger.failed(start + 8 * SECOND, "gone".into()), None);
        assert!(warned(&ledger.failed(start + 60 * SECOND, "gone".into())));
        assert_eq!(ledger.failed(start + 3_600 * SECOND, "gone".into()), None);
        assert!(warned(&ledger.failed(start + 60 * SECOND + REMIND_EVERY, "gone".into())));
    }

    #[test]
    fn a_disk_that_comes_and_goes_fills_no_log() {
        let (start, mut ledger) = begun();
        let mut lines = 0;
        for tick in 0..450 {
            let at = start + tick * 8 * SECOND;
            let said = if tick % 2 == 0 { ledger.failed(at, "full".into()) } else { ledger.written(written(at)) };
            lines += usize::from(said.is_some());
        }
        assert!((100..=120).contains(&lines), "{lines} lines in an hour");
    }

    #[test]
    fn a_disk_that_does_not_answer_is_seen_by_the_age_of_what_is_there() {
        let (start, mut ledger) = begun();
        assert_eq!(ledger.read(start + OVERDUE).not_kept, None);
        assert!(ledger.read(start + OVERDUE + SECOND).not_kept.is_some());
        ledger.written(written(start + OVERDUE));
        assert_eq!(ledger.read(start + 2 * OVERDUE).not_kept, None);
        let not_kept = ledger.read(start + 2 * OVERDUE + SECOND).not_kept.expect("not kept");
        assert_eq!(not_kept.since, start + OVERDUE);
    }

    #[test]
    fn where_none_is_to_be_kept_there_is_nothing_to_say_and_where_it_cannot_be_the_reason() {
        let now = presence_actors::now();
        assert_eq!(Keeping::default().read(now), None);
        let reading = Keeping::unusable(now, "another process has it".to_owned()).read(now).expect("to be kept");
        assert_eq!(reading.not_kept.map(|not_kept| not_kept.why).as_deref(), Some("another process has it"));
        assert_eq!(Keeping::begun(now).read(now), Some(KeepingReading::default()));
    }
}

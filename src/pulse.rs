//! Whether the thread of the actors keeps up, and what happens when it hangs.
//!
//! A task beats on that thread ten times a second and writes down by how much each beat was late. A thread of its own
//! listens: when ten of *its* seconds pass without a beat, the actors hang, and nothing inside this process can mend that.
//! It counts its own seconds and not the clock's, so that a machine that was asleep, or a process that was stopped, is not
//! taken for a hanging one ([decision 0014](../docs/decisions/0014-a-pause-is-not-a-loss.md)).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use presence_actors::{Meters, now};
use tokio::time::MissedTickBehavior;

/// The time between two beats.
const BEAT: Duration = Duration::from_millis(100);
/// A beat that is later than this is told in the log.
const LATE: Duration = Duration::from_secs(1);
/// How often the listener listens.
const GLANCE: Duration = Duration::from_secs(1);
/// So many glances without a beat: the actors hang.
const PATIENCE: u32 = 10;

/// The pulse of the thread on which it was started; it is felt until this is dropped.
#[derive(Debug)]
pub struct Pulse {
    beating: actix_rt::task::JoinHandle<()>,
    /// Dropped with the pulse, which ends the listener.
    _felt: Sender<()>,
}

impl Pulse {
    /// Begins to beat on this thread, which must be the actors', and to count in `meters`; calls `hung` once, on another
    /// thread, when it has not beaten for 10 s.
    pub fn start(meters: Arc<Meters>, hung: impl FnOnce() + Send + 'static) -> Self {
        let beats = Arc::new(AtomicU64::new(0));
        let (felt, ended) = channel();
        let listener = Arc::clone(&beats);
        let thread = std::thread::Builder::new().name("pulse".to_owned());
        if let Err(error) = thread.spawn(move || listen(&listener, &ended, GLANCE, hung)) {
            tracing::warn!(logger = "UccStarter", "nobody will notice when the actors hang: {error}");
        }
        Self { beating: actix_rt::spawn(beat(beats, meters)), _felt: felt }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

async fn beat(beats: Arc<AtomicU64>, meters: Arc<Meters>) {
    let mut pace = tokio::time::interval(BEAT);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = pace.tick().await;
        let late = now().saturating_duration_since(due.into_std());
        meters.beat_late(late);
        beats.fetch_add(1, Ordering::Relaxed);
        if late >= LATE {
            tracing::warn!(
                logger = "UccStarter",
                late = %humantime::format_duration(Duration::from_millis(u64::try_from(late.as_millis()).unwrap_or(u64::MAX))),
                "the actors did not run for a while: the process or the machine was stopped, or there is too little processor time"
            );
        }
    }
}

/// Listens until the pulse is dropped or has stopped.
fn listen(beats: &AtomicU64, ended: &Receiver<()>, glance: Duration, hung: impl FnOnce()) {
    let (mut last, mut silent) = (beats.load(Ordering::Relaxed), 0);
    while ended.recv_timeout(glance) == Err(RecvTimeoutError::Timeout) {
        let heard = beats.load(Ordering::Relaxed);
        silent = if heard == last { silent + 1 } else { 0 };
        last = heard;
        if silent >= PATIENCE {
            hung();
            return;
        }
    }
}

/// What the process does when its actors hang: it says so and ends with exit code 70, so that the service manager starts it
/// afresh. The last values are in the snapshot.
pub fn end_the_process() {
    tracing::error!(
        logger = "UccStarter",
        "the actors have not run for 10 s and cannot be mended inside this process; it ends so that the service manager starts it afresh"
    );
    // The log is written by a thread of its own, which has this long for its last line.
    let (_nobody, silence) = channel::<()>();
    let _ = silence.recv_timeout(Duration::from_millis(200));
    std::process::exit(i32::from(crate::exit::Exit::Internal.code()));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    const SHORT: Duration = Duration::from_millis(1);

    #[test]
    fn ten_silent_glances_in_a_row_are_a_hang_and_a_beat_begins_anew() {
        let (felt, ended) = channel();
        let beats = Arc::new(AtomicU64::new(0));
        let (beating, hung) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let heart = {
            let (beats, beating, hung) = (Arc::clone(&beats), Arc::clone(&beating), Arc::clone(&hung));
            std::thread::spawn(move || {
                while beating.load(Ordering::Relaxed) {
                    assert!(!hung.load(Ordering::Relaxed), "it beats");
                    beats.fetch_add(1, Ordering::Relaxed);
                    std::thread::yield_now();
                }
            })
        };
        let listener = {
            let (beats, hung) = (Arc::clone(&beats), Arc::clone(&hung));
            std::thread::spawn(move || listen(&beats, &ended, SHORT, || hung.store(true, Ordering::Relaxed)))
        };
        while beats.load(Ordering::Relaxed) < 100_000 {
            std::thread::yield_now();
        }
        beating.store(false, Ordering::Relaxed);
        heart.join().unwrap();
        listener.join().unwrap();
        assert!(hung.load(Ordering::Relaxed));
        drop(felt);
    }

    #[test]
    fn a_pulse_that_is_dropped_is_no_hang() {
        let (felt, ended) = channel();
        drop(felt);
        listen(&AtomicU64::new(0), &ended, SHORT, || panic!("nothing hangs"));
    }
}

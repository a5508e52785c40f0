//! As many NOTIFYs as the sockets take, for benchmarks.

use std::time::Duration;

use super::clock;
use super::hub::Hub;

/// How many NOTIFYs are written under one lock.
const CHUNK: usize = 64;

/// How many bytes may wait for a socket before the next chunk, so that the socket and not the memory is measured.
const MOST_WAITING: usize = 512 << 10;

/// What came of sending as fast as possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blast {
    /// NOTIFYs sent.
    pub sent: u64,
    /// How many of them were answered in any way.
    pub answered: u64,
    /// From the first NOTIFY to the last answer.
    pub elapsed: Duration,
}

impl Blast {
    /// Answered NOTIFYs per second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        // Counts stay far below what an f64 holds exactly.
        #[allow(clippy::cast_precision_loss)]
        let answered = self.answered as f64;
        answered / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// How long to wait for the answers to earlier NOTIFYs, so that they are not counted as answers to these.
const SETTLE: Duration = Duration::from_secs(1);

/// Sends, and waits for the answers.
pub(super) async fn run(hub: &Hub, dialogs: usize, notifies: u64, patience: Duration) -> Blast {
    let (sent_before, answered_before) = all_answered(hub, (0, 0), SETTLE).await;
    let start = clock::now();
    let mut left = notifies;
    while left > 0 && !hub.stop.is_cancelled() {
        let chunk = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        if hub.with(|now, machine| machine.burst(now, dialogs, chunk)) == 0 {
            break;
        }
        left -= chunk as u64;
        for stream in hub.streams() {
            stream.below(MOST_WAITING).await;
        }
        // The reader and the writer may live on this thread.
        tokio::task::yield_now().await;
    }
    let (sent, answered) = all_answered(hub, (sent_before, answered_before), patience).await;
    Blast { sent, answered, elapsed: clock::now().saturating_duration_since(start) }
}

/// Waits until every NOTIFY since these counts is answered, but not longer than this; the counts since then.
async fn all_answered(hub: &Hub, since: (u64, u64), patience: Duration) -> (u64, u64) {
    let begin = clock::now();
    loop {
        let (sent, answered) = hub.with(|_, machine| machine.notify_counts());
        let (sent, answered) = (sent - since.0, answered - since.1);
        if answered >= sent || clock::now().saturating_duration_since(begin) >= patience {
            return (sent, answered);
        }
        clock::pause(Duration::from_millis(1)).await;
    }
}

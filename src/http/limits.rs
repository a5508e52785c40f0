//! How much is taken: requests of one client, event streams of all.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Problem;

/// So many event streams are open at most.
const MAX_STREAMS: usize = 2_000;
/// So many event streams are opened per second, after the first [`STREAM_BURST`].
const STREAMS_PER_SECOND: NonZeroU32 = NonZeroU32::new(50).expect("it is not 0");
/// So many event streams are opened at once.
const STREAM_BURST: NonZeroU32 = NonZeroU32::new(200).expect("it is not 0");
/// Nobody is asked to wait longer than this for a stream.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The clock of the actors, for governor.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ActorsClock;

impl Clock for ActorsClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        presence_actors::now()
    }
}

/// Lets event streams in: a bounded number, and after a restart of ours or of the network in buckets, so that a storm of
/// clients that come back is served as fast as it can be and no faster.
#[derive(Debug)]
pub struct Admission {
    open: Arc<Semaphore>,
    rate: RateLimiter<NotKeyed, InMemoryState, ActorsClock, NoOpMiddleware<Instant>>,
    places: Mutex<Places>,
}

/// The leave to have one event stream open; it ends when this is dropped.
#[derive(Debug)]
pub struct StreamPermit {
    _permit: OwnedSemaphorePermit,
}

impl Default for Admission {
    fn default() -> Self {
        let quota = Quota::per_second(STREAMS_PER_SECOND).allow_burst(STREAM_BURST);
        Self {
            open: Arc::new(Semaphore::new(MAX_STREAMS)),
            rate: RateLimiter::direct_with_clock(quota, ActorsClock),
            places: Mutex::default(),
        }
    }
}

impl Admission {
    /// Asks for one event stream. Keep the permit as long as the stream is open.
    ///
    /// # Errors
    /// 503 with the time to wait: too many are open, or too many came at once. Those who are sent away at one time are
    /// given times to come back one after the other, as fast as streams are opened.
    pub fn admit(&self) -> Result<StreamPermit, Problem> {
        let Ok(permit) = Arc::clone(&self.open).try_acquire_owned() else {
            let detail =
                format!("{MAX_STREAMS} event streams are open, and there are no more; close some, or come again later");
            return Err(Problem::unavailable(detail, LONGEST_WAIT));
        };
        if self.rate.check().is_err() {
            let wait = self.places.lock().unwrap_or_else(PoisonError::into_inner).take(presence_actors::now());
            let detail = "many clients open event streams at once, and they are let in one after the other; come again after Retry-After";
            return Err(Problem::unavailable(detail, wait));
        }
        Ok(StreamPermit { _permit: permit })
    }

    /// How many event streams are open.
    #[must_use]
    pub fn open(&self) -> usize {
        MAX_STREAMS - self.open.available_permits()
    }
}

/// The queue of those who were sent away: each is told another time.
#[derive(Debug, Default)]
struct Places {
    last: Option<Instant>,
}

impl Places {
    /// How long the next one waits.
    fn take(&mut self, now: Instant) -> Duration {
        let step = Duration::from_secs(1) / STREAMS_PER_SECOND.get();
        let place = self.last.map_or(now, |last| last.max(now)) + step;
        // Beyond the longest wait they begin again from the front: who has left for good must not delay the others.
        let place = if place - now > LONGEST_WAIT { now + step } else { place };
        self.last = Some(place);
        place - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn streams_are_let_in_in_a_burst_and_then_at_a_rate_and_nobody_beyond_the_most() {
        let admission = Admission::default();
        let mut permits: Vec<_> = (0..200).map(|_| admission.admit().expect("within the burst")).collect();
        let refused = admission.admit().expect_err("beyond the burst");
        assert_eq!((refused.status, refused.retry_after), (503, Some(1)));
        tokio::time::advance(Duration::from_millis(20)).await;
        permits.push(admission.admit().expect("one more every 20 ms"));
        assert_eq!(admission.admit().expect_err("only one").status, 503);
        while permits.len() < MAX_STREAMS {
            tokio::time::advance(Duration::from_secs(4)).await;
            permits.extend((0..200).filter_map(|_| admission.admit().ok()));
        }
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(admission.open(), MAX_STREAMS);
        assert_eq!(admission.admit().expect_err("the most").retry_after, Some(60));
        permits.pop();
        assert!(admission.admit().is_ok(), "a closed stream makes room");
    }

    #[test]
    fn those_who_are_sent_away_come_back_at_different_times_within_a_minute() {
        let now = presence_actors::now();
        let mut places = Places::default();
        let waits: Vec<_> = (0..4_000).map(|_| places.take(now)).collect();
        assert_eq!(waits[0], Duration::from_millis(20));
        assert_eq!(waits[99], Duration::from_secs(2));
        assert!(waits.iter().all(|wait| *wait <= LONGEST_WAIT));
        assert_eq!(waits[3_000], Duration::from_millis(20), "the places begin again");
        assert_eq!(places.take(now + Duration::from_secs(100)), Duration::from_millis(20));
    }
}

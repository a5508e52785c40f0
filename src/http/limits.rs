//! How much is taken: requests of one client, event streams of all.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Caller, Problem};

/// So many event streams of queues are open at most.
const MAX_STREAMS: usize = 2_000;
/// So many streams of observers are open at most, beside those of queues.
const MAX_OBSERVERS: usize = 500;
/// So many event streams are opened per second, after the first [`STREAM_BURST`].
const STREAMS_PER_SECOND: NonZeroU32 = NonZeroU32::new(50).expect("it is not 0");
/// So many event streams are opened at once.
const STREAM_BURST: NonZeroU32 = NonZeroU32::new(200).expect("it is not 0");
/// So many event streams of one queue are opened per second, after the first [`QUEUE_BURST`]: a client that comes back in a
/// loop takes no turn of the other queues.
const QUEUE_PER_SECOND: NonZeroU32 = NonZeroU32::new(4).expect("it is not 0");
/// So many event streams of one queue are opened at once.
const QUEUE_BURST: NonZeroU32 = NonZeroU32::new(32).expect("it is not 0");
/// Nobody is asked to wait longer than this for a stream.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// So many clients have a rate of their own; what comes while there are more shares one.
const MAX_CLIENTS: usize = 4_096;
/// After so many requests the clients that have not been heard of lately are forgotten.
const FORGET_EVERY: u32 = 4_096;

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client {
    /// Those with this token, by its name.
    Token(Arc<str>),
    /// Those without a token that is known, from this address; of IPv6 the network that one subscriber has (/64).
    Address(IpAddr),
    /// Those of addresses that are too many to be told apart.
    Crowd,
}

impl Client {
    /// Who makes a request from this address, where everyone may if no token is required.
    pub(super) fn of(caller: &Caller, address: IpAddr) -> Self {
        if caller.scopes.is_some() { Self::Token(Arc::clone(&caller.name)) } else { Self::at(address) }
    }

    /// Whoever is at this address.
    pub(super) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// How many requests each client makes: so many per second, with bursts of twice as many.
pub struct RequestRate {
    limiter: RateLimiter<Client, DashMapStateStore<Client>, ActorsClock, NoOpMiddleware<Instant>>,
    per_second: NonZeroU32,
    checks: AtomicU32,
}

impl RequestRate {
    /// For so many requests per second.
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        let quota =
            Quota::per_second(per_second).allow_burst(per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1)));
        Self { limiter: RateLimiter::dashmap_with_clock(quota, ActorsClock), per_second, checks: AtomicU32::new(0) }
    }

    /// Counts a request, or a command of a stream.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub(super) fn check(&self, client: Client) -> Result<(), Problem> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.limiter.retain_recent();
        }
        let is_one_more = matches!(client, Client::Address(_)) && self.limiter.len() >= MAX_CLIENTS;
        let client = if is_one_more { Client::Crowd } else { client };
        self.limiter.check_key(&client).map_err(|until| {
            let detail =
                format!("more than {} requests per second (RequestsPerSecond of Http in Config.xml)", self.per_second);
            Problem::too_many(detail, until.wait_time_from(presence_actors::now()))
        })
    }
}

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
    most: usize,
    open: Arc<Semaphore>,
    rate: RateLimiter<NotKeyed, InMemoryState, ActorsClock, NoOpMiddleware<Instant>>,
    turns: RateLimiter<Arc<str>, DashMapStateStore<Arc<str>>, ActorsClock, NoOpMiddleware<Instant>>,
    places: Mutex<Places>,
}

/// The leave to have one event stream open; it ends when this is dropped.
#[derive(Debug)]
pub struct StreamPermit {
    _permit: OwnedSemaphorePermit,
}

/// For the streams of queues.
impl Default for Admission {
    fn default() -> Self {
        Self::of(MAX_STREAMS)
    }
}

impl Admission {
    /// For the streams of observers: those who look on never take a place or a turn of a queue.
    #[must_use]
    pub fn of_observers() -> Self {
        Self::of(MAX_OBSERVERS)
    }

    fn of(most: usize) -> Self {
        let quota = Quota::per_second(STREAMS_PER_SECOND).allow_burst(STREAM_BURST);
        Self {
            most,
            open: Arc::new(Semaphore::new(most)),
            rate: RateLimiter::direct_with_clock(quota, ActorsClock),
            turns: RateLimiter::dashmap_with_clock(
                Quota::per_second(QUEUE_PER_SECOND).allow_burst(QUEUE_BURST),
                ActorsClock,
            ),
            places: Mutex::default(),
        }
    }

    /// Asks for one event stream of this queue.
    ///
    /// # Errors
    /// 429 when this queue opens streams too often; as [`Admission::admit`] otherwise.
    pub fn admit_queue(&self, ucc: &str) -> Result<StreamPermit, Problem> {
        if self.turns.len() >= MAX_CLIENTS {
            self.turns.retain_recent();
        }
        self.turns.check_key(&Arc::from(ucc)).map_err(|until| {
            let detail = format!(
                "the queue `{ucc}` opens more than {QUEUE_PER_SECOND} event streams per second; is a client of it coming back in a loop?"
            );
            Problem::too_many(detail, until.wait_time_from(presence_actors::now()))
        })?;
        self.admit()
    }

    /// Asks for one event stream. Keep the permit as long as the stream is open.
    ///
    /// # Errors
    /// 503 with the time to wait: too many are open, or too many came at once. Those who are sent away at one time are
    /// given times to come back one after the other, as fast as streams are opened.
    pub fn admit(&self) -> Result<StreamPermit, Problem> {
        let Ok(permit) = Arc::clone(&self.open).try_acquire_owned() else {
            let most = self.most;
            let detail =
                format!("{most} event streams are open, and there are no more; close some, or come again later");
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
        self.most - self.open.available_permits()
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

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_comes_back_in_a_loop_takes_no_turn_of_the_others() {
        let admission = Admission::default();
        let opened = (0..1_000).filter(|_| admission.admit_queue("loop").is_ok()).count();
        assert_eq!(opened, 32);
        let refused = admission.admit_queue("loop").expect_err("too often");
        assert_eq!((refused.status, refused.retry_after), (429, Some(1)));
        assert!((0..100).all(|number| admission.admit_queue(&format!("queue-{number}")).is_ok()));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert!(admission.admit_queue("loop").is_ok() && admission.admit_queue("loop").is_err());
        for number in 0..20_000 {
            let _ = admission.admit_queue(&format!("name-{number}"));
            tokio::time::advance(Duration::from_millis(2)).await;
        }
        assert!(admission.turns.len() <= MAX_CLIENTS + 1, "{}", admission.turns.len());
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_look_on_take_no_place_of_a_queue() {
        let (queues, observers) = (Admission::default(), Admission::of_observers());
        let mut permits = Vec::new();
        for _ in 0..10 {
            permits.extend((0..200).filter_map(|_| observers.admit().ok()));
            tokio::time::advance(Duration::from_secs(4)).await;
        }
        assert_eq!(permits.len(), MAX_OBSERVERS);
        assert!(observers.admit().expect_err("the most").detail.starts_with("500 event streams"));
        assert!(queues.admit().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn each_client_has_a_rate_with_bursts_and_is_told_when_to_come_again() {
        let rate = RequestRate::new(NonZeroU32::new(5).expect("not 0"));
        let (one, other) = (Client::Token("one".into()), Client::at([127, 0, 0, 1].into()));
        assert!((0..10).all(|_| rate.check(one.clone()).is_ok()));
        assert_eq!(rate.check(one.clone()).expect_err("beyond the burst").retry_after, Some(1));
        assert!(rate.check(other).is_ok(), "another client");
        tokio::time::advance(Duration::from_millis(200)).await;
        assert!(rate.check(one.clone()).is_ok() && rate.check(one).is_err(), "one more after 200 ms");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_addresses_shares_one_rate_and_is_forgotten() {
        let rate = RequestRate::new(NonZeroU32::new(5).expect("not 0"));
        let address = |number: u32| Client::at(IpAddr::V4(number.into()));
        let taken = (0..20_000).filter(|number| rate.check(address(*number)).is_ok()).count();
        assert!((MAX_CLIENTS..MAX_CLIENTS + 20).contains(&taken), "{taken}");
        assert!(rate.limiter.len() <= MAX_CLIENTS + 1, "{}", rate.limiter.len());
        tokio::time::advance(Duration::from_secs(60)).await;
        for _ in 0..FORGET_EVERY {
            let _ = rate.check(Client::Token("one".into()));
        }
        assert!(rate.limiter.len() < 10, "{}", rate.limiter.len());
        let v6 = |text: &str| Client::at(text.parse().expect("an address"));
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff"));
        assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
        assert_eq!(v6("::ffff:10.0.0.1"), v6("10.0.0.1"));
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

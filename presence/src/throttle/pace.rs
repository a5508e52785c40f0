//! How fast tokens are granted: the configured rate, or less while the pool cannot keep up.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// One second and the part of it that is kept in reserve, so that a peer that counts arrivals in windows of one
/// second does not count one too many because of jitter on the way.
const WINDOW: Duration = Duration::from_millis(1_010);

/// From this rate on a timer that ticks in milliseconds cannot pace single tokens.
const FINEST_PACED_RATE: f64 = 200.0;

/// How far ahead of its pace the throttle may run at rates that timers cannot pace; half of the reserve.
const TOLERANCE: Duration = Duration::from_millis(5);

/// What is left of the rate after a congestion.
const LEFT_WHEN_CONGESTED: f64 = 0.7;

/// How many accepted agents take the rate from nothing to the configured one.
const AGENTS_TO_RECOVER: f64 = 300.0;

/// For how long nothing is granted after a congestion; what is said again meanwhile belongs to the same one.
const HOLD: Duration = Duration::from_millis(500);

/// The lowest rate: one token every 5 s. What is slower could not notice that the pool has recovered.
const LOWEST_RATE: f64 = 0.2;

/// The rate with what follows from it. Additive increase, multiplicative decrease (RFC 5681 3.1 has the same law).
#[derive(Clone, Debug)]
pub(super) struct Pace {
    configured: NonZeroU32,
    /// Tokens per second, never above the configured ones.
    rate: f64,
    interval: Duration,
    tolerance: Duration,
    most_on_their_way: usize,
    /// Until when nothing is granted, and another congestion is the same one.
    held_until: Option<Instant>,
    /// Up to when the time without a congestion has been counted.
    calm_since: Option<Instant>,
}

/// When no window of one second holds anything of what was sent until `last_sent`, also at a pace that runs ahead.
pub(super) fn full_again(last_sent: Instant) -> Instant {
    last_sent + WINDOW + TOLERANCE
}

impl Pace {
    pub(super) fn new(configured: NonZeroU32) -> Self {
        let mut pace = Self {
            configured,
            rate: 0.0,
            interval: WINDOW,
            tolerance: Duration::ZERO,
            most_on_their_way: 1,
            held_until: None,
            calm_since: None,
        };
        pace.set(pace.highest());
        pace
    }

    /// Goes on at a rate that an earlier process had to lower.
    pub(super) fn resume(&mut self, now: Instant, rate: f64) {
        if rate.is_finite() && rate < self.highest() {
            self.set(rate.max(LOWEST_RATE));
            self.calm_since = Some(now);
        }
    }

    fn highest(&self) -> f64 {
        f64::from(self.configured.get())
    }

    fn set(&mut self, rate: f64) {
        self.rate = rate;
        let configured = WINDOW.as_nanos().div_ceil(u128::from(self.configured.get()));
        let configured = Duration::from_nanos(u64::try_from(configured).unwrap_or(u64::MAX));
        // Rounding must not make it faster than configured.
        self.interval = WINDOW.div_f64(rate).max(configured);
        self.tolerance = if rate > FINEST_PACED_RATE { TOLERANCE } else { Duration::ZERO };
        let ahead = self.tolerance.as_nanos() / self.interval.as_nanos().max(1);
        self.most_on_their_way = usize::try_from(ahead).unwrap_or(usize::MAX).saturating_add(1);
    }

    /// Lowers the rate and begins a hold, unless one is under way.
    pub(super) fn lower(&mut self, now: Instant) {
        if self.held_until.is_none_or(|held| held <= now) {
            self.set((self.rate * LEFT_WHEN_CONGESTED).max(LOWEST_RATE));
            self.held_until = Some(now + HOLD);
        }
        self.calm_since = Some(now);
    }

    /// A second without a congestion is worth an accepted agent: what was learned of the pool grows old, and whoever only
    /// ends subscriptions is never accepted.
    pub(super) fn calm_down(&mut self, now: Instant) {
        let Some(since) = self.calm_since.filter(|_| self.is_lowered()) else { return };
        let seconds = now.saturating_duration_since(since).as_secs();
        if seconds > 0 {
            self.calm_since = Some(since + Duration::from_secs(seconds));
            self.raise(u32::try_from(seconds).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn raise(&mut self, agents: u32) {
        if self.is_lowered() {
            let step = self.highest() / AGENTS_TO_RECOVER;
            self.set((self.rate + step * f64::from(agents)).min(self.highest()));
        }
    }

    pub(super) const fn rate(&self) -> f64 {
        self.rate
    }

    pub(super) const fn configured(&self) -> NonZeroU32 {
        self.configured
    }

    pub(super) const fn is_lowered(&self) -> bool {
        self.rate < self.configured.get() as f64
    }

    pub(super) const fn interval(&self) -> Duration {
        self.interval
    }

    pub(super) const fn tolerance(&self) -> Duration {
        self.tolerance
    }

    pub(super) const fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    /// How many tokens may be on their way together.
    pub(super) const fn most_on_their_way(&self) -> usize {
        self.most_on_their_way
    }
}

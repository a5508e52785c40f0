//! What a front end does wrong on command.

use std::time::{Duration, Instant};

use presence_core::AgentUri;
use presence_sip::Method;

use super::answers::Refusal;
use super::command::RefuseRule;

/// The faults in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    rules: Vec<RefuseRule>,
    pub(super) malformed: bool,
    pub(super) delay: Duration,
    pub(super) services_off: bool,
    pub(super) slow_start: Option<SlowStart>,
}

impl Faults {
    /// One more rule, asked after those before it.
    pub(super) fn add(&mut self, rule: RefuseRule) {
        self.rules.push(rule);
    }

    /// How a request is refused by the first rule that is about it.
    pub(super) fn refusal(&mut self, method: &Method, is_about: impl Fn(&AgentUri) -> bool) -> Option<Refusal> {
        let fits = |rule: &RefuseRule| rule.method == *method && rule.agent.as_ref().is_none_or(&is_about);
        let at = self.rules.iter().position(fits)?;
        let rule = self.rules.get_mut(at)?;
        let mut refusal = Refusal::of_status(rule.status);
        refusal.diagnostics = rule.diagnostics.unwrap_or(refusal.diagnostics);
        if let Some(wait) = rule.retry_after {
            refusal = refusal.with("Retry-After", wait.as_secs().to_string());
        }
        if let Some(times) = &mut rule.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.rules.remove(at);
            }
        }
        Some(refusal)
    }
}

/// A pool that comes back slowly: so many agents per second, rising.
#[derive(Clone, Debug)]
pub(super) struct SlowStart {
    from: f64,
    to: f64,
    time: Duration,
    began: Instant,
    retry_after: Option<Duration>,
    room: f64,
    filled: Instant,
}

impl SlowStart {
    pub(super) fn new(now: Instant, from: u32, to: u32, time: Duration, retry_after: Option<Duration>) -> Self {
        let (from, to) = (f64::from(from), f64::from(to));
        Self { from, to, time, began: now, retry_after, room: from, filled: now }
    }

    fn rate(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.began).as_secs_f64();
        let part = if self.time.is_zero() { 1.0 } else { (since / self.time.as_secs_f64()).min(1.0) };
        self.from + (self.to - self.from) * part
    }

    /// Serves so many agents, or refuses them. Room gathers for one second; a message larger than that is served when
    /// the room is full, and what it takes too much is missing afterwards.
    ///
    /// # Errors
    /// The 503.
    pub(super) fn take(&mut self, now: Instant, agents: usize) -> Result<(), Refusal> {
        let rate = self.rate(now);
        let gathered = self.room + rate * now.saturating_duration_since(self.filled).as_secs_f64();
        (self.room, self.filled) = (gathered.min(rate), now);
        let agents = f64::from(u32::try_from(agents).unwrap_or(u32::MAX));
        if agents > self.room && self.room < rate {
            let refusal = Refusal::of_status(503);
            return Err(match self.retry_after {
                Some(wait) => refusal.with("Retry-After", wait.as_secs().to_string()),
                None => refusal,
            });
        }
        self.room -= agents;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_rises_and_a_message_larger_than_a_second_is_served_when_the_room_is_full() {
        #[expect(clippy::disallowed_methods, reason = "some moment to count from")]
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut slow = SlowStart::new(start, 10, 110, Duration::from_secs(10), None);
        assert!(slow.take(at(0), 10).is_ok());
        assert!(slow.take(at(0), 1).is_err());
        assert!(slow.take(at(100), 1).is_ok());
        assert!(slow.take(at(2_000), 500).is_ok(), "the room is full");
        assert!(slow.take(at(3_000), 1).is_err(), "and is in debt now");
        assert!(slow.take(at(60_000), 110).is_ok());
        assert!(slow.take(at(60_500), 56).is_err());
        assert!(slow.take(at(60_500), 55).is_ok());
    }
}

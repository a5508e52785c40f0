//! What the dialect `skype` must be told.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use presence_core::AgentUri;

use crate::auth::Credentials;
use crate::epid::Epid;
use crate::flow::TransportKind;
use crate::timers::Timers;

/// How one local endpoint (application or user) registers and subscribes in the dialect `skype`.
#[derive(Clone, Debug)]
pub struct SkypeConfig {
    /// Who subscribes: the From of every request, and the Request-URI of the batch at the home server.
    pub endpoint: AgentUri,
    /// Which of the owner's endpoints this is; the same after a restart.
    pub epid: Epid,
    /// The pool, as a SIP URI or `host[:port]`: the Request-URI of an OPTIONS. `None` takes the endpoint's host.
    pub target: Option<String>,
    /// Our Contact where the pool has given us no GRUU: a URI such as `sip:192.0.2.1:6120;transport=tls`, without angle
    /// brackets.
    pub contact: String,
    /// Our address in the Via: `ip:port`.
    pub sent_by: String,
    /// What carries the messages.
    pub transport: TransportKind,
    /// What a digest challenge (401, 407) is answered with. A trusted application needs none.
    pub credentials: Option<Credentials>,
    /// The User-Agent header.
    pub user_agent: String,
    /// The durations of the transactions.
    pub timers: Timers,
    /// Whether the endpoint registers; an OPTIONS asks for a sign of life otherwise.
    pub use_registration: bool,
    /// When what is asked for goes on the wire, and how much at once.
    pub gather: Gather,
    /// The most resources in one message; 500 is safe, as servers fail on answers for more than about a thousand.
    pub chunk: usize,
}

impl SkypeConfig {
    /// The usual configuration of an endpoint: TLS, registered, 500 resources in a message, no credentials, RFC timers.
    #[must_use]
    pub fn new(
        endpoint: AgentUri,
        epid: Epid,
        contact: impl Into<String>,
        sent_by: impl Into<String>,
        gather: Gather,
    ) -> Self {
        Self {
            endpoint,
            epid,
            target: None,
            contact: contact.into(),
            sent_by: sent_by.into(),
            transport: TransportKind::Tls,
            credentials: None,
            user_agent: concat!("presence-provider/", env!("CARGO_PKG_VERSION")).into(),
            timers: Timers::default(),
            use_registration: true,
            gather,
            chunk: 500,
        }
    }
}

/// When agents are put on the wire: those of one period go together, at `origin` and whole periods after it.
///
/// Endpoints that share a rate share this: a clone has the same origin, so that no second ever sees two periods, and the
/// same budget, so that no moment sees the rate of each of them.
#[derive(Clone, Debug)]
pub struct Gather {
    /// The first moment.
    pub origin: Instant,
    /// From one moment to the next; a little more than the second that the rate speaks of. At least a millisecond.
    pub period: Duration,
    /// The most agents in one period, in however many messages.
    pub most: NonZeroU32,
    /// How many agents were sent when, in the last second, by all clones.
    sent: Arc<Mutex<VecDeque<(Instant, usize)>>>,
}

/// The span in which agents are counted: the second that a rate speaks of, and 10 ms for what is late on the way, so that
/// whoever counts arrivals counts no more.
const SPAN: Duration = Duration::from_millis(1_010);

impl Gather {
    /// A period of 1.010 s: whoever counts agents in any second counts those of one period at most.
    #[must_use]
    pub fn new(origin: Instant, most: NonZeroU32) -> Self {
        Self { origin, period: Duration::from_millis(1_010), most, sent: Arc::default() }
    }

    /// The first moment after `now`.
    #[must_use]
    pub fn next(&self, now: Instant) -> Instant {
        let period = self.period.max(Duration::from_millis(1));
        let passed = now.saturating_duration_since(self.origin);
        if now < self.origin {
            return self.origin;
        }
        let into = passed.as_nanos() % period.as_nanos();
        // What is left of a division by a Duration fits into one.
        now + period.saturating_sub(Duration::from_nanos(u64::try_from(into).unwrap_or(u64::MAX)))
    }

    fn sent(&self) -> MutexGuard<'_, VecDeque<(Instant, usize)>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many agents go now.
    pub(super) fn spend(&self, now: Instant, agents: usize) {
        self.sent().push_back((now, agents));
    }

    /// How many agents may go now.
    pub(super) fn room(&self, now: Instant) -> usize {
        let mut sent = self.sent();
        while sent.front().is_some_and(|(at, _)| *at + SPAN <= now) {
            sent.pop_front();
        }
        let used: usize = sent.iter().map(|(_, count)| count).sum();
        self.most().saturating_sub(used)
    }

    /// When there is room again; `None` when there is some.
    pub(super) fn room_at(&self, now: Instant) -> Option<Instant> {
        if self.room(now) > 0 {
            return None;
        }
        self.sent().front().map(|(at, _)| *at + SPAN).filter(|at| *at > now)
    }

    /// The most agents in one period.
    pub(super) fn most(&self) -> usize {
        usize::try_from(self.most.get()).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_gathering_are_whole_periods_after_the_origin_and_always_ahead() {
        let origin = Instant::now() + Duration::from_secs(10);
        let gather = Gather::new(origin, NonZeroU32::MIN);
        let at = |millis| origin + Duration::from_millis(millis);
        assert_eq!(gather.next(origin - Duration::from_secs(3)), origin);
        for (now, next) in [(0, 1_010), (1, 1_010), (1_009, 1_010), (1_010, 2_020), (86_400_000, 86_400_450)] {
            assert_eq!(gather.next(at(now)), at(next), "{now}");
        }
        let broken = Gather { period: Duration::ZERO, ..gather.clone() };
        assert!(broken.next(at(5)) > at(5));
    }
}

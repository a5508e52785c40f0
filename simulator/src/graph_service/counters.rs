//! What a simulated Microsoft Graph has counted.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

/// Seconds that are kept one by one: a day; later ones are counted in the last.
const MOST_SECONDS: u64 = 86_400;

/// Counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphCounters {
    /// Requests by kind: `token`, `device-code`, `presences`, `user`, `users`, `subscriptions-list`, `subscription-create`,
    /// `subscription-renew`, `subscription-delete`, `other`.
    pub by_kind: BTreeMap<&'static str, u64>,
    /// Requests to Graph by the name of the account.
    pub by_account: BTreeMap<String, u64>,
    /// Answers by status; `0`: none (silence or a broken connection).
    pub by_status: BTreeMap<u16, u64>,
    /// Requests to Graph in each second since the start.
    pub by_second: BTreeMap<u64, u64>,
    /// The most requests to Graph within any second (a window that slides).
    pub most_in_a_second: usize,
    /// The same for each account.
    pub most_in_a_second_by_account: BTreeMap<String, usize>,
    /// Ids that presence was asked for.
    pub ids_asked: u64,
    /// The most of them in one request.
    pub largest_batch: usize,
    /// The longest path and query, in bytes.
    pub longest_path: usize,
    /// Requests that were one too many (429).
    pub throttled: u64,
    /// Changes of presence.
    pub changes: u64,
    /// Subscriptions that stand now.
    pub live_subscriptions: usize,
    /// How many users each of them has.
    pub users_per_subscription: Vec<usize>,
    /// Handshakes begun.
    pub handshakes: u64,
    /// Items in notifications that were taken (2xx).
    pub notices: u64,
    /// Notifications that were posted again because they were not taken.
    pub redelivered: u64,
    /// Notifications that were given up.
    pub lost: u64,
}

impl GraphCounters {
    /// Requests of this kind.
    #[must_use]
    pub fn of_kind(&self, kind: &str) -> u64 {
        self.by_kind.get(kind).copied().unwrap_or(0)
    }
}

impl fmt::Display for GraphCounters {
    /// One line: `token=1 presences=24 ... 200=25 ids=15000 ...`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in &self.by_kind {
            write!(f, "{kind}={count} ")?;
        }
        for (status, count) in &self.by_status {
            write!(f, "{status}={count} ")?;
        }
        write!(
            f,
            "ids={} largest-batch={} most-in-a-second={} throttled={} changes={} subscriptions={} notices={} redelivered={} lost={}",
            self.ids_asked,
            self.largest_batch,
            self.most_in_a_second,
            self.throttled,
            self.changes,
            self.live_subscriptions,
            self.notices,
            self.redelivered,
            self.lost
        )
    }
}

/// Counts requests within any second.
#[derive(Clone, Debug, Default)]
pub(super) struct Second {
    times: VecDeque<Instant>,
}

impl Second {
    /// Counts one now; how many there were within the last second.
    pub(super) fn count(&mut self, now: Instant) -> usize {
        while self.times.front().is_some_and(|first| now.saturating_duration_since(*first) >= Duration::from_secs(1)) {
            self.times.pop_front();
        }
        self.times.push_back(now);
        self.times.len()
    }
}

/// The second since the start, as it is counted.
pub(super) fn second(start: Instant, now: Instant) -> u64 {
    now.saturating_duration_since(start).as_secs().min(MOST_SECONDS)
}

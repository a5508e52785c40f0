//! What a simulated front end has seen and done.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How many violations are kept in words; the rest is only counted.
pub(super) const MAX_VIOLATIONS: usize = 1_000;

/// What a simulated front end has seen and done since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrontEndCounters {
    /// Requests received, by method, duplicates included; methods that no front end knows are `other`.
    pub messages: BTreeMap<String, u64>,
    /// REGISTERs, refreshes and the last ones included, duplicates not.
    pub registers: u64,
    /// SUBSCRIBEs for presence outside a dialog, queries included.
    pub subscribes_initial: u64,
    /// SUBSCRIBEs for presence in a dialog, the last ones included.
    pub subscribes_in_dialog: u64,
    /// SUBSCRIBEs for presence that ask once (`Expires: 0` outside a dialog).
    pub queries: u64,
    /// Agents that SUBSCRIBEs carried to be subscribed, however they were answered.
    pub resources_asked: u64,
    /// The most of them in one second, wherever that second begins.
    pub most_resources_in_a_second: usize,
    /// The most agents that one SUBSCRIBE carried.
    pub largest_list: usize,
    /// Agents asked again in the same dialog so soon that it was no refresh, or twice in one message.
    pub asked_twice: u64,
    /// Watcher contexts and categories other than state and services in SUBSCRIBEs.
    pub needless_wishes: u64,
    /// Presence dialogs that exist now.
    pub dialogs_now: usize,
    /// Of those, the ones for a list.
    pub batch_dialogs_now: usize,
    /// The presence dialogs that exist now by the owner of the endpoint and the index of the pool.
    pub dialogs: BTreeMap<(String, usize), usize>,
    /// Presence dialogs that a second one from the same endpoint to the same pool replaced silently.
    pub replaced_dialogs: u64,
    /// Presence dialogs that ran out.
    pub expired_dialogs: u64,
    /// SUBSCRIBEs in dialogs that do not exist (481).
    pub unknown_dialogs: u64,
    /// Subscriptions of one agent by one dialog that exist now.
    pub live_now: usize,
    /// The most that one agent ever had at the same time, over all endpoints.
    pub most_live_for_one_agent: usize,
    /// Endpoints registered now.
    pub registered_now: usize,
    /// NOTIFYs and BENOTIFYs for presence that were sent.
    pub notifications: u64,
    /// Agents whose categories were sent, in notifications and in answers.
    pub resources_told: u64,
    /// Messages to a client that had no connection to go out on.
    pub undeliverable: u64,
    /// 2xx to our NOTIFYs.
    pub notifies_answered: u64,
    /// Other final answers to our NOTIFYs.
    pub notifies_rejected: u64,
    /// Answers from 300 up that were sent.
    pub refusals: u64,
    /// Of those, 503 because of the capacity of a slow start.
    pub overloads: u64,
    /// Requests that came a second time and got the same answer.
    pub duplicates: u64,
    /// Received bytes that were no SIP message, and requests without what every request has.
    pub malformed: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections dialled.
    pub dialled: u64,
    /// What the client did that no client may do: "rule N: text", the first thousand.
    pub violations: Vec<String>,
    /// How many violations there were.
    pub violation_count: u64,
}

/// How many fell into the last second.
#[derive(Clone, Debug, Default)]
pub(super) struct SlidingSecond {
    arrivals: VecDeque<(Instant, usize)>,
    sum: usize,
}

impl SlidingSecond {
    /// So many more; how many the second that ends now holds.
    pub(super) fn add(&mut self, now: Instant, count: usize) -> usize {
        while let Some((at, old)) = self.arrivals.front().copied() {
            if now.saturating_duration_since(at) < Duration::from_secs(1) {
                break;
            }
            self.sum -= old;
            self.arrivals.pop_front();
        }
        match self.arrivals.back_mut() {
            Some((at, last)) if *at == now => *last += count,
            _ => self.arrivals.push_back((now, count)),
        }
        self.sum += count;
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_shorter_than_a_thousand_and_one_milliseconds_and_begins_anywhere() {
        #[expect(clippy::disallowed_methods, reason = "some moment to count from")]
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut second = SlidingSecond::default();
        assert_eq!(second.add(at(0), 10), 10);
        assert_eq!(second.add(at(900), 5), 15);
        assert_eq!(second.add(at(999), 1), 16);
        assert_eq!(second.add(at(1_000), 1), 7, "what came a whole second ago is out");
        assert_eq!(second.add(at(5_000), 2), 2);
    }
}

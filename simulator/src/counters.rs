//! What a simulated server has seen and done.

use std::collections::BTreeMap;
use std::time::Instant;

/// How many arrival times are kept at most.
pub(crate) const MAX_SUBSCRIBE_TIMES: usize = 1_000_000;

/// What a simulated server has seen and done since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// SUBSCRIBEs outside a dialog with a lifetime, whether served or not.
    pub subscribes: u64,
    /// SUBSCRIBEs in a dialog with a lifetime.
    pub refreshes: u64,
    /// SUBSCRIBEs with `Expires: 0` in a dialog.
    pub unsubscribes: u64,
    /// SUBSCRIBEs with `Expires: 0` outside of every dialog: one-shot queries.
    pub queries: u64,
    /// OPTIONS.
    pub options: u64,
    /// Requests challenged with 401; these count nowhere else.
    pub challenges: u64,
    /// Final answers other than 2xx and 401 that were sent.
    pub refusals: u64,
    /// Requests that came a second time and got the same answer.
    pub retransmissions: u64,
    /// NOTIFYs and BENOTIFYs sent, without retransmissions and duplicates.
    pub notifies_sent: u64,
    /// NOTIFYs that had no connection to go out on.
    pub undeliverable: u64,
    /// 2xx to our NOTIFYs.
    pub answers: u64,
    /// Other final answers to our NOTIFYs.
    pub rejected_notifies: u64,
    /// NOTIFYs over UDP that nobody answered within 64*T1.
    pub unanswered_notifies: u64,
    /// Requests in a dialog whose Route was not the route set of the dialog (RFC 3261 section 12.2.1.1).
    pub wrong_routes: u64,
    /// Requests in a dialog that this server does not have (answered 481).
    pub unknown_dialogs: u64,
    /// Received bytes that were no SIP message.
    pub malformed: u64,
    /// Connections accepted; over UDP, peers heard.
    pub connections: u64,
    /// Dialogs that exist now.
    pub active_subscriptions: usize,
    /// The most dialogs that one agent ever had at the same time.
    pub most_for_one_agent: usize,
    /// Dialogs that exist now, by the normal form of the agent's URI; agents without one are absent.
    pub by_agent: BTreeMap<String, usize>,
    /// When each SUBSCRIBE of any kind arrived, challenged ones and retransmissions excepted (the first million).
    pub subscribe_times: Vec<Instant>,
}

impl Counters {
    /// The most SUBSCRIBEs that fell into one second, wherever that second begins.
    #[must_use]
    pub fn busiest_second(&self) -> usize {
        let mut first = 0;
        let mut most = 0;
        for (index, time) in self.subscribe_times.iter().enumerate() {
            while time.saturating_duration_since(self.subscribe_times[first]).as_secs() >= 1 {
                first += 1;
            }
            most = most.max(index + 1 - first);
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_busiest_second_may_begin_anywhere() {
        #[expect(clippy::disallowed_methods, reason = "some moment to count from")]
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let counters = Counters {
            subscribe_times: vec![at(0), at(900), at(1_000), at(1_899), at(1_900), at(5_000)],
            ..Counters::default()
        };
        assert_eq!(counters.busiest_second(), 3, "0.9 to 1.899 is less than a second, 0.9 to 1.9 is a whole one");
        assert_eq!(Counters::default().busiest_second(), 0);
    }
}

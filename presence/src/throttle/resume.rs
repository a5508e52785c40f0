//! A throttle that goes on where an earlier process ended.

use std::time::Instant;

use super::{Order, Throttle};

impl<K: Ord + Clone, O: Order<K>> Throttle<K, O> {
    /// Goes on after an earlier process that may have sent until `last_sent`, at this rate if it was lowered: no second
    /// that reaches across the restart holds more than the rate, because nothing is granted in the first one. Call it
    /// before anything is asked for.
    pub fn resume(&mut self, now: Instant, last_sent: Instant, rate: Option<f64>) {
        self.due = Some(super::pace::full_again(last_sent));
        if let Some(rate) = rate {
            self.pace.resume(now, rate);
        }
    }
}

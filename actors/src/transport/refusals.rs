//! What was refused at the door of an endpoint, by reason: no peer fills a log with it, and each limit has its counter.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why something was refused, ended or slowed down before it reached a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// A TCP connection or a datagram of an address that is no server of the pool.
    Stranger,
    /// Among those datagrams a NOTIFY or BENOTIFY: somebody pretends to be the pool.
    StrangersNotify,
    /// A connection of an address that had as many as one may have.
    TooManyOfPeer,
    /// A connection while there were as many as there may be.
    TooMany,
    /// A TLS handshake that failed: a wrong, expired or missing certificate, no version or cipher in common.
    Handshake,
    /// A TLS handshake that was not done in time.
    SlowHandshake,
    /// A message that was not complete in time (slow-loris).
    SlowMessage,
    /// A connection to our listener over which nothing came for too long.
    Silence,
    /// A peer that did not read, so that its queue was full.
    SlowReader,
    /// Bytes that cannot be divided into messages.
    Framing,
    /// A connection over its budget of messages, each time it was read more slowly. Nothing is lost by it.
    OverBudget,
}

impl Refusal {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::Stranger,
        Self::StrangersNotify,
        Self::TooManyOfPeer,
        Self::TooMany,
        Self::Handshake,
        Self::SlowHandshake,
        Self::SlowMessage,
        Self::Silence,
        Self::SlowReader,
        Self::Framing,
        Self::OverBudget,
    ];

    /// The word for it in metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::StrangersNotify => "notify_of_stranger",
            Self::TooManyOfPeer => "too_many_of_peer",
            Self::TooMany => "too_many",
            Self::Handshake => "handshake",
            Self::SlowHandshake => "slow_handshake",
            Self::SlowMessage => "slow_message",
            Self::Silence => "silence",
            Self::SlowReader => "slow_reader",
            Self::Framing => "framing",
            Self::OverBudget => "over_budget",
        }
    }
}

/// How often each was counted since the start.
#[derive(Debug, Default)]
pub(super) struct Refusals([AtomicU64; Refusal::ALL.len()]);

impl Refusals {
    pub(super) fn count(&self, refusal: Refusal) {
        if let Some(count) = self.0.get(refusal as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn read(&self, refusal: Refusal) -> u64 {
        self.0.get(refusal as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_a_place_and_a_word_of_its_own() {
        let refusals = Refusals::default();
        for (place, refusal) in Refusal::ALL.into_iter().enumerate() {
            (0..=place).for_each(|_| refusals.count(refusal));
        }
        let counts: Vec<_> = Refusal::ALL.into_iter().map(|refusal| refusals.read(refusal)).collect();
        assert_eq!(counts, (1..=11).collect::<Vec<u64>>());
        let words: std::collections::BTreeSet<_> = Refusal::ALL.into_iter().map(Refusal::word).collect();
        assert_eq!(words.len(), Refusal::ALL.len());
    }
}

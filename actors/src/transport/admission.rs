//! How many connections a peer may have, and how many messages it may send.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::refusals::Refusal;

/// Counts the connections that are open to our listener.
///
/// A quarter of the places is kept for the addresses of the pool: whoever else can reach our port, and has not shown a
/// certificate yet, cannot keep the pool out.
#[derive(Debug)]
pub(super) struct Admission {
    per_peer: usize,
    in_all: usize,
    open: Mutex<BTreeMap<IpAddr, usize>>,
}

/// Why a connection was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// Without TLS its address is all that is known of a peer, and this is none of the pool's.
    Stranger,
    /// This address has as many connections as one may have.
    TooManyOfPeer(usize),
    /// There are as many connections as there may be.
    TooMany(usize),
}

impl std::fmt::Display for TurnedAway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stranger => {
                f.write_str("its address is not one of the pool's servers; with TLS its certificate would decide")
            }
            Self::TooManyOfPeer(limit) => write!(f, "this address already has {limit} connections"),
            Self::TooMany(limit) => write!(f, "there are already {limit} connections"),
        }
    }
}

impl TurnedAway {
    pub(super) const fn refusal(self) -> Refusal {
        match self {
            Self::Stranger => Refusal::Stranger,
            Self::TooManyOfPeer(_) => Refusal::TooManyOfPeer,
            Self::TooMany(_) => Refusal::TooMany,
        }
    }
}

/// One admitted connection; dropping it makes room for another.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    peer: IpAddr,
}

impl Admission {
    pub(super) fn new(per_peer: usize, in_all: usize) -> Arc<Self> {
        Arc::new(Self { per_peer, in_all, open: Mutex::new(BTreeMap::new()) })
    }

    /// Admits one more connection of this peer, or says why not; `known` is an address of the pool.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr, known: bool) -> Result<Place, TurnedAway> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let places = if known { self.in_all } else { self.in_all - self.in_all / 4 };
        if open.values().sum::<usize>() >= places {
            return Err(TurnedAway::TooMany(places));
        }
        let of_peer = open.entry(peer).or_insert(0);
        if *of_peer >= self.per_peer {
            return Err(TurnedAway::TooManyOfPeer(self.per_peer));
        }
        *of_peer += 1;
        drop(open);
        Ok(Place { admission: Arc::clone(self), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.admission.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_peer) = open.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// Counts something that a stranger can cause as often as he likes, and says when it is worth a line in the log.
#[derive(Debug, Default)]
pub(super) struct Rarely(AtomicU64);

impl Rarely {
    /// Counts one more; the count, when it is a power of two.
    pub(super) fn count(&self) -> Option<u64> {
        let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        count.is_power_of_two().then_some(count)
    }
}

/// The message budget of one connection: GCRA with a burst. Going over it does not lose a message, it delays the next read.
#[derive(Debug)]
pub(super) struct Budget {
    interval: Duration,
    tolerance: Duration,
    theoretical_arrival: Option<Instant>,
}

impl Budget {
    /// `per_second` messages per second after the first `burst`; zero is taken as one.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { interval, tolerance: interval * burst, theoretical_arrival: None }
    }

    /// Accounts for messages that have just come; `Some` says until when the connection should not be read.
    pub(super) fn spend(&mut self, now: Instant, messages: usize) -> Option<Instant> {
        let cost = self.interval * u32::try_from(messages).unwrap_or(u32::MAX);
        let due = self.theoretical_arrival.map_or(now, |due| due.max(now)) + cost;
        self.theoretical_arrival = Some(due);
        let resume = due.checked_sub(self.tolerance)?;
        (resume > now).then_some(resume)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests start at a real instant")]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_admitted_up_to_its_limit_and_again_when_one_of_its_connections_ends() {
        let admission = Admission::new(2, 3);
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = admission.admit(a, true).expect("the first");
        let _second = admission.admit(a, true).expect("the second");
        assert_eq!(admission.admit(a, true).map(drop), Err(TurnedAway::TooManyOfPeer(2)));
        let _other = admission.admit(b, true).expect("another peer");
        assert_eq!(admission.admit(b, true).map(drop), Err(TurnedAway::TooMany(3)));
        drop(first);
        let _again = admission.admit(a, true).expect("room again");
    }

    #[test]
    fn strangers_who_fill_their_places_do_not_keep_the_pool_out() {
        let admission = Admission::new(8, 256);
        let stranger = |number: u32| IpAddr::from(number.to_be_bytes());
        let places: Vec<_> = (0..1_000).filter_map(|number| admission.admit(stranger(number), false).ok()).collect();
        assert_eq!(places.len(), 192);
        assert_eq!(admission.admit(stranger(2_000), false).map(drop), Err(TurnedAway::TooMany(192)));
        let of_the_pool: Vec<_> = (5_000..5_100).filter_map(|n| admission.admit(stranger(n), true).ok()).collect();
        assert_eq!(
            (of_the_pool.len(), admission.admit(stranger(1), true).map(drop)),
            (64, Err(TurnedAway::TooMany(256)))
        );
    }

    #[test]
    fn a_peer_that_was_turned_away_leaves_nothing_behind() {
        let admission = Admission::new(1, 10);
        let peer = IpAddr::from([10, 0, 0, 1]);
        let place = admission.admit(peer, true).expect("the first");
        assert!(admission.admit(peer, true).is_err());
        drop(place);
        assert!(admission.open.lock().expect("not poisoned").is_empty());
    }

    #[test]
    fn what_strangers_cause_fills_no_log() {
        let rarely = Rarely::default();
        let lines: Vec<u64> = (0..1_000).filter_map(|_| rarely.count()).collect();
        assert_eq!(lines, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
    }

    #[test]
    fn the_budget_lets_a_burst_through_and_then_holds_the_rate() {
        let start = Instant::now();
        let mut budget = Budget::new(1_000, 100);
        assert_eq!(budget.spend(start, 100), None);
        assert_eq!(budget.spend(start, 50), Some(start + Duration::from_millis(50)));
        let later = start + Duration::from_millis(150);
        assert_eq!(budget.spend(later, 100), None, "150 ms of silence give the whole burst back");
    }
}

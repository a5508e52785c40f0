//! What the story-teller holds: faults to put in force, and what was done.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Door, FaultRule, Link, ProxyCounters, Shared, lock};

/// A running fault proxy. It stops, and closes every connection, when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct FaultProxyHandle {
    shared: Arc<Shared>,
    address: SocketAddr,
    back: SocketAddr,
    _guard: Arc<DropGuard>,
}

impl FaultProxyHandle {
    /// The handle of a proxy whose tasks run.
    pub(super) fn new(shared: Arc<Shared>, address: SocketAddr, back: SocketAddr) -> Self {
        let guard = Arc::new(shared.stop.clone().drop_guard());
        Self { shared, address, back, _guard: guard }
    }

    /// Where the client finds it, over TCP and UDP.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the server finds it when it connects to the client's listener.
    #[must_use]
    pub const fn back_address(&self) -> SocketAddr {
        self.back
    }

    /// Puts one more fault in force, from the next message on. Of several that concern a message, the first whose dice
    /// fall so is done.
    pub fn add(&self, rule: FaultRule) {
        self.shared.plan().rules.push(rule);
    }

    /// Ends every fault and opens the door. What was silenced stays silent until it ends.
    pub fn heal(&self) {
        self.shared.plan().heal();
        self.set_door(Door::Open);
    }

    /// What happens to new connections from now on.
    pub fn set_door(&self, door: Door) {
        *lock(&self.shared.door) = door;
    }

    /// Resets every connection; says how many.
    pub fn reset_all(&self) -> usize {
        self.count_and_do("reset", Link::reset)
    }

    /// Closes every connection in order; says how many.
    pub fn close_all(&self) -> usize {
        self.count_and_do("close", Link::close)
    }

    /// From now on nothing goes through any connection that exists, in either direction, and nobody is told; says how
    /// many.
    pub fn silence_all(&self) -> usize {
        self.count_and_do("silence", Link::silence)
    }

    /// How many connections are open now, silent ones included.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        lock(&self.shared.links).len()
    }

    /// What it has seen and done.
    #[must_use]
    pub fn counters(&self) -> ProxyCounters {
        self.shared.plan().counters.clone()
    }

    /// Cancelled when the proxy stops. Does not keep it alive.
    pub(super) fn stopped(&self) -> CancellationToken {
        self.shared.stop.clone()
    }

    fn count_and_do(&self, name: &'static str, act: impl Fn(&Link)) -> usize {
        let links: Vec<_> = lock(&self.shared.links).values().cloned().collect();
        for link in &links {
            self.shared.plan().count(name);
            act(link);
        }
        links.len()
    }
}

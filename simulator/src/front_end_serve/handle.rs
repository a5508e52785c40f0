//! What the story-teller holds: commands to a running front end, and what it counted.

use std::net::SocketAddr;
use std::sync::Arc;

use presence_core::AgentUri;
use tokio_util::sync::DropGuard;

use super::control;
use super::hub::Hub;
use crate::{AgentState, Command, CommandError, FrontEndCounters};

/// A running simulated front end. It stops when the last clone is dropped.
#[derive(Clone)]
pub struct FrontEndHandle {
    hub: Arc<Hub>,
    addresses: Arc<[SocketAddr]>,
    control: Option<SocketAddr>,
    _guard: Arc<DropGuard>,
}

impl FrontEndHandle {
    /// The handle of a front end whose tasks run.
    pub(super) fn new(hub: Arc<Hub>, addresses: Vec<SocketAddr>, control: Option<SocketAddr>) -> Self {
        let guard = Arc::new(hub.stop.clone().drop_guard());
        Self { hub, addresses: addresses.into(), control, _guard: guard }
    }

    /// Where this pool listens.
    ///
    /// # Panics
    /// When there is no such pool.
    #[must_use]
    pub fn address(&self, pool: usize) -> SocketAddr {
        self.addresses[pool]
    }

    /// Where the pools listen.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where the control port listens, if there is one.
    #[must_use]
    pub const fn control(&self) -> Option<SocketAddr> {
        self.control
    }

    /// Moves an agent into a state and tells its watchers; false when there is no such agent.
    pub fn set_presence(&self, uri: &str, state: AgentState) -> bool {
        let Ok(uri) = AgentUri::parse(uri) else { return false };
        self.hub.with(|now, machine| machine.set_presence(now, &uri, state))
    }

    /// The state that an agent is in; `None` when there is no such agent.
    #[must_use]
    pub fn presence(&self, uri: &str) -> Option<AgentState> {
        let uri = AgentUri::parse(uri).ok()?;
        self.hub.with(|_, machine| machine.presence(&uri))
    }

    /// Carries out a line of the command language ([`Command`]); says what was done.
    ///
    /// # Errors
    /// What is wrong with the line, or why it cannot be done.
    pub fn command(&self, line: &str) -> Result<String, String> {
        control::run(&self.hub, line)
    }

    /// Carries out a command; says what was done.
    ///
    /// # Errors
    /// [`CommandError`]: why it cannot be done.
    pub fn apply(&self, command: &Command) -> Result<String, CommandError> {
        self.hub.with(|now, machine| machine.apply(now, command))
    }

    /// What it has seen and done. Costs a copy: not for every message.
    #[must_use]
    pub fn counters(&self) -> FrontEndCounters {
        self.hub.with(|_, machine| machine.counters())
    }

    /// How many agents are subscribed, summed over the endpoints; cheap.
    #[must_use]
    pub fn live_subscriptions(&self) -> usize {
        self.hub.with(|_, machine| machine.live_subscriptions())
    }

    /// Who has this agent subscribed, and in which pool.
    #[must_use]
    pub fn subscriptions_of(&self, uri: &str) -> Vec<(AgentUri, usize)> {
        let Ok(uri) = AgentUri::parse(uri) else { return Vec::new() };
        self.hub.with(|_, machine| machine.subscriptions_of(&uri))
    }

    /// Returns when less than this waits for every peer, in bytes: so that a benchmark fills sockets and not memory.
    pub async fn written_below(&self, bytes: usize) {
        for outbox in self.hub.outboxes() {
            outbox.below(bytes).await;
        }
    }

    /// Stops the front end and waits until its tasks have ended. Other clones of the handle are of no use afterwards.
    pub async fn stop(&self) {
        self.hub.stop.cancel();
        self.hub.tasks.wait().await;
    }

    /// Ends when the front end has stopped. Does not keep it alive.
    pub(super) fn end(&self) -> impl Future<Output = ()> + use<> {
        let (stop, tasks) = (self.hub.stop.clone(), self.hub.tasks.clone());
        async move {
            stop.cancelled().await;
            tasks.wait().await;
        }
    }
}

impl std::fmt::Debug for FrontEndHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrontEndHandle").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

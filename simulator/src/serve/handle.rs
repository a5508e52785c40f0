//! What the story-teller holds: commands to a running server, and what it counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use presence_core::AgentUri;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use super::blast::{self, Blast};
use super::clock;
use super::hub::Hub;
use super::tcp::Pause;
use crate::{AgentState, Counters, Faults, Scope, Termination};

/// A running simulated presence server. The server stops when the last clone is dropped.
#[derive(Clone)]
pub struct SimulatorHandle {
    hub: Arc<Hub>,
    address: SocketAddr,
    agents: Arc<[AgentUri]>,
    pause: mpsc::Sender<Pause>,
    deaf: Arc<AtomicBool>,
    tasks: TaskTracker,
    _guard: Arc<DropGuard>,
}

impl SimulatorHandle {
    /// The handle of a server whose tasks run.
    pub(super) fn new(
        hub: Arc<Hub>,
        address: SocketAddr,
        agents: Vec<AgentUri>,
        pause: mpsc::Sender<Pause>,
        deaf: Arc<AtomicBool>,
        tasks: TaskTracker,
    ) -> Self {
        let guard = Arc::new(hub.stop.clone().drop_guard());
        Self { hub, address, agents: agents.into(), pause, deaf, tasks, _guard: guard }
    }

    /// Where it listens, over TCP and UDP alike.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The agents that exist.
    #[must_use]
    pub fn agents(&self) -> &[AgentUri] {
        &self.agents
    }

    /// Moves an agent into a state and tells its subscribers; false when there is no such agent.
    pub fn set_presence(&self, uri: &str, state: AgentState) -> bool {
        let Ok(uri) = AgentUri::parse(uri) else {
            return false;
        };
        self.hub.with(|now, machine| machine.set_presence(now, &uri, state))
    }

    /// The state that an agent is in; `None` when there is no such agent.
    #[must_use]
    pub fn presence(&self, uri: &str) -> Option<AgentState> {
        let uri = AgentUri::parse(uri).ok()?;
        self.hub.with(|_, machine| machine.presence(&uri))
    }

    /// Ends the subscriptions of an agent with NOTIFY `terminated`; says how many there were.
    pub fn terminate(&self, uri: &str, termination: &Termination) -> usize {
        let Ok(uri) = AgentUri::parse(uri) else {
            return 0;
        };
        self.hub.with(|now, machine| machine.terminate(now, Some(&uri), termination))
    }

    /// Ends every subscription with NOTIFY `terminated`; says how many there were.
    pub fn terminate_all(&self, termination: &Termination) -> usize {
        self.hub.with(|now, machine| machine.terminate(now, None, termination))
    }

    /// Forgets every dialog without telling anyone, so that refreshes get 481; says how many there were.
    pub fn forget_dialogs(&self) -> usize {
        self.hub.with(|_, machine| machine.forget_dialogs())
    }

    /// Says nothing any more, without a sign, of the changes of one agent, or of all: dialogs stay and can be refreshed, and
    /// whoever is subscribed anew is told again. How many dialogs there were.
    pub fn mute(&self, uri: Option<&str>) -> usize {
        match uri.map(AgentUri::parse) {
            Some(Err(_)) => 0,
            Some(Ok(uri)) => self.hub.with(|_, machine| machine.mute(Some(&uri))),
            None => self.hub.with(|_, machine| machine.mute(None)),
        }
    }

    /// Puts faults in force, from the next message on.
    pub fn faults(&self, scope: &Scope, faults: Faults) {
        self.hub.with(|_, machine| machine.faults(scope, faults));
    }

    /// Ends every fault.
    pub fn heal(&self) {
        self.hub.with(|_, machine| machine.heal());
    }

    /// Closes every connection; says how many. Dialogs stay, as in a server that survives its network.
    pub fn drop_connections(&self) -> usize {
        self.hub.drop_connections()
    }

    /// Refuses new TCP connections for this long, and does not hear datagrams. Returns when nobody can connect any
    /// more; connections that exist stay. At the end of the time it listens again by itself.
    pub async fn pause_listening(&self, duration: Duration) {
        self.deaf.store(true, Ordering::Relaxed);
        let (deaf, stop) = (Arc::clone(&self.deaf), self.hub.stop.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = clock::pause(duration) => deaf.store(false, Ordering::Relaxed),
            }
        });
        let (closed, wait) = oneshot::channel();
        // Both fail only where nothing listens on TCP.
        if self.pause.send((duration, closed)).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// What it has seen and done. Costs a copy: not for every message.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.hub.with(|_, machine| machine.counters())
    }

    /// How many subscriptions there are; cheap.
    #[must_use]
    pub fn active_subscriptions(&self) -> usize {
        self.hub.with(|_, machine| machine.active_subscriptions())
    }

    /// How many subscriptions each agent has whose NOTIFYs have a connection to go out on. This server keeps the others
    /// until they run out; one that connects to the subscriber's Contact finds nobody there and ends them
    /// (RFC 6665 section 4.2.2).
    #[must_use]
    pub fn deliverable_subscriptions(&self) -> BTreeMap<String, usize> {
        self.hub.deliverable()
    }

    /// Sends this many NOTIFYs, in turn to the first `agents` subscriptions, as fast as the sockets take them, each a
    /// change (busy and available in turn), and waits until all are answered, at most `patience` after the last.
    pub async fn blast(&self, agents: usize, notifies: u64, patience: Duration) -> Blast {
        blast::run(&self.hub, agents, notifies, patience).await
    }

    /// Stops the server and waits until its tasks have ended. Other clones of the handle are of no use afterwards.
    pub async fn stop(&self) {
        self.hub.stop.cancel();
        self.tasks.wait().await;
    }

    /// Ends when the server has stopped. Does not keep it alive.
    pub(super) fn end(&self) -> impl Future<Output = ()> + use<> {
        let (stop, tasks) = (self.hub.stop.clone(), self.tasks.clone());
        async move {
            stop.cancelled().await;
            tasks.wait().await;
        }
    }
}

impl std::fmt::Debug for SimulatorHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatorHandle").field("address", &self.address).finish_non_exhaustive()
    }
}

//! The handle of a running service.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use tokio_util::sync::DropGuard;

use super::Hub;
use crate::graph_service::GraphCounters;

/// A running simulated Microsoft Graph. Clones are the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct GraphServerHandle {
    hub: Arc<Hub>,
    address: SocketAddr,
    control: Option<SocketAddr>,
    _stop: Arc<DropGuard>,
}

impl fmt::Debug for GraphServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphServerHandle").field("address", &self.address).finish_non_exhaustive()
    }
}

impl GraphServerHandle {
    pub(super) fn new(hub: Arc<Hub>, address: SocketAddr, control: Option<SocketAddr>) -> Self {
        let stop = Arc::new(hub.stop.clone().drop_guard());
        Self { hub, address, control, _stop: stop }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the control port listens.
    #[must_use]
    pub const fn control(&self) -> Option<SocketAddr> {
        self.control
    }

    /// LoginUrl and GraphUrl in one: `http://127.0.0.1:8443`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Carries out a command, as [`GraphService::command`](crate::GraphService::command).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn command(&self, line: &str) -> Result<String, String> {
        self.hub.with(|now, service| service.command(now, line))
    }

    /// A user's presence changes now; false: nobody is known by that name.
    #[must_use]
    pub fn set_presence(&self, user: &str, availability: &str, activity: &str) -> bool {
        self.hub.with(|now, service| service.set_presence(now, user, availability, activity))
    }

    /// A user's presence: availability, activity, sequenceNumber.
    #[must_use]
    pub fn presence_of(&self, user: &str) -> Option<(String, String, String)> {
        self.hub.with(|_, service| service.presence_of(user))
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> GraphCounters {
        self.hub.with(|_, service| service.counters())
    }

    /// Every secret that was given out or shown, as [`GraphService::secrets`](crate::GraphService::secrets).
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.hub.with(|_, service| service.secrets())
    }

    /// Where what is for an `https` notificationUrl is really posted, in plain HTTP, as if a reverse proxy stood there;
    /// `None`: nowhere. Loopback only.
    pub fn deliver_to(&self, address: Option<SocketAddr>) {
        *self.hub.deliver_to.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    /// Ends every connection; gives back when all is over.
    pub async fn stop(&self) {
        self.hub.stop.cancel();
        self.hub.tasks.close();
        self.hub.tasks.wait().await;
    }
}

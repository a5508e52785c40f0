//! The endpoints that are registered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use presence_core::AgentUri;

use crate::ConnectionId;

/// One registered endpoint.
#[derive(Clone, Debug)]
pub(super) struct Registration {
    /// Counts up with every REGISTER under a new Call-ID: the endpoint was started again.
    pub(super) number: u64,
    pub(super) owner: AgentUri,
    pub(super) epid: Box<str>,
    pub(super) pool: usize,
    /// Over what the last REGISTER came.
    pub(super) connection: ConnectionId,
    /// The Contact URI as the client wrote it.
    pub(super) contact: Box<str>,
    pub(super) call_id: Box<str>,
    /// The client's From, whole.
    pub(super) remote: Box<str>,
    /// Our tag in the implicit subscription.
    pub(super) local_tag: Box<str>,
    /// CSeq of the last NOTIFY of the implicit subscription.
    pub(super) sequence: u32,
    pub(super) expires_at: Instant,
}

/// All registered endpoints, by owner and epid.
#[derive(Clone, Debug, Default)]
pub(super) struct Registrations {
    last: u64,
    endpoints: BTreeMap<(Arc<str>, Box<str>), Registration>,
}

impl Registrations {
    /// A number for an endpoint that was started (again).
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn insert(&mut self, registration: Registration) {
        self.endpoints.insert((registration.owner.shared(), registration.epid.clone()), registration);
    }

    pub(super) fn get(&self, owner: &AgentUri, epid: &str) -> Option<&Registration> {
        self.endpoints.get(&(owner.shared(), epid.into()))
    }

    pub(super) fn get_mut(&mut self, owner: &AgentUri, epid: &str) -> Option<&mut Registration> {
        self.endpoints.get_mut(&(owner.shared(), epid.into()))
    }

    pub(super) fn remove(&mut self, owner: &AgentUri, epid: &str) -> Option<Registration> {
        self.endpoints.remove(&(owner.shared(), epid.into()))
    }

    /// Owner and epid of the endpoints that are so, the oldest first.
    pub(super) fn which(&self, so: impl Fn(&Registration) -> bool) -> Vec<(AgentUri, Box<str>)> {
        let mut found: Vec<_> = self.endpoints.values().filter(|one| so(one)).collect();
        found.sort_by_key(|one| one.number);
        found.into_iter().map(|one| (one.owner.clone(), one.epid.clone())).collect()
    }

    /// The endpoint with this number.
    pub(super) fn numbered(&self, number: u64) -> Option<&Registration> {
        self.endpoints.values().find(|one| one.number == number)
    }

    pub(super) fn len(&self) -> usize {
        self.endpoints.len()
    }
}

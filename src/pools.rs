//! Whether the pools of the settings can be found: the names behind `Address`, `PoolFqdn` and the endpoints' domains.

use std::time::Duration;

use presence_actors::transport::DiscoveryError;
use presence_actors::{Pool, find_pool};
use presence_config::Settings;
use presence_core::EndpointKind;
use presence_sip::TransportKind;
use serde::Serialize;

use crate::assemble;

/// How long all look-ups together may take.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// What the name servers say about one pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolFound {
    /// The name as the file has it, or the domain that the pool is discovered from.
    pub name: String,
    /// `address:port` of its servers, in the order in which they are dialled.
    pub servers: Vec<String>,
    /// Why there are none: one sentence, with what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Looks up every pool that has a name; a pool given by its address needs no look-up. Blocks, at most for [`PATIENCE`].
#[must_use]
pub fn look_up(settings: &Settings) -> Vec<PoolFound> {
    let Some(ucma) = &settings.ucma else { return Vec::new() };
    let kind = assemble::transport_kind(ucma.pool.transport);
    let mut names: Vec<Name> = Vec::new();
    for (endpoint, pool) in assemble::pools(ucma).unwrap_or_default() {
        let own = endpoint == EndpointKind::User && ucma.user_endpoint.as_ref().is_some_and(|user| user.pool.is_some());
        let name = Name { cure: cure(&pool, own), pool };
        if name.needs_look_up() && names.iter().all(|known| known.pool != name.pool) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Vec::new();
    }
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(find_all(&names, kind)),
        Err(error) => names.iter().map(|name| name.not_found(&error.to_string())).collect(),
    }
}

/// A pool that has to be looked up.
struct Name {
    pool: Pool,
    cure: &'static str,
}

impl Name {
    fn host(&self) -> &str {
        match &self.pool {
            Pool::Address { host, .. } => host,
            Pool::Discover { domain } => domain,
        }
    }

    fn needs_look_up(&self) -> bool {
        self.host().parse::<std::net::IpAddr>().is_err()
    }

    fn shown(&self) -> String {
        self.pool.target().unwrap_or_else(|| format!("discovered from {}", self.host()))
    }

    fn not_found(&self, why: &str) -> PoolFound {
        let problem = match &self.pool {
            Pool::Address { host, .. } => format!("the pool `{host}` is not found: {why}; {}", self.cure),
            Pool::Discover { domain } => format!("no pool is found for the domain {domain}: {why}; {}", self.cure),
        };
        PoolFound { name: self.shown(), servers: Vec::new(), problem: Some(problem) }
    }

    async fn find(&self, kind: TransportKind) -> PoolFound {
        // Which of several equal servers comes first does not matter here.
        let mut order: presence_sip::Entropy = Box::new(|bytes: &mut [u8]| bytes.fill(0));
        match find_pool(&self.pool, kind, &mut order).await {
            Ok(servers) => PoolFound {
                name: self.shown(),
                servers: servers.iter().map(|server| server.address.to_string()).collect(),
                problem: None,
            },
            Err(DiscoveryError::NotFound { tried, .. }) => match tried.as_slice() {
                [_] => self.not_found("this name does not exist in DNS"),
                several => self.not_found(&format!("none of {} exists in DNS", several.join(", "))),
            },
            Err(error) => self.not_found(&error.to_string()),
        }
    }
}

/// What the operator can do about a name that is not found.
const fn cure(pool: &Pool, own_pool_of_the_user: bool) -> &'static str {
    match pool {
        Pool::Discover { .. } => "write its name into Address of <Pool>",
        Pool::Address { .. } if own_pool_of_the_user => "correct PoolFqdn of <UserEndpoint>, or have the name entered",
        Pool::Address { .. } => "correct Address of <Pool>, or have the name entered",
    }
}

/// One after the other; there are two at most, so each has its share of the patience.
async fn find_all(names: &[Name], kind: TransportKind) -> Vec<PoolFound> {
    let share = PATIENCE / u32::try_from(names.len()).unwrap_or(u32::MAX).max(1);
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        found.push(match tokio::time::timeout(share, name.find(kind)).await {
            Ok(found) => found,
            Err(_) => name.not_found("the name servers of this machine did not answer in time"),
        });
    }
    found
}

//! Looking up the servers of a pool in DNS.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use thiserror::Error;

/// For one question to one name server.
const ANSWER: Duration = Duration::from_secs(2);

/// Why the servers of a pool were not found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DiscoveryError {
    /// The configuration of the operating system's resolver cannot be used.
    #[error("read the name servers of this machine: {0}")]
    System(String),
    /// A name server did not answer, or not usably; it is worth trying again.
    #[error("look up {name}: {why}")]
    Lookup {
        /// What was asked for.
        name: String,
        /// What went wrong.
        why: String,
    },
    /// Every name that could lead to the pool was looked up, and none exists.
    #[error("find the pool of {domain}: none of {} exists in DNS", .tried.join(", "))]
    NotFound {
        /// The domain or host that was asked for.
        domain: String,
        /// The names that were tried, in their order.
        tried: Vec<String>,
    },
}

/// One SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRecord {
    /// Lower ones are tried first.
    pub priority: u16,
    /// The share among those of the same priority.
    pub weight: u16,
    /// Where the service listens.
    pub port: u16,
    /// The host, without the final dot.
    pub host: String,
}

/// Asks the name servers.
#[derive(Clone)]
pub struct Resolver {
    inner: TokioResolver,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}

impl Resolver {
    /// With the name servers and the hosts file of this machine.
    ///
    /// # Errors
    /// [`DiscoveryError::System`].
    pub fn of_this_machine() -> Result<Self, DiscoveryError> {
        let mut builder = TokioResolver::builder_tokio().map_err(|error| DiscoveryError::System(error.to_string()))?;
        builder.options_mut().timeout = ANSWER;
        Ok(Self { inner: builder.build().map_err(|error| DiscoveryError::System(error.to_string()))? })
    }

    /// With this name server only.
    ///
    /// # Errors
    /// [`DiscoveryError::System`].
    pub fn with_name_server(server: SocketAddr) -> Result<Self, DiscoveryError> {
        let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
        for connection in &mut connections {
            connection.port = server.port();
        }
        let config = ResolverConfig::from_name_servers(vec![NameServerConfig::new(server.ip(), true, connections)]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().timeout = ANSWER;
        Ok(Self { inner: builder.build().map_err(|error| DiscoveryError::System(error.to_string()))? })
    }

    /// The SRV records of a service, as they came; none when the name does not exist.
    ///
    /// # Errors
    /// [`DiscoveryError::Lookup`] when no name server gave an answer.
    pub async fn services(&self, name: &str) -> Result<Vec<ServiceRecord>, DiscoveryError> {
        let Some(found) = existing(name, self.inner.srv_lookup(absolute(name)).await)? else { return Ok(Vec::new()) };
        let records = found.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(ServiceRecord {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                host: srv.target.to_ascii().trim_end_matches('.').to_owned(),
            }),
            _ => None,
        });
        // A target of "." says that the service is decidedly not offered (RFC 2782).
        Ok(records.filter(|record| !record.host.is_empty()).collect())
    }

    /// The addresses of a host; none when the name does not exist.
    ///
    /// # Errors
    /// [`DiscoveryError::Lookup`] when no name server gave an answer.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DiscoveryError> {
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
            return Ok(vec![address]);
        }
        let found = existing(host, self.inner.lookup_ip(absolute(host)).await)?;
        Ok(found.map(|found| found.iter().collect()).unwrap_or_default())
    }
}

/// Names of pools are complete: no search domain is appended.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

fn existing<T>(name: &str, answer: Result<T, NetError>) -> Result<Option<T>, DiscoveryError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_nx_domain() || error.is_no_records_found() => Ok(None),
        Err(error) => Err(DiscoveryError::Lookup { name: name.to_owned(), why: error.to_string() }),
    }
}

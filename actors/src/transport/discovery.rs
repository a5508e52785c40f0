//! Looking up the servers of a pool in DNS.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use presence_sip::discovery::{self, Convention, Question, SrvRecord};
use presence_sip::{Entropy, TransportKind};
use thiserror::Error;

use super::Server;

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

impl Resolver {
    /// The servers of a pool in the order in which they are to be dialled; at least one.
    ///
    /// The first service that exists decides. Without one it is all of the documented hosts and ports, in their order, as
    /// only dialling tells at which of them somebody listens. A name server that fails for one name does not keep the next
    /// one from being asked. The name that a server's certificate must carry is
    /// - the pool's own name, also when an SRV record led to the server (RFC 3263 section 4.1, RFC 5922 section 7.1);
    /// - by the convention of Skype for Business the name that the SRV record gives, as its front ends do not carry the
    ///   name of the user's domain. A record that leads out of the domain is not followed (ms-diagnostics 1009).
    ///
    /// # Errors
    /// [`DiscoveryError::NotFound`] when none of the names exists, [`DiscoveryError::Lookup`] when that is not known.
    pub async fn find(
        &self,
        host: &str,
        port: Option<u16>,
        kind: TransportKind,
        convention: Convention,
        entropy: &mut Entropy,
    ) -> Result<Vec<Server>, DiscoveryError> {
        let mut tried = Vec::new();
        let mut failed = None;
        let mut hosts = Vec::new();
        for question in discovery::questions(host, port, kind, convention) {
            let is_service = matches!(question, Question::Service(_));
            let (asked, answer) = match question {
                Question::Address(server) => {
                    let answer = self.reachable(std::slice::from_ref(&server), None).await;
                    (server.host, answer)
                }
                Question::Service(service) => {
                    let answer = match self.services(&service).await {
                        Ok(records) => {
                            let mut servers =
                                discovery::order(records.into_iter().map(SrvRecord::from).collect(), entropy);
                            let own_name = convention == Convention::Rfc3263;
                            servers.retain(|server| own_name || discovery::belongs_to(&server.host, host));
                            self.reachable(&servers, own_name.then_some(host)).await
                        }
                        Err(why) => Err(why),
                    };
                    (service, answer)
                }
            };
            match answer {
                Ok(servers) if is_service && !servers.is_empty() => return Ok(servers),
                Ok(servers) => hosts.extend(servers),
                Err(why) => failed = failed.or(Some(why)),
            }
            if !tried.contains(&asked) {
                tried.push(asked);
            }
        }
        if !hosts.is_empty() {
            return Ok(hosts);
        }
        Err(failed.unwrap_or_else(|| DiscoveryError::NotFound { domain: host.to_owned(), tried }))
    }

    /// The addresses of these hosts, in their order; `name` is what the certificates must carry, otherwise the host.
    async fn reachable(&self, hosts: &[discovery::Server], name: Option<&str>) -> Result<Vec<Server>, DiscoveryError> {
        let mut servers = Vec::new();
        let mut failed = None;
        for host in hosts {
            match self.addresses(&host.host).await {
                Ok(addresses) => servers.extend(addresses.into_iter().map(|address| Server {
                    address: SocketAddr::new(address, host.port),
                    name: name.unwrap_or(&host.host).to_owned(),
                })),
                Err(why) => failed = Some(why),
            }
        }
        match failed {
            Some(why) if servers.is_empty() => Err(why),
            _ => Ok(servers),
        }
    }
}

impl From<ServiceRecord> for SrvRecord {
    fn from(ServiceRecord { priority, weight, port, host }: ServiceRecord) -> Self {
        Self { priority, weight, port, target: host }
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

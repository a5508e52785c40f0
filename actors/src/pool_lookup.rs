//! From a pool's name to the servers that are dialled, in their order.

use std::net::SocketAddr;

use presence_sip::discovery::{self, Convention, Question, SrvRecord};
use presence_sip::{Entropy, TransportKind};

use crate::entropy;
use crate::setup::Pool;
use crate::transport::{DiscoveryError, Resolver, Server};

/// Finds the servers of a pool. A server found by SRV is checked by the name of its record's target, RFC 3263's own
/// rule; every other one by the pool's name.
///
/// # Errors
/// When no name server answers, or none of the names exists.
pub(crate) async fn find(pool: &Pool, kind: TransportKind) -> Result<Vec<Server>, DiscoveryError> {
    let (host, port, convention) = match pool {
        Pool::Address { host, port } => (host.as_str(), *port, Convention::Rfc3263),
        Pool::Discover { domain } => (domain.as_str(), None, Convention::SkypeForBusiness),
    };
    let mut order: Entropy = Box::new(entropy::fill);
    let mut tried = Vec::new();
    for question in discovery::questions(host, port, kind, convention) {
        let candidates = match question {
            Question::Address(server) => vec![server],
            Question::Service(name) => {
                let records = Resolver::of_this_machine()?.services(&name).await?;
                tried.push(name);
                let records = records.into_iter().map(|record| SrvRecord {
                    priority: record.priority,
                    weight: record.weight,
                    port: record.port,
                    target: record.host,
                });
                discovery::order(records.collect(), &mut order)
            }
        };
        let mut servers = Vec::new();
        for candidate in candidates {
            for address in addresses(&candidate.host).await? {
                let address = SocketAddr::new(address, candidate.port);
                servers.push(Server { address, name: candidate.host.clone() });
            }
            tried.push(candidate.host);
        }
        if !servers.is_empty() {
            return Ok(servers);
        }
    }
    Err(DiscoveryError::NotFound { domain: host.to_owned(), tried })
}

/// The addresses of a host; an address is its own, and nobody is asked.
async fn addresses(host: &str) -> Result<Vec<std::net::IpAddr>, DiscoveryError> {
    match host.parse() {
        Ok(address) => Ok(vec![address]),
        Err(_) => Resolver::of_this_machine()?.addresses(host).await,
    }
}

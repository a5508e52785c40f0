//! From a pool's name to the servers that are dialled, in their order.

use presence_sip::discovery::Convention;
use presence_sip::{Entropy, TransportKind};

use crate::setup::Pool;
use crate::transport::{DiscoveryError, Resolver, Server};

/// Finds the servers of a pool in the order in which they are dialled; among equals `order` decides. The resolver is made
/// anew for each look-up, so that a machine whose name servers have changed is asked the right ones.
///
/// # Errors
/// When no name server answers, or none of the names exists.
pub async fn find_pool(pool: &Pool, kind: TransportKind, order: &mut Entropy) -> Result<Vec<Server>, DiscoveryError> {
    let (host, port, convention) = match pool {
        Pool::Address { host, port } => (host.as_str(), *port, Convention::Rfc3263),
        Pool::Discover { domain } => (domain.as_str(), None, Convention::SkypeForBusiness),
    };
    if let Ok(address) = host.parse() {
        let address = std::net::SocketAddr::new(address, port.unwrap_or(kind.default_port()));
        return Ok(vec![Server { address, name: host.to_owned() }]);
    }
    Resolver::of_this_machine()?.find(host, port, kind, convention, order).await
}

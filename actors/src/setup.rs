//! What the tree of actors is built from. `src/assemble.rs` makes it from Config.xml.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use presence_core::{AgentUri, EndpointKind, EndpointMemory, EndpointPolicy, Remembered, RetryPolicy, SourceRules};
use presence_sip::{Credentials, Limits, Timers, TransportKind};

use crate::entropy::RandomBytes;
use crate::graph_setup::GraphSetup;
use crate::transport::{MemoryNetwork, TlsIdentity};
use crate::ucc::DEFAULT_OUTBOX;
use crate::wanted::DEFAULT_MOST_AGENTS;

/// Where an endpoint's pool is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pool {
    /// At this name or address; without a port the name is looked up as an SRV domain first, then on the default port.
    Address {
        /// A fully qualified name, an IPv4 address or an IPv6 address, with brackets or without.
        host: String,
        /// The port, when it was given.
        port: Option<u16>,
    },
    /// By the SRV and address records of this SIP domain, in the documented order.
    Discover {
        /// The domain of the endpoint's URI.
        domain: String,
    },
}

impl Pool {
    /// The pool as the host part of a SIP URI (RFC 3261 section 25.1): an IPv6 address in brackets, the port where one was
    /// given. None when it has to be discovered.
    #[must_use]
    pub fn target(&self) -> Option<String> {
        let Self::Address { host, port } = self else { return None };
        let bare = host.contains(':') && !host.starts_with('[');
        let host = if bare { format!("[{host}]") } else { host.clone() };
        Some(port.map_or_else(|| host.clone(), |port| format!("{host}:{port}")))
    }
}

/// How a pool is spoken to about presence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DialectSetup {
    /// One dialog per agent (RFC 3856).
    #[default]
    Simple,
    /// Skype for Business: one dialog with a list of agents (MS-PRES).
    Skype {
        /// Whether the endpoint registers at its pool. Without it a pool gives no presence, by all that is known.
        registers: bool,
    },
}

/// One local endpoint: an identity of ours at a pool.
#[derive(Clone, Debug)]
pub struct EndpointSetup {
    /// Application or user endpoint.
    pub kind: EndpointKind,
    /// Its identity, the From of all its requests.
    pub uri: AgentUri,
    /// Its pool.
    pub pool: Pool,
    /// How it speaks to the pool about presence.
    pub dialect: DialectSetup,
    /// What carries that.
    pub transport: TransportKind,
    /// Where it listens for connections of the pool; none: the pool answers on our own connection.
    pub listen: Option<SocketAddr>,
    /// Certificates, for TLS.
    pub tls: Option<TlsIdentity>,
    /// What it answers a digest challenge with.
    pub credentials: Option<Credentials>,
    /// How long a subscription is asked for.
    pub expires: Duration,
    /// The timers of RFC 3261.
    pub timers: Timers,
    /// When it probes its pool.
    pub policy: EndpointPolicy,
    /// What it accepts from the wire.
    pub limits: Limits,
    /// A network in memory instead of sockets, for tests.
    pub memory: Option<Arc<MemoryNetwork>>,
    /// Where its Call-IDs, tags and branches come from.
    pub random: RandomBytes,
}

impl EndpointSetup {
    /// An endpoint with the usual timers and limits, without listener, certificates and credentials.
    #[must_use]
    pub fn new(kind: EndpointKind, uri: AgentUri, pool: Pool, transport: TransportKind) -> Self {
        Self {
            kind,
            uri,
            pool,
            dialect: DialectSetup::default(),
            transport,
            listen: None,
            tls: None,
            credentials: None,
            expires: Duration::from_secs(3600),
            timers: Timers::default(),
            policy: EndpointPolicy::default(),
            limits: Limits::default(),
            memory: None,
            random: RandomBytes::default(),
        }
    }
}

impl EndpointSetup {
    /// Which endpoint it is, for the next run: nothing is held against it.
    pub(crate) fn identity(&self) -> EndpointMemory {
        let pool = match &self.pool {
            Pool::Address { .. } => self.pool.target().unwrap_or_default(),
            Pool::Discover { domain } => format!("discovered from {domain}"),
        };
        EndpointMemory { kind: self.kind, uri: self.uri.clone(), pool: pool.into(), next_attempt: None, troubles: 0 }
    }
}

/// What the provider is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// MaxPresenceSubscriptionsPerSecond.
    pub subscriptions_per_second: NonZeroU32,
    /// FailedPresenceSubscriptionsResubscribeDelay and MaxFailedPresenceSubscriptionsResubscribeDelay.
    pub retry: RetryPolicy,
    /// MaxFailedPresenceSubscriptionsPerUri; 0 is no limit.
    pub max_failures: u32,
    /// Which source serves which agent.
    pub rules: SourceRules,
    /// The local endpoints of UcmaPresenceSource: the application endpoint, and perhaps the user endpoint.
    pub endpoints: Vec<EndpointSetup>,
    /// Microsoft Graph, when its source is enabled.
    pub graph: Option<GraphSetup>,
    /// How many events wait for a slow UCC before it has lagged.
    pub outbox: usize,
    /// How many different agents may be wanted; who asks for more is told so.
    pub most_agents: NonZeroUsize,
    /// How often what is held of one agent is compared with what its pool says when it is asked; `None`: never.
    pub sample_interval: Option<Duration>,
    /// What an earlier run has left ([`Provider::remember`](crate::Provider::remember)); none: a cold start.
    pub restored: Option<Remembered>,
}

impl Setup {
    /// The seed's defaults: 15 per second, 900 s doubling to 28,800 s, 3 failures.
    ///
    /// # Panics
    /// Never: the defaults are valid.
    #[must_use]
    pub fn new(rules: SourceRules, endpoints: Vec<EndpointSetup>) -> Self {
        Self {
            subscriptions_per_second: NonZeroU32::new(15).expect("15 is not zero"),
            retry: RetryPolicy::default(),
            max_failures: 3,
            rules,
            endpoints,
            graph: None,
            outbox: DEFAULT_OUTBOX,
            most_agents: DEFAULT_MOST_AGENTS,
            sample_interval: None,
            restored: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_stands_in_brackets_and_a_domain_is_no_target() {
        let target = |host: &str, port| Pool::Address { host: host.into(), port }.target();
        assert_eq!(target("::1", Some(5060)).as_deref(), Some("[::1]:5060"));
        assert_eq!(target("[::1]", None).as_deref(), Some("[::1]"));
        assert_eq!(target("pool.example.com", Some(5061)).as_deref(), Some("pool.example.com:5061"));
        assert_eq!(target("192.0.2.1", None).as_deref(), Some("192.0.2.1"));
        assert_eq!(Pool::Discover { domain: "example.com".into() }.target(), None);
    }
}

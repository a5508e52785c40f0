//! `Http`, an addition of ours: the API, the dashboard and the metrics.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// How the HTTP API is reached and what it takes. All defaults when the file has no `Http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// `Listen`: where it listens.
    pub listen: SocketAddr,
    /// True when the file says `Listen`: then a start fails when nothing can listen there.
    pub listen_given: bool,
    /// `Tokens`: the file of the tokens; without it no token is required, which only a listener on loopback may do.
    pub tokens: Option<PathBuf>,
    /// `Certificate`: certificate and chain, PEM; with `PrivateKey` the listener speaks TLS.
    pub certificate: Option<PathBuf>,
    /// `PrivateKey`: the key of the certificate, PEM.
    pub private_key: Option<PathBuf>,
    /// `HostNames`: names by which clients reach us, beside the addresses and `localhost`; lower case. Requests for other
    /// hosts are refused where no token is required (they come from a page that somebody else's name server sent here).
    pub host_names: Vec<String>,
    /// `UccLinger`: how long the interest of a remote queue outlives its last connection or request.
    pub ucc_linger: Duration,
    /// `EventsKept`: how many events are kept per remote queue for a reader that comes back.
    pub events_kept: usize,
    /// `RequestsPerSecond`: how many requests one token (or address, without tokens) may make; bursts of twice as many.
    pub requests_per_second: NonZeroU32,
    /// `MaxConnections`: how many connections are open at most.
    pub max_connections: NonZeroU32,
}

impl HttpSettings {
    /// The port without `Listen`.
    pub const DEFAULT_PORT: u16 = 8365;

    /// True when the listener can be reached from this computer only.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.listen.ip().is_loopback()
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Self::DEFAULT_PORT),
            listen_given: false,
            tokens: None,
            certificate: None,
            private_key: None,
            host_names: Vec::new(),
            ucc_linger: Duration::from_secs(60),
            events_kept: 10_000,
            requests_per_second: NonZeroU32::new(100).unwrap_or(NonZeroU32::MIN),
            max_connections: NonZeroU32::new(10_000).unwrap_or(NonZeroU32::MIN),
        }
    }
}

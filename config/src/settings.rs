//! What a Config.xml says, checked and with the defaults filled in.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::http::HttpSettings;
use presence_core::{AgentUri, MatchRules, SourceRules};
use serde::{Deserialize, Serialize};

/// `MaxPresenceSubscriptionsPerSecond` when the file does not say it (seed).
pub const DEFAULT_SUBSCRIPTIONS_PER_SECOND: NonZeroU32 = NonZeroU32::new(15).expect("15 is not zero");
/// `FailedPresenceSubscriptionsResubscribeDelay` when the file does not say it: 900 s (seed).
pub const DEFAULT_RESUBSCRIBE_DELAY: Duration = Duration::from_secs(900);
/// `MaxFailedPresenceSubscriptionsResubscribeDelay` when the file does not say it: 28,800 s, 8 hours (seed).
pub const DEFAULT_MAX_RESUBSCRIBE_DELAY: Duration = Duration::from_secs(28_800);
/// `MaxFailedPresenceSubscriptionsPerUri` when the file does not say it (seed).
pub const DEFAULT_MAX_FAILED_PER_URI: u32 = 3;
/// The port of the trusted application, where the pool connects to us (seed: `New-CsTrustedApplication -Port 6120`).
pub const DEFAULT_LISTEN_PORT: u16 = 6120;

/// The effective settings of one Config.xml.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The throttle: SUBSCRIBE requests per second.
    pub max_presence_subscriptions_per_second: NonZeroU32,
    /// The delay before the first retry; it doubles with every further failure.
    pub failed_presence_subscriptions_resubscribe_delay: Duration,
    /// The longest delay between two retries.
    pub max_failed_presence_subscriptions_resubscribe_delay: Duration,
    /// So many failures in a row are retried; one more abandons the agent. 0 never abandons.
    pub max_failed_presence_subscriptions_per_uri: u32,
    /// The UCMA source, when it is enabled.
    pub ucma: Option<UcmaSettings>,
    /// True when the PSTN source is enabled.
    pub pstn: bool,
    /// The patterns of the attendant service source, when it is enabled.
    pub attendant: Option<MatchRules>,
    /// The Microsoft Graph source, when it is enabled.
    pub graph: Option<GraphSettings>,
    /// The HTTP API, unless it is switched off.
    pub http: Option<HttpSettings>,
    /// The queues that the standalone process hosts, in the order of the file.
    pub contact_centers: Vec<ContactCenter>,
    /// Names of the settings that the file does not say, so that their default holds, e.g.
    /// `MaxPresenceSubscriptionsPerSecond` or `Pool/@Transport`.
    pub defaulted: BTreeSet<&'static str>,
}

/// Everything at its default: no source enabled, no queue.
impl Default for Settings {
    fn default() -> Self {
        Self {
            max_presence_subscriptions_per_second: DEFAULT_SUBSCRIPTIONS_PER_SECOND,
            failed_presence_subscriptions_resubscribe_delay: DEFAULT_RESUBSCRIBE_DELAY,
            max_failed_presence_subscriptions_resubscribe_delay: DEFAULT_MAX_RESUBSCRIBE_DELAY,
            max_failed_presence_subscriptions_per_uri: DEFAULT_MAX_FAILED_PER_URI,
            ucma: None,
            pstn: false,
            attendant: None,
            graph: None,
            http: Some(HttpSettings::default()),
            contact_centers: Vec::new(),
            defaulted: BTreeSet::new(),
        }
    }
}

impl Settings {
    /// Which source serves which agent.
    #[must_use]
    pub fn source_rules(&self) -> SourceRules {
        SourceRules {
            attendant: self.attendant.clone(),
            pstn: self.pstn,
            graph: self.graph.is_some(),
            ucma: self.ucma.is_some(),
        }
    }

    /// Every agent of every queue once, in the order of their normal form.
    #[must_use]
    pub fn agents(&self) -> BTreeSet<AgentUri> {
        self.contact_centers.iter().flat_map(|center| &center.agents).map(|agent| agent.uri.clone()).collect()
    }
}

/// The UCMA source: SIP towards a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UcmaSettings {
    /// `ApplicationId`, such as `urn:application:ucc_presenceprovider01`.
    pub application_id: String,
    /// `ApplicationEndpoint/@OwnerUri`: as whom the application endpoint subscribes.
    pub application_endpoint: AgentUri,
    /// The optional second endpoint.
    pub user_endpoint: Option<UserEndpoint>,
    /// How the pool is reached; all defaults when the file has no `Pool`.
    pub pool: PoolSettings,
}

/// The user endpoint of the UCMA source (hybrid environments).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEndpoint {
    /// `UserUri`: as whom this endpoint subscribes.
    pub uri: AgentUri,
    /// `PoolFqdn`: this user's own pool; without it that of the application endpoint is used.
    pub pool: Option<PoolAddress>,
}

/// A host with an optional port: `fqdn` or `fqdn:port`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolAddress {
    /// A host name in lower case or an IP address (IPv6 without its brackets).
    pub host: String,
    /// The port; without it the service records of the name or the transport's own port decide.
    pub port: Option<u16>,
}

/// `host`, `host:port` or `[address]:port`.
impl std::fmt::Display for PoolAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            Some(port) => write!(f, "{host}:{port}"),
            None => f.write_str(&host),
        }
    }
}

/// What carries the SIP messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// `udp`
    Udp,
    /// `tcp`
    Tcp,
    /// `tls`: with certificates checked in both directions. The default.
    #[default]
    Tls,
}

impl Transport {
    /// As it is written in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// Which kind of presence server the pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// `skype`: a Skype for Business front end. The default.
    #[default]
    Skype,
    /// `simple`: a presence server after RFC 3856, such as Kamailio.
    Simple,
}

impl Dialect {
    /// As it is written in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skype => "skype",
            Self::Simple => "simple",
        }
    }
}

/// `Pool`, an addition of ours: how the presence server is reached.
///
/// [`load`](crate::load) has already resolved the files' names (see [`FileLookup`](crate::FileLookup)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// `Address`; without it the pool is discovered from the domain of the endpoint (service records).
    pub address: Option<PoolAddress>,
    /// `Transport`.
    pub transport: Transport,
    /// `Dialect`.
    pub dialect: Dialect,
    /// `Listen`: where the pool may connect to us. Without it port 6120 on all addresses in the dialect `skype`, and no
    /// listener in the dialect `simple`, where the pool answers on our own connection.
    pub listen: Option<SocketAddr>,
    /// `Certificate`: our certificate and its chain, PEM.
    pub certificate: Option<PathBuf>,
    /// `PrivateKey`: the key of our certificate, PEM.
    pub private_key: Option<PathBuf>,
    /// `TrustedCertificates`: the authorities that may sign the pool's certificate, PEM.
    pub trusted_certificates: Option<PathBuf>,
    /// `PeerNames`: names that the pool's certificate may have, beside the pool's own; lower case.
    pub peer_names: Vec<String>,
    /// `UserName` for digest authentication.
    pub user_name: Option<String>,
    /// `PasswordFile`: the file whose first line is the password of `UserName`.
    pub password_file: Option<PathBuf>,
    /// `UseRegistration`: in the dialect `skype` each endpoint registers before it subscribes. True unless the file says
    /// otherwise: a pool gives presence to registered endpoints only. The dialect `simple` registers nobody.
    pub use_registration: bool,
}

impl PoolSettings {
    pub(crate) const fn default_listen(dialect: Dialect) -> Option<SocketAddr> {
        match dialect {
            Dialect::Skype => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DEFAULT_LISTEN_PORT)),
            Dialect::Simple => None,
        }
    }
}

/// What holds without a `Pool` element.
impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            address: None,
            transport: Transport::default(),
            dialect: Dialect::default(),
            listen: Self::default_listen(Dialect::default()),
            certificate: None,
            private_key: None,
            trusted_certificates: None,
            peer_names: Vec::new(),
            user_name: None,
            password_file: None,
            use_registration: true,
        }
    }
}

/// The Microsoft Graph source. It is read and checked, but not served by this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphSettings {
    /// `Accounts/Account` in the order of the file.
    pub accounts: Vec<GraphAccount>,
}

/// One account of the Microsoft Graph source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphAccount {
    /// `Id`: the name of the account.
    pub id: String,
    /// `TenantId`: a GUID or a domain of the tenant.
    pub tenant_id: String,
}

/// A contact centre queue that the standalone process hosts, an addition of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactCenter {
    /// `Name`, such as `ucc_app01`; unique without regard to case.
    pub name: String,
    /// Its agents in the order of the file, each once.
    pub agents: Vec<ContactCenterAgent>,
}

/// An agent of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactCenterAgent {
    /// `Uri`.
    pub uri: AgentUri,
    /// `Formal`: false unless the file says otherwise.
    pub formal: bool,
    /// `Active`: true unless the file says otherwise.
    pub active: bool,
}

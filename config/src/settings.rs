//! What a Config.xml says, checked and with the defaults filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::http::HttpSettings;
use crate::state::StateSettings;
use presence_core::{AgentUri, GraphRules, MatchRules, SourceRules};
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
    /// What a restart begins with, unless that is switched off.
    pub state: Option<StateSettings>,
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
            state: Some(StateSettings::default()),
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
            graph: self.graph.as_ref().map(|graph| GraphRules {
                users: graph.users.keys().cloned().collect(),
                patterns: graph.patterns.clone(),
                domains: graph.accounts.iter().flat_map(|account| account.domains.iter().cloned()).collect(),
            }),
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
    /// `SampleInterval`: how often one agent is asked for, to see whether the pool still notifies; `None`: never.
    pub sample_interval: Option<Duration>,
}

/// How often one agent is asked for unless the file says otherwise.
pub(crate) const DEFAULT_SAMPLE_INTERVAL: Duration = Duration::from_secs(10);

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
            sample_interval: Some(DEFAULT_SAMPLE_INTERVAL),
        }
    }
}

/// The Microsoft Graph source. Everything beside `Accounts` is an addition of ours.
#[derive(Clone, Debug)]
pub struct GraphSettings {
    /// `Accounts/Account` in the order of the file.
    pub accounts: Vec<GraphAccount>,
    /// `Cloud`: which of Microsoft's clouds.
    pub cloud: GraphCloud,
    /// `LoginUrl`: another host for tokens than the cloud's, `https://host[:port]`; `http` only on loopback.
    pub login_url: Option<String>,
    /// `GraphUrl`: another host for Graph than the cloud's, likewise.
    pub graph_url: Option<String>,
    /// `Match`: the patterns of its agents, where there are any.
    pub patterns: Option<MatchRules>,
    /// `Users/User`: agents that are mapped to a user's object id (a GUID in lower case).
    pub users: BTreeMap<AgentUri, String>,
    /// `SweepInterval`: how long a sweep over all agents takes.
    pub sweep: Duration,
    /// `RequestsPerSecond`: how many requests one account makes at most in any second.
    pub requests_per_second: NonZeroU32,
    /// `AgentsPerSecond`: how many agents are registered at most in any second.
    pub agents_per_second: NonZeroU32,
    /// `Credentials`: the directory of the accounts' credential files. [`load`](crate::load) has filled in the folder of
    /// Config.xml where the file does not say it.
    pub credentials: Option<PathBuf>,
    /// `StateDirectory`: where refresh tokens are kept. [`load`](crate::load) has filled in that of the service manager, or
    /// `state` in the folder of Config.xml, where the file does not say it.
    pub state_directory: Option<PathBuf>,
    /// `Proxy`: `http://host:port`; without it the environment's (`HTTPS_PROXY`, `NO_PROXY`).
    pub proxy: Option<String>,
    /// `TrustedCertificates`: authorities beside those of the system, PEM.
    pub trusted_certificates: Option<PathBuf>,
    /// `Notifications`: change notifications, where they are wanted.
    pub notifications: Option<GraphNotifications>,
}

impl GraphSettings {
    /// `SweepInterval` without one in the file.
    pub const DEFAULT_SWEEP: Duration = Duration::from_secs(5);
    /// `Notifications/@SweepInterval` without one in the file.
    pub const DEFAULT_SLOW_SWEEP: Duration = Duration::from_secs(60);
    /// `RequestsPerSecond` without one in the file: 60 % of what Microsoft documents (1,500 in 30 s).
    pub const DEFAULT_REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(30).expect("30 is not zero");
    /// `AgentsPerSecond` without one in the file: one full request.
    pub const DEFAULT_AGENTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(650).expect("650 is not zero");
}

/// Everything at its default: no account.
impl Default for GraphSettings {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            cloud: GraphCloud::default(),
            login_url: None,
            graph_url: None,
            patterns: None,
            users: BTreeMap::new(),
            sweep: Self::DEFAULT_SWEEP,
            requests_per_second: Self::DEFAULT_REQUESTS_PER_SECOND,
            agents_per_second: Self::DEFAULT_AGENTS_PER_SECOND,
            credentials: None,
            state_directory: None,
            proxy: None,
            trusted_certificates: None,
            notifications: None,
        }
    }
}

/// One of Microsoft's clouds that have presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GraphCloud {
    /// `global`: the world's, and GCC. The default.
    #[default]
    Global,
    /// `usgov`: GCC High (L4).
    UsGov,
    /// `usgovdod`: the Department of Defense (L5).
    UsGovDod,
}

impl GraphCloud {
    /// As it is written in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::UsGov => "usgov",
            Self::UsGovDod => "usgovdod",
        }
    }

    /// The host that gives tokens.
    #[must_use]
    pub const fn login_host(self) -> &'static str {
        match self {
            Self::Global => "login.microsoftonline.com",
            Self::UsGov | Self::UsGovDod => "login.microsoftonline.us",
        }
    }

    /// The host of Graph.
    #[must_use]
    pub const fn graph_host(self) -> &'static str {
        match self {
            Self::Global => "graph.microsoft.com",
            Self::UsGov => "graph.microsoft.us",
            Self::UsGovDod => "dod-graph.microsoft.us",
        }
    }

    /// True where Microsoft notifies of presence.
    #[must_use]
    pub const fn has_notifications(self) -> bool {
        matches!(self, Self::Global)
    }
}

/// `Notifications`: where Microsoft reaches us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphNotifications {
    /// `Url`: `https://` and a name that Microsoft's servers find, with the path `/graph/notifications` unless it has one.
    pub url: String,
    /// `SweepInterval`: how long a sweep takes over agents whose notifications work.
    pub sweep: Duration,
}

/// One account of the Microsoft Graph source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphAccount {
    /// `Id`: the name of the account and of its credential.
    pub id: String,
    /// `TenantId`: a GUID or a domain of the tenant.
    pub tenant_id: String,
    /// `Domains`, an addition of ours: the domains whose agents are users of this tenant; lower case.
    pub domains: Vec<String>,
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

//! From the settings of Config.xml to the tree of actors.

use std::net::SocketAddr;
use std::path::PathBuf;

use presence_actors::transport::{TlsError, TlsFiles, TlsIdentity};
use presence_actors::{DialectSetup, EndpointSetup, Pool, Setup};
use presence_config::{Dialect, PoolAddress, PoolSettings, Settings, Transport, UcmaSettings};
use presence_core::{AgentUri, EndpointKind, RetryPolicy, RetryPolicyError};
use presence_sip::{Credentials, TransportKind};

use crate::graph::{GraphAssembleError, graph_setup};

/// Why good settings cannot be started from. The text fits after "failed to start: ".
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The delays contradict each other.
    #[error("the delays between retries: {0}")]
    Retry(#[from] RetryPolicyError),
    /// A certificate, a key or the authorities cannot be used.
    #[error("TLS towards the pool: {0}")]
    Tls(#[from] TlsError),
    /// The file of the password cannot be read.
    #[error("the password of `{user}` cannot be read from {path}: {source}")]
    Password {
        /// The UserName.
        user: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file of the password holds none.
    #[error("the password of `{user}` is not in {path}: its first line is empty")]
    EmptyPassword {
        /// The UserName.
        user: String,
        /// The file.
        path: PathBuf,
    },
    /// There is a user name and no password.
    #[error("the Pool has the UserName `{0}` and no PasswordFile; name the file whose first line is the password")]
    NoPassword(String),
    /// An agent's URI of an endpoint has no domain to look the pool up by.
    #[error("`{0}` has no domain to look the pool up by; name the pool's Address")]
    NoDomain(AgentUri),
    /// The Graph source cannot be built.
    #[error("Microsoft Graph: {0}")]
    Graph(#[from] GraphAssembleError),
}

/// Builds what [`presence_actors::Provider::start`] takes.
///
/// # Errors
/// When what the settings name cannot be used: a certificate, a password file, a dialect, the credential of an account.
pub fn setup(settings: &Settings) -> Result<Setup, AssembleError> {
    let mut setup = pool_setup(settings)?;
    setup.graph = graph_setup(settings)?;
    Ok(setup)
}

/// The same without the Graph source.
pub(crate) fn pool_setup(settings: &Settings) -> Result<Setup, AssembleError> {
    let endpoints = settings.ucma.as_ref().map(endpoints).transpose()?.unwrap_or_default();
    let mut setup = Setup::new(settings.source_rules(), endpoints);
    setup.subscriptions_per_second = settings.max_presence_subscriptions_per_second;
    setup.retry = RetryPolicy::try_new(
        settings.failed_presence_subscriptions_resubscribe_delay,
        settings.max_failed_presence_subscriptions_resubscribe_delay,
    )?;
    setup.sample_interval = settings.ucma.as_ref().and_then(|ucma| ucma.pool.sample_interval);
    setup.max_failures = settings.max_failed_presence_subscriptions_per_uri;
    Ok(setup)
}

fn endpoints(ucma: &UcmaSettings) -> Result<Vec<EndpointSetup>, AssembleError> {
    let shared = Shared::of(&ucma.pool)?;
    let endpoint = |(kind, pool)| match (kind, &ucma.user_endpoint) {
        (EndpointKind::User, Some(user)) => {
            // One port has one listener, and it is the application endpoint's; the user endpoint's Contact names a port
            // of its own that the system chooses.
            let listen = ucma.pool.listen.map(|listen| SocketAddr::new(listen.ip(), 0));
            EndpointSetup { listen, ..shared.endpoint(kind, &user.uri, pool) }
        }
        (EndpointKind::User | EndpointKind::Application, _) => {
            shared.endpoint(EndpointKind::Application, &ucma.application_endpoint, pool)
        }
    };
    Ok(pools(ucma)?.into_iter().map(endpoint).collect())
}

/// The pool of each configured endpoint, the application endpoint's first.
///
/// # Errors
/// [`AssembleError::NoDomain`] when no address is configured and the endpoint's URI has no domain.
pub fn pools(ucma: &UcmaSettings) -> Result<Vec<(EndpointKind, Pool)>, AssembleError> {
    let shared = ucma.pool.address.as_ref();
    let mut pools = vec![(EndpointKind::Application, pool(&ucma.application_endpoint, shared)?)];
    if let Some(user) = &ucma.user_endpoint {
        pools.push((EndpointKind::User, pool(&user.uri, user.pool.as_ref().or(shared))?));
    }
    Ok(pools)
}

fn pool(uri: &AgentUri, address: Option<&PoolAddress>) -> Result<Pool, AssembleError> {
    Ok(match address {
        Some(address) => Pool::Address { host: address.host.clone(), port: address.port },
        None => Pool::Discover { domain: uri.host().ok_or_else(|| AssembleError::NoDomain(uri.clone()))?.to_owned() },
    })
}

/// Why the files that the pool's settings name cannot be used, although they can be opened. A sentence each.
pub(crate) fn unusable_files(pool: &PoolSettings) -> Vec<String> {
    // What is not named at all has been told already.
    let tls = if pool.trusted_certificates.is_some() { tls(pool).err() } else { None };
    tls.into_iter().chain(credentials(pool).err()).map(|error| error.to_string()).collect()
}

fn tls(pool: &PoolSettings) -> Result<Option<TlsIdentity>, AssembleError> {
    if pool.transport != Transport::Tls {
        return Ok(None);
    }
    let files = TlsFiles {
        certificate: pool.certificate.clone(),
        private_key: pool.private_key.clone(),
        trusted_certificates: pool.trusted_certificates.clone(),
        peer_names: pool.peer_names.clone(),
    };
    Ok(Some(TlsIdentity::load(&files)?))
}

/// What both endpoints have from the `Pool` element.
struct Shared<'a> {
    pool: &'a PoolSettings,
    transport: TransportKind,
    tls: Option<TlsIdentity>,
    credentials: Option<Credentials>,
}

impl<'a> Shared<'a> {
    fn of(pool: &'a PoolSettings) -> Result<Self, AssembleError> {
        let transport = transport_kind(pool.transport);
        Ok(Self { pool, transport, tls: tls(pool)?, credentials: credentials(pool)? })
    }

    fn endpoint(&self, kind: EndpointKind, uri: &AgentUri, pool: Pool) -> EndpointSetup {
        let mut endpoint = EndpointSetup::new(kind, uri.clone(), pool, self.transport);
        endpoint.dialect = match self.pool.dialect {
            Dialect::Simple => DialectSetup::Simple,
            Dialect::Skype => DialectSetup::Skype { registers: self.pool.use_registration },
        };
        endpoint.listen = self.pool.listen;
        endpoint.tls.clone_from(&self.tls);
        endpoint.credentials.clone_from(&self.credentials);
        endpoint
    }
}

fn credentials(pool: &PoolSettings) -> Result<Option<Credentials>, AssembleError> {
    let Some(user) = &pool.user_name else { return Ok(None) };
    let path = pool.password_file.as_ref().ok_or_else(|| AssembleError::NoPassword(user.clone()))?;
    let text = std::fs::read_to_string(path).map_err(|source| AssembleError::Password {
        user: user.clone(),
        path: path.clone(),
        source,
    })?;
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() {
        return Err(AssembleError::EmptyPassword { user: user.clone(), path: path.clone() });
    }
    Ok(Some(Credentials { user: user.clone(), password: password.to_owned() }))
}

/// As the settings say it, for the sockets.
pub(crate) const fn transport_kind(transport: Transport) -> TransportKind {
    match transport {
        Transport::Udp => TransportKind::Udp,
        Transport::Tcp => TransportKind::Tcp,
        Transport::Tls => TransportKind::Tls,
    }
}

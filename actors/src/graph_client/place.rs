//! One of the two places that requests go to, and the way there.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use presence_graph::Trouble;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, Url};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::GraphClientError;

/// So long a connection may take, with its handshake.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// So long a connection that nobody uses is kept: longer than the slowest sweep takes to come back to it.
const IDLE: Duration = Duration::from_secs(90);
/// So many of them are kept; where the host speaks HTTP/2 it is one.
const MOST_IDLE: usize = 8;
/// How often a connection that is waited on is asked for a sign of life, and how long that may take.
const ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));
/// So long the head of an answer may be.
const LONGEST_HEAD: u32 = 64 * 1024;
/// So long a file of authorities may be.
const LONGEST_FILE: u64 = 1024 * 1024;

/// What the way to a place may be made of.
pub(super) struct Ways<'a> {
    pub(super) proxy: Option<&'a str>,
    pub(super) trusted_certificates: Option<&'a Path>,
}

/// One of the two places that requests go to.
pub(super) struct Place {
    base: Url,
    pub(super) client: Client,
    /// So much of an answer is read.
    pub(super) most: usize,
    /// The proxy on the way, where the configuration names one.
    pub(super) proxy: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base.host_str().unwrap_or_default())?;
        self.base.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Place {
    pub(super) fn new(what: &'static str, url: &str, ways: &Ways<'_>, most: usize) -> Result<Self, GraphClientError> {
        let base = host_of(what, url)?;
        let is_here = is_loopback(&base);
        if base.scheme() == "http" && !is_here {
            return Err(refused(what, url, "without TLS only this computer itself may be asked; say https"));
        }
        let mut builder = Client::builder()
            .user_agent(concat!("presence-provider/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls(base.scheme() == "https", ways)?)
            .dns_resolver(SystemNames)
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MOST_IDLE)
            .http2_keep_alive_interval(ALIVE.0)
            .http2_keep_alive_timeout(ALIVE.1)
            .http2_max_header_list_size(LONGEST_HEAD);
        let mut proxy = None;
        if is_here {
            builder = builder.no_proxy();
        } else if let Some(url) = ways.proxy {
            let through = proxy_of(url)?;
            proxy = Some(format!(
                "{}:{}",
                through.host_str().unwrap_or_default(),
                through.port_or_known_default().unwrap_or(80)
            ));
            builder = builder.proxy(Proxy::all(through).map_err(|_| refused("Proxy", url, "it cannot be used"))?);
        }
        let client = builder.build().map_err(|error| GraphClientError::Setup(error.without_url().to_string()))?;
        Ok(Self { base, client, most, proxy })
    }

    /// The URL of a path at this place; refused when it would lead to another one.
    pub(super) fn url(&self, path: &str) -> Result<Url, Trouble> {
        let refused = || Trouble::Broken(format!("a request that does not go to {self} was not sent"));
        if !path.starts_with('/') {
            return Err(refused());
        }
        let origin = self.base.as_str().trim_end_matches('/');
        let url = Url::parse(&format!("{origin}{path}")).map_err(|_| refused())?;
        if url.origin() == self.base.origin() && url.username().is_empty() { Ok(url) } else { Err(refused()) }
    }
}

fn refused(what: &'static str, url: &str, why: &'static str) -> GraphClientError {
    // What stands before an @ may be a password.
    let url = url.rsplit_once('@').map_or(url, |(_, rest)| rest).chars().take(200).collect();
    GraphClientError::Url { what, url, why }
}

fn host_of(what: &'static str, url: &str) -> Result<Url, GraphClientError> {
    let parsed = Url::parse(url).map_err(|_| refused(what, url, "it is no URL; say https://host"))?;
    let is_bare = parsed.path() == "/" && parsed.query().is_none() && parsed.fragment().is_none();
    if !matches!(parsed.scheme(), "https" | "http") || parsed.host_str().is_none_or(str::is_empty) {
        return Err(refused(what, url, "it is no URL of a web server; say https://host"));
    }
    if !is_bare || !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(refused(what, url, "only the host belongs there; say https://host"));
    }
    Ok(parsed)
}

fn proxy_of(url: &str) -> Result<Url, GraphClientError> {
    let parsed = Url::parse(url).map_err(|_| refused("Proxy", url, "it is no URL; say http://host:port"))?;
    if parsed.scheme() != "http" || parsed.host_str().is_none_or(str::is_empty) {
        return Err(refused("Proxy", url, "it is no URL of an HTTP proxy; say http://host:port"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(refused("Proxy", url, "a password does not belong into Config.xml; say all of it in HTTPS_PROXY"));
    }
    if parsed.path() != "/" || parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(refused("Proxy", url, "only host and port belong there; say http://host:port"));
    }
    Ok(parsed)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// TLS with ring: the authorities of the system and those of the file.
fn tls(is_needed: bool, ways: &Ways<'_>) -> Result<ClientConfig, GraphClientError> {
    let provider = Arc::new(ring::default_provider());
    let extra = ways.trusted_certificates.map(authorities).transpose()?.unwrap_or_default();
    let setup = |error: rustls::Error| GraphClientError::Setup(error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(setup)?;
    let mut config = if is_needed {
        let verifier = Verifier::new_with_extra_roots(extra, provider).map_err(|error| match ways.trusted_certificates {
            Some(path) => certificates(path, error.to_string()),
            None => GraphClientError::Setup(format!(
                "this computer has no authorities that a certificate could be checked with ({error}); install those of the \
                 system (ca-certificates), or name a file in TrustedCertificates"
            )),
        })?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
    } else {
        builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path, why: impl Into<String>) -> GraphClientError {
    GraphClientError::Certificates { path: path.to_owned(), why: why.into() }
}

fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, GraphClientError> {
    let metadata = std::fs::metadata(path).map_err(|error| certificates(path, error.to_string()))?;
    // A pipe would make us wait for its writer, and a device never ends.
    if !metadata.is_file() {
        return Err(certificates(path, "it is not a file"));
    }
    let length = metadata.len();
    if length > LONGEST_FILE {
        return Err(certificates(path, format!("it has {length} bytes, which is more than {LONGEST_FILE}")));
    }
    let pem = std::fs::read(path).map_err(|error| certificates(path, error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(certificates(path, "there is no CERTIFICATE section in PEM form in it")),
        Ok(found) => Ok(found),
        Err(error) => Err(certificates(path, format!("it is no PEM file: {error}"))),
    }
}

/// The system's way to addresses, with an error that can be told from others.
struct SystemNames;

/// A name has no address.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoAddress(String);

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let addresses: Vec<SocketAddr> = match found {
                Ok(found) => found.collect(),
                Err(error) => {
                    return Err(NoAddress(format!("no address is found for `{}` ({error})", name.as_str())).into());
                }
            };
            if addresses.is_empty() {
                return Err(NoAddress(format!("`{}` has no address", name.as_str())).into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

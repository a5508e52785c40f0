//! Our certificate, the authorities we trust, and the names we accept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::own_certificate::OwnCertificate;
use super::verifier::PeerVerifier;

/// Where the PEM files of a TLS endpoint are, and which names its peers may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate with its chain, the end entity first. Needed by the listener, and by pools that ask for one.
    pub certificate: Option<PathBuf>,
    /// The private key of the certificate: PKCS#8, PKCS#1 or SEC1.
    pub private_key: Option<PathBuf>,
    /// The certificates of the authorities that may have signed a pool's certificate.
    pub trusted_certificates: Option<PathBuf>,
    /// Names of front ends that are accepted besides the names of the pool's servers.
    pub peer_names: Vec<String>,
}

/// Why a TLS identity cannot be used; the text names the file and what to do.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("read {what} {path}: {source}")]
    Unreadable {
        /// What the file is for.
        what: &'static str,
        /// The file, as configured.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file was read but is not what it should be.
    #[error("use {what} {path}: {why}")]
    Unusable {
        /// What the file is for.
        what: &'static str,
        /// The file, as configured, or "given in memory".
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something that TLS needs is not configured.
    #[error("{0}")]
    Missing(&'static str),
    /// A peer name is neither a host name nor an IP address.
    #[error("use the peer name `{0}`: it is neither a host name nor an IP address")]
    Name(String),
}

/// Everything that TLS in both directions needs, read and checked once; cloning is cheap.
#[derive(Clone)]
pub struct TlsIdentity {
    own: Option<Arc<CertifiedKey>>,
    roots: Arc<RootCertStore>,
    peer_names: Arc<[String]>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("certificate", &self.own.is_some())
            .field("authorities", &self.roots.len())
            .field("peer_names", &self.peer_names)
            .finish_non_exhaustive()
    }
}

/// The content of a PEM file, and what the operator calls it.
type Pem<'a> = (&'a [u8], &'a str);

const CERTIFICATE: &str = "the certificate";
const PRIVATE_KEY: &str = "the private key";
const TRUSTED: &str = "the trusted certificates";

impl TlsIdentity {
    /// Reads the files and checks that certificate and key belong together and that every peer name is a name.
    ///
    /// # Errors
    /// [`TlsError`], with the file's path and what is wrong.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let Some(trusted) = &files.trusted_certificates else {
            return Err(TlsError::Missing(
                "no authority is trusted: name the PEM file of the one that signed the pool's certificate in TrustedCertificates",
            ));
        };
        let trusted_pem = read(TRUSTED, trusted)?;
        let own = match (&files.certificate, &files.private_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                Some((read(CERTIFICATE, certificate)?, name(certificate), read(PRIVATE_KEY, key)?, name(key)))
            }
            (Some(_), None) => return Err(TlsError::Missing("a Certificate needs its PrivateKey")),
            (None, Some(_)) => return Err(TlsError::Missing("a PrivateKey needs its Certificate")),
        };
        let own = own.as_ref().map(|(c, cp, k, kp)| ((c.as_slice(), cp.as_str()), (k.as_slice(), kp.as_str())));
        Self::build(own, (&trusted_pem, &name(trusted)), &files.peer_names)
    }

    /// The same from PEM text in memory: our certificate chain and key, if any, and the trusted authorities.
    ///
    /// # Errors
    /// [`TlsError::Unusable`] and [`TlsError::Name`].
    pub fn from_pem(own: Option<(&[u8], &[u8])>, trusted: &[u8], peer_names: &[String]) -> Result<Self, TlsError> {
        const MEMORY: &str = "given in memory";
        Self::build(own.map(|(c, k)| ((c, MEMORY), (k, MEMORY))), (trusted, MEMORY), peer_names)
    }

    fn build(
        own: Option<(Pem<'_>, Pem<'_>)>,
        (trusted, trusted_path): Pem<'_>,
        peer_names: &[String],
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        for authority in certificates(TRUSTED, trusted_path, trusted)? {
            roots.add(authority).map_err(|error| unusable(TRUSTED, trusted_path, error))?;
        }
        let own = match own {
            None => None,
            Some(((pem, path), (key_pem, key_path))) => {
                let chain = certificates(CERTIFICATE, path, pem)?;
                let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| {
                    unusable(PRIVATE_KEY, key_path, "there is no unencrypted PRIVATE KEY section in PEM form in it")
                })?;
                let own = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
                    rustls::Error::InconsistentKeys(_) => {
                        unusable(PRIVATE_KEY, key_path, format!("it does not belong to the certificate {path}"))
                    }
                    other => unusable(PRIVATE_KEY, key_path, other),
                })?;
                Some(Arc::new(own))
            }
        };
        for peer in peer_names {
            server_name(peer)?;
        }
        Ok(Self { own, roots: Arc::new(roots), peer_names: peer_names.into(), provider })
    }

    /// For a connection that we open to the server with this name; the last part tells afterwards whether the server
    /// wanted to see our certificate.
    ///
    /// # Errors
    /// [`TlsError::Name`]; [`TlsError::Unusable`] when rustls refuses the combination.
    pub(super) fn connector(
        &self,
        server: &str,
    ) -> Result<(TlsConnector, ServerName<'static>, Arc<OwnCertificate>), TlsError> {
        let dialled = server_name(server)?;
        let verifier = Arc::new(self.verifier([server])?);
        let own = Arc::new(OwnCertificate::new(self.own.clone()));
        let config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(CERTIFICATE, "", error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(own.clone());
        Ok((TlsConnector::from(Arc::new(config)), dialled, own))
    }

    /// For connections that the pool opens to our listener; `servers` are the names of the pool's servers.
    ///
    /// # Errors
    /// [`TlsError::Missing`] without a certificate of ours, otherwise as [`TlsIdentity::connector`].
    pub(super) fn acceptor<'a>(&self, servers: impl IntoIterator<Item = &'a str>) -> Result<TlsAcceptor, TlsError> {
        let Some(own) = &self.own else {
            return Err(TlsError::Missing(
                "a TLS listener needs a certificate of its own: set Certificate and PrivateKey, or remove Listen",
            ));
        };
        let verifier = Arc::new(self.verifier(servers)?);
        let config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(CERTIFICATE, "", error))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(own))));
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// The names that are accepted when these servers are the pool.
    pub(super) fn accepted_names<'a>(&self, servers: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut names: Vec<String> = servers.into_iter().map(str::to_owned).collect();
        names.extend(self.peer_names.iter().cloned());
        names.dedup();
        names
    }

    fn verifier<'a>(&self, servers: impl IntoIterator<Item = &'a str>) -> Result<PeerVerifier, TlsError> {
        let names: Result<Vec<_>, _> = self.accepted_names(servers).iter().map(|name| server_name(name)).collect();
        Ok(PeerVerifier::new(self.roots.clone(), names?, &self.provider))
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { what, path: name(path), source })
}

fn unusable(what: &'static str, path: &str, why: impl fmt::Display) -> TlsError {
    TlsError::Unusable { what, path: path.to_owned(), why: why.to_string() }
}

fn certificates(what: &'static str, path: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(unusable(what, path, "there is no readable CERTIFICATE section in PEM form in it")),
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.trim_end_matches('.').to_owned()).map_err(|_| TlsError::Name(name.to_owned()))
}

//! Our certificate, the authorities we trust, and the names we accept.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

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

/// Everything that TLS in both directions needs, read and checked; cloning is cheap.
///
/// What is renewed by [`TlsIdentity::take`] is renewed in every clone: the next handshake uses it, and connections that
/// stand stay as they are.
#[derive(Clone)]
pub struct TlsIdentity {
    in_use: Arc<RwLock<Arc<Material>>>,
    files: Option<Arc<TlsFiles>>,
    peer_names: Arc<[String]>,
    provider: Arc<CryptoProvider>,
}

/// What comes from the files: consistent, and never changed.
#[derive(Debug)]
struct Material {
    own: Option<Arc<CertifiedKey>>,
    roots: Arc<RootCertStore>,
}

/// Other certificates than those in use, read again and checked; [`TlsIdentity::take`] uses them.
pub struct TlsRenewal(Arc<Material>);

impl fmt::Debug for TlsRenewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsRenewal").field(&self.0.roots.len()).finish()
    }
}

impl TlsRenewal {
    /// Our certificate in it, DER.
    #[must_use]
    pub fn certificate(&self) -> Option<Vec<u8>> {
        self.0.certificate()
    }

    /// How many authorities it trusts.
    #[must_use]
    pub fn authorities(&self) -> usize {
        self.0.roots.len()
    }
}

impl Material {
    fn certificate(&self) -> Option<Vec<u8>> {
        self.own.as_ref()?.end_entity_cert().ok().map(|der| der.to_vec())
    }

    /// True when the other one shows the same certificates and trusts the same authorities.
    fn is_same(&self, other: &Self) -> bool {
        let chain = |material: &Self| material.own.as_ref().map(|own| own.cert.clone());
        chain(self) == chain(other) && self.roots.roots == other.roots.roots
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_use = self.material();
        f.debug_struct("TlsIdentity")
            .field("certificate", &in_use.own.is_some())
            .field("authorities", &in_use.roots.len())
            .field("peer_names", &self.peer_names)
            .finish_non_exhaustive()
    }
}

/// The content of a PEM file, and what the operator calls it.
type Pem<'a> = (&'a [u8], &'a str);

const CERTIFICATE: &str = "the certificate";
const PRIVATE_KEY: &str = "the private key";
const TRUSTED: &str = "the trusted certificates";

/// The longest PEM file that is read, in bytes; all authorities of a system together have 0.25 MB.
const LARGEST_FILE: u64 = 4 << 20;

impl TlsIdentity {
    /// Reads the files and checks that certificate and key belong together and that every peer name is a name.
    ///
    /// # Errors
    /// [`TlsError`], with the file's path and what is wrong.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        for peer in &files.peer_names {
            server_name(peer)?;
        }
        let provider = Arc::new(ring::default_provider());
        let material = Material::load(files, &provider)?;
        Ok(Self { files: Some(Arc::new(files.clone())), ..Self::of(material, &files.peer_names, provider) })
    }

    /// The same from PEM text in memory: our certificate chain and key, if any, and the trusted authorities.
    ///
    /// # Errors
    /// [`TlsError::Unusable`] and [`TlsError::Name`].
    pub fn from_pem(own: Option<(&[u8], &[u8])>, trusted: &[u8], peer_names: &[String]) -> Result<Self, TlsError> {
        const MEMORY: &str = "given in memory";
        let provider = Arc::new(ring::default_provider());
        let own = own.map(|(c, k)| ((c, MEMORY), (k, MEMORY)));
        let material = Material::build(own, (trusted, MEMORY), &provider)?;
        for peer in peer_names {
            server_name(peer)?;
        }
        Ok(Self::of(material, peer_names, provider))
    }

    fn of(material: Material, peer_names: &[String], provider: Arc<CryptoProvider>) -> Self {
        let in_use = Arc::new(RwLock::new(Arc::new(material)));
        Self { in_use, files: None, peer_names: peer_names.into(), provider }
    }

    fn material(&self) -> Arc<Material> {
        Arc::clone(&self.in_use.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Our certificate that new handshakes show, DER.
    #[must_use]
    pub fn certificate(&self) -> Option<Vec<u8>> {
        self.material().certificate()
    }

    /// How many authorities are trusted.
    #[must_use]
    pub fn authorities(&self) -> usize {
        self.material().roots.len()
    }

    /// Reads the files again, if it came from files: `None` when they hold what is in use. Blocks as long as reading takes.
    ///
    /// # Errors
    /// [`TlsError`], with the file's path and what is wrong; what is in use stays in use.
    pub fn read_again(&self) -> Result<Option<TlsRenewal>, TlsError> {
        let Some(files) = &self.files else { return Ok(None) };
        let found = Material::load(files, &self.provider)?;
        Ok((!self.material().is_same(&found)).then(|| TlsRenewal(Arc::new(found))))
    }

    /// Uses other certificates for every handshake from now on, in this and all its clones.
    pub fn take(&self, renewal: TlsRenewal) {
        *self.in_use.write().unwrap_or_else(PoisonError::into_inner) = renewal.0;
    }
}

impl Material {
    fn load(files: &TlsFiles, provider: &CryptoProvider) -> Result<Self, TlsError> {
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
        Self::build(own, (&trusted_pem, &name(trusted)), provider)
    }

    fn build(
        own: Option<(Pem<'_>, Pem<'_>)>,
        (trusted, trusted_path): Pem<'_>,
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
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
                let own = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
                    rustls::Error::InconsistentKeys(_) => {
                        unusable(PRIVATE_KEY, key_path, format!("it does not belong to the certificate {path}"))
                    }
                    other => unusable(PRIVATE_KEY, key_path, other),
                })?;
                Some(Arc::new(own))
            }
        };
        Ok(Self { own, roots: Arc::new(roots) })
    }
}

impl TlsIdentity {
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
        let own = Arc::new(OwnCertificate::new(self.material().own.clone()));
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
        let Some(own) = self.material().own.clone() else {
            return Err(TlsError::Missing(
                "a TLS listener needs a certificate of its own: set Certificate and PrivateKey, or remove Listen",
            ));
        };
        let verifier = Arc::new(self.verifier(servers)?);
        let config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(CERTIFICATE, "", error))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
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
        Ok(PeerVerifier::new(self.material().roots.clone(), names?, &self.provider))
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Reads a PEM file; one that is far too long for one is refused, whatever it is.
fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut pem = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut pem));
    read.map_err(|source| TlsError::Unreadable { what, path: name(path), source })?;
    if pem.len() as u64 > LARGEST_FILE {
        return Err(unusable(what, &name(path), format!("it is longer than {} MiB", LARGEST_FILE >> 20)));
    }
    Ok(pem)
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

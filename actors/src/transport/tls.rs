//! Our certificate, the authorities we trust, the names we accept, and what an operator reads when a handshake fails.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;
use tokio_rustls::{TlsAcceptor, TlsConnector};

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
    own: Option<Arc<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>>,
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
                rustls::sign::CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider).map_err(|error| {
                    match error {
                        rustls::Error::InconsistentKeys(_) => {
                            unusable(PRIVATE_KEY, key_path, format!("it does not belong to the certificate {path}"))
                        }
                        other => unusable(PRIVATE_KEY, key_path, other),
                    }
                })?;
                Some(Arc::new((chain, key)))
            }
        };
        for peer in peer_names {
            server_name(peer)?;
        }
        Ok(Self { own, roots: Arc::new(roots), peer_names: peer_names.into(), provider })
    }

    /// For a connection that we open to the server with this name.
    ///
    /// # Errors
    /// [`TlsError::Name`]; [`TlsError::Unusable`] when rustls refuses the combination.
    pub(super) fn connector(&self, server: &str) -> Result<(TlsConnector, ServerName<'static>), TlsError> {
        let dialled = server_name(server)?;
        let verifier = Arc::new(self.verifier([server])?);
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(CERTIFICATE, "", error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match self.own.as_deref() {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(|error| unusable(CERTIFICATE, "", error))?,
        };
        Ok((TlsConnector::from(Arc::new(config)), dialled))
    }

    /// For connections that the pool opens to our listener; `servers` are the names of the pool's servers.
    ///
    /// # Errors
    /// [`TlsError::Missing`] without a certificate of ours, otherwise as [`TlsIdentity::connector`].
    pub(super) fn acceptor<'a>(&self, servers: impl IntoIterator<Item = &'a str>) -> Result<TlsAcceptor, TlsError> {
        let Some((chain, key)) = self.own.as_deref() else {
            return Err(TlsError::Missing(
                "a TLS listener needs a certificate of its own: set Certificate and PrivateKey, or remove Listen",
            ));
        };
        let verifier = Arc::new(self.verifier(servers)?);
        let config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(CERTIFICATE, "", error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| unusable(CERTIFICATE, "", error))?;
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

/// What an operator reads when TLS with `peer` failed; `expected` are the names that would have been accepted.
pub(super) fn explain(error: &rustls::Error, peer: &str, expected: &[String]) -> String {
    match error {
        rustls::Error::InvalidCertificate(fault) => explain_certificate(fault, peer, expected),
        rustls::Error::NoCertificatesPresented => {
            format!("{peer} showed no certificate of its own, and only {} may connect", either(expected))
        }
        rustls::Error::AlertReceived(alert) => explain_alert(*alert, peer),
        rustls::Error::PeerIncompatible(_) => {
            format!(
                "{peer} offers no version or cipher suite of TLS that we speak: TLS 1.2 or 1.3 with ECDHE is needed"
            )
        }
        rustls::Error::InvalidMessage(_) => format!("{peer} does not speak TLS on this port"),
        other => format!("TLS with {peer} failed: {other}"),
    }
}

fn explain_certificate(fault: &CertificateError, peer: &str, expected: &[String]) -> String {
    let certificate = format!("the certificate of {peer}");
    match fault {
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = if presented.is_empty() {
                "it names no host at all (a common name does not count)".to_owned()
            } else {
                format!("it names {}", presented.join(", "))
            };
            let wildcard = if presented.iter().any(|name| name.starts_with("*.")) {
                " (a wildcard does not count between SIP servers: RFC 5922 section 7.2)"
            } else {
                ""
            };
            format!("{certificate} is not valid for {}; {names}{wildcard}", either(expected))
        }
        CertificateError::NotValidForName => {
            format!("{certificate} cannot be checked: no name of a server of the pool is known yet")
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("{certificate} expired at {}", moment(*not_after))
        }
        CertificateError::Expired => format!("{certificate} has expired"),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("{certificate} is not valid before {}; is the clock of this machine right?", moment(*not_before))
        }
        CertificateError::UnknownIssuer => {
            format!("{certificate} was not issued by an authority in TrustedCertificates")
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!("{certificate} is not meant for a server (its extended key usage lacks server authentication)")
        }
        CertificateError::BadEncoding => format!("{certificate} cannot be read"),
        other => format!("{certificate} was refused: {other}"),
    }
}

fn explain_alert(alert: AlertDescription, peer: &str) -> String {
    let why = match alert {
        AlertDescription::CertificateRequired => "it wants a certificate of ours: set Certificate and PrivateKey",
        AlertDescription::UnknownCA => "it does not know the authority that issued our certificate",
        AlertDescription::CertificateExpired => "our certificate has expired, or is not valid yet by its clock",
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown | AlertDescription::AccessDenied => {
            "it does not accept our certificate, perhaps because of its name"
        }
        AlertDescription::UnsupportedCertificate => {
            "our certificate does not suit it, perhaps for want of the client authentication purpose"
        }
        AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion => {
            "no version or cipher suite of TLS in common: TLS 1.2 or 1.3 with ECDHE is needed"
        }
        AlertDescription::UnrecognisedName => "it does not know the name by which we asked for it",
        other => return format!("{peer} ended TLS with the alert {other:?}"),
    };
    format!("{peer} refused the connection: {why}")
}

fn either(names: &[String]) -> String {
    match names {
        [] => "any name".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn moment(time: UnixTime) -> String {
    let moment = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()));
    moment.map_or_else(|| "the end of time".to_owned(), |moment| humantime::format_rfc3339_seconds(moment).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_handshake_is_told_in_words_of_an_operator() {
        let names = ["pool.example.test".to_owned(), "fe1.example.test".to_owned()];
        let peer = "192.0.2.2:49152";
        let cases = [
            (
                rustls::Error::NoCertificatesPresented,
                "192.0.2.2:49152 showed no certificate of its own, and only pool.example.test or fe1.example.test may connect",
            ),
            (
                rustls::Error::InvalidCertificate(CertificateError::NotValidForName),
                "the certificate of 192.0.2.2:49152 cannot be checked: no name of a server of the pool is known yet",
            ),
            (
                rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                    expected: server_name("pool.example.test").expect("a name"),
                    presented: vec!["a.example.test".to_owned(), "b.example.test".to_owned()],
                }),
                "the certificate of 192.0.2.2:49152 is not valid for pool.example.test or fe1.example.test; \
                 it names a.example.test, b.example.test",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::UnknownCA),
                "192.0.2.2:49152 refused the connection: it does not know the authority that issued our certificate",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::HandshakeFailure),
                "192.0.2.2:49152 refused the connection: no version or cipher suite of TLS in common: \
                 TLS 1.2 or 1.3 with ECDHE is needed",
            ),
        ];
        for (error, words) in cases {
            assert_eq!(explain(&error, peer, &names), words);
        }
    }
}

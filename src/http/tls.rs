//! The certificate of the listener.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use presence_actors::transport::TlsError;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificates::Certificate;
use crate::renewal::{Found, Renewable, Take};

/// The longest PEM file that is read, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// The certificate of the listener (and its chain, the end entity first) with its key, read from two PEM files, and read
/// again when they are renewed.
pub(crate) struct Identity {
    certificate: PathBuf,
    private_key: PathBuf,
    in_use: RwLock<Arc<CertifiedKey>>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the files. Says in the log what browsers will not like about the certificate at this time.
    ///
    /// # Errors
    /// When a file cannot be read, or the two cannot be used together.
    pub(crate) fn load(certificate: &Path, private_key: &Path, now: Timestamp) -> Result<Self, TlsError> {
        let (own, shown) = load(certificate, private_key)?;
        complain(&shown, now);
        let (certificate, private_key) = (certificate.to_owned(), private_key.to_owned());
        Ok(Self { certificate, private_key, in_use: RwLock::new(Arc::new(own)) })
    }

    /// What TLS needs to know of a listener that always shows the newest certificate.
    ///
    /// # Errors
    /// When rustls refuses the combination.
    pub(crate) fn server(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable("Certificate", &self.certificate, error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        Ok(config)
    }

    fn own(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.in_use.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.own())
    }
}

/// The certificate of the listener that can be renewed.
impl Renewable for Arc<Identity> {
    fn read_again(&self) -> Result<(Found, Option<Take>), String> {
        let (own, shown) = load(&self.certificate, &self.private_key).map_err(|error| error.to_string())?;
        let differs = own.cert != self.own().cert;
        let identity = Self::clone(self);
        let take: Take = Box::new(move || {
            *identity.in_use.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(own);
        });
        Ok((Found { certificate: Some(shown), authorities: None }, differs.then_some(take)))
    }

    fn in_use(&self) -> Result<Found, String> {
        let own = self.own();
        let shown = own.cert.first().map(|der| Certificate::read(der)).transpose()?;
        Ok(Found { certificate: shown, authorities: None })
    }
}

/// Why a listener with these files could not be opened.
///
/// # Errors
/// As [`Identity::load`].
pub(crate) fn check(certificate: &Path, private_key: &Path) -> Result<(), TlsError> {
    load(certificate, private_key).map(|_| ())
}

fn load(certificate: &Path, private_key: &Path) -> Result<(CertifiedKey, Certificate), TlsError> {
    let pem = read("Certificate", certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain =
        chain.map_err(|_| unusable("Certificate", certificate, "a CERTIFICATE section of it cannot be read"))?;
    if chain.is_empty() {
        return Err(unusable("Certificate", certificate, "there is no CERTIFICATE section in PEM form in it"));
    }
    let key = PrivateKeyDer::from_pem_slice(&read("PrivateKey", private_key)?).map_err(|_| {
        unusable("PrivateKey", private_key, "there is no unencrypted PRIVATE KEY section in PEM form in it")
    })?;
    let shown = Certificate::read(&chain[0]).map_err(|why| unusable("Certificate", certificate, why))?;
    let provider = ring::default_provider();
    let own = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => unusable(
            "PrivateKey",
            private_key,
            format!("it does not belong to the certificate {}", certificate.display()),
        ),
        other => unusable("PrivateKey", private_key, other.to_string()),
    })?;
    Ok((own, shown))
}

/// What browsers will not like about a certificate, for the log.
fn complain(certificate: &Certificate, now: Timestamp) {
    let mut complaints = Vec::new();
    if certificate.is_early(now) || certificate.is_late(now) {
        complaints.push(certificate.validity_text(now));
    }
    if certificate.names.is_empty() {
        complaints.push("it holds no host name or address (subject alternative name)".to_owned());
    }
    if !certificate.for_server {
        complaints.push("it is not for servers (extended key usage)".to_owned());
    }
    for complaint in complaints {
        tracing::warn!(
            logger = "Http",
            "clients will refuse the certificate of the API, {}: {complaint}",
            certificate.subject
        );
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut pem = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut pem));
    read.map_err(|source| TlsError::Unreadable { what, path: path.display().to_string(), source })?;
    if pem.len() as u64 > LARGEST_FILE {
        return Err(unusable(what, path, "it is longer than 1 MiB"));
    }
    Ok(pem)
}

fn unusable(what: &'static str, path: &Path, why: impl Into<String>) -> TlsError {
    TlsError::Unusable { what, path: path.display().to_string(), why: why.into() }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn with(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, text).expect("a temporary file");
            path
        }
    }

    #[test]
    fn a_certificate_with_its_key_is_taken_and_everything_else_is_named_with_its_file() {
        let files = Files(tempfile::tempdir().expect("a directory"));
        let made = || {
            let CertifiedKey { cert, signing_key } =
                generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
            (cert.pem(), signing_key.serialize_pem())
        };
        let ((one, key), (_, other_key)) = (made(), made());
        let certificate = files.with("c.pem", &one);
        let (key, other_key) = (files.with("k.pem", &key), files.with("o.pem", &other_key));
        let now: Timestamp = "2026-11-22T14:00:00Z".parse().expect("a moment");
        let identity = Arc::new(Identity::load(&certificate, &key, now).expect("it is usable"));
        assert!(identity.server().is_ok() && check(&certificate, &key).is_ok());
        assert!(identity.read_again().expect("still good").1.is_none());
        let why = |certificate: &Path, key: &Path| check(certificate, key).expect_err("unusable").to_string();
        assert!(why(&certificate, &other_key).contains("it does not belong to the certificate"));
        assert!(why(&key, &key).contains("no CERTIFICATE section"));
        assert!(why(&certificate, &certificate).contains("no unencrypted PRIVATE KEY section"));
        assert!(why(&certificate, &files.0.path().join("none.pem")).starts_with("read PrivateKey "));
        let endless = files.with("endless.pem", &"x".repeat(2 << 20));
        assert!(why(&endless, &key).contains("longer than 1 MiB"));
    }

    #[test]
    fn what_is_written_into_the_files_is_found_and_used_when_it_is_whole() {
        let files = Files(tempfile::tempdir().expect("a directory"));
        let made = || {
            let CertifiedKey { cert, signing_key } =
                generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
            (cert.pem(), signing_key.serialize_pem())
        };
        let ((one, one_key), (two, two_key)) = (made(), made());
        let (certificate, key) = (files.with("c.pem", &one), files.with("k.pem", &one_key));
        let now: Timestamp = "2026-11-22T14:00:00Z".parse().expect("a moment");
        let identity = Arc::new(Identity::load(&certificate, &key, now).expect("it is usable"));
        let before = identity.own().cert.clone();
        files.with("c.pem", &two);
        assert!(identity.read_again().map(|_| ()).expect_err("half").contains("does not belong"));
        files.with("k.pem", &two_key);
        let take = identity.read_again().expect("whole").1.expect("another one");
        assert_eq!(identity.own().cert, before, "nothing is used before it is taken");
        take();
        assert_ne!(identity.own().cert, before);
    }
}

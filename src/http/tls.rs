//! The certificate of the listener.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use presence_actors::transport::TlsError;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::certificates::Certificate;

/// What TLS needs to know of a listener with this certificate (and its chain, the end entity first) and this key, PEM.
/// Says in the log what browsers will not like about the certificate at this time.
///
/// # Errors
/// When a file cannot be read, or the two cannot be used together.
pub(crate) fn server(certificate: &Path, private_key: &Path, now: Timestamp) -> Result<ServerConfig, TlsError> {
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
    complain(&shown, now);
    let provider = Arc::new(ring::default_provider());
    let own = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => unusable(
            "PrivateKey",
            private_key,
            format!("it does not belong to the certificate {}", certificate.display()),
        ),
        other => unusable("PrivateKey", private_key, other.to_string()),
    })?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("Certificate", certificate, error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    Ok(config)
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
    std::fs::read(path).map_err(|source| TlsError::Unreadable { what, path: path.display().to_string(), source })
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
        assert!(server(&certificate, &key, now).is_ok());
        let why = |certificate: &Path, key: &Path| server(certificate, key, now).expect_err("unusable").to_string();
        assert!(why(&certificate, &other_key).contains("it does not belong to the certificate"));
        assert!(why(&key, &key).contains("no CERTIFICATE section"));
        assert!(why(&certificate, &certificate).contains("no unencrypted PRIVATE KEY section"));
        assert!(why(&certificate, &files.0.path().join("none.pem")).starts_with("read PrivateKey "));
    }
}

//! The certificate that we show to a pool, and whether it asked for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;

/// Our side of mutual TLS for one connection, and a note of whether the server wanted it.
///
/// A pool that trusts us as an application asks every client for its certificate (MTLS). One that does not ask cannot
/// know who we are, and will challenge or refuse what we send: better said at once than guessed from a 401.
#[derive(Debug)]
pub(super) struct OwnCertificate {
    key: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
}

impl OwnCertificate {
    pub(super) const fn new(key: Option<Arc<CertifiedKey>>) -> Self {
        Self { key, asked: AtomicBool::new(false) }
    }

    /// True when there is a certificate to show and the handshake, which is over now, had no use for it.
    pub(super) fn was_not_wanted(&self) -> bool {
        self.key.is_some() && !self.asked.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for OwnCertificate {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        // Whatever authorities it names: a server that does not like the certificate says so by an alert.
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}

//! Mutual TLS in both directions: what we show, whom we believe.

use std::fmt::Display;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::settings::{FrontEndStartError, FrontEndTls, Pem};

/// Both directions, ready for handshakes.
#[derive(Clone)]
pub(super) struct Tls {
    /// For connections that peers open.
    pub(super) acceptor: TlsAcceptor,
    connector: TlsConnector,
    application_name: Option<ServerName<'static>>,
}

const CERTIFICATE: &str = "the certificate";
const KEY: &str = "the private key";
const TRUSTED: &str = "the trusted certificates";
const NAME: &str = "the name of the application";

impl Tls {
    /// Reads and checks everything.
    pub(super) fn build(tls: &FrontEndTls) -> Result<Self, FrontEndStartError> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(CERTIFICATE, &tls.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&read(KEY, &tls.key)?)
            .map_err(|_| unusable(KEY, &tls.key, "there is no unencrypted PRIVATE KEY section in PEM form in it"))?;
        let mut roots = RootCertStore::empty();
        for authority in certificates(TRUSTED, &tls.trusted)? {
            roots.add(authority).map_err(|why| unusable(TRUSTED, &tls.trusted, why))?;
        }
        let roots = Arc::new(roots);
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
        let clients = if tls.client_auth { clients } else { clients.allow_unauthenticated() };
        let clients = clients.build().map_err(|why| unusable(TRUSTED, &tls.trusted, why))?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|why| unusable(CERTIFICATE, &tls.certificate, why))?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|why| unusable(KEY, &tls.key, why))?;
        let servers = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|why| unusable(TRUSTED, &tls.trusted, why))?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| unusable(CERTIFICATE, &tls.certificate, why))?
            .with_webpki_verifier(servers)
            .with_client_auth_cert(chain, key)
            .map_err(|why| unusable(KEY, &tls.key, why))?;
        let application_name = tls.application_name.clone().map(ServerName::try_from).transpose().map_err(|why| {
            let path = tls.application_name.clone().unwrap_or_default();
            FrontEndStartError::Pem { what: NAME, path, why: why.to_string() }
        })?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
            application_name,
        })
    }

    /// For a connection that we open to this host.
    pub(super) fn connector(&self, host: &str) -> Result<(TlsConnector, ServerName<'static>), String> {
        let name = match &self.application_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
                .map_err(|_| format!("`{host}` is neither a host name nor an IP address"))?,
        };
        Ok((self.connector.clone(), name))
    }
}

fn unusable(what: &'static str, pem: &Pem, why: impl Display) -> FrontEndStartError {
    let path = match pem {
        Pem::File(path) => path.display().to_string(),
        Pem::Text(_) => "given in memory".to_owned(),
    };
    FrontEndStartError::Pem { what, path, why: why.to_string() }
}

fn read(what: &'static str, pem: &Pem) -> Result<Vec<u8>, FrontEndStartError> {
    match pem {
        Pem::File(path) => std::fs::read(path).map_err(|why| unusable(what, pem, why)),
        Pem::Text(text) => Ok(text.clone()),
    }
}

fn certificates(what: &'static str, pem: &Pem) -> Result<Vec<CertificateDer<'static>>, FrontEndStartError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(what, pem)?).collect();
    let found = found.map_err(|_| unusable(what, pem, "a CERTIFICATE section in it is broken"))?;
    if found.is_empty() {
        return Err(unusable(what, pem, "there is no CERTIFICATE section in PEM form in it"));
    }
    Ok(found)
}

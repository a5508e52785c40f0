//! Authorities and certificates, made on the fly.

use std::sync::Arc;

use presence_actors::transport::TlsIdentity;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, DEFAULT_VERSIONS, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM form.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

/// What is special about a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Both,
    ServerOnly,
    ClientOnly,
    Expired,
    NotYetValid,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn issue(&self, kind: Kind, names: &[&str]) -> Pair {
        let names: Vec<SanType> = names
            .iter()
            .map(|name| match name.strip_prefix("uri:") {
                Some(uri) => SanType::URI(uri.try_into().unwrap()),
                None => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.distinguished_name.push(DnType::CommonName, "pool.example.test");
        let (server, client) = (ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth);
        params.extended_key_usages = match kind {
            Kind::ServerOnly => vec![server],
            Kind::ClientOnly => vec![client],
            Kind::Both | Kind::Expired | Kind::NotYetValid => vec![server, client],
        };
        match kind {
            Kind::Expired => params.not_after = rcgen::date_time_ymd(2020, 1, 2),
            Kind::NotYetValid => params.not_before = rcgen::date_time_ymd(3000, 1, 2),
            Kind::Both | Kind::ServerOnly | Kind::ClientOnly => {}
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Ours: with this certificate, trusting this authority.
    pub fn identity(&self, own: Option<&Pair>, peer_names: &[&str]) -> TlsIdentity {
        let own = own.map(|pair| (pair.certificate.as_bytes(), pair.key.as_bytes()));
        let names: Vec<String> = peer_names.iter().map(ToString::to_string).collect();
        TlsIdentity::from_pem(own, self.pem().as_bytes(), &names).unwrap()
    }

    /// A pool's server with this certificate; it wants a certificate of its clients when `mutual`.
    pub fn server(&self, pair: &Pair, mutual: bool) -> TlsAcceptor {
        self.server_of(pair, mutual, DEFAULT_VERSIONS)
    }

    /// The same with these versions of TLS.
    pub fn server_of(&self, pair: &Pair, mutual: bool, versions: &[&'static SupportedProtocolVersion]) -> TlsAcceptor {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions).unwrap();
        let builder = if mutual {
            let verifier = WebPkiClientVerifier::builder_with_provider(self.roots(), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        TlsAcceptor::from(Arc::new(builder.with_single_cert(pair.chain(), pair.private_key()).unwrap()))
    }

    /// A pool's client with this certificate, or none.
    pub fn client(&self, pair: Option<&Pair>) -> (TlsConnector, ServerName<'static>) {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots());
        let config = match pair {
            Some(pair) => builder.with_client_auth_cert(pair.chain(), pair.private_key()).unwrap(),
            None => builder.with_no_client_auth(),
        };
        (TlsConnector::from(Arc::new(config)), ServerName::try_from("app.example.test").unwrap())
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }
}

impl Pair {
    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()]
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }
}

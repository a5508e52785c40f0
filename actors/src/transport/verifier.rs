//! Who may be at the other end of a TLS connection: exactly the hosts whose names are configured, in both directions.
//!
//! The stock verifiers of rustls do not fit SIP between servers. For a connection that the pool opens to our listener,
//! `WebPkiClientVerifier` checks the chain only, so that *any* machine of the same authority would be served, and it
//! refuses the certificates of front ends that carry the server purpose alone. And in both directions a wildcard counts
//! for webpki, while RFC 5922 section 7.2 forbids it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage};

/// Accepts a peer by the names in its certificate, as a TLS server and as a TLS client alike.
///
/// A certificate is accepted when all of this holds:
/// - its chain ends at one of the trusted authorities and is valid now;
/// - its extended key usage, if it has one, allows a server (outbound), or a server *or* a client (inbound: a front end
///   that connects to our listener often has a certificate for servers only);
/// - a DNS name (or IP address) of its subject alternative names equals one of the expected names, without regard to
///   case. The subject's common name, `sip:` URIs and wildcards do not count.
#[derive(Debug)]
pub(super) struct PeerVerifier {
    roots: Arc<RootCertStore>,
    hints: Vec<DistinguishedName>,
    names: Vec<ServerName<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PeerVerifier {
    /// A verifier that trusts these authorities and accepts these names.
    pub(super) fn new(roots: Arc<RootCertStore>, names: Vec<ServerName<'static>>, provider: &CryptoProvider) -> Self {
        let hints = roots.subjects();
        Self { roots, hints, names, algorithms: provider.signature_verification_algorithms }
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        inbound: bool,
    ) -> Result<(), Error> {
        let certificate = EndEntityCert::try_from(end_entity).map_err(in_words_of_rustls)?;
        let chain = |usage| self.verify_chain(&certificate, intermediates, now, usage);
        match chain(KeyUsage::server_auth()) {
            Err(webpki::Error::RequiredEkuNotFoundContext(_)) if inbound => chain(KeyUsage::client_auth()),
            result => result,
        }
        .map_err(in_words_of_rustls)?;
        self.verify_name(&certificate)
    }

    fn verify_chain(
        &self,
        certificate: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<(), webpki::Error> {
        let anchors: &[TrustAnchor<'_>] = &self.roots.roots;
        certificate.verify_for_usage(self.algorithms.all, anchors, intermediates, now, usage, None, None).map(|_| ())
    }

    fn verify_name(&self, certificate: &EndEntityCert<'_>) -> Result<(), Error> {
        let named: Vec<&str> = certificate.valid_dns_names().collect();
        let accepted = self.names.iter().any(|name| match name {
            ServerName::DnsName(dns) => named.iter().any(|presented| presented.eq_ignore_ascii_case(dns.as_ref())),
            other => certificate.verify_is_valid_for_subject_name(other).is_ok(),
        });
        if accepted {
            return Ok(());
        }
        let Some(expected) = self.names.first() else {
            return Err(CertificateError::NotValidForName.into());
        };
        let presented = named.iter().map(ToString::to_string).collect();
        Err(CertificateError::NotValidForNameContext { expected: expected.clone(), presented }.into())
    }
}

/// The error of the chain building as rustls knows it, so that the peer is sent the right alert.
fn in_words_of_rustls(error: webpki::Error) -> Error {
    use webpki::Error as Chain;
    match error {
        Chain::BadDer | Chain::BadDerTime | Chain::TrailingData(_) => CertificateError::BadEncoding,
        Chain::CertNotValidYet { time, not_before } => CertificateError::NotValidYetContext { time, not_before },
        Chain::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        Chain::InvalidCertValidity => CertificateError::Expired,
        Chain::UnknownIssuer => CertificateError::UnknownIssuer,
        Chain::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        Chain::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        other => CertificateError::Other(rustls::OtherError(Arc::new(other))),
    }
    .into()
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity, intermediates, now, false).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity, intermediates, now, true).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

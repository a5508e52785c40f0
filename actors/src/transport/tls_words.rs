//! What an operator reads when TLS fails: what is wrong, and what to do about it.

use std::io;
use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};

/// What we need of a peer. Windows Server 2012 R2 has ECDHE for RSA certificates in CBC mode alone.
const CIPHERS: &str = "we need ECDHE with AES-GCM or ChaCha20. Windows Server 2012 R2 has that for ECDSA certificates \
    only: give the front end such a certificate, or move the pool to Windows Server 2016 or later";

const VERSIONS: &str = "we speak 1.2 and 1.3; enable TLS 1.2 there";

/// A connection that failed in or after the handshake; `expected` are the names that would have been accepted.
pub(super) fn in_words(error: &io::Error, peer: &str, expected: &[String]) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => explain(tls, peer, expected),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            format!("{peer} closed the connection without the farewell of TLS")
        }
        None => super::stream::plain(error),
    }
}

/// The same in the handshake, where an end without a word has other reasons.
pub(super) fn in_words_of_the_handshake(error: &io::Error, peer: &str, expected: &[String]) -> String {
    let silent = matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    );
    if silent && error.get_ref().is_none_or(|inner| !inner.is::<rustls::Error>()) {
        return format!(
            "{peer} closed the connection during the handshake of TLS, without saying why: perhaps it shares no version \
             or cipher suite of TLS with us, does not accept our certificate, or has something else on this port; a \
             front end notes the reason in its System log (source Schannel)"
        );
    }
    in_words(error, peer, expected)
}

/// The pool took our connection and had no use for our certificate.
pub(super) fn not_mutual(peer: &str) -> String {
    format!(
        "{peer} did not ask for our certificate: the connection is TLS, but not mutual, so the pool cannot treat us as a \
         trusted application; is this the TLS port of a front end (5061), and not that of an Edge server or of a load \
         balancer that ends TLS?"
    )
}

fn explain(error: &rustls::Error, peer: &str, expected: &[String]) -> String {
    match error {
        rustls::Error::InvalidCertificate(fault) => explain_certificate(fault, peer, expected),
        rustls::Error::NoCertificatesPresented => {
            format!("{peer} showed no certificate of its own, and only {} may connect", either(expected))
        }
        rustls::Error::AlertReceived(alert) => explain_alert(*alert, peer),
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            // Every client of TLS 1.2 sends it (RFC 5246 section 7.4.1.4.1); those before do not know it.
            | PeerIncompatible::SignatureAlgorithmsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => no_version(peer),
        rustls::Error::PeerIncompatible(_) => no_cipher(peer),
        rustls::Error::InvalidMessage(_) => format!("{peer} does not speak TLS on this port"),
        other => format!("TLS with {peer} failed: {other}"),
    }
}

fn no_version(peer: &str) -> String {
    format!("there is no version of TLS in common with {peer}: {VERSIONS}")
}

fn no_cipher(peer: &str) -> String {
    format!("there is no cipher suite of TLS in common with {peer}: {CIPHERS}")
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
            format!(
                "{certificate} was not issued by an authority in TrustedCertificates, or the peer did not send the \
                 certificates between the two"
            )
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!("{certificate} is not meant for a server (its extended key usage lacks server authentication)")
        }
        CertificateError::BadSignature => {
            format!(
                "{certificate} was not issued by an authority in TrustedCertificates: one there has its issuer's name and \
                 another key, as after a renewal of the authority"
            )
        }
        CertificateError::BadEncoding => format!("{certificate} cannot be read"),
        other => format!("{certificate} was refused: {other}"),
    }
}

fn explain_alert(alert: AlertDescription, peer: &str) -> String {
    let why = match alert {
        AlertDescription::CertificateRequired => "it wants a certificate of ours: set Certificate and PrivateKey",
        AlertDescription::UnknownCA => {
            "it does not know the authority that issued our certificate: request one from the authority of the pool, or \
             import ours into the trusted roots of every front end"
        }
        AlertDescription::CertificateExpired => {
            "our certificate has expired, or is not valid yet by its clock: renew it, and compare the clocks"
        }
        AlertDescription::CertificateRevoked => "our certificate was revoked: request a new one",
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown | AlertDescription::AccessDenied => {
            "it does not accept our certificate: its subject must be the FQDN of the trusted application pool"
        }
        AlertDescription::UnsupportedCertificate => {
            "our certificate does not suit it, perhaps for want of the client authentication purpose"
        }
        AlertDescription::DecryptError => {
            "it cannot verify what our private key or the authority of our certificate has signed; does it have the present \
             certificate of that authority?"
        }
        AlertDescription::ProtocolVersion => return no_version(peer),
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => return no_cipher(peer),
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
                    expected: "pool.example.test".try_into().expect("a name"),
                    presented: vec!["a.example.test".to_owned(), "b.example.test".to_owned()],
                }),
                "the certificate of 192.0.2.2:49152 is not valid for pool.example.test or fe1.example.test; \
                 it names a.example.test, b.example.test",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::CertificateRevoked),
                "192.0.2.2:49152 refused the connection: our certificate was revoked: request a new one",
            ),
            (
                PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into(),
                "there is no version of TLS in common with 192.0.2.2:49152: we speak 1.2 and 1.3; enable TLS 1.2 there",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::NoRenegotiation),
                "192.0.2.2:49152 ended TLS with the alert NoRenegotiation",
            ),
        ];
        for (error, words) in cases {
            assert_eq!(explain(&error, peer, &names), words);
        }
    }
}

//! Why there is no answer, in words of an operator.

use std::error::Error;
use std::io;
use std::time::Duration;

use presence_graph::Trouble;
use rustls::{AlertDescription, CertificateError};

use super::place::{CONNECT, NoAddress, Place};
use crate::transport::plain;

/// So long a text of a library may be that is passed on.
const LONGEST: usize = 200;

/// What went wrong between us and a place. Nothing of the request is in it.
pub(super) fn trouble(error: reqwest::Error, place: &Place, timeout: Duration) -> Trouble {
    let error = error.without_url();
    let tells = |words: String| match &place.proxy {
        Some(proxy) if error.is_connect() => format!("{words} (the way goes through the proxy {proxy})"),
        Some(_) | None => words,
    };
    if let Some(missing) = find::<NoAddress>(&error) {
        return Trouble::Name(tells(missing.to_string()));
    }
    if let Some(tls) = find::<rustls::Error>(&error) {
        return Trouble::Tls(tells(explain(tls, &place.to_string())));
    }
    if error.is_connect() {
        let seconds = CONNECT.as_secs();
        return Trouble::Connect(tells(if error.is_timeout() {
            format!("{place} took no connection within {seconds} s; is there a firewall, or is a Proxy needed?")
        } else {
            format!("no connection to {place}: {}", deepest(&error))
        }));
    }
    if error.is_timeout() {
        return Trouble::Timeout(timeout);
    }
    Trouble::Broken(format!("the connection to {place} broke: {}", deepest(&error)))
}

/// What is wrong with TLS, and what to do about it.
fn explain(error: &rustls::Error, peer: &str) -> String {
    let certificate = format!("the certificate of {peer}");
    match error {
        rustls::Error::InvalidCertificate(fault) => match fault {
            CertificateError::NotValidForNameContext { presented, .. } => {
                format!("{certificate} is not for that name; it names {}", shortened(&presented.join(", ")))
            }
            CertificateError::NotValidForName => format!("{certificate} is not for that name"),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("{certificate} has expired; is the clock of this computer right?")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                format!("{certificate} is not valid yet; is the clock of this computer right?")
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
                "{certificate} was not issued by an authority that this computer trusts; where a firewall looks into TLS, \
                 name its authority in TrustedCertificates"
            ),
            other => format!("{certificate} was refused: {}", shortened(&other.to_string())),
        },
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) | rustls::Error::PeerIncompatible(_) => {
            format!("{peer} shares no version or cipher suite of TLS with us: we speak 1.2 and 1.3")
        }
        rustls::Error::InvalidMessage(_) => format!("{peer} does not speak TLS on this port"),
        other => format!("TLS with {peer} failed: {}", shortened(&other.to_string())),
    }
}

/// The first error of this type among what caused an error, also what an [`io::Error`] carries.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = carried(error);
    }
    None
}

fn carried<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// What caused it all.
fn deepest(error: &(dyn Error + 'static)) -> String {
    if let Some(system) = find::<io::Error>(error).filter(|system| system.get_ref().is_none()) {
        return plain(system);
    }
    let mut deepest = error;
    while let Some(cause) = carried(deepest) {
        deepest = cause;
    }
    shortened(&deepest.to_string())
}

fn shortened(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LONGEST).collect()
}

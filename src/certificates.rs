//! What an operator wants to know about a certificate: whose it is, who vouches for it, how long, and for what.

use std::net::IpAddr;

use jiff::Timestamp;
use presence_core::log_text::Safe;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate, X509Name};

/// So many names of a certificate are shown; a certificate may carry thousands.
const NAMES_SHOWN: usize = 8;

/// One certificate in words. What a peer has written into it is made harmless for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// The common name of its subject, or nothing.
    pub(crate) common_name: Option<String>,
    /// The whole subject.
    pub(crate) subject: String,
    /// Who issued it: the common name, otherwise the whole name.
    pub(crate) issuer: String,
    /// Its number at the issuer, in hexadecimal digits.
    pub(crate) serial: String,
    /// The host names and addresses of its subject alternative name, in lower case and in their order.
    pub(crate) names: Vec<String>,
    /// From when it is valid, in seconds since 1970.
    pub(crate) not_before: i64,
    /// Until when it is valid, in seconds since 1970.
    pub(crate) not_after: i64,
    /// May be shown by a server (its extended key usage says so, or says nothing).
    pub(crate) for_server: bool,
    /// May be shown by a client.
    pub(crate) for_client: bool,
}

impl Certificate {
    /// Reads one certificate in DER.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(der: &[u8]) -> Result<Self, String> {
        let (_, parsed) = X509Certificate::from_der(der).map_err(|error| format!("it is no certificate: {error}"))?;
        let mut read = Self {
            common_name: common_name(parsed.subject()),
            subject: safe(&parsed.subject().to_string()),
            issuer: common_name(parsed.issuer()).unwrap_or_else(|| safe(&parsed.issuer().to_string())),
            serial: serial(parsed.raw_serial()),
            names: Vec::new(),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            for_server: true,
            for_client: true,
        };
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(names) => {
                    read.names.extend(names.general_names.iter().filter_map(|name| match name {
                        GeneralName::DNSName(name) => Some(safe(name).to_ascii_lowercase()),
                        GeneralName::IPAddress(bytes) => address(bytes),
                        _ => None,
                    }));
                }
                ParsedExtension::ExtendedKeyUsage(usage) => {
                    read.for_server = usage.any || usage.server_auth;
                    read.for_client = usage.any || usage.client_auth;
                }
                _ => {}
            }
        }
        Ok(read)
    }

    /// Reads every certificate of a PEM file, in its order; at least one.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(crate) fn read_pem(pem: &[u8]) -> Result<Vec<Self>, String> {
        let mut found = Vec::new();
        for der in CertificateDer::pem_slice_iter(pem) {
            let der = der.map_err(|_| "a CERTIFICATE section of it cannot be read".to_owned())?;
            found.push(Self::read(&der)?);
        }
        if found.is_empty() { Err("there is no CERTIFICATE section in PEM form in it".to_owned()) } else { Ok(found) }
    }

    /// True when a peer that asks for this host accepts it. A common name alone does not count.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// The host names in words.
    pub(crate) fn names_text(&self) -> String {
        match self.names.as_slice() {
            [] => "no host name".to_owned(),
            names if names.len() <= NAMES_SHOWN => names.join(", "),
            names => format!("{}, and {} more", names[..NAMES_SHOWN].join(", "), names.len() - NAMES_SHOWN),
        }
    }

    /// Whole days from `now` until it expires; negative when it has expired.
    pub(crate) fn days_left(&self, now: Timestamp) -> i64 {
        (self.not_after - now.as_second()).div_euclid(24 * 3600)
    }

    /// True before its time.
    pub(crate) fn is_early(&self, now: Timestamp) -> bool {
        now.as_second() < self.not_before
    }

    /// True after its time.
    pub(crate) fn is_late(&self, now: Timestamp) -> bool {
        now.as_second() > self.not_after
    }

    /// `valid until 2027-03-01 (99 days left)`, or why it is not.
    pub(crate) fn validity_text(&self, now: Timestamp) -> String {
        if self.is_early(now) {
            return format!("not valid before {}", day(self.not_before));
        }
        let days = self.days_left(now);
        if self.is_late(now) {
            return format!("expired on {} ({} ago)", day(self.not_after), days_text(-days));
        }
        format!("valid until {} ({} left)", day(self.not_after), days_text(days))
    }
}

/// At most 20 bytes (RFC 5280 section 4.1.2.2), whatever the issuer thought.
fn serial(bytes: &[u8]) -> String {
    bytes.iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}

/// The address of an entry: 4 or 16 bytes.
fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
}

fn days_text(days: i64) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}

fn day(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .map_or_else(|_| "the end of time".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

fn common_name(name: &X509Name<'_>) -> Option<String> {
    name.iter_common_name().next().and_then(|attribute| attribute.as_str().ok()).map(safe)
}

fn safe(text: &str) -> String {
    const LONGEST: usize = 255;
    Safe(&text.chars().take(LONGEST).collect::<String>()).to_string()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};

    use super::*;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> Certificate {
        let mut params = CertificateParams::new(vec!["Trust.example.com".to_owned()]).expect("names");
        params.distinguished_name.push(DnType::CommonName, "Trust.example.com");
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 3, 1);
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Certificate::read_pem(pem.as_bytes()).expect("what was made").remove(0)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    #[test]
    fn names_and_purposes_are_read_and_a_missing_usage_permits_everything() {
        let plain = made(|_| {});
        assert_eq!(
            (plain.common_name.as_deref(), plain.names_text().as_str()),
            (Some("Trust.example.com"), "trust.example.com")
        );
        assert!(plain.is_for("TRUST.example.com.") && !plain.is_for("example.com"));
        assert!(plain.for_server && plain.for_client);
        let server = made(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
        assert!(server.for_server && !server.for_client);
    }

    #[test]
    fn the_days_that_are_left_are_counted_in_whole_days() {
        let certificate = made(|_| {});
        assert_eq!(certificate.validity_text(at("2026-02-01T00:00:00Z")), "valid until 2026-03-01 (28 days left)");
        assert_eq!(certificate.validity_text(at("2025-12-31T00:00:00Z")), "not valid before 2026-01-01");
        assert_eq!(certificate.validity_text(at("2026-03-02T00:00:01Z")), "expired on 2026-03-01 (2 days ago)");
    }

    #[test]
    fn a_name_that_would_move_the_cursor_is_made_visible() {
        let certificate = made(|params| params.distinguished_name.push(DnType::CommonName, "a\u{1b}[2Jb"));
        assert_eq!(certificate.common_name.as_deref(), Some("a\\u{1b}[2Jb"));
        assert!(!certificate.subject.contains('\u{1b}'));
    }

    #[test]
    fn what_is_no_certificate_is_said_so() {
        assert!(Certificate::read(b"nothing").expect_err("no certificate").starts_with("it is no certificate"));
        assert!(Certificate::read_pem(b"nothing").expect_err("none").contains("no CERTIFICATE section"));
    }
}

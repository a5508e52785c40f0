//! Where the API of a provider is, and how what is asked for is written into an address.

use std::fmt::{self, Display, Write};
use std::net::IpAddr;
use std::str::FromStr;

use ureq::http::Uri;

/// Where the API is served unless something else is said.
const DEFAULT: &str = "http://127.0.0.1:8365";

/// The beginning of every address of an API: scheme, host, port, and the path of a proxy in front of it. No final `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiUrl {
    text: String,
    host: String,
    tls: bool,
}

impl ApiUrl {
    /// True with https.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// True when what is sent there does not leave this computer, by the look of it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The address of a resource, which begins with `/`.
    #[must_use]
    pub fn at(&self, resource: &str) -> String {
        format!("{}{resource}", self.text)
    }
}

impl Default for ApiUrl {
    fn default() -> Self {
        Self { text: DEFAULT.to_owned(), host: "127.0.0.1".to_owned(), tls: false }
    }
}

impl Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ApiUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write http://HOST:PORT or https://HOST:PORT, such as http://127.0.0.1:8365";
        let uri: Uri = text.trim().parse().map_err(|_| FORM)?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(FORM),
        };
        let authority = uri.authority().ok_or(FORM)?;
        if authority.host().is_empty() {
            return Err(FORM);
        }
        if authority.as_str().contains('@') {
            return Err("leave out what stands before the @: a token is given with --token-file");
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("leave out what stands behind the ? or #");
        }
        let path = uri.path().trim_end_matches('/');
        let scheme = if tls { "https" } else { "http" };
        let host = authority.host().to_owned();
        Ok(Self { text: format!("{scheme}://{authority}{path}"), host, tls })
    }
}

/// One segment of a path. `:`, `@` and `+` stay as they are: agent URIs stay legible in logs.
pub(crate) fn segment(text: &str) -> String {
    encoded(text, b"-._~:@+")
}

/// The query of an address from names and values, with its `?`; nothing when there are none.
pub(crate) fn query(fields: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let mark = if text.is_empty() { '?' } else { '&' };
        // Writing into a String does not fail.
        let _ = write!(text, "{mark}{name}={}", encoded(value, b"-._~:@"));
    }
    text
}

fn encoded(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_with_or_without_a_path_and_a_final_slash() {
        for (text, at, loopback) in [
            ("http://127.0.0.1:8365", "http://127.0.0.1:8365/x", true),
            ("http://localhost:8365/", "http://localhost:8365/x", true),
            ("http://[::1]:8365", "http://[::1]:8365/x", true),
            ("https://ucc.example.com/presence/", "https://ucc.example.com/presence/x", false),
            ("http://10.0.0.1:8365", "http://10.0.0.1:8365/x", false),
        ] {
            let url: ApiUrl = text.parse().expect(text);
            assert_eq!((url.at("/x").as_str(), url.is_loopback()), (at, loopback));
            assert_eq!(url.is_tls(), text.starts_with("https"));
        }
        assert_eq!(DEFAULT.parse(), Ok(ApiUrl::default()));
    }

    #[test]
    fn what_is_no_address_of_an_api_is_refused() {
        for text in
            ["", "127.0.0.1:8365", "ftp://x", "http://", "http://token@x/", "http://x/?y", "http://x/#y", "http://a b"]
        {
            assert!(text.parse::<ApiUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_asked_for_cannot_leave_its_place_in_the_address() {
        assert_eq!(segment("sip:a/../b?c#d%e@domain.com"), "sip:a%2F..%2Fb%3Fc%23d%25e@domain.com");
        assert_eq!(segment("tel:+31612345678"), "tel:+31612345678");
        let fields = [("q", "+31 é&x=y".to_owned()), ("limit", "5".to_owned())];
        assert_eq!(query(&fields), "?q=%2B31%20%C3%A9%26x%3Dy&limit=5");
        assert_eq!(query(&[]), "");
    }
}

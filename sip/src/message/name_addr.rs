//! From, To, Contact, Route and Record-Route: a URI with a display name and parameters.

use super::text::{self, Params, is_blank, quoted_prefix, trim};

/// An address with its display name and parameters (RFC 3261 section 20.10). The URI is verbatim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name without its quotes; escapes stay.
    pub display: Option<&'a str>,
    /// The URI as it stands on the wire, without angle brackets.
    pub uri: &'a str,
    /// The parameters of the header, not those of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one address; `None` when it is malformed (RFC 4475 sections 3.1.2.6 and 3.1.2.13 to 15).
    ///
    /// ```
    /// use presence_sip::NameAddr;
    /// let from = NameAddr::parse(r#""Bell, A. \"Alec\"" <sip:bell@example.com;lr> ; tag = 88"#).unwrap();
    /// assert_eq!(from.display, Some(r#"Bell, A. \"Alec\""#));
    /// assert_eq!(from.uri, "sip:bell@example.com;lr");
    /// assert_eq!(from.tag(), Some("88"));
    /// ```
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        let value = trim(value);
        if value.starts_with('"') {
            let (display, rest) = quoted_prefix(value)?;
            return Self::bracketed(Some(display), trim(rest).strip_prefix('<')?);
        }
        if let Some((display, rest)) = value.split_once('<') {
            let display = trim(display);
            if display.bytes().any(|b| b == b'"' || b == b',' || b == b';') {
                return None;
            }
            return Self::bracketed((!display.is_empty()).then_some(display), rest);
        }
        // Without brackets, what follows a semicolon belongs to the header, and the URI has no headers of its own.
        let end = value.bytes().position(|b| b == b';' || is_blank(b)).unwrap_or(value.len());
        let (uri, params) = text::cut(value, end);
        if uri.contains(['?', ',']) || !is_uri(uri) {
            return None;
        }
        Some(Self { display: None, uri, params: Params::parse(params)? })
    }

    fn bracketed(display: Option<&'a str>, rest: &'a str) -> Option<Self> {
        let (uri, params) = rest.split_once('>')?;
        let uri = trim(uri);
        is_uri(uri).then_some(())?;
        Some(Self { display, uri, params: Params::parse(params)? })
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        self.param("tag").filter(|tag| !tag.is_empty())
    }

    /// A parameter of the header without regard to case; an empty text when it has no value, quotes taken off.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.get(name)
    }

    /// The parameter `name` of the URI itself, such as `transport` or `opaque`.
    #[must_use]
    pub fn uri_param(&self, name: &str) -> Option<&'a str> {
        uri_param(self.uri, name)
    }
}

/// The parameter `name` of a `sip:` URI: what follows the host up to the headers; an empty text when it has no value.
#[must_use]
pub fn uri_param<'a>(uri: &'a str, name: &str) -> Option<&'a str> {
    let behind_user = uri.split_once('@').map_or(uri, |(_, rest)| rest);
    let (_, params) = behind_user.split_once(';')?;
    let params = params.split('?').next().unwrap_or_default();
    params.split(';').find_map(|param| {
        let (found, value) = param.split_once('=').unwrap_or((param, ""));
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// Any absolute URI: a scheme, something behind it, and nothing that a URI never contains.
pub(crate) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        && !rest.is_empty()
        && !rest.bytes().any(|b| b <= b' ' || b == 0x7f || matches!(b, b'<' | b'>' | b'"'))
}

/// True when the text may stand as a Request-URI (RFC 3261 section 25.1; RFC 4475 sections 3.1.2.7 to 3.1.2.11):
/// an absolute URI; of a `sip:` one also the host and the port are valid, and it carries no headers.
pub(crate) fn is_request_uri(text: &str) -> bool {
    if !is_uri(text) {
        return false;
    }
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
        return true;
    }
    let behind_user = match rest.split_once('@') {
        Some(("", _)) => return false,
        Some((_, host)) => host,
        None => rest,
    };
    if behind_user.contains('?') {
        return false;
    }
    host_and_port(behind_user.split(';').next().unwrap_or_default()).is_some()
}

/// Reads `host`, `host:port` or `[address]:port`; the host keeps its brackets. `None` when either is malformed.
pub(crate) fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if text.starts_with('[') {
        let (host, port) = text::cut(text, text.find(']')? + 1);
        let address = host.strip_prefix('[')?.strip_suffix(']')?;
        address.parse::<std::net::Ipv6Addr>().ok()?;
        (host, trim(port))
    } else {
        let end = text.find(':').unwrap_or(text.len());
        let (host, port) = text::cut(text, end);
        let host = trim(host);
        if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) {
            return None;
        }
        (host, trim(port))
    };
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((host, None)),
        None => None,
        Some(port) => {
            let port = trim(port);
            let digits = port.bytes().all(|b| b.is_ascii_digit());
            Some((host, Some(digits.then(|| port.parse().ok())??)))
        }
    }
}

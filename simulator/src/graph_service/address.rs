//! Paths, queries and forms: percent-encoding read and written.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in the value of a query.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Decodes `%XX`; a `+` stays one.
pub(super) fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Encodes a value for a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, VALUE).to_string()
}

/// The names and values of a query or a form, in which `+` is a blank.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decoded(&name.replace('+', " "))?, decoded(&value.replace('+', " "))?))
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// The first value with this name.
pub(super) fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// True for a GUID in the usual form, in either case.
pub(super) fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// True when Microsoft would post to this URL, or when it is plain and on loopback, for tests.
pub(super) fn may_be_posted_to(url: &str) -> bool {
    if url.len() > 2_048 {
        return false;
    }
    if let Some(rest) = url.strip_prefix("https://") {
        return !rest.is_empty() && !rest.starts_with('/');
    }
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host == "localhost" || host == "[::1]" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|host| host.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_with_its_blanks_and_its_signs() {
        let read = pairs("a=1+2&b=%2B%27&c").expect("a form");
        let expected = [("a", "1 2"), ("b", "+'"), ("c", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read, expected);
        assert_eq!(pairs("a=%FF"), None);
    }

    #[test]
    fn only_https_and_plain_loopback_may_be_posted_to() {
        let yes = ["https://pp.example.com/n", "http://127.0.0.1:80/n", "http://localhost/n", "http://[::1]:1/n"];
        let no = ["http://example.com/", "https:///n", "ftp://127.0.0.1", "http://127.0.0.1.example.com/", ""];
        assert!(yes.iter().all(|url| may_be_posted_to(url)));
        assert!(!no.iter().any(|url| may_be_posted_to(url)));
    }
}

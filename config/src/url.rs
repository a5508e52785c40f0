//! Addresses of the web: of Microsoft's hosts, of a proxy, of ourselves as Microsoft reaches us.

use std::net::{IpAddr, Ipv6Addr};

use crate::diagnostic::shown;
use crate::values::{Wrong, address};

/// The longest address, in bytes.
const LONGEST: usize = 2000;

/// An address of the web that has been taken apart.
pub(crate) struct Url<'t> {
    /// In lower case.
    pub(crate) scheme: String,
    /// Host and port, the host in lower case; an IPv6 address in brackets.
    pub(crate) authority: String,
    /// The host alone, an IPv6 address without its brackets.
    pub(crate) host: String,
    /// What follows: empty, or from the `/` on.
    pub(crate) path: &'t str,
}

impl Url<'_> {
    /// True when nobody but this computer answers there.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Scheme and authority.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}

/// `scheme://host[:port][/path]`, without user, query and fragment. No error shows more than the host of a text that may
/// hold a password.
pub(crate) fn parse<'t>(text: &'t str, example: &str) -> Result<Url<'t>, Wrong> {
    let help = || format!("write {}", shown(example));
    if text.len() > LONGEST {
        return Err((format!("it has more than {LONGEST} characters"), help()));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err((format!("{} has no scheme", shown(text)), help()));
    };
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "https" | "http") {
        return Err((format!("the scheme {} is not served", shown(&scheme)), help()));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if let Some((_, host)) = authority.rsplit_once('@') {
        let message = "it names a user or a password; this file is no place for either".to_owned();
        return Err((message, format!("write {}", shown(&format!("{scheme}://{host}")))));
    }
    if path.contains(['?', '#']) {
        return Err(("it has a query or a fragment".to_owned(), "end it before the `?` or `#`".to_owned()));
    }
    if let Some(odd) = path.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '.' | '_' | '~'))) {
        let message = format!("the path has the character {}", shown(&odd.to_string()));
        return Err((message, "write letters, digits and `/ - . _ ~` in the path".to_owned()));
    }
    let found = address(authority).map_err(|(message, _)| (message, help()))?;
    Ok(Url { scheme, authority: found.to_string(), host: found.host, path })
}

/// Where Microsoft's host is: no path; `http` on loopback only.
pub(crate) fn base(text: &str, example: &str) -> Result<String, Wrong> {
    let url = parse(text, example)?;
    secure(&url, "tokens")?;
    if !matches!(url.path, "" | "/") {
        let message = format!("{} is a path, and only the host is said here", shown(url.path));
        return Err((message, format!("write {}", shown(&url.origin()))));
    }
    Ok(url.origin())
}

/// A proxy: `http://host:port`.
pub(crate) fn proxy(text: &str) -> Result<String, Wrong> {
    const EXAMPLE: &str = "http://proxy.example.com:3128";
    let url = parse(text, EXAMPLE)?;
    if url.scheme != "http" {
        let message = "a proxy is spoken to over `http`; what goes through it is TLS from end to end".to_owned();
        return Err((message, format!("write {}", shown(&format!("http://{}", url.authority)))));
    }
    if !matches!(url.path, "" | "/") {
        return Err((format!("{} is a path", shown(url.path)), format!("write {}", shown(&url.origin()))));
    }
    Ok(url.origin())
}

/// Where we are reached from outside: `https` and the name of a host; loopback is for tests.
pub(crate) fn notifications(text: &str) -> Result<String, Wrong> {
    const EXAMPLE: &str = "https://presence.example.com";
    /// The path without one in the file.
    const PATH: &str = "/graph/notifications";
    /// What the API has there already.
    const TAKEN: [&str; 5] = ["/api", "/health", "/metrics", "/dashboard", "/assets"];
    let url = parse(text, EXAMPLE)?;
    secure(&url, "notifications")?;
    let is_address = url.host.parse::<IpAddr>().is_ok() || url.host.parse::<Ipv6Addr>().is_ok();
    if is_address && !url.is_loopback() {
        let message = format!("{} is an address, and Microsoft checks the certificate of a name", shown(&url.host));
        return Err((message, format!("write the name that the certificate has, such as {}", shown(EXAMPLE))));
    }
    let path = match url.path {
        "" | "/" => PATH,
        path => path,
    };
    if path.ends_with('/') || path.contains("//") || path.split('/').any(|part| matches!(part, "." | "..")) {
        let message = format!("the path {} has an empty part, or one of dots", shown(path));
        return Err((message, format!("write {}", shown(&format!("{}{PATH}", url.origin())))));
    }
    let is_below =
        |taken: &&&str| path.strip_prefix(**taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Some(taken) = TAKEN.iter().find(is_below) {
        let message = format!("the path begins with {}, which is the API's own", shown(taken));
        return Err((message, format!("write {}", shown(&format!("{}{PATH}", url.origin())))));
    }
    Ok(format!("{}{path}", url.origin()))
}

fn secure(url: &Url<'_>, what: &str) -> Result<(), Wrong> {
    if url.scheme == "https" || url.is_loopback() {
        return Ok(());
    }
    let message = format!("over `http` everyone on the way can read the {what}");
    Err((message, format!("write {}", shown(&format!("https://{}{}", url.authority, url.path)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_put_together_in_one_form() {
        for (text, expected) in [
            ("https://Login.Example.com", "https://login.example.com"),
            ("https://login.example.com:8443/", "https://login.example.com:8443"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://[::1]:8000", "http://[::1]:8000"),
        ] {
            assert_eq!(base(text, "x").as_deref(), Ok(expected));
        }
        assert_eq!(notifications("https://a.example.com").as_deref(), Ok("https://a.example.com/graph/notifications"));
        assert_eq!(notifications("https://a.example.com/teams").as_deref(), Ok("https://a.example.com/teams"));
        assert_eq!(proxy("http://Proxy:3128").as_deref(), Ok("http://proxy:3128"));
    }

    #[test]
    fn what_would_give_something_away_or_lead_nowhere_is_refused_without_showing_a_password() {
        for text in [
            "http://login.example.com",
            "ftp://login.example.com",
            "login.example.com",
            "https://me:hunter2@login.example.com",
            "https://login.example.com/common",
            "https://login.example.com?x=hunter2",
            "https://",
            "https://[::1",
            "https://a b",
        ] {
            let (message, help) = base(text, "https://login.example.com").expect_err(text);
            assert!(!format!("{message}{help}").contains("hunter2"), "{message}: {help}");
        }
        for text in ["https://192.0.2.1", "https://a/api/x", "https://a/x/../y", "https://a/x/", "https://a//x"] {
            assert!(notifications(text).is_err(), "{text}");
        }
        for text in ["https://proxy:3128", "http://me:hunter2@proxy", "http://proxy/x", "socks5://proxy"] {
            let (message, help) = proxy(text).expect_err(text);
            assert!(!format!("{message}{help}").contains("hunter2"), "{message}: {help}");
        }
    }
}

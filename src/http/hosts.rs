//! For whom a request is meant, and from whose page it comes.
//!
//! Without tokens the API trusts everyone on this computer, and a browser on this computer runs the pages of everyone: a
//! page may have its own name resolve to 127.0.0.1 (DNS rebinding), or send requests here without being able to read the
//! answers. Both are told by the headers Host, Origin and Sec-Fetch-Site, which a page cannot write.

use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::http::{Method, Uri};
use presence_core::log_text::Safe;

use super::Problem;

/// So much of a foreign name is shown.
const SHOWN: usize = 100;

/// The names under which we are reached.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    names: Vec<String>,
    address: IpAddr,
    /// With tokens every name will do: a page has no token.
    tokens: bool,
}

/// Host and port of an authority, the host in lower case and without brackets or final dot.
fn parts(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    let is_v6 = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
    let host = if is_v6 { &host[1..host.len() - 1] } else { host };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || (is_v6 && c == ':');
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty() && host.chars().all(plain)).then_some((host, port))
}

fn shown(text: &str) -> String {
    Safe(&text.chars().take(SHOWN).collect::<String>()).to_string()
}

/// The one value of a header; an error when there are several or it is no text.
fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(&name);
    let Some(value) = values.next() else { return Ok(None) };
    match value.to_str() {
        Ok(text) if values.next().is_none() => Ok(Some(text)),
        _ => Err(Problem::bad_request(format!("the header {name} must stand there once, in ASCII"))),
    }
}

impl Hosts {
    /// For a listener at this address, reached also by these names (lower case).
    pub(super) fn new(address: IpAddr, names: &[String], tokens: bool) -> Self {
        Self { names: names.to_vec(), address, tokens }
    }

    /// Goes on only with a request that is meant for us and that no foreign page has made.
    ///
    /// # Errors
    /// 400 when the headers contradict themselves, 403 otherwise.
    pub(super) fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let host = one(headers, header::HOST)?;
        for authority in host.into_iter().chain(uri.authority().map(|authority| authority.as_str())) {
            self.is_meant(authority)?;
        }
        let Some(host) = host else {
            return Err(Problem::bad_request("the request has no header Host"));
        };
        let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let is_guarded = changes || is_data(uri.path()) || headers.contains_key(header::UPGRADE);
        if !is_guarded {
            return Ok(());
        }
        if let Some(origin) = one(headers, header::ORIGIN)? {
            return self.is_own(origin, host);
        }
        // Where a browser says no Origin: images, scripts, frames and links of other pages. With tokens they have none.
        let site = headers.get("sec-fetch-site").map_or(&b""[..], |value| value.as_bytes());
        if !self.tokens && matches!(site, b"cross-site" | b"same-site") {
            return Err(Problem::forbidden(
                "a page of another origin must not use the API; open its address by itself",
            ));
        }
        Ok(())
    }

    fn is_meant(&self, authority: &str) -> Result<(), Problem> {
        if self.tokens {
            return Ok(());
        }
        let host = parts(authority).map(|(host, _)| host);
        let is_ours = host.is_some_and(|host| {
            host == "localhost"
                || self.names.contains(&host)
                || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address == self.address)
        });
        if is_ours {
            return Ok(());
        }
        Err(Problem::forbidden(format!(
            "`{}` is no name of this listener; add it to HostNames of Http in Config.xml if it should be",
            shown(authority)
        )))
    }

    fn is_own(&self, origin: &str, host: &str) -> Result<(), Problem> {
        let own = origin.split_once("://").and_then(|(scheme, authority)| {
            let usual = match scheme {
                "http" => 80,
                "https" => 443,
                _ => return None,
            };
            let (name, port) = parts(authority)?;
            let (own, own_port) = parts(host)?;
            let is_same = name == own && port.unwrap_or(usual) == own_port.unwrap_or(usual);
            Some(is_same || self.names.contains(&name))
        });
        if own == Some(true) {
            return Ok(());
        }
        Err(Problem::forbidden(format!(
            "a page of the origin `{}` must not use the API; behind a proxy add its name to HostNames of Http in Config.xml",
            shown(origin)
        )))
    }
}

/// True for what answers with data, rather than with a page or with whether we live.
fn is_data(path: &str) -> bool {
    let is_page = path.starts_with("/api/v1/docs") || path == "/api/v1/openapi.json";
    (path.starts_with("/api/") && !is_page) || path == "/metrics"
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn asked(hosts: &Hosts, method: &Method, target: &str, headers: &[(&'static str, &'static str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        hosts.check(method, &target.parse().expect("a target"), &map).map_or_else(|problem| problem.status, |()| 200)
    }

    fn open() -> Hosts {
        Hosts::new("127.0.0.1".parse().expect("an address"), &["switch.hospital.example".to_owned()], false)
    }

    #[test]
    fn without_tokens_only_our_own_names_are_served() {
        let host = |host| asked(&open(), &Method::GET, "/", &[("host", host)]);
        for own in
            ["localhost", "LocalHost.:8365", "127.0.0.1:1", "[::1]:8365", "127.9.9.9", "switch.hospital.example:80"]
        {
            assert_eq!(host(own), 200, "{own}");
        }
        for foreign in [
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "",
            "127.0.0.1.evil.example",
            "a@localhost",
            "localhost:x",
            "[::1",
            "localhost:8365:1",
            "2130706433",
        ] {
            assert_eq!(host(foreign), 403, "{foreign}");
        }
        assert_eq!(asked(&open(), &Method::GET, "/", &[]), 400);
        assert_eq!(asked(&open(), &Method::GET, "/", &[("host", "localhost"), ("host", "localhost")]), 400);
        assert_eq!(asked(&open(), &Method::GET, "http://evil.example/", &[("host", "localhost")]), 403);
        let tokens = Hosts { tokens: true, ..open() };
        assert_eq!(asked(&tokens, &Method::GET, "/", &[("host", "evil.example")]), 200);
    }

    #[test]
    fn a_page_of_another_origin_neither_changes_nor_reads_anything() {
        for hosts in [open(), Hosts { tokens: true, ..open() }] {
            let origin = |method: &Method, target, origin| {
                asked(&hosts, method, target, &[("host", "localhost:8365"), ("origin", origin)])
            };
            for foreign in ["http://evil.example", "null", "http://localhost:3000", "ftp://localhost:8365", ""] {
                assert_eq!(origin(&Method::POST, "/api/v1/agents/revive", foreign), 403, "{foreign}");
                assert_eq!(origin(&Method::GET, "/api/v1/status", foreign), 403, "{foreign}");
                assert_eq!(origin(&Method::DELETE, "/elsewhere", foreign), 403, "{foreign}");
                assert_eq!(origin(&Method::GET, "/", foreign), 200, "a page may be linked: {foreign}");
            }
            for own in ["http://localhost:8365", "https://LOCALHOST:8365", "https://switch.hospital.example"] {
                assert_eq!(origin(&Method::POST, "/api/v1/agents/revive", own), 200, "{own}");
            }
            let upgrade = [("host", "localhost"), ("origin", "http://evil.example"), ("upgrade", "websocket")];
            assert_eq!(asked(&hosts, &Method::GET, "/", &upgrade), 403);
            let usual = [("host", "localhost:443"), ("origin", "https://localhost")];
            assert_eq!(asked(&hosts, &Method::POST, "/", &usual), 200);
        }
    }

    #[test]
    fn an_image_of_another_page_reads_nothing_where_no_token_protects() {
        let site = |hosts: &Hosts, target, site| {
            asked(hosts, &Method::GET, target, &[("host", "localhost"), ("sec-fetch-site", site)])
        };
        assert_eq!(site(&open(), "/api/v1/events", "cross-site"), 403);
        assert_eq!(site(&open(), "/metrics", "same-site"), 403);
        for (target, from) in [
            ("/api/v1/events", "same-origin"),
            ("/api/v1/status", "none"),
            ("/", "cross-site"),
            ("/api/v1/docs/", "cross-site"),
        ] {
            assert_eq!(site(&open(), target, from), 200, "{target} {from}");
        }
        assert_eq!(site(&Hosts { tokens: true, ..open() }, "/api/v1/events", "cross-site"), 200);
    }
}

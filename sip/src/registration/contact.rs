//! What the pool says about us: the Contact of a 200, the keep-alive, where else to go.

use std::net::Ipv6Addr;
use std::time::Duration;

use crate::epid::Instance;
use crate::message::text::saturating_number;
use crate::message::{Message, NameAddr, is_request_uri};

/// The lifetime of a keep-alive where the pool wants one and names no time (MS-CONMGMT).
const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// What a 200 to a REGISTER grants.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Granted {
    /// The URI by which requests reach this endpoint and no other one of its owner.
    pub(super) gruu: Option<String>,
    /// How long; `None` where it is not said.
    pub(super) expires: Option<Duration>,
    /// How long the connection may be idle; `None` where no keep-alive was agreed on.
    pub(super) keep_alive: Option<Duration>,
}

/// Reads a 200. Among the Contacts, which may be those of all endpoints of the owner, ours is the one with our instance.
pub(super) fn granted(response: &Message, instance: Instance) -> Granted {
    let ours = response
        .values("Contact")
        .filter_map(NameAddr::parse)
        .find(|contact| contact.param("+sip.instance").and_then(Instance::parse) == Some(instance));
    let gruu = ours.and_then(|ours| ours.param("gruu").or_else(|| ours.param("pub-gruu")));
    let expires = ours.and_then(|ours| ours.param("expires")).and_then(saturating_number);
    Granted {
        // It becomes our Contact, so it must be fit for one.
        gruu: gruu.filter(|gruu| is_request_uri(gruu)).map(str::to_owned),
        expires: expires.map(|seconds| Duration::from_secs(seconds.into())).or_else(|| response.expires()),
        keep_alive: response.header_all("ms-keep-alive").find_map(keep_alive),
    }
}

/// Reads `UAS; tcp=no; hop-hop=yes; end-end=no; timeout=300` (MS-CONMGMT section 2.2.1): the longest silence, where a
/// keep-alive from hop to hop was agreed on.
fn keep_alive(value: &str) -> Option<Duration> {
    let mut parts = value.split(';').map(str::trim);
    parts.next().filter(|role| role.eq_ignore_ascii_case("UAS"))?;
    let (mut wanted, mut timeout) = (false, KEEP_ALIVE);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let value = value.trim();
        match name.trim() {
            name if name.eq_ignore_ascii_case("hop-hop") => wanted = value.eq_ignore_ascii_case("yes"),
            name if name.eq_ignore_ascii_case("timeout") => {
                timeout = Duration::from_secs(saturating_number(value)?.into());
            }
            _ => {}
        }
    }
    (wanted && !timeout.is_zero()).then_some(timeout)
}

/// Where the Contact of a redirection leads; `None` where it leads nowhere.
pub(super) fn redirected(response: &Message) -> Option<(String, Option<u16>)> {
    response.values("Contact").filter_map(NameAddr::parse).find_map(|contact| place(contact.uri))
}

/// Where `P-Preferred-Registrar` leads: a URI with or without brackets, or `host[:port]`.
pub(super) fn preferred_registrar(message: &Message) -> Option<(String, Option<u16>)> {
    let value = message.header("P-Preferred-Registrar")?;
    match NameAddr::parse(value) {
        Some(name) if has_scheme(name.uri) => place(name.uri),
        _ => host_and_port(value.split([';', ',']).next().unwrap_or_default().trim()),
    }
}

fn has_scheme(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| ["sip", "sips"].iter().any(|sip| scheme.eq_ignore_ascii_case(sip)))
}

/// The host and the port of a SIP URI.
fn place(uri: &str) -> Option<(String, Option<u16>)> {
    if !has_scheme(uri) || !is_request_uri(uri) {
        return None;
    }
    let (_, rest) = uri.split_once(':')?;
    let behind_user = rest.split_once('@').map_or(rest, |(_, host)| host);
    host_and_port(behind_user.split([';', '?']).next()?)
}

/// Reads `host`, `host:port`, `[address]` or `[address]:port`.
fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            let port = if port.is_empty() { None } else { Some(port.strip_prefix(':')?) };
            (address.parse::<Ipv6Addr>().ok()?.to_string(), port)
        }
        None => {
            let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
            let fit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            let name = name.trim_end_matches('.');
            (name.bytes().all(fit).then(|| name.to_ascii_lowercase())?, port)
        }
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
        None => None,
    };
    (!host.is_empty() && host.len() <= 253).then_some((host, port))
}

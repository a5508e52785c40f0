//! From the text of an attribute to its value. An error is what is wrong and what to write instead.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::IntErrorKind;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;

use crate::diagnostic::shown;
use crate::settings::PoolAddress;

/// What is wrong, and what to write instead.
pub(crate) type Wrong = (String, String);

/// The longest delay that is accepted: 366 days.
const LONGEST_DELAY: Duration = Duration::from_secs(366 * 24 * 3600);

fn wrong<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Wrong> {
    Err((message.into(), help.into()))
}

/// `true`, `false`, `1` or `0`, in any case.
pub(crate) fn boolean(text: &str) -> Result<bool, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        "yes" | "on" | "y" | "enabled" => wrong(format!("{} is not a truth value", shown(text)), "write `true`"),
        "no" | "off" | "n" | "disabled" => wrong(format!("{} is not a truth value", shown(text)), "write `false`"),
        _ => wrong(format!("{} is not a truth value", shown(text)), "write `true` or `false`"),
    }
}

/// A whole number.
pub(crate) fn count(text: &str, example: &str) -> Result<u32, Wrong> {
    text.parse::<u32>().map_err(|error| {
        let help = format!("write digits only, such as `{example}`");
        match error.kind() {
            IntErrorKind::PosOverflow => {
                (format!("{} is too large", shown(text)), format!("the largest number is {}", u32::MAX))
            }
            IntErrorKind::InvalidDigit if text.starts_with('-') => (format!("{} is negative", shown(text)), help),
            _ => (format!("{} is not a whole number", shown(text)), help),
        }
    })
}

/// A whole number within bounds.
pub(crate) fn count_within(text: &str, bounds: RangeInclusive<u32>) -> Result<u32, Wrong> {
    let help = format!("write a number from {} to {}", bounds.start(), bounds.end());
    match count(text, "") {
        Ok(value) if bounds.contains(&value) => Ok(value),
        Ok(value) => wrong(format!("{value} is too {}", if value < *bounds.start() { "small" } else { "large" }), help),
        Err((message, _)) => Err((message, help)),
    }
}

/// Plain seconds, or a humantime duration such as `8h`; `Duration::MAX` when it is longer than can be counted.
fn duration(text: &str, help: &str) -> Result<Duration, Wrong> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(text.parse().map(Duration::from_secs).unwrap_or(Duration::MAX));
    }
    match humantime::parse_duration(text) {
        Ok(duration) => Ok(duration),
        Err(humantime::DurationError::NumberOverflow) => Ok(Duration::MAX),
        Err(_) if text.starts_with('-') => wrong(format!("{} is negative", shown(text)), help),
        Err(_) => wrong(format!("{} is not a duration", shown(text)), help),
    }
}

/// Plain seconds, or a humantime duration such as `8h`. Never zero.
pub(crate) fn delay(text: &str) -> Result<Duration, Wrong> {
    let help = "write seconds, such as `900`, or a number with a unit, such as `900s`, `15m` or `8h`";
    let parsed = duration(text, help)?;
    if parsed.is_zero() {
        return wrong("the delay is zero; an agent that fails would be tried without pause", help);
    }
    if parsed > LONGEST_DELAY {
        return wrong(format!("{} is longer than 366 days", shown(text)), help);
    }
    Ok(parsed)
}

/// Plain seconds, or a humantime duration such as `1m`; zero to `longest`.
pub(crate) fn duration_up_to(text: &str, longest: Duration) -> Result<Duration, Wrong> {
    let help = format!(
        "write seconds, such as `60`, or a number with a unit, such as `60s` or `1m`; at most {}",
        humantime::format_duration(longest)
    );
    match duration(text, &help)? {
        parsed if parsed > longest => wrong(format!("{} is too long", shown(text)), help),
        parsed => Ok(parsed),
    }
}

/// The same within bounds.
pub(crate) fn duration_within(text: &str, bounds: RangeInclusive<Duration>, example: &str) -> Result<Duration, Wrong> {
    let (shortest, longest) = (humantime::format_duration(*bounds.start()), humantime::format_duration(*bounds.end()));
    let help = format!(
        "write seconds, such as `{example}`, or a number with a unit, such as `{example}s`; {shortest} to {longest}"
    );
    match duration(text, &help)? {
        parsed if parsed < *bounds.start() => wrong(format!("{} is too short", shown(text)), help),
        parsed if parsed > *bounds.end() => wrong(format!("{} is too long", shown(text)), help),
        parsed => Ok(parsed),
    }
}

/// The shortest and the longest time between two samples.
const SAMPLE_INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);

/// Plain seconds or a humantime duration, from a second to a day; `None` for `0` and `never`.
pub(crate) fn sample_interval(text: &str) -> Result<Option<Duration>, Wrong> {
    let help = "write seconds, such as `10`, or a number with a unit, such as `10s`; 1s to 1day, or `never`";
    if text.eq_ignore_ascii_case("never") {
        return Ok(None);
    }
    match duration(text, help)? {
        Duration::ZERO => Ok(None),
        parsed if parsed < *SAMPLE_INTERVALS.start() => wrong(format!("{} is too short", shown(text)), help),
        parsed if parsed > *SAMPLE_INTERVALS.end() => wrong(format!("{} is too long", shown(text)), help),
        parsed => Ok(Some(parsed)),
    }
}

/// One word of an enumeration, through serde; upper and lower case make no difference.
pub(crate) fn word<T: for<'de> Deserialize<'de>>(text: &str, words: &[&str]) -> Result<T, Wrong> {
    let lower = text.to_ascii_lowercase();
    T::deserialize(lower.as_str().into_deserializer()).map_err(|_: ValueError| {
        let listed: Vec<String> = words.iter().map(|word| shown(word)).collect();
        let help = match crate::shape::nearest(text, words.iter().copied()) {
            Some(near) => format!("did you mean {}?", shown(near)),
            None => format!("write one of {}", listed.join(", ")),
        };
        (format!("{} is not one of {}", shown(text), listed.join(", ")), help)
    })
}

/// `host`, `host:port`, `address`, `address:port` or `[IPv6]:port`.
pub(crate) fn address(text: &str) -> Result<PoolAddress, Wrong> {
    const HELP: &str =
        "write a host name with or without a port, such as `pool.example.com` or `pool.example.com:5061`";
    if let Some(scheme) = ["sip:", "sips:", "http://", "https://", "tcp://", "tls://"]
        .into_iter()
        .find(|scheme| text.to_ascii_lowercase().starts_with(scheme))
    {
        let rest = text[scheme.len()..].trim_matches('/');
        return wrong(format!("{} begins with {}", shown(text), shown(scheme)), format!("write {}", shown(rest)));
    }
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Ok(PoolAddress { host: ip.to_string(), port: None });
    }
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((ip, port)) = rest.split_once(']') else {
            return wrong(format!("{} has a `[` without a `]`", shown(text)), "write `[2001:db8::1]:5061`");
        };
        let Ok(ip) = ip.parse::<Ipv6Addr>() else {
            return wrong(format!("{} is not an IPv6 address", shown(ip)), "write `[2001:db8::1]:5061`");
        };
        match (port, port.strip_prefix(':')) {
            ("", _) => (ip.to_string(), None),
            (_, Some(port)) => (ip.to_string(), Some(port)),
            _ => return wrong(format!("{} after the `]`", shown(port)), "write `[2001:db8::1]:5061`"),
        }
    } else {
        let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        if let Err(reason) = host_name(host) {
            return wrong(format!("{} is no host name: {reason}", shown(host)), HELP);
        }
        (host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(), port)
    };
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(port)) if port > 0 => Some(port),
        Some(_) => {
            let written = port.unwrap_or_default();
            return wrong(
                format!("{} is no port", shown(written)),
                "write a number from 1 to 65535 after the `:`, or no `:`",
            );
        }
    };
    Ok(PoolAddress { host, port })
}

/// A host name or IPv4 address in letters of any case.
pub(crate) fn host_name(text: &str) -> Result<(), String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.is_empty() {
        return Err("it is empty".to_owned());
    }
    if name.contains('*') {
        return Err("a `*` stands for nothing here; name each host".to_owned());
    }
    if let Some(c) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))) {
        return Err(format!("it has the character {}", shown(&c.to_string())));
    }
    let digits_only = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if digits_only && name.parse::<IpAddr>().is_err() {
        return Err("it is made of digits, but is no IPv4 address".to_owned());
    }
    if name.split('.').any(str::is_empty) {
        return Err("there is nothing between two dots".to_owned());
    }
    let bad = |label: &str| label.len() > 63 || label.starts_with('-') || label.ends_with('-');
    match name.split('.').find(|label| bad(label)) {
        Some(label) => Err(format!("the part {} is too long or has a `-` at its edge", shown(label))),
        None if name.len() > 253 => Err("it has more than 253 characters".to_owned()),
        None => Ok(()),
    }
}

/// `ip:port`, where to listen. `example` is for the help.
pub(crate) fn listen(text: &str, example: SocketAddr) -> Result<SocketAddr, Wrong> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let digits = text.trim_start_matches(['*', ':']);
    if let Ok(port) = digits.parse::<u16>() {
        let own = shown(&SocketAddr::new(example.ip(), port).to_string());
        let help = if example.ip().is_loopback() {
            format!(
                "write {own} for this machine alone, or {} for all its addresses",
                shown(&format!("0.0.0.0:{port}"))
            )
        } else {
            format!("write {own} for all addresses of this machine")
        };
        return wrong(format!("{} is a port without an address", shown(text)), help);
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        let full = SocketAddr::new(ip, example.port()).to_string();
        return wrong(format!("{} has no port", shown(text)), format!("write {}", shown(&full)));
    }
    let own = shown(&example.to_string());
    wrong(
        format!("{} is not an address to listen on", shown(text)),
        format!("write an IP address of this machine and a port, such as {own}; names are not looked up here"),
    )
}

fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A GUID, in lower case.
pub(crate) fn object_id(text: &str) -> Result<String, Wrong> {
    if is_guid(text) {
        return Ok(text.to_ascii_lowercase());
    }
    wrong(
        format!("{} is no GUID", shown(text)),
        "write the Object ID of the user, such as `2d5a6e1f-4d3b-4f4e-9c1a-0b8a3f6f1c11`; the Entra admin center shows it",
    )
}

/// A GUID, or a domain name of the tenant.
pub(crate) fn tenant(text: &str) -> Result<String, Wrong> {
    let help =
        "write the Directory (tenant) ID, such as `4119dd4d-e455-4535-9d45-b3535f584cad`, or a domain of the tenant";
    if is_guid(text) || (text.contains('.') && host_name(text).is_ok()) {
        return Ok(text.to_ascii_lowercase());
    }
    wrong(format!("{} is neither a GUID nor a domain name", shown(text)), help)
}

//! The name of an agent: one normal form for every way of writing it.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// The longest agent URI that is accepted, in bytes.
pub const MAX_AGENT_URI_BYTES: usize = 512;

/// The scheme of an agent URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `sip:user@host`
    Sip,
    /// `sips:user@host`
    Sips,
    /// `tel:+31612345678`
    Tel,
}

/// Why a text is not an agent URI. The text fits after "failed to read the agent URI: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentUriError {
    /// Nothing but blanks.
    #[error("it is empty; write `sip:user@domain` or `tel:+31612345678`")]
    Empty,
    /// Longer than [`MAX_AGENT_URI_BYTES`].
    #[error("it has {0} bytes, more than the {MAX_AGENT_URI_BYTES} that are accepted")]
    TooLong(usize),
    /// No scheme, or another one than sip, sips and tel.
    #[error("`{0}` begins with none of `sip:`, `sips:` and `tel:`")]
    Scheme(String),
    /// A sip or sips URI without a user part.
    #[error("`{0}` names no user; write `sip:user@domain`")]
    User(String),
    /// A host that is neither a name nor an address, or a bad port.
    #[error("`{0}` has no valid host after the `@`")]
    Host(String),
    /// A tel URI without digits, or with characters that no number has.
    #[error("`{0}` is not a telephone number; write `tel:+31612345678`")]
    Number(String),
    /// A blank, a control character or an angle bracket inside.
    #[error("`{0}` contains the character {1:?}, which no URI may contain")]
    Character(String, char),
}

/// The URI of an agent, compared by its normal form.
///
/// Two ways of writing the same agent are equal: the case of scheme, user part and host (Skype for Business compares
/// all three without regard to case), blanks around it and after the scheme, URI parameters and headers of `sip:`, and
/// the visual separators of a telephone number (RFC 3966 section 5.1.1) do not count. The original is kept for display.
///
/// ```
/// use presence_core::AgentUri;
/// let a: AgentUri = "SIP:User1@Domain.com".parse()?;
/// let b: AgentUri = " sip:user1@domain.COM ".parse()?;
/// assert_eq!(a, b);
/// assert_eq!(a.as_str(), "sip:user1@domain.com");
/// assert_eq!(a.original(), "SIP:User1@Domain.com");
/// # Ok::<(), presence_core::AgentUriError>(())
/// ```
#[derive(Clone)]
pub struct AgentUri {
    normal: Arc<str>,
    original: Arc<str>,
    scheme: Scheme,
}

impl AgentUri {
    /// Reads an agent URI.
    ///
    /// # Errors
    /// Says what is wrong with the text and what to write instead.
    pub fn parse(text: &str) -> Result<Self, AgentUriError> {
        let original = text.trim();
        if original.is_empty() {
            return Err(AgentUriError::Empty);
        }
        if original.len() > MAX_AGENT_URI_BYTES {
            return Err(AgentUriError::TooLong(original.len()));
        }
        let Some((scheme, rest)) = original.split_once(':') else {
            return Err(AgentUriError::Scheme(original.into()));
        };
        let rest = rest.trim_start();
        let (scheme, normal) = match scheme.trim_end().to_ascii_lowercase().as_str() {
            "sip" => (Scheme::Sip, format!("sip:{}", normal_sip(original, rest)?)),
            "sips" => (Scheme::Sips, format!("sips:{}", normal_sip(original, rest)?)),
            "tel" => (Scheme::Tel, format!("tel:{}", normal_tel(original, rest)?)),
            _ => return Err(AgentUriError::Scheme(original.into())),
        };
        let normal: Arc<str> = normal.into();
        let original = if *normal == *original { Arc::clone(&normal) } else { original.into() };
        Ok(Self { normal, original, scheme })
    }

    /// The normal form, such as `sip:user1@domain.com`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.normal
    }

    /// The normal form, shared.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.normal)
    }

    /// As it was written, without the blanks around it.
    #[must_use]
    pub fn original(&self) -> &str {
        &self.original
    }

    /// The scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The user part of a `sip:` or `sips:` URI.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.after_scheme().rsplit_once('@').map(|(user, _)| user)
    }

    /// The host of a `sip:` or `sips:` URI, without a port.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let (_, host) = self.after_scheme().rsplit_once('@')?;
        if host.starts_with('[') {
            return host.find(']').and_then(|end| host.get(..=end));
        }
        Some(host.split_once(':').map_or(host, |(name, _)| name))
    }

    /// True for a line URI in E.164 form: `tel:+` and 2 to 15 digits, the first not 0.
    #[must_use]
    pub fn is_e164(&self) -> bool {
        let Some(number) = self.normal.strip_prefix("tel:+") else { return false };
        let number = number.split(';').next().unwrap_or_default();
        (2..=15).contains(&number.len()) && !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit())
    }

    fn after_scheme(&self) -> &str {
        self.normal.split_once(':').map_or("", |(_, rest)| rest)
    }
}

fn refuse_characters(original: &str, part: &str) -> Result<(), AgentUriError> {
    let bad = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '<' | '>' | '"' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    match part.chars().find(|&c| bad(c)) {
        Some(c) => Err(AgentUriError::Character(original.into(), c)),
        None => Ok(()),
    }
}

fn normal_sip(original: &str, rest: &str) -> Result<String, AgentUriError> {
    refuse_characters(original, rest)?;
    let Some((user, host)) = rest.split_once('@') else { return Err(AgentUriError::User(original.into())) };
    if user.is_empty() || user.starts_with(':') {
        return Err(AgentUriError::User(original.into()));
    }
    let host = host.split([';', '?']).next().unwrap_or_default();
    let host = normal_host(host).ok_or_else(|| AgentUriError::Host(original.into()))?;
    Ok(format!("{}@{host}", user.to_lowercase()))
}

/// The host in lower case, with its port; `None` when it is neither a name nor an address or the port is bad.
fn normal_host(text: &str) -> Option<String> {
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let address: std::net::Ipv6Addr = address.parse().ok()?;
        (
            format!("[{address}]"),
            port.strip_prefix(':').map_or(if port.is_empty() { Some(None) } else { None }, |p| Some(Some(p)))?,
        )
    } else {
        let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
        let name = name.strip_suffix('.').unwrap_or(name);
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
        };
        if name.len() > 253 || !name.split('.').all(label) {
            return None;
        }
        (name.to_lowercase(), port)
    };
    match port {
        None => Some(host),
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => Some(format!("{host}:{port}")),
            _ => None,
        },
    }
}

fn normal_tel(original: &str, rest: &str) -> Result<String, AgentUriError> {
    let bad = || AgentUriError::Number(original.into());
    let (number, parameters) =
        rest.split_once(';').map_or((rest, None), |(number, parameters)| (number, Some(parameters)));
    let mut normal = String::with_capacity(rest.len());
    for c in number.chars() {
        match c {
            '+' if normal.is_empty() => normal.push(c),
            '0'..='9' | '*' | '#' => normal.push(c),
            '-' | '.' | '(' | ')' | ' ' => {}
            _ => return Err(bad()),
        }
    }
    if !normal.bytes().any(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    if let Some(parameters) = parameters {
        refuse_characters(original, parameters)?;
        let mut parameters: Vec<String> =
            parameters.split(';').filter(|p| !p.is_empty()).map(str::to_lowercase).collect();
        parameters.sort_unstable();
        for parameter in parameters {
            normal.push(';');
            normal.push_str(&parameter);
        }
    }
    Ok(normal)
}

impl FromStr for AgentUri {
    type Err = AgentUriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl PartialEq for AgentUri {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.normal, &other.normal) || self.normal == other.normal
    }
}

impl Eq for AgentUri {}

impl PartialOrd for AgentUri {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AgentUri {
    fn cmp(&self, other: &Self) -> Ordering {
        self.normal.cmp(&other.normal)
    }
}

impl Hash for AgentUri {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normal.hash(state);
    }
}

/// The normal form.
impl fmt::Display for AgentUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.normal)
    }
}

impl fmt::Debug for AgentUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.normal, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        AgentUri::parse(text).expect(text).as_str().to_owned()
    }

    #[test]
    fn ways_of_writing_one_agent_have_one_normal_form() {
        for text in [
            "sip:user1@domain.com",
            "SIP:User1@DOMAIN.com",
            "  sip: user1@domain.com. ",
            "sip:user1@domain.com;transport=tls?x=y",
        ] {
            assert_eq!(normal(text), "sip:user1@domain.com", "{text}");
        }
        for text in ["tel:+31612345678", "TEL:+31 6 1234-5678", "tel:+31(6)12.34.56.78 "] {
            assert_eq!(normal(text), "tel:+31612345678", "{text}");
        }
        assert_eq!(normal("tel:+316;EXT=5;b=1"), "tel:+316;b=1;ext=5");
        assert_eq!(normal("sip:a@[2001:DB8::1]:5061"), "sip:a@[2001:db8::1]:5061");
        assert_ne!(AgentUri::parse("sip:a@h.example"), AgentUri::parse("sips:a@h.example"));
    }

    #[test]
    fn what_is_no_agent_uri_is_refused_with_the_reason() {
        type Kind = fn(&AgentUriError) -> bool;
        let cases: [(&str, Kind); 13] = [
            ("  ", |e| matches!(e, AgentUriError::Empty)),
            ("user@domain.com", |e| matches!(e, AgentUriError::Scheme(_))),
            ("mailto:user@domain.com", |e| matches!(e, AgentUriError::Scheme(_))),
            ("sip:domain.com", |e| matches!(e, AgentUriError::User(_))),
            ("sip:@domain.com", |e| matches!(e, AgentUriError::User(_))),
            ("sip:a@", |e| matches!(e, AgentUriError::Host(_))),
            ("sip:a@b..c", |e| matches!(e, AgentUriError::Host(_))),
            ("sip:a@b@c", |e| matches!(e, AgentUriError::Host(_))),
            ("sip:a@b:99999", |e| matches!(e, AgentUriError::Host(_))),
            ("sip:a@[::1", |e| matches!(e, AgentUriError::Host(_))),
            ("sip:a b@c", |e| matches!(e, AgentUriError::Character(_, ' '))),
            ("tel:hello", |e| matches!(e, AgentUriError::Number(_))),
            ("tel:+", |e| matches!(e, AgentUriError::Number(_))),
        ];
        for (text, expected) in cases {
            let error = AgentUri::parse(text).expect_err(text);
            assert!(expected(&error), "{text}: {error:?}");
        }
        assert!(matches!(AgentUri::parse(&format!("sip:{}@d", "a".repeat(600))), Err(AgentUriError::TooLong(_))));
    }

    #[test]
    fn only_a_telephone_number_with_a_country_code_is_e164() {
        for (text, expected) in [
            ("tel:+31612345678", true),
            ("tel:0612345678", false),
            ("tel:+0612345678", false),
            ("sip:+31612345678@domain.com", false),
            ("tel:+1234567890123456", false),
        ] {
            assert_eq!(AgentUri::parse(text).expect(text).is_e164(), expected, "{text}");
        }
    }

    #[test]
    fn the_parts_of_a_uri_are_found() {
        let uri = AgentUri::parse("sip:Al@Pool.example.com:5061").expect("valid");
        assert_eq!((uri.user(), uri.host(), uri.scheme()), (Some("al"), Some("pool.example.com"), Scheme::Sip));
        assert_eq!(AgentUri::parse("tel:+316").expect("valid").host(), None);
    }
}

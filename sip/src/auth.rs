//! Digest authentication of a client (RFC 2617, RFC 7616, RFC 8760).
#![warn(clippy::indexing_slicing)]

use std::fmt;

use md5::{Digest, Md5};
use sha2::Sha256;

use crate::error::DigestError;
use crate::message::Message;
use crate::message::text::{Values, is_token, trim, unquote};

/// The name and the password of an endpoint. The password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name, which is not always the user part of the URI.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The digest of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Md5Session,
    Sha256,
    Sha256Session,
}

impl Algorithm {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            _ if name.eq_ignore_ascii_case("MD5") => Some(Self::Md5),
            _ if name.eq_ignore_ascii_case("MD5-sess") => Some(Self::Md5Session),
            _ if name.eq_ignore_ascii_case("SHA-256") => Some(Self::Sha256),
            _ if name.eq_ignore_ascii_case("SHA-256-sess") => Some(Self::Sha256Session),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Session => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Session => "SHA-256-sess",
        }
    }

    const fn is_session(self) -> bool {
        matches!(self, Self::Md5Session | Self::Sha256Session)
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 | Self::Md5Session => hex(&Md5::digest(text.as_bytes())),
            Self::Sha256 | Self::Sha256Session => hex(&Sha256::digest(text.as_bytes())),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One challenge that can be answered. The texts in quotes are kept with their escapes, as they go back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// The algorithm, and whether the challenge named it.
    algorithm: Algorithm,
    named: bool,
    /// The quality of protection `auth` is offered; without any, the form of RFC 2069 is used.
    protected: bool,
    stale: bool,
}

/// Where a challenge came from and its answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Party {
    Server,
    Proxy,
}

/// A challenge in use: its nonce is used again, counted, until the peer has another.
#[derive(Clone, Debug)]
struct Session {
    party: Party,
    challenge: Challenge,
    client_nonce: String,
    count: u32,
}

/// Answers the challenges of one peer for one endpoint, and uses a nonce as long as the peer takes it.
///
/// ```text
///            challenge()                        challenge(): stale, or another nonce
///  no nonce ------------> answering, nc=1,2,.. --------------------------------------+
///     ^                        ^   |                                                 |
///     |                        +---|-------------------------------------------------+
///     +--- the first authorize()   | challenge(): the same nonce, not stale
///          sends nothing           v
///                              DigestError::Refused: wrong name or password
/// ```
///
/// Give every 401 and 407 to [`DigestClient::challenge`] and put what [`DigestClient::authorize`] returns on the next
/// request, which is a new one with a higher CSeq.
#[derive(Clone, Debug)]
pub struct DigestClient {
    credentials: Credentials,
    sessions: Vec<Session>,
}

impl DigestClient {
    /// A client that has not been challenged yet.
    #[must_use]
    pub const fn new(credentials: Credentials) -> Self {
        Self { credentials, sessions: Vec::new() }
    }

    /// Takes the challenge of a 401 or 407: the first that is supported, as the peer put its favourite first
    /// (RFC 8760 section 2.4).
    ///
    /// # Errors
    /// [`DigestError`]; after [`DigestError::Refused`] do not try again with the same credentials.
    pub fn challenge(&mut self, response: &Message) -> Result<(), DigestError> {
        let (party, header) = match response.status() {
            Some(401) => (Party::Server, "WWW-Authenticate"),
            Some(407) => (Party::Proxy, "Proxy-Authenticate"),
            _ => return Err(DigestError::NoChallenge),
        };
        let mut offered = response.header_all(header).flat_map(challenges).peekable();
        if offered.peek().is_none() {
            return Err(DigestError::NoChallenge);
        }
        let challenge = offered.find_map(|found| found).ok_or(DigestError::Unsupported)?;
        let place = self
            .sessions
            .iter()
            .position(|session| session.party == party && session.challenge.realm == challenge.realm);
        let session = Session { party, challenge, client_nonce: String::new(), count: 0 };
        match place.and_then(|at| self.sessions.get_mut(at)) {
            Some(old)
                if old.challenge.nonce == session.challenge.nonce && !session.challenge.stale && old.count > 0 =>
            {
                return Err(DigestError::Refused);
            }
            Some(old) => *old = session,
            None => {
                // A peer that invents realms does not make us remember them all.
                if self.sessions.len() >= 4 {
                    self.sessions.remove(0);
                }
                self.sessions.push(session);
            }
        }
        Ok(())
    }

    /// Forgets all nonces, for a new connection to another server.
    pub fn forget(&mut self) {
        self.sessions.clear();
    }

    /// The headers, name and value, that a request with this method and Request-URI carries: one per challenge that
    /// is in use, none before the first. `entropy` fills bytes from a CSPRNG, once per nonce.
    pub fn authorize(
        &mut self,
        method: &str,
        uri: &str,
        entropy: &mut dyn FnMut(&mut [u8]),
    ) -> Vec<(&'static str, String)> {
        let credentials = &self.credentials;
        self.sessions.iter_mut().map(|session| session.authorize(credentials, method, uri, entropy)).collect()
    }
}

impl Session {
    fn authorize(
        &mut self,
        credentials: &Credentials,
        method: &str,
        uri: &str,
        entropy: &mut dyn FnMut(&mut [u8]),
    ) -> (&'static str, String) {
        use fmt::Write;
        if self.client_nonce.is_empty() {
            let mut bytes = [0; 16];
            entropy(&mut bytes);
            self.client_nonce = hex(&bytes);
        }
        self.count = self.count.saturating_add(1);
        let Challenge { realm, nonce, opaque, algorithm, named, protected, .. } = &self.challenge;
        let client_nonce = &self.client_nonce;
        let user = escape(&credentials.user);
        let mut secret = algorithm.hash(&format!("{}:{}:{}", credentials.user, unescape(realm), credentials.password));
        if algorithm.is_session() {
            secret = algorithm.hash(&format!("{secret}:{nonce}:{client_nonce}"));
        }
        let what = algorithm.hash(&format!("{method}:{uri}"));
        let count = self.count;
        let response = if *protected {
            algorithm.hash(&format!("{secret}:{nonce}:{count:08x}:{client_nonce}:auth:{what}"))
        } else {
            algorithm.hash(&format!("{secret}:{nonce}:{what}"))
        };
        let uri = escape(uri);
        let mut value = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\""
        );
        // Writing into a String cannot fail.
        if *named {
            let _ = write!(value, ", algorithm={}", algorithm.name());
        }
        if *protected {
            let _ = write!(value, ", cnonce=\"{client_nonce}\", qop=auth, nc={count:08x}");
        } else if algorithm.is_session() {
            let _ = write!(value, ", cnonce=\"{client_nonce}\"");
        }
        if let Some(opaque) = opaque {
            let _ = write!(value, ", opaque=\"{opaque}\"");
        }
        let name = match self.party {
            Party::Server => "Authorization",
            Party::Proxy => "Proxy-Authorization",
        };
        (name, value)
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        out.push(if c == '\\' { characters.next().unwrap_or(c) } else { c });
    }
    out
}

/// The challenges of one header, which may be several (RFC 9110 section 11.6.1); `None` for each that is not supported.
fn challenges(header: &str) -> Vec<Option<Challenge>> {
    let mut found: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for part in Values::new(header).filter(|part| !part.is_empty()) {
        let (left, right) = part.split_once('=').unwrap_or((part, ""));
        let (scheme, name) = match trim(left).split_once([' ', '\t']) {
            Some((scheme, name)) if is_token(scheme) => (Some(scheme), trim(name)),
            _ if right.is_empty() && is_token(part) => (Some(part), ""),
            _ => (None, trim(left)),
        };
        if let Some(scheme) = scheme {
            found.push((scheme, Vec::new()));
        }
        if let Some((_, params)) = found.last_mut() {
            params.push((name, trim(right)));
        }
    }
    found.iter().map(|(scheme, params)| digest_challenge(scheme, params)).collect()
}

fn digest_challenge(scheme: &str, params: &[(&str, &str)]) -> Option<Challenge> {
    if !scheme.eq_ignore_ascii_case("Digest") {
        return None;
    }
    let get = |name: &str| {
        let (_, value) = params.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(unquote(value).unwrap_or(value))
    };
    let named = get("algorithm");
    let qualities = get("qop");
    Some(Challenge {
        realm: get("realm")?.to_owned(),
        nonce: get("nonce")?.to_owned(),
        opaque: get("opaque").map(str::to_owned),
        algorithm: named.map_or(Some(Algorithm::Md5), Algorithm::from_name)?,
        named: named.is_some(),
        protected: match qualities {
            None => false,
            Some(list) if Values::new(list).any(|quality| quality.eq_ignore_ascii_case("auth")) => true,
            Some(_) => return None,
        },
        stale: get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
    })
}

#[cfg(test)]
mod tests;

//! The Via header: where an answer goes.

use super::name_addr::host_and_port;
use super::text::{self, Params, is_blank, is_token, trim};

/// One Via value (RFC 3261 section 20.42).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, `TCP`, `TLS`, ..., as written; Skype for Business writes it in lower case too.
    pub transport: &'a str,
    /// The host of sent-by; an IPv6 address keeps its brackets.
    pub host: &'a str,
    /// The port of sent-by.
    pub port: Option<u16>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one value; `None` when it is malformed. Blanks are legal nearly everywhere in it.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        let (protocol, rest) = value.split_once('/')?;
        let (version, rest) = rest.split_once('/')?;
        if !trim(protocol).eq_ignore_ascii_case("SIP") || trim(version) != "2.0" {
            return None;
        }
        let rest = trim(rest);
        let (transport, rest) = text::cut(rest, rest.bytes().position(is_blank)?);
        let rest = trim(rest);
        let (sent_by, params) = text::cut(rest, rest.find(';').unwrap_or(rest.len()));
        let (host, port) = host_and_port(trim(sent_by))?;
        is_token(transport).then_some(())?;
        Some(Self { transport, host, port, params: Params::parse(params)? })
    }

    /// The branch. Clients of Skype for Business leave it out.
    #[must_use]
    pub fn branch(&self) -> Option<&'a str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// The address that the request really came from, as the next hop wrote it.
    #[must_use]
    pub fn received(&self) -> Option<&'a str> {
        self.params.get("received")
    }

    /// `rport` (RFC 3581): `None` when absent, `Some(None)` when asked for, `Some(Some(port))` when filled in.
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|port| port.parse().ok())
    }
}

//! What a token allows.

use std::fmt;
use std::str::FromStr;

/// What a token allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `ucc:NAME`: to be this queue: its agents, its events, its calls.
    Ucc(String),
    /// `attendant`: to push presence.
    Attendant,
    /// `calls`: to report the calls of any queue.
    Calls,
    /// `operate`: to revive agents, to see the configuration; allows all that `read` allows.
    Operate,
    /// `read`: to see everything that operators see, but the configuration.
    Read,
}

/// A text is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no scope; write ucc:NAME, attendant, calls, operate or read")]
pub struct ScopeError(String);

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "attendant" => Ok(Self::Attendant),
            "calls" => Ok(Self::Calls),
            "operate" => Ok(Self::Operate),
            "read" => Ok(Self::Read),
            _ => match text.strip_prefix("ucc:") {
                Some(name) if crate::http::is_ucc_name(name) => Ok(Self::Ucc(name.to_owned())),
                Some(_) | None => Err(ScopeError(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ucc(name) => write!(f, "ucc:{name}"),
            Self::Attendant => f.write_str("attendant"),
            Self::Calls => f.write_str("calls"),
            Self::Operate => f.write_str("operate"),
            Self::Read => f.write_str("read"),
        }
    }
}

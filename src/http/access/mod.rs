//! Who may do what: bearer tokens with scopes.

mod caller;
mod file;
mod scope;
mod secret;
#[cfg(test)]
mod tests;
mod tokens;
mod watched;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

pub use caller::Caller;
pub(in crate::http) use caller::bearer;
pub use file::TokensError;
pub(crate) use file::{change, read};
pub use scope::{Scope, ScopeError};
pub(crate) use secret::{Fingerprint, new_token};
pub(crate) use tokens::{NAME, Token, Tokens};

use super::Problem;
use tokens::Refused;
use watched::Watched;

/// The tokens that are known, or that none are needed.
#[derive(Clone, Debug)]
pub struct Access {
    tokens: Option<Arc<Watched>>,
}

impl Access {
    /// Everyone may do everything: only for a listener on loopback.
    #[must_use]
    pub const fn open() -> Self {
        Self { tokens: None }
    }

    /// Those who have a token of this file may do what it says. A change of the file holds within about a second; when it
    /// cannot be used any more, what was read before goes on to hold, and the log says so.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn load(path: &Path) -> Result<Self, TokensError> {
        Ok(Self { tokens: Some(Arc::new(Watched::load(path, presence_actors::now())?)) })
    }

    /// True when requests need a token.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.tokens.is_some()
    }

    /// Who presents this token; `bearer` is what follows `Bearer ` in the Authorization header.
    ///
    /// # Errors
    /// 401 when a token is needed and this is none that is known.
    pub fn admit(&self, bearer: Option<&str>) -> Result<Caller, Problem> {
        // The end of a token is a date: it is compared with the clock of the computer, which may be set.
        self.admit_at(bearer, presence_actors::now(), Timestamp::now())
    }

    /// True while what this caller was admitted with still allows this: its token is neither revoked nor replaced, has not
    /// ended and has kept the scope. A stream that stays open asks again.
    pub(in crate::http) fn still_allows(&self, caller: &Caller, scope: &Scope) -> bool {
        self.still_allows_at(caller, scope, presence_actors::now(), Timestamp::now())
    }

    fn still_allows_at(&self, caller: &Caller, scope: &Scope, now: Instant, date: Timestamp) -> bool {
        match (&self.tokens, &caller.fingerprint) {
            (None, _) => true,
            (Some(tokens), Some(fingerprint)) => tokens.at(now).allow(&caller.name, fingerprint, scope, date),
            (Some(_), None) => false,
        }
    }

    fn admit_at(&self, bearer: Option<&str>, now: Instant, date: Timestamp) -> Result<Caller, Problem> {
        let Some(tokens) = &self.tokens else { return Ok(Caller::anonymous()) };
        let bearer = bearer.ok_or_else(|| {
            Problem::unauthorized(
                "this needs a token: send the header `Authorization: Bearer TOKEN`; `presence-provider token create` makes one",
            )
        })?;
        tokens.at(now).admit(bearer, date).map_err(|refused| {
            Problem::unauthorized(match refused {
                Refused::Unknown => {
                    "the token is not known here: it is mistyped, revoked or of another provider; `presence-provider \
                     token list` says which there are"
                        .to_owned()
                }
                Refused::Expired(name, since) => {
                    format!(
                        "the token `{name}` was valid until {since}; `presence-provider token create` makes a new one"
                    )
                }
            })
        })
    }
}

//! The tokens that a file holds: names, fingerprints, scopes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::secret::{Fingerprint, name_in};
use super::{Caller, Scope};

/// The version of the form of the file.
const VERSION: u32 = 1;
/// So many tokens may a file hold.
const MOST: usize = 10_000;
/// So many scopes may a token have.
const MOST_SCOPES: usize = 1_000;

/// One token, without its secret.
#[derive(Clone)]
pub(crate) struct Token {
    /// Its name: 1 to 64 letters, digits, dots, hyphens and underscores.
    pub(crate) name: Arc<str>,
    /// Of the whole token.
    pub(crate) fingerprint: Fingerprint,
    /// What it allows.
    pub(crate) scopes: Arc<BTreeSet<Scope>>,
    /// When it was made.
    pub(crate) created: Timestamp,
    /// From then on it is refused.
    pub(crate) expires: Option<Timestamp>,
}

impl Token {
    /// True when it is not taken any more.
    pub(crate) fn is_expired(&self, at: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= at)
    }
}

/// All tokens of a file, by name.
#[derive(Clone, Default)]
pub(crate) struct Tokens(BTreeMap<Arc<str>, Token>);

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No such token.
    Unknown,
    /// It was taken until then.
    Expired(Arc<str>, Timestamp),
}

impl Tokens {
    /// The tokens in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Token> {
        self.0.values()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The token of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Token> {
        self.0.get(name)
    }

    /// Adds a token.
    ///
    /// # Errors
    /// A sentence when there is one of that name, or too many.
    pub(crate) fn add(&mut self, token: Token) -> Result<(), String> {
        if self.0.contains_key(&token.name) {
            return Err(format!("there is a token `{}` already", token.name));
        }
        if self.0.len() >= MOST {
            return Err(format!("there are {MOST} tokens, and more are not kept"));
        }
        self.0.insert(Arc::clone(&token.name), token);
        Ok(())
    }

    /// Takes a token away; false when there is none of that name.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// Whose token this is. An unknown name costs a digest and a comparison like any other, so that the time of a refusal
    /// says nothing about who is known.
    pub(super) fn admit(&self, bearer: &str, at: Timestamp) -> Result<Caller, Refused> {
        let known = name_in(bearer).and_then(|name| self.0.get(name));
        let expected = known.map_or(&Fingerprint::OF_NOBODY, |token| &token.fingerprint);
        let same = bool::from(expected.same(&Fingerprint::of(bearer)));
        let token = known.filter(|_| same).ok_or(Refused::Unknown)?;
        match token.expires {
            Some(expires) if expires <= at => Err(Refused::Expired(Arc::clone(&token.name), expires)),
            _ => Ok(Caller {
                name: Arc::clone(&token.name),
                scopes: Some(Arc::clone(&token.scopes)),
                fingerprint: Some(token.fingerprint),
            }),
        }
    }

    /// True while the token of this name is the one with this fingerprint, has not ended, and allows this.
    pub(super) fn allow(&self, name: &str, fingerprint: &Fingerprint, scope: &Scope, at: Timestamp) -> bool {
        let known = self.0.get(name).filter(|token| token.fingerprint == *fingerprint && !token.is_expired(at));
        known.is_some_and(|token| Caller::allowed(&token.scopes, scope))
    }

    /// From the text of a file. The error says what is wrong, fit after "cannot be used: ".
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if written.version != VERSION {
            return Err(format!("its version is {}, and this program knows version {VERSION}", written.version));
        }
        let mut tokens = Self::default();
        for entry in written.tokens {
            let name = entry.name.clone();
            let token = entry.read().map_err(|what| format!("token {name:?}: {what}"))?;
            tokens.add(token)?;
        }
        Ok(tokens)
    }

    /// The text of a file.
    pub(crate) fn to_text(&self) -> String {
        let written = Written { version: VERSION, tokens: self.iter().map(Entry::of).collect() };
        // Plain structs with text keys: serialising them does not fail.
        serde_json::to_string_pretty(&written).unwrap_or_default() + "\n"
    }
}

/// The form of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    tokens: Vec<Entry>,
}

/// The form of a token in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    sha256: String,
    scopes: Vec<String>,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

impl Entry {
    fn of(token: &Token) -> Self {
        Self {
            name: token.name.to_string(),
            sha256: token.fingerprint.to_text(),
            scopes: token.scopes.iter().map(ToString::to_string).collect(),
            created: token.created.to_string(),
            expires: token.expires.map(|expires| expires.to_string()),
        }
    }

    fn read(self) -> Result<Token, String> {
        if !crate::http::is_ucc_name(&self.name) {
            return Err(NAME.to_owned());
        }
        let fingerprint = Fingerprint::parse(&self.sha256).ok_or("`sha256` is not 64 hexadecimal digits")?;
        if !(1..=MOST_SCOPES).contains(&self.scopes.len()) {
            return Err(format!("it has {} scopes, and 1 to {MOST_SCOPES} are allowed", self.scopes.len()));
        }
        let scopes: Result<BTreeSet<Scope>, _> = self.scopes.iter().map(|scope| scope.parse()).collect();
        let time = |text: &str| {
            text.parse::<Timestamp>().map_err(|_| format!("{text:?} is no time such as 2026-01-31T08:00:00Z"))
        };
        Ok(Token {
            name: self.name.into(),
            fingerprint,
            scopes: Arc::new(scopes.map_err(|error| error.to_string())?),
            created: time(&self.created)?,
            expires: self.expires.as_deref().map(time).transpose()?,
        })
    }
}

/// What a name must be.
pub(crate) const NAME: &str = "a name has 1 to 64 letters, digits, dots, hyphens and underscores";

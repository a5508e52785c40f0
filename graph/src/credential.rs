//! The life of an account's access token.

use std::time::{Instant, SystemTime};

use presence_core::Failure;
use secrecy::SecretString;

use crate::{Answer, Request, Secret, Trouble};

/// Keeps one account's access token: one request at a time, renewed at 80 % of its life, back-off by the kind of failure.
///
/// ```text
///           want             SecretLoaded             2xx
///  None ----------> Loading ---------------> Fetching -----> Ready --(80 % of its life, want)--> Loading
///                      ^                        |              |
///                      |      back-off over     | refused      | rejected (a 401), once
///                      +--------- Failed <------+              +-----------> Loading
/// ```
#[derive(Debug)]
pub struct Credential {}

/// What a credential wants done.
#[derive(Debug)]
pub enum CredentialEffect {
    /// Read the account's secret (again): it may have been renewed since.
    LoadSecret,
    /// Send this to the login host, and hand the answer to [`Credential::answered`].
    Send(Request),
    /// Keep this refresh token, atomically, before anything else is done with it; the one before is used up.
    StoreToken(SecretString),
    /// There is a token now.
    Ready,
    /// There is none, for this reason; it is tried again by itself.
    Failed(CredentialFailure),
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialFailure {
    /// What happened; its kind is always [`presence_core::FailureKind::Endpoint`], its detail never holds a secret.
    pub failure: Failure,
    /// Only a person can mend it (an expired secret, a sign-in that is no longer good): tried again slowly.
    pub needs_a_person: bool,
    /// The login host itself could not be used (network, 5xx, 429): the tenant's trouble and not the account's.
    pub is_network: bool,
    /// When it is tried again.
    pub retry_at: Instant,
}

/// How a credential is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialState {
    /// Nobody has wanted a token yet.
    Idle,
    /// One is on its way; the one before may still be good.
    Fetching,
    /// There is one.
    Ready {
        /// Until then.
        until: Instant,
    },
    /// There is none.
    Failed(CredentialFailure),
}

impl Credential {
    /// The credential of one account of this tenant (TenantId). `scope` is Graph's `.default` or the delegated scopes; `seed`
    /// is for jitter and request ids; `wall` is the time of day at `now`.
    #[must_use]
    pub fn new(
        _now: Instant,
        _wall: SystemTime,
        _tenant: &str,
        _graph_host: &str,
        _login_host: &str,
        _seed: u64,
    ) -> Self {
        Self {}
    }

    /// A token that can be used now.
    #[must_use]
    pub fn bearer(&self, _now: Instant) -> Option<SecretString> {
        None
    }

    /// Somebody needs a token: fetches one unless there is one, one is on its way, or the back-off lasts.
    pub fn want(&mut self, _now: Instant) {}

    /// Graph answered 401 to a request with this token. The first time of a token it is fetched anew at once; true then, and the
    /// request may be sent again with the new one. False when the new token was refused too: the account has failed.
    pub fn rejected(&mut self, _now: Instant, _token: &SecretString, _failure: &Failure) -> bool {
        false
    }

    /// The secret that was asked for, or why it cannot be read (never with its content).
    pub fn secret_loaded(&mut self, _now: Instant, _secret: Result<Secret, String>) {}

    /// What the login host said.
    pub fn answered(&mut self, _now: Instant, _answer: Result<Answer, Trouble>) {}

    /// Does what is due.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<CredentialEffect> {
        None
    }

    /// When to call [`Credential::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// How it is.
    #[must_use]
    pub fn state(&self) -> CredentialState {
        CredentialState::Idle
    }
}

//! What a credential wants, and how it is.

use std::time::Instant;

use presence_core::Failure;
use secrecy::SecretString;

use crate::Request;

/// What a credential wants done.
#[derive(Debug)]
pub enum CredentialEffect {
    /// Read the account's secret (again): it may have been renewed since.
    LoadSecret,
    /// Send this to the login host, and hand the answer to [`super::Credential::answered`].
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

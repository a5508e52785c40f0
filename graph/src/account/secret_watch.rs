//! Whether the secret of an account that has failed is another one by now.

use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::Secret;

/// So often it is looked at.
const EVERY: Duration = Duration::from_secs(60);

/// What a secret that was read is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loaded {
    /// The credential waits for it.
    Awaited,
    /// The one that was refused.
    Same,
    /// Another one, which may be good.
    New,
}

/// While an account's secret is refused, it is read once a minute: the back-off before the next try is long, and ends at once when
/// somebody has put another secret in its place. Of the secret that was refused only a digest is kept.
#[derive(Debug, Default)]
pub(crate) struct SecretWatch {
    refused: Option<[u8; 32]>,
    /// The application whose refresh token it is.
    client_id: Option<String>,
    is_awaited: bool,
    due: Option<Instant>,
}

impl SecretWatch {
    /// The credential asks for the secret.
    pub(crate) const fn asked(&mut self) {
        self.is_awaited = true;
    }

    /// The secret was refused; `at_once`: that is some time ago.
    pub(crate) fn start(&mut self, now: Instant, at_once: bool) {
        self.due = Some(if at_once { now } else { now + EVERY });
    }

    /// There is a token.
    pub(crate) const fn stop(&mut self) {
        self.due = None;
    }

    /// A secret, or why there is none.
    pub(crate) fn loaded(&mut self, secret: &Result<Secret, String>) -> Loaded {
        let (of, digest) = (client_id_of(secret), secret.as_ref().ok().map(digest));
        if std::mem::take(&mut self.is_awaited) {
            (self.refused, self.client_id) = (digest, of);
            return Loaded::Awaited;
        }
        if self.due.is_none() || digest.is_none() || digest == self.refused {
            return Loaded::Same;
        }
        (self.refused, self.client_id) = (digest, of);
        Loaded::New
    }

    /// We ourselves put this refresh token in the place of the one before: it is no news.
    pub(crate) fn stored(&mut self, token: &SecretString) {
        if let Some(client_id) = self.client_id.clone() {
            self.refused = Some(digest(&Secret::RefreshToken { client_id, token: token.clone() }));
        }
    }

    /// True when it is to be read now; then again a minute later.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            self.due = Some(now + EVERY);
        }
        due
    }

    /// When it is to be read.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.due
    }
}

fn client_id_of(secret: &Result<Secret, String>) -> Option<String> {
    match secret {
        Ok(Secret::RefreshToken { client_id, .. }) => Some(client_id.clone()),
        Ok(Secret::ClientSecret { .. } | Secret::Certificate { .. }) | Err(_) => None,
    }
}

fn digest(secret: &Secret) -> [u8; 32] {
    let (kind, client_id, parts) = match secret {
        Secret::ClientSecret { client_id, secret } => (0_u8, client_id, [secret.expose_secret(), ""]),
        Secret::Certificate { client_id, certificate, private_key } => {
            (1, client_id, [private_key.expose_secret(), certificate.as_str()])
        }
        Secret::RefreshToken { client_id, token } => (2, client_id, [token.expose_secret(), ""]),
    };
    let mut digest = Sha256::new();
    digest.update([kind]);
    for part in [client_id.as_str(), parts[0], parts[1]] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().into()
}

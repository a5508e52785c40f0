//! The credential in virtual time.

mod always;
mod failures;
mod states;

use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use super::*;
use crate::Body;

pub(super) const SECRET: &str = "s3cr3t~with+signs&=";
pub(super) const HOUR: u64 = 3_600;

#[allow(clippy::disallowed_methods, reason = "an instant cannot be made otherwise; the tests only add to it")]
pub(super) fn start() -> Instant {
    Instant::now()
}

/// A credential, the time, and short words for what happens.
pub(super) struct Account {
    pub(super) credential: Credential,
    pub(super) now: Instant,
}

impl Account {
    pub(super) fn new() -> Self {
        let now = start();
        let wall = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let credential = Credential::new(now, wall, "contoso.example", "graph.example", "login.example", 7);
        Self { credential, now }
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.until(self.now + Duration::from_secs(seconds));
    }

    /// Goes from deadline to deadline.
    pub(super) fn until(&mut self, end: Instant) {
        while let Some(due) = self.credential.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.credential.handle_timeout(self.now);
            if self.credential.poll_timeout() == Some(due) {
                break;
            }
        }
        self.now = end;
        self.credential.handle_timeout(self.now);
    }

    /// Goes to the next deadline.
    pub(super) fn due(&mut self) {
        self.now = self.credential.poll_timeout().unwrap().max(self.now);
        self.credential.handle_timeout(self.now);
    }

    pub(super) fn effects(&mut self) -> Vec<CredentialEffect> {
        std::iter::from_fn(|| self.credential.poll_effect()).collect()
    }

    /// The one thing that it wants.
    pub(super) fn effect(&mut self) -> CredentialEffect {
        let mut effects = self.effects();
        assert_eq!(effects.len(), 1, "{effects:?}");
        effects.remove(0)
    }

    /// It wants the secret, gets it, and sends this form.
    pub(super) fn load(&mut self, secret: Secret) -> String {
        assert!(matches!(self.effect(), CredentialEffect::LoadSecret));
        self.credential.secret_loaded(self.now, Ok(secret));
        let CredentialEffect::Send(request) = self.effect() else { panic!("nothing is sent") };
        assert_eq!(request.path, "/contoso.example/oauth2/v2.0/token");
        assert_eq!(request.request_id.len(), 36);
        let Body::Form(form) = request.body else { panic!("not a form") };
        form.expose_secret().to_owned()
    }

    pub(super) fn answer(&mut self, status: u16, body: &Value) {
        self.credential.answered(self.now, Ok(answer(status, body)));
    }

    /// From wanting to having.
    pub(super) fn get(&mut self, token: &str, life: u64) {
        self.load(client_secret());
        self.answer(200, &json!({"token_type": "Bearer", "expires_in": life, "access_token": token}));
        assert!(matches!(self.effect(), CredentialEffect::Ready));
    }

    pub(super) fn bearer(&self) -> Option<String> {
        self.credential.bearer(self.now).map(|token| token.expose_secret().to_owned())
    }

    pub(super) fn rejected(&mut self, token: &str) -> bool {
        let failure = Failure::answered(FailureKind::Endpoint, 401, "InvalidAuthenticationToken");
        self.credential.rejected(self.now, &SecretString::from(token), &failure)
    }

    /// It has failed; the wait until the next try.
    pub(super) fn failed(&mut self) -> (CredentialFailure, Duration) {
        let CredentialEffect::Failed(failure) = self.effect() else { panic!("it has not failed") };
        let wait = failure.retry_at - self.now;
        (failure, wait)
    }
}

pub(super) fn client_secret() -> Secret {
    Secret::ClientSecret { client_id: "app".to_owned(), secret: SecretString::from(SECRET) }
}

pub(super) fn refresh_token(token: &str) -> Secret {
    Secret::RefreshToken { client_id: "app".to_owned(), token: SecretString::from(token) }
}

pub(super) fn answer(status: u16, body: &Value) -> Answer {
    Answer { status, retry_after: None, date: None, request_id: None, body: body.to_string().into() }
}

/// What Microsoft says about a secret that has run out.
pub(super) fn expired() -> Value {
    json!({
        "error": "invalid_client",
        "error_description": "AADSTS7000222: The provided client secret keys for app 'app' are expired.\r\nTrace ID: 1\r\nTimestamp: 2",
        "error_codes": [7000222],
    })
}

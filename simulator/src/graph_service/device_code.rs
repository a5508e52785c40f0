//! Signing in with a device code.

use std::time::{Duration, Instant};

use serde_json::json;

use super::GraphService;
use super::answers::of_json;
use super::exchange::{ServiceAnswer, ServiceRequest};
use super::tokens::{MOST_KEPT, NoToken, Who, delegated_scope};

/// How long a device code can be used.
const CODE_LIFETIME: Duration = Duration::from_secs(900);
/// How often it may be asked about, at first; each time too early adds this.
const INTERVAL: Duration = Duration::from_secs(5);
/// A code that waits for a person.
#[derive(Debug)]
pub(super) struct Code {
    tenant: usize,
    client: String,
    user_code: String,
    until: Instant,
    interval: Duration,
    asked: Option<Instant>,
    outcome: Option<Result<Who, ()>>,
}

impl GraphService {
    /// A code for a person to sign in with.
    pub(super) fn device_code(
        &mut self,
        now: Instant,
        request: &ServiceRequest,
        tenant: &str,
    ) -> Result<ServiceAnswer, NoToken> {
        let (tenant, form) = (self.tenant_called(tenant)?, Self::form(request)?);
        let client = self.client(tenant, &form)?;
        delegated_scope(&form)?;
        self.tokens.codes.retain(|_, code| now < code.until);
        if self.tokens.codes.len() >= MOST_KEPT {
            return Err(NoToken::because(503, "temporarily_unavailable", 0, "Too many sign-ins."));
        }
        let code = format!("{}{}", self.dice.word(), self.dice.word());
        let user_code: String = self.dice.word().chars().take(9).collect::<String>().to_uppercase();
        self.tokens.remember(&code);
        let expected = self.tokens.expected.iter().copied().find(|who| self.is_user_of(*who, tenant, &client));
        if let Some(who) = expected {
            self.tokens.expected.remove(&who);
        }
        let kept = Code {
            tenant,
            client,
            user_code: user_code.clone(),
            until: now + CODE_LIFETIME,
            interval: INTERVAL,
            asked: None,
            outcome: expected.map(Ok),
        };
        self.tokens.codes.insert(code.clone(), kept);
        let page = "https://microsoft.com/devicelogin";
        Ok(of_json(
            200,
            &json!({
                "user_code": user_code, "device_code": code, "verification_uri": page,
                "expires_in": CODE_LIFETIME.as_secs(), "interval": INTERVAL.as_secs(),
                "message": format!("To sign in, use a web browser to open the page {page} and enter the code {user_code} to authenticate."),
            }),
        ))
    }

    /// Who signed in with a code.
    pub(super) fn signed_in(&mut self, now: Instant, code: &str) -> Result<Who, NoToken> {
        let entry = self.tokens.codes.get_mut(code).filter(|entry| now < entry.until);
        let Some(entry) = entry else {
            return Err(NoToken::because(400, "expired_token", 70020, "The provided device code has expired."));
        };
        let early = entry.asked.is_some_and(|asked| now.saturating_duration_since(asked) < entry.interval);
        entry.asked = Some(now);
        if early {
            entry.interval += INTERVAL;
            return Err(NoToken::because(400, "slow_down", 0, "The device code is asked about too often."));
        }
        match entry.outcome {
            None => Err(NoToken::because(
                400,
                "authorization_pending",
                70016,
                "The user has not yet signed in with the code.",
            )),
            Some(Err(())) => {
                Err(NoToken::because(400, "authorization_declined", 70018, "The user declined to sign in."))
            }
            Some(Ok(who)) => {
                self.tokens.codes.remove(code);
                self.tokens.accounts.remove(&who);
                Ok(who)
            }
        }
    }

    /// A user signs in, or declines to, with the newest code that waits for it (an older one was given up); the code. Without one it is remembered.
    pub(super) fn sign_in(&mut self, who: Who, outcome: Result<Who, ()>) -> Option<String> {
        let client = self.accounts_of(who.tenant).find(|(known, ..)| *known == who).map(|(_, id, _)| id.to_owned())?;
        let waits = |code: &&mut Code| {
            code.outcome.is_none() && code.tenant == who.tenant && code.client.eq_ignore_ascii_case(&client)
        };
        if let Some(code) = self.tokens.codes.values_mut().filter(waits).max_by_key(|code| code.until) {
            code.outcome = Some(outcome);
            return Some(code.user_code.clone());
        }
        if outcome.is_ok() {
            self.tokens.expected.insert(who);
        }
        None
    }
}

//! The login host: who gets a token for what, and who gets none and why.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::json;

use super::address::{pairs, value};
use super::answers::{of_json, time};
use super::device_code::Code;
use super::exchange::{ServiceAnswer, ServiceRequest};
use super::people::Tenant;
use super::settings::ServiceCredential;
use super::{GraphService, assertion};

/// An account, by the numbers of its tenant and its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub(super) tenant: usize,
    pub(super) account: usize,
}

/// So many secrets are remembered.
const MOST_SECRETS: usize = 10_000;
/// So many access tokens and device codes are kept.
pub(super) const MOST_KEPT: usize = 10_000;

/// Everything that was given out.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    access: BTreeMap<String, (Who, Instant)>,
    refresh: BTreeMap<String, Who>,
    pub(super) codes: BTreeMap<String, Code>,
    /// What holds for an account beside its settings.
    pub(super) accounts: BTreeMap<Who, Standing>,
    /// Accounts whose sign-in was ordered before anyone asked for a code.
    pub(super) expected: BTreeSet<Who>,
    /// Each use of a refresh token uses it up.
    pub(super) lenient: bool,
    secrets: BTreeSet<String>,
}

/// What became of an account's right.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// Its secret has expired.
    pub(super) expired: bool,
    /// Its sign-in is no longer good, for this reason (50173, 700082, ...).
    pub(super) dead: Option<u32>,
}

/// Why there is no token: status, error, number and text.
pub(super) struct NoToken(pub(super) u16, pub(super) &'static str, pub(super) u32, pub(super) String);

impl NoToken {
    pub(super) fn because(status: u16, error: &'static str, number: u32, text: &str) -> Self {
        Self(status, error, number, text.to_owned())
    }
}

impl Tokens {
    /// Who holds this access token.
    pub(super) fn holder(&self, now: Instant, token: &str) -> Option<Who> {
        self.access.get(token).filter(|(_, until)| now < *until).map(|(who, _)| *who)
    }

    /// Takes back the access tokens of an account, or all.
    pub(super) fn take_back(&mut self, of: Option<Who>) {
        self.access.retain(|_, (who, _)| of.is_some_and(|of| of != *who));
    }

    /// From now on this is a refresh token of that account.
    pub(super) fn start(&mut self, token: &str, who: Who) {
        self.refresh.insert(token.to_owned(), who);
        self.remember(token);
    }

    /// Every secret so far.
    pub(super) fn secrets(&self) -> Vec<String> {
        self.secrets.iter().cloned().collect()
    }

    /// Remembers a secret.
    pub(super) fn remember(&mut self, secret: &str) {
        if self.secrets.len() < MOST_SECRETS && !secret.is_empty() {
            self.secrets.insert(secret.to_owned());
        }
    }

    fn standing(&self, who: Who) -> Standing {
        self.accounts.get(&who).cloned().unwrap_or_default()
    }
}

impl GraphService {
    /// Answers the login host's two addresses; `None`: there is no such address.
    pub(super) fn login(&mut self, now: Instant, request: &ServiceRequest, path: &str) -> Option<ServiceAnswer> {
        let (tenant, action) = path.strip_prefix('/')?.split_once('/')?;
        let outcome = match (request.method.as_str(), action) {
            ("POST", "oauth2/v2.0/token") => self.token(now, request, tenant),
            ("POST", "oauth2/v2.0/devicecode") => self.device_code(now, request, tenant),
            _ => return None,
        };
        Some(outcome.unwrap_or_else(|NoToken(status, error, number, text)| {
            let (trace, correlation) = (self.guid(), self.guid());
            let stamp = time(self.wall(now)).chars().take(19).collect::<String>().replace('T', " ") + "Z";
            let known = if number == 0 { String::new() } else { format!("AADSTS{number}: ") };
            let text = format!("{known}{text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}");
            let codes: Vec<u32> = (number != 0).then_some(number).into_iter().collect();
            of_json(
                status,
                &json!({
                    "error": error, "error_description": text, "error_codes": codes, "timestamp": stamp,
                    "trace_id": trace, "correlation_id": correlation,
                    "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
                }),
            )
        }))
    }

    pub(super) fn tenant_called(&self, name: &str) -> Result<usize, NoToken> {
        let found = self.tenants.iter().position(|tenant| tenant.is_called(name));
        found.ok_or_else(|| NoToken::because(400, "invalid_request", 90002, &format!("Tenant '{name}' not found.")))
    }

    pub(super) fn form(request: &ServiceRequest) -> Result<Vec<(String, String)>, NoToken> {
        let kind = request.header("content-type").unwrap_or_default();
        let is_form = kind.split(';').next().is_some_and(|kind| kind.trim() == "application/x-www-form-urlencoded");
        let read = std::str::from_utf8(&request.body).ok().filter(|_| is_form).and_then(pairs);
        read.ok_or_else(|| NoToken::because(400, "invalid_request", 900_144, "The request body must be a form."))
    }

    fn token(&mut self, now: Instant, request: &ServiceRequest, tenant: &str) -> Result<ServiceAnswer, NoToken> {
        let form = Self::form(request)?;
        let of_tenant = self.tenant_called(tenant)?;
        for name in ["client_secret", "refresh_token", "device_code", "client_assertion"] {
            if let Some(secret) = value(&form, name) {
                self.tokens.remember(secret);
            }
        }
        let client = self.client(of_tenant, &form)?;
        match value(&form, "grant_type") {
            Some("client_credentials") => {
                let scope = value(&form, "scope").unwrap_or_default();
                if !scope.starts_with("https://") || !scope.ends_with("/.default") || scope.contains(' ') {
                    let text = format!("The provided value for scope {scope} is not valid.");
                    return Err(NoToken::because(400, "invalid_scope", 1_002_012, &text));
                }
                let who = match value(&form, "client_assertion") {
                    Some(assertion) => {
                        let kind = value(&form, "client_assertion_type");
                        if kind != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
                            return Err(NoToken::because(
                                400,
                                "invalid_request",
                                900_144,
                                "The request body must contain 'client_assertion_type'.",
                            ));
                        }
                        self.by_assertion(now, of_tenant, tenant, &client, assertion)?
                    }
                    None => self.by_secret(of_tenant, &client, value(&form, "client_secret"))?,
                };
                Ok(self.grant(now, who, false))
            }
            Some("refresh_token") => {
                delegated_scope(&form)?;
                let token = value(&form, "refresh_token").unwrap_or_default();
                let who = self.tokens.refresh.get(token).copied();
                let who = who.filter(|who| self.is_user_of(*who, of_tenant, &client));
                let who = who.ok_or_else(|| {
                    NoToken::because(
                        400,
                        "invalid_grant",
                        9_002_313,
                        "Invalid request. The refresh token is not known.",
                    )
                })?;
                self.living(who)?;
                if !self.tokens.lenient {
                    self.tokens.refresh.remove(token);
                }
                Ok(self.grant(now, who, true))
            }
            Some("urn:ietf:params:oauth:grant-type:device_code") => {
                let who = self.signed_in(now, value(&form, "device_code").unwrap_or_default())?;
                Ok(self.grant(now, who, true))
            }
            _ => Err(NoToken::because(400, "unsupported_grant_type", 70003, "The grant type is not supported.")),
        }
    }

    pub(super) fn client(&self, tenant: usize, form: &[(String, String)]) -> Result<String, NoToken> {
        let client = value(form, "client_id").unwrap_or_default().to_ascii_lowercase();
        if self.accounts_of(tenant).any(|account| account.1.eq_ignore_ascii_case(&client)) {
            return Ok(client);
        }
        let text = "Application was not found in the directory.";
        Err(NoToken::because(400, "unauthorized_client", 700_016, text))
    }

    pub(super) fn accounts_of(&self, tenant: usize) -> impl Iterator<Item = (Who, &str, &ServiceCredential)> {
        let accounts = self.tenants.get(tenant).map(|tenant| tenant.accounts.as_slice()).unwrap_or_default();
        accounts.iter().enumerate().map(move |(account, settings)| {
            (Who { tenant, account }, settings.client_id.as_str(), &settings.credential)
        })
    }

    /// The account that a form shows the secret of.
    pub(super) fn account_of_secret(&self, tenant: usize, form: &[(String, String)]) -> Option<Who> {
        let client = value(form, "client_id")?;
        let by_token = value(form, "refresh_token").and_then(|token| self.tokens.refresh.get(token)).copied();
        by_token.or_else(|| {
            let mut accounts = self.accounts_of(tenant).filter(|(_, id, _)| id.eq_ignore_ascii_case(client));
            let (who, ..) = accounts.find(|(_, _, credential)| match credential {
                ServiceCredential::Secret(secret) => value(form, "client_secret") == Some(secret),
                ServiceCredential::Certificate(_) => value(form, "client_assertion").is_some(),
                ServiceCredential::User(_) => false,
            })?;
            Some(who)
        })
    }

    pub(super) fn is_user_of(&self, who: Who, tenant: usize, client: &str) -> bool {
        let mut accounts = self.accounts_of(tenant);
        accounts.any(|(known, id, credential)| {
            known == who && id.eq_ignore_ascii_case(client) && matches!(credential, ServiceCredential::User(_))
        })
    }

    fn by_secret(&self, tenant: usize, client: &str, secret: Option<&str>) -> Result<Who, NoToken> {
        let Some(secret) = secret else {
            let text = "The request body must contain 'client_assertion' or 'client_secret'.";
            return Err(NoToken::because(401, "invalid_client", 7_000_218, text));
        };
        let mut accounts = self.accounts_of(tenant);
        let who = accounts.find(|(_, id, credential)| {
            id.eq_ignore_ascii_case(client) && matches!(credential, ServiceCredential::Secret(known) if known == secret)
        });
        let Some((who, ..)) = who else {
            return Err(NoToken::because(401, "invalid_client", 7_000_215, "Invalid client secret provided."));
        };
        self.living(who).map(|()| who)
    }

    fn by_assertion(
        &self,
        now: Instant,
        tenant: usize,
        called: &str,
        client: &str,
        assertion: &str,
    ) -> Result<Who, NoToken> {
        let wall = self.told_wall(now);
        let mut why = NoToken::because(401, "invalid_client", 700_027, "The certificate is not registered.");
        for (who, id, credential) in self.accounts_of(tenant) {
            let ServiceCredential::Certificate(certificate) = credential else { continue };
            if !id.eq_ignore_ascii_case(client) {
                continue;
            }
            match assertion::check(assertion, certificate, client, called, wall) {
                Ok(()) => return self.living(who).map(|()| who),
                Err((number, text)) => why = NoToken::because(401, "invalid_client", number, &text),
            }
        }
        Err(why)
    }

    /// What an account's own standing says.
    fn living(&self, who: Who) -> Result<(), NoToken> {
        match self.tokens.standing(who) {
            Standing { expired: true, .. } => {
                Err(NoToken::because(401, "invalid_client", 7_000_222, "The provided client secret keys are expired."))
            }
            Standing { dead: Some(number), .. } => {
                let text = match number {
                    50173 => "The provided grant has expired due to it being revoked; a fresh auth token is needed.",
                    700_082 => "The refresh token has expired due to inactivity.",
                    _ => "The grant is not good any more.",
                };
                Err(NoToken::because(400, "invalid_grant", number, text))
            }
            Standing { .. } => Ok(()),
        }
    }

    fn grant(&mut self, now: Instant, who: Who, delegated: bool) -> ServiceAnswer {
        let name = self.account_name(who);
        let kind = if delegated { "user" } else { "app" };
        let access = format!("fake.{kind}.{name}.{}{}", self.dice.word(), self.dice.word());
        self.tokens.access.retain(|_, (_, until)| now < *until);
        if self.tokens.access.len() < MOST_KEPT {
            self.tokens.access.insert(access.clone(), (who, now + self.settings.token_lifetime));
        }
        self.tokens.remember(&access);
        let lifetime = self.settings.token_lifetime.as_secs();
        let mut body = json!({
            "token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": access,
        });
        if delegated {
            let refresh = format!("fake.refresh.{name}.{}{}", self.dice.word(), self.dice.word());
            if self.tokens.refresh.len() >= MOST_KEPT {
                self.tokens.refresh.pop_first();
            }
            self.tokens.start(&refresh, who);
            body["refresh_token"] = refresh.into();
            body["scope"] = "https://graph.microsoft.com/Presence.Read.All".into();
        }
        of_json(200, &body)
    }

    /// The name of an account.
    pub(super) fn account_name(&self, who: Who) -> String {
        let tenant: Option<&Tenant> = self.tenants.get(who.tenant);
        tenant
            .and_then(|tenant| tenant.accounts.get(who.account))
            .map_or_else(String::new, |account| account.name.clone())
    }

    /// True for a signed-in user's account.
    pub(super) fn is_delegated(&self, who: Who) -> bool {
        let mut accounts = self.accounts_of(who.tenant);
        accounts.any(|(known, _, credential)| known == who && matches!(credential, ServiceCredential::User(_)))
    }
}

/// A user's token needs this scope, and one that lasts needs the other.
pub(super) fn delegated_scope(form: &[(String, String)]) -> Result<(), NoToken> {
    let scope = value(form, "scope").unwrap_or_default();
    let good = scope.split(' ').any(|part| part.ends_with("Presence.Read.All") || part.ends_with("/.default"));
    if good && scope.split(' ').any(|part| part == "offline_access") {
        return Ok(());
    }
    let text = format!("The provided value for scope {scope} is not valid.");
    Err(NoToken::because(400, "invalid_scope", 70011, &text))
}

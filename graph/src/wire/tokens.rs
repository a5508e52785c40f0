//! Access tokens: what the login host is asked (OAuth 2, Microsoft's v2.0 endpoints), and what it answers.

use std::fmt;
use std::time::{Duration, SystemTime};

use presence_core::log_text::Safe;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::escape::escaped;
use super::token_error::TokenError;
use crate::{Answer, Body, Host, Method, Request};

/// How long a token is taken to last when the answer does not say.
const USUAL_LIFE: Duration = Duration::from_secs(300);

/// The longest life that is believed.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3_600);

/// The longest token that is taken, in bytes: it must fit into a header field.
const LONGEST_TOKEN: usize = 32_768;

/// What a token is asked with.
#[derive(Clone, Copy, Debug)]
pub enum Grant<'a> {
    /// The application's secret (`client_credentials`).
    Secret(&'a SecretString),
    /// A JWT signed with the application's certificate (`client_credentials`), see [`crate::sign_assertion`].
    Assertion(&'a SecretString),
    /// What the last answer left (`refresh_token`).
    RefreshToken(&'a SecretString),
    /// The device code of a sign-in that a person is about to finish.
    DeviceCode(&'a SecretString),
}

/// An access token and what came with it.
#[derive(Debug)]
pub struct Token {
    /// The token itself: visible ASCII.
    pub access: SecretString,
    /// The refresh token that replaces the one before.
    pub refresh: Option<SecretString>,
    /// How long it lasts, between nothing and a day; 5 minutes when the answer does not say.
    pub life: Duration,
}

/// A sign-in that waits for a person.
#[derive(Debug)]
pub struct DeviceCode {
    /// What the token is asked for with; a secret.
    pub device_code: SecretString,
    /// What the person types.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// Until when the person has time.
    pub life: Duration,
    /// How long to wait between two questions whether it is done.
    pub interval: Duration,
}

/// The scopes of an application's token.
fn application_scope(graph_host: &str) -> String {
    format!("https://{graph_host}/.default")
}

/// The scopes of a signed-in user's token: presence, finding users, and a refresh token.
fn delegated_scope(graph_host: &str) -> String {
    format!("https://{graph_host}/Presence.Read.All https://{graph_host}/User.ReadBasic.All offline_access")
}

/// Asks for an access token in this tenant (TenantId) for the Graph at this host (without scheme). Without `request_id`: the
/// sender sets it.
#[must_use]
pub fn token_request(tenant: &str, graph_host: &str, client_id: &str, grant: Grant<'_>) -> Request {
    let client = ("client_id", client_id);
    let form = match grant {
        Grant::Secret(secret) => form(&[
            client,
            ("scope", &application_scope(graph_host)),
            ("client_secret", secret.expose_secret()),
            ("grant_type", "client_credentials"),
        ]),
        Grant::Assertion(assertion) => form(&[
            client,
            ("scope", &application_scope(graph_host)),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.expose_secret()),
            ("grant_type", "client_credentials"),
        ]),
        Grant::RefreshToken(token) => form(&[
            client,
            ("scope", &delegated_scope(graph_host)),
            ("refresh_token", token.expose_secret()),
            ("grant_type", "refresh_token"),
        ]),
        Grant::DeviceCode(code) => form(&[
            client,
            ("device_code", code.expose_secret()),
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ]),
    };
    request(tenant, "token", form)
}

/// Begins a sign-in of a person: the answer ([`parse_device_code`]) says what to type where; then [`Grant::DeviceCode`] is asked
/// every [`DeviceCode::interval`] until it is no longer [`super::TokenErrorKind::Pending`]. Without `request_id`.
#[must_use]
pub fn device_code_request(tenant: &str, graph_host: &str, client_id: &str) -> Request {
    request(tenant, "devicecode", form(&[("client_id", client_id), ("scope", &delegated_scope(graph_host))]))
}

fn request(tenant: &str, endpoint: &str, form: SecretString) -> Request {
    Request {
        method: Method::Post,
        host: Host::Login,
        path: format!("/{}/oauth2/v2.0/{endpoint}", escaped(tenant)),
        bearer: None,
        headers: vec![("accept", "application/json".to_owned())],
        body: Body::Form(form),
        request_id: String::new(),
        timeout: Duration::from_secs(15),
    }
}

fn form(fields: &[(&str, &str)]) -> SecretString {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    SecretString::from(pairs.join("&"))
}

/// Reads the answer to [`token_request`]. `wall` is the time of day, for a `Retry-After` that is a date.
///
/// # Errors
/// Why there is no token; the text never holds a part of a secret or a token.
pub fn parse_token(answer: &Answer, wall: SystemTime) -> Result<Token, TokenError> {
    let body = read(answer, wall)?;
    let kind = body.get("token_type").and_then(Value::as_str);
    if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("Bearer")) {
        return Err(TokenError::unreadable(answer.status, "the answer's token_type is not Bearer"));
    }
    let token = |name: &str| {
        let text = body.get(name).and_then(Value::as_str)?;
        let usable = (1..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        usable.then(|| SecretString::from(text))
    };
    let Some(access) = token("access_token") else {
        return Err(TokenError::unreadable(answer.status, "the answer has no usable access_token"));
    };
    let life = seconds(&body, "expires_in").unwrap_or(USUAL_LIFE).min(LONGEST_LIFE);
    Ok(Token { access, refresh: token("refresh_token"), life })
}

/// Reads the answer to [`device_code_request`]. `wall` as in [`parse_token`].
///
/// # Errors
/// Why there is no sign-in; the text never holds a part of a secret.
pub fn parse_device_code(answer: &Answer, wall: SystemTime) -> Result<DeviceCode, TokenError> {
    let body = read(answer, wall)?;
    let text = |name: &str| {
        let text = body.get(name).and_then(Value::as_str).filter(|text| (1..=LONGEST_TOKEN).contains(&text.len()));
        text.ok_or_else(|| TokenError::unreadable(answer.status, &format!("the answer has no usable {name}")))
    };
    let shown = |text: &str| Safe(text).to_string().chars().take(512).collect::<String>();
    Ok(DeviceCode {
        device_code: SecretString::from(text("device_code")?),
        user_code: shown(text("user_code")?),
        verification_uri: shown(text("verification_uri")?),
        life: seconds(&body, "expires_in").unwrap_or(Duration::from_secs(900)).min(LONGEST_LIFE),
        interval: seconds(&body, "interval")
            .unwrap_or(Duration::from_secs(5))
            .clamp(Duration::from_secs(1), Duration::from_secs(60)),
    })
}

/// The members of the answer's object.
fn read(answer: &Answer, wall: SystemTime) -> Result<Map<String, Value>, TokenError> {
    if !(200..300).contains(&answer.status) {
        return Err(TokenError::read(answer, wall));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|_| TokenError::unreadable(answer.status, "the answer is no JSON object"))
}

/// A time in seconds, written as a number or as a text; none for what is missing, not a number or not positive.
fn seconds(body: &Map<String, Value>, name: &str) -> Option<Duration> {
    let value = body.get(name)?;
    let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    if seconds.is_nan() || seconds <= 0.0 {
        return None;
    }
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_LIFE))
}

impl fmt::Display for DeviceCode {
    /// What the person is to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "open {} and enter the code {}", self.verification_uri, self.user_code)
    }
}

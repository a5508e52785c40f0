//! What an access token says about itself. It is Graph's to check: here it is only shown.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use presence_graph::ObjectId;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

/// The longest text that is taken from a token, in characters.
const LONGEST: usize = 200;
/// More permissions are not listed.
const MOST: usize = 500;

/// The claims that a person is shown; a token that is not a JWT has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Claims {
    /// The tenant (`tid`).
    pub(super) tenant: Option<String>,
    /// Who has signed in, by name.
    pub(super) user: Option<String>,
    /// Who has signed in, or which application it is, by number (`oid`).
    pub(super) object: Option<ObjectId>,
    /// What the application may do itself (`roles`).
    pub(super) roles: BTreeSet<String>,
    /// What it may do for who has signed in (`scp`).
    pub(super) scopes: BTreeSet<String>,
}

impl Claims {
    /// Reads them; none when the token is opaque.
    pub(super) fn read(token: &SecretString) -> Option<Self> {
        let mut parts = token.expose_secret().split('.');
        let (Some(_), Some(body), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        let body = URL_SAFE_NO_PAD.decode(body.trim_end_matches('=')).ok()?;
        let body: Map<String, Value> = serde_json::from_slice(&body).ok()?;
        let text = |name: &str| {
            let text = body.get(name)?.as_str()?;
            Some(text.chars().filter(|c| !c.is_control()).take(LONGEST).collect::<String>())
        };
        let words = |text: &str| text.split(' ').filter(|word| !word.is_empty()).take(MOST).map(short).collect();
        let listed = |value: &Value| -> BTreeSet<String> {
            value.as_array().into_iter().flatten().filter_map(Value::as_str).take(MOST).map(short).collect()
        };
        Some(Self {
            tenant: text("tid"),
            user: ["upn", "preferred_username", "unique_name", "email"].into_iter().find_map(text),
            object: body.get("oid").and_then(Value::as_str).and_then(|id| id.parse().ok()),
            roles: body.get("roles").map(listed).unwrap_or_default(),
            scopes: body.get("scp").and_then(Value::as_str).map(words).unwrap_or_default(),
        })
    }

    /// True when the token is for this tenant, as far as can be told: a domain does not say its GUID.
    pub(super) fn is_of(&self, tenant_id: &str) -> bool {
        let is_guid = tenant_id.parse::<ObjectId>().is_ok();
        self.tenant.as_deref().is_none_or(|tenant| !is_guid || tenant.eq_ignore_ascii_case(tenant_id))
    }
}

fn short(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
pub(super) fn token(claims: &Value) -> SecretString {
    SecretString::from(format!("e30.{}.signature", URL_SAFE_NO_PAD.encode(claims.to_string())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TENANT: &str = "4119dd4d-e455-4535-9d45-b3535f584cad";

    #[test]
    fn a_token_says_whose_it_is_and_what_it_may() {
        let id = "2d5a6e1f-4d3b-4f4e-9c1a-0b8a3f6f1c11";
        let claims =
            json!({"tid": TENANT, "upn": "me\u{1b}@example.com", "oid": id, "scp": "Presence.Read.All  openid"});
        let claims = Claims::read(&token(&claims)).expect("a JWT");
        assert_eq!(claims.user.as_deref(), Some("me@example.com"));
        assert_eq!(claims.object.map(|id| id.to_string()).as_deref(), Some(id));
        assert_eq!(claims.scopes.iter().collect::<Vec<_>>(), ["Presence.Read.All", "openid"]);
        assert!(claims.is_of(&TENANT.to_uppercase()) && claims.is_of("example.com"));
        assert!(!claims.is_of("2d5a6e1f-4d3b-4f4e-9c1a-0b8a3f6f1c11"));
        let claims = Claims::read(&token(&json!({"roles": ["User.Read.All", 5]}))).expect("a JWT");
        assert_eq!(claims.roles.iter().collect::<Vec<_>>(), ["User.Read.All"]);
    }

    #[test]
    fn what_is_no_jwt_says_nothing() {
        for text in ["", "opaque", "a.b", "a.!.c", "e30.W10.x", "e30.e30.x.y"] {
            assert_eq!(Claims::read(&SecretString::from(text)), None, "{text}");
        }
        assert_eq!(Claims::read(&token(&json!({"roles": 5, "scp": [], "oid": "x"}))), Some(Claims::default()));
    }
}

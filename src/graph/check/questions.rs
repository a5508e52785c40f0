//! The questions that the check asks Graph: who is this agent?

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use presence_core::AgentUri;
use presence_graph::{Answer, ObjectId};
use serde_json::Value;

/// What may stand in a path and in a query as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Only what is needed.
const FIELDS: &str = "id,userPrincipalName";

/// `user@host` of an agent.
pub(super) fn address(uri: &AgentUri) -> &str {
    let text = uri.as_str();
    let bare = text.split_once(':').map_or(text, |(_, rest)| rest);
    bare.split([';', '?']).next().unwrap_or(bare)
}

/// The paths that may find a user, in the order in which they are asked: by name, then by the addresses that he has.
pub(super) fn lookups(address: &str) -> [String; 4] {
    let escaped = |text: &str| utf8_percent_encode(text, &PLAIN).to_string();
    let quoted = address.replace('\'', "''");
    let filter = |condition: String| format!("/v1.0/users?$filter={}&$select={FIELDS}&$top=2", escaped(&condition));
    // A name that begins with a dollar sign is no part of a path.
    let by_name = if address.starts_with('$') {
        format!("/v1.0/users('{}')?$select={FIELDS}", escaped(&quoted))
    } else {
        format!("/v1.0/users/{}?$select={FIELDS}", escaped(address))
    };
    [
        by_name,
        filter(format!("imAddresses/any(i:i eq 'sip:{quoted}')")),
        filter(format!("proxyAddresses/any(p:p eq 'SIP:{quoted}')")),
        filter(format!("mail eq '{quoted}'")),
    ]
}

/// The users of an answer: one, or a list of them.
pub(super) fn users(answer: &Answer) -> Vec<ObjectId> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let id = |user: &Value| user.get("id")?.as_str()?.parse().ok();
    match body.get("value").and_then(Value::as_array) {
        Some(list) => list.iter().filter_map(id).collect(),
        None => id(&body).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_in_paths_and_quotes_are_doubled() {
        let uri: AgentUri = "sip:O'Neil#1@Example.com;transport=tls".parse().expect("a URI");
        let paths = lookups(address(&uri));
        assert!(paths[0].starts_with("/v1.0/users/o%27neil%231%40example.com?$select="), "{}", paths[0]);
        assert!(
            paths[1].contains("imAddresses%2Fany%28i%3Ai%20eq%20%27sip%3Ao%27%27neil%231%40example.com%27%29"),
            "{}",
            paths[1]
        );
        assert!(lookups("$a@b.c")[0].starts_with("/v1.0/users('%24a%40b.c')"));
    }

    #[test]
    fn one_user_and_a_list_are_read_alike() {
        let id = "2d5a6e1f-4d3b-4f4e-9c1a-0b8a3f6f1c11";
        for (body, count) in [
            (format!(r#"{{"id": "{id}"}}"#), 1),
            (format!(r#"{{"value": [{{"id": "{id}"}}, {{"id": 5}}, {{"id": "{id}"}}]}}"#), 2),
            ("[]".to_owned(), 0),
            ("no json".to_owned(), 0),
        ] {
            let answer = Answer { status: 200, retry_after: None, date: None, request_id: None, body: body.into() };
            assert_eq!(users(&answer).len(), count);
        }
    }
}

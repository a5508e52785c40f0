//! The directory against a small tenant that answers as Microsoft does.

mod always;
mod rules;

use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use presence_core::AgentUri;
use serde_json::{Value, json};

use super::{Directory, Found, LookupId};
use crate::{Answer, ObjectId, Request};

pub(super) const UNKNOWN: Duration = Duration::from_secs(900);

#[allow(clippy::disallowed_methods, reason = "an instant cannot be made otherwise; the tests only add to it")]
pub(super) fn start() -> Instant {
    Instant::now()
}

pub(super) fn uri(text: &str) -> AgentUri {
    text.parse().unwrap()
}

pub(super) fn id(number: u8) -> ObjectId {
    ObjectId::new([number; 16])
}

pub(super) fn answer(status: u16, body: &Value) -> Answer {
    Answer { status, retry_after: None, date: None, request_id: None, body: body.to_string().into() }
}

/// The users of a tenant, as JSON.
#[derive(Debug, Default)]
pub(super) struct Tenant {
    pub(super) users: Vec<Value>,
    /// The common question is refused.
    pub(super) refuses_lists: bool,
    /// Decoded paths, in order.
    pub(super) asked: Vec<String>,
}

impl Tenant {
    pub(super) fn add(&mut self, number: u8, name: &str) -> &mut Value {
        self.users.push(json!({"id": id(number).to_string(), "userPrincipalName": name, "mail": null, "proxyAddresses": [], "imAddresses": []}));
        self.users.last_mut().unwrap()
    }

    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let path = percent_decode_str(&request.path).decode_utf8().unwrap().into_owned();
        self.asked.push(path.clone());
        let (path, query) = path.split_once("?$").unwrap();
        let Some(filter) = query.strip_prefix("filter=") else {
            let name = path.strip_prefix("/v1.0/users").unwrap();
            let name = name.strip_prefix('/').map_or_else(|| unquoted(&name[1..name.len() - 1]), str::to_owned);
            let user = self.users.iter().find(|user| same(&user["userPrincipalName"], &name));
            return user.map_or_else(
                || answer(404, &json!({"error": {"code": "Request_ResourceNotFound"}})),
                |user| answer(200, user),
            );
        };
        let filter = filter.split_once("&$select").unwrap().0;
        let list = |hit: &dyn Fn(&Value) -> bool| {
            let hits: Vec<&Value> = self.users.iter().filter(|user| hit(user)).collect();
            answer(200, &json!({"value": hits}))
        };
        if let Some(names) = filter.strip_prefix("userPrincipalName in (") {
            if self.refuses_lists {
                return answer(400, &json!({"error": {"code": "Request_UnsupportedQuery", "message": "no"}}));
            }
            let names: Vec<String> = names
                .strip_suffix(')')
                .unwrap()
                .split("','")
                .map(|name| unquoted(&format!("'{}'", name.trim_matches('\''))))
                .collect();
            return list(&|user| names.iter().any(|name| same(&user["userPrincipalName"], name)));
        }
        let (property, value) = filter.split_once(" eq ").unwrap();
        let value = unquoted(value.trim_end_matches(')'));
        match property {
            "imAddresses/any(i:i" => list(&|user| any(&user["imAddresses"], &value)),
            "proxyAddresses/any(p:p" => list(&|user| any(&user["proxyAddresses"], &value)),
            "mail" => list(&|user| same(&user["mail"], &value)),
            other => panic!("{other} cannot be filtered by"),
        }
    }
}

fn unquoted(text: &str) -> String {
    text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap().replace("''", "'")
}

fn same(value: &Value, text: &str) -> bool {
    value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(text))
}

/// Values of proxyAddresses keep their case: `SIP:` is not `sip:`.
fn any(values: &Value, text: &str) -> bool {
    let (scheme, name) = text.split_at(4);
    let hit = |value: &&str| value.starts_with(scheme) && value[4..].eq_ignore_ascii_case(name);
    values.as_array().unwrap().iter().filter_map(Value::as_str).any(|value| hit(&value))
}

/// Asks and answers until nothing is open.
pub(super) fn settle(directory: &mut Directory, now: &mut Instant, tenant: &mut Tenant) -> Vec<Found> {
    while let Some(due) = directory.poll_timeout() {
        *now = due.max(*now);
        let (id, request) = directory.next_request(*now).expect("poll_timeout said so");
        assert!(request.bearer.is_none() && request.path.len() < 2_000);
        directory.answered(*now, id, &tenant.answer(&request)).unwrap();
    }
    assert_eq!(directory.waiting(), 0);
    found(directory)
}

pub(super) fn found(directory: &mut Directory) -> Vec<Found> {
    std::iter::from_fn(|| directory.poll_found()).collect()
}

pub(super) fn next(directory: &mut Directory, now: Instant) -> (LookupId, Request) {
    directory.next_request(now).expect("something is due")
}

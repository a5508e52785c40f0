//! Subscriptions to change notifications: what we ask, and what is answered.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::gate;
use super::lenient::{Members, Text, object};
use crate::{Body, Host, Method, ObjectId, Request};

/// Where they are.
const PATH: &str = "/v1.0/subscriptions";
/// So long each request but the creation may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// So long the creation may take: Microsoft asks twice for a handshake meanwhile, and waits 10 seconds for each.
const CREATE_TIMEOUT: Duration = Duration::from_secs(40);
/// So many subscriptions of a list are read.
const MOST: usize = 1_000;
/// The most lists, objects and commas of a long answer.
const MOST_PARTS: usize = 200_000;
/// The longest id of a subscription, in bytes (it is a GUID).
const LONGEST_ID: usize = 128;
/// What stands in a path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What is to be notified.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Creation<'a> {
    change_type: &'a str,
    notification_url: &'a str,
    lifecycle_notification_url: &'a str,
    resource: String,
    expiration_date_time: String,
    client_state: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Renewal {
    expiration_date_time: String,
}

fn request(method: Method, path: String, body: Body, timeout: Duration) -> Request {
    let request_id = String::new();
    Request { method, host: Host::Graph, path, bearer: None, headers: Vec::new(), body, request_id, timeout }
}

fn json(value: &impl Serialize) -> Body {
    Body::Json(Bytes::from(serde_json::to_vec(value).expect("texts are always JSON")))
}

/// A time as Microsoft takes it: in UTC, in whole seconds (the rest is left out).
fn date_time(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// Asks for a subscription to the presence of these users (at most 650) until then. Microsoft answers after its handshake with
/// the URL. Bearer and request id are the caller's.
pub(crate) fn create_subscription(url: &str, users: &[ObjectId], until: Timestamp, client_state: &str) -> Request {
    let ids: Vec<String> = users.iter().map(|user| format!("'{user}'")).collect();
    let creation = Creation {
        change_type: "updated",
        notification_url: url,
        lifecycle_notification_url: url,
        resource: format!("/communications/presences?$filter=id in ({})", ids.join(",")),
        expiration_date_time: date_time(until),
        client_state,
    };
    request(Method::Post, PATH.to_owned(), json(&creation), CREATE_TIMEOUT)
}

/// Renews a subscription until then.
pub(crate) fn renew_subscription(id: &str, until: Timestamp) -> Request {
    let renewal = Renewal { expiration_date_time: date_time(until) };
    request(Method::Patch, path_of(id), json(&renewal), TIMEOUT)
}

/// Deletes a subscription.
pub(crate) fn delete_subscription(id: &str) -> Request {
    request(Method::Delete, path_of(id), Body::Empty, TIMEOUT)
}

/// Asks for all subscriptions of the account, or for a further page of them (see [`SubscriptionList::next`]).
pub(crate) fn list_subscriptions(page: Option<&str>) -> Request {
    request(Method::Get, page.unwrap_or(PATH).to_owned(), Body::Empty, TIMEOUT)
}

fn path_of(id: &str) -> String {
    format!("{PATH}/{}", utf8_percent_encode(id, PLAIN))
}

/// A subscription as Microsoft has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// Its number; never empty.
    pub(crate) id: String,
    /// Until when; none when that could not be read.
    pub(crate) until: Option<Timestamp>,
    /// Where its notifications go.
    pub(crate) url: Option<String>,
}

/// All subscriptions of an account, or one page of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SubscriptionList {
    /// Those that could be read, at most 1,000.
    pub(crate) items: Vec<Subscription>,
    /// Path and query of the next page. Its host is not looked at: it is asked for at the same host as this one.
    pub(crate) next: Option<String>,
}

/// Reads the answer to a creation or a renewal.
pub(crate) fn parse_subscription(body: &[u8]) -> Option<Subscription> {
    gate::admit(body, MOST_PARTS).ok()?;
    serde_json::from_slice::<Item>(body).ok()?.0
}

/// Reads the answer to [`list_subscriptions`]; none when it is no list.
pub(crate) fn parse_subscriptions(body: &[u8]) -> Option<SubscriptionList> {
    gate::admit(body, MOST_PARTS).ok()?;
    let page: Page = serde_json::from_slice(body).ok()?;
    Some(SubscriptionList { items: page.value.0, next: page.next.0.and_then(|link| page_of(&link)) })
}

/// Path and query of a link to a further page.
fn page_of(link: &str) -> Option<String> {
    let (_, rest) = link.split_once("://")?;
    let path = &rest[rest.find('/')?..];
    let is_list = path.strip_prefix(PATH).is_some_and(|query| query.starts_with('?'));
    (is_list && path.bytes().all(|byte| byte.is_ascii_graphic())).then(|| path.to_owned())
}

#[derive(Deserialize)]
struct Page {
    value: Items,
    #[serde(rename = "@odata.nextLink", default)]
    next: Text,
}

struct Items(Vec<Subscription>);

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Items;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items, A::Error> {
                let mut items = Vec::new();
                while items.len() < MOST
                    && let Some(item) = list.next_element::<Item>()?
                {
                    items.extend(item.0);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Items(items))
            }
        }
        from.deserialize_seq(List)
    }
}

/// One subscription, if it has an id.
struct Item(Option<Subscription>);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let subscription: Subscription = object(from)?;
        Ok(Self((1..=LONGEST_ID).contains(&subscription.id.len()).then_some(subscription)))
    }
}

impl<'de> Members<'de> for Subscription {
    fn member<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "id" => self.id = map.next_value::<Text>()?.0.unwrap_or_default(),
            "notificationUrl" => self.url = map.next_value::<Text>()?.0,
            "expirationDateTime" => {
                self.until = map.next_value::<Text>()?.0.and_then(|text| text.parse().ok());
            }
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "fa8bf3dc-eca7-46b7-bad1-db199b62afc3";

    fn body(request: &Request) -> serde_json::Value {
        let Body::Json(bytes) = &request.body else { panic!("{request:?}") };
        serde_json::from_slice(bytes).expect("JSON")
    }

    #[test]
    fn a_creation_names_the_users_the_url_twice_and_the_time_in_whole_seconds() {
        let users: Vec<ObjectId> =
            [USER, "0fc0d6db-0073-42e5-a186-853da75fb308"].map(|id| id.parse().expect("a GUID")).into();
        let until = "2026-01-01T00:00:00.9Z".parse().expect("a time");
        let request = create_subscription("https://pp.example/graph/notifications", &users, until, "state");
        assert_eq!((request.method, request.path.as_str()), (Method::Post, "/v1.0/subscriptions"));
        let expected = serde_json::json!({
            "changeType": "updated",
            "notificationUrl": "https://pp.example/graph/notifications",
            "lifecycleNotificationUrl": "https://pp.example/graph/notifications",
            "resource": format!("/communications/presences?$filter=id in ('{USER}','0fc0d6db-0073-42e5-a186-853da75fb308')"),
            "expirationDateTime": "2026-01-01T00:00:00Z",
            "clientState": "state",
        });
        assert_eq!(body(&request), expected);
        let renewal = renew_subscription("a/b?c", until);
        assert_eq!((renewal.method, renewal.path.as_str()), (Method::Patch, "/v1.0/subscriptions/a%2Fb%3Fc"));
        assert_eq!(body(&renewal), serde_json::json!({"expirationDateTime": "2026-01-01T00:00:00Z"}));
    }

    #[test]
    fn an_answer_of_microsofts_documentation_is_read() {
        let text = r##"{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#subscriptions/$entity",
            "id": "7f105c7d-2dc5-4530-97cd-4e7ae6534c07", "resource": "me/messages", "clientState": null,
            "notificationUrl": "https://webhook.example/x", "expirationDateTime": "2016-11-20T18:23:45.9356913Z"}"##;
        let read = parse_subscription(text.as_bytes()).expect("a subscription");
        assert_eq!(read.id, "7f105c7d-2dc5-4530-97cd-4e7ae6534c07");
        assert_eq!(read.until.map(|time| time.as_second()), Some(1_479_666_225));
        for broken in ["", "[]", "{}", r#"{"id": 7}"#, r#"{"id": ""}"#, r#"{"id": "x""#] {
            assert_eq!(parse_subscription(broken.as_bytes()), None, "{broken}");
        }
        let odd = parse_subscription(br#"{"id": "x", "expirationDateTime": "soon", "notificationUrl": {}}"#);
        assert_eq!(odd, Some(Subscription { id: "x".to_owned(), until: None, url: None }));
    }

    #[test]
    fn a_list_is_read_with_its_next_page_and_without_what_has_no_id() {
        let list = |next: &str| {
            let text = format!(
                r#"{{"value": [{{"id": "a", "notificationUrl": "https://x"}}, 7, {{}}], "@odata.nextLink": {next}}}"#
            );
            parse_subscriptions(text.as_bytes()).expect("a list")
        };
        let read = list(r#""https://graph.microsoft.com/v1.0/subscriptions?$skiptoken=1""#);
        assert_eq!(read.items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(read.next.as_deref(), Some("/v1.0/subscriptions?$skiptoken=1"));
        for other in [r#""https://x/v1.0/users?a""#, r#""/v1.0/subscriptions?a""#, r#""https://x""#, "7", "null"] {
            assert_eq!(list(other).next, None, "{other}");
        }
        let spaced = list(r#""https://x/v1.0/subscriptions?a b""#);
        assert_eq!(spaced.next, None, "no second line, no space in a path");
        assert_eq!(parse_subscriptions(br#"{"value": {}}"#), None);
        assert_eq!(parse_subscriptions(b"{}"), None);
    }
}

//! Finding users: what is asked, and who is in the answers.

use std::time::Duration;

use serde_json::Value;

use super::escape::{escaped, quoted};
use super::gate;
use crate::{Body, Host, Method, ObjectId, Request};

/// The most names that one question holds: Microsoft takes no more values behind `in`.
pub const MAX_NAMES: usize = 15;

/// The longest path and query, so that the whole address stays below 2,048 characters with any cloud's host.
const LONGEST_PATH: usize = 1_900;

/// The properties that are asked for.
const SELECT: &str = "$select=id,userPrincipalName,mail,proxyAddresses,imAddresses";

/// The most users of one answer that are looked at.
const MOST_USERS: usize = 100;

/// The most lists, objects and commas of a long answer: each takes memory.
const MOST_PARTS: usize = 20_000;

/// Where one name is looked for, when it is looked for alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    /// The user of this userPrincipalName.
    PrincipalName,
    /// `sip:...` among the imAddresses.
    ImAddress,
    /// `SIP:...` among the proxyAddresses: a primary one.
    PrimaryProxyAddress,
    /// `sip:...` among the proxyAddresses: another one. Values keep their case.
    ProxyAddress,
    /// The mail address.
    Mail,
}

/// What came of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserList {
    /// The users.
    pub(crate) users: Vec<User>,
    /// There are more than these (a nextLink, which is not followed: it may lead anywhere, and more than one is too many anyway).
    pub(crate) has_more: bool,
}

/// A user. Texts are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: ObjectId,
    pub(crate) principal_name: Option<String>,
    pub(crate) mail: Option<String>,
    pub(crate) proxy_addresses: Vec<String>,
    pub(crate) im_addresses: Vec<String>,
}

impl Place {
    /// Where a name is looked for after it has not been found here.
    pub(crate) const fn next(self) -> Option<Self> {
        match self {
            Self::PrincipalName => Some(Self::ImAddress),
            Self::ImAddress => Some(Self::PrimaryProxyAddress),
            Self::PrimaryProxyAddress => Some(Self::ProxyAddress),
            Self::ProxyAddress => Some(Self::Mail),
            Self::Mail => None,
        }
    }
}

/// Asks for the users of these userPrincipalNames: the first ones of `names`, at most [`MAX_NAMES`] and as many as fit into one
/// address, at least one. How many is the second value. Without `bearer` and `request_id`.
pub(crate) fn users_request(names: &[&str]) -> (Request, usize) {
    let path = |filter: &str, count: usize| {
        format!("/v1.0/users?$filter={}&{SELECT}&$top={count}", escaped(&format!("userPrincipalName in ({filter})")))
    };
    let (mut filter, mut count) = (String::new(), 0);
    for name in names.iter().take(MAX_NAMES) {
        let longer = if count == 0 { quoted(name) } else { format!("{filter},{}", quoted(name)) };
        if count > 0 && path(&longer, MAX_NAMES).len() > LONGEST_PATH {
            break;
        }
        (filter, count) = (longer, count + 1);
    }
    (get(path(&filter, count)), count)
}

/// Asks for the users who have this name (`user@domain`) in this place. Without `bearer` and `request_id`.
pub(crate) fn user_request(place: Place, name: &str) -> Request {
    let filter = match place {
        Place::PrincipalName => return get(principal_path(name)),
        Place::ImAddress => format!("imAddresses/any(i:i eq {})", quoted(&format!("sip:{name}"))),
        Place::PrimaryProxyAddress => format!("proxyAddresses/any(p:p eq {})", quoted(&format!("SIP:{name}"))),
        Place::ProxyAddress => format!("proxyAddresses/any(p:p eq {})", quoted(&format!("sip:{name}"))),
        Place::Mail => format!("mail eq {}", quoted(name)),
    };
    get(format!("/v1.0/users?$filter={}&{SELECT}&$top=5", escaped(&filter)))
}

/// A name that begins with `$` would be taken for a function.
fn principal_path(name: &str) -> String {
    if name.starts_with('$') {
        format!("/v1.0/users({})?{SELECT}", escaped(&quoted(name)))
    } else {
        format!("/v1.0/users/{}?{SELECT}", escaped(name))
    }
}

const fn get(path: String) -> Request {
    Request {
        method: Method::Get,
        host: Host::Graph,
        path,
        bearer: None,
        headers: Vec::new(),
        body: Body::Empty,
        request_id: String::new(),
        timeout: Duration::from_secs(15),
    }
}

/// Reads the answer to [`users_request`], and to [`user_request`] except for [`Place::PrincipalName`]. Items that are no users
/// are left out.
///
/// # Errors
/// When it is not JSON, or has no list `value`.
pub(crate) fn parse_users(body: &[u8]) -> Result<UserList, String> {
    let mut body = json(body)?;
    let has_more = body.get("@odata.nextLink").is_some_and(|link| !link.is_null());
    let Some(Value::Array(items)) = body.get_mut("value").map(Value::take) else {
        return Err("the users are not in a list `value`".to_owned());
    };
    let has_more = has_more || items.len() > MOST_USERS;
    Ok(UserList { users: items.iter().take(MOST_USERS).filter_map(user).collect(), has_more })
}

/// Reads the answer to [`user_request`] with [`Place::PrincipalName`].
///
/// # Errors
/// When it is no user.
pub(crate) fn parse_user(body: &[u8]) -> Result<User, String> {
    user(&json(body)?).ok_or_else(|| "the user has no id that is a GUID".to_owned())
}

fn json(body: &[u8]) -> Result<Value, String> {
    gate::admit(body, MOST_PARTS).map_err(|what| format!("the answer has {what}"))?;
    serde_json::from_slice(body)
        .map_err(|error| format!("the users are not JSON (line {}, column {})", error.line(), error.column()))
}

fn user(item: &Value) -> Option<User> {
    let lower = |value: &Value| value.as_str().filter(|text| text.len() <= 1_024).map(str::to_lowercase);
    let text = |name: &str| item.get(name).and_then(lower);
    let list = |name: &str| {
        let items = item.get(name).and_then(Value::as_array);
        items.into_iter().flatten().take(1_000).filter_map(lower).collect()
    };
    Some(User {
        id: item.get("id")?.as_str()?.parse().ok()?,
        principal_name: text("userPrincipalName"),
        mail: text("mail"),
        proxy_addresses: list("proxyAddresses"),
        im_addresses: list("imAddresses"),
    })
}

impl User {
    /// Whether this user has this name (lower case) in this place. A property that is not told (no permission to see it) is
    /// believed to hold it: the filter said so.
    pub(crate) fn has(&self, place: Place, name: &str) -> bool {
        let text = |text: &Option<String>| text.as_deref().is_none_or(|text| text == name);
        let list = |list: &[String]| {
            list.is_empty() || list.iter().any(|item| item.strip_prefix("sip:").unwrap_or(item) == name)
        };
        match place {
            Place::PrincipalName => text(&self.principal_name),
            Place::ImAddress => list(&self.im_addresses),
            Place::PrimaryProxyAddress | Place::ProxyAddress => list(&self.proxy_addresses),
            Place::Mail => text(&self.mail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_escaped_and_select_what_is_needed() {
        let (request, count) = users_request(&["o'hara@a.com", "x_b.com#ext#@a.com"]);
        assert_eq!(count, 2);
        assert_eq!(
            request.path,
            "/v1.0/users?$filter=userPrincipalName%20in%20%28%27o%27%27hara%40a.com%27%2C%27x_b.com%23ext%23%40a.com%27%29\
             &$select=id,userPrincipalName,mail,proxyAddresses,imAddresses&$top=2"
        );
        let path = |place| user_request(place, "o'h@a.com").path;
        assert_eq!(path(Place::PrincipalName), format!("/v1.0/users/o%27h%40a.com?{SELECT}"));
        assert!(path(Place::ImAddress).contains("=imAddresses%2Fany%28i%3Ai%20eq%20%27sip%3Ao%27%27h%40a.com%27%29&"));
        assert!(path(Place::PrimaryProxyAddress).contains("p%3Ap%20eq%20%27SIP%3Ao%27%27h"));
        assert!(path(Place::ProxyAddress).contains("p%3Ap%20eq%20%27sip%3Ao%27%27h"));
        assert!(path(Place::Mail).contains("=mail%20eq%20%27o%27%27h%40a.com%27&"));
        assert_eq!(
            user_request(Place::PrincipalName, "$o'h@a.com").path,
            format!("/v1.0/users(%27%24o%27%27h%40a.com%27)?{SELECT}")
        );
    }

    #[test]
    fn a_question_holds_at_most_15_names_and_stays_within_an_address() {
        let short = ["a@b.com"; 40];
        assert_eq!(users_request(&short).1, 15);
        let long = "é".repeat(30) + "@domain.example";
        let (request, count) = users_request(&vec![long.as_str(); 15]);
        assert!((5..15).contains(&count), "{count}");
        assert!(request.path.len() <= LONGEST_PATH, "{}", request.path.len());
        let longest = "'".repeat(256);
        let (request, count) = users_request(&[&longest, &longest]);
        assert_eq!(count, 1);
        assert!(request.path.len() <= 2_048 - 40);
    }

    #[test]
    fn the_places_follow_one_another_and_end() {
        let places: Vec<_> = std::iter::successors(Some(Place::PrincipalName), |place| place.next()).collect();
        assert_eq!(places.len(), 5);
        assert_eq!(places.last(), Some(&Place::Mail));
    }

    #[test]
    fn users_are_read_item_by_item() {
        let body = br#"{"@odata.nextLink":"https://evil.example/v1.0/users","value":[
            {"id":"4119DD4D-e455-4535-9d45-b3535f584cad","userPrincipalName":"A@B.com","mail":null,"proxyAddresses":["SIP:a@b.com",7]},
            {"id":"nobody"},{"userPrincipalName":"x"},7,null,[]]}"#;
        let list = parse_users(body).unwrap();
        assert!(list.has_more);
        assert_eq!(list.users.len(), 1);
        let user = &list.users[0];
        assert_eq!((user.principal_name.as_deref(), user.mail.as_deref()), (Some("a@b.com"), None));
        assert!(user.has(Place::PrimaryProxyAddress, "a@b.com") && !user.has(Place::ProxyAddress, "c@b.com"));
        assert!(user.has(Place::Mail, "whoever@b.com") && user.has(Place::ImAddress, "whoever@b.com"), "not told");
        for bad in [&b""[..], b"{}", b"[]", b"{\"value\":{}}", b"{\"value\":[", b"null", b"\xff"] {
            assert!(parse_users(bad).is_err(), "{}", String::from_utf8_lossy(bad));
            assert!(parse_user(bad).is_err());
        }
        assert!(parse_users("[".repeat(100_000).as_bytes()).is_err());
        let many = format!("{{\"value\":[{}0]}}", "0,".repeat(200));
        assert!(parse_users(many.as_bytes()).unwrap().has_more);
    }
}

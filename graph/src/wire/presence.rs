//! Asking for the presence of many users, and reading what comes.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::gate;
use super::guid::push_guid;
use crate::{Body, Host, Method, ObjectId, Reading, Request, read_status};

/// The most users that Microsoft takes in one request.
pub const MAX_PRESENCE_IDS: usize = 650;

/// More items in one answer are no answer. Nobody asks for more than 650.
const MOST_ITEMS: usize = 4 * MAX_PRESENCE_IDS;

/// More lists, objects and commas are in no answer: 650 users have some ten each.
const MOST_PARTS: usize = 200_000;

/// The longest `sequenceNumber` that is kept, in bytes.
const LONGEST_SEQUENCE: usize = 64;

/// What was read of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresenceList {
    /// The presences, sorted by user, each user once.
    pub items: Vec<PresenceItem>,
    /// How many items could not be read.
    pub unreadable: usize,
}

/// The presence of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceItem {
    /// The user.
    pub id: ObjectId,
    /// What it says.
    pub reading: Reading,
    /// `sequenceNumber`: compared as text, a greater one is newer.
    pub sequence: Option<Box<str>>,
}

/// Asks for the presence of these users, at most [`MAX_PRESENCE_IDS`]. Without `bearer` and `request_id`: the sender sets both.
#[must_use]
pub fn presence_request(ids: &[ObjectId]) -> Request {
    debug_assert!(ids.len() <= MAX_PRESENCE_IDS, "Microsoft refuses more");
    let mut body = String::with_capacity(10 + ids.len() * 39);
    body.push_str("{\"ids\":[");
    for (index, id) in ids.iter().enumerate() {
        body.push_str(if index == 0 { "\"" } else { ",\"" });
        push_guid(&mut body, *id);
        body.push('"');
    }
    body.push_str("]}");
    Request {
        method: Method::Post,
        host: Host::Graph,
        path: "/v1.0/communications/getPresencesByUserId".to_owned(),
        bearer: None,
        headers: Vec::new(),
        body: Body::Json(Bytes::from(body)),
        request_id: String::new(),
        timeout: Duration::from_secs(15),
    }
}

/// Reads an answer. An item that cannot be read is left out and counted; a word that cannot be read is unknown for its item only.
/// Of two items about one user the one with the higher `sequenceNumber` counts, without numbers the later one.
///
/// # Errors
/// When the whole is not JSON, has no list `value`, or holds more items or more lists and objects than any answer does.
pub fn parse_presences(body: &[u8]) -> Result<PresenceList, String> {
    gate::admit(body, MOST_PARTS).map_err(|what| format!("the answer has {what}"))?;
    let answer: AnswerBody = serde_json::from_slice(body).map_err(|error| {
        // Any value is read over; only too many items are refused.
        let what =
            if error.is_data() { "more presences than could be asked for" } else { "the presences are not JSON" };
        format!("{what} (line {}, column {})", error.line(), error.column())
    })?;
    let mut list = answer.0.ok_or("the presences are not in a list `value`")?;
    // Stable: of one user's items the first come first.
    list.items.sort_by_key(|item| item.id);
    list.items.dedup_by(|later, kept| {
        if later.id != kept.id {
            return false;
        }
        if newer(later, kept) {
            std::mem::swap(later, kept);
        }
        true
    });
    Ok(list)
}

fn newer(later: &PresenceItem, kept: &PresenceItem) -> bool {
    match (&later.sequence, &kept.sequence) {
        (Some(later), Some(kept)) => later.as_bytes().cmp(kept.as_bytes()) != Ordering::Less,
        (None, Some(_)) => false,
        (_, None) => true,
    }
}

/// Reads over everything that is not what is looked for: the given methods say what is.
macro_rules! whatever_else {
    ($lifetime:lifetime, $($kind:ident),*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }
        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        $(whatever_else!(@$kind $lifetime);)*
    };
    (@text $lifetime:lifetime) => {
        fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
    (@list $lifetime:lifetime) => {
        fn visit_seq<A: SeqAccess<$lifetime>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
    (@object $lifetime:lifetime) => {
        fn visit_map<A: MapAccess<$lifetime>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
}

/// The whole answer: what its last `value` is a list of.
#[derive(Default)]
struct AnswerBody(Option<PresenceList>);

impl<'de> Deserialize<'de> for AnswerBody {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = AnswerBody;
            whatever_else!('de, text, list);
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnswerBody, A::Error> {
                let mut answer = AnswerBody(None);
                while let Some(key) = map.next_key::<Key>()? {
                    match key {
                        Key::Value => answer = AnswerBody(map.next_value::<Items>()?.0),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(answer)
            }
        }
        from.deserialize_any(Any)
    }
}

/// The list; none where something else stands.
#[derive(Default)]
struct Items(Option<PresenceList>);

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Items;
            whatever_else!('de, text, object);
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items, A::Error> {
                let mut read = PresenceList::default();
                while let Some(item) = list.next_element::<Item>()? {
                    match item.0 {
                        Some(item) => read.items.push(item),
                        None => read.unreadable += 1,
                    }
                    // Reading on would keep everybody waiting.
                    if read.items.len() + read.unreadable > MOST_ITEMS {
                        return Err(Error::custom("more presences than could be asked for"));
                    }
                }
                Ok(Items(Some(read)))
            }
        }
        from.deserialize_any(Any)
    }
}

/// One item; none where something else than an object with a user's id stands.
#[derive(Default)]
struct Item(Option<PresenceItem>);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Item;
            whatever_else!('de, text, list);
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
                let mut id = None;
                let (mut availability, mut activity, mut sequence) =
                    (Text::default(), Text::default(), Text::default());
                while let Some(key) = map.next_key::<Key>()? {
                    match key {
                        Key::Id => id = map.next_value::<Text<'de>>()?.as_str().and_then(|text| text.parse().ok()),
                        Key::Availability => availability = map.next_value()?,
                        Key::Activity => activity = map.next_value()?,
                        Key::Sequence => sequence = map.next_value()?,
                        Key::Value | Key::Other => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                let item = id.map(|id| PresenceItem {
                    id,
                    reading: read_status(availability.as_str(), activity.as_str()),
                    sequence: sequence
                        .as_str()
                        .filter(|text| (1..=LONGEST_SEQUENCE).contains(&text.len()))
                        .map(Box::from),
                });
                Ok(Item(item))
            }
        }
        from.deserialize_any(Any)
    }
}

/// A text, or something else; borrowed unless it has escapes.
#[derive(Default)]
enum Text<'a> {
    #[default]
    Other,
    Borrowed(&'a str),
    Owned(String),
}

impl Text<'_> {
    fn as_str(&self) -> Option<&str> {
        match self {
            Self::Other => None,
            Self::Borrowed(text) => Some(text),
            Self::Owned(text) => Some(text),
        }
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text<'de>;
            whatever_else!('de, list, object);
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text::Borrowed(text))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text::Owned(text.to_owned()))
            }
        }
        from.deserialize_any(Any)
    }
}

/// The names of members that are looked at.
enum Key {
    Value,
    Id,
    Availability,
    Activity,
    Sequence,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
                Ok(match name {
                    "value" => Key::Value,
                    "id" => Key::Id,
                    "availability" => Key::Availability,
                    "activity" => Key::Activity,
                    "sequenceNumber" => Key::Sequence,
                    _ => Key::Other,
                })
            }
        }
        from.deserialize_str(Name)
    }
}

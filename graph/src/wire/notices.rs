//! Change notifications and lifecycle notifications, as Microsoft posts them to us.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::gate;
use super::lenient::{Members, Text, object};
use crate::ObjectId;

/// So many items are taken in one piece.
const MOST: usize = 1_000;
/// The most lists, objects and commas of a long body.
const MOST_PARTS: usize = 200_000;
/// The longest id of a subscription and the longest tenant, in bytes: both are GUIDs.
const LONGEST_ID: usize = 128;
/// The longest clientState, in bytes (ours has 43).
const LONGEST_STATE: usize = 255;

/// One item of a notification.
#[derive(Clone, PartialEq, Eq)]
pub struct Notice {
    /// Of this subscription.
    pub subscription: String,
    /// What we gave the subscription when it was made; compared in constant time.
    pub client_state: Option<String>,
    /// Of this tenant.
    pub tenant: Option<String>,
    /// The user whose presence changed; none in lifecycle notifications.
    pub user: Option<ObjectId>,
    /// What happens to the subscription itself.
    pub lifecycle: Option<Lifecycle>,
}

/// Without the clientState: it proves that a notification is Microsoft's.
impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notice")
            .field("subscription", &self.subscription)
            .field("tenant", &self.tenant)
            .field("user", &self.user)
            .field("lifecycle", &self.lifecycle)
            .finish_non_exhaustive()
    }
}

/// What happens to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lifecycle {
    /// It is to be authorised anew, by renewing it.
    ReauthorizationRequired,
    /// It is gone.
    SubscriptionRemoved,
    /// Notifications were lost.
    Missed,
}

/// Why a body is no notification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticesError {
    /// It is not JSON, or has no list `value`, or that is empty.
    #[error("{0}")]
    Malformed(String),
    /// More items than are taken in one piece.
    #[error("{0} items, which is more than 1000")]
    TooMany(usize),
}

/// Reads a body. Items that cannot be read are left out, and counted in the second value. One item is in memory at a time,
/// and of it only what is wanted.
///
/// # Errors
/// When it is no notification at all.
pub fn parse_notices(body: &[u8]) -> Result<(Vec<Notice>, usize), NoticesError> {
    let malformed = |text: String| NoticesError::Malformed(text);
    gate::admit(body, MOST_PARTS).map_err(|what| malformed(format!("the body has {what}")))?;
    let Whole(value) =
        serde_json::from_slice(body).map_err(|error| malformed(format!("the body is no notification: {error}")))?;
    let Some(Items { notices, unreadable, count }) = value else {
        return Err(malformed("the body has no list `value`".to_owned()));
    };
    match count {
        0 => Err(malformed("the list `value` is empty".to_owned())),
        count if count > MOST => Err(NoticesError::TooMany(count)),
        _ => Ok((notices, unreadable)),
    }
}

#[derive(Default)]
struct Whole(Option<Items>);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        object(from)
    }
}

impl<'de> Members<'de> for Whole {
    fn member<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "value" => self.0 = Some(map.next_value()?),
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

/// The list, with the items that can be read.
#[derive(Default)]
struct Items {
    notices: Vec<Notice>,
    unreadable: usize,
    count: usize,
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Items;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items, A::Error> {
                let mut items = Items::default();
                while items.count < MOST
                    && let Some(item) = list.next_element::<Item>()?
                {
                    items.count += 1;
                    match item.notice() {
                        Some(notice) => items.notices.push(notice),
                        None => items.unreadable += 1,
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    items.count += 1;
                }
                Ok(items)
            }
        }
        from.deserialize_seq(List)
    }
}

/// One item as it came. What is not of the expected type is as if it were not there.
#[derive(Default)]
struct Item {
    subscription: Option<String>,
    client_state: Option<String>,
    tenant: Option<String>,
    resource: Option<ObjectId>,
    data: Option<ObjectId>,
    lifecycle: Option<String>,
}

impl Item {
    /// What it says, if it says anything that concerns us.
    fn notice(self) -> Option<Notice> {
        let short = |text: String, longest| (text.len() <= longest).then_some(text);
        let lifecycle = match self.lifecycle {
            // A word that is not known is no notification of a change either.
            Some(word) => Some(lifecycle(&word)?),
            None => None,
        };
        let user = self.data.or(self.resource);
        if user.is_none() && lifecycle.is_none() {
            return None;
        }
        Some(Notice {
            subscription: short(self.subscription?, LONGEST_ID).filter(|id| !id.is_empty())?,
            client_state: self.client_state.and_then(|text| short(text, LONGEST_STATE)),
            tenant: self.tenant.and_then(|text| short(text, LONGEST_ID)),
            user,
            lifecycle,
        })
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        object(from)
    }
}

impl<'de> Members<'de> for Item {
    fn member<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "subscriptionId" => self.subscription = text(map)?,
            "clientState" => self.client_state = text(map)?,
            "tenantId" => self.tenant = text(map)?,
            "lifecycleEvent" => self.lifecycle = text(map)?,
            "resource" => self.resource = text(map)?.and_then(|text| user_of(&text)),
            "resourceData" => self.data = map.next_value::<Data>()?.user(),
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

/// `resourceData`
#[derive(Default)]
struct Data {
    id: Option<ObjectId>,
    odata_id: Option<ObjectId>,
}

impl Data {
    fn user(self) -> Option<ObjectId> {
        self.id.or(self.odata_id)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        object(from)
    }
}

impl<'de> Members<'de> for Data {
    fn member<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "id" => self.id = text(map)?.and_then(|text| text.parse().ok()),
            "@odata.id" => self.odata_id = text(map)?.and_then(|text| user_of(&text)),
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<String>, A::Error> {
    Ok(map.next_value::<Text>()?.0)
}

fn lifecycle(word: &str) -> Option<Lifecycle> {
    let known = [
        ("reauthorizationRequired", Lifecycle::ReauthorizationRequired),
        ("subscriptionRemoved", Lifecycle::SubscriptionRemoved),
        ("missed", Lifecycle::Missed),
    ];
    known.into_iter().find_map(|(name, event)| name.eq_ignore_ascii_case(word).then_some(event))
}

/// The user of `communications/presences/{id}`, `communications/presences('{id}')`, `users/{id}/presence` or
/// `users('{id}')/presence`; a host before it and the case do not matter.
fn user_of(resource: &str) -> Option<ObjectId> {
    let is_presence = ["presences", "users"].iter().any(|word| contains(resource, word));
    if !is_presence {
        return None;
    }
    let mut found = resource.split(['/', '(', ')', '\'']).filter_map(|part| part.parse().ok());
    let user = found.next()?;
    // Of two nobody knows which is meant.
    found.next().is_none().then_some(user)
}

fn contains(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

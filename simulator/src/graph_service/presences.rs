//! Presence: getPresencesByUserId and a single user's.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::GraphService;
use super::address::is_guid;
use super::answers::{Refusal, of_bytes};
use super::exchange::{ServiceAnswer, ServiceRequest};
use super::faults::Faults;
use super::people::{Person, State};
use super::settings::Strangers;
use super::tokens::Who;

/// One request may name so many users.
const MOST_IDS: usize = 650;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    ids: Vec<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(rename = "@odata.context")]
    context: &'a str,
    value: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    availability: &'a str,
    activity: &'a str,
    #[serde(rename = "statusMessage")]
    message: Option<()>,
    #[serde(rename = "outOfOfficeSettings")]
    out_of_office: OutOfOffice,
    #[serde(rename = "sequenceNumber")]
    sequence: String,
}

#[derive(Serialize)]
struct OutOfOffice {
    message: Option<()>,
    #[serde(rename = "isOutOfOffice")]
    is: bool,
}

fn item<'a>(person: &'a Person, state: &'a State) -> Item<'a> {
    Item {
        id: Some(&person.user.id),
        availability: &state.availability,
        activity: &state.activity,
        message: None,
        out_of_office: OutOfOffice { message: None, is: state.activity == "OutOfOffice" },
        sequence: state.stamp(),
    }
}

impl GraphService {
    /// `POST /communications/getPresencesByUserId`
    pub(super) fn presences(&mut self, who: Who, request: &ServiceRequest) -> Result<ServiceAnswer, Refusal> {
        if !request.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            return Err(Refusal::new(415, "UnsupportedMediaType", "The content type must be application/json."));
        }
        let Ids { ids } = serde_json::from_slice(&request.body)
            .map_err(|why| Refusal::bad(format!("The body is not understood: {why}")))?;
        if ids.is_empty() || ids.len() > MOST_IDS {
            return Err(Refusal::bad(format!("{} ids; from 1 to {MOST_IDS} are allowed.", ids.len())));
        }
        if let Some(bad) = ids.iter().find(|id| !is_guid(id)) {
            return Err(Refusal::bad(format!("The id '{bad}' is no GUID.")));
        }
        self.counters.ids_asked += u64::try_from(ids.len()).unwrap_or(u64::MAX);
        self.counters.largest_batch = self.counters.largest_batch.max(ids.len());
        let Some(tenant) = self.tenants.get(who.tenant) else { return Err(Refusal::usual(500)) };
        let mut found = Vec::with_capacity(ids.len());
        for id in &ids {
            match tenant.by_id(id) {
                Some(user) => found.push(user),
                None if self.settings.strangers == Strangers::Fail => {
                    return Err(Refusal::bad(format!("The user '{id}' is not of this tenant.")));
                }
                None => {}
            }
        }
        for place in (1..found.len()).rev() {
            let other = self.dice.below(u64::try_from(place + 1).unwrap_or(1));
            found.swap(place, usize::try_from(other).unwrap_or(0));
        }
        found.retain(|user| !Faults::takes(&mut self.faults.left_out, (who.tenant, *user)));
        let mut value = Vec::with_capacity(found.len());
        for user in found {
            let person = &tenant.users[user];
            let old = Faults::takes(&mut self.faults.overtaken, (who.tenant, user));
            value.push(item(person, if old { &person.before } else { &person.now }));
        }
        if self.faults.nameless > 0
            && let Some(first) = value.first_mut()
        {
            self.faults.nameless -= 1;
            first.id = None;
        }
        let context = "https://graph.microsoft.com/v1.0/$metadata#Collection(microsoft.graph.presence)";
        let body = serde_json::to_vec(&Answer { context, value }).map_err(|_| Refusal::usual(500))?;
        Ok(of_bytes(200, body))
    }

    /// `GET /users/{id}/presence`: object ids only.
    pub(super) fn presence(&mut self, who: Who, id: &str) -> Result<ServiceAnswer, Refusal> {
        let tenant = self.tenants.get(who.tenant).ok_or_else(|| Refusal::usual(500))?;
        let person = tenant.by_id(id).and_then(|user| tenant.users.get(user));
        let person = person.ok_or_else(|| Refusal::new(404, "NotFound", "The user is not found."))?;
        self.counters.ids_asked += 1;
        let body = serde_json::to_vec(&item(person, &person.now)).map_err(|_| Refusal::usual(500))?;
        Ok(of_bytes(200, body))
    }

    /// Changes a user's presence, and tells who subscribed. False when it is what it was.
    pub(super) fn change(
        &mut self,
        now: Instant,
        (tenant, user): (usize, usize),
        availability: std::borrow::Cow<'static, str>,
        activity: std::borrow::Cow<'static, str>,
    ) -> bool {
        let person = self.tenants.get_mut(tenant).and_then(|tenant| tenant.users.get_mut(user));
        if !person.is_some_and(|person| person.set(availability, activity)) {
            return false;
        }
        self.counters.changes += 1;
        self.tell_change(now, tenant, user);
        true
    }
}

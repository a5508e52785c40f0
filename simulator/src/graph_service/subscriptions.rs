//! Subscriptions: made, renewed, listed and ended by Microsoft's rules.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};

use super::GraphService;
use super::address::{encoded, is_guid, may_be_posted_to};
use super::answers::{Refusal, empty, of_json, read_time, time};
use super::exchange::{ServiceAnswer, ServiceEffect, ServiceReply, ServiceRequest};
use super::notices::Posted;
use super::tokens::Who;

/// A subscription lives so long at most.
const LONGEST: Duration = Duration::from_secs(3_600);
/// A handshake may take so long.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A subscription has so many users at most.
const MOST_USERS: usize = 650;

/// A subscription that stands.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) who: Who,
    pub(super) resource: String,
    pub(super) users: BTreeSet<String>,
    pub(super) url: String,
    pub(super) lifecycle_url: Option<String>,
    pub(super) client_state: Option<String>,
    pub(super) expires: SystemTime,
}

/// A subscription whose handshakes are not over.
#[derive(Debug)]
pub(super) struct Held {
    subscription: Subscription,
    /// The posts that are not answered yet.
    waits: BTreeSet<u64>,
    until: Instant,
    client_request_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    #[serde(rename = "@odata.type")]
    _kind: Option<String>,
    change_type: String,
    notification_url: String,
    lifecycle_notification_url: Option<String>,
    resource: String,
    expiration_date_time: String,
    client_state: Option<String>,
    include_resource_data: Option<bool>,
    #[serde(rename = "latestSupportedTlsVersion")]
    _tls: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Renewal {
    #[serde(rename = "@odata.type")]
    _kind: Option<String>,
    expiration_date_time: String,
}

/// The users of a resource.
fn users_of(resource: &str) -> Result<BTreeSet<String>, Refusal> {
    let path = resource.strip_prefix('/').unwrap_or(resource);
    let rest = path.strip_prefix("communications/presences");
    let ids: Option<Vec<String>> = rest.and_then(|rest| {
        if let Some(id) = rest.strip_prefix('/') {
            return is_guid(id).then(|| vec![id.to_owned()]);
        }
        let list = rest.strip_prefix("?$filter=id in (")?.strip_suffix(')')?;
        let id = |part: &str| {
            let id = part.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            is_guid(id).then(|| id.to_owned())
        };
        list.split(',').map(id).collect()
    });
    let users: BTreeSet<String> = ids
        .ok_or_else(|| Refusal::bad("The resource is not understood."))?
        .iter()
        .map(|id| id.to_ascii_lowercase())
        .collect();
    if users.len() > MOST_USERS {
        let message = format!("{} users in one subscription, which is more than {MOST_USERS}.", users.len());
        return Err(Refusal::new(403, "ExtensionError", message));
    }
    Ok(users)
}

impl GraphService {
    fn lifetime(&self, now: Instant, text: &str) -> Result<SystemTime, Refusal> {
        let wall = self.told_wall(now);
        let expires = read_time(text).ok_or_else(|| Refusal::bad("expirationDateTime is no time."))?;
        if expires <= wall {
            return Err(Refusal::bad("Subscription expiration must be in the future."));
        }
        if expires > wall + LONGEST {
            return Err(Refusal::bad("Subscription expiration can only be 60 minutes in the future."));
        }
        let life = expires.duration_since(wall).unwrap_or_default();
        Ok(self.wall(now) + life)
    }

    fn standing_of(&self, who: Who) -> Option<&str> {
        let same_user = |other: Who| {
            let client = |who: Who| Some(&self.tenants.get(who.tenant)?.accounts.get(who.account)?.client_id);
            other == who && client(other) == client(who)
        };
        self.subscriptions.iter().find(|(_, known)| same_user(known.who)).map(|(id, _)| id.as_str())
    }

    fn conflict(id: &str) -> Refusal {
        let message = format!("Subscription Id {id} already exists for the requested combination");
        Refusal::new(409, "Conflict", message)
    }

    /// `POST /subscriptions`
    pub(super) fn subscribe(
        &mut self,
        now: Instant,
        who: Who,
        request: &ServiceRequest,
    ) -> Result<ServiceReply, Refusal> {
        if !self.is_delegated(who) {
            return Err(Refusal::usual(403));
        }
        let wanted: Wanted = serde_json::from_slice(&request.body)
            .map_err(|why| Refusal::bad(format!("The body is not understood: {why}")))?;
        if let Some(secret) = &wanted.client_state {
            self.tokens.remember(secret);
        }
        if wanted.change_type != "updated" {
            return Err(Refusal::bad("The changeType of presence is 'updated'."));
        }
        if wanted.include_resource_data == Some(true) {
            return Err(Refusal::bad("encryptionCertificate is missing."));
        }
        let urls = [Some(&wanted.notification_url), wanted.lifecycle_notification_url.as_ref()];
        if !urls.into_iter().flatten().all(|url| may_be_posted_to(url)) {
            return Err(Refusal::bad("The notification URL must be absolute and use https."));
        }
        if wanted.client_state.as_ref().is_some_and(|state| state.len() > 128) {
            return Err(Refusal::bad("clientState is longer than 128 characters."));
        }
        let users = users_of(&wanted.resource)?;
        let expires = self.lifetime(now, &wanted.expiration_date_time)?;
        if let Some(id) = self.standing_of(who) {
            return Err(Self::conflict(id));
        }
        let subscription = Subscription {
            who,
            resource: wanted.resource,
            users,
            url: wanted.notification_url,
            lifecycle_url: wanted.lifecycle_notification_url,
            client_state: wanted.client_state,
            expires,
        };
        let held = self.number();
        let mut waits = BTreeSet::new();
        let urls = [Some(subscription.url.clone()), subscription.lifecycle_url.clone()];
        let until = now + HANDSHAKE;
        for url in urls.into_iter().flatten() {
            let (id, request) = (self.number(), self.guid());
            let token = format!(
                "Validation: Testing client application reachability for <subscription> & 100% + Request-Id: {request}"
            );
            let sign = if url.contains('?') { '&' } else { '?' };
            let url = format!("{url}{sign}validationToken={}", encoded(&token));
            self.counters.handshakes += 1;
            self.posts.insert(id, (until, Posted::Handshake { held, token }));
            waits.insert(id);
            let content_type = "text/plain; charset=utf-8";
            self.effects.push_back(ServiceEffect::Post { id, url, content_type, body: Vec::new() });
        }
        let client_request_id = request.header("client-request-id").unwrap_or_default().to_owned();
        self.held.insert(held, Held { subscription, waits, until, client_request_id });
        Ok(ServiceReply::Held(held))
    }

    /// A handshake is over.
    pub(super) fn shaken(&mut self, now: Instant, post: u64, held: u64, good: bool) {
        let Some(waiting) = self.held.get_mut(&held) else { return };
        waiting.waits.remove(&post);
        if good && !waiting.waits.is_empty() {
            return;
        }
        let late = now >= waiting.until;
        let Some(waiting) = self.held.remove(&held) else { return };
        let outcome = if !good {
            self.posts.retain(|_, (_, post)| !matches!(post, Posted::Handshake { held: other, .. } if *other == held));
            let how = if late { "request timed out" } else { "request failed" };
            let message = format!(
                "Subscription validation {how}. Notification endpoint must respond with 200 OK to validation request."
            );
            Err(Refusal::new(400, "ValidationError", message))
        } else if let Some(id) = self.standing_of(waiting.subscription.who) {
            Err(Self::conflict(id))
        } else {
            let id = self.guid();
            let answer = of_json(201, &self.shown(&id, &waiting.subscription, true));
            self.subscriptions.insert(id, waiting.subscription);
            Ok(answer)
        };
        let reply = self.finished(now, outcome, &waiting.client_request_id);
        self.effects.push_back(ServiceEffect::Answer { held, reply: ServiceReply::Answer(reply) });
    }

    fn shown(&self, id: &str, subscription: &Subscription, with_state: bool) -> Value {
        let who = subscription.who;
        let account = self.tenants.get(who.tenant).and_then(|tenant| tenant.accounts.get(who.account));
        json!({
            "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#subscriptions/$entity",
            "id": id,
            "resource": subscription.resource,
            "applicationId": account.map(|account| account.client_id.as_str()),
            "changeType": "updated",
            "clientState": subscription.client_state.as_ref().filter(|_| with_state),
            "notificationUrl": subscription.url,
            "lifecycleNotificationUrl": subscription.lifecycle_url,
            "expirationDateTime": time(self.told(subscription.expires)),
            "creatorId": format!("c0ffee00-0000-4000-8000-{:012x}", who.account),
            "latestSupportedTlsVersion": "v1_2",
            "includeResourceData": false,
        })
    }

    /// `GET /subscriptions`: those of the one who asks.
    pub(super) fn listed(&self, who: Who) -> ServiceAnswer {
        let own = self.subscriptions.iter().filter(|(_, known)| known.who == who);
        let value: Vec<Value> = own.map(|(id, known)| self.shown(id, known, false)).collect();
        let context = "https://graph.microsoft.com/v1.0/$metadata#subscriptions";
        of_json(200, &json!({ "@odata.context": context, "value": value }))
    }

    fn own(&self, who: Who, id: &str) -> Result<&Subscription, Refusal> {
        let own = self.subscriptions.get(id).filter(|known| known.who == who);
        own.ok_or_else(|| Refusal::new(404, "ResourceNotFound", format!("The subscription {id} is not found.")))
    }

    /// `GET`, `PATCH` and `DELETE /subscriptions/{id}`
    pub(super) fn subscription(
        &mut self,
        now: Instant,
        who: Who,
        id: &str,
        request: &ServiceRequest,
    ) -> Result<ServiceAnswer, Refusal> {
        let id = &id.to_ascii_lowercase();
        let known = self.own(who, id)?;
        match request.method.as_str() {
            "GET" => Ok(of_json(200, &self.shown(id, known, false))),
            "DELETE" => {
                self.subscriptions.remove(id);
                Ok(empty(204))
            }
            "PATCH" => {
                let Renewal { expiration_date_time, .. } = serde_json::from_slice(&request.body)
                    .map_err(|why| Refusal::bad(format!("The body is not understood: {why}")))?;
                let expires = self.lifetime(now, &expiration_date_time)?;
                if let Some(known) = self.subscriptions.get_mut(id) {
                    known.expires = expires;
                }
                let known = self.own(who, id)?;
                Ok(of_json(200, &self.shown(id, known, false)))
            }
            _ => Err(Refusal::new(405, "MethodNotAllowed", "The method is not allowed.")),
        }
    }

    /// Somebody else's subscription in the name of an account.
    pub(super) fn foreign(&mut self, now: Instant, who: Who) -> String {
        let id = self.guid();
        let user = "00000000-0000-4000-8000-000000000000";
        let subscription = Subscription {
            who,
            resource: format!("/communications/presences/{user}"),
            users: BTreeSet::from([user.to_owned()]),
            url: "https://another.example/graph".to_owned(),
            lifecycle_url: None,
            client_state: None,
            expires: self.wall(now) + LONGEST,
        };
        self.subscriptions.insert(id.clone(), subscription);
        id
    }
}

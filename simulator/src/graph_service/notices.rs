//! Notifications: gathered, posted, posted again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::GraphService;
use super::answers::time;
use super::exchange::{PostAnswer, ServiceEffect};

/// So many items share a notification.
const MOST_ITEMS: usize = 100;
/// A notification may take so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first wait before it is posted again; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// So long after the first time it is given up.
const GIVE_UP: Duration = Duration::from_secs(4 * 3_600);
/// So many notifications wait; more are lost.
const MOST_WAITING: usize = 10_000;
/// Notifications that are to be mixed up leave within this.
const MIXED: Duration = Duration::from_secs(5);

/// What a post was for.
#[derive(Debug)]
pub(super) enum Posted {
    /// A handshake of the held request.
    Handshake { held: u64, token: String },
    /// A notification.
    Notices(Box<Parcel>),
}

/// Items for one address.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    url: String,
    items: Vec<Value>,
    first: Instant,
    wait: Duration,
    again: bool,
}

/// What is to be posted, by when, then in the order in which it came.
pub(super) type Parcels = BTreeMap<(Instant, u64), Parcel>;

impl GraphService {
    /// Tells everyone who subscribed that a user's presence changed.
    pub(super) fn tell_change(&mut self, now: Instant, tenant: usize, user: usize) {
        if self.faults.silent_push {
            return;
        }
        let Some(id) = self.tenants.get(tenant).and_then(|tenant| tenant.users.get(user)).map(|person| &person.user.id)
        else {
            return;
        };
        let wall = self.wall(now);
        let to = |known: &super::subscriptions::Subscription| {
            known.who.tenant == tenant && known.users.contains(id) && known.expires > wall
        };
        let told: Vec<(String, Value)> = self
            .subscriptions
            .iter()
            .filter(|(_, known)| to(known))
            .filter_map(|(subscription, known)| {
                let mut item = self.item(subscription)?;
                item["changeType"] = "updated".into();
                item["resource"] = format!("communications/presences/{id}").into();
                item["organizationId"] = item["tenantId"].clone();
                item["resourceData"] = json!({
                    "@odata.id": format!("users/{id}/presence"), "@odata.type": "#microsoft.graph.presence", "id": id,
                });
                Some((known.url.clone(), item))
            })
            .collect();
        for (url, item) in told {
            self.gather(now, url, item);
        }
    }

    /// What every item about a subscription has.
    fn item(&self, id: &str) -> Option<Value> {
        let known = self.subscriptions.get(id)?;
        let tenant = &self.tenants.get(known.who.tenant)?.id;
        Some(json!({
            "subscriptionId": id, "clientState": known.client_state, "tenantId": tenant,
            "subscriptionExpirationDateTime": time(self.told(known.expires)),
        }))
    }

    fn gather(&mut self, now: Instant, url: String, item: Value) {
        let mut due = now + self.settings.notification_latency + self.faults.late;
        if self.faults.shuffled {
            due += MIXED.mul_f64(f64::from(u32::try_from(self.dice.below(1_000)).unwrap_or(0)) / 1_000.0);
        } else if let Some(parcel) = self
            .parcels
            .values_mut()
            .find(|parcel| parcel.url == url && !parcel.again && parcel.items.len() < MOST_ITEMS)
        {
            parcel.items.push(item);
            return;
        }
        self.put(due, Parcel { url, items: vec![item], first: due, wait: FIRST_WAIT, again: false });
    }

    fn put(&mut self, due: Instant, parcel: Parcel) {
        if self.parcels.len() + self.posts.len() >= MOST_WAITING {
            self.counters.lost += 1;
            return;
        }
        let number = self.number();
        self.parcels.insert((due, number), parcel);
    }

    /// Posts what is due.
    pub(super) fn deliver(&mut self, now: Instant) {
        while let Some(entry) = self.parcels.first_entry().filter(|entry| entry.key().0 <= now) {
            let parcel = entry.remove();
            let times = if self.faults.duplicates && !parcel.again { 2 } else { 1 };
            for _ in 0..times {
                let id = self.number();
                let body = json!({ "value": parcel.items }).to_string().into_bytes();
                let (url, content_type) = (parcel.url.clone(), "application/json");
                self.effects.push_back(ServiceEffect::Post { id, url, content_type, body });
                self.posts.insert(id, (now + PATIENCE, Posted::Notices(Box::new(parcel.clone()))));
            }
        }
    }

    /// A post was answered, or not.
    pub(super) fn outcome(&mut self, now: Instant, id: u64, answer: Option<&PostAnswer>) {
        let Some((_, posted)) = self.posts.remove(&id) else { return };
        match posted {
            Posted::Handshake { held, token } => {
                let good = answer.is_some_and(|answer| {
                    let kind = answer.content_type.split(';').next().unwrap_or_default().trim();
                    answer.status == 200 && kind.eq_ignore_ascii_case("text/plain") && answer.body == token.as_bytes()
                });
                self.shaken(now, id, held, good);
            }
            Posted::Notices(parcel) if answer.is_some_and(|answer| (200..300).contains(&answer.status)) => {
                self.counters.notices += u64::try_from(parcel.items.len()).unwrap_or(u64::MAX);
            }
            Posted::Notices(mut parcel) => {
                if now.saturating_duration_since(parcel.first) >= GIVE_UP {
                    self.counters.lost += 1;
                    return;
                }
                self.counters.redelivered += 1;
                parcel.again = true;
                let due = now + parcel.wait;
                parcel.wait = (parcel.wait * 2).min(LONGEST_WAIT);
                self.put(due, *parcel);
            }
        }
    }

    /// Tells what happens to subscriptions of an account, or all; how many.
    pub(super) fn tell_lifecycle(&mut self, now: Instant, event: &str, of: Option<super::tokens::Who>) -> usize {
        let known = self.subscriptions.iter().filter(|(_, known)| of.is_none_or(|of| of == known.who));
        let told: Vec<(String, Value)> = known
            .filter_map(|(id, known)| {
                let mut item = self.item(id)?;
                item["lifecycleEvent"] = event.into();
                Some((known.lifecycle_url.clone()?, item))
            })
            .collect();
        let count = told.len();
        for (url, item) in told {
            self.gather(now, url, item);
        }
        count
    }

    /// Posts what belongs to nobody to every subscriber: another subscription, state, tenant and user. How many.
    pub(super) fn tell_strange(&mut self, now: Instant) -> usize {
        let ids: Vec<String> = self.subscriptions.keys().cloned().collect();
        let stranger = "5747a9e4-0000-4000-8000-00000000dead";
        for id in &ids {
            let Some((url, mut item)) = self.subscriptions.get(id).map(|known| known.url.clone()).zip(self.item(id))
            else {
                continue;
            };
            let user = self.subscriptions.get(id).and_then(|known| known.users.first().cloned());
            let user = user.unwrap_or_else(|| stranger.to_owned());
            item["changeType"] = "updated".into();
            item["resource"] = format!("communications/presences/{user}").into();
            item["resourceData"] = json!({ "@odata.type": "#microsoft.graph.presence", "id": user });
            for (name, value) in [
                ("subscriptionId", stranger),
                ("clientState", "a-stranger"),
                ("tenantId", stranger),
                ("user", stranger),
            ] {
                let mut item = item.clone();
                if name == "user" {
                    item["resourceData"]["id"] = value.into();
                } else {
                    item[name] = value.into();
                }
                self.gather(now, url.clone(), item);
            }
        }
        ids.len()
    }
}

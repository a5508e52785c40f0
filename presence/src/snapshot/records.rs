//! The records of a snapshot, one to a line, and what they are made from.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::words;
use super::{
    AccountMemory, EndpointMemory, NameMemory, PushedMemory, RememberedAgent, RememberedLife, SubscriptionMemory,
};
use crate::{
    AgentUri, Attempt, Availability, DeviceType, EndedBy, EndpointKind, Failure, FailureKind, Freshness, Modalities,
    Modality, Presence, SourceKind, SourceNetwork, Status, Ticket,
};

/// No text of a peer is kept longer, in bytes.
const LONGEST_TEXT: usize = 512;

/// Milliseconds since 1970.
pub(super) type Moment = i64;

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn cut(text: &str) -> Cow<'_, str> {
    let mut end = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Borrowed(&text[..end])
}

/// What stands in front of a record's own fields.
#[derive(Deserialize)]
pub(super) struct Kind<'a> {
    #[serde(borrow)]
    pub(super) k: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StatusRecord<'a> {
    availability: i32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    activity: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    location: Option<Cow<'a, str>>,
    #[serde(with = "words::Device", default, skip_serializing_if = "is_default")]
    device: DeviceType,
    #[serde(with = "words::Network", default, skip_serializing_if = "is_default")]
    network: SourceNetwork,
    #[serde(with = "words::Support", default, skip_serializing_if = "is_default")]
    audio: Modality,
    #[serde(with = "words::Support", default, skip_serializing_if = "is_default")]
    video: Modality,
    #[serde(with = "words::Support", default, skip_serializing_if = "is_default")]
    text: Modality,
}

impl<'a> StatusRecord<'a> {
    fn of(status: &'a Status) -> Self {
        let Modalities { audio, video, text } = status.modalities;
        Self {
            availability: status.availability.value(),
            activity: status.activity.as_deref().map(cut),
            location: status.location.as_deref().map(cut),
            device: status.device,
            network: status.network,
            audio,
            video,
            text,
        }
    }

    fn status(&self) -> Status {
        let shared = |text: &Option<Cow<'_, str>>| text.as_deref().map(|text| Arc::from(&*cut(text)));
        Status {
            availability: Availability::new(self.availability),
            activity: shared(&self.activity),
            location: shared(&self.location),
            device: self.device,
            network: self.network,
            modalities: Modalities { audio: self.audio, video: self.video, text: self.text },
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct FailureRecord<'a> {
    #[serde(with = "words::Kind")]
    kind: FailureKind,
    #[serde(with = "words::By")]
    by: EndedBy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ms_diagnostics: Option<u32>,
    /// In milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(borrow)]
    detail: Cow<'a, str>,
}

impl<'a> FailureRecord<'a> {
    fn of(failure: &'a Failure) -> Self {
        Self {
            kind: failure.kind,
            by: failure.by,
            code: failure.code,
            ms_diagnostics: failure.ms_diagnostics,
            retry_after: failure.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            detail: cut(&failure.detail),
        }
    }

    fn failure(&self) -> Failure {
        Failure {
            kind: self.kind,
            by: self.by,
            code: self.code,
            ms_diagnostics: self.ms_diagnostics,
            retry_after: self.retry_after.map(Duration::from_millis),
            detail: Arc::from(&*cut(&self.detail)),
        }
    }
}

/// An agent that is learned by a subscription.
#[derive(Serialize, Deserialize)]
pub(super) struct AgentRecord<'a> {
    #[serde(borrow)]
    uri: Cow<'a, str>,
    #[serde(with = "words::Source")]
    source: SourceKind,
    #[serde(borrow)]
    status: StatusRecord<'a>,
    since: Moment,
    sequence: u64,
    /// It is too old to be served, or never was.
    #[serde(default, skip_serializing_if = "is_default")]
    unserved: bool,
    /// Its source stood behind it when this was written.
    #[serde(default, skip_serializing_if = "is_default")]
    fresh: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed: Option<Moment>,
    #[serde(default, skip_serializing_if = "is_default")]
    failures: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    postponed: u32,
    /// It was served through the user endpoint.
    #[serde(default, skip_serializing_if = "is_default")]
    user: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_at: Option<Moment>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    abandoned: Option<FailureRecord<'a>>,
}

/// An agent of whom third parties push.
#[derive(Serialize, Deserialize)]
pub(super) struct PushedRecord<'a> {
    #[serde(borrow)]
    uri: Cow<'a, str>,
    #[serde(borrow)]
    status: StatusRecord<'a>,
    since: Moment,
    sequence: u64,
    expires: Moment,
}

impl<'a> AgentRecord<'a> {
    pub(super) fn of(agent: &'a RememberedAgent, memory: &'a SubscriptionMemory, clock: &Clock) -> Self {
        let fresh = memory.confirmed.is_some() && memory.confirmed == clock.written();
        Self {
            uri: agent.uri.original().into(),
            source: agent.source,
            status: StatusRecord::of(&memory.presence.status),
            since: clock.moment(memory.presence.since),
            sequence: memory.sequence,
            unserved: memory.presence.freshness == Freshness::Unknown,
            fresh,
            confirmed: memory.confirmed.filter(|_| !fresh).map(|at| clock.moment(at)),
            failures: memory.failures,
            postponed: memory.postponed,
            user: memory.home == EndpointKind::User,
            retry_at: memory.retry_at.map(|at| clock.moment(at)),
            abandoned: memory.abandoned.as_deref().map(FailureRecord::of),
        }
    }

    pub(super) fn agent(self, clock: &Clock) -> Option<RememberedAgent> {
        let freshness = if self.unserved { Freshness::Unknown } else { Freshness::Stale };
        let since = clock.past(self.since);
        let presence = Presence { status: self.status.status(), since, source: self.source, freshness };
        let confirmed = self.confirmed.map(|at| clock.past(at));
        let memory = SubscriptionMemory {
            presence: Arc::new(presence),
            sequence: self.sequence,
            failures: self.failures,
            home: if self.user { EndpointKind::User } else { EndpointKind::Application },
            abandoned: self.abandoned.as_ref().map(|failure| Box::new(failure.failure())),
            attempt: Attempt(0),
            ticket: Ticket(0),
            dialogs: [None; 2],
            confirmed: if self.fresh { clock.written() } else { confirmed },
            postponed: self.postponed,
            retry_at: self.retry_at.map(|at| clock.instant(at)),
        };
        let uri = AgentUri::parse(&self.uri).ok()?;
        Some(RememberedAgent { uri, source: self.source, life: RememberedLife::Subscribed(memory) })
    }
}

impl<'a> PushedRecord<'a> {
    pub(super) fn of(agent: &'a RememberedAgent, memory: &'a PushedMemory, clock: &Clock) -> Self {
        Self {
            uri: agent.uri.original().into(),
            status: StatusRecord::of(&memory.presence.status),
            since: clock.moment(memory.presence.since),
            sequence: memory.sequence,
            expires: clock.moment(memory.expires_at),
        }
    }

    pub(super) fn agent(self, clock: &Clock) -> Option<RememberedAgent> {
        let source = SourceKind::Attendant;
        let (since, freshness) = (clock.past(self.since), Freshness::Stale);
        let presence = Arc::new(Presence { status: self.status.status(), since, source, freshness });
        let memory = PushedMemory { presence, sequence: self.sequence, expires_at: clock.instant(self.expires) };
        Some(RememberedAgent { uri: AgentUri::parse(&self.uri).ok()?, source, life: RememberedLife::Pushed(memory) })
    }
}

/// A local endpoint.
#[derive(Serialize, Deserialize)]
pub(super) struct EndpointRecord<'a> {
    #[serde(with = "words::Endpoint")]
    kind: EndpointKind,
    #[serde(borrow)]
    uri: Cow<'a, str>,
    #[serde(borrow)]
    pool: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_attempt: Option<Moment>,
    #[serde(default, skip_serializing_if = "is_default")]
    troubles: u32,
}

impl<'a> EndpointRecord<'a> {
    pub(super) fn of(endpoint: &'a EndpointMemory, clock: &Clock) -> Self {
        Self {
            kind: endpoint.kind,
            uri: endpoint.uri.original().into(),
            pool: (&*endpoint.pool).into(),
            next_attempt: endpoint.next_attempt.map(|at| clock.moment(at)),
            troubles: endpoint.troubles,
        }
    }

    pub(super) fn endpoint(self, clock: &Clock) -> Option<EndpointMemory> {
        Some(EndpointMemory {
            kind: self.kind,
            uri: AgentUri::parse(&self.uri).ok()?,
            pool: self.pool.into(),
            next_attempt: self.next_attempt.map(|at| clock.instant(at)),
            troubles: self.troubles,
        })
    }
}

/// The rate of a throttle that was lowered.
#[derive(Serialize, Deserialize)]
pub(super) struct RateRecord {
    #[serde(with = "words::Source")]
    source: SourceKind,
    /// Tokens in 1,000 s: whole numbers are read as they were written.
    per_1000_s: u64,
}

impl RateRecord {
    /// None for what is no rate.
    pub(super) fn of(source: SourceKind, rate: f64) -> Option<Self> {
        let is_rate = rate.is_finite() && (0.0..1e9).contains(&rate);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was looked at")]
        is_rate.then_some(Self { source, per_1000_s: (rate * 1_000.0).round() as u64 })
    }

    /// In tokens per second; none when that is more than any rate.
    #[expect(clippy::cast_precision_loss, reason = "no rate is that large")]
    pub(super) fn rate(&self) -> Option<(SourceKind, f64)> {
        (self.per_1000_s < 1_000_000_000_000).then(|| (self.source, self.per_1000_s as f64 / 1_000.0))
    }
}

/// An account of Microsoft Graph.
#[derive(Serialize, Deserialize)]
pub(super) struct AccountRecord<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    held_until: Moment,
    #[serde(default, skip_serializing_if = "is_default")]
    asked: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    opened: u32,
}

impl<'a> AccountRecord<'a> {
    pub(super) fn of(account: &'a AccountMemory, clock: &Clock) -> Self {
        let (id, held_until) = ((&*account.id).into(), clock.moment(account.held_until));
        Self { id, held_until, asked: account.asked, opened: account.opened }
    }

    pub(super) fn account(self, clock: &Clock) -> AccountMemory {
        let (id, held_until) = (self.id.into(), clock.instant(self.held_until));
        AccountMemory { id, held_until, asked: self.asked, opened: self.opened }
    }
}

/// A name of Microsoft Graph.
#[derive(Serialize, Deserialize)]
pub(super) struct NameRecord<'a> {
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    /// 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    until: Moment,
}

impl<'a> NameRecord<'a> {
    pub(super) fn of(name: &'a NameMemory, clock: &Clock) -> Self {
        Self {
            tenant: (&*name.tenant).into(),
            name: (&*name.name).into(),
            user: name.user.map(|user| format!("{:032x}", u128::from_be_bytes(user))),
            until: clock.moment(name.until),
        }
    }

    pub(super) fn name(self, clock: &Clock) -> Option<NameMemory> {
        let user = match self.user {
            Some(digits) if digits.len() == 32 => Some(u128::from_str_radix(&digits, 16).ok()?.to_be_bytes()),
            Some(_) => return None,
            None => None,
        };
        let until = clock.instant(self.until);
        Some(NameMemory { tenant: self.tenant.into(), name: self.name.into(), user, until })
    }
}

/// Some of the agents that a queue of another process wants.
#[derive(Serialize, Deserialize)]
pub(super) struct UccRecord<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) agents: Vec<Cow<'a, str>>,
}

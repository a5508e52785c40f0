//! From the values of the actors to what goes over the API.

mod graph;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use presence_actors::{AgentView, PresenceEvent, now, time_of_day};
use presence_core::{
    Change, EndedBy, EndpointKind, Failure, FailureKind, Modality, SourceKind, SubscriptionState, SubscriptionView,
};

use super::model;

/// A moment as RFC 3339 in UTC with milliseconds.
#[must_use]
pub fn moment(instant: Instant) -> String {
    Timestamp::try_from(time_of_day(instant)).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// In how many seconds `instant` is; 0 when it has passed.
#[must_use]
pub fn seconds_until(instant: Instant) -> f64 {
    instant.saturating_duration_since(now()).as_secs_f64()
}

/// How many seconds after `from` the moment `until` is; 0 when it is before.
#[must_use]
pub fn seconds_between(from: Instant, until: Instant) -> f64 {
    until.saturating_duration_since(from).as_secs_f64()
}

/// Seconds as they are written.
#[must_use]
pub fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

impl From<SourceKind> for model::SourceName {
    fn from(kind: SourceKind) -> Self {
        match kind {
            SourceKind::Attendant => Self::Attendant,
            SourceKind::Pstn => Self::Pstn,
            SourceKind::MsGraph => Self::MsGraph,
            SourceKind::Ucma => Self::Ucma,
        }
    }
}

impl From<EndpointKind> for model::EndpointName {
    fn from(kind: EndpointKind) -> Self {
        match kind {
            EndpointKind::Application => Self::Application,
            EndpointKind::User => Self::User,
        }
    }
}

impl From<presence_core::Freshness> for model::Freshness {
    fn from(freshness: presence_core::Freshness) -> Self {
        match freshness {
            presence_core::Freshness::Fresh => Self::Fresh,
            presence_core::Freshness::Stale => Self::Stale,
            presence_core::Freshness::Unknown => Self::Unknown,
        }
    }
}

impl From<Modality> for model::Capability {
    fn from(modality: Modality) -> Self {
        match modality {
            Modality::Unknown => Self::Unknown,
            Modality::Enabled => Self::Enabled,
            Modality::Disabled => Self::Disabled,
        }
    }
}

impl From<&presence_core::Presence> for model::Presence {
    fn from(presence: &presence_core::Presence) -> Self {
        let status = &presence.status;
        Self {
            availability: model::Availability {
                name: status.availability.name().to_string(),
                value: status.availability.value(),
            },
            activity: status.activity.as_deref().map(str::to_owned),
            location: status.location.as_deref().map(str::to_owned),
            device: status.device.to_string(),
            network: status.network.to_string(),
            capabilities: model::Capabilities {
                audio: status.modalities.audio.into(),
                video: status.modalities.video.into(),
                text: status.modalities.text.into(),
            },
            since: moment(presence.since),
            source: presence.source.into(),
            freshness: presence.freshness.into(),
        }
    }
}

impl From<FailureKind> for model::FailureOwner {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Transient => Self::Transient,
            FailureKind::NotFound => Self::NotFound,
            FailureKind::Forbidden => Self::Forbidden,
            FailureKind::Dialog => Self::Dialog,
            FailureKind::Invariant => Self::Invariant,
            FailureKind::Endpoint => Self::Endpoint,
        }
    }
}

impl From<&Failure> for model::FailureDetail {
    fn from(failure: &Failure) -> Self {
        Self {
            owner: failure.kind.into(),
            by: match failure.by {
                EndedBy::Us => "us",
                EndedBy::Peer => "peer",
                EndedBy::Network => "network",
            }
            .to_owned(),
            code: failure.code,
            ms_diagnostics: failure.ms_diagnostics,
            detail: failure.detail.to_string(),
            retry_after: failure.retry_after.map(seconds),
        }
    }
}

/// How an agent stands.
#[must_use]
pub fn state_of(view: &AgentView) -> model::AgentState {
    match (&view.quarantined_until, &view.subscription) {
        (Some(_), _) => model::AgentState::Quarantined,
        (None, Some(subscription)) => subscription.state.into(),
        (None, None) => model::AgentState::Served,
    }
}

impl From<SubscriptionState> for model::AgentState {
    fn from(state: SubscriptionState) -> Self {
        match state {
            SubscriptionState::Idle => Self::Idle,
            SubscriptionState::WaitingForEndpoint => Self::WaitingForEndpoint,
            SubscriptionState::AwaitingToken => Self::AwaitingToken,
            SubscriptionState::Subscribing => Self::Subscribing,
            SubscriptionState::Active => Self::Active,
            SubscriptionState::BackingOff => Self::BackingOff,
            SubscriptionState::Abandoned => Self::Abandoned,
            SubscriptionState::Withdrawing => Self::Withdrawing,
            SubscriptionState::Releasing => Self::Releasing,
            SubscriptionState::Unsubscribing => Self::Unsubscribing,
        }
    }
}

/// The endpoint of UcmaPresenceSource that serves an agent or is being tried. To the machines Microsoft Graph is an
/// endpoint too; to people it is none.
#[must_use]
pub fn endpoint_of(view: &AgentView) -> Option<EndpointKind> {
    let subscription = view.subscription.as_ref().filter(|_| view.presence.source != SourceKind::MsGraph);
    subscription.and_then(|subscription| subscription.via)
}

impl From<&SubscriptionView> for model::SubscriptionDetail {
    fn from(view: &SubscriptionView) -> Self {
        Self {
            endpoint: view.via.map(Into::into),
            attempt: view.failures.saturating_add(1),
            failures: view.failures,
            next_retry: view.next_retry.map(moment),
            next_retry_in: view.next_retry.map(seconds_until),
            expires: view.expires_at.map(moment),
            last_failure: view.last_failure.as_ref().map(Into::into),
        }
    }
}

impl From<&AgentView> for model::Agent {
    fn from(view: &AgentView) -> Self {
        let subscription = view.subscription.as_ref();
        Self {
            uri: view.uri.as_str().to_owned(),
            presence: view.presence.as_ref().into(),
            sequence: view.sequence,
            state: state_of(view),
            endpoint: endpoint_of(view).map(Into::into),
            account: view.graph.as_ref().and_then(|graph| graph.account.as_deref()).map(str::to_owned),
            uccs: view.watchers.iter().map(|name| name.as_ref().to_owned()).collect(),
            failures: subscription.map_or(0, |subscription| subscription.failures),
            next_retry: subscription.and_then(|subscription| subscription.next_retry).map(moment),
        }
    }
}

impl From<&Change> for model::Event {
    fn from(change: &Change) -> Self {
        Self::Changed {
            uri: change.uri.as_str().to_owned(),
            previous: change.previous.as_deref().map(Into::into),
            presence: change.new.as_ref().into(),
            sequence: change.sequence,
        }
    }
}

impl From<&PresenceEvent> for model::Event {
    fn from(event: &PresenceEvent) -> Self {
        match event {
            PresenceEvent::Pending { uri } => Self::Pending { uri: uri.as_str().to_owned() },
            PresenceEvent::Current { uri, presence, sequence } => {
                Self::Current { uri: uri.as_str().to_owned(), presence: presence.as_ref().into(), sequence: *sequence }
            }
            PresenceEvent::Changed(change) => change.as_ref().into(),
            PresenceEvent::Lagged { missed } => Self::Lagged { missed: Some(*missed) },
            PresenceEvent::Unserved { uri, why } => {
                Self::Unserved { uri: uri.as_str().to_owned(), why: why.as_ref().to_owned() }
            }
        }
    }
}

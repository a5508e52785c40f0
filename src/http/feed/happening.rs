//! What a feed holds: cheap to keep and to share; it becomes JSON only on its way to a reader.

use std::sync::Arc;
use std::time::Instant;

use presence_actors::PresenceEvent;
use presence_core::{AgentUri, EndpointKind, EndpointState, Failure, Presence};
use presence_graph::Report;

/// One event of a feed.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::http) enum Happening {
    /// What the queue was told.
    Told(PresenceEvent),
    /// The queue lets the agent go.
    Released(AgentUri),
    /// An endpoint changed its state.
    Endpoint(Arc<EndpointChange>),
    /// A pool had stopped notifying about an agent.
    SilentLoss(Arc<SilentLoss>),
    /// Microsoft Graph reports something, and when.
    Graph(Arc<(Report, Instant)>),
    /// The reader was too slow; so many events are missing, where that is known.
    Lagged(Option<u64>),
}

/// An endpoint changed its state.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::http) struct EndpointChange {
    /// Which.
    pub(in crate::http) kind: EndpointKind,
    /// Its new state.
    pub(in crate::http) state: EndpointState,
    /// True when it can serve agents.
    pub(in crate::http) up: bool,
    /// By what it was lost.
    pub(in crate::http) failure: Option<Failure>,
    /// When.
    pub(in crate::http) at: Instant,
}

/// A sample found that a pool had stopped notifying about an agent without a sign.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::http) struct SilentLoss {
    /// The agent.
    pub(in crate::http) uri: AgentUri,
    /// The endpoint whose pool it is.
    pub(in crate::http) via: EndpointKind,
    /// What was held.
    pub(in crate::http) held: Arc<Presence>,
    /// What the pool says.
    pub(in crate::http) said: Arc<Presence>,
    /// When.
    pub(in crate::http) at: Instant,
}

/// What a feed knows of one agent.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::http) enum Knowledge {
    /// Wanted; the first answer is under way.
    Asked,
    /// Nothing is known yet.
    Pending,
    /// What holds, and the number of the agent's last change.
    Current(Arc<Presence>, u64),
    /// No source serves it, and why.
    Unserved(Arc<str>),
    /// Let go. Kept for a while, for readers that have not heard of it.
    Released,
}

impl Knowledge {
    /// What is known after this event.
    pub(super) fn after(event: &PresenceEvent) -> Option<Self> {
        Some(match event {
            PresenceEvent::Pending { .. } => Self::Pending,
            PresenceEvent::Current { presence, sequence, .. } => Self::Current(Arc::clone(presence), *sequence),
            PresenceEvent::Changed(change) => Self::Current(Arc::clone(&change.new), change.sequence),
            PresenceEvent::Unserved { why, .. } => Self::Unserved(Arc::clone(why)),
            PresenceEvent::Lagged { .. } => return None,
        })
    }

    /// The event that tells this to a reader who has missed the earlier ones.
    pub(super) fn told(&self, uri: &AgentUri) -> Happening {
        let uri = uri.clone();
        Happening::Told(match self {
            Self::Asked | Self::Released => return Happening::Released(uri),
            Self::Pending => PresenceEvent::Pending { uri },
            Self::Current(presence, sequence) => {
                PresenceEvent::Current { uri, presence: Arc::clone(presence), sequence: *sequence }
            }
            Self::Unserved(why) => PresenceEvent::Unserved { uri, why: Arc::clone(why) },
        })
    }
}

impl Happening {
    /// The same for a reader who has not heard of the agent: a change becomes the present value.
    pub(super) fn as_first(&self) -> Self {
        match self {
            Self::Told(PresenceEvent::Changed(change)) => Self::Told(PresenceEvent::Current {
                uri: change.uri.clone(),
                presence: Arc::clone(&change.new),
                sequence: change.sequence,
            }),
            other => other.clone(),
        }
    }
}

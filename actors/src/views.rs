//! What people are shown of the actors.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::Message;
use presence_core::{AgentUri, EndpointKind, EndpointState, Failure, Presence, SourceKind, SubscriptionView};
use presence_sip::{SubscriberStats, WireEvent};

use crate::throttle::ThrottleView;

/// One agent, with the whole why of its presence.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct AgentView {
    /// The agent.
    pub uri: AgentUri,
    /// What is known of it.
    pub presence: Arc<Presence>,
    /// The number of its last change; 0 when nothing has been learned yet.
    pub sequence: u64,
    /// How its subscription stands; none when its source needs no subscription.
    pub subscription: Option<SubscriptionView>,
    /// The UCCs that watch it.
    pub watchers: Vec<Arc<str>>,
}

#[derive(Message)]
#[rtype(result = "AgentView")]
pub(crate) struct ObserveAgent;

/// One local endpoint.
#[derive(Clone, Debug)]
pub struct EndpointView {
    /// Application or user endpoint.
    pub kind: EndpointKind,
    /// Its identity.
    pub uri: AgentUri,
    /// Its state, by UCMA's names.
    pub state: EndpointState,
    /// What it lost its pool by, the last time.
    pub last_failure: Option<Failure>,
    /// What it has sent and received.
    pub wire: SubscriberStats,
    /// How often what it received was not as it should be: malformed, of no subscription of ours, out of order, unreadable.
    pub deviations: BTreeMap<WireEvent, u64>,
}

#[derive(Message)]
#[rtype(result = "EndpointView")]
pub(crate) struct ObserveEndpoint;

/// One source with its agents.
#[derive(Clone, Debug)]
pub struct SourceView {
    /// Which source.
    pub kind: SourceKind,
    /// Its agents.
    pub agents: Vec<AgentView>,
    /// Its local endpoints.
    pub endpoints: Vec<EndpointView>,
    /// How many of its actors had to be created again.
    pub restarts: u64,
}

#[derive(Clone, Copy, Message)]
#[rtype(result = "SourceView")]
pub(crate) struct ObserveSource;

/// The whole provider at one moment.
#[derive(Clone, Debug, Default)]
pub struct ProviderView {
    /// The sources that are switched on.
    pub sources: Vec<SourceView>,
    /// What waits for tokens.
    pub throttle: ThrottleView,
    /// How many UCCs there are.
    pub uccs: usize,
}

impl ProviderView {
    /// Every agent of every source.
    pub fn agents(&self) -> impl Iterator<Item = &AgentView> {
        self.sources.iter().flat_map(|source| &source.agents)
    }

    /// The local endpoint of this kind.
    #[must_use]
    pub fn endpoint(&self, kind: EndpointKind) -> Option<&EndpointView> {
        self.sources.iter().flat_map(|source| &source.endpoints).find(|endpoint| endpoint.kind == kind)
    }
}

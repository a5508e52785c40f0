//! What people are shown of the actors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use actix::Message;
use presence_core::{AgentUri, EndpointKind, EndpointState, Failure, Presence, SourceKind, SubscriptionView};
use presence_graph::{GraphAgentView, GraphView};
use presence_sip::{SubscriberStats, WireEvent};

use crate::throttle::ThrottleView;
use crate::transport::Refusal;
use crate::ucc::UccId;

/// One agent, with the whole why of its presence.
#[derive(Clone, Debug, PartialEq, Message)]
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
    /// What Microsoft Graph knows of it, when that source serves it.
    pub graph: Option<GraphAgentView>,
    /// Its actor kept dying of a bug: until then it is left alone, and what is shown is what was known before, as stale.
    pub quarantined_until: Option<Instant>,
}

#[derive(Message)]
#[rtype(result = "AgentView")]
pub(crate) struct ObserveAgent;

/// One agent of a source, if the source has it.
#[derive(Clone, Message)]
#[rtype(result = "Option<AgentView>")]
pub(crate) struct FindAgent(pub(crate) AgentUri);

/// A call of a UCC with a PSTN agent that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// The name of the UCC whose call it is.
    pub ucc: Arc<str>,
    /// The id that the UCC gave it.
    pub call: Arc<str>,
    /// The agent's line.
    pub line: AgentUri,
    /// When it began.
    pub since: Instant,
}

#[derive(Clone, Copy, Message)]
#[rtype(result = "Vec<CallView>")]
pub(crate) struct ObserveCalls;

/// How many calls each UCC has; those that have none are not among them.
#[derive(Clone, Copy, Message)]
#[rtype(result = "BTreeMap<UccId, usize>")]
pub(crate) struct CountCalls;

/// One UCC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UccView {
    /// Which: two UCCs may have the same name, and never the same number.
    pub id: UccId,
    /// Its name.
    pub name: Arc<str>,
    /// How many agents it wants.
    pub agents: usize,
    /// How many of its calls are under way.
    pub calls: usize,
    /// How many events wait for it because its mailbox is full.
    pub waiting: usize,
    /// How often it was too slow and got present values instead of changes.
    pub lagged: u64,
}

#[derive(Clone, Copy, Message)]
#[rtype(result = "Vec<UccView>")]
pub(crate) struct ObserveUccs;

/// One local endpoint.
#[derive(Clone, Debug)]
pub struct EndpointView {
    /// Application or user endpoint.
    pub kind: EndpointKind,
    /// Its identity.
    pub uri: AgentUri,
    /// Its state, by UCMA's names.
    pub state: EndpointState,
    /// True when it can serve agents.
    pub up: bool,
    /// What it lost its pool by, the last time.
    pub last_failure: Option<Failure>,
    /// What it has sent and received.
    pub wire: SubscriberStats,
    /// Bytes of SIP received since the start; where there is TLS, what it carried.
    pub bytes_received: u64,
    /// Bytes of SIP sent since the start.
    pub bytes_sent: u64,
    /// Connections made since the start, by us and by the pool. A UDP socket counts as one.
    pub connections: u64,
    /// How often what it received was not as it should be: malformed, of no subscription of ours, out of order, unreadable.
    pub deviations: BTreeMap<WireEvent, u64>,
    /// How often something was refused at its door; every reason is there.
    pub refused: BTreeMap<Refusal, u64>,
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
    /// Its tenants and accounts, when it is Microsoft Graph.
    pub graph: Option<GraphView>,
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

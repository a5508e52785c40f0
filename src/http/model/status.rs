//! The glance: is everything well, and if not, how far is the recovery.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EndpointName, FailureDetail, GraphTenant, SourceName};

/// How everything is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything is as it should be.
    Well,
    /// The provider is putting agents on the wire after a start or a loss.
    Recovering,
    /// It works, and something needs a look: abandoned or quarantined agents, one endpoint of two down, one tenant of
    /// several, an account that only a person can mend, a state for the next start that cannot be written.
    Degraded,
    /// A source cannot serve: no endpoint is up, or no tenant of Microsoft Graph can be asked.
    Down,
}

/// How many agents there are, by what is known of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentCounts {
    /// All.
    pub total: usize,
    /// Their source stands behind what is known.
    pub fresh: usize,
    /// The last value, the source being down.
    pub stale: usize,
    /// Nothing is known.
    pub unknown: usize,
    /// Given up until they are revived; they are counted by freshness too.
    pub abandoned: usize,
    /// Left alone because of a bug of ours.
    pub quarantined: usize,
    /// On their way to the wire: waiting for an endpoint or a token, or just subscribing.
    pub pending: usize,
    /// Waiting before their next attempt after a failure of their own.
    pub backing_off: usize,
}

/// What was on the wire of one endpoint since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndpointWire {
    /// Messages of ours: SUBSCRIBEs.
    pub subscribes: u64,
    /// NOTIFYs and BENOTIFYs that belonged to a dialog.
    pub notifies: u64,
    /// Dialogs that stand.
    pub dialogs: usize,
    /// Received and not as it should be, all kinds together.
    pub deviations: u64,
}

/// One local endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// Which.
    pub endpoint: EndpointName,
    /// Its identity.
    #[schema(example = "sip:ucc_presenceprovider01@sipdomain.com")]
    pub uri: String,
    /// Idle, Establishing, Established, Reestablishing, Draining, Terminating or Terminated.
    #[schema(example = "Established")]
    pub state: String,
    /// True when it can serve agents.
    pub up: bool,
    /// Since when it can, or cannot.
    #[serde(default)]
    pub since: Option<String>,
    /// What it lost its pool by, the last time.
    pub last_failure: Option<FailureDetail>,
    /// How many agents it serves.
    pub agents: usize,
    /// How often since the start a sample found that its pool had stopped notifying about an agent without a sign.
    #[serde(default)]
    pub silent_losses: u64,
    /// When that was found the last time.
    #[serde(default)]
    pub last_silent_loss: Option<String>,
    /// What was on its wire.
    pub wire: EndpointWire,
}

/// All local endpoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EndpointList {
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
    /// When this was taken.
    pub taken: String,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// Which.
    pub source: SourceName,
    /// True when it can serve its agents.
    pub ready: bool,
    /// Why not.
    pub why: Option<String>,
    /// Its agents.
    pub agents: AgentCounts,
    /// How many of its actors had to be created again.
    pub restarts: u64,
}

/// All sources that are switched on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceList {
    /// The sources.
    pub sources: Vec<Source>,
    /// When this was taken.
    pub taken: String,
}

/// What waits for the right to be put on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Throttle {
    /// How many agents wait.
    pub waiting: usize,
    /// How many tokens have been granted since the start.
    pub granted: u64,
    /// How many per second at most at present.
    pub rate: f64,
    /// MaxPresenceSubscriptionsPerSecond.
    pub configured_rate: u32,
    /// When the last one that waits now will have its token.
    pub predicted_end: Option<String>,
    /// In how many seconds.
    pub predicted_end_in: Option<f64>,
    /// Which queues have an available agent.
    #[serde(default)]
    pub coverage: Coverage,
}

/// Which queues have an agent whom a call can go to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Coverage {
    /// How many queues want agents.
    pub queues: usize,
    /// How many of them have an agent who is available for sure: fresh, and Online or IdleOnline.
    pub covered: usize,
    /// How many have none, and agents who might be are on their way to the wire.
    pub seeking: usize,
    /// For how many seconds the queue has sought that has sought longest.
    pub longest_search: f64,
    /// How many seconds it took on average until a queue that sought one had one, since the start; null when none has.
    pub mean_search: Option<f64>,
    /// When every queue that seeks one will have one; null when none does.
    pub predicted_end: Option<String>,
    /// In how many seconds.
    pub predicted_end_in: Option<f64>,
}

/// A recovery: agents that lost their presence come back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recovery {
    /// What began it, for a person.
    pub cause: String,
    /// In which order agents come back, and how far that is, for a person.
    #[serde(default)]
    #[schema(
        example = "one available agent for every queue first: 143 of 200 queues have one; then the likeliest for most queues"
    )]
    pub order: String,
    /// When it began.
    pub since: String,
    /// How many agents were without fresh presence at the worst moment.
    pub total: usize,
    /// How many of them are back.
    pub done: usize,
    /// How many have failed on their own since it began, and are not waited for.
    #[serde(default)]
    pub failed: usize,
    /// When the last one is expected back; null while no endpoint is up.
    pub predicted_end: Option<String>,
    /// In how many seconds.
    pub predicted_end_in: Option<f64>,
}

/// What the next start of the process begins with: the state that is written every few seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RestartState {
    /// True while it is written.
    pub kept: bool,
    /// Why it is not.
    pub why: Option<String>,
    /// Since when it is not.
    pub since: Option<String>,
    /// When it was written the last time; null when not in this run.
    pub written: Option<String>,
    /// How large it is, in bytes.
    pub bytes: u64,
    /// How often it could not be written since the start.
    pub failures: u64,
}

/// Is everything well?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// In one word.
    pub verdict: Verdict,
    /// In one sentence.
    #[schema(example = "All 9,998 agents are fresh.")]
    pub headline: String,
    /// Our version.
    pub version: String,
    /// When the process began.
    pub started: String,
    /// When this was taken.
    pub taken: String,
    /// The agents.
    pub agents: AgentCounts,
    /// The local endpoints.
    pub endpoints: Vec<Endpoint>,
    /// The tenants of MsGraphPresenceSource; none when it is switched off.
    #[serde(default)]
    pub graph: Vec<GraphTenant>,
    /// The sources.
    pub sources: Vec<Source>,
    /// What waits.
    pub throttle: Throttle,
    /// The recovery, while there is one.
    pub recovery: Option<Recovery>,
    /// What the next start begins with; null where no state is to be kept.
    #[serde(default)]
    pub state: Option<RestartState>,
    /// How many queues there are, in this process and outside.
    pub uccs: usize,
    /// How many calls with PSTN agents are under way.
    pub calls: usize,
    /// Changes of presence in the last second.
    pub changes_per_second: f64,
    /// SIP messages about presence in the last second, in both directions.
    pub messages_per_second: f64,
}

/// One moment of the past.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// Seconds before `taken`.
    pub age: f64,
    /// Changes of presence per second.
    pub changes: f64,
    /// SIP messages per second, in both directions.
    pub messages: f64,
    /// Agents with fresh presence.
    pub fresh: usize,
    /// Agents with stale presence.
    pub stale: usize,
    /// Agents of whom nothing is known.
    pub unknown: usize,
    /// Agents that wait for the wire.
    pub waiting: usize,
}

/// The last minutes, for charts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// From the oldest to the newest.
    pub samples: Vec<Sample>,
    /// When this was taken.
    pub taken: String,
}

/// Who asks, and what it may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Caller {
    /// The name of the token; `anonymous` where none is required.
    pub name: String,
    /// True when requests need a token.
    pub token_required: bool,
    /// The scopes: `ucc:NAME`, `attendant`, `calls`, `operate`, `read`.
    pub scopes: Vec<String>,
}

//! Queues: what they want, and what they know.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Presence;

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ucc {
    /// Its name.
    #[schema(example = "sales")]
    pub name: String,
    /// True when it is a client of this API, false when it runs inside the process.
    pub remote: bool,
    /// How many agents it wants.
    pub agents: usize,
    /// How many event streams of it are open; 0 for a queue inside the process.
    pub connections: usize,
    /// When its interest is released unless it is heard of again; null while a stream is open, and inside the process.
    pub released_at: Option<String>,
    /// How many of its calls are under way.
    pub calls: usize,
    /// How often it was too slow and got a snapshot instead.
    pub lagged: u64,
}

/// All queues that the caller may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UccList {
    /// The queues, by name.
    pub uccs: Vec<Ucc>,
}

/// Which agents a queue wants from now on, and which no longer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Interest {
    /// Agents to subscribe.
    #[serde(default)]
    #[schema(example = json!(["sip:user1@domain.com", "tel:+31612345678"]))]
    pub subscribe: Vec<String>,
    /// Agents to let go.
    #[serde(default)]
    pub unsubscribe: Vec<String>,
}

/// One thing of many that was not done, and why. The others were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refusal {
    /// The URI as it was written.
    pub uri: String,
    /// Why it was refused, and what to write instead.
    pub why: String,
}

/// What became of an [`Interest`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InterestOutcome {
    /// How many agents the queue wants now.
    pub agents: usize,
    /// URIs that cannot be agents; nothing else was refused because of them.
    pub refused: Vec<Refusal>,
}

/// What a queue knows of one of its agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UccAgent {
    /// The agent.
    pub uri: String,
    /// What is known; null while it is pending, and when no source serves it.
    pub presence: Option<Presence>,
    /// The number of the agent's last change.
    pub sequence: u64,
    /// Why no source serves it; null when one does.
    pub unserved: Option<String>,
}

/// A page of a queue's agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UccAgentPage {
    /// The agents of this page, by URI.
    pub agents: Vec<UccAgent>,
    /// How many the queue wants.
    pub total: usize,
    /// How many were skipped before this page.
    pub offset: usize,
}

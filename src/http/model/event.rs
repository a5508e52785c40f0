//! What a stream of events carries, one JSON object each: the same over server-sent events and WebSocket.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EndpointName, GraphNews, Presence};

/// One event. Its `type` says which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// Nothing is known of the agent yet; the value follows when it is learned.
    Pending {
        /// The agent.
        uri: String,
    },
    /// What holds now: at the beginning of a stream, after a subscription, and after `lagged`.
    Current {
        /// The agent.
        uri: String,
        /// What holds.
        presence: Presence,
        /// The number of the agent's last change.
        sequence: u64,
    },
    /// A change, in order.
    Changed {
        /// The agent.
        uri: String,
        /// What held before; null on the first value ever learned.
        previous: Option<Presence>,
        /// What holds now.
        presence: Presence,
        /// Counts the changes of this agent from 1, without gaps.
        sequence: u64,
    },
    /// No source serves the agent, and why.
    Unserved {
        /// The agent.
        uri: String,
        /// The reason, for a person.
        why: String,
    },
    /// The agent is no longer of interest to this queue; nothing more comes about it.
    Released {
        /// The agent.
        uri: String,
    },
    /// The reader was too slow or away for too long: events are missing, and what holds now follows as `current`.
    Lagged {
        /// How many are missing; null when that is not known.
        missed: Option<u64>,
    },
    /// An endpoint of UcmaPresenceSource changed its state: the health of the source, as data.
    Endpoint {
        /// Which.
        endpoint: EndpointName,
        /// Its new state.
        state: String,
        /// True when it can serve agents.
        up: bool,
        /// By what it was lost, where it was.
        why: Option<String>,
        /// When.
        at: String,
    },
    /// A sample found that a pool had stopped notifying about an agent without a sign: what it says when it is asked holds
    /// from now on (a `changed` tells it too), and the agent is subscribed anew.
    SilentLoss {
        /// The agent.
        uri: String,
        /// The endpoint whose pool it is.
        endpoint: EndpointName,
        /// What was held.
        held: Presence,
        /// What the pool says.
        said: Presence,
        /// When.
        at: String,
    },
    /// Something of MsGraphPresenceSource that concerns more than one agent: the health of the source, as data.
    Graph {
        /// What.
        news: GraphNews,
        /// The tenant it is about, where it is about one.
        tenant: Option<String>,
        /// The account it is about, where it is about one.
        account: Option<String>,
        /// True when it is good news.
        good: bool,
        /// The same as a sentence for a person.
        #[schema(example = "Account contoso-poll works.")]
        text: String,
        /// When it is tried again, where something failed.
        retry_at: Option<String>,
        /// When it happened.
        at: String,
    },
    /// The service ends; connect again later.
    Goodbye,
}

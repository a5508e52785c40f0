//! Agents with the whole why of their presence.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Capabilities, EndpointName, Freshness, GraphAgent, Presence, SourceName};
use crate::explain::Explanation;

/// How an agent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Its source needs no subscription: it is pushed, or known by its calls.
    Served,
    /// Nobody wants it.
    Idle,
    /// Wanted, and no endpoint can be used.
    WaitingForEndpoint,
    /// Waits for the throttle.
    AwaitingToken,
    /// The SUBSCRIBE is under way, or Microsoft Graph is about to take the agent on.
    Subscribing,
    /// The subscription stands.
    Active,
    /// Waits before the next attempt.
    BackingOff,
    /// Given up until it is revived.
    Abandoned,
    /// The SUBSCRIBE is under way and nobody wants it any more.
    Withdrawing,
    /// Nobody wants it, and the token to end it is awaited.
    Releasing,
    /// The end of the subscription is under way.
    Unsubscribing,
    /// Its actor kept dying of a bug; it is left alone for an hour.
    Quarantined,
}

/// One agent in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// The agent.
    #[schema(example = "sip:user1@domain.com")]
    pub uri: String,
    /// What is known of it.
    pub presence: Presence,
    /// The number of its last change; 0 when nothing has been learned yet.
    pub sequence: u64,
    /// How it stands.
    pub state: AgentState,
    /// The endpoint of UcmaPresenceSource that serves it or is being tried.
    pub endpoint: Option<EndpointName>,
    /// The account of MsGraphPresenceSource that asks for it.
    #[serde(default)]
    pub account: Option<String>,
    /// The queues that watch it.
    pub uccs: Vec<String>,
    /// Consecutive failures that count towards MaxFailedPresenceSubscriptionsPerUri.
    pub failures: u32,
    /// When the next attempt is due.
    pub next_retry: Option<String>,
}

/// A page of agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentPage {
    /// The agents of this page.
    pub agents: Vec<Agent>,
    /// How many match the filter, on all pages.
    pub total: usize,
    /// How many were skipped before this page.
    pub offset: usize,
    /// When this was taken; lists are at most a second or so old.
    pub taken: String,
}

/// Who owns a failure, and so what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureOwner {
    /// The URI, perhaps not for long.
    Transient,
    /// The URI is not known.
    NotFound,
    /// The URI refuses us.
    Forbidden,
    /// The dialog.
    Dialog,
    /// The presence cannot change.
    Invariant,
    /// The endpoint, the connection, the pool, the account or the tenant; never counts against an agent.
    Endpoint,
}

/// What went wrong last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FailureDetail {
    /// Who owns it.
    pub owner: FailureOwner,
    /// `us`, `peer` or `network`.
    #[schema(example = "peer")]
    pub by: String,
    /// The status code of SIP or HTTP, where one was received.
    #[schema(example = 404)]
    pub code: Option<u16>,
    /// Microsoft's number behind it (ms-diagnostics), where one was received.
    #[schema(example = 4005)]
    pub ms_diagnostics: Option<u32>,
    /// What a person reads.
    pub detail: String,
    /// For how many seconds the peer asked to be left alone.
    pub retry_after: Option<f64>,
}

/// How the agent's subscription stands, where its source needs one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionDetail {
    /// The endpoint of UcmaPresenceSource that serves it or is being tried.
    pub endpoint: Option<EndpointName>,
    /// Which attempt since the last success it is, from 1.
    pub attempt: u32,
    /// Consecutive failures that count.
    pub failures: u32,
    /// When the next attempt is due.
    pub next_retry: Option<String>,
    /// In how many seconds.
    pub next_retry_in: Option<f64>,
    /// When the subscription runs out unless it is refreshed.
    pub expires: Option<String>,
    /// The last failure, also when it is over.
    pub last_failure: Option<FailureDetail>,
}

/// A change that the agent went through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeRecord {
    /// The number of the change.
    pub sequence: u64,
    /// When it was learned.
    pub at: String,
    /// What held before.
    pub previous: Option<Presence>,
    /// What held then.
    pub presence: Presence,
}

/// One agent with everything that is known about it, as of now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentDetail {
    /// The agent.
    pub agent: Agent,
    /// What can be used to reach it.
    pub capabilities: Capabilities,
    /// How far its presence can be trusted.
    pub freshness: Freshness,
    /// Why its presence is as it is, in a sentence or two for a person.
    pub why: String,
    /// Which source serves it by which rule, and why the earlier ones do not.
    pub rules: Explanation,
    /// Its source.
    pub source: SourceName,
    /// How its subscription stands; null when its source needs none.
    pub subscription: Option<SubscriptionDetail>,
    /// What Microsoft Graph knows of it; null when another source serves it.
    #[serde(default)]
    pub graph: Option<GraphAgent>,
    /// Its last changes, the newest first.
    pub changes: Vec<ChangeRecord>,
}

/// How many abandoned agents are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revived {
    /// How many.
    pub revived: usize,
}

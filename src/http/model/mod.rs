//! What goes over the API, as JSON: the contract with queues, consoles, monitoring systems and the dashboard.
//!
//! Times are RFC 3339 in UTC with milliseconds, such as `2026-11-22T14:05:49.222Z`; durations are seconds as a number.
//! Names of states, devices and networks are those of the log and of the documentation of the original product.

mod agent;
mod attendant;
mod call;
mod event;
mod graph;
mod presence;
mod status;
mod ucc;

pub use agent::{
    Agent, AgentDetail, AgentPage, AgentState, ChangeRecord, FailureDetail, FailureOwner, Revived, SubscriptionDetail,
};
pub use attendant::{BulkPush, BulkPushed, Heartbeat, PushItem, PushRefusal, Pushed, State};
pub use call::{Call, CallList, CallStart};
pub use event::Event;
pub use graph::{
    Graph, GraphAccount, GraphAccountKind, GraphAccountState, GraphAgent, GraphCounters, GraphNews, GraphPush,
    GraphPushState, GraphTenant,
};
pub use presence::{Availability, Capabilities, Capability, EndpointName, Freshness, Presence, SourceName};
pub use status::{
    AgentCounts, Caller, Coverage, Endpoint, EndpointList, EndpointWire, History, Recovery, RestartState, Sample,
    Source, SourceList, Status, Throttle, Verdict,
};
pub use ucc::{Interest, InterestOutcome, Refusal, Ucc, UccAgent, UccAgentPage, UccList};

//! How presence behaves: pure state machines and values.
mod agent_uri;
mod availability;
mod calls;
mod endpoint;
mod endpoint_kind;
mod failure;
mod line;
pub mod log_text;
mod presence;
mod publication;
mod pushed;
mod restart;
mod retry;
mod rules;
mod source_effect;
mod subscription;
#[cfg(test)]
mod test_clock;
mod throttle;
pub use agent_uri::{AgentUri, AgentUriError, MAX_AGENT_URI_BYTES, Scheme};
pub use availability::{Availability, AvailabilityName};
pub use calls::Calls;
pub use endpoint::{
    EndpointDeadline, EndpointEffect, EndpointInput, EndpointLifecycle, EndpointPolicy, EndpointState, EndpointView,
};
pub use endpoint_kind::{EndpointKind, EndpointSet};
pub use failure::{EndedBy, Failure, FailureKind};
pub use line::{Line, LineInput};
pub use presence::{Change, DeviceType, Freshness, Modalities, Modality, Presence, SourceKind, SourceNetwork, Status};
pub use publication::Publication;
pub use pushed::{MAX_TIME_TO_LIVE, Pushed, PushedInput};
pub use restart::RestartBudget;
pub use retry::{RetryPolicy, RetryPolicyError};
pub use rules::{Considered, MatchRules, PatternError, PatternHint, Selection, SourceRules, Verdict};
pub use source_effect::SourceEffect;
pub use subscription::{
    Attempt, Deadline, Subscription, SubscriptionEffect, SubscriptionInput, SubscriptionMemory, SubscriptionPolicy,
    SubscriptionState, SubscriptionView, Ticket,
};
pub use throttle::{Throttle, TokenClass};

/// Two dialogs of one agent that end within this time make the second one wait like a failure.
pub const LOOP_GUARD: std::time::Duration = std::time::Duration::from_secs(60);

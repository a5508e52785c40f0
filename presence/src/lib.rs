//! How presence behaves: pure state machines and values.
//!
//! Nothing in this crate knows a clock, a socket, a runtime or a log: time and input go in, effects and one deadline
//! come out, and the same inputs at the same times give the same effects.
//!
//! | question | answered by |
//! |---|---|
//! | Which agent? | [`AgentUri`] |
//! | What is known about the agent? | [`Presence`], [`Change`], [`Publication`] |
//! | Which source serves the agent? | [`SourceRules`], [`MatchRules`] |
//! | How is its one subscription kept? | [`Subscription`], [`RetryPolicy`], [`Failure`] |
//! | Does the server still tell? | [`Sampler`], [`SubscriptionInput::Sample`] |
//! | How fast may agents be put on the wire? | [`Throttle`] |
//! | Who is put on the wire first? | [`RecoveryOrder`] |
//! | How is a local endpoint kept? | [`EndpointLifecycle`] |
//! | Which lines are in a call, what was pushed? | [`Calls`], [`Line`], [`Pushed`] |
//! | How often may something die? | [`RestartBudget`] |
//! | What stands in the log? | [`log_text`] |
//!
//! # The contract of every machine
//!
//! After each mutation (`new`, `handle`, `handle_timeout`) drain `poll_effect` to `None` and do what it says, in that
//! order; then ask `poll_timeout` and arm one timer. When it fires, call `handle_timeout` with the present time; a call
//! that comes too early, too late or twice does no harm.
//!
//! ```
//! use presence_core::{
//!     Availability, EndpointKind, EndpointSet, RetryPolicy, Status, Subscription, SubscriptionEffect,
//!     SubscriptionInput, SubscriptionPolicy, SubscriptionState,
//! };
//! use std::sync::Arc;
//! use std::time::{Duration, Instant};
//!
//! let endpoints = EndpointSet::EMPTY.with(EndpointKind::Application);
//! let policy = Arc::new(SubscriptionPolicy { retry: RetryPolicy::default(), max_failures: 3, endpoints });
//! let mut now = Instant::now();
//! let mut machine = Subscription::new(now, "sip:user1@domain.com".parse()?, policy, None);
//!
//! // What a shell does with the effects; here the throttle grants at once and the pool accepts and notifies.
//! let mut published = Vec::new();
//! let mut inputs = vec![SubscriptionInput::EndpointUp(EndpointKind::Application), SubscriptionInput::Wanted];
//! while !inputs.is_empty() {
//!     machine.handle(now, inputs.remove(0));
//!     while let Some(effect) = machine.poll_effect() {
//!         match effect {
//!             SubscriptionEffect::TakeToken { ticket, .. } => inputs.push(SubscriptionInput::TokenGranted(ticket)),
//!             SubscriptionEffect::Subscribe { attempt, .. } => {
//!                 inputs.push(SubscriptionInput::Accepted { attempt, expires: Duration::from_secs(3_600) });
//!                 let status = Some(Status::of(Availability::AWAY));
//!                 inputs.push(SubscriptionInput::Notified { attempt, status, expires: None });
//!             }
//!             SubscriptionEffect::Publish(change) => published.push(change),
//!             other => panic!("nothing else is expected: {other:?}"),
//!         }
//!     }
//! }
//! assert_eq!(machine.view().state, SubscriptionState::Active);
//! assert_eq!((published.len(), published[0].new.status.availability), (1, Availability::AWAY));
//!
//! // One timer: the refresh is due a tenth before the end.
//! let (due, _why) = machine.poll_timeout().expect("a dialog is refreshed");
//! assert_eq!(due - now, Duration::from_secs(3_240));
//! now = due;
//! machine.handle_timeout(now);
//! assert!(matches!(machine.poll_effect(), Some(SubscriptionEffect::TakeToken { .. })));
//! # Ok::<(), presence_core::AgentUriError>(())
//! ```

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
mod recovery_order;
mod restart;
mod retry;
mod rules;
mod sampler;
pub mod snapshot;
mod source_effect;
mod subscription;
#[cfg(test)]
mod test_clock;
mod throttle;
pub use agent_uri::{AgentUri, AgentUriError, MAX_AGENT_URI_BYTES, Scheme};
pub use availability::{Availability, AvailabilityName};
pub use calls::{CallStart, Calls, MAX_CALLS_PER_UCC};
pub use endpoint::{
    Again, EndpointDeadline, EndpointEffect, EndpointInput, EndpointLifecycle, EndpointPolicy, EndpointState,
    EndpointView, TransitionReason,
};
pub use endpoint_kind::{EndpointKind, EndpointSet};
pub use failure::{EndedBy, Failure, FailureKind};
pub use line::{Line, LineInput};
pub use presence::{Change, DeviceType, Freshness, Modalities, Modality, Presence, SourceKind, SourceNetwork, Status};
pub use publication::Publication;
pub use pushed::{MAX_TIME_TO_LIVE, Pushed, PushedInput};
pub use recovery_order::{Coverage, LastKnown, RecoveryOrder, Request, Standing, is_available};
pub use restart::RestartBudget;
pub use retry::{RetryPolicy, RetryPolicyError};
pub use rules::{Considered, GraphRules, MatchRules, PatternError, PatternHint, Selection, SourceRules, Verdict};
pub use sampler::{Pick, Sampleable, Sampler};
pub use snapshot::{
    AccountMemory, EndpointMemory, GraphMemory, LONGEST_SERVED, NameMemory, PushedMemory, Remembered, RememberedAgent,
    RememberedLife, UccMemory,
};
pub use source_effect::SourceEffect;
pub use subscription::{
    Attempt, Deadline, SampleOutcome, Subscription, SubscriptionEffect, SubscriptionInput, SubscriptionMemory,
    SubscriptionPolicy, SubscriptionState, SubscriptionView, Ticket,
};
pub use throttle::{OldestFirst, Order, Throttle, TokenClass};

/// Two dialogs of one agent that end within this time make the second one wait like a failure.
pub const LOOP_GUARD: std::time::Duration = std::time::Duration::from_secs(60);

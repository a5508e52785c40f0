//! How presence behaves: pure state machines and values.
mod agent_uri;
mod availability;
mod failure;
mod presence;
pub use agent_uri::{AgentUri, AgentUriError, MAX_AGENT_URI_BYTES, Scheme};
pub use availability::{Availability, AvailabilityName};
pub use failure::{EndedBy, Failure, FailureKind};
pub use presence::{Change, DeviceType, Freshness, Modalities, Modality, Presence, SourceKind, SourceNetwork, Status};
/// x
pub const LOOP_GUARD: std::time::Duration = std::time::Duration::from_secs(60);

//! What third parties push.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Capabilities, Refusal};

/// A state of the availability scale, by its name or its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum State {
    /// Such as 6500.
    Number(i32),
    /// Such as `Busy`: Online, IdleOnline, Busy, IdleBusy, DoNotDisturb, BeRightBack, Away, Offline (any case).
    Name(String),
}

/// How an agent is. One of `time_to_live` and `heartbeat` must be given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pushed {
    /// The state.
    pub state: State,
    /// The activity token, such as `on-the-phone`.
    #[serde(default)]
    pub activity: Option<String>,
    /// Where the agent says to be.
    #[serde(default)]
    pub location: Option<String>,
    /// Computer, DeskPhone, Mobile, Web or Custom (any case).
    #[serde(default)]
    pub device: Option<String>,
    /// What can be used to reach the agent.
    #[serde(default)]
    pub capabilities: Option<Capabilities>,
    /// For how many seconds it holds; then the agent is unknown. At most 86400.
    #[serde(default)]
    #[schema(example = 90)]
    pub time_to_live: Option<f64>,
    /// It holds as long as the pusher sends a heartbeat at least every so many seconds. At most 3600.
    #[serde(default)]
    pub heartbeat: Option<f64>,
}

/// One of many pushes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PushItem {
    /// The agent.
    pub uri: String,
    /// How it is.
    pub presence: Pushed,
}

/// Many pushes at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkPush {
    /// The pushes, in order.
    pub presences: Vec<PushItem>,
}

/// One push that was not taken.
pub type PushRefusal = Refusal;

/// What became of a [`BulkPush`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkPushed {
    /// How many were taken.
    pub taken: usize,
    /// Those that were not, and why.
    pub refused: Vec<PushRefusal>,
}

/// The answer to a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Heartbeat {
    /// How many agents of this pusher it has kept.
    pub agents: usize,
}

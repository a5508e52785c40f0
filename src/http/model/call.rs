//! Calls with PSTN agents.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A call begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallStart {
    /// The agent's line.
    #[schema(example = "tel:+31612345678")]
    pub line: String,
}

/// A call that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Call {
    /// The queue whose call it is.
    pub ucc: String,
    /// The id that the queue gave it.
    pub call: String,
    /// The agent's line.
    pub line: String,
    /// Since when.
    pub since: String,
}

/// Calls that are under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallList {
    /// The calls.
    pub calls: Vec<Call>,
}

//! What a run of the provider leaves to the next one.
//!
//! | what | where |
//! |---|---|
//! | the values, in the time of the process that holds them | here |
//! | the bytes: JSON Lines between a line that says what follows and one with a CRC-32 | `format` |
//! | one line each | `records`, with the words of `words` |
//! | from moments of one process to those of another, by the time of day | `clock` |

mod clock;
mod format;
mod records;
mod words;

pub use clock::Anchor;
pub use format::{Encoded, MAX_SNAPSHOT_BYTES, Snapshot, SnapshotError, decode, encode};

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{AgentUri, EndpointKind, Presence, SourceKind, SubscriptionMemory};

/// A value that its source has not stood behind for longer than this is not served after a restart.
pub const LONGEST_SERVED: Duration = Duration::from_secs(15 * 60);

/// What a run of the provider leaves to the next one, in the time of the process that holds it.
///
/// It says nothing of dialogs, of calls and of what waited for a token: these end with the process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    /// When it was collected: what is confirmed at that moment was fresh.
    pub collected: Option<Instant>,
    /// When the earlier life sent its last SUBSCRIBE at the latest; none: it may have done so until the restart.
    pub last_sent: Option<Instant>,
    /// The rates of throttles that were lowered, by the source whose agents they are for, in tokens per second.
    pub rates: Vec<(SourceKind, f64)>,
    /// The local endpoints.
    pub endpoints: Vec<EndpointMemory>,
    /// The agents.
    pub agents: Vec<RememberedAgent>,
    /// What is known of Microsoft Graph.
    pub graph: GraphMemory,
    /// The queues of other processes.
    pub uccs: Vec<UccMemory>,
}

/// One agent as the next run begins with it.
#[derive(Clone, Debug, PartialEq)]
pub struct RememberedAgent {
    /// The agent.
    pub uri: AgentUri,
    /// Which source served it.
    pub source: SourceKind,
    /// What is known.
    pub life: RememberedLife,
}

/// What is known of an agent, by how it is learned.
#[derive(Clone, Debug, PartialEq)]
pub enum RememberedLife {
    /// By a subscription. The presence is never fresh; its numbers and dialogs mean nothing in another process.
    Subscribed(SubscriptionMemory),
    /// By what third parties push.
    Pushed(PushedMemory),
}

/// What was pushed of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedMemory {
    /// What was last published.
    pub presence: Arc<Presence>,
    /// The number of the last change.
    pub sequence: u64,
    /// Until when the push holds.
    pub expires_at: Instant,
}

/// One local endpoint as the next run begins with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointMemory {
    /// Application or user endpoint.
    pub kind: EndpointKind,
    /// Its identity.
    pub uri: AgentUri,
    /// Where its pool is found, as a text that differs when the pool does.
    pub pool: Arc<str>,
    /// The pool is left alone until then.
    pub next_attempt: Option<Instant>,
    /// How often in a row it had to back off.
    pub troubles: u32,
}

/// What is known of Microsoft Graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphMemory {
    /// The accounts that are not to be used for a while.
    pub accounts: Vec<AccountMemory>,
    /// The names that were looked up.
    pub names: Vec<NameMemory>,
}

/// An account of Microsoft Graph that is not to be used for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountMemory {
    /// Its `Id` of Config.xml.
    pub id: Arc<str>,
    /// Until when.
    pub held_until: Instant,
    /// True when Microsoft asked for it (Retry-After).
    pub asked: bool,
    /// How often in a row it had to back off.
    pub opened: u32,
}

/// A name that was looked up in a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameMemory {
    /// The tenant.
    pub tenant: Arc<str>,
    /// The name, `user@domain`.
    pub name: Arc<str>,
    /// The object id of the user, its bytes in the order in which they are written; none: there is no such user.
    pub user: Option<[u8; 16]>,
    /// Until when that is taken for true.
    pub until: Instant,
}

/// A queue of another process, and whom it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UccMemory {
    /// Its name.
    pub name: Arc<str>,
    /// The agents that it wants.
    pub agents: Vec<AgentUri>,
}

//! What the actors say to each other, in the order of the flow.
//!
//! Commands are imperative, facts are in the past tense. What fans out is shared.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix::{Message, Recipient};
use presence_core::{
    AgentUri, Attempt, Change, EndpointKind, Failure, Presence, SampleOutcome, Standing, Status, SubscriptionInput,
    Ticket, TokenClass,
};

use crate::ucc::{UccHandle, UccId};

// --- a UCC and its presence -------------------------------------------------------------------------------------

/// What a UCC is told. Its actor handles this message.
#[derive(Clone, Debug, PartialEq, Message)]
#[rtype(result = "()")]
pub enum PresenceEvent {
    /// The answer to a subscription of whose agent nothing is known yet; the value follows when it is learned.
    Pending {
        /// The agent.
        uri: AgentUri,
    },
    /// What holds now: the answer to a subscription, and what follows [`PresenceEvent::Lagged`].
    Current {
        /// The agent.
        uri: AgentUri,
        /// What holds.
        presence: Arc<Presence>,
        /// The number of the agent's last change.
        sequence: u64,
    },
    /// A change, in order, with previous and new.
    Changed(Arc<Change>),
    /// The UCC was too slow: this many changes were dropped, and the present value of each agent concerned follows.
    Lagged {
        /// How many changes were dropped.
        missed: u64,
    },
    /// No source serves this agent, and why. Nothing more comes, unless its actor is let out of quarantine.
    Unserved {
        /// The agent.
        uri: AgentUri,
        /// The reason, for a person.
        why: Arc<str>,
    },
}

impl PresenceEvent {
    /// The agent that the event is about; none for [`PresenceEvent::Lagged`].
    #[must_use]
    pub fn uri(&self) -> Option<&AgentUri> {
        match self {
            Self::Pending { uri } | Self::Current { uri, .. } | Self::Unserved { uri, .. } => Some(uri),
            Self::Changed(change) => Some(&change.uri),
            Self::Lagged { .. } => None,
        }
    }

    /// What is known of the agent after this event.
    #[must_use]
    pub fn presence(&self) -> Option<&Arc<Presence>> {
        match self {
            Self::Current { presence, .. } => Some(presence),
            Self::Changed(change) => Some(&change.new),
            Self::Pending { .. } | Self::Unserved { .. } | Self::Lagged { .. } => None,
        }
    }
}

// --- UCC to router, router to source, source to agent -----------------------------------------------------------

/// There is a UCC from now on.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Join {
    pub(crate) ucc: Arc<UccHandle>,
}

/// A UCC wants an agent.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Subscribe {
    pub(crate) ucc: Arc<UccHandle>,
    pub(crate) uri: AgentUri,
}

/// A UCC no longer wants an agent.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Unsubscribe {
    pub(crate) ucc: UccId,
    pub(crate) uri: AgentUri,
}

/// A UCC is gone, with all that it wanted and all its calls.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Leave {
    pub(crate) ucc: UccId,
}

/// Add a watcher to an agent.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Watch {
    pub(crate) ucc: Arc<UccHandle>,
    pub(crate) uri: AgentUri,
}

/// Take a watcher from an agent.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Unwatch {
    pub(crate) ucc: UccId,
    pub(crate) uri: AgentUri,
}

/// A call of a UCC with a PSTN agent began.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct CallStarted {
    pub(crate) ucc: Arc<UccHandle>,
    pub(crate) line: AgentUri,
    pub(crate) call: Arc<str>,
}

/// A call of a UCC with a PSTN agent ended.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct CallEnded {
    pub(crate) ucc: UccId,
    pub(crate) line: AgentUri,
    pub(crate) call: Arc<str>,
}

/// A third party says how an agent is; it holds for `time_to_live` unless it is said again.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), PushRefused>")]
pub struct Push {
    /// The agent; it must match a pattern of AttendantServiceSource.
    pub uri: AgentUri,
    /// How the agent is.
    pub status: Status,
    /// How long it holds; then the agent is unknown.
    pub time_to_live: Duration,
}

/// A third party takes back what it said. True when something held.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<bool, PushRefused>")]
pub(crate) struct Withdraw {
    pub(crate) uri: AgentUri,
}

/// Why a push was not taken. The text fits after "failed to push: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushRefused {
    /// The URI matches no pattern of an enabled AttendantServiceSource, so another source serves it.
    #[error("`{0}` matches no pattern of the AttendantServiceSource; a push may touch only URIs that do")]
    NotAttendant(AgentUri),
    /// A time to live of zero.
    #[error("the time to live is zero; say for how long the state holds")]
    NoTimeToLive,
    /// More pushed agents than the source keeps.
    #[error("{0} agents are pushed already, which is the limit")]
    TooMany(usize),
    /// The provider is shutting down.
    #[error("the presence provider is shutting down")]
    ShuttingDown,
}

/// Try abandoned agents again: one, or all.
#[derive(Clone, Debug, Message)]
#[rtype(result = "usize")]
pub struct Revive {
    /// The agent, or all that are abandoned.
    pub uri: Option<AgentUri>,
}

/// The same, said to a source.
#[derive(Clone, Message)]
#[rtype(result = "Revived")]
pub(crate) struct ReviveAgents {
    pub(crate) uri: Option<AgentUri>,
    /// Agents that another source has declined: this one gives them back instead.
    pub(crate) declined: Arc<BTreeSet<AgentUri>>,
}

/// What came of [`ReviveAgents`].
#[derive(Debug, Default)]
pub(crate) struct Revived {
    /// How many are tried again.
    pub(crate) count: usize,
    /// Agents that are given back: they are not this source's any more, and nothing of them is on the wire.
    pub(crate) given_back: Vec<AgentUri>,
}

/// Microsoft Graph's source does not have this agent, and nothing of it is there: another source is to serve it.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Declined {
    pub(crate) uri: AgentUri,
}

// --- agent, throttle and endpoint -------------------------------------------------------------------------------

/// An agent asks for the right to be put on the wire.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TakeToken {
    pub(crate) agent: Recipient<Granted>,
    pub(crate) uri: AgentUri,
    pub(crate) ticket: Ticket,
    pub(crate) class: TokenClass,
}

/// An agent no longer needs the token that it asked for.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CancelToken {
    pub(crate) uri: AgentUri,
    pub(crate) ticket: Ticket,
}

/// An agent may go on the wire, once.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Granted {
    pub(crate) ticket: Ticket,
}

/// How an agent stands from now on; said of every agent of every source, whenever that changes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Stand {
    pub(crate) uri: AgentUri,
    pub(crate) standing: Standing,
}

/// A token has reached the wire, or will not be used: the pace goes on from now.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct TokenSent;

/// The pool could not keep up: it said 503, or did not answer in time.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Congested;

/// The pool has accepted agents since it could not keep up.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Relieved {
    /// How many since this was last said.
    pub(crate) agents: u32,
}

/// Put an agent on the wire: subscribe it, or refresh its subscription.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SendSubscribe {
    pub(crate) agent: Recipient<Feed>,
    pub(crate) uri: AgentUri,
    pub(crate) attempt: Attempt,
    pub(crate) refresh: bool,
}

/// Ask the pool once how an agent is, beside its subscription.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SendQuery {
    pub(crate) agent: Recipient<Feed>,
    pub(crate) uri: AgentUri,
    pub(crate) attempt: Attempt,
}

/// What an agent holds was compared with what its pool says, or could not be.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Sampled {
    pub(crate) uri: AgentUri,
    pub(crate) via: EndpointKind,
    pub(crate) outcome: SampleOutcome,
}

/// A dialog that outlived a loss of the connection was confirmed by the pool.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Adopted {
    pub(crate) uri: AgentUri,
    pub(crate) attempt: Attempt,
}

/// Take an agent off the wire.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SendUnsubscribe {
    pub(crate) uri: AgentUri,
    pub(crate) attempt: Attempt,
}

/// Something happened that the agent's life cycle must know.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Feed(pub(crate) SubscriptionInput);

/// An endpoint can serve agents.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct EndpointUp {
    pub(crate) kind: EndpointKind,
}

/// The pool of an endpoint asks to be left alone; what stands there goes on.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct EndpointPaused {
    pub(crate) kind: EndpointKind,
    pub(crate) failure: Failure,
}

/// An endpoint can no longer serve agents.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct EndpointLost {
    pub(crate) kind: EndpointKind,
    pub(crate) failure: Failure,
}

// --- supervision ------------------------------------------------------------------------------------------------

/// An actor's child is gone without having been told to go.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ChildDown<K>
where
    K: Send + 'static,
{
    pub(crate) child: K,
    /// Which incarnation of the child it was; a message about an earlier one is dropped.
    pub(crate) incarnation: u32,
}

/// Nobody watches this agent and nothing of it is on the wire: its parent may let it go.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct AgentIdle {
    pub(crate) uri: AgentUri,
    pub(crate) incarnation: u32,
    /// How many orders of its parent it had taken; when the parent has given more, it is not idle.
    pub(crate) orders: u32,
}

/// End without being created again.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Stop;

/// End all subscriptions; part of an orderly shutdown. The sender is dropped when that is done.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Drain {
    pub(crate) done: Done,
}

/// Nothing is ever sent through it: that the last one is dropped says that everyone is done.
pub(crate) type Done = tokio::sync::mpsc::Sender<std::convert::Infallible>;

/// Forget all watchers and leave the wire.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct LetGo;

/// Panic on purpose: for tests and drills of the supervision.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct PanicNow;

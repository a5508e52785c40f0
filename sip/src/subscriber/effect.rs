//! What the subscriber asks for and tells.

use std::time::Duration;

use bytes::Bytes;
use presence_core::{AgentUri, Attempt, Failure, Status};

use crate::flow::FlowId;

/// What a [`super::Subscriber`] wants done or tells, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum SubscriberEffect {
    /// Send these bytes on this flow: one message.
    Transmit {
        /// The connection, [`FlowId::PRIMARY`] for requests, the one of the request for answers.
        flow: FlowId,
        /// One whole message.
        bytes: Bytes,
    },
    /// A SUBSCRIBE or a refresh was accepted (2xx).
    Accepted {
        /// The agent.
        uri: AgentUri,
        /// The attempt that the dialog serves.
        attempt: Attempt,
        /// How long the subscription lasts from now.
        expires: Duration,
    },
    /// A NOTIFY of a subscription that goes on (`active` or `pending`).
    Notified {
        /// The agent.
        uri: AgentUri,
        /// The attempt that the dialog serves.
        attempt: Attempt,
        /// What the document says; none for an empty or unreadable body and while the subscription is pending.
        status: Option<Status>,
        /// How long the subscription lasts from now, where the NOTIFY says so.
        expires: Option<Duration>,
    },
    /// The attempt failed, or its subscription ended without us wanting it.
    Failed {
        /// The agent.
        uri: AgentUri,
        /// The attempt that failed.
        attempt: Attempt,
        /// Why, and who owns it.
        failure: Failure,
    },
    /// A subscription that we ended is over.
    Ended {
        /// The agent.
        uri: AgentUri,
        /// The attempt that was ended.
        attempt: Attempt,
    },
    /// The last NOTIFY could not be read: a refresh would bring a full document. Asked for once until a document is
    /// read again; whoever holds the throttle decides (call [`super::Subscriber::refresh`] with a token in hand).
    WantsRefresh {
        /// The agent.
        uri: AgentUri,
        /// The attempt that the dialog serves.
        attempt: Attempt,
    },
    /// The pool answered an OPTIONS: it lives.
    ProbeAnswered,
    /// The pool did not answer an OPTIONS, or it could not be sent.
    ProbeFailed(Failure),
    /// The pool answered 503: nothing may be sent to it for a while.
    Overloaded {
        /// The wait that it asked for.
        retry_after: Option<Duration>,
    },
    /// The pool does not know SUBSCRIBE or the event package (405, 489, 501) and nothing is active: an alarm.
    Unsupported(Failure),
    /// Something worth counting came over the wire.
    Count(WireEvent),
}

/// What is worth counting on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WireEvent {
    /// A message without what every message must have; a request was answered 4xx or 5xx, a response dropped.
    Malformed,
    /// A NOTIFY that belongs to no subscription of ours: 481.
    Unmatched,
    /// A NOTIFY of a second notifier that a proxy had forked our SUBSCRIBE to (RFC 3856 section 6.9): 481.
    Forked,
    /// A NOTIFY for another event package: 489.
    BadEvent,
    /// A NOTIFY without Subscription-State: 400.
    MissingState,
    /// A NOTIFY with a lower CSeq than one before it: 500, dropped.
    StaleCSeq,
    /// A copy of a request that was answered before: the same answer again.
    Duplicate,
    /// A presence document that could not be read: 200, the old value stays.
    UnparsableBody,
    /// A response that belongs to no request of ours: dropped.
    StrayResponse,
    /// A BENOTIFY that belongs to no subscription of ours: dropped without an answer.
    UnmatchedBenotify,
    /// A request of a method that we do not serve: 405 or 501.
    RefusedMethod,
}

/// How much a [`super::Subscriber`] holds and has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriberStats {
    /// Dialogs held, in whatever state.
    pub dialogs: usize,
    /// Dialogs that the pool has confirmed by a 2xx or a NOTIFY and that have not ended.
    pub live: usize,
    /// Answered requests that are remembered (UDP only).
    pub remembered: usize,
    /// SUBSCRIBE requests sent, each once however often it was repeated.
    pub subscribes: u64,
    /// NOTIFY and BENOTIFY requests that belonged to a dialog.
    pub notifies: u64,
    /// Copies of requests sent again for want of an answer (UDP only).
    pub retransmissions: u64,
}

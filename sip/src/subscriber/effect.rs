//! What the subscriber asks for and tells.

use std::time::Duration;

use bytes::Bytes;
use presence_core::{Again, AgentUri, Attempt, Failure, Status, TransitionReason};

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
    /// A dialog from before a loss of the connection stands: the notifier has accepted its refresh.
    /// [`SubscriberEffect::Accepted`] follows. It may be that the notifier ends it a little later without a word, because a
    /// NOTIFY was cut with the connection.
    Adopted {
        /// The agent.
        uri: AgentUri,
        /// The attempt that the dialog serves.
        attempt: Attempt,
    },
    /// The agent is a member of a dialog that the dialect itself keeps alive (dialect `skype`): nobody else refreshes it,
    /// and it has no expiry of its own.
    Joined {
        /// The agent.
        uri: AgentUri,
        /// The attempt that the membership serves.
        attempt: Attempt,
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
    /// The attempt failed, and its dialog still stands: no NOTIFY followed the 2xx (timer N), or the notifier refused a
    /// refresh without ending the subscription (RFC 6665 section 4.1.2.2). The next `subscribe` takes the dialog over, a late
    /// [`SubscriberEffect::Notified`] of this attempt says that it lives, `unsubscribe` ends it, and
    /// [`SubscriberEffect::Ended`] follows when it is over by itself.
    Stalled {
        /// The agent.
        uri: AgentUri,
        /// The attempt that failed.
        attempt: Attempt,
        /// Why, and who owns it.
        failure: Failure,
        /// It has stalled before, and taking it over has not helped: it is to be ended.
        again: bool,
    },
    /// A subscription that we ended, or one that had stalled, is over.
    Ended {
        /// The agent.
        uri: AgentUri,
        /// The attempt that was ended.
        attempt: Attempt,
    },
    /// The answer to [`crate::Dialect::query`].
    Queried {
        /// The agent.
        uri: AgentUri,
        /// The attempt under which it was asked.
        attempt: Attempt,
        /// What the server says; `None` when it refused, did not answer in time, or said what cannot be read.
        status: Option<Status>,
    },
    /// [`crate::Dialect::query`] was not put to the server: what is known of the agent is not told by a standing dialog (it is
    /// polled, or just being asked for), or nobody can be asked at the moment.
    NotQueried {
        /// The agent.
        uri: AgentUri,
        /// The attempt under which it was to be asked.
        attempt: Attempt,
    },
    /// The agent should go on the wire again in the same attempt: its last NOTIFY could not be read, or its dialog is to
    /// be refreshed, or it is to be asked for elsewhere. Asked for once until that was done; whoever holds the throttle
    /// decides (call [`crate::Dialect::refresh`] with a token in hand).
    WantsRefresh {
        /// The agent.
        uri: AgentUri,
        /// The attempt that the dialog serves.
        attempt: Attempt,
    },
    /// The pool answered the probe: it lives, and where we register we are registered.
    ProbeAnswered,
    /// The pool did not answer the probe, or it could not be sent.
    ProbeFailed(Failure),
    /// A SUBSCRIBE was not answered in time: the pool may be overloaded, and the rate is to be lowered.
    Congested,
    /// The pool sends us elsewhere (301, 302, `P-Preferred-Registrar`): connect there and register again.
    Redirected {
        /// The host, as a name or an address without brackets.
        host: String,
        /// The port, where one was given.
        port: Option<u16>,
    },
    /// The pool ended or refused our registration.
    Deregistered {
        /// What it said.
        failure: Failure,
        /// By UCMA's name.
        reason: TransitionReason,
        /// When to register again.
        again: Again,
    },
    /// The pool's presence service is down; the registration and the dialogs stand.
    PresenceUnavailable(Failure),
    /// The pool's presence service is back.
    PresenceAvailable,
    /// What [`crate::Dialect::leave`] began is done: the dialogs are ended and we are not registered any more.
    Left,
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
    /// A NOTIFY or BENOTIFY with the Call-ID of a subscription of ours and not with our tag, or with none of its sender: 481.
    WrongTag,
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
    /// A document about an agent that is no member of the dialog: ignored.
    ForeignResource,
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

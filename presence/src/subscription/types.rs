//! What goes into a subscription machine, what comes out, and how it shows itself.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{Change, EndpointKind, EndpointSet, Failure, Presence, RetryPolicy, Status, TokenClass};

/// Numbers the dialogs of one agent: one for each new subscription, kept by its refreshes. Answers carry it, and an
/// answer with another number than the present one is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(pub u32);

/// Numbers the token requests of one agent. A grant for another ticket than an outstanding one is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u32);

/// What the configuration says about every subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionPolicy {
    /// The waits between failed attempts.
    pub retry: RetryPolicy,
    /// MaxFailedPresenceSubscriptionsPerUri: one failure more than this abandons the agent; 0 never does.
    pub max_failures: u32,
    /// The endpoints that exist by configuration, up or not.
    pub endpoints: EndpointSet,
}

/// What happens to a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionInput {
    /// At least one UCC wants the agent.
    Wanted,
    /// No UCC wants the agent any more.
    Unwanted,
    /// The endpoint can be used; also said of every usable endpoint after the machine was made.
    EndpointUp(EndpointKind),
    /// The endpoint's pool asks to be left alone: nothing new is begun there, and what stands goes on.
    EndpointPaused(EndpointKind),
    /// The endpoint, its connection or its pool cannot be used.
    EndpointLost(EndpointKind),
    /// The throttle has granted the token of this ticket.
    TokenGranted(Ticket),
    /// A 2xx to the SUBSCRIBE or to a refresh.
    Accepted {
        /// Of this dialog.
        attempt: Attempt,
        /// How long the subscription lasts from now.
        expires: Duration,
    },
    /// A 2xx: the agent is a member of a dialog that the endpoint keeps alive. It has no expiry and is refreshed only by
    /// [`SubscriptionInput::RefreshWanted`].
    Joined {
        /// Of this membership.
        attempt: Attempt,
    },
    /// A NOTIFY in the state active or pending; it may overtake [`SubscriptionInput::Accepted`].
    Notified {
        /// Of this dialog.
        attempt: Attempt,
        /// The document's status; `None` for an empty or unreadable body, which keeps the old value.
        status: Option<Status>,
        /// How long the subscription lasts from now, if the NOTIFY says so. It can only shorten (RFC 6665 4.1.2.3).
        expires: Option<Duration>,
    },
    /// Refused, terminated or expired. The SIP layer holds no dialog for this attempt any more, unless the kind is
    /// [`crate::FailureKind::Endpoint`].
    Failed {
        /// Of this dialog.
        attempt: Attempt,
        /// What happened.
        failure: Failure,
    },
    /// The attempt failed, or a refresh of its dialog did, and the endpoint keeps the dialog because the server still has it:
    /// a failure like any other, after which the next [`SubscriptionEffect::Subscribe`] takes the dialog over.
    Stalled {
        /// Of this dialog.
        attempt: Attempt,
        /// What happened.
        failure: Failure,
        /// Taking it over has not helped: it is to be ended.
        again: bool,
    },
    /// Our unsubscription is done, well or badly.
    Ended {
        /// Of this dialog.
        attempt: Attempt,
    },
    /// The endpoint wants the agent put on the wire again: the last document could not be read, or the dialog that it is
    /// a member of is to be refreshed.
    RefreshWanted {
        /// Of this dialog.
        attempt: Attempt,
    },
    /// The endpoint cannot vouch for the last value at the moment, and goes on trying by itself: the value is stale until the
    /// next [`SubscriptionInput::Notified`], nothing is counted, and no token is taken.
    Doubted {
        /// Of this dialog.
        attempt: Attempt,
    },
    /// An operator wants an abandoned or backing-off agent tried again now.
    Revive,
    /// What is held is to be compared with what the server says when it is asked. [`SubscriptionEffect::Sampled`] follows,
    /// once for each.
    Sample,
    /// The answer to [`SubscriptionEffect::Query`].
    Queried {
        /// Of this dialog.
        attempt: Attempt,
        /// What the server says; `None` when it refused, did not answer, or said what cannot be read.
        status: Option<Status>,
    },
    /// The other answer to [`SubscriptionEffect::Query`]: nobody was asked.
    NotQueried {
        /// Of this dialog.
        attempt: Attempt,
    },
}

/// What came of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SampleOutcome {
    /// The server says what is held.
    Same,
    /// The server says something else, twice, and had not told it: its notifications do not come any more.
    Lost,
    /// A notification or the end of the dialog came first.
    Void,
    /// The server refused the query, did not answer it, or said what cannot be read.
    Unanswered,
    /// There was nothing to compare, and nobody was asked: no standing dialog with a fresh value, one that is being refreshed, an
    /// agent who is polled anyway, or a pool that cannot be asked at the moment.
    Skipped,
}

impl SampleOutcome {
    /// All outcomes.
    pub const ALL: [Self; 5] = [Self::Same, Self::Lost, Self::Void, Self::Unanswered, Self::Skipped];

    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Lost => "lost",
            Self::Void => "void",
            Self::Unanswered => "unanswered",
            Self::Skipped => "skipped",
        }
    }
}

/// What a subscription wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionEffect {
    /// Ask the throttle for a token.
    TakeToken {
        /// Comes back in [`SubscriptionInput::TokenGranted`].
        ticket: Ticket,
        /// How urgent.
        class: TokenClass,
    },
    /// The token is not needed any more.
    CancelToken {
        /// Which request.
        ticket: Ticket,
    },
    /// Send a SUBSCRIBE. If this endpoint still has a dialog for the agent, it is taken over under the new number.
    Subscribe {
        /// Through this endpoint.
        via: EndpointKind,
        /// Under this number.
        attempt: Attempt,
    },
    /// Refresh the dialog.
    Refresh {
        /// Through this endpoint.
        via: EndpointKind,
        /// Of this number.
        attempt: Attempt,
    },
    /// End the dialog (a SUBSCRIBE with `Expires: 0`).
    Unsubscribe {
        /// Through this endpoint.
        via: EndpointKind,
        /// Of this number.
        attempt: Attempt,
    },
    /// Tell every watching UCC.
    Publish(Arc<Change>),
    /// An attempt or a dialog failed: for the log and the metrics, there is nothing to do.
    Failed {
        /// What happened.
        failure: Failure,
        /// Through which endpoint.
        via: EndpointKind,
        /// Consecutive failures of the URI that are counted so far, this one included if it counts.
        failures: u32,
        /// When the next attempt is due; `None` when it is tried elsewhere or again at once, when it waits for an
        /// endpoint, and when it is given up.
        retry_in: Option<Duration>,
    },
    /// The limit is exceeded; nothing more is tried until [`SubscriptionInput::Revive`].
    Abandoned(Failure),
    /// An operator had it tried again.
    Revived,
    /// Ask the server once how the agent is, beside the dialog and without disturbing it; the answer comes back as
    /// [`SubscriptionInput::Queried`] or [`SubscriptionInput::NotQueried`].
    Query {
        /// Through this endpoint.
        via: EndpointKind,
        /// The dialog whose value is compared.
        attempt: Attempt,
    },
    /// The server has stopped notifying without a sign: for the log and the metrics. What it says is published, and the
    /// dialog is ended and begun anew.
    SilentLoss {
        /// Through this endpoint.
        via: EndpointKind,
        /// What was held.
        held: Arc<Presence>,
        /// What the server says.
        said: Arc<Presence>,
        /// `None`: begun anew at once. Otherwise it happened twice within the loop guard, and the agent backs off.
        retry_in: Option<Duration>,
    },
    /// What came of [`SubscriptionInput::Sample`].
    Sampled {
        /// The endpoint that was asked.
        via: EndpointKind,
        /// How it ended.
        outcome: SampleOutcome,
    },
}

/// Why a machine wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deadline {
    /// An answer is overdue.
    Answer,
    /// The dialog is to be refreshed.
    Refresh,
    /// The dialog, or a pushed value, runs out.
    Expiry,
    /// The next attempt is due.
    Retry,
    /// The server is asked again how the agent is, or its answer to that is overdue.
    Sample,
}

/// The state of a subscription by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubscriptionState {
    /// Nobody wants the agent.
    Idle,
    /// Wanted, and no endpoint can be used.
    WaitingForEndpoint,
    /// Waits for the throttle.
    AwaitingToken,
    /// The SUBSCRIBE is under way.
    Subscribing,
    /// The dialog stands.
    Active,
    /// Waits before the next attempt.
    BackingOff,
    /// Given up until it is revived.
    Abandoned,
    /// The SUBSCRIBE is under way and nobody wants it any more.
    Withdrawing,
    /// The dialog stands, nobody wants it, and the throttle is asked for the token to end it.
    Releasing,
    /// The end of the dialog is under way.
    Unsubscribing,
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "idle",
            Self::WaitingForEndpoint => "waiting for an endpoint",
            Self::AwaitingToken => "awaiting a token",
            Self::Subscribing => "subscribing",
            Self::Active => "active",
            Self::BackingOff => "backing off",
            Self::Abandoned => "abandoned",
            Self::Withdrawing => "withdrawing",
            Self::Releasing => "releasing",
            Self::Unsubscribing => "unsubscribing",
        })
    }
}

/// A subscription as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionView {
    /// Where it is in its life.
    pub state: SubscriptionState,
    /// The endpoint that serves it or is being tried.
    pub via: Option<EndpointKind>,
    /// Consecutive failures that count.
    pub failures: u32,
    /// When the next attempt is due.
    pub next_retry: Option<Instant>,
    /// The last failure of this life, also when it is over.
    pub last_failure: Option<Failure>,
    /// When the dialog runs out unless it is refreshed.
    pub expires_at: Option<Instant>,
}

/// What survives when the machine is made anew after a panic of its actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionMemory {
    /// What was last published.
    pub presence: Arc<Presence>,
    /// The number of the last change.
    pub sequence: u64,
    /// Consecutive failures that count.
    pub failures: u32,
    /// The endpoint that served last.
    pub home: EndpointKind,
    /// Why it was given up, if it was.
    pub abandoned: Option<Box<Failure>>,
    /// The last attempt's number; the new life goes on well above it.
    pub attempt: Attempt,
    /// The last ticket's number; the new life goes on well above it.
    pub ticket: Ticket,
    /// Dialogs that the endpoints may still hold: the application endpoint's, the user endpoint's.
    pub dialogs: [Option<Attempt>; 2],
    /// When the source last stood behind `presence`; `None` while that is not known.
    pub confirmed: Option<Instant>,
    /// Consecutive back-offs that were not counted because the other endpoint was down.
    pub postponed: u32,
    /// When the next attempt was due, if it waited for one.
    pub retry_at: Option<Instant>,
}

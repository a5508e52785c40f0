//! What goes into an endpoint's machine and what comes out.

use std::fmt;
use std::time::{Duration, Instant};

use crate::Failure;

/// The state of a local endpoint, by UCMA's names (`LocalEndpointState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointState {
    /// Not started.
    Idle,
    /// Being connected for the first time.
    Establishing,
    /// Connected, and the pool answers.
    Established,
    /// Lost, and being recovered.
    Reestablishing,
    /// Its subscriptions are being ended; nothing new is begun.
    Draining,
    /// The connection is being closed.
    Terminating,
    /// Over; or its registration was ended by the pool, and it begins anew by itself after a rest
    /// ([`EndpointLifecycle::is_over`](super::EndpointLifecycle::is_over) tells).
    Terminated,
}

impl fmt::Display for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "Idle",
            Self::Establishing => "Establishing",
            Self::Established => "Established",
            Self::Reestablishing => "Reestablishing",
            Self::Draining => "Draining",
            Self::Terminating => "Terminating",
            Self::Terminated => "Terminated",
        })
    }
}

/// Why an endpoint changed its state, by UCMA's names (`LocalEndpointStateTransitionReason`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransitionReason {
    /// Nothing special.
    #[default]
    None,
    /// The pool has ended the registration because the owner has too many of them.
    TooManyActiveEndpoints,
    /// The owner may not use the pool: disabled, removed, or unknown there.
    OwnerDisabledOrRemoved,
    /// The registration was renewed.
    RegistrationRefreshSucceeded,
    /// The registration could not be renewed.
    RegistrationRefreshFailed,
    /// The pool was not found.
    ServerDiscoveryFailed,
}

/// When an endpoint whose registration was ended or refused registers again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Again {
    /// Now, after the pool has been looked up anew; a second time within the probe interval it waits.
    AtOnce,
    /// After the probe interval, which doubles up to the recovery interval when it happens again and again.
    AfterBackOff,
    /// After the recovery interval: an operator has to mend something.
    Seldom,
}

/// The paces of an endpoint, and whether it has a registration to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointPolicy {
    /// At most one attempt to connect, and one probe of an overloaded pool, per this time.
    pub probe_interval: Duration,
    /// An established connection that is silent for this long is probed.
    pub keep_alive: Duration,
    /// An attempt to connect that takes longer has failed.
    pub connect_timeout: Duration,
    /// The longest rest after a registration that was ended, or while the pool has no presence, unless the pool asks for
    /// more; and how long an endpoint must have been up for its troubles to be forgotten.
    pub recovery_interval: Duration,
    /// The endpoint registers at its pool, so losing and regaining the pool is told by the registration's reasons.
    pub registers: bool,
}

impl Default for EndpointPolicy {
    fn default() -> Self {
        Self {
            probe_interval: Duration::from_secs(5),
            keep_alive: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            recovery_interval: Duration::from_secs(60),
            registers: false,
        }
    }
}

/// What happens to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointInput {
    /// Begin.
    Start,
    /// The connection of this attempt stands.
    Connected {
        /// The number of [`EndpointEffect::Connect`].
        attempt: u32,
    },
    /// The connection of this attempt could not be made.
    ConnectFailed {
        /// The number of [`EndpointEffect::Connect`].
        attempt: u32,
        /// Why.
        failure: Failure,
    },
    /// The pool of this attempt is not in the DNS: nothing could be connected to.
    PoolNotFound {
        /// The number of [`EndpointEffect::Connect`].
        attempt: u32,
        /// Why.
        failure: Failure,
    },
    /// The connection is gone.
    ConnectionLost {
        /// Why.
        failure: Failure,
    },
    /// The pool answered the probe.
    ProbeAnswered,
    /// The pool did not answer the probe (OPTIONS timed out).
    ProbeFailed {
        /// Why.
        failure: Failure,
    },
    /// Some message came from the pool.
    Heard,
    /// The pool says that it is overloaded or shutting down (503).
    Overloaded {
        /// What it asks for.
        retry_after: Option<Duration>,
    },
    /// The pool refuses the whole kind of request (489, 405, 501) and nothing of ours is active there.
    Unsupported {
        /// What it said.
        failure: Failure,
    },
    /// The pool has refused the registration or ended it (MS-SIPREGE 2.2.1.13). A Retry-After of the failure lengthens the
    /// rest.
    Deregistered {
        /// What the pool said.
        failure: Failure,
        /// What that means for the owner.
        reason: TransitionReason,
        /// When to register again.
        again: Again,
    },
    /// The pool keeps the registration and has no presence to give (`userservices-unavailable`, or the dialog of all
    /// subscriptions was lost twice).
    PresenceUnavailable {
        /// What the pool said.
        failure: Failure,
    },
    /// The pool has presence to give again (`userservices-available`).
    PresenceAvailable,
    /// The pool has named another server, to which the next attempt will go (301, `P-Preferred-Registrar`).
    Redirected,
    /// Begin nothing new: the process shuts down.
    Drain,
    /// No subscription is left on this endpoint.
    Drained,
}

/// What an endpoint wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointEffect {
    /// Connect; the number comes back in the answer.
    Connect {
        /// Numbers the attempts from 1.
        attempt: u32,
    },
    /// Close the connection, or give up making it.
    Disconnect,
    /// Ask the pool for a sign of life (OPTIONS).
    Probe,
    /// The endpoint can be used from now on.
    Up,
    /// The pool asks to be left alone: nothing new is sent until `Up`. What stands there goes on.
    Paused(Failure),
    /// The endpoint cannot be used from now on, and what stood there is doubtful.
    Lost(Failure),
    /// Something that an operator must mend: the pool does not do what we need.
    Alarm(Failure),
    /// For the log.
    StateChanged {
        /// Before.
        from: EndpointState,
        /// After.
        to: EndpointState,
        /// Why, for a person.
        why: &'static str,
        /// Why, by UCMA's names.
        reason: TransitionReason,
    },
    /// The endpoint is over, for good. A registration that was ended shows [`EndpointState::Terminated`] without it.
    Terminated,
}

/// Why an endpoint's machine wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointDeadline {
    /// An attempt to connect takes too long.
    Connect,
    /// A probe is overdue.
    Answer,
    /// The next attempt or probe is due.
    Attempt,
    /// The connection was silent for long.
    KeepAlive,
    /// The connection takes too long to close.
    Close,
}

/// An endpoint as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointView {
    /// Where it is in its life.
    pub state: EndpointState,
    /// True between [`EndpointEffect::Up`] and [`EndpointEffect::Lost`].
    pub is_up: bool,
    /// Why it is in this state, by UCMA's names.
    pub reason: TransitionReason,
    /// How often it was tried to connect.
    pub attempts: u32,
    /// How often it came up.
    pub times_up: u32,
    /// When the next attempt or probe is due.
    pub next_attempt: Option<Instant>,
    /// The last failure, also when it is over.
    pub last_failure: Option<Failure>,
}

//! What a registration must be told, and what it asks for and tells.

use std::time::Duration;

use bytes::Bytes;
use presence_core::{Again, AgentUri, Failure, TransitionReason};

use crate::auth::Credentials;
use crate::epid::Epid;
use crate::flow::{FlowId, TransportKind};
use crate::subscriber::WireEvent;
use crate::timers::Timers;

/// How one local endpoint (application or user) registers at its pool.
#[derive(Clone, Debug)]
pub struct RegistrationConfig {
    /// Who registers: From and To. Its host is the domain that the REGISTER goes to.
    pub endpoint: AgentUri,
    /// Which of the owner's endpoints this is. It must be the same after a restart, so that the pool replaces the old
    /// registration instead of adding one.
    pub epid: Epid,
    /// Our Contact: a URI such as `sip:192.0.2.1:6120;transport=tls`, without angle brackets.
    pub contact: String,
    /// Our address in the Via: `ip:port`.
    pub sent_by: String,
    /// What carries the messages.
    pub transport: TransportKind,
    /// How long a registration is asked for; 7200 s is what Skype for Business grants.
    pub expires: Duration,
    /// What a digest challenge (401, 407) is answered with. A trusted application needs none.
    pub credentials: Option<Credentials>,
    /// The User-Agent header.
    pub user_agent: String,
    /// The durations of the transactions.
    pub timers: Timers,
}

impl RegistrationConfig {
    /// The usual configuration of an endpoint: TLS, 7200 s, no credentials, RFC timers.
    #[must_use]
    pub fn new(endpoint: AgentUri, epid: Epid, contact: impl Into<String>, sent_by: impl Into<String>) -> Self {
        Self {
            endpoint,
            epid,
            contact: contact.into(),
            sent_by: sent_by.into(),
            transport: TransportKind::Tls,
            expires: Duration::from_secs(7200),
            credentials: None,
            user_agent: concat!("presence-provider/", env!("CARGO_PKG_VERSION")).into(),
            timers: Timers::default(),
        }
    }
}

/// What a [`super::Registration`] wants done or tells, in the order in which it happened.
///
/// The failures are all of kind [`presence_core::FailureKind::Endpoint`]: no agent is to blame for them.
#[derive(Clone, Debug, PartialEq)]
pub enum RegistrationEffect {
    /// Send these bytes on this flow: one message, or the four bytes of a keep-alive.
    Transmit {
        /// The connection: [`FlowId::PRIMARY`] for requests and keep-alives, that of the request for answers.
        flow: FlowId,
        /// One whole message, or CR LF CR LF.
        bytes: Bytes,
    },
    /// The pool accepted the REGISTER: the first one or a refresh.
    Registered {
        /// How long the registration lasts from now.
        expires: Duration,
    },
    /// The pool did not answer, or only that it cannot serve us now (408, 480, 5xx), or it sent us round in circles; and
    /// we are not registered. A refresh is tried again by itself as long as the registration lasts; this comes at its
    /// end.
    Failed(Failure),
    /// The pool answered 503. At a refresh the registration stands.
    Overloaded {
        /// The wait that it asked for.
        retry_after: Option<Duration>,
    },
    /// The pool ended or refused the registration.
    Deregistered {
        /// What it said, and what an operator can do.
        failure: Failure,
        /// By UCMA's name.
        reason: TransitionReason,
        /// When to register again.
        again: Again,
    },
    /// The pool sends us elsewhere (301, 302, 305, `P-Preferred-Registrar`): connect there and register again.
    Redirected {
        /// The host, as a name or an address without brackets.
        host: String,
        /// The port, where one was given.
        port: Option<u16>,
    },
    /// The pool's presence service is down; the registration stands.
    PresenceUnavailable(Failure),
    /// The pool's presence service is back.
    PresenceAvailable,
    /// What [`super::Registration::unregister`] began is done: we are not registered any more, or nobody answered.
    Unregistered,
    /// Something worth counting came over the wire.
    Count(WireEvent),
}

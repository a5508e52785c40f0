//! What went wrong with a subscription, and who owns it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Who owns a failure, and so what it costs (docs/ARCHITECTURE.md, "Failure has an owner").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The URI, perhaps not for long: 480, 504, 5xx of this agent, no answer while the pool answers others.
    /// The other endpoint is tried at once; when both have failed it counts, and the back-off begins.
    Transient,
    /// The URI is not known: 404, 410, 604, `noresource`. Like [`FailureKind::Transient`]; the difference is for the operator.
    NotFound,
    /// The URI refuses us: 403, `rejected`. The other endpoint is tried once, then it is given up
    /// (with no limit of failures: retried at the longest delay).
    Forbidden,
    /// The dialog: 481, expiry, `deactivated`, `timeout`. Subscribed anew at once, through the throttle;
    /// a second time within [`crate::LOOP_GUARD`] counts and backs off.
    Dialog,
    /// The notifier ended the subscription because the presence cannot change (RFC 6665 section 4.1.3, `invariant`).
    /// The value stays good; the next attempt is made at the longest delay and nothing is counted.
    Invariant,
    /// The endpoint, the connection or the pool. Never counts against a URI; the agent waits for an endpoint.
    Endpoint,
}

/// Who ended a subscription or a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndedBy {
    /// We did.
    Us,
    /// The peer did, by an answer or a notification.
    Peer,
    /// Nobody: a connection was lost or nothing came.
    Network,
}

/// A failure, classified once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Who owns it.
    pub kind: FailureKind,
    /// Who ended it.
    pub by: EndedBy,
    /// The SIP status code or HTTP status, where one was received.
    pub code: Option<u16>,
    /// Microsoft's number behind it (`ms-diagnostics`, `msDiagCode`), where one was received.
    pub ms_diagnostics: Option<u32>,
    /// The peer asks not to be tried before this has passed.
    pub retry_after: Option<Duration>,
    /// What a person reads: the reason phrase, the ms-diagnostics, the reason of the termination.
    pub detail: Arc<str>,
}

impl Failure {
    /// A failure without an answer's code.
    #[must_use]
    pub fn new(kind: FailureKind, by: EndedBy, detail: impl Into<Arc<str>>) -> Self {
        Self { kind, by, code: None, ms_diagnostics: None, retry_after: None, detail: detail.into() }
    }

    /// A failure that an answer with this status code told of.
    #[must_use]
    pub fn answered(kind: FailureKind, code: u16, detail: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            by: EndedBy::Peer,
            code: Some(code),
            ms_diagnostics: None,
            retry_after: None,
            detail: detail.into(),
        }
    }

    /// The same with the wait that the peer asked for.
    #[must_use]
    pub const fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// The same with Microsoft's number behind it.
    #[must_use]
    pub const fn with_ms_diagnostics(mut self, ms_diagnostics: Option<u32>) -> Self {
        self.ms_diagnostics = ms_diagnostics;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{code} {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

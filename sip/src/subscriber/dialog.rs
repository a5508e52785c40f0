//! One subscription dialog: what must be remembered of it and what it waits for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_core::{AgentUri, Attempt};

use crate::identity::Identifier;
use crate::peer::way;
use crate::transaction::ClientTransaction;

/// The states of a subscription dialog (RFC 6665 section 4.1.2), seen from the subscriber.
///
/// ```text
///            subscribe()                 2xx                    NOTIFY
///   (none) ------------> Opening ----------------> Accepted -------------> Live <----------+
///                          |  |  NOTIFY before 2xx                         ^ |             | NOTIFY or 2xx
///                          |  +--------------------------------------------+ | connection  |
///             unsubscribe()|                          |    unsubscribe()    v lost        |
///                          v       2xx or NOTIFY      v                   Doubtful --------+
///                       Leaving ------------------> Closing <---------------+
///                                                     | NOTIFY terminated, refusal or 20 T1
///   every state --(refusal, terminated, timer F, expiry)--> (none)          v
///                                                                        (none)
///
///                    timer N, or a refusal of a refresh that does not end it         unsubscribe()
///   Accepted, Live, Doubtful ---------------------------------------> Stalled --------------------> Closing
///                                                                      |   |
///                                    Live <------ NOTIFY --------------+   +-- subscribe(): a refresh --> Accepted
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DialogState {
    /// SUBSCRIBE sent; neither an answer nor a NOTIFY yet.
    Opening,
    /// Accepted by a 2xx; the first NOTIFY is awaited.
    Accepted,
    /// The notifier has sent a NOTIFY.
    Live,
    /// It was there when the connection was lost; nobody knows whether the pool still has it.
    Doubtful,
    /// Its attempt has failed and the notifier still has it: no NOTIFY followed a 2xx, or a refresh was refused.
    Stalled,
    /// Not wanted any more before the pool said anything; ended as soon as it does.
    Leaving,
    /// SUBSCRIBE with Expires 0 sent; the final NOTIFY is awaited.
    Closing {
        /// When waiting ends.
        until: Instant,
    },
}

impl DialogState {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Accepted => "accepted",
            Self::Live => "live",
            Self::Doubtful => "doubtful",
            Self::Stalled => "stalled",
            Self::Leaving => "leaving",
            Self::Closing { .. } => "closing",
        }
    }

    /// True for what the pool has confirmed and we still want.
    pub(super) const fn is_live(self) -> bool {
        matches!(self, Self::Accepted | Self::Live)
    }
}

/// What a SUBSCRIBE is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To create the dialog.
    Open,
    /// To prolong it.
    Refresh,
    /// To end it: Expires 0.
    Close,
}

/// How much a SUBSCRIBE says about us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// With all headers.
    Full,
    /// Only with what is mandatory, after a 406, 420 or 421.
    Plain,
}

/// A SUBSCRIBE on its way, with what has been tried to have it accepted.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) purpose: Purpose,
    pub(super) transaction: ClientTransaction,
    pub(super) tries: Tries,
    /// The credentials that it carried; empty for none.
    pub(super) credentials: Box<str>,
}

/// What a SUBSCRIBE asks for and what has been repaired for it; survives its copies with another CSeq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tries {
    /// The lifetime that is asked for.
    pub(super) expires: Duration,
    pub(super) form: Form,
    /// 401s answered.
    pub(super) server_challenges: u8,
    /// 407s answered.
    pub(super) proxy_challenges: u8,
    /// 423s obeyed.
    pub(super) too_brief: u8,
}

impl Tries {
    pub(super) const fn new(expires: Duration) -> Self {
        Self { expires, form: Form::Full, server_challenges: 0, proxy_challenges: 0, too_brief: 0 }
    }
}

/// One subscription of one agent.
#[derive(Debug)]
pub(super) struct Dialog {
    pub(super) uri: AgentUri,
    pub(super) attempt: Attempt,
    pub(super) state: DialogState,
    /// Whether the last document could be read.
    pub(super) document: Document,
    /// It outlived a connection, and no refresh was accepted since.
    pub(super) outlived: bool,
    /// It has stalled since the last NOTIFY: a second time it is not to be tried again.
    pub(super) has_stalled: bool,
    pub(super) call_id: Identifier,
    pub(super) local_tag: Identifier,
    /// The notifier's tag: from the first NOTIFY or 2xx, whichever comes first.
    pub(super) remote_tag: Option<Box<str>>,
    pub(super) local_cseq: u32,
    pub(super) remote_cseq: Option<u32>,
    /// The route set in the order of use, each value verbatim.
    pub(super) routes: Arc<[Box<str>]>,
    /// The notifier's Contact, verbatim.
    pub(super) remote_target: Option<Arc<str>>,
    pub(super) exchange: Option<Box<Exchange>>,
    /// Timer N: by when a NOTIFY must come.
    pub(super) notify_by: Option<Instant>,
    /// When the subscription runs out.
    pub(super) expires_at: Option<Instant>,
    /// The deadline that is armed for this dialog.
    pub(super) armed: Option<Instant>,
}

/// Whether the notifier's documents can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Document {
    /// As far as is known.
    Readable,
    /// The last was not; a refresh has been asked for.
    Unreadable,
}

impl Dialog {
    /// True while a SUBSCRIBE waits for its final answer.
    pub(super) fn awaits_answer(&self) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.transaction.awaits_answer())
    }

    /// The earliest moment at which something must be done. The expiry waits for an answer that is on its way.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let transaction = self.exchange.as_ref().and_then(|exchange| exchange.transaction.poll_timeout());
        let expiry = if self.awaits_answer() { None } else { self.expires_at };
        let closing = match self.state {
            DialogState::Closing { until } => Some(until),
            DialogState::Opening
            | DialogState::Accepted
            | DialogState::Live
            | DialogState::Doubtful
            | DialogState::Stalled
            | DialogState::Leaving => None,
        };
        [transaction, expiry, closing, self.notify_by].into_iter().flatten().min()
    }

    /// The Request-URI and the Route values of the next request.
    pub(super) fn way(&self) -> (String, Vec<String>) {
        way(self.remote_target.as_deref().unwrap_or_else(|| self.uri.as_str()), &self.routes)
    }
}

//! The registration of one endpoint at its pool (MS-SIPREGE).

mod answers;
mod config;
mod contact;
mod events;
mod requests;
mod state;
mod timeouts;
mod verdict;

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use presence_core::{EndedBy, Failure, FailureKind};

pub use config::{RegistrationConfig, RegistrationEffect};

use crate::auth::DigestClient;
use crate::flow::FlowId;
use crate::identity::{Entropy, Identifier};
use crate::transaction::ClientTransaction;
use requests::Identity;
use state::{Exchange, Repairs, State};

/// How many redirections are followed without a success in between; UCMA follows as many.
const REDIRECTIONS: u8 = 3;

/// Keeps one endpoint registered at its pool, so that the pool serves it presence and can reach it.
///
/// ```text
///                 register()              200                    refresh due, register()
///  Unregistered ------------> Registering ----> Registered ------------------------------> Refreshing
///    ^  ^  ^  ^                 |  | ^            |  ^   ^               200                 | | | ^
///    |  |  |  |  3xx, 4xx, 5xx, |  +-+ 401, 407,  |  |   +-----------------------------------+ | | | again after
///    |  |  |  |  timer F        |      420, 423   |  |                                         | | | 5, 10, 20.. s
///    |  |  |  +-----------------+                 |  |     no answer, 408, 480, 5xx            v | |
///    |  |  |                                      |  |                                     Waiting-+
///    |  |  +--- deregistered by an event ---------+--|----------------------------------------+ |
///    |  |                                            |                                        | |
///    |  +--- it expired: Failed; 3xx, 403, 404 ..: Redirected, Deregistered ------------------+-+
///    |                                               |
///    |  any answer, 4 T1             unregister()    |
///    +------------------ Unregistering <-------------+-- from Registering, Refreshing and Waiting too
/// ```
/// A lost connection leads to Unregistered from everywhere: the registration is bound to it.
///
/// Contract: after every call drain [`Registration::poll_effect`], then arm one timer for
/// [`Registration::poll_timeout`] and call [`Registration::handle_timeout`] when it has come; a call too many changes
/// nothing. Every [`Registration::register`] from Unregistered ends with one of `Registered`, `Failed`, `Overloaded`,
/// `Deregistered` and `Redirected`, unless [`Registration::unregister`] or [`Registration::connection_lost`] overtakes
/// it; every [`Registration::unregister`] with `Unregistered`. Failures before the pool has registered us are not
/// repeated here: whoever owns the endpoint knows when to try again. One Call-ID, one tag and a rising CSeq serve all
/// REGISTERs, over every connection (RFC 3261 section 10.2).
pub struct Registration {
    config: RegistrationConfig,
    entropy: Entropy,
    digest: Option<DigestClient>,
    identity: Identity,
    cseq: u32,
    /// Our tag in answers to events.
    answer_tag: Identifier,
    /// What is asked for; the pool may have asked for more by 423.
    expires: Duration,
    state: State,
    gruu: Option<String>,
    redirections: u8,
    /// The longest silence that was agreed on, less a margin.
    keep_alive: Option<Duration>,
    sent_at: Option<Instant>,
    /// The last event on UDP, so that a copy of it does nothing.
    last_event: Option<(Box<str>, u32)>,
    effects: VecDeque<RegistrationEffect>,
}

impl Registration {
    /// An endpoint that is not registered. `entropy` must be a CSPRNG: Call-IDs, tags and branches come from it.
    #[must_use]
    pub fn new(config: RegistrationConfig, mut entropy: Entropy) -> Self {
        let mut fresh = || Identifier::fresh(&mut entropy);
        let (call_id, tag, answer_tag) = (fresh(), fresh(), fresh());
        let mut opaque = [0; 8];
        entropy(&mut opaque);
        let opaque = u64::from_be_bytes(opaque) >> 24;
        Self {
            digest: config.credentials.clone().map(DigestClient::new),
            expires: config.expires,
            config,
            entropy,
            identity: Identity { call_id, tag, opaque },
            cseq: 0,
            answer_tag,
            state: State::Unregistered,
            gruu: None,
            redirections: 0,
            keep_alive: None,
            sent_at: None,
            last_event: None,
            effects: VecDeque::new(),
        }
    }

    /// Sets our Contact (a URI) and our address in the Via (`ip:port`) for all requests from now on: after a connection
    /// was made, when the local port is known.
    pub fn set_local(&mut self, contact: impl Into<String>, sent_by: impl Into<String>) {
        self.config.contact = contact.into();
        self.config.sent_by = sent_by.into();
    }

    /// Registers, or refreshes at once what is registered. While a REGISTER is on its way another call changes nothing;
    /// [`Registration::unregister`] is taken back.
    pub fn register(&mut self, now: Instant) {
        match self.state {
            State::Registering(_) | State::Refreshing { .. } => {}
            State::Registered { until, .. } => self.refresh(now, until, 0),
            State::Waiting { until, failures, .. } => self.refresh(now, until, failures),
            State::Unregistered | State::Unregistering { .. } => match self.send(now, self.expires, Repairs::default())
            {
                Ok(exchange) => self.enter(State::Registering(exchange), "asked for"),
                Err(failure) => self.fail(failure, "it cannot be written"),
            },
        }
    }

    /// Ends the registration; [`RegistrationEffect::Unregistered`] follows after 4 T1 (2 s) at the latest, at once where
    /// there is none.
    pub fn unregister(&mut self, now: Instant) {
        match self.state {
            State::Unregistering { .. } => {}
            State::Unregistered => self.effects.push_back(RegistrationEffect::Unregistered),
            State::Registering(_) | State::Registered { .. } | State::Refreshing { .. } | State::Waiting { .. } => {
                let until = now + self.config.timers.t1.saturating_mul(4);
                match self.send(now, Duration::ZERO, Repairs::default()) {
                    Ok(exchange) => self.enter(State::Unregistering { exchange, until }, "not wanted any more"),
                    Err(_) => self.unregistered("it cannot be written"),
                }
            }
        }
    }

    /// True while the pool has us registered, as far as we know: from the 200 to the end.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        matches!(self.state, State::Registered { .. } | State::Refreshing { .. } | State::Waiting { .. })
    }

    /// The URI by which the pool reaches this endpoint: the Contact of all that follows the registration. It outlives a
    /// lost connection, as it follows from the epid. `None` where the pool gave none.
    #[must_use]
    pub fn gruu(&self) -> Option<&str> {
        self.gruu.as_deref()
    }

    /// Something was sent on our connection: the keep-alive can wait. What goes out as an effect of this type counts by
    /// itself.
    pub const fn transmitted(&mut self, now: Instant) {
        self.sent_at = Some(now);
    }

    /// The connection is gone, and the registration with it. [`RegistrationEffect::Failed`] follows where an answer was
    /// awaited that would have made us registered, [`RegistrationEffect::Unregistered`] where we were going anyway.
    pub fn connection_lost(&mut self, now: Instant) {
        tracing::trace!(?now, "connection lost");
        if let Some(digest) = &mut self.digest {
            // The next connection may lead to another server, which has its own nonces.
            digest.forget();
        }
        match self.state {
            State::Unregistered => {}
            State::Unregistering { .. } => self.unregistered("connection lost"),
            State::Registering(_) | State::Refreshing { .. } => {
                let why = "the connection was lost";
                self.fail(Failure::new(FailureKind::Endpoint, EndedBy::Network, why), why);
            }
            State::Registered { .. } | State::Waiting { .. } => self.enter(State::Unregistered, "connection lost"),
        }
    }

    /// The next thing to do or to tell.
    pub fn poll_effect(&mut self) -> Option<RegistrationEffect> {
        self.effects.pop_front()
    }

    /// When [`Registration::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.state.deadline(), self.keep_alive_at()].into_iter().flatten().min()
    }

    /// Sends a REGISTER with the next CSeq.
    fn send(&mut self, now: Instant, expires: Duration, repairs: Repairs) -> Result<Exchange, Failure> {
        self.cseq += 1;
        let branch = Identifier::fresh(&mut self.entropy);
        let credentials = match &mut self.digest {
            Some(digest) => digest.authorize("REGISTER", &requests::domain(&self.config), &mut *self.entropy),
            None => Vec::new(),
        };
        let (config, identity) = (&self.config, self.identity);
        let bytes = requests::register(config, identity, self.cseq, branch, expires, repairs.plain, credentials)
            .to_bytes()
            .map_err(|error| Failure::new(FailureKind::Endpoint, EndedBy::Us, error.to_string()))?;
        let (timers, reliable) = (&config.timers, config.transport.reliable());
        let timeout = timers.request_timeout();
        let transaction = ClientTransaction::start(now, branch, "REGISTER", bytes.clone(), reliable, timers, timeout);
        self.transmit(now, FlowId::PRIMARY, bytes);
        Ok(Exchange { transaction, expires, repairs })
    }

    fn transmit(&mut self, now: Instant, flow: FlowId, bytes: bytes::Bytes) {
        if flow == FlowId::PRIMARY {
            self.sent_at = Some(now);
        }
        self.effects.push_back(RegistrationEffect::Transmit { flow, bytes });
    }

    /// We are not registered, and may be again.
    fn fail(&mut self, failure: Failure, why: &'static str) {
        self.enter(State::Unregistered, why);
        self.effects.push_back(RegistrationEffect::Failed(failure));
    }

    /// We are not registered, as it was wanted.
    fn unregistered(&mut self, why: &'static str) {
        self.enter(State::Unregistered, why);
        self.effects.push_back(RegistrationEffect::Unregistered);
    }

    fn enter(&mut self, next: State, why: &'static str) {
        let endpoint = &self.config.endpoint;
        tracing::trace!(%endpoint, from = self.state.name(), to = next.name(), why, "registration");
        if matches!(next, State::Unregistered) {
            self.keep_alive = None;
        }
        self.state = next;
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("endpoint", &self.config.endpoint)
            .field("state", &self.state.name())
            .field("gruu", &self.gruu)
            .finish_non_exhaustive()
    }
}

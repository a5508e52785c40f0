//! Subscriptions of one endpoint on the wire, in the dialect `simple` (RFC 6665, RFC 3856).

mod answers;
mod book;
mod config;
mod dialog;
mod effect;
mod notify;
mod probe;
mod query;
mod requests;
mod timeouts;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_core::{AgentUri, Attempt, EndedBy, Failure, FailureKind};

pub use config::SubscriberConfig;
pub use effect::{SubscriberEffect, SubscriberStats, WireEvent};

use crate::auth::DigestClient;
use crate::documents::DocumentLimits;
use crate::flow::FlowId;
use crate::identity::{Entropy, Identifier};
use crate::message::Message;
use crate::transaction::{AnsweredRequests, ClientTransaction};
use book::{Book, Key};
use dialog::{Dialog, DialogState, Document, Exchange, Purpose, Tries};
use probe::{Probe, Suspect};
use query::Queries;

/// Every dialog and every transaction of one local endpoint: it puts subscriptions on the wire and reads what comes.
///
/// ```text
///  subscribe, refresh, unsubscribe, probe --+         +--> Transmit
///                 receive(flow, message) ---+-> this -+--> Accepted, Notified, Failed, Stalled, Ended, WantsRefresh
///        transport_lost, handle_timeout ----+         +--> ProbeAnswered, ProbeFailed, Overloaded, Unsupported, Count
/// ```
/// The states of one dialog are drawn at its state type: opening, accepted, live, doubtful, stalled, leaving, closing.
///
/// Contract: after every call drain [`Subscriber::poll_effect`], then arm one timer for [`Subscriber::poll_timeout`]
/// and call [`Subscriber::handle_timeout`] when it has come; a call too many changes nothing. Whoever calls
/// [`Subscriber::subscribe`], [`Subscriber::refresh`], [`Subscriber::unsubscribe`] or [`Subscriber::query`] holds a token of the throttle;
/// repairs of such a request (a challenge, a longer lifetime, fewer headers) need none. Every attempt ends with one of
/// `Failed` and `Ended`, unless it is forgotten or another attempt takes its dialog over; `Failed` means that the dialog
/// is gone, except for [`FailureKind::Endpoint`], after which it may still be there and is refreshed by the next
/// `subscribe`. After `Stalled` it is there, until its expiry, and so the notifier never has two for one agent.
pub struct Subscriber {
    config: SubscriberConfig,
    limits: DocumentLimits,
    entropy: Entropy,
    digest: Option<DigestClient>,
    book: Book,
    answered: AnsweredRequests,
    /// Our tag in answers to requests outside of a dialog.
    tag: Identifier,
    probe: Option<Probe>,
    suspects: BTreeMap<AgentUri, Suspect>,
    queries: Queries,
    effects: VecDeque<SubscriberEffect>,
    subscribes: u64,
    notifies: u64,
    retransmissions: u64,
}

impl Subscriber {
    /// A subscriber without dialogs. `entropy` must be a CSPRNG: Call-IDs, tags and branches come from it.
    #[must_use]
    pub fn new(config: SubscriberConfig, mut entropy: Entropy) -> Self {
        let tag = Identifier::fresh(&mut entropy);
        Self {
            digest: config.credentials.clone().map(DigestClient::new),
            answered: AnsweredRequests::new(config.timers.answered_for()),
            config,
            limits: DocumentLimits::default(),
            entropy,
            book: Book::new(),
            tag,
            probe: None,
            suspects: BTreeMap::new(),
            queries: Queries::default(),
            effects: VecDeque::new(),
            subscribes: 0,
            notifies: 0,
            retransmissions: 0,
        }
    }

    /// Sets our Contact (a URI) and our address in the Via (`ip:port`) for all requests from now on: after a connection
    /// was made, when the local port is known.
    pub fn set_local(&mut self, contact: impl Into<String>, sent_by: impl Into<String>) {
        self.config.contact = contact.into();
        self.config.sent_by = sent_by.into();
    }

    /// What it was made with, and what [`Subscriber::set_local`] made of it.
    #[must_use]
    pub const fn config(&self) -> &SubscriberConfig {
        &self.config
    }

    /// Subscribes to an agent. A dialog that is still there is refreshed and serves the new attempt from now on;
    /// otherwise a new dialog begins, with a Call-ID and a tag that were never used.
    pub fn subscribe(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        if let Some(key) = self.book.by_uri(uri) {
            if let Some(dialog) = self.book.get_mut(key) {
                let expired = dialog.expires_at.is_some_and(|at| at <= now);
                if dialog.awaits_answer() {
                    dialog.attempt = attempt;
                    return;
                }
                if dialog.remote_tag.is_some() && !expired {
                    dialog.attempt = attempt;
                    self.send(now, key, Purpose::Refresh, Tries::new(self.config.expires));
                    return;
                }
            }
            self.book.remove(key);
        }
        let dialog = Dialog {
            uri: uri.clone(),
            attempt,
            state: DialogState::Opening,
            document: Document::Readable,
            outlived: false,
            has_stalled: false,
            call_id: Identifier::fresh(&mut self.entropy),
            local_tag: Identifier::fresh(&mut self.entropy),
            remote_tag: None,
            local_cseq: 0,
            remote_cseq: None,
            routes: self.book.share([].into_iter()),
            remote_target: None,
            exchange: None,
            notify_by: None,
            expires_at: None,
            armed: None,
        };
        let key = self.book.insert(dialog);
        self.send(now, key, Purpose::Open, Tries::new(self.config.expires));
    }

    /// Refreshes the dialog of this attempt. Where there is none, the attempt fails with [`FailureKind::Dialog`].
    pub fn refresh(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        let found = self.book.by_uri(uri).and_then(|key| self.book.get(key).map(|dialog| (key, dialog)));
        match found {
            // What is on its way will tell.
            Some((_, dialog)) if dialog.attempt == attempt && dialog.awaits_answer() => {}
            // And so will the pool, which is asked whose fault the silence was.
            None if self.suspects.get(uri).is_some_and(|suspect| suspect.attempt == attempt) => {}
            Some((key, dialog)) if dialog.attempt == attempt && dialog.remote_tag.is_some() => {
                self.send(now, key, Purpose::Refresh, Tries::new(self.config.expires));
            }
            // Accepted by a notifier without a tag: nothing can be said in such a dialog, and it ends here.
            Some((key, dialog)) if dialog.attempt == attempt => {
                self.fail(key, Failure::new(FailureKind::Dialog, EndedBy::Us, "there is no dialog to refresh"));
            }
            Some(_) | None => {
                let failure = Failure::new(FailureKind::Dialog, EndedBy::Us, "there is no dialog to refresh");
                self.effects.push_back(SubscriberEffect::Failed { uri: uri.clone(), attempt, failure });
            }
        }
    }

    /// Ends the dialog of this attempt; [`SubscriberEffect::Ended`] follows after 10 s at the latest (42 s where the
    /// pool has not yet said anything to the SUBSCRIBE), at once where there is no such dialog.
    pub fn unsubscribe(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        let found = self.book.by_uri(uri).and_then(|key| self.book.get(key).map(|dialog| (key, dialog)));
        match found {
            Some((key, dialog)) if dialog.attempt == attempt => {
                let (named, waits) = (dialog.remote_tag.is_some(), dialog.awaits_answer());
                self.book.retire(key);
                match (named, waits) {
                    (true, _) => self.close(now, key, "not wanted any more"),
                    (false, true) => {
                        self.book.enter(key, DialogState::Leaving, "not wanted any more");
                        self.book.rearm(key);
                    }
                    // Accepted by a notifier without a tag: nothing can be said in such a dialog.
                    (false, false) => self.end(key),
                }
            }
            Some(_) | None => {
                if self.suspects.get(uri).is_some_and(|suspect| suspect.attempt == attempt) {
                    self.suspects.remove(uri);
                }
                self.effects.push_back(SubscriberEffect::Ended { uri: uri.clone(), attempt });
            }
        }
    }

    /// The endpoint goes. In this dialect every dialog is ended by itself, with a token, before: there is nothing left to
    /// do here, and [`SubscriberEffect::Left`] follows at once.
    pub fn leave(&mut self, _now: Instant) {
        self.effects.push_back(SubscriberEffect::Left);
    }

    /// Drops the dialog of an agent without a word to anybody: the other endpoint serves it now. A NOTIFY of it is
    /// answered 481, which ends it at the notifier.
    pub fn forget(&mut self, uri: &AgentUri) {
        self.suspects.remove(uri);
        if let Some(key) = self.book.by_uri(uri) {
            self.book.remove(key);
        }
    }

    /// The connection is gone: what was on its way fails with [`FailureKind::Endpoint`], and the dialogs are doubtful
    /// until the pool has spoken of them again.
    pub fn transport_lost(&mut self, now: Instant) {
        tracing::trace!(?now, dialogs = self.book.len(), "transport lost");
        let failure = || Failure::new(FailureKind::Endpoint, EndedBy::Network, "the connection was lost");
        for key in self.book.keys() {
            let Some(dialog) = self.book.get_mut(key) else { continue };
            let waited = dialog.awaits_answer();
            dialog.exchange = None;
            dialog.notify_by = None;
            let (uri, attempt) = (dialog.uri.clone(), dialog.attempt);
            match dialog.state {
                DialogState::Opening => {
                    self.book.remove(key);
                    self.effects.push_back(SubscriberEffect::Failed { uri, attempt, failure: failure() });
                }
                DialogState::Leaving | DialogState::Closing { .. } => self.end(key),
                DialogState::Accepted | DialogState::Live | DialogState::Doubtful | DialogState::Stalled => {
                    // A notifier that crashed and kept its dialogs may know an older number than its last one: seen at
                    // Kamailio, whose first NOTIFY after kill -9 repeats it with news. What comes first now counts.
                    dialog.remote_cseq = None;
                    dialog.outlived = true;
                    self.book.enter(key, DialogState::Doubtful, "transport lost");
                    self.book.rearm(key);
                    if waited {
                        self.effects.push_back(SubscriberEffect::Failed { uri, attempt, failure: failure() });
                    }
                }
            }
        }
        self.queries_lost();
        self.probe_lost(failure());
    }

    /// One message of the pool. The flow is that on which it came, and on which an answer goes back.
    pub fn receive(&mut self, now: Instant, flow: FlowId, message: Message) {
        match message.check() {
            Ok(()) if message.method().is_some() => self.request(now, flow, &message),
            Ok(()) => self.answer(now, &message),
            Err(refusal) => self.malformed(now, flow, &message, refusal),
        }
    }

    /// The next thing to do or to tell.
    pub fn poll_effect(&mut self) -> Option<SubscriberEffect> {
        self.effects.pop_front()
    }

    /// When [`Subscriber::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let probe = self.probe.as_ref().and_then(Probe::poll_timeout);
        let own = [self.book.poll_timeout(), self.answered.poll_timeout(), self.queries.poll_timeout(), probe];
        own.into_iter().flatten().min()
    }

    /// How much it holds and has done.
    #[must_use]
    pub fn stats(&self) -> SubscriberStats {
        SubscriberStats {
            dialogs: self.book.len(),
            live: self.book.live(),
            remembered: self.answered.len(),
            subscribes: self.subscribes,
            notifies: self.notifies,
            retransmissions: self.retransmissions,
        }
    }

    /// Sends a SUBSCRIBE of a dialog and waits for its answer; timer N begins, unless the dialog is to end.
    fn send(&mut self, now: Instant, key: Key, purpose: Purpose, tries: Tries) {
        if self.book.get(key).is_some_and(|dialog| dialog.state == DialogState::Stalled) {
            // The server has accepted it, and its NOTIFY is awaited again.
            self.book.enter(key, DialogState::Accepted, "asked to speak");
        }
        let Some(dialog) = self.book.get_mut(key) else { return };
        dialog.local_cseq += 1;
        let branch = Identifier::fresh(&mut self.entropy);
        let way = dialog.way();
        let credentials = match &mut self.digest {
            Some(digest) => digest.authorize("SUBSCRIBE", &way.0, &mut *self.entropy),
            None => Vec::new(),
        };
        let carried: Box<str> = credentials.iter().map(|(_, value)| value.as_str()).collect::<String>().into();
        let expires = if purpose == Purpose::Close { Duration::ZERO } else { tries.expires };
        let request = requests::subscribe(&self.config, dialog, way, branch, expires, tries.form, credentials);
        let bytes = match request.to_bytes() {
            Ok(bytes) => bytes,
            Err(error) => {
                let failure = Failure::new(FailureKind::Transient, EndedBy::Us, error.to_string());
                return self.fail(key, failure);
            }
        };
        let timers = &self.config.timers;
        let reliable = self.config.transport.reliable();
        let timeout = timers.request_timeout();
        let transaction = ClientTransaction::start(now, branch, "SUBSCRIBE", bytes.clone(), reliable, timers, timeout);
        dialog.exchange = Some(Box::new(Exchange { purpose, transaction, tries, credentials: carried }));
        dialog.notify_by = (purpose != Purpose::Close).then(|| now + timers.notify_timeout());
        self.book.rearm(key);
        self.subscribes += 1;
        self.effects.push_back(SubscriberEffect::Transmit { flow: FlowId::PRIMARY, bytes });
    }

    /// Sends the SUBSCRIBE that ends a dialog.
    fn close(&mut self, now: Instant, key: Key, why: &'static str) {
        if let Some(dialog) = self.book.get_mut(key) {
            dialog.expires_at = None;
        }
        self.book.enter(key, DialogState::Closing { until: now + self.config.timers.farewell() }, why);
        self.send(now, key, Purpose::Close, Tries::new(self.config.expires));
    }

    /// A dialog that we did not want any more is over.
    fn end(&mut self, key: Key) {
        if let Some(dialog) = self.book.remove(key) {
            self.effects.push_back(SubscriberEffect::Ended { uri: dialog.uri.clone(), attempt: dialog.attempt });
        }
    }

    /// A dialog is over: a failure of its attempt, or what we wanted.
    fn fail(&mut self, key: Key, failure: Failure) {
        let Some(dialog) = self.book.remove(key) else { return };
        let (uri, attempt) = (dialog.uri.clone(), dialog.attempt);
        self.effects.push_back(match dialog.state {
            // Of a stalled one it was told before that it failed.
            DialogState::Leaving | DialogState::Closing { .. } | DialogState::Stalled => {
                SubscriberEffect::Ended { uri, attempt }
            }
            DialogState::Opening | DialogState::Accepted | DialogState::Live | DialogState::Doubtful => {
                SubscriberEffect::Failed { uri, attempt, failure }
            }
        });
    }

    /// A dialog has failed that the notifier still has: it waits for the next attempt, or for its end.
    fn stall(&mut self, now: Instant, key: Key, failure: Failure) {
        let longest = now + self.config.expires;
        let Some(dialog) = self.book.get_mut(key).filter(|dialog| dialog.remote_tag.is_some()) else {
            // Nothing can be said in a dialog without the notifier's tag.
            return self.fail(key, failure);
        };
        dialog.notify_by = None;
        dialog.expires_at.get_or_insert(longest);
        let again = std::mem::replace(&mut dialog.has_stalled, true);
        let (uri, attempt) = (dialog.uri.clone(), dialog.attempt);
        self.book.enter(key, DialogState::Stalled, "failed, and the notifier has it");
        self.effects.push_back(SubscriberEffect::Stalled { uri, attempt, failure, again });
    }

    fn routes<'a>(&mut self, routes: impl DoubleEndedIterator<Item = &'a str> + Clone) -> Arc<[Box<str>]> {
        self.book.share(routes)
    }
}

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriber").field("config", &self.config).field("stats", &self.stats()).finish_non_exhaustive()
    }
}

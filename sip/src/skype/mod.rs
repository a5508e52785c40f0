//! Subscriptions of one endpoint at a Skype for Business pool: registration, batches, single dialogs, polls.

mod answers;
mod batch;
mod body;
mod config;
mod culprits;
mod dialog;
mod documents;
mod failing;
mod farewell;
mod gather;
mod home;
mod member;
mod notify;
mod orphans;
mod polling;
mod query;
mod refusals;
mod registered;
mod requests;
mod sending;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use presence_core::{AgentUri, Attempt, EndedBy, Failure, FailureKind, Scheme};

pub use config::{Gather, SkypeConfig};

use crate::auth::DigestClient;
use crate::dialect::Dialect;
use crate::flow::FlowId;
use crate::identity::{Entropy, Identifier};
use crate::message::Message;
use crate::registration::{Registration, RegistrationConfig};
use crate::subscriber::{SubscriberEffect, SubscriberStats};
use crate::transaction::ClientTransaction;
use batch::Batch;
use body::BodyLimits;
use dialog::{DialogKey, Dialogs, Entry};
use member::{Errand, Hold, MemberKey, Members, Wish};
use orphans::{Departure, Server};
use query::Queries;

/// Room for more effects than this is given back when they are done.
const EFFECTS_KEPT: usize = 1024;

/// Everything that one local endpoint does at its pool: it registers, holds one dialog with each pool that takes its
/// agents in batches and one for each agent that does not fit into a batch, and keeps all of them alive.
///
/// ```text
///                       subscribe, refresh, unsubscribe (a token each)
///                                        |
///                                        v
///   Registration       queues: home | pool A | pool B | single | polls       what falls due: watchdog, refresh,
///        |                               |                                   polls, transactions
///        | registered                    | every 1.010 s at most the rate, at most 500 in a message,
///        v                               v one message at a time in a dialog
///   orphans are ended    home dialog, pool dialogs, single dialogs, questions ---> Joined, Notified, WantsRefresh,
///   ProbeAnswered               ^                                                  Failed, Ended, PresenceUnavailable
///                               | 200 with a first notification, NOTIFY, BENOTIFY
/// ```
/// The states of an agent are drawn at its type, those of a dialog at its phases.
///
/// The contract is that of [`Dialect`]. Every attempt ends with exactly one of `Failed` and `Ended`, unless another
/// attempt takes it over.
pub struct SkypeSubscriber {
    config: SkypeConfig,
    limits: BodyLimits,
    entropy: Entropy,
    digest: Option<DigestClient>,
    registration: Registration,
    /// Our tag in answers to requests outside of a dialog.
    tag: Identifier,
    members: Members,
    dialogs: Dialogs,
    /// What our own server has given as its name last: a URI.
    home: Option<Box<str>>,
    /// The home server's batch and those of other pools.
    batches: Vec<Batch>,
    /// Who waits for a dialog of its own.
    singles: BTreeMap<i64, MemberKey>,
    /// The next place at the end of every queue, and the last given at the head.
    queued: i64,
    requeued: i64,
    /// What is before this place has seen a moment of gathering.
    released: i64,
    flush_at: Option<Instant>,
    /// What is to be sent again in other words in a dialog of one agent, when there is room.
    reworded: VecDeque<(DialogKey, Vec<Entry>)>,
    /// What the end of every queue was at each of the last moments.
    moments: VecDeque<(i64, Instant)>,
    /// Who is polled, by when.
    polls: BTreeSet<(Instant, MemberKey)>,
    /// Who is asked for once.
    queries: Queries,
    /// Dialogs of a connection or registration that is gone, and who was in them.
    orphans: Vec<DialogKey>,
    orphaned: BTreeMap<AgentUri, Attempt>,
    /// The orphans of one agent each, which are ended at the pace of the gathering.
    farewells: BTreeMap<AgentUri, DialogKey>,
    waits_for_orphans: bool,
    /// The pool asked to be left alone.
    paused_until: Option<Instant>,
    /// Presence was said to be away, and nothing was heard since.
    presence_away: bool,
    /// The pool has said that its presence service is away, and not that it is back.
    services_away: bool,
    /// When the registration was last renewed because it was in doubt.
    renewed_at: Option<Instant>,
    /// An OPTIONS on its way.
    options: Option<ClientTransaction>,
    /// A question about the pool is open.
    probing: bool,
    departure: Option<Departure>,
    unregistered: bool,
    /// The number of the last action in a message.
    actions: u32,
    effects: VecDeque<SubscriberEffect>,
    subscribes: u64,
    notifies: u64,
    retransmissions: u64,
}

impl SkypeSubscriber {
    /// An endpoint that is not registered and has no dialogs. `entropy` must be a CSPRNG: Call-IDs, tags and branches
    /// come from it.
    #[must_use]
    pub fn new(config: SkypeConfig, entropy: Entropy) -> Self {
        // The registration is a machine of its own, and both draw from the one source.
        let source = Arc::new(Mutex::new(entropy));
        let draw = |source: Arc<Mutex<Entropy>>| -> Entropy {
            Box::new(move |bytes| (source.lock().unwrap_or_else(PoisonError::into_inner))(bytes))
        };
        let mut entropy = draw(Arc::clone(&source));
        let registration = RegistrationConfig {
            transport: config.transport,
            credentials: config.credentials.clone(),
            user_agent: config.user_agent.clone(),
            timers: config.timers,
            ..RegistrationConfig::new(
                config.endpoint.clone(),
                config.epid.clone(),
                config.contact.clone(),
                config.sent_by.clone(),
            )
        };
        Self {
            limits: BodyLimits::default(),
            digest: config.credentials.clone().map(DigestClient::new),
            registration: Registration::new(registration, draw(source)),
            tag: Identifier::fresh(&mut entropy),
            members: Members::default(),
            dialogs: Dialogs::new(),
            home: None,
            batches: vec![Batch::new(None, config.chunk)],
            singles: BTreeMap::new(),
            queued: 0,
            requeued: 0,
            released: 0,
            flush_at: None,
            reworded: VecDeque::new(),
            moments: VecDeque::new(),
            polls: BTreeSet::new(),
            queries: Queries::default(),
            orphans: Vec::new(),
            orphaned: BTreeMap::new(),
            farewells: BTreeMap::new(),
            waits_for_orphans: false,
            paused_until: None,
            presence_away: false,
            services_away: false,
            renewed_at: None,
            options: None,
            probing: false,
            departure: None,
            unregistered: false,
            actions: 0,
            effects: VecDeque::new(),
            subscribes: 0,
            notifies: 0,
            retransmissions: 0,
            entropy,
            config,
        }
    }

    /// What it was made with, and what [`Dialect::set_local`] made of it.
    #[must_use]
    pub const fn config(&self) -> &SkypeConfig {
        &self.config
    }

    /// Somebody has been told that this attempt is over.
    fn forget_orphaned(&mut self, uri: &AgentUri, attempt: Attempt) {
        if self.orphaned.get(uri) == Some(&attempt) {
            self.orphaned.remove(uri);
        }
    }

    fn member(&mut self, uri: &AgentUri, attempt: Attempt) -> Option<MemberKey> {
        self.members
            .find(uri)
            .filter(|key| self.members.get(*key).is_some_and(|member| member.attempt == attempt && !member.settled))
    }
}

impl Dialect for SkypeSubscriber {
    fn set_local(&mut self, contact: String, sent_by: String) {
        self.registration.set_local(contact.clone(), sent_by.clone());
        self.config.contact = contact;
        self.config.sent_by = sent_by;
    }

    fn probe(&mut self, now: Instant) {
        self.ask_pool(now);
    }

    fn subscribe(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        if uri.scheme() == Scheme::Tel {
            // One such URI spoils the list for all the others.
            let why = "a pool has no presence for a telephone number; PstnPresenceSource serves those in E.164 form";
            let failure = Failure::new(FailureKind::Forbidden, EndedBy::Us, why);
            return self.effects.push_back(SubscriberEffect::Failed { uri: uri.clone(), attempt, failure });
        }
        if let Some(old) = self.orphaned.remove(uri) {
            self.effects.push_back(SubscriberEffect::Ended { uri: uri.clone(), attempt: old });
        }
        if self.departure.is_some() {
            let failure = Failure::new(FailureKind::Endpoint, EndedBy::Us, "the endpoint is going");
            return self.effects.push_back(SubscriberEffect::Failed { uri: uri.clone(), attempt, failure });
        }
        let Some(key) = self.members.find(uri) else {
            let key = self.members.insert(uri.clone(), attempt);
            return self.enqueue(now, key);
        };
        let Some(member) = self.members.get_mut(key) else { return };
        let settled = std::mem::take(&mut member.settled);
        if std::mem::replace(&mut member.wish, Wish::Keep) == Wish::Drop && !settled {
            let ended = SubscriberEffect::Ended { uri: uri.clone(), attempt: member.attempt };
            self.effects.push_back(ended);
        }
        member.attempt = attempt;
        (member.refresh_wanted, member.refreshing) = (false, false);
        if member.errand == Errand::None {
            self.again_polled(key);
            self.enqueue(now, key);
        }
    }

    fn refresh(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        let Some(key) = self.member(uri, attempt) else {
            self.forget_orphaned(uri, attempt);
            let failure = Failure::new(FailureKind::Dialog, EndedBy::Us, "there is nothing to refresh");
            return self.effects.push_back(SubscriberEffect::Failed { uri: uri.clone(), attempt, failure });
        };
        let Some(member) = self.members.get_mut(key) else { return };
        (member.refresh_wanted, member.refreshing) = (false, true);
        if member.errand == Errand::None {
            self.again_polled(key);
            self.enqueue(now, key);
        }
    }

    fn unsubscribe(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        let Some(key) = self.member(uri, attempt) else {
            self.forget_orphaned(uri, attempt);
            return self.effects.push_back(SubscriberEffect::Ended { uri: uri.clone(), attempt });
        };
        let Some(member) = self.members.get_mut(key) else { return };
        let held = matches!(member.hold, Hold::In(_));
        let before = std::mem::replace(&mut member.wish, Wish::Drop);
        match member.errand {
            _ if before == Wish::Drop => {}
            Errand::None if held => self.enqueue(now, key),
            Errand::None => self.end(key),
            Errand::Waiting(..) | Errand::Repairing if held => {}
            Errand::Waiting(..) | Errand::Repairing => self.end(key),
            // The answer decides what there is to end.
            Errand::Asked(_) => {}
        }
    }

    fn query(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        self.ask_once(now, uri, attempt);
    }

    fn leave(&mut self, now: Instant) {
        self.depart(now);
    }

    fn transport_lost(&mut self, now: Instant) {
        tracing::trace!(?now, dialogs = self.dialogs.len(), "transport lost");
        let failure = Self::connection_lost();
        self.abandon(now, Server::Remembers, &failure);
        let was_probing = std::mem::take(&mut self.probing);
        self.options = None;
        self.registration.connection_lost(now);
        // Whatever the registration makes of it is known already.
        while self.registration.poll_effect().is_some() {}
        if let Some(digest) = &mut self.digest {
            digest.forget();
        }
        if self.departure.is_some() {
            return self.left();
        }
        if was_probing {
            self.probe_failed(failure);
        }
    }

    fn receive(&mut self, now: Instant, flow: FlowId, message: Message) {
        match message.check() {
            Err(refusal) => self.malformed(now, flow, &message, refusal),
            Ok(()) if message.method().is_some() => {
                if self.registration.receive_event(now, flow, &message) {
                    self.drain_registration(now);
                } else {
                    self.request(now, flow, &message);
                }
            }
            Ok(()) => {
                if self.registration.receive_response(now, &message) {
                    self.drain_registration(now);
                } else if !self.options_answer(now, &message) && !self.query_answer(now, &message) {
                    self.answer(now, &message);
                }
            }
        }
        self.proceed(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.registration.handle_timeout(now);
        self.drain_registration(now);
        self.options_due(now);
        while let Some(key) = self.dialogs.pop_due(now) {
            self.dialog_due(now, key);
            self.dialogs.rearm(key);
        }
        self.polls_due(now);
        self.queries_due(now);
        self.flush_due(now);
        self.proceed(now);
    }

    fn poll_effect(&mut self) -> Option<SubscriberEffect> {
        let effect = self.effects.pop_front();
        if effect.is_none() && self.effects.capacity() > EFFECTS_KEPT {
            self.effects = VecDeque::new();
        }
        effect
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let options = self.options.as_ref().and_then(ClientTransaction::poll_timeout);
        let polls = self.polls.first().map(|(at, _)| *at);
        let own = [self.dialogs.poll_timeout(), self.registration.poll_timeout(), options, polls];
        own.into_iter().chain([self.flush_at, self.departure_at(), self.queries.poll_timeout()]).flatten().min()
    }

    fn stats(&self) -> SubscriberStats {
        SubscriberStats {
            dialogs: self.dialogs.len(),
            live: self.dialogs.live(),
            remembered: 0,
            subscribes: self.subscribes,
            notifies: self.notifies,
            retransmissions: self.retransmissions,
        }
    }
}

impl std::fmt::Debug for SkypeSubscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SkypeSubscriber")
            .field("config", &self.config)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

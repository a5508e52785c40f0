//! The dialogs of one endpoint: what must be remembered of each and what it waits for.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::member::{BatchId, MemberKey, Wish};
use crate::identity::Identifier;
use crate::message::{Message, NameAddr, is_request_uri};
use crate::peer::way;
use crate::timers::Deadlines;
use crate::transaction::ClientTransaction;

/// The name of a dialog; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DialogKey(u64);

/// How long before its end a dialog is refreshed, as UCMA does; half of a lifetime that is shorter than twice this.
const REFRESH_MARGIN: Duration = Duration::from_secs(15 * 60);

/// An expiry that is this much later than the one before is another one, and not the same rounded otherwise.
const LATER: Duration = Duration::from_secs(2);

/// The longest lifetime that is believed.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a dialog is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The one dialog with the server of this batch.
    Batch(BatchId),
    /// One question to the server of this batch, without a subscription.
    Poll(BatchId),
    /// The subscription of one agent.
    Single(MemberKey),
}

/// The states of a dialog.
///
/// ```text
///           first SUBSCRIBE              2xx or notification
///   (none) ----------------> Opening ------------------------> Live ----+ connection lost,
///                              |                                |       | registration ended
///                              | refusal, no answer             |       v
///                              v                                |    Orphaned
///                            (none)            Expires: 0       v       | registered again: Expires: 0
///      481, terminated, expired: (none) <---- Live        Closing <-----+
///                                     Refused <----refusal--+
///                                        |  again after 2, 4, .. 64 s ^
///                                        +---------------------------+
///                                                           | terminated, 2xx, 481, 20 T1
///                                                           v
///                                                        (none)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A SUBSCRIBE was sent, and nothing is known of an answer.
    Opening,
    /// The server has it.
    Live,
    /// The server may still have it, and nobody wants it.
    Orphaned,
    /// It was ended by us; its last notification is awaited.
    Closing {
        /// When waiting ends.
        until: Instant,
    },
    /// The server does not let it go.
    Refused {
        /// When it is to be ended again.
        again_at: Instant,
    },
}

/// One agent in a message, with what the message says about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) key: MemberKey,
    pub(super) asked: Wish,
}

/// How a SUBSCRIBE is worded, after what servers have refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wording {
    /// Without the extensions that can be done without, after a 406, 420 or 421.
    pub(super) plain: bool,
    /// The lifetime that a 423 asked for; the server chooses otherwise.
    pub(super) expires: Option<Duration>,
}

/// A SUBSCRIBE on its way.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) transaction: ClientTransaction,
    /// The agents in it; empty for an end.
    pub(super) entries: Vec<Entry>,
    /// Whether it ends the dialog.
    pub(super) closes: bool,
    /// Challenges answered.
    pub(super) challenges: u8,
}

/// One dialog.
#[derive(Debug)]
pub(super) struct Dialog {
    pub(super) kind: Kind,
    /// The Request-URI and To of the first request.
    pub(super) target: Box<str>,
    pub(super) phase: Phase,
    pub(super) wording: Wording,
    pub(super) call_id: Identifier,
    pub(super) local_tag: Identifier,
    pub(super) remote_tag: Option<Box<str>>,
    pub(super) local_cseq: u32,
    pub(super) remote_cseq: Option<u32>,
    /// The route set in the order of use, each value verbatim.
    pub(super) routes: Vec<Box<str>>,
    /// The server's Contact, verbatim.
    pub(super) remote_target: Option<Box<str>>,
    pub(super) exchange: Option<Box<Exchange>>,
    /// How often the server has refused to end it.
    pub(super) refusals: u8,
    /// To be ended as soon as what is on its way was answered.
    pub(super) unwanted: bool,
    /// What the server granted last.
    lifetime: Duration,
    /// When the subscription runs out: the watchdog.
    pub(super) expires_at: Option<Instant>,
    /// When all members are to be asked for again; `None` while that is going on.
    pub(super) refresh_at: Option<Instant>,
    armed: Option<Instant>,
}

impl Dialog {
    pub(super) const fn new(
        kind: Kind,
        target: Box<str>,
        wording: Wording,
        call_id: Identifier,
        tag: Identifier,
    ) -> Self {
        Self {
            kind,
            target,
            phase: Phase::Opening,
            wording,
            call_id,
            local_tag: tag,
            remote_tag: None,
            local_cseq: 0,
            remote_cseq: None,
            routes: Vec::new(),
            remote_target: None,
            exchange: None,
            refusals: 0,
            unwanted: false,
            lifetime: Duration::ZERO,
            expires_at: None,
            refresh_at: None,
            armed: None,
        }
    }

    /// True while a SUBSCRIBE waits for its final answer.
    pub(super) fn awaits_answer(&self) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.transaction.awaits_answer())
    }

    /// The server says how long the subscription lasts from now: the answer to a SUBSCRIBE, which grants it anew, or a
    /// notification, which tells what is left of it.
    pub(super) fn lasts(&mut self, now: Instant, expires: Duration, granted: bool) {
        let expires = expires.min(LONGEST);
        if granted || expires > self.lifetime {
            self.lifetime = expires;
        }
        let end = now + expires;
        let before = self.expires_at.replace(end);
        let going_on = before.is_some() && self.refresh_at.is_none();
        // While a pass goes on, what counts down begins no other.
        if going_on && !granted && before.is_some_and(|before| end <= before + LATER) {
            return;
        }
        let margin = REFRESH_MARGIN.min(self.lifetime / 2);
        self.refresh_at = Some(end.checked_sub(margin).map_or(now, |at| at.max(now)));
    }

    /// What a message of the server says about the dialog itself. The first one makes it.
    pub(super) fn learn(&mut self, message: &Message) {
        let answer = message.status().is_some();
        if self.remote_tag.is_none() {
            let theirs = if answer { message.to() } else { message.from() };
            self.remote_tag = theirs.and_then(|address| address.tag()).map(Box::from);
            // A route that leads nowhere cannot be gone.
            let fit = |value: &&str| NameAddr::parse(value).is_some_and(|route| is_request_uri(route.uri));
            self.routes = message.values("Record-Route").filter(fit).map(Box::from).collect();
            if answer {
                self.routes.reverse();
            }
        }
        if let Some(contact) = message.contact()
            && self.remote_target.as_deref() != Some(contact.uri)
            && is_request_uri(contact.uri)
        {
            self.remote_target = Some(contact.uri.into());
        }
    }

    /// The Request-URI and the Route values of the next request.
    pub(super) fn way(&self) -> (String, Vec<String>) {
        way(self.remote_target.as_deref().unwrap_or(&self.target), &self.routes)
    }

    /// The earliest moment at which something must be done. The expiry waits for an answer that is on its way.
    fn next_deadline(&self) -> Option<Instant> {
        let transaction = self.exchange.as_ref().and_then(|exchange| exchange.transaction.poll_timeout());
        let (expiry, refresh) = match self.phase {
            Phase::Closing { until } => (Some(until), None),
            Phase::Refused { again_at } => (Some(again_at), None),
            Phase::Opening | Phase::Live if self.awaits_answer() => (None, self.refresh_at),
            Phase::Opening | Phase::Live => (self.expires_at, self.refresh_at),
            Phase::Orphaned => (self.expires_at, None),
        };
        [transaction, expiry, refresh].into_iter().flatten().min()
    }
}

/// The dialogs, found by Call-ID and by what falls due.
#[derive(Debug)]
pub(super) struct Dialogs {
    by_key: BTreeMap<DialogKey, Box<Dialog>>,
    by_call: HashMap<Identifier, DialogKey>,
    deadlines: Deadlines<DialogKey>,
    used: u64,
    live: usize,
}

impl Dialogs {
    pub(super) fn new() -> Self {
        let (by_key, by_call) = (BTreeMap::new(), HashMap::new());
        Self { by_key, by_call, deadlines: Deadlines::new(), used: 0, live: 0 }
    }

    pub(super) fn insert(&mut self, dialog: Dialog) -> DialogKey {
        let key = DialogKey(self.used);
        self.used += 1;
        self.by_call.insert(dialog.call_id, key);
        self.by_key.insert(key, Box::new(dialog));
        key
    }

    pub(super) fn remove(&mut self, key: DialogKey) -> Option<Box<Dialog>> {
        let mut dialog = self.by_key.remove(&key)?;
        self.deadlines.rearm(key, &mut dialog.armed, None);
        self.by_call.remove(&dialog.call_id);
        self.live -= usize::from(dialog.phase == Phase::Live);
        Some(dialog)
    }

    pub(super) fn get(&self, key: DialogKey) -> Option<&Dialog> {
        self.by_key.get(&key).map(|dialog| &**dialog)
    }

    pub(super) fn get_mut(&mut self, key: DialogKey) -> Option<&mut Dialog> {
        self.by_key.get_mut(&key).map(|dialog| &mut **dialog)
    }

    pub(super) fn by_call(&self, call_id: &str) -> Option<DialogKey> {
        self.by_call.get(&Identifier::read(call_id)?).copied()
    }

    /// The only way from one phase to another.
    pub(super) fn enter(&mut self, key: DialogKey, next: Phase, why: &'static str) {
        let Some(dialog) = self.by_key.get_mut(&key) else { return };
        let before = std::mem::replace(&mut dialog.phase, next);
        if before != next {
            tracing::trace!(call_id = %dialog.call_id, kind = ?dialog.kind, from = ?before, to = ?next, why, "dialog");
        }
        self.live += usize::from(next == Phase::Live);
        self.live -= usize::from(before == Phase::Live);
    }

    /// Arms the earliest deadline of a dialog. To be called after everything that may move one.
    pub(super) fn rearm(&mut self, key: DialogKey) {
        if let Some(dialog) = self.by_key.get_mut(&key) {
            let next = dialog.next_deadline();
            self.deadlines.rearm(key, &mut dialog.armed, next);
        }
    }

    /// One dialog with a deadline that has come.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<DialogKey> {
        let key = self.deadlines.pop_due(now)?;
        if let Some(dialog) = self.get_mut(key) {
            dialog.armed = None;
        }
        Some(key)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// All, in a fixed order. For what happens to all at once, never per message.
    pub(super) fn keys(&self) -> Vec<DialogKey> {
        self.by_key.keys().copied().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) const fn live(&self) -> usize {
        self.live
    }
}

//! SUBSCRIBEs that were refused or not answered (facts, table E).

use std::time::{Duration, Instant};

use presence_core::{EndedBy, Failure, FailureKind};

use super::SkypeSubscriber;
use super::batch::Repair;
use super::dialog::{DialogKey, Entry, Kind, Phase};
use super::member::{BatchId, Errand, HOME, Hold, MemberKey, Wish};
use crate::classify::classify;
use crate::message::Message;
use crate::subscriber::SubscriberEffect;

/// How often one SUBSCRIBE answers challenges: the first, and those that say `stale`.
const CHALLENGE_LIMIT: u8 = 3;

/// The diagnoses of a body that is not what it should be (MS-OCER 8): our own bodies are good, so that a URI is to blame.
const SPOILT: [u32; 2] = [4001, 4002];

/// Beyond a day it is not a lifetime but a mistake.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Whom a failure of the own server's costs nothing.
pub(super) fn endpoint(failure: &Failure) -> Failure {
    Failure { kind: FailureKind::Endpoint, ..failure.clone() }
}

impl SkypeSubscriber {
    pub(super) fn refused(
        &mut self,
        now: Instant,
        key: DialogKey,
        response: &Message,
        entries: Vec<Entry>,
        challenges: u8,
    ) {
        let Some(status) = response.status() else { return };
        if matches!(status, 401 | 407) && self.may_answer(response, challenges) {
            return self.again(now, key, entries, challenges + 1);
        }
        let Some(dialog) = self.dialogs.get_mut(key) else { return };
        let failure = classify(status, response);
        let kind = dialog.kind;
        match status {
            406 | 420 | 421 if !dialog.wording.plain => {
                dialog.wording.plain = true;
                return self.reworded(now, key, entries);
            }
            423 => {
                let asked = dialog.wording.expires.unwrap_or_default();
                let longer = response.min_expires().filter(|least| *least > asked && *least <= LONGEST_LIFETIME);
                if longer.is_some() && !matches!(kind, Kind::Poll(_)) {
                    dialog.wording.expires = longer;
                    return self.reworded(now, key, entries);
                }
            }
            _ => {}
        }
        if status == 503 {
            self.overloaded(now, failure.retry_after);
        }
        // A body that the server cannot read is spoilt by one of its URIs, as far as that can be told from here.
        let spoilt = status == 400 && response.ms_diagnostics().is_some_and(|found| SPOILT.contains(&found.id));
        let failure = if spoilt && !matches!(kind, Kind::Single(_)) {
            Failure { kind: FailureKind::Transient, ..failure }
        } else {
            failure
        };
        match kind {
            Kind::Single(_) => self.single_refused(now, key, status, &failure, entries),
            Kind::Batch(batch) => self.batch_refused(now, key, batch, false, status, &failure, entries),
            Kind::Poll(batch) => self.batch_refused(now, key, batch, true, status, &failure, entries),
        }
    }

    /// No answer at all (timer F).
    pub(super) fn unanswered(&mut self, now: Instant, key: DialogKey, entries: Vec<Entry>) {
        let Some(dialog) = self.dialogs.get(key) else { return };
        self.effects.push_back(SubscriberEffect::Congested);
        let failure = Failure::new(FailureKind::Transient, EndedBy::Network, "the SUBSCRIBE was not answered");
        match dialog.kind {
            // RFC 3261 section 12.2.1.2: a request in a dialog without an answer ends the dialog.
            Kind::Single(_) => {
                let kind = if dialog.phase == Phase::Opening { failure.kind } else { FailureKind::Dialog };
                self.fail_entries(now, key, entries, &Failure { kind, ..failure });
                self.forget(key);
            }
            Kind::Batch(batch) | Kind::Poll(batch) => {
                self.drop_opening(key);
                self.hold_back(now, batch);
                self.fail_entries(now, key, entries, &endpoint(&failure));
            }
        }
    }

    /// A challenge is answered once, and again when it says that only the nonce is stale.
    pub(super) fn may_answer(&mut self, response: &Message, challenges: u8) -> bool {
        let header = if response.status() == Some(401) { "WWW-Authenticate" } else { "Proxy-Authenticate" };
        let says = |what: &str| response.header_all(header).any(|value| value.to_ascii_lowercase().contains(what));
        let stale = says("stale=true") || says("stale=\"true\"");
        let fresh = challenges == 0 || (stale && challenges < CHALLENGE_LIMIT);
        fresh && self.digest.as_mut().is_some_and(|digest| digest.challenge(response).is_ok())
    }

    /// The same in other words: what follows in this batch is worded so as well.
    fn reworded(&mut self, now: Instant, key: DialogKey, entries: Vec<Entry>) {
        if let Some((kind, wording)) = self.dialogs.get(key).map(|dialog| (dialog.kind, dialog.wording))
            && let Kind::Batch(batch) | Kind::Poll(batch) = kind
            && let Some(of) = self.batch_mut(batch)
        {
            of.wording = wording;
            if self.config.gather.room(now) < entries.len() {
                // It waits for the next moment of gathering, as what is repaired counts as well.
                return self.repair(now, key, batch, matches!(kind, Kind::Poll(_)), entries);
            }
        }
        if self.config.gather.room(now) < entries.len() {
            self.reworded.push_back((key, entries));
            return self.arm_flush(now);
        }
        self.again(now, key, entries, 0);
    }

    /// The same agents again in the same dialog, with a higher CSeq (RFC 3261 section 8.1.3.5): a repair, for which no
    /// token is needed.
    pub(super) fn again(&mut self, now: Instant, key: DialogKey, entries: Vec<Entry>, challenges: u8) {
        if self.dialogs.get(key).is_some_and(|dialog| dialog.unwanted) {
            return self.drop_opening(key);
        }
        let entries: Vec<Entry> = entries.into_iter().filter_map(|entry| self.still(key, entry)).collect();
        if entries.is_empty() {
            return self.drop_opening(key);
        }
        self.config.gather.spend(now, entries.len());
        self.send_list(now, key, entries, challenges);
    }

    /// The same agents go before all others at the next moment of gathering.
    fn repair(&mut self, now: Instant, key: DialogKey, id: BatchId, poll: bool, entries: Vec<Entry>) {
        self.drop_opening(key);
        let keys: Vec<MemberKey> =
            entries.into_iter().filter_map(|entry| self.still(key, entry)).map(|entry| entry.key).collect();
        for member in &keys {
            if let Some(member) = self.members.get_mut(*member) {
                member.errand = Errand::Repairing;
            }
        }
        if let Some(batch) = self.batch_mut(id).filter(|_| !keys.is_empty()) {
            batch.repairs.push_front(Repair { keys, poll });
        }
        self.arm_flush(now);
    }

    /// What is to be said about an agent now that its message is sent again.
    pub(super) fn still(&mut self, dialog: DialogKey, entry: Entry) -> Option<Entry> {
        let member = self.members.get(entry.key).filter(|member| member.errand == Errand::Asked(dialog))?;
        if member.wish == Wish::Drop && member.hold != Hold::In(dialog) {
            self.end(entry.key);
            return None;
        }
        Some(Entry { key: entry.key, asked: member.wish })
    }

    /// The status is about the agent.
    fn single_refused(&mut self, now: Instant, key: DialogKey, status: u16, failure: &Failure, entries: Vec<Entry>) {
        if status == 408 {
            self.effects.push_back(SubscriberEffect::Congested);
        }
        if failure.kind == FailureKind::Dialog {
            return self.lost(now, key, failure);
        }
        let failure = match status {
            401 | 407 => self.unsupported(&unauthenticated(failure)),
            _ => failure.clone(),
        };
        self.drop_opening(key);
        self.fail_entries(now, key, entries, &failure);
        self.tidy_single(now, key);
    }

    #[allow(clippy::too_many_arguments, reason = "one refusal in all its parts")]
    fn batch_refused(
        &mut self,
        now: Instant,
        key: DialogKey,
        batch: BatchId,
        poll: bool,
        status: u16,
        failure: &Failure,
        entries: Vec<Entry>,
    ) {
        if failure.kind == FailureKind::Dialog && !poll {
            return self.lost(now, key, failure);
        }
        self.drop_opening(key);
        match status {
            413 if entries.len() > 1 => self.halve_chunk(now, key, batch, poll, entries),
            413 => self.fail_entries(now, key, entries, &Failure { kind: FailureKind::Transient, ..failure.clone() }),
            400 if failure.kind != FailureKind::Endpoint => self.bisect(now, key, batch, poll, entries, failure),
            503 => self.fail_entries(now, key, entries, &endpoint(failure)),
            400 | 401 | 407 | 403 | 404 | 405 | 488 | 489 | 501 => {
                let failure = if matches!(status, 401 | 407) { unauthenticated(failure) } else { failure.clone() };
                self.hold_back(now, batch);
                // Our own pool must serve us: an alarm. No agent is to blame for what another one does with a list.
                let failure = if batch == HOME { self.unsupported(&failure) } else { endpoint(&failure) };
                self.fail_entries(now, key, entries, &failure);
            }
            _ => {
                if status == 408 {
                    self.effects.push_back(SubscriberEffect::Congested);
                }
                self.hold_back(now, batch);
                self.fail_entries(now, key, entries, &endpoint(failure));
                if status == 480 && batch == HOME {
                    self.doubt_registration(now);
                }
            }
        }
    }

    /// The pool does not do for us what we are made for: an alarm, and no agent is to blame.
    pub(super) fn unsupported(&mut self, failure: &Failure) -> Failure {
        let failure = endpoint(failure);
        self.effects.push_back(SubscriberEffect::Unsupported(failure.clone()));
        failure
    }

    pub(super) fn hold_back(&mut self, now: Instant, batch: BatchId) {
        if let Some(batch) = self.batch_mut(batch) {
            batch.hold_back(now);
        }
    }

    /// A dialog that the server has refused to begin is none.
    pub(super) fn drop_opening(&mut self, key: DialogKey) {
        if self.dialogs.get(key).is_some_and(|dialog| dialog.phase == Phase::Opening && !dialog.awaits_answer()) {
            self.forget(key);
        }
    }

    /// 413 for the message: half as much in each from now on.
    fn halve_chunk(&mut self, now: Instant, key: DialogKey, id: BatchId, poll: bool, entries: Vec<Entry>) {
        let half = (entries.len() / 2).max(1);
        if let Some(batch) = self.batch_mut(id) {
            batch.chunk = batch.chunk.min(half);
        }
        let keys: Vec<MemberKey> =
            entries.into_iter().filter_map(|entry| self.still(key, entry)).map(|entry| entry.key).collect();
        self.requeue(now, id, poll, &keys);
    }

    /// 400: one URI of a message spoils it all. Halves of it are sent again until the culprit is alone.
    fn bisect(
        &mut self,
        now: Instant,
        key: DialogKey,
        id: BatchId,
        poll: bool,
        entries: Vec<Entry>,
        failure: &Failure,
    ) {
        if entries.len() == 1 {
            return self.culprit(now, key, id, poll, entries, failure);
        }
        let half = entries.len() / 2;
        let mut keys: Vec<MemberKey> =
            entries.into_iter().filter_map(|entry| self.still(key, entry)).map(|entry| entry.key).collect();
        // Those in doubt last: whoever is accepted before shows that the server does take agents.
        keys.sort_by_key(|key| {
            let uri = self.members.get(*key).map(|member| &member.uri);
            uri.zip(self.batch(id)).is_some_and(|(uri, batch)| batch.doubts(uri))
        });
        for member in &keys {
            if let Some(member) = self.members.get_mut(*member) {
                member.errand = Errand::Repairing;
            }
        }
        if let Some(batch) = self.batch_mut(id) {
            let (left, right) = keys.split_at(half.min(keys.len()));
            for part in [right, left].into_iter().filter(|part| !part.is_empty()) {
                batch.repairs.push_front(Repair { keys: part.to_vec(), poll });
            }
        }
        self.arm_flush(now);
    }

    /// The agents of a message fail, as far as they were still waiting for it.
    pub(super) fn fail_entries(&mut self, now: Instant, dialog: DialogKey, entries: Vec<Entry>, failure: &Failure) {
        for entry in entries {
            if self.members.get(entry.key).is_some_and(|member| member.errand == Errand::Asked(dialog)) {
                self.let_go(now, entry.key, failure);
            }
        }
    }

    /// A message could not be sent.
    pub(super) fn refuse_all(&mut self, now: Instant, key: DialogKey, failure: &Failure) {
        let single = self.dialogs.get(key).is_some_and(|dialog| matches!(dialog.kind, Kind::Single(_)));
        let failure = if single { failure.clone() } else { endpoint(failure) };
        let exchange = self.dialogs.get_mut(key).and_then(|dialog| dialog.exchange.take());
        self.drop_opening(key);
        let entries = exchange.map(|exchange| exchange.entries).unwrap_or_default();
        self.fail_entries(now, key, entries, &failure);
        self.tidy_single(now, key);
    }
}

/// What an operator has to do about a challenge that we cannot answer.
fn unauthenticated(failure: &Failure) -> Failure {
    let detail = format!(
        "{}: the pool asks for a password; check that our certificate names the trusted application pool, and that the \
         endpoint's user name and password are right where it has some",
        failure.detail
    );
    Failure { kind: FailureKind::Endpoint, detail: detail.into(), ..failure.clone() }
}

//! Answers to our SUBSCRIBEs.

use std::time::{Duration, Instant};

use presence_core::{EndedBy, Failure, FailureKind};

use super::SkypeSubscriber;
use super::body::Reading;
use super::dialog::{DialogKey, Entry, Kind, Phase};
use super::member::{Errand, Hold, MemberKey, Wish};
use crate::message::Message;
use crate::subscriber::{SubscriberEffect, WireEvent};
use crate::transaction::{Answer, Due};

/// What a server that does not say how long it grants is taken to have granted.
const UNSAID: Duration = Duration::from_secs(3600);

/// How long after an answer an agent that is polled is asked for again.
const POLL_INTERVAL: Duration = Duration::from_secs(300);

impl SkypeSubscriber {
    /// A response to a SUBSCRIBE of ours, if it is one.
    pub(super) fn answer(&mut self, now: Instant, response: &Message) {
        let Some(status) = response.status() else { return };
        let (reliable, timers) = (self.config.transport.reliable(), self.config.timers);
        let key = self.dialogs.by_call(response.call_id());
        let exchange = key.and_then(|key| self.dialogs.get_mut(key)).and_then(|dialog| dialog.exchange.as_mut());
        let exchange = exchange.filter(|exchange| exchange.transaction.matches(response));
        let (Some(key), Some(exchange)) = (key, exchange) else { return self.count(WireEvent::StrayResponse) };
        match exchange.transaction.receive(now, status, reliable, &timers) {
            Answer::Repeated => {}
            Answer::Provisional => self.dialogs.rearm(key),
            Answer::Final => {
                let entries = std::mem::take(&mut exchange.entries);
                let (closes, challenges) = (exchange.closes, exchange.challenges);
                if reliable && let Some(dialog) = self.dialogs.get_mut(key) {
                    dialog.exchange = None;
                }
                match status {
                    200..=299 if closes => self.close_accepted(now, key),
                    200..=299 => self.accepted(now, key, response, &entries),
                    401 | 407 if closes && self.may_answer(response, challenges) => {
                        self.bid_farewell(now, key, challenges + 1);
                    }
                    _ if closes => self.farewell_refused(now, key, status),
                    _ => self.refused(now, key, response, entries, challenges),
                }
                self.settle(now, key);
                self.go_on(now);
            }
        }
    }

    /// What was put off until a request was answered.
    fn settle(&mut self, now: Instant, key: DialogKey) {
        if self.dialogs.get(key).is_some_and(|dialog| dialog.unwanted && !dialog.awaits_answer()) {
            match self.dialogs.get(key).map(|dialog| dialog.phase) {
                Some(Phase::Live | Phase::Orphaned) => self.close(now, key, "not wanted any more"),
                Some(Phase::Opening) => self.forget(key),
                Some(Phase::Closing { .. } | Phase::Refused { .. }) | None => {}
            }
        }
        self.dialogs.rearm(key);
    }

    pub(super) fn exchange_due(&mut self, now: Instant, key: DialogKey) {
        let Some(dialog) = self.dialogs.get_mut(key) else { return };
        let Some(exchange) = dialog.exchange.as_mut() else { return };
        match exchange.transaction.handle_timeout(now, &self.config.timers) {
            Due::Resend(bytes) => {
                self.retransmissions += 1;
                self.transmit(now, crate::flow::FlowId::PRIMARY, bytes);
            }
            Due::TimedOut => {
                let closes = exchange.closes;
                let entries = std::mem::take(&mut exchange.entries);
                dialog.exchange = None;
                if closes {
                    self.closed(now, key);
                } else {
                    self.unanswered(now, key, entries);
                }
                self.settle(now, key);
            }
            Due::Nothing if exchange.transaction.poll_timeout().is_none() => dialog.exchange = None,
            Due::Nothing => {}
        }
    }

    fn accepted(&mut self, now: Instant, key: DialogKey, response: &Message, entries: &[Entry]) {
        let Some(dialog) = self.dialogs.get_mut(key) else { return };
        dialog.learn(response);
        let kind = dialog.kind;
        let said = response.subscription_state().and_then(|state| state.expires).or(response.expires());
        let expires = said.unwrap_or(UNSAID);
        let poll = matches!(kind, Kind::Poll(_));
        if expires.is_zero() && !poll && !dialog.unwanted {
            let failure = Failure::new(FailureKind::Dialog, EndedBy::Peer, "accepted for no time at all");
            return self.lost(now, key, &failure);
        }
        // A notification with a higher number knows better than what comes along with this answer.
        let piggyback = response.header("ms-piggyback-cseq").and_then(|number| number.trim().parse::<u32>().ok());
        let overtaken = piggyback.is_some() && dialog.remote_cseq > piggyback;
        dialog.remote_cseq = dialog.remote_cseq.max(piggyback);
        if poll {
            let until = now + self.config.timers.farewell();
            self.dialogs.enter(key, Phase::Closing { until }, "2xx");
        } else {
            dialog.lasts(now, expires, true);
            self.dialogs.enter(key, Phase::Live, "2xx");
            self.learn_home(key);
        }
        if let Kind::Batch(batch) | Kind::Poll(batch) = kind
            && let Some(batch) = self.batch_mut(batch)
        {
            batch.accepted();
            if poll {
                batch.polling = None;
            }
        }
        let asked: Vec<MemberKey> =
            entries.iter().filter(|entry| self.took(now, key, kind, **entry)).map(|entry| entry.key).collect();
        let reading = Reading::of(response, &self.limits);
        let reading = reading.as_ref();
        if let Some(reading) = reading {
            self.take_lists(key, reading);
        }
        for member in &asked {
            self.joined(now, key, *member);
        }
        if let Some(reading) = reading {
            self.take_documents(key, reading, &asked, overtaken, super::body::network(response));
        }
        self.tidy_single(now, key);
    }

    /// The server has done what it was asked for one agent; true when the agent is subscribed or was asked for.
    fn took(&mut self, now: Instant, dialog: DialogKey, kind: Kind, entry: Entry) -> bool {
        let Some(member) = self.members.get_mut(entry.key) else { return false };
        if member.errand != Errand::Asked(dialog) {
            return false;
        }
        member.errand = Errand::None;
        match (entry.asked, kind) {
            (Wish::Keep, Kind::Poll(_)) => {
                let rounds = if let Hold::Polled { rounds, .. } = member.hold { rounds } else { 1 };
                let at = now + POLL_INTERVAL;
                member.hold = Hold::Polled { at: Some(at), rounds };
                self.polls.insert((at, entry.key));
                true
            }
            (Wish::Keep, Kind::Batch(_) | Kind::Single(_)) => {
                member.hold = Hold::In(dialog);
                true
            }
            (Wish::Drop, _) => {
                member.hold = Hold::Nowhere;
                if member.wish == Wish::Drop {
                    self.end(entry.key);
                } else {
                    // Wanted again before the server had let it go.
                    self.enqueue(now, entry.key);
                }
                false
            }
        }
    }

    /// An agent that the server has not turned away in the same answer is a member now.
    fn joined(&mut self, now: Instant, dialog: DialogKey, key: MemberKey) {
        let Some(member) = self.members.get_mut(key) else { return };
        let held = match member.hold {
            Hold::In(found) => found == dialog,
            // Whoever was told to be polled in this answer knows it.
            Hold::Polled { at, .. } => at.is_some(),
            Hold::Nowhere => false,
        };
        match (held && member.errand == Errand::None, member.wish, member.hold) {
            (true, Wish::Keep, _) => {
                member.refreshing = false;
                let (uri, attempt) = (member.uri.clone(), member.attempt);
                self.effects.push_back(SubscriberEffect::Joined { uri, attempt });
            }
            (true, Wish::Drop, Hold::Polled { .. } | Hold::Nowhere) => self.end(key),
            (true, Wish::Drop, Hold::In(_)) => self.enqueue(now, key),
            (false, ..) => {}
        }
    }

    /// The server lets go what we ended.
    fn close_accepted(&mut self, now: Instant, key: DialogKey) {
        if let Some(Kind::Single(member)) = self.dialogs.get(key).map(|dialog| dialog.kind) {
            self.single_over(now, key, member);
        }
    }

    /// A dialog that we ended is over, whatever the server says.
    pub(super) fn closed(&mut self, now: Instant, key: DialogKey) {
        let Some(dialog) = self.dialogs.get(key) else { return };
        if let Kind::Single(member) = dialog.kind {
            self.single_over(now, key, member);
        }
        self.forget(key);
    }

    pub(super) fn single_over(&mut self, now: Instant, key: DialogKey, member: MemberKey) {
        let Some(found) = self.members.get_mut(member) else { return };
        if found.hold != Hold::In(key) && found.errand != Errand::Asked(key) {
            return;
        }
        self.dequeue(member);
        let Some(found) = self.members.get_mut(member) else { return };
        found.hold = Hold::Nowhere;
        found.errand = Errand::None;
        match found.wish {
            Wish::Drop => self.end(member),
            Wish::Keep => self.enqueue(now, member),
        }
    }

    /// A dialog of one agent which that agent has left by what a document said is ended.
    pub(super) fn tidy_single(&mut self, now: Instant, key: DialogKey) {
        if let Some(Kind::Single(member)) = self.dialogs.get(key).map(|dialog| dialog.kind) {
            let serves =
                |member: &super::member::Member| member.hold == Hold::In(key) || member.errand == Errand::Asked(key);
            if !self.members.get(member).is_some_and(serves) {
                self.close(now, key, "the agent is served elsewhere, or not at all");
            }
        }
    }

    /// Drops a dialog without a word to anybody. No member may be left in it.
    pub(super) fn forget(&mut self, key: DialogKey) {
        let Some(dialog) = self.dialogs.remove(key) else { return };
        if let Kind::Batch(batch) | Kind::Poll(batch) = dialog.kind
            && let Some(batch) = self.batch_mut(batch)
        {
            if batch.dialog == Some(key) {
                batch.dialog = None;
            }
            if batch.polling == Some(key) {
                batch.polling = None;
            }
        }
    }
}

//! Ends that nobody asked for: of an agent, and of a dialog with all its agents.

use std::time::Instant;

use presence_core::{EndedBy, Failure, FailureKind, LOOP_GUARD};

use super::SkypeSubscriber;
use super::dialog::{DialogKey, Kind, Phase};
use super::member::{BatchId, Errand, HOME, Hold, MemberKey, Wish};
use crate::subscriber::SubscriberEffect;

impl SkypeSubscriber {
    /// An agent is gone as it was wanted.
    pub(super) fn end(&mut self, key: MemberKey) {
        if let Some(member) = self.take_out(key).filter(|member| !member.settled) {
            self.effects.push_back(SubscriberEffect::Ended { uri: member.uri.clone(), attempt: member.attempt });
        }
    }

    /// An agent is gone: a failure of its attempt, or what was wanted.
    pub(super) fn fail(&mut self, key: MemberKey, failure: &Failure) {
        let Some(member) = self.take_out(key).filter(|member| !member.settled) else { return };
        let (uri, attempt) = (member.uri.clone(), member.attempt);
        self.effects.push_back(match member.wish {
            Wish::Drop => SubscriberEffect::Ended { uri, attempt },
            Wish::Keep => SubscriberEffect::Failed { uri, attempt, failure: failure.clone() },
        });
    }

    /// An agent is gone, but a living dialog goes on listing it: it is taken out of that dialog. Otherwise it would be
    /// subscribed twice when it goes to another endpoint. What is refused for good is not tried again.
    pub(super) fn let_go(&mut self, now: Instant, key: MemberKey, failure: &Failure) {
        let Some(member) = self.members.get(key) else { return };
        let dialog = if let Hold::In(dialog) = member.hold { self.dialogs.get(dialog) } else { None };
        let living = dialog.filter(|found| found.phase == Phase::Live && !found.unwanted).map(|found| found.kind);
        let is_endpoints = failure.kind == FailureKind::Endpoint;
        if living.is_some() && is_endpoints && member.refreshing && member.wish == Wish::Keep {
            return self.not_refreshed(key, failure);
        }
        let stays = matches!(living, Some(Kind::Batch(_)));
        if !stays || (member.settled && !is_endpoints) {
            return self.fail(key, failure);
        }
        self.dequeue(key);
        let Some(member) = self.members.get_mut(key) else { return };
        let (settled, wish) =
            (std::mem::replace(&mut member.settled, true), std::mem::replace(&mut member.wish, Wish::Drop));
        (member.errand, member.refresh_wanted) = (Errand::None, false);
        let (uri, attempt) = (member.uri.clone(), member.attempt);
        match (settled, wish) {
            (true, _) => {}
            (false, Wish::Drop) => self.effects.push_back(SubscriberEffect::Ended { uri, attempt }),
            (false, Wish::Keep) => {
                self.effects.push_back(SubscriberEffect::Failed { uri, attempt, failure: failure.clone() });
            }
        }
        self.enqueue(now, key);
    }

    /// The dialog stands until it runs out, whatever became of the refresh (RFC 6665 section 4.1.2.2). The agent's machine
    /// goes by that, and comes again.
    fn not_refreshed(&mut self, key: MemberKey, failure: &Failure) {
        self.dequeue(key);
        let Some(member) = self.members.get_mut(key) else { return };
        (member.errand, member.refresh_wanted) = (Errand::None, false);
        let (uri, attempt) = (member.uri.clone(), member.attempt);
        self.effects.push_back(SubscriberEffect::Failed { uri, attempt, failure: failure.clone() });
    }

    pub(super) fn take_out(&mut self, key: MemberKey) -> Option<Box<super::member::Member>> {
        self.dequeue(key);
        let member = self.members.remove(key)?;
        if let Hold::Polled { at: Some(at), .. } = member.hold {
            self.polls.remove(&(at, key));
        }
        Some(member)
    }

    /// What has fallen due in a dialog apart from its transaction: the end of waiting, the watchdog, the refresh.
    pub(super) fn dialog_due(&mut self, now: Instant, key: DialogKey) {
        self.exchange_due(now, key);
        let Some(dialog) = self.dialogs.get_mut(key) else { return };
        let expired = dialog.expires_at.is_some_and(|at| at <= now) && !dialog.awaits_answer();
        match dialog.phase {
            Phase::Closing { until } if until <= now => self.closed(now, key),
            Phase::Refused { again_at } if again_at <= now => self.end_again(now, key),
            Phase::Orphaned if expired => self.forget(key),
            Phase::Opening | Phase::Live if expired => {
                let why = "the dialog ran out without a word of the server";
                self.lost(now, key, &Failure::new(FailureKind::Dialog, EndedBy::Network, why));
            }
            Phase::Live if dialog.refresh_at.is_some_and(|at| at <= now) => {
                dialog.refresh_at = None;
                self.refresh_all(now, key);
            }
            Phase::Closing { .. } | Phase::Refused { .. } | Phase::Opening | Phase::Live | Phase::Orphaned => {}
        }
    }

    /// All members of a dialog are to be asked for again: each takes a token. A dialog without members is ended.
    fn refresh_all(&mut self, now: Instant, key: DialogKey) {
        let members = self.members.of(key);
        if members.is_empty() {
            return self.close(now, key, "it has no members");
        }
        for key in members {
            // Whoever was asked for a lifetime ago and has not come is asked for again.
            if let Some(member) = self.members.get_mut(key) {
                member.refresh_wanted = false;
            }
            self.want_refresh(key);
        }
    }

    /// Asks for a token for an agent, once until it has come.
    pub(super) fn want_refresh(&mut self, key: MemberKey) {
        let Some(member) = self.members.get_mut(key) else { return };
        if member.refresh_wanted || member.wish == Wish::Drop || member.errand != Errand::None {
            return;
        }
        member.refresh_wanted = true;
        let (uri, attempt) = (member.uri.clone(), member.attempt);
        self.effects.push_back(SubscriberEffect::WantsRefresh { uri, attempt });
    }

    /// The server does not have a dialog any more. The first time its agents come again at once, through the throttle;
    /// a second time within the loop guard the whole server is left alone for a while, and no agent is to blame.
    pub(super) fn lost(&mut self, now: Instant, key: DialogKey, failure: &Failure) {
        let Some(kind) = self.dialogs.get(key).map(|dialog| dialog.kind) else { return };
        let members = self.members.of(key);
        self.forget(key);
        let failure = Failure { kind: FailureKind::Dialog, ..failure.clone() };
        let Kind::Batch(id) = kind else {
            return members.into_iter().for_each(|member| self.fail(member, &failure));
        };
        let Some(batch) = self.batch_mut(id) else { return };
        let again = batch.lost_at.is_some_and(|at| now.saturating_duration_since(at) < LOOP_GUARD);
        batch.lost_at = Some(now);
        if again {
            self.unavailable(now, id, members, &failure);
        } else {
            members.into_iter().for_each(|member| self.fail(member, &failure));
        }
    }

    /// A server cannot serve its agents for now: they fail without being blamed. Of our own server the whole endpoint is
    /// to know.
    pub(super) fn unavailable(&mut self, now: Instant, id: BatchId, mut members: Vec<MemberKey>, failure: &Failure) {
        let failure = Failure { kind: FailureKind::Endpoint, ..failure.clone() };
        match self.batch_mut(id) {
            // Whoever keeps the endpoint waits before it asks again.
            Some(batch) if id == HOME => {
                members.extend(batch.line.values());
                members.extend(batch.polls.values());
                members.extend(std::mem::take(&mut batch.repairs).into_iter().flat_map(|repair| repair.keys));
            }
            Some(batch) => batch.hold_back(now),
            None => {}
        }
        members.into_iter().for_each(|member| self.fail(member, &failure));
        if id == HOME {
            self.presence_unavailable(failure);
        }
    }
}

//! SUBSCRIBE in a presence dialog: update, refresh, end; and what ends dialogs otherwise.

use std::time::Instant;

use presence_sip::Message;

use super::FrontEnd;
use super::answers::Refusal;
use super::batch_body::Wish;
use super::dialogs::Kind;
use super::documents::Instance;
use super::subscribe::ListTags;
use crate::ConnectionId;

/// How many dialogs that ran out are remembered, to tell a late refresh from a mistake.
const MOST_EXPIRED: usize = 10_000;

impl FrontEnd {
    pub(super) fn inside(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
        body: Result<Option<Wish>, (Refusal, Option<&'static str>)>,
    ) -> Result<(), Refusal> {
        let admitted = self.admit(request, body.as_ref().ok().and_then(Option::as_ref));
        let (owner, epid) = admitted.inspect_err(|refusal| {
            // Ordered to say that there is no such dialog: then there is none.
            if refusal.status == 481
                && let Ok(number) = self.dialog_of(request)
            {
                self.drop_dialog(number);
            }
        })?;
        let number = self.dialog_of(request)?;
        let wish = self.passed(body)?;
        let sequence = request.cseq().map_or(0, |(number, _)| number);
        let Some(dialog) = self.dialogs.get(number) else { return Err(Refusal::of_status(481)) };
        let (kind, remote_sequence) = (dialog.kind, dialog.remote_sequence);
        let same = dialog.owner == owner && dialog.epid == epid;
        if !same {
            self.violation(1, format_args!("another endpoint than its own speaks in a dialog"));
            return Err(Refusal::of_status(403));
        }
        if sequence <= remote_sequence {
            self.violation_in_dialog(format_args!("CSeq {sequence} after {remote_sequence}"));
            return Err(Refusal::of_status(500));
        }
        self.addressed_right(number, request);
        if let Some(dialog) = self.dialogs.get_mut(number) {
            dialog.remote_sequence = sequence;
            dialog.connection = connection;
            if let Some(contact) = request.contact() {
                dialog.target = contact.uri.into();
            }
        }
        let granted = self.lifetime(request)?;
        if granted.is_zero() {
            self.end_by_client(now, request, number);
            return Ok(());
        }
        if let Some(wish) = &wish {
            if wish.own.as_ref() != Some(&owner) {
                self.violation(5, format_args!("a body of somebody else"));
                return Err(Refusal::new(400, 4001));
            }
            match (kind, ListTags::of(request)) {
                (Kind::Batch, ListTags::Both) | (Kind::Single, ListTags::None) => {}
                (Kind::Batch, _) => {
                    self.violation(3, format_args!("an update of a list without Require: adhoclist, categoryList"));
                    return Err(Refusal::new(400, 2013));
                }
                (Kind::Single, _) => {
                    self.violation(3, format_args!("a single subscription with the option tags of a list"));
                    return Err(Refusal::new(400, 2013));
                }
            }
            if kind == Kind::Single && !self.holds_all(number, wish) {
                self.violation(5, format_args!("another agent in the dialog of a single one"));
                return Err(Refusal::new(400, 4001));
            }
            self.within_capacity(now, wish)?;
        }
        self.update(now, request, number, wish.as_ref(), granted);
        Ok(())
    }

    /// True when a wish is only about agents that the dialog has.
    fn holds_all(&self, number: u64, wish: &Wish) -> bool {
        let Some(dialog) = self.dialogs.get(number) else { return false };
        let held = |uri| self.directory.find(uri).is_some_and(|agent| dialog.members.contains_key(&agent));
        wish.subscribe.iter().chain(&wish.unsubscribe).all(held)
    }

    /// The dialog that a request names.
    ///
    /// # Errors
    /// 481; rule 10 when it ran out because nobody refreshed it.
    fn dialog_of(&mut self, request: &Message) -> Result<u64, Refusal> {
        let remote_tag = request.from().and_then(|from| from.tag()).unwrap_or_default();
        let local_tag = request.to().and_then(|to| to.tag()).unwrap_or_default();
        let number = self.dialogs.find(request.call_id(), remote_tag);
        let number =
            number.filter(|number| self.dialogs.get(*number).is_some_and(|found| *found.local_tag == *local_tag));
        number.ok_or_else(|| {
            self.counters.unknown_dialogs += 1;
            if self.expired.remove(request.call_id()) && request.expires().is_none_or(|expires| !expires.is_zero()) {
                self.violation(10, format_args!("a refresh after the dialog ran out"));
            }
            Refusal::new(481, 2014)
        })
    }

    /// Request-URI and Route must be what the dialog was made with; recorded, not refused.
    fn addressed_right(&mut self, number: u64, request: &Message) {
        if !self.settings.switches.strict {
            return;
        }
        let Some(dialog) = self.dialogs.get(number) else { return };
        let target = request.request_uri().unwrap_or_default();
        let route = request.values("Route").next();
        let (wrong_target, wrong_route) = (target != &*dialog.contact, route != dialog.route.as_deref());
        if wrong_target {
            self.violation_in_dialog(format_args!("the request URI {target} is not our Contact"));
        }
        if wrong_route {
            self.violation_in_dialog(format_args!("Route is not our Record-Route"));
        }
    }

    fn end_by_client(&mut self, now: Instant, request: &Message, number: u64) {
        let Some(dialog) = self.drop_dialog(number) else { return };
        let mut dialog = dialog.head();
        dialog.expires_at = now;
        self.accept_as(now, request, &mut dialog, None, true);
    }

    /// Rule 10: a dialog that was not refreshed ends without a word.
    pub(super) fn expire(&mut self, number: u64) {
        let Some(dialog) = self.drop_dialog(number) else { return };
        self.counters.expired_dialogs += 1;
        if self.expired.len() < MOST_EXPIRED {
            self.expired.insert(dialog.call_id);
        }
    }

    /// The server ends a dialog: every agent is to be subscribed again, or no word about them.
    pub(super) fn end_by_us(&mut self, now: Instant, number: u64, resubscribe: bool) {
        let Some(dialog) = self.dialogs.get(number) else { return };
        let uri = |agent: &u32| self.directory.get(*agent).map(|agent| agent.uri.as_str().to_owned());
        let members = dialog.members.keys().filter(|_| resubscribe);
        let instances: Vec<_> = members.filter_map(uri).map(|uri| (uri, Instance::Resubscribe(None))).collect();
        self.tell_instances(now, number, &instances, true);
        self.drop_dialog(number);
    }

    /// Agents leave their dialogs, which are told how it stands with them now; how many subscriptions these were. After
    /// a move, `except` is the new home: its lists keep them, and so do single dialogs, which find every home.
    pub(super) fn expel(&mut self, now: Instant, agents: &[u32], instance: &Instance, except: Option<usize>) -> usize {
        let mut by_dialog = std::collections::BTreeMap::<u64, Vec<u32>>::new();
        for agent in agents {
            let watchers = self.directory.get(*agent).map(|found| found.watchers.clone()).unwrap_or_default();
            for number in watchers {
                by_dialog.entry(number).or_default().push(*agent);
            }
        }
        let mut count = 0;
        for (number, members) in by_dialog {
            let Some(dialog) = self.dialogs.get(number) else { continue };
            if except.is_some_and(|home| dialog.kind == Kind::Single || dialog.pool == home) {
                continue;
            }
            let kind = dialog.kind;
            let uri = |agent: &u32| self.directory.get(*agent).map(|agent| agent.uri.as_str().to_owned());
            let instances: Vec<_> = members.iter().filter_map(uri).map(|uri| (uri, instance.clone())).collect();
            count += instances.len();
            for agent in members {
                self.part(number, agent);
            }
            self.tell_instances(now, number, &instances, kind == Kind::Single);
            if kind == Kind::Single {
                self.drop_dialog(number);
            }
        }
        count
    }
}

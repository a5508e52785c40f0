//! Putting a SUBSCRIBE on the wire.

use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_core::{AgentUri, EndedBy, Failure, FailureKind};

use super::SkypeSubscriber;
use super::dialog::{Dialog, DialogKey, Entry, Exchange, Kind, Phase, Wording};
use super::member::Wish;
use super::requests::{self, Content};
use crate::documents::{BatchAction, BatchActionName, write_batch_subscribe};
use crate::flow::FlowId;
use crate::identity::Identifier;
use crate::subscriber::SubscriberEffect;
use crate::transaction::ClientTransaction;

impl SkypeSubscriber {
    /// A dialog with a Call-ID and a tag that were never used.
    pub(super) fn begin(&mut self, kind: Kind, target: Box<str>, wording: Wording) -> DialogKey {
        let (call_id, tag) = (Identifier::fresh(&mut self.entropy), Identifier::fresh(&mut self.entropy));
        self.dialogs.insert(Dialog::new(kind, target, wording, call_id, tag))
    }

    /// Sends the list of these agents in a dialog.
    pub(super) fn send_list(&mut self, now: Instant, key: DialogKey, entries: Vec<Entry>, challenges: u8) {
        let Some(dialog) = self.dialogs.get(key) else { return };
        let zero = matches!(dialog.kind, Kind::Poll(_)).then_some(Duration::ZERO);
        let content = Content { expires: zero.or(dialog.wording.expires), list: Some(self.list(&entries)) };
        if let Err(failure) = self.send(now, key, content, entries, challenges) {
            self.refuse_all(now, key, &failure);
        }
    }

    /// Ends a dialog, or lets it be ended when what is on its way was answered.
    pub(super) fn close(&mut self, now: Instant, key: DialogKey, why: &'static str) {
        let Some(dialog) = self.dialogs.get_mut(key) else { return };
        match dialog.phase {
            Phase::Closing { .. } | Phase::Refused { .. } => {}
            Phase::Opening | Phase::Live | Phase::Orphaned if dialog.awaits_answer() => dialog.unwanted = true,
            Phase::Opening => self.forget(key),
            Phase::Live | Phase::Orphaned => {
                dialog.unwanted = false;
                dialog.refresh_at = None;
                let (kind, until) = (dialog.kind, now + self.config.timers.farewell());
                self.dialogs.enter(key, Phase::Closing { until }, why);
                if let Kind::Batch(id) = kind
                    && let Some(batch) = self.batch_mut(id)
                {
                    batch.ending = Some(key);
                    if batch.dialog == Some(key) {
                        batch.dialog = None;
                    }
                }
                self.bid_farewell(now, key, 0);
            }
        }
    }

    /// Sends what ends a dialog.
    pub(super) fn bid_farewell(&mut self, now: Instant, key: DialogKey, challenges: u8) {
        let content = Content { expires: Some(Duration::ZERO), list: None };
        if self.send(now, key, content, Vec::new(), challenges).is_err() {
            self.closed(now, key);
        }
    }

    fn send(
        &mut self,
        now: Instant,
        key: DialogKey,
        content: Content,
        entries: Vec<Entry>,
        challenges: u8,
    ) -> Result<(), Failure> {
        let branch = Identifier::fresh(&mut self.entropy);
        let contact = self.registration.gruu().unwrap_or(&self.config.contact);
        let Some(dialog) = self.dialogs.get_mut(key) else { return Ok(()) };
        dialog.local_cseq += 1;
        let way = dialog.way();
        let credentials = match &mut self.digest {
            Some(digest) => digest.authorize("SUBSCRIBE", &way.0, &mut *self.entropy),
            None => Vec::new(),
        };
        let closes = content.list.is_none();
        let bytes = requests::subscribe(&self.config, contact, dialog, way, branch, content, credentials)
            .to_bytes()
            .map_err(|error| Failure::new(FailureKind::Transient, EndedBy::Us, error.to_string()));
        let timers = &self.config.timers;
        let reliable = self.config.transport.reliable();
        let kept = bytes.clone().unwrap_or_default();
        let timeout = timers.request_timeout();
        let transaction = ClientTransaction::start(now, branch, "SUBSCRIBE", kept, reliable, timers, timeout);
        dialog.exchange = Some(Box::new(Exchange { transaction, entries, closes, challenges }));
        let bytes = bytes?;
        self.dialogs.rearm(key);
        self.subscribes += 1;
        self.transmit(now, FlowId::PRIMARY, bytes);
        Ok(())
    }

    pub(super) fn transmit(&mut self, now: Instant, flow: FlowId, bytes: Bytes) {
        if flow == FlowId::PRIMARY {
            self.registration.transmitted(now);
        }
        self.effects.push_back(SubscriberEffect::Transmit { flow, bytes });
    }

    /// The body: those to be added or kept, and those to be taken out.
    fn list(&mut self, entries: &[Entry]) -> Bytes {
        let of = |wish: Wish| -> Vec<AgentUri> {
            let of_wish = entries.iter().filter(|entry| entry.asked == wish);
            of_wish.filter_map(|entry| self.members.get(entry.key)).map(|member| member.uri.clone()).collect()
        };
        let (keep, gone) = (of(Wish::Keep), of(Wish::Drop));
        let mut actions = Vec::with_capacity(2);
        for (name, resources) in [(BatchActionName::Subscribe, &keep), (BatchActionName::Unsubscribe, &gone)] {
            if !resources.is_empty() {
                self.actions = self.actions.wrapping_add(1);
                actions.push(BatchAction { name, id: self.actions, resources });
            }
        }
        write_batch_subscribe(&self.config.endpoint, &actions)
    }
}

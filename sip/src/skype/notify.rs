//! Requests of the pool: NOTIFY and BENOTIFY of our dialogs, and whatever else comes.

use std::time::Instant;

use presence_core::{EndedBy, Failure, FailureKind};

use super::SkypeSubscriber;
use super::body::{Reading, network};
use super::dialog::{DialogKey, Kind, Phase};
use super::member::{BatchId, HOME};
use super::requests::ACCEPT;
use crate::error::Refusal;
use crate::flow::FlowId;
use crate::message::{Message, Method, SubscriptionPhase};
use crate::peer::{self, Refused};
use crate::subscriber::WireEvent;

impl SkypeSubscriber {
    pub(super) fn request(&mut self, now: Instant, flow: FlowId, request: &Message) {
        let Some(method) = request.method() else { return };
        let (code, event) = match method {
            // An ACK is never answered (RFC 3261 section 17.1.1.3); ours would belong to a 405.
            Method::Ack => return,
            // Nor is a BENOTIFY, not even with a refusal (MS-SIP).
            Method::Benotify => {
                if let Some(taken) = self.query_notified(request) {
                    return taken.unwrap_or_else(|(_, event)| self.count(peer::unanswered(event)));
                }
                return match self.matching(request).and_then(|key| self.sequence(request, key)) {
                    Ok(key) => self.take(now, request, key),
                    Err((_, event)) => self.count(peer::unanswered(event)),
                };
            }
            Method::Notify => match self.query_notified(request) {
                Some(Ok(())) => (200, None),
                Some(Err((code, event))) => (code, Some(event)),
                None => match self.matching(request).and_then(|key| self.sequence(request, key)) {
                    Ok(key) => {
                        // The server waits for this, and reading may take a moment.
                        self.respond(now, flow, request, 200, None);
                        return self.take(now, request, key);
                    }
                    Err((code, event)) => (code, Some(event)),
                },
            },
            method => peer::other_request(method),
        };
        event.into_iter().for_each(|event| self.count(event));
        self.respond(now, flow, request, code, None);
    }

    /// A message without what every message must have.
    pub(super) fn malformed(&mut self, now: Instant, flow: FlowId, message: &Message, refusal: Refusal) {
        self.count(WireEvent::Malformed);
        let silent = peer::is_silent(message);
        tracing::trace!(?now, status = refusal.status, why = refusal.reason, silent, "malformed message");
        if !silent {
            self.respond(now, flow, message, refusal.status, Some(refusal.reason));
        }
    }

    /// The dialog of a notification: Call-ID, our tag, the event, the server's tag once it is known.
    fn matching(&self, request: &Message) -> Result<DialogKey, Refused> {
        peer::presence_event(request)?;
        let unmatched = (481, WireEvent::Unmatched);
        let key = self.dialogs.by_call(request.call_id()).ok_or(unmatched)?;
        let dialog = self.dialogs.get(key).ok_or(unmatched)?;
        peer::check_dialog(request, dialog.local_tag, dialog.remote_tag.as_deref())?;
        Ok(key)
    }

    /// The dialog again, when the notification is its next one.
    fn sequence(&mut self, request: &Message, key: DialogKey) -> Result<DialogKey, Refused> {
        let dialog = self.dialogs.get_mut(key).ok_or((500, WireEvent::StaleCSeq))?;
        peer::check_sequence(request, &mut dialog.remote_cseq)?;
        Ok(key)
    }

    /// A notification of a dialog, in order and for the first time: first its documents, then the state of the dialog.
    fn take(&mut self, now: Instant, request: &Message, key: DialogKey) {
        self.notifies += 1;
        let Some(state) = request.subscription_state() else { return };
        let Some(dialog) = self.dialogs.get_mut(key) else { return };
        dialog.learn(request);
        let over = state.state == SubscriptionPhase::Terminated;
        if !over && matches!(dialog.kind, Kind::Batch(_) | Kind::Single(_)) {
            if dialog.phase == Phase::Opening {
                self.dialogs.enter(key, Phase::Live, "notified before it was accepted");
            }
            if let Some(dialog) = self.dialogs.get_mut(key)
                && matches!(dialog.phase, Phase::Live | Phase::Orphaned)
                && let Some(expires) = state.expires
            {
                dialog.lasts(now, expires, false);
            }
        }
        self.learn_home(key);
        let mut resubscribe = false;
        if let Some(reading) = Reading::of(request, &self.limits) {
            resubscribe = self.take_lists(key, &reading);
            self.take_documents(key, &reading, &[], false, network(request));
        }
        if over {
            self.terminated(now, key, request, state.reason.unwrap_or_default(), resubscribe);
        } else {
            self.tidy_single(now, key);
        }
        self.dialogs.rearm(key);
    }

    /// The server has ended a dialog, after what its last body has done to the agents.
    fn terminated(&mut self, now: Instant, key: DialogKey, request: &Message, reason: &str, resubscribe: bool) {
        let Some(dialog) = self.dialogs.get(key) else { return };
        let (kind, phase) = (dialog.kind, dialog.phase);
        let reason: String = reason.chars().take(64).collect();
        let diagnostics = request.ms_diagnostics().map(|found| found.id);
        let failure = |kind| {
            Failure::new(kind, EndedBy::Peer, format!("the server ended the dialog: {reason}"))
                .with_ms_diagnostics(diagnostics)
        };
        match (kind, phase) {
            (_, Phase::Closing { .. }) => self.closed(now, key),
            (_, Phase::Orphaned | Phase::Refused { .. }) => self.forget(key),
            // The answer to the question is still to come.
            (Kind::Poll(_), Phase::Opening | Phase::Live) => {}
            (Kind::Single(_), Phase::Opening | Phase::Live) => {
                let kind = peer::ended_by(&reason);
                let members = self.members.of(key);
                self.forget(key);
                members.into_iter().for_each(|member| self.fail(member, &failure(kind)));
            }
            (Kind::Batch(_), Phase::Opening | Phase::Live) if resubscribe => {
                self.lost(now, key, &failure(FailureKind::Dialog));
            }
            (Kind::Batch(batch), Phase::Opening | Phase::Live) => self.ended_by_server(now, key, batch, &failure),
        }
    }

    /// Without a word about where to go instead: our own server's presence is not to be had for now.
    fn ended_by_server(
        &mut self,
        now: Instant,
        key: DialogKey,
        batch: BatchId,
        failure: &dyn Fn(FailureKind) -> Failure,
    ) {
        let members = self.members.of(key);
        self.forget(key);
        if batch == HOME && members.is_empty() {
            return;
        }
        if let Some(batch) = self.batch_mut(batch) {
            batch.lost_at = Some(now);
        }
        self.unavailable(now, batch, members, &failure(FailureKind::Endpoint));
    }

    pub(super) fn respond(&mut self, now: Instant, flow: FlowId, request: &Message, code: u16, reason: Option<&str>) {
        let bytes = peer::answer(request, code, reason, self.tag, ACCEPT);
        self.transmit(now, flow, bytes);
    }

    pub(super) fn count(&mut self, event: WireEvent) {
        self.effects.push_back(crate::subscriber::SubscriberEffect::Count(event));
    }
}

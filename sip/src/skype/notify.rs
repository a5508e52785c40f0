//! Requests of the pool: NOTIFY and BENOTIFY of our dialogs, and whatever else comes.

use std::time::Instant;

use presence_core::{EndedBy, Failure, FailureKind};

use super::SkypeSubscriber;
use super::body::{Reading, network};
use super::dialog::{DialogKey, Kind, Phase};
use super::member::{BatchId, HOME};
use super::requests::{ACCEPT, ALLOW, PACKAGE};
use crate::error::Refusal;
use crate::flow::FlowId;
use crate::message::{Message, Method, SubscriptionPhase};
use crate::response::respond;
use crate::subscriber::WireEvent;

impl SkypeSubscriber {
    pub(super) fn request(&mut self, now: Instant, flow: FlowId, request: &Message) {
        let Some(method) = request.method() else { return };
        let code = match method {
            // An ACK is never answered (RFC 3261 section 17.1.1.3); ours would belong to a 405.
            Method::Ack => return,
            // Nor is a BENOTIFY, not even with a refusal (MS-SIP).
            Method::Benotify => {
                match self.matching(request).and_then(|key| self.sequence(request, key)) {
                    Ok(key) => self.take(now, request, key),
                    Err((_, WireEvent::Unmatched)) => self.count(WireEvent::UnmatchedBenotify),
                    Err((_, event)) => self.count(event),
                }
                return;
            }
            Method::Notify => match self.matching(request).and_then(|key| self.sequence(request, key)) {
                Ok(key) => {
                    // The server waits for this, and reading may take a moment.
                    self.respond(now, flow, request, 200, None);
                    return self.take(now, request, key);
                }
                Err((code, event)) => {
                    self.count(event);
                    code
                }
            },
            Method::Options => 200,
            // They would belong to an INVITE, and there is none.
            Method::Bye | Method::Cancel => 481,
            Method::Other(_) => {
                self.count(WireEvent::RefusedMethod);
                501
            }
            Method::Invite
            | Method::Info
            | Method::Message
            | Method::Publish
            | Method::Register
            | Method::Service
            | Method::Subscribe => {
                self.count(WireEvent::RefusedMethod);
                405
            }
        };
        self.respond(now, flow, request, code, None);
    }

    /// A message without what every message must have.
    pub(super) fn malformed(&mut self, now: Instant, flow: FlowId, message: &Message, refusal: Refusal) {
        self.count(WireEvent::Malformed);
        let silent = matches!(message.method(), None | Some(Method::Ack | Method::Benotify));
        tracing::trace!(?now, status = refusal.status, why = refusal.reason, silent, "malformed message");
        if !silent {
            self.respond(now, flow, message, refusal.status, Some(refusal.reason));
        }
    }

    /// The dialog of a notification: Call-ID, our tag, the event, the server's tag once it is known.
    fn matching(&self, request: &Message) -> Result<DialogKey, (u16, WireEvent)> {
        let event = request.event().ok_or((489, WireEvent::BadEvent))?;
        if !event.package.eq_ignore_ascii_case(PACKAGE) {
            return Err((489, WireEvent::BadEvent));
        }
        let unmatched = (481, WireEvent::Unmatched);
        let key = self.dialogs.by_call(request.call_id()).ok_or(unmatched)?;
        let dialog = self.dialogs.get(key).ok_or(unmatched)?;
        let ours = request.to().and_then(|to| to.tag()).is_some_and(|tag| dialog.local_tag.is(tag));
        let from = request.from().and_then(|from| from.tag()).ok_or(unmatched)?;
        if !ours {
            return Err(unmatched);
        }
        if dialog.remote_tag.as_deref().is_some_and(|tag| tag != from) {
            return Err((481, WireEvent::Forked));
        }
        if request.subscription_state().is_none() {
            return Err((400, WireEvent::MissingState));
        }
        Ok(key)
    }

    /// Gaps in the CSeq are legal (RFC 3261 section 12.2.2); what comes too late is dropped.
    fn sequence(&mut self, request: &Message, key: DialogKey) -> Result<DialogKey, (u16, WireEvent)> {
        let stale = (500, WireEvent::StaleCSeq);
        let (number, _) = request.cseq().ok_or(stale)?;
        let dialog = self.dialogs.get_mut(key).ok_or(stale)?;
        match dialog.remote_cseq {
            Some(last) if number < last => Err(stale),
            Some(last) if number == last => Err((200, WireEvent::Duplicate)),
            Some(_) | None => {
                dialog.remote_cseq = Some(number);
                Ok(key)
            }
        }
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
            self.terminated(now, key, state.reason.unwrap_or_default(), resubscribe);
        } else {
            self.tidy_single(now, key);
        }
        self.dialogs.rearm(key);
    }

    /// The server has ended a dialog, after what its last body has done to the agents.
    fn terminated(&mut self, now: Instant, key: DialogKey, reason: &str, resubscribe: bool) {
        let Some(dialog) = self.dialogs.get(key) else { return };
        let (kind, phase) = (dialog.kind, dialog.phase);
        let reason: String = reason.chars().take(64).collect();
        let failure = |kind| Failure::new(kind, EndedBy::Peer, format!("the server ended the dialog: {reason}"));
        match (kind, phase) {
            (_, Phase::Closing { .. }) => self.closed(now, key),
            (_, Phase::Orphaned | Phase::Refused { .. }) => self.forget(key),
            // The answer to the question is still to come.
            (Kind::Poll(_), Phase::Opening | Phase::Live) => {}
            (Kind::Single(_), Phase::Opening | Phase::Live) => {
                let is = |word: &str| reason.eq_ignore_ascii_case(word);
                let kind = match () {
                    () if is("deactivated") || is("timeout") => FailureKind::Dialog,
                    () if is("rejected") => FailureKind::Forbidden,
                    () if is("noresource") => FailureKind::NotFound,
                    () if is("invariant") => FailureKind::Invariant,
                    () => FailureKind::Transient,
                };
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
        let options = matches!(request.method(), Some(Method::Options));
        let extra: &[(&str, &str)] = match code {
            405 | 501 => &[("Allow", ALLOW)],
            489 => &[("Allow-Events", PACKAGE)],
            // RFC 3261 section 11.2: what we are capable of.
            200 if options => &[("Allow", ALLOW), ("Accept", ACCEPT), ("Allow-Events", PACKAGE)],
            _ => &[],
        };
        let needs_tag = request.to().is_none_or(|to| to.tag().is_none());
        let tag = if needs_tag { self.tag.to_string() } else { String::new() };
        let bytes = respond(request, code, reason, &tag, extra, None);
        self.transmit(now, flow, bytes);
    }

    pub(super) fn count(&mut self, event: WireEvent) {
        self.effects.push_back(crate::subscriber::SubscriberEffect::Count(event));
    }
}

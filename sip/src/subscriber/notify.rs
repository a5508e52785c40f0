//! Requests of the pool: NOTIFY and BENOTIFY of our dialogs, and whatever else comes.

use std::time::Instant;

use presence_core::{EndedBy, Failure, FailureKind, Status};

use super::book::Key;
use super::dialog::{DialogState, Document};
use super::{Subscriber, SubscriberEffect, WireEvent};
use crate::documents::{PIDF, read_pidf};
use crate::error::Refusal;
use crate::flow::FlowId;
use crate::message::{Message, Method, SubscriptionPhase, SubscriptionState};
use crate::peer::{self, Refused};

impl Subscriber {
    pub(super) fn request(&mut self, now: Instant, flow: FlowId, request: &Message) {
        let Some(method) = request.method() else { return };
        match method {
            // An ACK is never answered (RFC 3261 section 17.1.1.3); ours would belong to a 405.
            Method::Ack => return,
            // Nor is a BENOTIFY, not even with a refusal (MS-SIP).
            Method::Benotify => {
                let taken = self.query_notified(request).unwrap_or_else(|| self.notified(now, request));
                return taken.unwrap_or_else(|(_, event)| self.count_unanswered(event));
            }
            _ => {}
        }
        if !self.config.transport.reliable()
            && let Some(code) = self.answered.answered(request)
        {
            self.count(WireEvent::Duplicate);
            return self.respond(flow, request, code, None);
        }
        let (code, event) = match method {
            Method::Notify => match self.query_notified(request) {
                Some(Ok(())) => (200, None),
                Some(Err((code, event))) => (code, Some(event)),
                None => match self.matching(request) {
                    Ok(key) => return self.notify(now, flow, request, key),
                    Err((code, event)) => (code, Some(event)),
                },
            },
            method => peer::other_request(method),
        };
        event.into_iter().for_each(|event| self.count(event));
        self.conclude(now, flow, request, code);
    }

    /// A message without what every message must have.
    pub(super) fn malformed(&mut self, now: Instant, flow: FlowId, message: &Message, refusal: Refusal) {
        self.count(WireEvent::Malformed);
        let silent = peer::is_silent(message);
        tracing::trace!(?now, status = refusal.status, why = refusal.reason, silent, "malformed message");
        if !silent {
            self.respond(flow, message, refusal.status, Some(refusal.reason));
        }
    }

    fn notify(&mut self, now: Instant, flow: FlowId, request: &Message, key: Key) {
        match self.sequence(request, key) {
            Ok(()) => {
                self.conclude(now, flow, request, 200);
                self.take(now, request, key);
            }
            Err((code, event)) => {
                self.count(event);
                self.conclude(now, flow, request, code);
            }
        }
    }

    /// A BENOTIFY: as a NOTIFY, but whatever is wrong is only counted.
    fn notified(&mut self, now: Instant, request: &Message) -> Result<(), Refused> {
        let key = self.matching(request)?;
        self.sequence(request, key)?;
        self.take(now, request, key);
        Ok(())
    }

    /// The dialog of a notification (RFC 6665 section 4.1.3): Call-ID, our tag, the event, the notifier's tag once it
    /// is known. Before, whoever comes first is the notifier.
    fn matching(&self, request: &Message) -> Result<Key, Refused> {
        let event = peer::presence_event(request)?;
        let unmatched = (481, WireEvent::Unmatched);
        let key = self.book.by_call(request.call_id()).ok_or(unmatched)?;
        let dialog = self.book.get(key).ok_or(unmatched)?;
        // We never send an id, so a NOTIFY with one is of another subscription.
        if event.id.is_some() {
            return Err(unmatched);
        }
        peer::check_dialog(request, dialog.local_tag, dialog.remote_tag.as_deref())?;
        Ok(key)
    }

    fn sequence(&mut self, request: &Message, key: Key) -> Result<(), Refused> {
        let dialog = self.book.get_mut(key).ok_or((500, WireEvent::StaleCSeq))?;
        peer::check_sequence(request, &mut dialog.remote_cseq)
    }

    /// A notification of a dialog, in order and for the first time.
    fn take(&mut self, now: Instant, request: &Message, key: Key) {
        self.notifies += 1;
        let Some(state) = request.subscription_state() else { return };
        self.learn(request, key);
        let Some(dialog) = self.book.get_mut(key) else { return };
        dialog.notify_by = None;
        dialog.has_stalled = false;
        if state.state == SubscriptionPhase::Terminated {
            return self.terminated(key, request, &state);
        }
        match dialog.state {
            DialogState::Closing { .. } => return self.book.rearm(key),
            DialogState::Leaving => return self.close(now, key, "notified, but not wanted any more"),
            DialogState::Opening
            | DialogState::Accepted
            | DialogState::Live
            | DialogState::Doubtful
            | DialogState::Stalled => {}
        }
        if let Some(expires) = state.expires {
            dialog.expires_at = Some(now + expires);
        }
        let (uri, attempt) = (dialog.uri.clone(), dialog.attempt);
        self.book.enter(key, DialogState::Live, "NOTIFY");
        // While the subscription is pending nobody has allowed us to see the truth (RFC 3856): what a document says is
        // not to be believed, and offline least of all.
        let (status, unreadable) = match state.state {
            SubscriptionPhase::Pending => (None, false),
            SubscriptionPhase::Active | SubscriptionPhase::Other | SubscriptionPhase::Terminated => {
                self.document(key, request)
            }
        };
        self.effects.push_back(SubscriberEffect::Notified {
            uri: uri.clone(),
            attempt,
            status,
            expires: state.expires,
        });
        if unreadable {
            self.effects.push_back(SubscriberEffect::WantsRefresh { uri, attempt });
        }
        self.book.rearm(key);
    }

    /// What a notification says about the dialog itself.
    fn learn(&mut self, request: &Message, key: Key) {
        let Some(dialog) = self.book.get(key) else { return };
        let first = dialog.remote_tag.is_none();
        // The first NOTIFY makes the dialog, and we are its server: the route set is in the order of the request.
        let routes: Vec<&str> = if first { request.values("Record-Route").collect() } else { Vec::new() };
        let routes = (!routes.is_empty()).then(|| self.routes(routes.into_iter()));
        let Some(dialog) = self.book.get_mut(key) else { return };
        if first {
            dialog.remote_tag = request.from().and_then(|from| from.tag()).map(Box::from);
        }
        if let Some(routes) = routes {
            dialog.routes = routes;
        }
        self.book.refresh_target(key, request);
    }

    /// What the body says; and whether a refresh is to be asked for because it cannot be read.
    fn document(&mut self, key: Key, request: &Message) -> (Option<Status>, bool) {
        if request.body().is_empty() {
            return (None, false);
        }
        let read = self.read(request);
        if let Err(why) = &read {
            tracing::trace!(why, "unreadable document");
            self.count(WireEvent::UnparsableBody);
        }
        let Some(dialog) = self.book.get_mut(key) else { return (None, false) };
        let before = dialog.document;
        match read {
            Ok(status) => {
                dialog.document = Document::Readable;
                (Some(status), false)
            }
            Err(_) => {
                dialog.document = Document::Unreadable;
                (None, before == Document::Readable)
            }
        }
    }

    fn read(&self, request: &Message) -> Result<Status, String> {
        let media_type = request.content_type().unwrap_or(PIDF).split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case(PIDF) {
            return Err("its media type was not asked for".into());
        }
        read_pidf(request.body(), &self.limits).map_err(|error| error.to_string())
    }

    /// The notifier has ended the subscription (RFC 6665 section 4.1.3).
    fn terminated(&mut self, key: Key, request: &Message, state: &SubscriptionState<'_>) {
        let reason = state.reason.unwrap_or("without a reason");
        let kind = peer::ended_by(reason);
        if kind == FailureKind::Invariant {
            // It ends because it cannot change any more: this is its value for good.
            let (status, _) = self.document(key, request);
            if let (Some(status), Some(dialog)) = (status, self.book.get(key)) {
                let (uri, attempt) = (dialog.uri.clone(), dialog.attempt);
                self.effects.push_back(SubscriberEffect::Notified {
                    uri,
                    attempt,
                    status: Some(status),
                    expires: None,
                });
            }
        }
        let failure = Failure::new(kind, EndedBy::Peer, format!("terminated: {reason}"));
        let diagnostics = request.ms_diagnostics().map(|found| found.id);
        self.fail(key, failure.with_retry_after(state.retry_after).with_ms_diagnostics(diagnostics));
    }

    /// Answers a request, and remembers the answer where copies may come.
    fn conclude(&mut self, now: Instant, flow: FlowId, request: &Message, code: u16) {
        if !self.config.transport.reliable() {
            self.answered.remember(now, request, code);
        }
        self.respond(flow, request, code, None);
    }

    fn respond(&mut self, flow: FlowId, request: &Message, code: u16, reason: Option<&str>) {
        let bytes = peer::answer(request, code, reason, self.tag, PIDF);
        self.effects.push_back(SubscriberEffect::Transmit { flow, bytes });
    }

    fn count(&mut self, event: WireEvent) {
        self.effects.push_back(SubscriberEffect::Count(event));
    }

    fn count_unanswered(&mut self, event: WireEvent) {
        self.count(peer::unanswered(event));
    }
}

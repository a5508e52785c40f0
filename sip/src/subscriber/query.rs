//! What the server says about an agent when it is asked once (RFC 6665 section 4.4.3): a SUBSCRIBE with `Expires: 0`
//! outside of every dialog, and the one NOTIFY that follows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_core::{AgentUri, Attempt, Status};

use super::dialog::{Dialog, DialogState, Document, Exchange, Form, Purpose, Tries};
use super::{Subscriber, SubscriberEffect, requests};
use crate::documents::{PIDF, read_pidf};
use crate::flow::FlowId;
use crate::identity::Identifier;
use crate::message::{Message, SubscriptionPhase};
use crate::peer::{self, Refused};
use crate::transaction::{Answer, ClientTransaction, Due};

/// More questions than this are not open at a time.
const MOST: usize = 256;

/// One question: a dialog that is over with its first NOTIFY.
#[derive(Debug)]
pub(super) struct Query {
    dialog: Dialog,
    /// When nothing more is waited for.
    until: Instant,
}

/// The questions that wait for an answer or for the NOTIFY. There are few: they are searched one by one.
#[derive(Debug, Default)]
pub(super) struct Queries(Vec<Query>);

impl Queries {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let transaction = |query: &Query| query.dialog.exchange.as_ref().and_then(|it| it.transaction.poll_timeout());
        self.0.iter().map(|query| transaction(query).map_or(query.until, |at| at.min(query.until))).min()
    }

    fn position(&self, belongs: impl Fn(&Dialog) -> bool) -> Option<usize> {
        self.0.iter().position(|query| belongs(&query.dialog))
    }

    fn by_call(&self, message: &Message) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        let call_id = Identifier::read(message.call_id())?;
        self.position(|dialog| dialog.call_id == call_id)
    }
}

impl Subscriber {
    /// Asks once how the agent is, beside its dialog; [`SubscriberEffect::Queried`] follows within 32 s. Another question
    /// about the agent before that takes its place.
    pub fn query(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        if let Some(at) = self.queries.position(|dialog| dialog.uri == *uri) {
            self.queries.0.swap_remove(at);
        }
        if self.queries.0.len() >= MOST {
            return self.effects.push_back(SubscriberEffect::NotQueried { uri: uri.clone(), attempt });
        }
        let until = now + self.config.timers.notify_timeout();
        let dialog = Dialog {
            uri: uri.clone(),
            attempt,
            state: DialogState::Closing { until },
            document: Document::Readable,
            outlived: false,
            has_stalled: false,
            call_id: Identifier::fresh(&mut self.entropy),
            local_tag: Identifier::fresh(&mut self.entropy),
            remote_tag: None,
            local_cseq: 0,
            remote_cseq: None,
            routes: Arc::from([]),
            remote_target: None,
            exchange: None,
            notify_by: None,
            expires_at: None,
            armed: None,
        };
        self.queries.0.push(Query { dialog, until });
        self.ask(now, self.queries.0.len() - 1, Tries::new(Duration::ZERO));
    }

    fn ask(&mut self, now: Instant, at: usize, tries: Tries) {
        let Some(Query { dialog, .. }) = self.queries.0.get_mut(at) else { return };
        dialog.local_cseq += 1;
        let branch = Identifier::fresh(&mut self.entropy);
        let way = dialog.way();
        let credentials = match &mut self.digest {
            Some(digest) => digest.authorize("SUBSCRIBE", &way.0, &mut *self.entropy),
            None => Vec::new(),
        };
        let request =
            requests::subscribe(&self.config, dialog, way, branch, Duration::ZERO, Form::Full, credentials).to_bytes();
        let Ok(bytes) = request else { return self.end_query(at, None) };
        let (timers, reliable) = (&self.config.timers, self.config.transport.reliable());
        let timeout = timers.request_timeout();
        let transaction = ClientTransaction::start(now, branch, "SUBSCRIBE", bytes.clone(), reliable, timers, timeout);
        let exchange = Exchange { purpose: Purpose::Close, transaction, tries, credentials: "".into() };
        dialog.exchange = Some(Box::new(exchange));
        self.subscribes += 1;
        self.effects.push_back(SubscriberEffect::Transmit { flow: FlowId::PRIMARY, bytes });
    }

    /// True when the response belonged to a question.
    pub(super) fn query_answer(&mut self, now: Instant, response: &Message, status: u16) -> bool {
        let Some(at) = self.queries.by_call(response) else { return false };
        let (timers, reliable) = (&self.config.timers, self.config.transport.reliable());
        let exchange = self.queries.0.get_mut(at).and_then(|query| query.dialog.exchange.as_mut());
        let Some(exchange) = exchange.filter(|exchange| exchange.transaction.matches(response)) else { return false };
        let mut tries = exchange.tries;
        if exchange.transaction.receive(now, status, reliable, timers) != Answer::Final {
            return true;
        }
        let challenges = tries.server_challenges;
        match status {
            // RFC 5839: nothing follows a 204.
            204 => self.end_query(at, None),
            200..=299 => {
                let tag = response.to().and_then(|to| to.tag()).map(Box::from);
                if let Some(query) = self.queries.0.get_mut(at) {
                    query.dialog.remote_tag = query.dialog.remote_tag.take().or(tag);
                }
            }
            401 | 407 if challenges < 2 && self.digest.as_mut().is_some_and(|it| it.challenge(response).is_ok()) => {
                tries.server_challenges += 1;
                self.ask(now, at, tries);
            }
            _ => self.end_query(at, None),
        }
        true
    }

    /// What a NOTIFY or BENOTIFY says to a question; `None` when it belongs to none.
    pub(super) fn query_notified(&mut self, request: &Message) -> Option<Result<(), Refused>> {
        let at = self.queries.by_call(request)?;
        let Query { dialog, .. } = self.queries.0.get(at)?;
        let checked = peer::presence_event(request)
            .and_then(|_| peer::check_dialog(request, dialog.local_tag, dialog.remote_tag.as_deref()));
        if checked.is_ok() {
            self.notifies += 1;
            let status = self.said(request);
            self.end_query(at, status);
        }
        Some(checked)
    }

    /// The document, where somebody who is allowed to see the truth was told it.
    fn said(&self, request: &Message) -> Option<Status> {
        let state = request.subscription_state()?;
        let is_truth = match state.state {
            SubscriptionPhase::Active | SubscriptionPhase::Other => true,
            SubscriptionPhase::Pending => false,
            SubscriptionPhase::Terminated => state.reason.is_none_or(|reason| {
                ["timeout", "deactivated", "invariant"].iter().any(|word| reason.eq_ignore_ascii_case(word))
            }),
        };
        let media_type = request.content_type().unwrap_or(PIDF).split(';').next().unwrap_or_default().trim();
        let is_document = !request.body().is_empty() && media_type.eq_ignore_ascii_case(PIDF);
        if is_truth && is_document { read_pidf(request.body(), &self.limits).ok() } else { None }
    }

    /// Copies of questions (timer E), and those that nobody has answered in time.
    pub(super) fn queries_due(&mut self, now: Instant) {
        let mut at = 0;
        while let Some(query) = self.queries.0.get_mut(at) {
            if query.until <= now {
                self.end_query(at, None);
                continue;
            }
            at += 1;
            let Some(exchange) = query.dialog.exchange.as_mut() else { continue };
            match exchange.transaction.handle_timeout(now, &self.config.timers) {
                Due::Resend(bytes) => {
                    self.retransmissions += 1;
                    self.effects.push_back(SubscriberEffect::Transmit { flow: FlowId::PRIMARY, bytes });
                }
                Due::TimedOut => query.dialog.exchange = None,
                Due::Nothing if exchange.transaction.poll_timeout().is_none() => query.dialog.exchange = None,
                Due::Nothing => {}
            }
        }
    }

    /// The connection is gone, and with it every answer.
    pub(super) fn queries_lost(&mut self) {
        while !self.queries.0.is_empty() {
            self.end_query(0, None);
        }
    }

    fn end_query(&mut self, at: usize, status: Option<Status>) {
        let Dialog { uri, attempt, .. } = self.queries.0.swap_remove(at).dialog;
        self.queried(uri, attempt, status);
    }

    fn queried(&mut self, uri: AgentUri, attempt: Attempt, status: Option<Status>) {
        self.effects.push_back(SubscriberEffect::Queried { uri, attempt, status });
    }
}

//! Answers to our requests.

use std::time::{Duration, Instant};

use presence_core::{EndedBy, Failure, FailureKind};

use super::book::Key;
use super::dialog::{DialogState, Form, Purpose, Tries};
use super::{Subscriber, SubscriberEffect, WireEvent};
use crate::classify::classify;
use crate::error::DigestError;
use crate::message::Message;
use crate::transaction::Answer;

/// How often one SUBSCRIBE is repaired after a 423; each time it asks for longer.
const TOO_BRIEF_LIMIT: u8 = 2;

/// How often one SUBSCRIBE answers a challenge of the same party: the first, and those that say `stale`.
const CHALLENGE_LIMIT: u8 = 3;

impl Subscriber {
    pub(super) fn answer(&mut self, now: Instant, response: &Message) {
        let Some(status) = response.status() else { return };
        if self.probe_answer(now, response, status) || self.query_answer(now, response, status) {
            return;
        }
        let stray = SubscriberEffect::Count(WireEvent::StrayResponse);
        let Some(key) = self.book.by_call(response.call_id()) else { return self.effects.push_back(stray) };
        let reliable = self.config.transport.reliable();
        let exchange = self.book.get_mut(key).and_then(|dialog| dialog.exchange.as_mut());
        let Some(exchange) = exchange.filter(|exchange| exchange.transaction.matches(response)) else {
            return self.effects.push_back(stray);
        };
        let (purpose, tries) = (exchange.purpose, exchange.tries);
        let answer = exchange.transaction.receive(now, status, reliable, &self.config.timers);
        match answer {
            Answer::Repeated => {}
            Answer::Provisional => self.book.rearm(key),
            Answer::Final => {
                match status {
                    200..=299 => self.accepted(now, key, response, purpose, tries),
                    401 | 407 => self.challenged(now, key, response, status),
                    _ => match repaired(status, response, tries) {
                        Some(tries) => self.again(now, key, purpose, tries),
                        None => self.refused(now, key, purpose, status, classify(status, response)),
                    },
                }
                if reliable
                    && let Some(dialog) = self.book.get_mut(key)
                    && !dialog.awaits_answer()
                {
                    dialog.exchange = None;
                }
                self.book.rearm(key);
            }
        }
    }

    /// The same request again, with a higher CSeq (RFC 3261 section 8.1.3.5).
    fn again(&mut self, now: Instant, key: Key, purpose: Purpose, tries: Tries) {
        match self.book.get(key).map(|dialog| dialog.state) {
            // It is not wanted any more, and the pool has not accepted it.
            Some(DialogState::Leaving) => self.end(key),
            _ => self.send(now, key, purpose, tries),
        }
    }

    fn accepted(&mut self, now: Instant, key: Key, response: &Message, purpose: Purpose, tries: Tries) {
        let routes: Vec<&str> = response.values("Record-Route").collect();
        let routes = (!routes.is_empty()).then(|| self.routes(routes.into_iter().rev()));
        let Some(dialog) = self.book.get_mut(key) else { return };
        let tag = response.to().and_then(|to| to.tag());
        if dialog.remote_tag.is_none() {
            dialog.remote_tag = tag.map(Box::from);
        }
        // Another fork's answer (RFC 3856 section 6.9): it says that the SUBSCRIBE was accepted, not by whom.
        if dialog.remote_tag.as_deref() == tag {
            if purpose == Purpose::Open
                && dialog.routes.is_empty()
                && let Some(routes) = routes
            {
                dialog.routes = routes;
            }
            self.book.refresh_target(key, response);
        }
        let Some(dialog) = self.book.get_mut(key) else { return };
        match dialog.state {
            DialogState::Closing { .. } => return,
            DialogState::Leaving => return self.close(now, key, "accepted, but not wanted any more"),
            DialogState::Opening
            | DialogState::Accepted
            | DialogState::Live
            | DialogState::Doubtful
            | DialogState::Stalled => {}
        }
        // The answer may only shorten what was asked for; a NOTIFY that overtook it knows better.
        let expires = response.expires().unwrap_or(tries.expires).min(tries.expires);
        if expires.is_zero() {
            let why = "accepted for no time at all";
            return self.fail(key, Failure::new(FailureKind::Transient, EndedBy::Peer, why));
        }
        let notified = dialog.notify_by.is_none().then_some(dialog.expires_at).flatten();
        let until = notified.map_or(now + expires, |notified| notified.min(now + expires));
        dialog.expires_at = Some(until);
        if response.status() == Some(204) {
            // RFC 5839: no NOTIFY follows, as nothing has changed.
            dialog.notify_by = None;
        }
        let (uri, attempt, state) = (dialog.uri.clone(), dialog.attempt, dialog.state);
        if std::mem::take(&mut dialog.outlived) {
            self.effects.push_back(SubscriberEffect::Adopted { uri: uri.clone(), attempt });
        }
        let next = match state {
            DialogState::Opening => DialogState::Accepted,
            DialogState::Doubtful => DialogState::Live,
            DialogState::Accepted
            | DialogState::Live
            | DialogState::Stalled
            | DialogState::Leaving
            | DialogState::Closing { .. } => state,
        };
        self.book.enter(key, next, "2xx");
        let expires = until.saturating_duration_since(now);
        self.effects.push_back(SubscriberEffect::Accepted { uri, attempt, expires });
    }

    /// A challenge is answered once, and again when it says that only the nonce is stale.
    fn challenged(&mut self, now: Instant, key: Key, response: &Message, status: u16) {
        let Some(exchange) = self.book.get(key).and_then(|dialog| dialog.exchange.as_ref()) else { return };
        let (purpose, mut tries) = (exchange.purpose, exchange.tries);
        let (header, count) = if status == 401 {
            ("WWW-Authenticate", &mut tries.server_challenges)
        } else {
            ("Proxy-Authenticate", &mut tries.proxy_challenges)
        };
        let says = |what: &str| response.header_all(header).any(|value| value.to_ascii_lowercase().contains(what));
        let stale = says("stale=true") || says("stale=\"true\"");
        let because = |why: &str| {
            let failure = classify(status, response);
            Failure { detail: format!("{}: {why}", failure.detail).into(), ..failure }
        };
        let Some(digest) = self.digest.as_mut() else {
            let failure = because("the pool asks for a password, and the endpoint has none");
            return self.refused(now, key, purpose, status, failure);
        };
        let carried_it =
            response.header_all(header).filter_map(nonce).any(|nonce| exchange.credentials.contains(nonce));
        let hopeless = match digest.challenge(response) {
            // Another request has learned this nonce before; this one did not carry it.
            Err(DigestError::Refused) => carried_it,
            Err(DigestError::NoChallenge | DigestError::Unsupported) => true,
            Ok(()) => false,
        };
        let worn_out = *count >= CHALLENGE_LIMIT || (*count > 0 && !stale);
        if hopeless || worn_out {
            let failure = because("the pool does not accept the user name or the password");
            return self.refused(now, key, purpose, status, failure);
        }
        *count += 1;
        self.again(now, key, purpose, tries);
    }

    fn refused(&mut self, now: Instant, key: Key, purpose: Purpose, status: u16, failure: Failure) {
        let Some(dialog) = self.book.get_mut(key) else { return };
        dialog.notify_by = None;
        let (uri, attempt, state) = (dialog.uri.clone(), dialog.attempt, dialog.state);
        match status {
            503 => self.effects.push_back(SubscriberEffect::Overloaded { retry_after: failure.retry_after }),
            405 | 489 | 501 if self.book.live() == 0 => {
                self.effects.push_back(SubscriberEffect::Unsupported(failure.clone()));
            }
            _ => {}
        }
        match (purpose, state) {
            (_, DialogState::Leaving | DialogState::Closing { .. }) | (Purpose::Close, _) => self.end(key),
            (Purpose::Open, _) => self.fail(key, failure),
            // RFC 6665 section 4.1.2.2: the subscription is still valid until it expires.
            (Purpose::Refresh, _) if failure.kind == FailureKind::Endpoint && !ends_dialog(status) => {
                self.effects.push_back(SubscriberEffect::Failed { uri, attempt, failure });
            }
            (Purpose::Refresh, _) if failure.kind != FailureKind::Dialog && !ends_dialog(status) => {
                self.stall(now, key, failure);
            }
            (Purpose::Refresh, _) => {
                // RFC 3261 section 12.2.1.2: without an answer from the notifier there is no dialog any more.
                let kind = if matches!(status, 408 | 481) { FailureKind::Dialog } else { failure.kind };
                self.fail(key, Failure { kind, ..failure });
                if status == 481 && state == DialogState::Doubtful {
                    self.drop_doubtful();
                }
            }
        }
    }

    /// The pool has forgotten a dialog from before the connection was lost: it has forgotten all of them. They are
    /// dropped, so that the next `subscribe` of each begins anew without asking in vain.
    fn drop_doubtful(&mut self) {
        for key in self.book.keys() {
            let dialog = self.book.get(key);
            if dialog.is_some_and(|dialog| dialog.state == DialogState::Doubtful && !dialog.awaits_answer()) {
                self.book.remove(key);
            }
        }
    }
}

/// What a refused SUBSCRIBE asks for the next time; `None` when there is nothing to repair.
fn repaired(status: u16, response: &Message, tries: Tries) -> Option<Tries> {
    match status {
        423 if tries.too_brief < TOO_BRIEF_LIMIT => {
            let longer = response.min_expires().filter(|least| *least > tries.expires)?;
            // Beyond a day it is not a lifetime but a mistake.
            let sane = longer <= Duration::from_secs(24 * 3600);
            sane.then_some(Tries { expires: longer, too_brief: tries.too_brief + 1, ..tries })
        }
        406 | 420 | 421 if tries.form == Form::Full => Some(Tries { form: Form::Plain, ..tries }),
        _ => None,
    }
}

/// The answers to a refresh that end the subscription (RFC 6665 section 4.1.2.2), and 408 (RFC 3261 section 12.2.1.2).
const fn ends_dialog(status: u16) -> bool {
    matches!(status, 404 | 405 | 408 | 410 | 416 | 480..=485 | 489 | 501 | 604)
}

/// The nonce of a challenge, as it stands between its quotes.
fn nonce(challenge: &str) -> Option<&str> {
    let (_, after) = challenge.split_once("nonce=\"")?;
    after.split_once('"').map(|(nonce, _)| nonce)
}

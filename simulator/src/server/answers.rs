//! What the server answers, and what it makes of answers.

use std::time::{Duration, Instant};

use presence_sip::{Message, respond};

use super::{ConnectionId, PresenceServer};
use crate::faults::{Reaction, Refusal};

/// The methods that the server knows.
pub(super) const ALLOW: &str = "SUBSCRIBE, NOTIFY, OPTIONS";

/// The branch of our Via begins with this (RFC 3261 section 8.1.1.7); the number of the transaction follows.
pub(super) const BRANCH: &str = "z9hG4bK-sim-";

impl PresenceServer {
    /// Answers a request with an error.
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
        code: u16,
        extra: &[(&str, &str)],
    ) {
        self.refuse_late(now, connection, request, code, extra, Duration::ZERO);
    }

    /// The same after a delay.
    pub(super) fn refuse_late(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
        code: u16,
        extra: &[(&str, &str)],
        delay: Duration,
    ) {
        if code == 401 {
            self.counters.challenges += 1;
        } else {
            self.counters.refusals += 1;
        }
        let tag = self.dice.word();
        let bytes = respond(request, code, None, &tag, extra, None);
        self.send(now, connection, bytes, delay);
    }

    /// Answers a request as a fault wants it.
    pub(super) fn refuse_by_fault(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
        refusal: Refusal,
        delay: Duration,
    ) {
        let retry_after = refusal.retry_after.map(|wait| wait.as_secs().to_string());
        let min_expires = refusal.min_expires.map(|least| least.as_secs().to_string());
        let mut extra = Vec::new();
        if let Some(wait) = &retry_after {
            extra.push(("Retry-After", wait.as_str()));
        }
        if let Some(least) = &min_expires {
            extra.push(("Min-Expires", least.as_str()));
        }
        if refusal.code == 489 {
            extra.push(("Allow-Events", "presence"));
        }
        self.refuse_late(now, connection, request, refusal.code, &extra, delay);
    }

    /// True when the request may pass; otherwise it has been challenged.
    pub(super) fn admitted(&mut self, now: Instant, connection: ConnectionId, request: &Message) -> bool {
        let Some(gate) = &mut self.gate else {
            return true;
        };
        match gate.check(request, &mut self.dice) {
            Ok(()) => true,
            Err(challenges) => {
                let extra: Vec<_> = challenges.iter().map(|text| ("WWW-Authenticate", text.as_str())).collect();
                self.refuse(now, connection, request, 401, &extra);
                false
            }
        }
    }

    /// OPTIONS: am I there, and what can I do?
    pub(super) fn on_options(&mut self, now: Instant, connection: ConnectionId, request: &Message) {
        if !self.admitted(now, connection, request) {
            return;
        }
        self.counters.options += 1;
        let delay = self.faults.of(None).delay;
        match self.faults.on_options() {
            Reaction::Ignore => {}
            Reaction::Refuse(refusal) => self.refuse_by_fault(now, connection, request, refusal, delay),
            Reaction::Serve => {
                let tag = self.dice.word();
                let extra = [("Allow", ALLOW), ("Allow-Events", "presence"), ("Accept", "application/pidf+xml")];
                let bytes = respond(request, 200, None, &tag, &extra, None);
                self.send(now, connection, bytes, delay);
            }
        }
    }

    /// An answer to one of our NOTIFYs. One that says that the subscriber has no such dialog ends it
    /// (RFC 6665 section 4.2.2).
    pub(super) fn on_answer(&mut self, message: &Message) {
        let Some(status) = message.status().filter(|status| *status >= 200) else {
            return;
        };
        let via = message.top_via();
        let number = via.as_ref().and_then(|via| via.branch()).and_then(|branch| branch.strip_prefix(BRANCH));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            self.pending.remove(&number);
        }
        if status < 300 {
            self.counters.answers += 1;
            return;
        }
        self.counters.rejected_notifies += 1;
        if status == 481 {
            // The subscriber is the To of a request of ours.
            let remote_tag = message.to().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
            if let Some(number) = self.dialogs.find(message.call_id(), &remote_tag) {
                self.drop_dialog(number);
            }
        }
    }
}

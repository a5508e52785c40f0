//! NOTIFY: what is sent, again if need be, and with which faults.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::answers::BRANCH;
use super::dialogs::Dialog;
use super::schedule::Due;
use super::{ConnectionId, LONGEST_DELAY, PresenceServer, Wire};
use crate::document::{PIDF_TYPE, body};
use crate::faults::Body;
use crate::{Activity, AgentState, Faults};

/// RFC 3261 timer T1.
const T1: Duration = Duration::from_millis(500);
/// RFC 3261 timer T2.
const T2: Duration = Duration::from_secs(4);
/// RFC 3261 timer F: 64*T1.
const GIVE_UP: Duration = Duration::from_secs(32);
/// The largest body that a fault makes.
const MAX_PADDING: usize = 4 << 20;

/// How a subscription is ended by the server (RFC 6665 section 4.1.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Termination {
    /// `deactivated`, `probation`, `rejected`, `timeout`, `giveup`, `noresource`, `invariant` or anything else.
    pub reason: Option<String>,
    /// Adds `retry-after`, in whole seconds.
    pub retry_after: Option<Duration>,
}

impl Termination {
    /// An end for this reason.
    #[must_use]
    pub fn because(reason: &str) -> Self {
        Self { reason: Some(reason.into()), retry_after: None }
    }

    /// The same with `retry-after`.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

/// A NOTIFY over UDP that nobody has answered yet.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) connection: ConnectionId,
    bytes: Bytes,
    dialog: u64,
    interval: Duration,
    give_up_at: Instant,
}

impl PresenceServer {
    /// Tells every subscriber of an agent.
    pub(super) fn notify_agent(&mut self, now: Instant, agent: usize) {
        for number in self.dialogs.of_agent(agent) {
            if self.dialogs.get(number).is_some_and(|dialog| dialog.mute) {
                continue;
            }
            self.notify(now, number, None, Duration::ZERO);
        }
    }

    /// Ends a dialog and says so.
    pub(super) fn end(&mut self, now: Instant, number: u64, termination: &Termination) {
        self.end_late(now, number, termination, Duration::ZERO);
    }

    /// The same; what is said leaves after a delay.
    pub(super) fn end_late(&mut self, now: Instant, number: u64, termination: &Termination, delay: Duration) {
        self.notify(now, number, Some(termination), delay);
        self.drop_dialog(number);
    }

    /// Ends a dialog that has run out.
    pub(super) fn expire(&mut self, now: Instant, number: u64) {
        if self.dialogs.get(number).is_some_and(|dialog| dialog.expires_at <= now) {
            self.end(now, number, &Termination::because("timeout"));
        }
    }

    /// Takes a dialog out without a word.
    pub(super) fn drop_dialog(&mut self, number: u64) {
        if let Some(dialog) = self.dialogs.remove(number) {
            self.schedule.cancel(dialog.expires_at, Due::Expiry(number));
        }
    }

    /// Sends the NOTIFY of one dialog: with its agent's state, or with its end.
    pub(super) fn notify(&mut self, now: Instant, number: u64, end: Option<&Termination>, delay: Duration) {
        let Some(dialog) = self.dialogs.get(number) else {
            return;
        };
        let agent = &self.agents[dialog.agent];
        let faults = self.faults.of(Some(agent.uri.as_str()));
        if faults.no_notify {
            return;
        }
        let connection = dialog.connection;
        if !self.connections.contains_key(&connection) {
            self.counters.undeliverable += 1;
            return;
        }
        let fault = match faults.body {
            Body::Padded(bytes) => Body::Padded(bytes.min(MAX_PADDING)),
            other => other,
        };
        let document = body(agent.uri.as_str(), agent.state, fault);
        let wire = dialog.wire;
        let first = dialog.sequence == 0;
        let record_routes = (first && dialog.routed).then(|| self.routes(wire));
        let own_uri = self.own_uri(wire);
        let transaction = self.number();
        let Some(dialog) = self.dialogs.get_mut(number) else {
            return;
        };
        dialog.sequence = dialog.sequence.saturating_add(if first { 1 } else { faults.sequence_step.max(1) });
        let dialog = &*dialog;
        let left = dialog.expires_at.saturating_duration_since(now).as_secs();
        let state = subscription_state(end, left);
        let address = self.settings.address;
        let head = Head { address, own_uri: &own_uri, transaction, state: &state, record_routes, faults };
        let bytes = head.message(dialog, &document);
        let garbage = faults.malformed_message_first.then(|| head.garbage(dialog));
        self.counters.notifies_sent += 1;
        if let Some(garbage) = garbage {
            self.send(now, connection, garbage, delay);
        }
        if faults.duplicate_notify {
            self.send(now, connection, bytes.clone(), delay);
        }
        if wire == Wire::Udp && !faults.benotify {
            let first_sent_at = now + delay.min(LONGEST_DELAY);
            let give_up_at = first_sent_at + GIVE_UP;
            let pending = Pending { connection, bytes: bytes.clone(), dialog: number, interval: T1, give_up_at };
            self.pending.insert(transaction, pending);
            self.schedule.add(first_sent_at + T1, Due::Retransmit(transaction));
        }
        self.send(now, connection, bytes, delay);
    }

    /// Sends an unanswered NOTIFY once more, or gives its dialog up (RFC 6665 section 4.2.2).
    pub(super) fn retransmit(&mut self, now: Instant, transaction: u64) {
        let Some(pending) = self.pending.get_mut(&transaction) else {
            return;
        };
        if now >= pending.give_up_at {
            let dialog = pending.dialog;
            self.pending.remove(&transaction);
            self.counters.unanswered_notifies += 1;
            self.drop_dialog(dialog);
            return;
        }
        pending.interval = (pending.interval * 2).min(T2);
        let next = (now + pending.interval).min(pending.give_up_at);
        let (connection, bytes) = (pending.connection, pending.bytes.clone());
        self.schedule.add(next, Due::Retransmit(transaction));
        self.transmit(connection, bytes);
    }

    /// Sends this many NOTIFYs to the first `dialogs` dialogs in turn, from where the last burst ended, each of them a
    /// change: busy and available in turn. Says how many it could send: none when there is no dialog.
    pub fn burst(&mut self, now: Instant, dialogs: usize, notifies: usize) -> usize {
        for sent in 0..notifies {
            if self.burst_turn >= dialogs {
                (self.burst_turn, self.burst_at) = (0, 0);
            }
            let Some(number) = self.dialogs.next_after(self.burst_at) else {
                return sent;
            };
            (self.burst_turn, self.burst_at) = (self.burst_turn + 1, number);
            if let Some(dialog) = self.dialogs.get(number) {
                let agent = &mut self.agents[dialog.agent];
                let next = match agent.state.activity {
                    Activity::Busy => Activity::Available,
                    _ => Activity::Busy,
                };
                agent.state = AgentState::of(next);
            }
            self.notify(now, number, None, Duration::ZERO);
        }
        notifies
    }
}

/// The value of Subscription-State.
fn subscription_state(end: Option<&Termination>, seconds_left: u64) -> String {
    let Some(end) = end else {
        return format!("active;expires={seconds_left}");
    };
    let mut text = String::from("terminated");
    // Writing to a String cannot fail.
    if let Some(reason) = &end.reason {
        let _ = write!(text, ";reason={reason}");
    }
    if let Some(wait) = end.retry_after {
        let _ = write!(text, ";retry-after={}", wait.as_secs());
    }
    text
}

/// What the head of a NOTIFY is made of, besides the dialog. Written by hand and not by presence-sip's builder, which
/// would rightly refuse to write most of the faults.
struct Head<'a> {
    address: std::net::SocketAddr,
    own_uri: &'a str,
    transaction: u64,
    state: &'a str,
    record_routes: Option<[String; 2]>,
    faults: Faults,
}

impl Head<'_> {
    /// The whole NOTIFY.
    fn message(&self, dialog: &Dialog, document: &str) -> Bytes {
        let method = if self.faults.benotify { "BENOTIFY" } else { "NOTIFY" };
        let (via, rport) = (dialog.wire.via_value(), if dialog.wire == Wire::Udp { ";rport" } else { "" });
        let event = if self.faults.echo_event { &*dialog.event } else { plain_event(&dialog.event) };
        let Dialog { target, local, local_tag, remote, call_id, sequence, .. } = dialog;
        let (address, own_uri, state, transaction) = (self.address, self.own_uri, self.state, self.transaction);
        let mut text = String::with_capacity(700 + document.len());
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{via} {address};branch={BRANCH}{transaction}{rport}\r\n\
             Max-Forwards: 70\r\nFrom: {local};tag={local_tag}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\n\
             CSeq: {sequence} {method}\r\nContact: <{own_uri}>\r\nEvent: {event}\r\nSubscription-State: {state}\r\n"
        );
        if let Some([near, far]) = &self.record_routes {
            // From this server's side: the hop nearest to the subscriber is on top.
            let _ = write!(text, "Record-Route: {far}\r\nRecord-Route: {near}\r\n");
        }
        if !document.is_empty() {
            let _ = write!(text, "Content-Type: {PIDF_TYPE}\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{document}", document.len());
        Bytes::from(text)
    }

    /// A message that can be framed but not understood: it is not UTF-8, and From and CSeq are missing.
    fn garbage(&self, dialog: &Dialog) -> Bytes {
        let Dialog { target, call_id, .. } = dialog;
        let via = dialog.wire.via_value();
        let mut bytes = format!("NOTIFY {target} SIP/2.0\r\nVia: SIP/2.0/{via} {}\r\n", self.address).into_bytes();
        bytes.extend_from_slice(b"To: \xff\xfe\xfd\r\n");
        bytes.extend_from_slice(format!("Call-ID: {call_id}\r\nContent-Length: 4\r\n\r\nnull").as_bytes());
        Bytes::from(bytes)
    }
}

/// The event in the server's own form: the package, and the id if there is one (RFC 6665 section 8.2.1).
fn plain_event(event: &str) -> &str {
    let has_id = event.split(';').skip(1).any(|param| param.trim_start().to_ascii_lowercase().starts_with("id="));
    if has_id { event } else { "presence" }
}

//! SUBSCRIBE: the first one, refreshes, the last one.

use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_core::AgentUri;
use presence_sip::{Message, respond};

use super::dialogs::Dialog;
use super::notify::Termination;
use super::schedule::Due;
use super::{ConnectionId, PresenceServer, Wire};
use crate::Faults;
use crate::faults::Reaction;

/// What is granted when the SUBSCRIBE does not ask for a lifetime (RFC 3856 section 6.4).
const DEFAULT_EXPIRES: Duration = Duration::from_secs(3_600);

/// The longest lifetime that is granted to anyone.
const LONGEST_EXPIRES: Duration = Duration::from_secs(86_400);

impl PresenceServer {
    /// Takes a SUBSCRIBE.
    pub(super) fn on_subscribe(&mut self, now: Instant, connection: ConnectionId, request: &Message) {
        let remote_tag = request.from().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        let sequence = request.cseq().map_or(0, |(number, _)| number);
        let known = self.dialogs.find(request.call_id(), &remote_tag);
        let before = known.and_then(|number| self.dialogs.get(number));
        if let Some(dialog) = before.filter(|dialog| dialog.remote_sequence == sequence) {
            let bytes = dialog.last_answer.clone();
            self.counters.retransmissions += 1;
            self.transmit(connection, bytes);
            return;
        }
        if !self.admitted(now, connection, request) {
            return;
        }
        self.arrived(now);
        let expires = request.expires().unwrap_or(DEFAULT_EXPIRES);
        let inside = request.to().is_some_and(|to| to.tag().is_some());
        if expires.is_zero() && !inside {
            self.counters.queries += 1;
        } else if expires.is_zero() {
            self.counters.unsubscribes += 1;
        } else if inside {
            self.counters.refreshes += 1;
        } else {
            self.counters.subscribes += 1;
        }
        if request.event().is_none_or(|event| !event.package.eq_ignore_ascii_case("presence")) {
            self.refuse(now, connection, request, 489, &[("Allow-Events", "presence")]);
            return;
        }
        let agent = match (inside, known.and_then(|number| self.dialogs.get(number))) {
            (true, Some(dialog)) => dialog.agent,
            (true, None) => {
                self.counters.unknown_dialogs += 1;
                self.refuse(now, connection, request, 481, &[]);
                return;
            }
            (false, _) => match self.agent_of(request) {
                Some(agent) => agent,
                None => {
                    self.refuse(now, connection, request, 404, &[]);
                    return;
                }
            },
        };
        let uri = self.agents[agent].uri.shared();
        let faults = self.faults.of(Some(&uri));
        match self.faults.on_subscribe(&uri) {
            Reaction::Ignore => return,
            Reaction::Refuse(refusal) => {
                self.refuse_by_fault(now, connection, request, refusal, faults.delay);
                return;
            }
            Reaction::Serve => {}
        }
        if let Some(least) = faults.shortest_expires.filter(|least| !expires.is_zero() && expires < *least) {
            let least = least.as_secs().to_string();
            self.refuse_late(now, connection, request, 423, &[("Min-Expires", &least)], faults.delay);
            return;
        }
        let granted = expires.min(faults.longest_expires.unwrap_or(LONGEST_EXPIRES)).min(LONGEST_EXPIRES);
        match (inside, known) {
            (true, Some(number)) => self.refresh(now, connection, request, number, granted, faults),
            _ => self.begin(now, connection, request, agent, granted, faults),
        }
    }

    /// The agent that a request outside a dialog is for.
    fn agent_of(&self, request: &Message) -> Option<usize> {
        let uri = AgentUri::parse(request.request_uri()?).ok()?;
        self.index.get(uri.as_str()).copied()
    }

    /// A new dialog. With a lifetime of zero it is a fetch: one NOTIFY, and it is over (RFC 6665 section 4.4.3).
    fn begin(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
        agent: usize,
        granted: Duration,
        faults: Faults,
    ) {
        let (Some(from), Some(contact)) = (request.from(), request.contact()) else {
            self.refuse(now, connection, request, 400, &[]);
            return;
        };
        let local_tag = self.dice.word();
        let answer = self.accept(request, &local_tag, connection, granted, faults.two_record_routes);
        let dialog = Dialog {
            agent,
            call_id: request.call_id().into(),
            remote_tag: from.tag().unwrap_or_default().into(),
            local_tag: local_tag.into(),
            remote: request.header("From").unwrap_or_default().into(),
            local: request.header("To").unwrap_or_default().into(),
            target: contact.uri.into(),
            event: request.header("Event").unwrap_or("presence").into(),
            connection,
            wire: self.wire(connection),
            sequence: 0,
            remote_sequence: request.cseq().map_or(0, |(number, _)| number),
            last_answer: answer.clone(),
            expires_at: now + granted,
            routed: faults.two_record_routes,
            mute: false,
        };
        if let Some(old) = self.dialogs.find(&dialog.call_id, &dialog.remote_tag) {
            self.drop_dialog(old);
        }
        let (number, count) = self.dialogs.add(dialog);
        self.schedule.add(now + granted, Due::Expiry(number));
        if !granted.is_zero() {
            self.counters.most_for_one_agent = self.counters.most_for_one_agent.max(count);
        }
        self.answer_and_notify(now, connection, number, answer, faults);
    }

    /// A SUBSCRIBE in a dialog: lives on, from this connection and this Contact, or ends.
    fn refresh(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
        number: u64,
        granted: Duration,
        faults: Faults,
    ) {
        let Some(dialog) = self.dialogs.get(number) else {
            return;
        };
        let to_tag = request.to().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
        if *to_tag != *dialog.local_tag {
            self.counters.unknown_dialogs += 1;
            self.refuse(now, connection, request, 481, &[]);
            return;
        }
        let sequence = request.cseq().map_or(0, |(number, _)| number);
        if sequence < dialog.remote_sequence {
            self.refuse(now, connection, request, 500, &[]);
            return;
        }
        let routed = dialog.routed;
        if !self.route_is_right(request, connection, routed) {
            self.counters.wrong_routes += 1;
        }
        let answer = self.accept(request, &to_tag, connection, granted, false);
        let wire = self.wire(connection);
        if let Some(dialog) = self.dialogs.get_mut(number) {
            if let Some(contact) = request.contact() {
                dialog.target = contact.uri.into();
            }
            dialog.connection = connection;
            dialog.wire = wire;
            dialog.remote_sequence = sequence;
            dialog.last_answer = answer.clone();
            let before = std::mem::replace(&mut dialog.expires_at, now + granted);
            self.schedule.cancel(before, Due::Expiry(number));
            self.schedule.add(now + granted, Due::Expiry(number));
        }
        self.answer_and_notify(now, connection, number, answer, faults);
    }

    /// The 200 of a SUBSCRIBE.
    fn accept(
        &self,
        request: &Message,
        local_tag: &str,
        connection: ConnectionId,
        granted: Duration,
        routed: bool,
    ) -> Bytes {
        let wire = self.wire(connection);
        let contact = format!("<{}>", self.own_uri(wire));
        let expires = granted.as_secs().to_string();
        let [near, far] = self.routes(wire);
        let mut extra = vec![("Contact", contact.as_str()), ("Expires", expires.as_str())];
        if routed {
            // The one nearest to this server is on top; the subscriber turns the list round.
            extra.push(("Record-Route", near.as_str()));
            extra.push(("Record-Route", far.as_str()));
        }
        respond(request, 200, None, local_tag, &extra, None)
    }

    /// Sends the 200 and the NOTIFY that belongs to it, in the order that the faults want.
    fn answer_and_notify(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        number: u64,
        answer: Bytes,
        faults: Faults,
    ) {
        if !faults.notify_before_answer {
            self.send(now, connection, answer.clone(), faults.delay);
        }
        let ended = self.dialogs.get(number).is_some_and(|dialog| dialog.expires_at <= now);
        if ended {
            self.end_late(now, number, &Termination::because("timeout"), faults.delay);
        } else {
            self.notify(now, number, None, faults.delay);
        }
        if faults.notify_before_answer {
            self.send(now, connection, answer, faults.delay);
        }
    }

    /// Whether a request in a dialog goes the way that the Record-Routes laid down.
    fn route_is_right(&self, request: &Message, connection: ConnectionId, routed: bool) -> bool {
        let [near, far] = self.routes(self.wire(connection));
        let expected: &[String] = if routed { &[far, near] } else { &[] };
        request.values("Route").eq(expected.iter().map(String::as_str))
    }

    /// The two Record-Route values, the one nearest to this server first. Both lead to this server.
    pub(super) fn routes(&self, wire: Wire) -> [String; 2] {
        let address = self.settings.address;
        let transport = wire.uri_value();
        [2, 1].map(|hop| format!("<sip:hop{hop}@{address};transport={transport};lr>"))
    }

    /// The URI that this server gives as its own.
    pub(super) fn own_uri(&self, wire: Wire) -> String {
        format!("sip:simulator@{};transport={}", self.settings.address, wire.uri_value())
    }

    /// What a connection is made of.
    fn wire(&self, connection: ConnectionId) -> Wire {
        self.connections.get(&connection).copied().unwrap_or(Wire::Tcp)
    }
}

impl Wire {
    /// For the `transport` parameter of a URI.
    pub(super) const fn uri_value(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }

    /// For a Via.
    pub(super) const fn via_value(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }
}

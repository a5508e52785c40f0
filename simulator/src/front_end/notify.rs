//! What watchers are told: NOTIFY and BENOTIFY, in all the shapes that occur.

use std::fmt::Write as _;
use std::time::Instant;

use bytes::Bytes;

use super::FrontEnd;
use super::batch_body::{SERVICES, STATE};
use super::dialogs::Dialog;
use super::directory::AgentIndex;
use super::documents::{self, CATEGORIES_TYPE, Instance, categories, multipart, resource_list};
use crate::AgentState;

/// How many instances one notification holds at most.
const MOST_INSTANCES: usize = 500;

/// Content type and body.
pub(super) type Content = (String, String);

/// A text as the header `name: value`, in the shape that the turn wants: as documented, in lower case, folded.
fn header(text: &mut String, turn: u32, name: &str, value: &str) {
    match turn % 3 {
        1 => {
            let name = if name == "CSeq" { "Cseq".to_owned() } else { name.to_ascii_lowercase() };
            text.extend([&name, ": ", value, "\r\n"]);
        }
        2 => {
            // A fold may stand wherever a blank may; inside a URI it may not.
            let at = if value.starts_with('<') { value.find('>').map(|at| at + 1) } else { value.find([' ', ';']) };
            let (first, rest) = value.split_at_checked(at.unwrap_or(value.len())).unwrap_or((value, ""));
            if rest.is_empty() || name == "CSeq" {
                text.extend([name, " : ", value, "\r\n"]);
            } else {
                text.extend([name, ": ", first, "\r\n ", rest.trim_start(), "\r\n"]);
            }
        }
        _ => text.extend([name, ": ", value, "\r\n"]),
    }
}

impl FrontEnd {
    /// Tells the watchers of an agent what changed; costs only those.
    pub(super) fn tell_watchers(&mut self, now: Instant, agent: AgentIndex, before: AgentState) {
        if self.faults.services_off {
            return;
        }
        let Some(found) = self.directory.get(agent) else { return };
        let state = found.state;
        let services = (before.audio, before.video, before.text) != (state.audio, state.video, state.text);
        let other = AgentState { audio: state.audio, video: state.video, text: state.text, ..before };
        // What repeats itself is told again, as a publication is.
        let mut changed = if other != state || !services { STATE } else { 0 };
        changed |= if services { SERVICES } else { 0 };
        let bursts = self.settings.switches.bursts;
        for number in found.watchers.clone() {
            let Some(wanted) = self.wanted(number, agent) else { continue };
            if bursts {
                for category in [SERVICES & wanted, STATE & wanted] {
                    self.tell_categories(now, number, agent, category);
                }
            } else {
                self.tell_categories(now, number, agent, changed & wanted);
            }
        }
    }

    fn wanted(&self, number: u64, agent: AgentIndex) -> Option<u8> {
        self.dialogs.get(number)?.members.get(&agent).filter(|member| !member.mute).map(|member| member.categories)
    }

    fn tell_categories(&mut self, now: Instant, number: u64, agent: AgentIndex, which: u8) {
        if which & (STATE | SERVICES) == 0 {
            return;
        }
        let multipart = self.settings.switches.multipart_updates;
        let Some(owner) = self.dialogs.get(number).map(|dialog| dialog.owner.clone()) else { return };
        let content = if multipart {
            self.content(now, owner.as_str(), &[(agent, which)], &[])
        } else {
            self.document(now, agent, which).map(|document| (CATEGORIES_TYPE.to_owned(), document))
        };
        self.counters.resources_told += 1;
        self.notify(now, number, content, false);
    }

    /// The categories of an agent as a document, spoiled if ordered so.
    pub(super) fn document(&self, now: Instant, agent: AgentIndex, which: u8) -> Option<String> {
        let found = self.directory.get(agent)?;
        let since = now.saturating_duration_since(self.began);
        let mut text = categories(found.uri.as_str(), found.state, which, since, self.settings.switches.extensions);
        if self.faults.malformed {
            documents::spoil(&mut text);
        }
        Some(text)
    }

    /// A list with the categories of some agents, and with how it stands with others.
    pub(super) fn content(
        &mut self,
        now: Instant,
        own: &str,
        active: &[(AgentIndex, u8)],
        others: &[(String, Instance)],
    ) -> Option<Content> {
        let boundary = format!("{}{}", self.dice.word(), self.dice.word());
        let mut parts = Vec::with_capacity(active.len());
        let mut listed = Vec::with_capacity(active.len() + others.len());
        for (agent, which) in active {
            let document = self.document(now, *agent, *which)?;
            let uri = self.directory.get(*agent)?.uri.as_str();
            if !self.settings.switches.rlmi_omits_active {
                listed.push((uri, Instance::Active));
            }
            parts.push((uri, document));
        }
        listed.extend(others.iter().map(|(uri, instance)| (uri.as_str(), instance.clone())));
        Some(multipart(&boundary, &resource_list(own, &listed), &parts))
    }

    /// Tells a dialog how it stands with some resources, without categories, in as many messages as are needed.
    pub(super) fn tell_instances(&mut self, now: Instant, number: u64, instances: &[(String, Instance)], ended: bool) {
        let Some(owner) = self.dialogs.get(number).map(|dialog| dialog.owner.clone()) else { return };
        let mut rest = instances;
        loop {
            let (chunk, behind) = rest.split_at(rest.len().min(MOST_INSTANCES));
            rest = behind;
            let last = rest.is_empty();
            let content = if chunk.is_empty() { None } else { self.content(now, owner.as_str(), &[], chunk) };
            if content.is_some() || (last && ended) {
                self.notify(now, number, content, last && ended);
            }
            if last {
                return;
            }
        }
    }

    /// Sends a notification in a dialog.
    pub(super) fn notify(&mut self, now: Instant, number: u64, content: Option<Content>, ended: bool) {
        let gap = if self.settings.switches.sequence_gaps { 1 + self.dice.below(3) } else { 1 };
        let Some(dialog) = self.dialogs.get_mut(number) else { return };
        dialog.sequence += u32::try_from(gap).unwrap_or(1);
        let dialog = dialog.head();
        self.notify_as(now, &dialog, content, ended);
    }

    /// The same for a dialog that is not kept.
    pub(super) fn notify_as(&mut self, now: Instant, dialog: &Dialog, content: Option<Content>, ended: bool) {
        let bytes = self.notification(now, dialog, content, ended);
        self.counters.notifications += 1;
        self.deliver(now, &dialog.owner, &dialog.epid, (dialog.connection, &dialog.target), bytes);
    }

    /// The Request-URI towards an endpoint: its registered Contact with the connection, or what it asked for.
    fn request_uri(&self, dialog: &Dialog) -> String {
        match self.registrations.get(&dialog.owner, &dialog.epid) {
            Some(registration) if super::delivery::place(&dialog.target, self.settings.wire).is_none() => {
                format!("{};ms-received-cid={:X}00", registration.contact, registration.connection.0)
            }
            _ => dialog.target.to_string(),
        }
    }

    fn notification(&mut self, now: Instant, dialog: &Dialog, content: Option<Content>, ended: bool) -> Bytes {
        let method = if dialog.benotify { "BENOTIFY" } else { "NOTIFY" };
        let turn = if self.settings.switches.header_variants { dialog.sequence } else { 0 };
        let left = dialog.expires_at.saturating_duration_since(now).as_secs();
        let state = if ended { "terminated;expires=0".to_owned() } else { format!("active;expires={left}") };
        let (kind, body) = content.unwrap_or_default();
        let mut text = String::with_capacity(1_100 + body.len());
        // Writing to a String cannot fail.
        let _ = write!(text, "{method} {} SIP/2.0\r\n", self.request_uri(dialog));
        text.push_str(&self.via(dialog.pool));
        text.push_str("Max-Forwards: 70\r\n");
        header(&mut text, turn, "From", &format!("{};tag={}", dialog.local, dialog.local_tag));
        header(&mut text, turn, "To", &dialog.remote);
        header(&mut text, turn, "Call-ID", &dialog.call_id);
        header(&mut text, turn, "CSeq", &format!("{} {method}", dialog.sequence));
        header(&mut text, turn, "Contact", &format!("<{}>", dialog.contact));
        if let Some(route) = &dialog.route {
            header(&mut text, turn, "Record-Route", route);
        }
        header(&mut text, turn, "Event", "presence");
        header(&mut text, turn, "subscription-state", &state);
        if kind.starts_with("multipart") {
            text.push_str("Require: eventlist\r\n");
        }
        if !kind.is_empty() {
            header(&mut text, turn, "Content-Type", &kind);
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        Bytes::from(text)
    }
}

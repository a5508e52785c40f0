//! What a real client asks for beside presence: its contacts, its settings, itself.

use std::fmt::Write as _;
use std::time::Instant;

use presence_core::AgentUri;
use presence_sip::{Message, Method};

use super::FrontEnd;
use super::answers::{Answer, Refusal};
use super::documents::{content_id, escape, timestamp};
use super::publication::{self, PUBLISH_TYPE};
use super::registrar::EVENTS;
use crate::ConnectionId;

/// How many agents the contact list of every user holds.
const MOST_CONTACTS: usize = 100;

/// The content type of a user's own data.
const SELF_TYPE: &str = "application/vnd-microsoft-roaming-self+xml";

/// What a front end does besides registration and subscription.
pub(super) const ALLOW: &str =
    "REGISTER, SUBSCRIBE, NOTIFY, BENOTIFY, SERVICE, OPTIONS, INVITE, ACK, BYE, CANCEL, INFO, MESSAGE";

impl FrontEnd {
    /// A subscription to one of the packages of the user's own data. It is answered with the document, and no dialog is
    /// kept: this data does not change here.
    pub(super) fn on_roaming(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
        package: &str,
    ) -> Result<(), Refusal> {
        if let Some(refusal) = self.faults.refusal(&Method::Subscribe, |_| false) {
            return Err(refusal);
        }
        self.epid_of(request)?;
        let from = request.from().and_then(|from| AgentUri::parse(from.uri).ok());
        let own = from.ok_or(Refusal::of_status(400))?;
        let (kind, body) = match package {
            "vnd-microsoft-roaming-contacts" => ("application/vnd-microsoft-roaming-contacts+xml", self.contact_list()),
            "vnd-microsoft-provisioning-v2" => (
                "application/vnd-microsoft-roaming-provisioning-v2+xml",
                "<provisionGroupList \
                 xmlns=\"http://schemas.microsoft.com/2006/09/sip/provisiongrouplist-notification\"/>"
                    .into(),
            ),
            "vnd-microsoft-roaming-self" => (SELF_TYPE, roaming_data(&own)),
            "vnd-microsoft-provisioning" => (
                "application/vnd-microsoft-roaming-provisioning+xml",
                "<provisioning xmlns=\"http://schemas.microsoft.com/2006/09/sip/provisioning\"/>".into(),
            ),
            "vnd-microsoft-roaming-ACL" => (
                "application/vnd-microsoft-roaming-acls+xml",
                "<acls xmlns=\"http://schemas.microsoft.com/2002/09/sip/presence\" deltaNum=\"1\"/>".into(),
            ),
            "presence.wpending" => ("text/xml+msrtc.wpending", "<watchers/>".into()),
            _ => return Err(Refusal::new(489, 1000).with("Allow-Events", EVENTS)),
        };
        let switches = &self.settings.switches;
        let left = request.expires().unwrap_or(switches.expires).min(switches.expires).as_secs();
        let state = if left == 0 { "terminated;expires=0".into() } else { format!("active;expires={left}") };
        let contact = self.contact_uri(self.pool_of(connection));
        let mut answer = Answer::new(200)
            .header("Contact", format!("<{contact}>"))
            .header("Expires", left.to_string())
            .header("Event", package)
            .header("subscription-state", state)
            .header("ms-piggyback-cseq", "1")
            .header("Supported", "ms-piggyback-first-notify");
        answer.body = Some((kind.into(), body));
        self.answer(now, connection, request, answer);
        Ok(())
    }

    fn contact_list(&self) -> String {
        let mut text = String::with_capacity(400 + 120 * MOST_CONTACTS);
        text.push_str(concat!(
            "<contactList deltaNum=\"1\" xmlns=\"http://schemas.microsoft.com/2006/09/sip/contacts\">",
            "<group id=\"1\" name=\"~\" externalURI=\"\"/>",
        ));
        for agent in self.directory.agents().iter().take(MOST_CONTACTS) {
            text.push_str("<contact uri=\"");
            escape(content_id(agent.uri.as_str()), &mut text);
            text.push_str("\" name=\"\" groups=\"1\" subscribed=\"true\" externalURI=\"\"/>");
        }
        text.push_str("</contactList>");
        text
    }

    /// Every other request: a real client wants to hear 200.
    pub(super) fn on_other(&mut self, now: Instant, connection: ConnectionId, request: &Message, method: &Method) {
        let about = request.request_uri().and_then(|uri| AgentUri::parse(uri).ok());
        if let Some(refusal) = self.faults.refusal(method, |agent| about.as_ref() == Some(agent)) {
            return self.refuse(now, connection, request, refusal);
        }
        match method {
            Method::Options => {
                let answer = Answer::new(200)
                    .header("Allow", ALLOW)
                    .header("Allow-Events", EVENTS)
                    .header("Supported", "adhoclist")
                    .header("Supported", "msrtc-event-categories");
                self.answer(now, connection, request, answer);
            }
            Method::Service if request.content_type() == Some(PUBLISH_TYPE) => {
                self.on_publish(now, connection, request)
            }
            Method::Info | Method::Bye | Method::Message | Method::Service | Method::Cancel => {
                self.answer(now, connection, request, Answer::new(200));
            }
            Method::Invite => match self.settings.switches.invite_status {
                status @ 300..700 => self.refuse(now, connection, request, Refusal::of_status(status)),
                _ => {
                    let contact = self.contact_uri(self.pool_of(connection));
                    let answer = Answer::new(200).header("Contact", format!("<{contact}>"));
                    self.answer(now, connection, request, answer);
                }
            },
            // Nothing of ours waits for an ACK, and a BENOTIFY is never answered.
            Method::Ack | Method::Benotify => {}
            Method::Notify | Method::Publish | Method::Register | Method::Subscribe => {
                self.refuse(now, connection, request, Refusal::new(405, 1000).with("Allow", ALLOW));
            }
            Method::Other(_) => self.refuse(now, connection, request, Refusal::new(501, 1000)),
        }
    }

    /// The user says how it is: confirmed with the versions that its next publication must name.
    fn on_publish(&mut self, now: Instant, connection: ConnectionId, request: &Message) {
        let own = request.from().map_or("", |from| from.uri);
        let time = timestamp(now.saturating_duration_since(self.began));
        match publication::confirmation(own, request.body(), &time) {
            Ok(body) => {
                let mut answer = Answer::new(200);
                answer.body = Some((SELF_TYPE.into(), body));
                self.answer(now, connection, request, answer);
            }
            Err(mistake) => {
                tracing::debug!(mistake, "a publication is refused");
                self.refuse(now, connection, request, Refusal::of_status(400));
            }
        }
    }
}

fn roaming_data(own: &AgentUri) -> String {
    let mut text = String::with_capacity(500);
    let mut uri = String::new();
    escape(own.as_str(), &mut uri);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "<roamingData xmlns=\"http://schemas.microsoft.com/2006/09/sip/roaming-self\">\
         <categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" uri=\"{uri}\"/>\
         <containers xmlns=\"http://schemas.microsoft.com/2006/09/sip/containers\"/>\
         <subscribers xmlns=\"http://schemas.microsoft.com/2006/09/sip/presence-subscribers\"/></roamingData>"
    );
    text
}

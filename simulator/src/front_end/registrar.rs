//! REGISTER (MS-SIPREGE): who is here, and where everyone belongs.

use std::time::{Duration, Instant};

use presence_core::AgentUri;
use presence_sip::{Epid, Instance, Message, Method};

use super::FrontEnd;
use super::answers::{Answer, Refusal};
use super::command::EndpointEvent;
use super::registrations::Registration;
use super::schedule::Due;
use crate::ConnectionId;

/// The event packages of a front end, without blanks as clients expect it.
pub(super) const EVENTS: &str = "vnd-microsoft-provisioning,vnd-microsoft-roaming-contacts,\
    vnd-microsoft-roaming-ACL,presence,presence.wpending,vnd-microsoft-roaming-self,vnd-microsoft-provisioning-v2";

/// How many endpoints there may be, all owners together; a peer of a test must not take all memory.
const MOST_ENDPOINTS: usize = 100_000;

/// The longest epid (MS-SIPREGE).
const LONGEST_EPID: usize = 16;

impl FrontEnd {
    /// Rule 1: the epid of From.
    ///
    /// # Errors
    /// 400 with diagnostics 4010 or 4011.
    pub(super) fn epid_of(&mut self, request: &Message) -> Result<Epid, Refusal> {
        let Some(text) = request.from().and_then(|from| from.param("epid")).filter(|epid| !epid.is_empty()) else {
            self.violation(1, format_args!("{} without epid in From", method(request)));
            return Err(Refusal::new(400, 4010));
        };
        Epid::new(text).ok_or_else(|| {
            let what = if text.len() > LONGEST_EPID { "is too long" } else { "is not hexadecimal" };
            self.violation(1, format_args!("the epid of a {} {what}", method(request)));
            Refusal::new(400, 4011)
        })
    }

    pub(super) fn on_register(&mut self, now: Instant, connection: ConnectionId, request: &Message) {
        self.counters.registers += 1;
        let from = request.from().and_then(|from| AgentUri::parse(from.uri).ok());
        let refused = self.faults.refusal(&Method::Register, |agent| from.as_ref() == Some(agent));
        let served = refused.map_or_else(|| self.register(now, connection, request), Err);
        if let Err(refusal) = served {
            self.refuse(now, connection, request, refusal);
        }
    }

    fn register(&mut self, now: Instant, connection: ConnectionId, request: &Message) -> Result<(), Refusal> {
        let epid = self.epid_of(request)?;
        let bad = || Refusal::of_status(400);
        let from = request.from().and_then(|from| AgentUri::parse(from.uri).ok()).ok_or_else(bad)?;
        let to = request.to().and_then(|to| AgentUri::parse(to.uri).ok()).ok_or_else(bad)?;
        if from != to {
            self.violation(2, format_args!("REGISTER of {} by {}", to.as_str(), from.as_str()));
            return Err(Refusal::new(403, 4004));
        }
        let owner = self.directory.owner(&from).ok_or(Refusal::of_status(404))?;
        if owner.disabled {
            return Err(Refusal::new(403, 4003));
        }
        if owner.pool != self.pool_of(connection) {
            let home = self.contact_uri(owner.pool);
            return Err(Refusal::new(301, 0).with("Contact", format!("<{home}>")));
        }
        let contact = request.contact().ok_or_else(bad)?;
        let instance = contact.param("+sip.instance").and_then(Instance::parse);
        if self.settings.switches.strict && instance.is_some_and(|instance| instance != epid.instance()) {
            self.violation(1, format_args!("+sip.instance does not follow from the epid {epid}"));
        }
        let wish = contact.param("expires").and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let longest = self.settings.switches.registration_expires;
        let granted = wish.or_else(|| request.expires()).unwrap_or(longest).min(longest);
        if granted.is_zero() {
            self.unregister(now, connection, request, &from, epid.as_str());
            return Ok(());
        }
        if self.registrations.get(&from, epid.as_str()).is_none() && self.registrations.len() >= MOST_ENDPOINTS {
            return Err(Refusal::of_status(503));
        }
        let action = self.enrol(now, connection, request, &from, &epid, granted);
        let (contact, seconds) = (contact.uri, granted.as_secs());
        let urn = epid.instance().urn();
        let gruu = format!("{};opaque=user:epid:{};gruu", from.as_str(), epid.instance().gruu_opaque());
        let mut answer = Answer::new(200)
            .header("Contact", format!("<{contact}>;expires={seconds};+sip.instance=\"<{urn}>\";gruu=\"{gruu}\""))
            .header("Expires", seconds.to_string())
            .header(
                "presence-state",
                format!(
                    "register-action=\"{action}\";primary-cluster-type=\"central\";is-connected-to-primary=\"yes\""
                ),
            )
            .header("Allow-Events", EVENTS)
            .header("Supported", "adhoclist")
            .header("Supported", "msrtc-event-categories");
        if request.header("ms-keep-alive").is_some() {
            let timeout = self.settings.switches.keep_alive.as_secs();
            let value = format!("UAS; tcp=no; hop-hop=yes; end-end=no; timeout={timeout}");
            answer = answer.header("ms-keep-alive", value);
        }
        self.answer(now, connection, request, answer);
        self.keep_to_the_limit(now, &from);
        Ok(())
    }

    /// Adds, replaces or refreshes a registration; says which.
    fn enrol(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
        owner: &AgentUri,
        epid: &Epid,
        granted: Duration,
    ) -> &'static str {
        let contact = request.contact().map(|contact| contact.uri).unwrap_or_default();
        let before = self.registrations.remove(owner, epid.as_str());
        if let Some(before) = &before {
            self.schedule.cancel(before.expires_at, Due::RegistrationExpiry(before.number));
        }
        let same = before.filter(|before| *before.call_id == *request.call_id());
        let action = if same.is_some() { "refreshed" } else { "added" };
        let (number, local_tag, sequence) = match same {
            Some(before) => (before.number, before.local_tag, before.sequence),
            None => (self.registrations.number(), self.dice.word().into(), 0),
        };
        let expires_at = now + granted;
        self.lost.remove(&(owner.shared(), epid.as_str().into()));
        self.schedule.add(expires_at, Due::RegistrationExpiry(number));
        self.registrations.insert(Registration {
            number,
            owner: owner.clone(),
            epid: epid.as_str().into(),
            pool: self.pool_of(connection),
            connection,
            contact: contact.into(),
            call_id: request.call_id().into(),
            remote: request.header("From").unwrap_or_default().into(),
            local_tag,
            sequence,
            expires_at,
        });
        action
    }

    fn unregister(&mut self, now: Instant, connection: ConnectionId, request: &Message, owner: &AgentUri, epid: &str) {
        self.drop_endpoint(owner, epid, false);
        let answer = Answer::new(200)
            .header("Expires", "0")
            .header("presence-state", "register-action=\"removed\"")
            .header("Allow-Events", EVENTS)
            .header("Supported", "adhoclist")
            .header("Supported", "msrtc-event-categories");
        self.answer(now, connection, request, answer);
    }

    /// The oldest endpoints of an owner go when there are too many.
    fn keep_to_the_limit(&mut self, now: Instant, owner: &AgentUri) {
        let endpoints = self.registrations.which(|one| one.owner == *owner);
        let too_many = endpoints.len().saturating_sub(self.settings.switches.endpoint_limit.max(1));
        for (owner, epid) in endpoints.into_iter().take(too_many) {
            self.tell_endpoint(now, &owner, &epid, Some(EndpointEvent::Unregistered), None);
        }
    }

    /// Removes a registration with its dialogs. `by_us`: the endpoint may not know it yet.
    pub(super) fn drop_endpoint(&mut self, owner: &AgentUri, epid: &str, by_us: bool) {
        if let Some(registration) = self.registrations.remove(owner, epid) {
            self.schedule.cancel(registration.expires_at, Due::RegistrationExpiry(registration.number));
        }
        if by_us && self.lost.len() < MOST_ENDPOINTS {
            self.lost.insert((owner.shared(), epid.into()));
        }
        for number in self.dialogs.which(|dialog| dialog.owner == *owner && *dialog.epid == *epid) {
            self.drop_dialog(number);
        }
    }

    /// A registration ran out: the endpoint is gone, and so are its dialogs.
    pub(super) fn expire_registration(&mut self, now: Instant, number: u64) {
        let Some(found) = self.registrations.numbered(number).filter(|found| found.expires_at <= now) else { return };
        let (owner, epid) = (found.owner.clone(), found.epid.clone());
        self.drop_endpoint(&owner, &epid, false);
    }
}

/// The method of a request, for words.
pub(super) fn method(request: &Message) -> &str {
    request.method().map_or("", |method| method.as_str())
}

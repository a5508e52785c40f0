//! What endpoints are told of their registration (`Event: registration-notify`, MS-SIPREGE 2.2.1.13).

use std::fmt::Write as _;
use std::time::Instant;

use bytes::Bytes;
use presence_core::AgentUri;

use super::FrontEnd;
use super::command::EndpointEvent;

impl FrontEnd {
    /// Tells one endpoint an event, or that User Services are back (`None`), and drops it where the event says so.
    /// `elsewhere` is the pool that `preferred-registrar-change` names.
    pub(super) fn tell_endpoint(
        &mut self,
        now: Instant,
        owner: &AgentUri,
        epid: &str,
        event: Option<EndpointEvent>,
        elsewhere: Option<usize>,
    ) {
        let diagnostics = event.map(EndpointEvent::diagnostics);
        let Some(pool) = self.registrations.get(owner, epid).map(|registration| registration.pool) else { return };
        let diagnostics = diagnostics.map(|number| self.diagnostics(pool, number));
        let registrar = elsewhere.map(|pool| self.contact_uri(pool));
        let (via, server) = (self.via(pool), self.contact_uri(pool));
        let Some(registration) = self.registrations.get_mut(owner, epid) else { return };
        registration.sequence += 1;
        let body = match event {
            Some(event) => format!("deregistered;event={}\r\n", event.word()),
            None => "registered;event=userservices-available\r\n".into(),
        };
        let cid = registration.connection.0;
        let mut text = String::with_capacity(900);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "NOTIFY {};ms-received-cid={cid:X}00 SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: <{}>;tag={}\r\nTo: {}\r\n\
             Call-ID: {}\r\nCSeq: {} NOTIFY\r\nContact: <{server}>\r\nEvent: registration-notify\r\n\
             subscription-state: terminated;expires=0\r\n",
            registration.contact,
            owner.as_str(),
            registration.local_tag,
            registration.remote,
            registration.call_id,
            registration.sequence,
        );
        if let Some(diagnostics) = diagnostics {
            let _ = write!(text, "ms-diagnostics: {diagnostics}\r\n");
        }
        if let Some(registrar) = registrar {
            let _ = write!(text, "P-Preferred-Registrar: <{registrar}>\r\n");
        }
        let _ = write!(text, "Content-Type: text/registration-event\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let last = (registration.connection, registration.contact.clone());
        self.deliver(now, owner, epid, (last.0, &last.1), Bytes::from(text));
        match event {
            None => {}
            // Whether the client goes on with its dialogs or begins new ones afterwards is its own choice.
            Some(EndpointEvent::UserServicesUnavailable) => {
                for number in self.dialogs.which(|dialog| dialog.owner == *owner && *dialog.epid == *epid) {
                    if let Some(dialog) = self.dialogs.get_mut(number) {
                        dialog.registration = 0;
                    }
                }
            }
            Some(
                EndpointEvent::Unregistered
                | EndpointEvent::Rejected
                | EndpointEvent::Deactivated
                | EndpointEvent::PreferredRegistrarChange,
            ) => self.drop_endpoint(owner, epid, true),
        }
    }

    /// Tells every endpoint of an owner, or of everyone; how many.
    pub(super) fn tell_endpoints(
        &mut self,
        now: Instant,
        owner: Option<&AgentUri>,
        event: Option<EndpointEvent>,
        elsewhere: Option<usize>,
    ) -> usize {
        let endpoints = self.registrations.which(|one| owner.is_none_or(|owner| one.owner == *owner));
        for (owner, epid) in &endpoints {
            self.tell_endpoint(now, owner, epid, event, elsewhere);
        }
        endpoints.len()
    }
}

//! What the pool tells of our registration by itself: NOTIFY and BENOTIFY of the event `registration` (MS-SIPREGE).

use std::time::Instant;

use presence_core::{Again, AgentUri, EndedBy, Failure, FailureKind, TransitionReason};

use super::contact::preferred_registrar;
use super::state::State;
use super::{Registration, RegistrationEffect};
use crate::documents::{RegistrationEvent, read_registration_event};
use crate::flow::FlowId;
use crate::message::{Message, Method};
use crate::response::respond;
use crate::subscriber::WireEvent;

/// The packages of the implicit subscription that every REGISTER of ours makes.
const PACKAGES: [&str; 2] = ["registration", "registration-notify"];

impl Registration {
    /// Takes an event about our registration; true when it is one, whoever it is for, and nobody else needs to look at
    /// it. A NOTIFY is answered on its flow, a BENOTIFY never.
    ///
    /// It is ours when its To is our URI, with our tag and our epid where it has any; when its From is our URI too, or
    /// is a server's of our domain (a URI without a user); and when we are not unregistered. The Call-ID is not looked
    /// at: MS-SIPREGE does not say that it is that of the REGISTER. Anything else is 481 and counted.
    pub fn receive_event(&mut self, now: Instant, flow: FlowId, request: &Message) -> bool {
        let answered = match request.method() {
            Some(Method::Notify) => true,
            Some(Method::Benotify) => false,
            _ => return false,
        };
        if !request.event().is_some_and(|event| PACKAGES.iter().any(|ours| event.package.eq_ignore_ascii_case(ours))) {
            return false;
        }
        if !self.concerns_us(request) {
            let event = if answered { WireEvent::Unmatched } else { WireEvent::UnmatchedBenotify };
            self.count(event);
            if answered {
                self.answer(now, flow, request, 481);
            }
            return true;
        }
        if answered {
            self.answer(now, flow, request, 200);
        }
        if self.is_copy(request) {
            self.count(WireEvent::Duplicate);
        } else {
            self.event(request);
        }
        true
    }

    fn concerns_us(&self, request: &Message) -> bool {
        let ours = |uri: &str| AgentUri::parse(uri).is_ok_and(|uri| uri == self.config.endpoint);
        let (Some(to), Some(from)) = (request.to(), request.from()) else { return false };
        let to_us = ours(to.uri)
            && to.tag().is_none_or(|tag| self.identity.tag.is(tag))
            && to.param("epid").is_none_or(|epid| epid.eq_ignore_ascii_case(self.config.epid.as_str()));
        to_us && (ours(from.uri) || self.is_server(from.uri)) && !matches!(self.state, State::Unregistered)
    }

    /// True for `sip:domain` and `sip:server.domain` with whatever port and parameters.
    fn is_server(&self, uri: &str) -> bool {
        let Some((scheme, rest)) = uri.split_once(':') else { return false };
        let host = rest.split([':', ';', '?']).next().unwrap_or_default();
        let domain = self.config.endpoint.host().unwrap_or_default();
        let sip = scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips");
        sip && !rest.contains('@') && crate::discovery::belongs_to(host, domain)
    }

    /// On UDP a NOTIFY comes again when our answer was lost.
    fn is_copy(&mut self, request: &Message) -> bool {
        if self.config.transport.reliable() {
            return false;
        }
        let this = (request.call_id().into(), request.cseq().unwrap_or_default().0);
        let copy = self.last_event.as_ref() == Some(&this);
        self.last_event = Some(this);
        copy
    }

    fn event(&mut self, request: &Message) {
        let event = match read_registration_event(request.body()) {
            Some(RegistrationEvent::Other(line)) => diagnosed(request).unwrap_or(RegistrationEvent::Other(line)),
            Some(event) => event,
            None => match diagnosed(request) {
                Some(event) => event,
                None => return self.count(WireEvent::UnparsableBody),
            },
        };
        match event {
            RegistrationEvent::UserServicesUnavailable => {
                let failure = told(request, "the pool's presence service is not available");
                self.effects.push_back(RegistrationEffect::PresenceUnavailable(failure));
            }
            RegistrationEvent::UserServicesAvailable => {
                self.effects.push_back(RegistrationEffect::PresenceAvailable);
            }
            RegistrationEvent::Unregistered => {
                let failure = told(request, "the owner has too many endpoints, or another one took the place of this");
                self.ended(failure, TransitionReason::TooManyActiveEndpoints, Again::AfterBackOff);
            }
            RegistrationEvent::Rejected => {
                let failure = told(request, "the owner was disabled or removed");
                self.ended(failure, TransitionReason::OwnerDisabledOrRemoved, Again::Seldom);
            }
            RegistrationEvent::Deactivated => {
                let failure = told(request, "the owner was moved, or cannot be served for a while");
                self.ended(failure, TransitionReason::None, Again::AtOnce);
            }
            RegistrationEvent::PreferredRegistrarChange => match preferred_registrar(request) {
                Some((host, port)) if self.is_registered() => self.elsewhere(host, port),
                Some(_) | None => {
                    let failure = told(request, "the owner has another pool now");
                    self.ended(failure, TransitionReason::None, Again::AtOnce);
                }
            },
            RegistrationEvent::Other(line) if line.to_ascii_lowercase().starts_with("deregistered") => {
                self.ended(told(request, &line), TransitionReason::None, Again::AfterBackOff);
            }
            // Still registered, whatever else it says.
            RegistrationEvent::Other(_) => self.count(WireEvent::UnparsableBody),
        }
    }

    /// The pool has ended the registration.
    fn ended(&mut self, failure: Failure, reason: TransitionReason, again: Again) {
        match self.state {
            // The answer to the REGISTER tells how we stand; what overtakes it is about the registration before.
            State::Unregistered | State::Registering(_) => {}
            State::Unregistering { .. } => self.unregistered("the pool was faster"),
            State::Registered { .. } | State::Refreshing { .. } | State::Waiting { .. } => {
                self.enter(State::Unregistered, "deregistered");
                self.effects.push_back(RegistrationEffect::Deregistered { failure, reason, again });
            }
        }
    }

    fn answer(&mut self, now: Instant, flow: FlowId, request: &Message, code: u16) {
        let tag =
            if request.to().is_none_or(|to| to.tag().is_none()) { self.answer_tag.to_string() } else { String::new() };
        self.transmit(now, flow, respond(request, code, None, &tag, &[], None));
    }

    fn count(&mut self, event: WireEvent) {
        self.effects.push_back(RegistrationEffect::Count(event));
    }
}

/// What the diagnosis alone says (MS-OCER), for a body that is missing or that nobody has heard of.
fn diagnosed(request: &Message) -> Option<RegistrationEvent> {
    Some(match request.ms_diagnostics()?.id {
        4140 => RegistrationEvent::Unregistered,
        4141 => RegistrationEvent::Rejected,
        4142 => RegistrationEvent::Deactivated,
        4165 => RegistrationEvent::UserServicesUnavailable,
        4166 | 4167 => RegistrationEvent::PreferredRegistrarChange,
        _ => return None,
    })
}

/// A failure with the pool's own words where there are any.
fn told(request: &Message, otherwise: &str) -> Failure {
    let diagnostics = request.ms_diagnostics();
    let detail = match diagnostics {
        Some(found) => format!("{} (ms-diagnostics {})", found.reason.unwrap_or(otherwise), found.id),
        None => otherwise.to_owned(),
    };
    Failure::new(FailureKind::Endpoint, EndedBy::Peer, detail)
        .with_retry_after(request.retry_after())
        .with_ms_diagnostics(diagnostics.map(|found| found.id))
}

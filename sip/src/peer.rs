//! What both dialects say to a pool, and make of what it says, in the same words.

use bytes::Bytes;
use presence_core::{AgentUri, FailureKind};

use crate::flow::TransportKind;
use crate::identity::Identifier;
use crate::message::{EventHeader, Message, Method, NameAddr, uri_param};
use crate::request::Request;
use crate::response::respond;
use crate::subscriber::WireEvent;
use crate::transaction::MAGIC;

/// The event package of all subscriptions (RFC 3856).
pub(crate) const PACKAGE: &str = "presence";

/// The methods that we answer with anything but a refusal.
pub(crate) const ALLOW: &str = "NOTIFY, BENOTIFY, OPTIONS";

/// What a request is refused with, and what is counted.
pub(crate) type Refused = (u16, WireEvent);

/// Our Via; on UDP with `rport`, so that the answer comes back through a translator of addresses (RFC 3581).
pub(crate) fn via(transport: TransportKind, sent_by: &str, branch: Identifier) -> String {
    let rport = if transport.reliable() { "" } else { ";rport" };
    format!("SIP/2.0/{} {sent_by};branch={MAGIC}{branch}{rport}", transport.via_name())
}

/// The URI of the pool itself, to which an OPTIONS goes: the target, or the host of our own name.
pub(crate) fn pool_uri(target: Option<&str>, endpoint: &AgentUri) -> String {
    match target {
        Some(target) if target.starts_with("sip:") || target.starts_with("sips:") => target.to_owned(),
        Some(target) => format!("sip:{target}"),
        None => format!("sip:{}", endpoint.host().unwrap_or("localhost")),
    }
}

/// An OPTIONS to the pool itself: does it live (RFC 3261 section 11)?
pub(crate) fn options(uri: &str, [via, from, contact, accept, user_agent]: [&str; 5], call_id: Identifier) -> Request {
    Request::new(Method::Options, uri)
        .header("Via", via)
        .header("Max-Forwards", "70")
        .header("From", from)
        .header("To", format!("<{uri}>"))
        .header("Call-ID", call_id.to_string())
        .header("CSeq", "1 OPTIONS")
        .header("Contact", format!("<{contact}>"))
        .header("Accept", accept)
        .header("User-Agent", user_agent)
}

/// The Request-URI and the Route values of the next request of a dialog (RFC 3261 section 12.2.1.1). A first route without
/// `lr` is a strict router: it becomes the Request-URI, and the target goes to the end of the route.
pub(crate) fn way(target: &str, routes: &[Box<str>]) -> (String, Vec<String>) {
    let Some((first, others)) = routes.split_first() else { return (target.to_owned(), Vec::new()) };
    let inside = NameAddr::parse(first).map_or(&**first, |address| address.uri);
    if uri_param(inside, "lr").is_some() {
        return (target.to_owned(), routes.iter().map(|route| route.to_string()).collect());
    }
    let others = others.iter().map(|route| route.to_string()).chain([format!("<{target}>")]).collect();
    (inside.to_owned(), others)
}

/// The Event of a notification, when it is one of presence.
pub(crate) fn presence_event(request: &Message) -> Result<EventHeader<'_>, Refused> {
    let event = request.event().filter(|event| event.package.eq_ignore_ascii_case(PACKAGE));
    event.ok_or((489, WireEvent::BadEvent))
}

/// Whether a notification is of the dialog with these tags (RFC 6665 section 4.1.3); without a remote one whoever comes
/// first is the notifier.
pub(crate) fn check_dialog(request: &Message, local: Identifier, remote: Option<&str>) -> Result<(), Refused> {
    let unmatched = (481, WireEvent::WrongTag);
    let ours = request.to().and_then(|to| to.tag()).is_some_and(|tag| local.is(tag));
    let from = request.from().and_then(|from| from.tag()).ok_or(unmatched)?;
    if !ours {
        return Err(unmatched);
    }
    if remote.is_some_and(|tag| tag != from) {
        return Err((481, WireEvent::Forked));
    }
    if request.subscription_state().is_none() {
        return Err((400, WireEvent::MissingState));
    }
    Ok(())
}

/// The notification is the next one behind this number, which moves. Gaps in the CSeq are legal (RFC 3261 section
/// 12.2.2); what comes too late is dropped, what is a copy gets the same answer.
pub(crate) fn check_sequence(request: &Message, last: &mut Option<u32>) -> Result<(), Refused> {
    let stale = (500, WireEvent::StaleCSeq);
    let (number, _) = request.cseq().ok_or(stale)?;
    match *last {
        Some(last) if number < last => Err(stale),
        Some(last) if number == last => Err((200, WireEvent::Duplicate)),
        Some(_) | None => {
            *last = Some(number);
            Ok(())
        }
    }
}

/// What a BENOTIFY that is not taken is counted as: nobody is told.
pub(crate) fn unanswered(event: WireEvent) -> WireEvent {
    if event == WireEvent::Unmatched { WireEvent::UnmatchedBenotify } else { event }
}

/// What a request is answered that is no notification, and what is counted.
pub(crate) const fn other_request(method: &Method) -> (u16, Option<WireEvent>) {
    match method {
        Method::Options => (200, None),
        // They would belong to an INVITE, and there is none.
        Method::Bye | Method::Cancel => (481, None),
        Method::Other(_) => (501, Some(WireEvent::RefusedMethod)),
        Method::Invite
        | Method::Info
        | Method::Message
        | Method::Publish
        | Method::Register
        | Method::Service
        | Method::Subscribe
        | Method::Notify
        | Method::Ack
        | Method::Benotify => (405, Some(WireEvent::RefusedMethod)),
    }
}

/// True for what is not answered even when it is malformed: a response, an ACK (RFC 3261 section 17.1.1.3), a BENOTIFY.
pub(crate) fn is_silent(message: &Message) -> bool {
    matches!(message.method(), None | Some(Method::Ack | Method::Benotify))
}

/// An answer to a request, with what it needs beside the code. `tag` is ours, for requests outside of a dialog.
pub(crate) fn answer(request: &Message, code: u16, reason: Option<&str>, tag: Identifier, accept: &str) -> Bytes {
    let options = matches!(request.method(), Some(Method::Options));
    let extra: &[(&str, &str)] = match code {
        405 | 501 => &[("Allow", ALLOW)],
        489 => &[("Allow-Events", PACKAGE)],
        // RFC 3261 section 11.2: what we are capable of.
        200 if options => &[("Allow", ALLOW), ("Accept", accept), ("Allow-Events", PACKAGE)],
        _ => &[],
    };
    let needs_tag = request.to().is_none_or(|to| to.tag().is_none());
    let tag = if needs_tag { tag.to_string() } else { String::new() };
    respond(request, code, reason, &tag, extra, None)
}

/// Who owns the end of a subscription, by the word for it (RFC 6665 section 4.1.3).
pub(crate) fn ended_by(reason: &str) -> FailureKind {
    let is = |word: &str| reason.eq_ignore_ascii_case(word);
    match () {
        () if is("deactivated") || is("timeout") => FailureKind::Dialog,
        () if is("rejected") => FailureKind::Forbidden,
        () if is("noresource") => FailureKind::NotFound,
        () if is("invariant") => FailureKind::Invariant,
        // probation, giveup, badfilter, none and what nobody has heard of.
        () => FailureKind::Transient,
    }
}

//! The REGISTER (MS-SIPREGE).

use std::time::Duration;

use super::config::RegistrationConfig;
use crate::identity::Identifier;
use crate::message::Method;
use crate::peer::via;
use crate::request::Request;

/// What our Contact says that we take.
const METHODS: &str = "INVITE, MESSAGE, INFO, SUBSCRIBE, OPTIONS, BYE, CANCEL, NOTIFY, ACK, REFER, BENOTIFY";

/// What stays the same in all REGISTERs of one registration (RFC 3261 section 10.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    pub(super) call_id: Identifier,
    pub(super) tag: Identifier,
    /// A mark in our Contact by which the pool tells connections apart.
    pub(super) opaque: u64,
}

/// The domain that a REGISTER goes to (RFC 3261 section 10.2): the Request-URI.
pub(super) fn domain(config: &RegistrationConfig) -> String {
    format!("sip:{}", config.endpoint.host().unwrap_or("localhost"))
}

/// A REGISTER of this registration.
pub(super) fn register(
    config: &RegistrationConfig,
    identity: Identity,
    cseq: u32,
    branch: Identifier,
    expires: Duration,
    plain: bool,
    credentials: Vec<(&'static str, String)>,
) -> Request {
    let RegistrationConfig { endpoint, epid, contact, sent_by, transport, .. } = config;
    let opaque =
        if contact.contains(";ms-opaque=") { String::new() } else { format!(";ms-opaque={:010x}", identity.opaque) };
    let instance = epid.instance().urn();
    let mut request = Request::new(Method::Register, domain(config))
        .header("Via", via(*transport, sent_by, branch))
        .header("Max-Forwards", "70")
        .header("From", format!("<{endpoint}>;tag={};epid={epid}", identity.tag))
        .header("To", format!("<{endpoint}>"))
        .header("Call-ID", identity.call_id.to_string())
        .header("CSeq", format!("{cseq} REGISTER"))
        .header(
            "Contact",
            format!("<{contact}{opaque}>;methods=\"{METHODS}\";proxy=replace;+sip.instance=\"<{instance}>\""),
        )
        .header("User-Agent", &*config.user_agent)
        .header("Expires", expires.as_secs().to_string());
    for (name, value) in credentials {
        request = request.header(name, value);
    }
    if plain {
        return request;
    }
    request
        .header("Supported", "gruu-10, adhoclist, msrtc-event-categories")
        .header("ms-keep-alive", "UAC;hop-hop=yes")
        .header("Event", "registration")
        .header("Allow-Events", "presence")
}

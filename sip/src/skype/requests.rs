//! The requests of this dialect (facts B.1; MS-PRES, MS-SIPRE).

use std::time::Duration;

use bytes::Bytes;

use super::config::SkypeConfig;
use super::dialog::{Dialog, Kind};
use crate::documents::BATCH_SUBSCRIBE;
use crate::identity::Identifier;
use crate::message::Method;
use crate::peer::{self, PACKAGE, via};
use crate::request::Request;

/// What we can read.
pub(super) const ACCEPT: &str = "application/msrtc-event-categories+xml, application/rlmi+xml, multipart/related";

/// What is said in one SUBSCRIBE.
pub(super) struct Content {
    /// The lifetime; `None` leaves it to the server.
    pub(super) expires: Option<Duration>,
    /// The list of agents; `None` at the end of a dialog.
    pub(super) list: Option<Bytes>,
}

/// A SUBSCRIBE of this dialog with its present CSeq.
pub(super) fn subscribe(
    config: &SkypeConfig,
    contact: &str,
    dialog: &Dialog,
    way: (String, Vec<String>),
    branch: Identifier,
    content: Content,
    credentials: Vec<(&'static str, String)>,
) -> Request {
    let (uri, routes) = way;
    let to = match &dialog.remote_tag {
        Some(tag) => format!("<{}>;tag={tag}", dialog.target),
        None => format!("<{}>", dialog.target),
    };
    let mut request = Request::new(Method::Subscribe, uri)
        .header("Via", via(config.transport, &config.sent_by, branch))
        .header("Max-Forwards", "70");
    for route in routes {
        request = request.header("Route", route);
    }
    request = request
        .header("From", from(config, dialog.local_tag))
        .header("To", to)
        .header("Call-ID", dialog.call_id.to_string())
        .header("CSeq", format!("{} SUBSCRIBE", dialog.local_cseq))
        .header("Contact", format!("<{contact}>"))
        .header("User-Agent", &*config.user_agent)
        .header("Event", PACKAGE)
        .header("Accept", ACCEPT);
    if !dialog.wording.plain {
        request = request
            .header("Supported", "ms-benotify")
            .header("Proxy-Require", "ms-benotify")
            .header("Supported", "ms-piggyback-first-notify");
    }
    // With the options of a list a single subscription is sent back to the list for ever.
    if matches!(dialog.kind, Kind::Batch(_) | Kind::Poll(_)) && content.list.is_some() {
        request = request.header("Require", "adhoclist, categoryList").header("Supported", "eventlist");
    }
    if let Some(expires) = content.expires {
        request = request.header("Expires", expires.as_secs().to_string());
    }
    for (name, value) in credentials {
        request = request.header(name, value);
    }
    match content.list {
        Some(list) => request.body(BATCH_SUBSCRIBE, list),
        None => request,
    }
}

/// An OPTIONS to the pool itself: does it live (RFC 3261 section 11)?
pub(super) fn options(
    config: &SkypeConfig,
    contact: &str,
    call_id: Identifier,
    tag: Identifier,
    branch: Identifier,
) -> Request {
    let via = via(config.transport, &config.sent_by, branch);
    let from = from(config, tag);
    let uri = peer::pool_uri(config.target.as_deref(), &config.endpoint);
    peer::options(&uri, [&via, &from, contact, ACCEPT, &config.user_agent], call_id)
}

fn from(config: &SkypeConfig, tag: Identifier) -> String {
    format!("<{}>;tag={tag};epid={}", config.endpoint, config.epid.as_str())
}

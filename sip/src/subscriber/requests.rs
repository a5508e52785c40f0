//! The requests that a subscriber sends.

use std::time::Duration;

use presence_core::AgentUri;

use super::config::SubscriberConfig;
use super::dialog::{Dialog, Form};
use crate::documents::PIDF;
use crate::identity::Identifier;
use crate::message::Method;
use crate::request::Request;
use crate::transaction::MAGIC;

/// The event package that this dialect subscribes to (RFC 3856).
pub(super) const PACKAGE: &str = "presence";

/// The methods that we answer with anything but a refusal.
pub(super) const ALLOW: &str = "NOTIFY, BENOTIFY, OPTIONS";

/// A SUBSCRIBE of this dialog with its present CSeq (RFC 6665 section 4.1.2).
pub(super) fn subscribe(
    config: &SubscriberConfig,
    dialog: &Dialog,
    way: (String, Vec<String>),
    branch: Identifier,
    expires: Duration,
    form: Form,
    credentials: Vec<(&'static str, String)>,
) -> Request {
    let (uri, routes) = way;
    let to = match &dialog.remote_tag {
        Some(tag) => format!("<{}>;tag={tag}", dialog.uri),
        None => format!("<{}>", dialog.uri),
    };
    let mut request =
        Request::new(Method::Subscribe, uri).header("Via", via(config, branch)).header("Max-Forwards", "70");
    for route in routes {
        request = request.header("Route", route);
    }
    request = request
        .header("From", from(&config.endpoint, dialog.local_tag))
        .header("To", to)
        .header("Call-ID", dialog.call_id.to_string())
        .header("CSeq", format!("{} SUBSCRIBE", dialog.local_cseq))
        .header("Contact", format!("<{}>", config.contact))
        .header("Event", PACKAGE)
        .header("Expires", expires.as_secs().to_string());
    for (name, value) in credentials {
        request = request.header(name, value);
    }
    match form {
        Form::Full => request.header("Accept", PIDF).header("Allow", ALLOW).header("User-Agent", &*config.user_agent),
        Form::Plain => request,
    }
}

/// An OPTIONS to the pool itself: does it live (RFC 3261 section 11)?
pub(super) fn options(config: &SubscriberConfig, call_id: Identifier, tag: Identifier, branch: Identifier) -> Request {
    let uri = match config.target.as_deref() {
        Some(target) if target.starts_with("sip:") || target.starts_with("sips:") => target.to_owned(),
        Some(target) => format!("sip:{target}"),
        None => format!("sip:{}", config.endpoint.host().unwrap_or("localhost")),
    };
    Request::new(Method::Options, &*uri)
        .header("Via", via(config, branch))
        .header("Max-Forwards", "70")
        .header("From", from(&config.endpoint, tag))
        .header("To", format!("<{uri}>"))
        .header("Call-ID", call_id.to_string())
        .header("CSeq", "1 OPTIONS")
        .header("Contact", format!("<{}>", config.contact))
        .header("Accept", PIDF)
        .header("User-Agent", &*config.user_agent)
}

fn from(endpoint: &AgentUri, tag: Identifier) -> String {
    format!("<{endpoint}>;tag={tag}")
}

/// Our Via; on UDP with `rport`, so that the answer comes back through a translator of addresses (RFC 3581).
fn via(config: &SubscriberConfig, branch: Identifier) -> String {
    let rport = if config.transport.reliable() { "" } else { ";rport" };
    format!("SIP/2.0/{} {};branch={MAGIC}{branch}{rport}", config.transport.via_name(), config.sent_by)
}

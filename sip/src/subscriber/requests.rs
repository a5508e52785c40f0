//! The requests that a subscriber sends.

use std::time::Duration;

use presence_core::AgentUri;

use super::config::SubscriberConfig;
use super::dialog::{Dialog, Form};
use crate::documents::PIDF;
use crate::identity::Identifier;
use crate::message::Method;
use crate::peer::{self, ALLOW, PACKAGE, via};
use crate::request::Request;

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
    let mut request = Request::new(Method::Subscribe, uri)
        .header("Via", via(config.transport, &config.sent_by, branch))
        .header("Max-Forwards", "70");
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
    let via = via(config.transport, &config.sent_by, branch);
    let from = from(&config.endpoint, tag);
    let uri = peer::pool_uri(config.target.as_deref(), &config.endpoint);
    peer::options(&uri, [&via, &from, &config.contact, PIDF, &config.user_agent], call_id)
}

fn from(endpoint: &AgentUri, tag: Identifier) -> String {
    format!("<{endpoint}>;tag={tag}")
}

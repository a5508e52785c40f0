//! The presence document that a NOTIFY carries: PIDF with data model, RPID and capabilities.

use std::fmt::Write as _;

use crate::faults::Body;
use crate::{Activity, AgentState};

/// The content type of [`pidf`] (RFC 3863).
pub const PIDF_TYPE: &str = "application/pidf+xml";

/// Writes the presence document of an agent (RFC 3863, 4479, 4480, 5196).
#[must_use]
pub fn pidf(uri: &str, state: AgentState) -> String {
    let mut text = String::with_capacity(1_100);
    let basic = if state.activity == Activity::Offline { "closed" } else { "open" };
    text.push_str(concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"",
        " xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\"",
        " xmlns:caps=\"urn:ietf:params:xml:ns:pidf:caps\" entity=\"",
    ));
    escape(uri, &mut text);
    let (audio, video, words) = (state.audio, state.video, state.text);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "\">\r\n<tuple id=\"t1\"><status><basic>{basic}</basic></status>\
         <caps:servcaps><caps:audio>{audio}</caps:audio><caps:message>{words}</caps:message>\
         <caps:text>{words}</caps:text><caps:video>{video}</caps:video></caps:servcaps><contact>"
    );
    escape(uri, &mut text);
    text.push_str("</contact></tuple>\r\n<dm:person id=\"p1\">");
    if let Some(element) = state.activity.element() {
        let _ = match state.activity {
            Activity::DoNotDisturb => write!(text, "<rpid:activities><rpid:{element}>dnd</rpid:{element}>"),
            _ => write!(text, "<rpid:activities><rpid:{element}/>"),
        };
        text.push_str("</rpid:activities>");
    }
    let input = if state.idle { "idle" } else { "active" };
    let _ = write!(
        text,
        "<rpid:user-input>{input}</rpid:user-input></dm:person>\
         <dm:device id=\"d1\"><rpid:class>computer</rpid:class></dm:device>\r\n</presence>\r\n"
    );
    text
}

/// The body that a NOTIFY gets: the document, or what the fault makes of it. Empty means no body at all.
#[must_use]
pub(crate) fn body(uri: &str, state: AgentState, fault: Body) -> String {
    match fault {
        Body::Document => pidf(uri, state),
        Body::Empty => String::new(),
        Body::Malformed => {
            let mut text = pidf(uri, state);
            let half = text.len() / 2;
            let cut = (0..=half).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(cut);
            text.push_str("<<&unfinished");
            text
        }
        Body::Padded(bytes) => {
            let mut text = pidf(uri, state);
            let (open, close) = ("<!-- ", " -->\r\n");
            if let Some(filling) = bytes.checked_sub(text.len() + open.len() + close.len()) {
                text.push_str(open);
                text.extend(std::iter::repeat_n('x', filling));
                text.push_str(close);
            }
            text
        }
    }
}

/// Appends a text with the characters replaced that mean something in XML.
fn escape(text: &str, to: &mut String) {
    for character in text.chars() {
        match character {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            other => to.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_what_the_agent_does() {
        let text =
            pidf("sip:a&b@x.example", AgentState { video: false, ..AgentState::of(Activity::OnThePhone) }.idle());
        assert!(text.contains("entity=\"sip:a&amp;b@x.example\""));
        assert!(text.contains("<basic>open</basic>"));
        assert!(text.contains("<rpid:on-the-phone/>"));
        assert!(text.contains("<rpid:user-input>idle</rpid:user-input>"));
        assert!(text.contains("<caps:video>false</caps:video>"));
        assert!(pidf("sip:a@x.example", AgentState::of(Activity::Offline)).contains("<basic>closed</basic>"));
        assert!(
            pidf("sip:a@x.example", AgentState::of(Activity::DoNotDisturb)).contains("<rpid:other>dnd</rpid:other>")
        );
    }

    #[test]
    fn a_padded_body_has_exactly_the_size_asked_for() {
        let state = AgentState::default();
        assert_eq!(body("sip:a@x.example", state, Body::Padded(200_000)).len(), 200_000);
        assert_eq!(body("sip:a@x.example", state, Body::Padded(10)), pidf("sip:a@x.example", state));
        assert!(body("sip:a@x.example", state, Body::Empty).is_empty());
        assert!(!body("sip:a@x.example", state, Body::Malformed).contains("</presence>"));
    }
}

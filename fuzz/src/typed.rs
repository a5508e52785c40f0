//! Single headers and names: readings are parts of the text, and a reading that is written is read the same.

use bytes::Bytes;
use presence_core::AgentUri;
use presence_core::log_text::{Safe, is_plain, is_treacherous};
use presence_sip::{
    Credentials, DigestClient, Epid, EventHeader, Limits, Message, MsDiagnostics, NameAddr, Params, SubscriptionState,
    Via, uri_param,
};

/// No challenge holds it by chance.
const PASSWORD: &str = "never-on-the-wire-7f3a9c";

pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let text: &str = &text;
    address(text);
    via(text);
    values(text);
    uri(text);
    challenge(text);
    assert!(Epid::new(text).is_none_or(|epid| is_plain(epid.as_str()) && epid.as_str().len() <= 16));
    if let Some(state) = SubscriptionState::parse(text) {
        assert!(state.expires.is_none_or(|time| time.as_secs() <= u64::from(u32::MAX)));
        assert!(state.retry_after.is_none_or(|time| time.as_secs() <= u64::from(u32::MAX)));
    }
    assert!(EventHeader::parse(text).is_none_or(|event| is_plain(event.package)));
    assert!(
        MsDiagnostics::parse(text).is_none() || text.trim_start().starts_with(|first: char| first.is_ascii_digit())
    );
    assert!(!Safe(text).to_string().contains(is_treacherous), "nothing treacherous is left in a log");
}

fn params(params: Params<'_>) {
    for (name, value) in params.iter() {
        assert!(params.get(name).is_some(), "{name}");
        assert!(value.is_none_or(|value| params.as_str().contains(value)), "{name}");
    }
}

fn address(text: &str) {
    let Some(read) = NameAddr::parse(text) else { return };
    assert!(text.contains(read.uri) && read.display.is_none_or(|display| text.contains(display)));
    assert!(!read.uri.contains(['<', '>', '"', ' ', '\r', '\n', '\0']), "{:?}", read.uri);
    params(read.params);
    let separator = if read.params.as_str().is_empty() { "" } else { ";" };
    let written = format!("<{}>{separator}{}", read.uri, read.params.as_str());
    let again = NameAddr::parse(&written).expect("an address that was read");
    assert_eq!((again.uri, again.tag()), (read.uri, read.tag()));
    assert_eq!(read.uri_param("opaque"), uri_param(read.uri, "opaque"));
}

fn via(text: &str) {
    let Some(read) = Via::parse(text) else { return };
    assert!(!read.host.is_empty() && !read.transport.is_empty() && text.contains(read.host));
    params(read.params);
    let port = read.port.map(|port| format!(":{port}")).unwrap_or_default();
    let separator = if read.params.as_str().is_empty() { "" } else { ";" };
    let written = format!("SIP/2.0/{} {}{port}{separator}{}", read.transport, read.host, read.params.as_str());
    let again = Via::parse(&written).expect("a Via that was read");
    assert_eq!((again.host, again.port, again.branch()), (read.host, read.port, read.branch()));
}

fn values(text: &str) {
    let text = text.replace(['\r', '\n', '\0'], " ");
    let response = format!("SIP/2.0 200 OK\r\nContact: {text}\r\n\r\n");
    let Ok(message) = Message::parse(Bytes::from(response), &Limits::default()) else { return };
    let mut length = 0;
    for value in message.values("m") {
        length += value.len();
        assert!(text.contains(value));
    }
    assert!(length <= text.len(), "the parts are no longer than the whole");
}

fn uri(text: &str) {
    let Ok(read) = AgentUri::parse(text) else { return };
    let again = AgentUri::parse(read.as_str()).expect("a normal form is a URI");
    assert_eq!(again.as_str(), read.as_str(), "a normal form is its own normal form");
    assert!(!read.as_str().contains(is_treacherous), "{:?}", read.as_str());
    assert_eq!(read.original(), text.trim());
}

fn challenge(text: &str) {
    let text = text.replace(['\r', '\n', '\0'], " ");
    let response = format!(
        "SIP/2.0 401 Unauthorized\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nWWW-Authenticate: {text}\r\n\
         Proxy-Authenticate: Digest {text}\r\n\r\n"
    );
    let Ok(message) = Message::parse(Bytes::from(response), &Limits::default()) else { return };
    let mut digest = DigestClient::new(Credentials { user: "app".into(), password: PASSWORD.into() });
    if digest.challenge(&message).is_err() {
        return;
    }
    let mut entropy = |bytes: &mut [u8]| bytes.fill(7);
    for (name, value) in digest.authorize("REGISTER", "sip:domain.com", &mut entropy) {
        assert!(!value.contains(['\r', '\n', '\0']) && !value.contains(PASSWORD), "{name}: {value:?}");
    }
}

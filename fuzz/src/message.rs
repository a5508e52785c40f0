//! One message: what is read prints back to the same, and what is sane has valid numbers.

use std::hint::black_box;

use bytes::Bytes;
use presence_sip::{Limits, Message, NameAddr, Via, classify, respond};

/// Caps that a printed message never meets: a byte that is no UTF-8 becomes three.
const WIDE: Limits = Limits { header_section: 1 << 20, header: 1 << 16, headers: 1_000, body: 1 << 20 };

pub(crate) fn run(data: &[u8]) {
    let limits = Limits::default();
    let Ok(message) = Message::parse(Bytes::copy_from_slice(data), &limits) else { return };
    examine(&message, &limits);
    let again = Message::parse(print(&message).into(), &WIDE).expect("what was read can be read again");
    assert_eq!(again.request_uri(), message.request_uri());
    assert_eq!(
        (again.method(), again.status(), again.reason()),
        (message.method(), message.status(), message.reason())
    );
    assert_eq!(again.body(), message.body());
    assert!(again.headers().eq(message.headers()), "the headers are the same");
}

/// Everything that is ever asked of a message; true when it is a sane one.
pub(crate) fn examine(message: &Message, limits: &Limits) -> bool {
    assert!(message.body().len() <= limits.body && message.headers().count() <= limits.headers);
    for (name, value) in message.headers() {
        assert!(!name.is_empty() && value.len() <= 3 * limits.header, "{name}");
        assert!(!value.contains(['\r', '\n']) && value == value.trim_matches([' ', '\t']), "{name}: {value:?}");
    }
    for name in ["Via", "Record-Route", "Contact", "Route"] {
        for value in message.values(name) {
            let address = NameAddr::parse(value).map(|address| (address.tag(), address.uri_param("opaque")));
            let via = Via::parse(value).map(|via| (via.branch(), via.received(), via.rport()));
            black_box((address, via));
        }
    }
    let failure = message.status().map(|status| classify(status, message));
    assert!(failure.is_none_or(|failure| !failure.detail.contains(['\r', '\n'])), "one line");
    black_box((message.event(), message.subscription_state(), message.ms_diagnostics(), message.retry_after()));
    let sane = message.check().is_ok();
    if sane {
        numbers(message);
    }
    if message.method().is_some() {
        answer(message, sane);
    }
    sane
}

/// The law, apart from the code that holds it: RFC 3261 sections 8.1.1.5, 20.16, 20.19, 20.22 and 20.23.
fn numbers(message: &Message) {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (number, method) = message.cseq().expect("a sane message has a CSeq");
    assert!(number < 1 << 31 && !method.is_empty());
    for name in ["Expires", "Min-Expires", "Max-Forwards", "Content-Length"] {
        let Some(value) = message.header(name) else { continue };
        assert!(digits(value), "{name}: {value}");
        let value = value.trim_start_matches('0');
        match name {
            "Max-Forwards" => assert!(value.len() <= 3 && value.parse().unwrap_or(0) <= 255, "{name}: {value}"),
            "Content-Length" => assert_eq!(value.parse().unwrap_or(0), message.body().len()),
            _ => {}
        }
    }
    assert!(message.expires().is_none_or(|expires| expires.as_secs() <= u64::from(u32::MAX)));
}

/// An answer says whose it is, and nothing that came can be anything else in it.
fn answer(request: &Message, sane: bool) {
    let answer = respond(request, 481, None, "t", &[], None);
    let answer = Message::parse(answer, &WIDE).expect("an answer of ours can be read");
    assert_eq!((answer.status(), answer.body().len()), (Some(481), 0));
    assert_eq!(answer.header("Call-ID"), request.header("Call-ID"));
    assert_eq!(answer.header("CSeq"), request.header("CSeq"));
    assert!(answer.header_all("Via").eq(request.header_all("Via")));
    if sane {
        assert_eq!(answer.check(), Ok(()), "the answer to a sane request is sane");
    }
}

fn print(message: &Message) -> Vec<u8> {
    let version = if message.check().err().is_some_and(|refusal| refusal.status == 505) { "3.0" } else { "2.0" };
    let mut text = match (message.method(), message.request_uri()) {
        (Some(method), Some(uri)) => format!("{method} {uri} SIP/{version}\r\n"),
        _ => format!("SIP/{version} {} {}\r\n", message.status().unwrap_or_default(), message.reason()),
    };
    for (name, value) in message.headers() {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    [text.as_bytes(), message.body().as_ref()].concat()
}

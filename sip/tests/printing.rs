//! What we print: requests, answers, and what can never leave.
#![allow(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use presence_sip::{BuildError, Limits, Message, Method, Request, reason_phrase, respond};

fn read(bytes: Bytes) -> Message {
    Message::parse(bytes, &Limits::default()).unwrap()
}

fn subscribe() -> Request {
    Request::new(Method::Subscribe, "sip:user1@domain.com")
        .header("Via", "SIP/2.0/TCP 192.0.2.1:6120;branch=z9hG4bK776")
        .header("From", "<sip:app@domain.com>;tag=1")
        .header("To", "<sip:user1@domain.com>")
        .header("Call-ID", "c1")
        .header("CSeq", "1 SUBSCRIBE")
}

fn incoming(start: &str, to: &str) -> Message {
    read(
        format!(
            "{start} SIP/2.0\r\nv: SIP/2.0/tcp h1;branch=z9hG4bK1,SIP/2.0/TLS h2\r\nRecord-Route: <sip:p1;lr>, <sip:p2;lr>\r\n\
             VIA: SIP/2.0/UDP [2001:db8::1];rport\r\nFrom: \"A, \\\"b\\\"\" <sip:a@d.com>;tag=1;epid=01\r\nTo: {to}\r\n\
             i: c@1\r\nCSeq: 08 {}\r\nrecord-route: <sip:p3;lr;ms-route-sig=a:b>\r\n\r\n",
            start.split(' ').next().unwrap()
        )
        .into(),
    )
}

#[test]
fn a_request_is_printed_in_the_order_it_was_built_with_its_length_last() {
    let bytes = subscribe().typed(rsip::headers::Expires::from(3600)).body("text/plain", "hé").to_bytes().unwrap();
    assert_eq!(
        bytes,
        "SUBSCRIBE sip:user1@domain.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:6120;branch=z9hG4bK776\r\n\
         From: <sip:app@domain.com>;tag=1\r\nTo: <sip:user1@domain.com>\r\nCall-ID: c1\r\nCSeq: 1 SUBSCRIBE\r\n\
         Expires: 3600\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nhé"
    );
    assert_eq!(read(bytes).check(), Ok(()));
}

#[test]
fn nothing_can_be_injected_into_a_request() {
    for evil in ["a\r\nRoute: <sip:evil>", "a\nb", "a\rb", "a\0b"] {
        assert!(
            matches!(subscribe().header("Subject", evil).to_bytes(), Err(BuildError::Character { .. })),
            "{evil:?}"
        );
        assert!(matches!(subscribe().header("To", evil).to_bytes(), Err(BuildError::Character { .. })), "{evil:?}");
        assert!(matches!(subscribe().body(evil, "x").to_bytes(), Err(BuildError::Character { .. })), "{evil:?}");
        assert!(matches!(Request::new(Method::Notify, evil).to_bytes(), Err(BuildError::Uri(_))), "{evil:?}");
    }
    for uri in
        ["", "user1@domain.com", "<sip:a@d.com>", "sip:a@d.com SIP/2.0\r\nX: y", "sip: a@d.com", "sip:a@d.com?Route=x"]
    {
        assert!(matches!(Request::new(Method::Notify, uri).to_bytes(), Err(BuildError::Uri(_))), "{uri:?}");
    }
    for name in ["", "a b", "X:", "X\r\nY", "é"] {
        assert!(subscribe().header(name, "x").to_bytes().is_err(), "{name:?}");
        assert!(Request::new(Method::Other(name.into()), "sip:a@d.com").to_bytes().is_err(), "{name:?}");
    }
    for counted in ["Content-Length", "content-type"] {
        assert!(matches!(subscribe().header(counted, "7").to_bytes(), Err(BuildError::RoundTrip(_))), "{counted}");
    }
}

#[test]
fn an_answer_copies_verbatim_what_the_request_said() {
    let request = incoming("OPTIONS sip:app@d.com", "<sip:app@d.com>");
    let answer = read(respond(&request, 200, None, "t9", &[("Allow", "NOTIFY, OPTIONS")], None));
    assert_eq!((answer.status(), answer.reason(), answer.call_id()), (Some(200), "OK", "c@1"));
    assert!(answer.values("Via").eq(request.values("Via")), "every Via in its order");
    assert_eq!(answer.header("From"), request.header("From"));
    assert_eq!(answer.header("To"), Some("<sip:app@d.com>;tag=t9"));
    assert_eq!(answer.header("CSeq"), Some("08 OPTIONS"));
    assert_eq!((answer.header("Allow"), answer.header("Content-Length")), (Some("NOTIFY, OPTIONS"), Some("0")));
    assert_eq!(answer.header("Record-Route"), None, "no dialog comes of it");
    assert_eq!(answer.check(), Ok(()));
}

#[test]
fn a_tag_is_added_only_where_there_is_none_and_never_to_a_100() {
    let tag = |to: &str, code| {
        let answer = read(respond(&incoming("NOTIFY sip:a@d.com", to), code, None, "mine", &[], None));
        answer.to().and_then(|to| to.tag().map(str::to_owned))
    };
    assert_eq!(tag("<sip:b@d.com>;tag=theirs", 200).as_deref(), Some("theirs"));
    assert_eq!(tag("<sip:b@d.com>;x=y", 481).as_deref(), Some("mine"));
    assert_eq!(tag("<sip:b@d.com>;x=y;", 200).as_deref(), Some("mine"));
    assert_eq!(tag("sip:b@d.com", 200).as_deref(), Some("mine"));
    assert_eq!(tag("<sip:b@d.com;tag=of-the-uri>", 200).as_deref(), Some("mine"));
    assert_eq!(tag("<sip:b@d.com>", 100), None);
}

#[test]
fn record_routes_are_copied_where_a_dialog_may_begin() {
    for (start, code, copied) in [
        ("NOTIFY sip:a@d.com", 200, true),
        ("SUBSCRIBE sip:a@d.com", 202, true),
        ("SUBSCRIBE sip:a@d.com", 481, false),
        ("MESSAGE sip:a@d.com", 200, false),
        ("INVITE sip:a@d.com", 100, false),
    ] {
        let request = incoming(start, "<sip:b@d.com>");
        let answer = read(respond(&request, code, None, "t", &[], None));
        let expected: Vec<_> = if copied { request.values("Record-Route").collect() } else { Vec::new() };
        assert_eq!(answer.values("Record-Route").collect::<Vec<_>>(), expected, "{start} {code}");
    }
}

#[test]
fn nothing_can_be_injected_into_an_answer() {
    let request = incoming("NOTIFY sip:a@d.com", "<sip:b@d.com>");
    let evil = "x\r\nRoute: <sip:evil>\r\n\r\n";
    let answer = read(respond(&request, 400, Some(evil), evil, &[("Warning", evil)], Some((evil, b"body"))));
    assert_eq!(answer.header("Route"), None);
    assert_eq!((answer.body().as_ref(), answer.content_type().is_some()), (&b"body"[..], true));
    assert_eq!(answer.headers().filter(|(name, _)| *name == "Warning").count(), 1);
}

#[test]
fn every_status_code_has_a_phrase() {
    assert!((100..700).all(|code| !reason_phrase(code).is_empty()));
    for (code, phrase) in [
        (200, "OK"),
        (202, "Accepted"),
        (423, "Interval Too Brief"),
        (481, "Call/Transaction Does Not Exist"),
        (489, "Bad Event"),
        (499, "Bad Request"),
        (599, "Server Internal Error"),
        (699, "Declined"),
    ] {
        assert_eq!(reason_phrase(code), phrase);
    }
}

//! Round trips: what is printed is read back to the same, for any values.
#![allow(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use presence_sip::{Frame, Framer, Limits, Message, Method, NameAddr, Request, Via, respond};
use proptest::prelude::*;

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.!%*_+`'~-]{1,20}"
}

/// A URI with the parameters of Skype for Business, IPv6 hosts, passwords and telephone numbers.
fn uri() -> impl Strategy<Value = String> {
    let user = "([a-zA-Z0-9_.!~*'()&=+$,;?/%-]{1,12}@)?";
    let host = prop_oneof![
        "[a-z][a-z0-9-]{0,9}(\\.[a-z]{2,5}){0,2}",
        Just("[2001:db8::10]".to_owned()),
        Just("192.0.2.7".into())
    ];
    let port = prop_oneof![Just(String::new()), (1_u16..).prop_map(|port| format!(":{port}"))];
    let params = "(;[a-z-]{1,9}(=[A-Za-z0-9:.~_%-]{1,12})?){0,3}";
    let sip =
        (user, host, port, params).prop_map(|(user, host, port, params)| format!("sip:{user}{host}{port}{params}"));
    prop_oneof![4 => sip, 1 => "tel:\\+[0-9]{3,15}"]
}

/// The value of a header: anything but line ends and NUL, without blanks around it.
fn value() -> impl Strategy<Value = String> {
    "[^\\r\\n\\x00]{0,60}".prop_map(|text| text.trim_matches([' ', '\t']).to_owned())
}

/// A display name as it stands between quotes.
fn display() -> impl Strategy<Value = String> {
    "([ -!#-\\[\\]-~éλ]|\\\\[\"\\\\]){1,12}"
}

fn read(bytes: Bytes) -> Message {
    Message::parse(bytes, &Limits::default()).unwrap()
}

proptest! {
    #[test]
    fn a_request_reads_back_to_what_was_built(
        method in token(), uri in uri(), headers in prop::collection::vec(("X-[a-z]{1,8}", value()), 0..12),
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let method = Method::from_token(&method);
        let mut request = Request::new(method.clone(), uri.clone());
        for (name, value) in &headers {
            request = request.header(name, value.clone());
        }
        let message = read(request.body("text/plain", body.clone()).to_bytes().unwrap());
        prop_assert_eq!(message.method(), Some(&method));
        prop_assert_eq!(message.request_uri(), Some(uri.as_str()));
        prop_assert_eq!(message.body().as_ref(), &body[..]);
        let found: Vec<_> = message.headers().filter(|(name, _)| name.starts_with("X-")).collect();
        let expected: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn an_address_reads_back_to_its_parts(
        display in display(), uri in uri(), tag in token(), name in token(), value in "[ -!#-\\[\\]-~]{0,9}",
    ) {
        prop_assume!(!name.eq_ignore_ascii_case("tag"));
        let text = format!("\"{display}\" <{uri}> ;{name}=\"{value}\" ; tag={tag}");
        let list = format!("<sip:first@d.com>,{text} , <sip:last@d.com>");
        let message = read(format!("X sip:d.com SIP/2.0\r\nContact: {list}\r\n\r\n").into());
        prop_assert_eq!(message.values("Contact").count(), 3);
        let found = NameAddr::parse(message.values("Contact").nth(1).unwrap()).unwrap();
        prop_assert_eq!(found.display, Some(display.as_str()));
        prop_assert_eq!(found.uri, uri);
        prop_assert_eq!(found.tag(), Some(tag.as_str()));
        prop_assert_eq!(found.param(&name.to_uppercase()), Some(value.as_str()));
    }

    #[test]
    fn a_via_reads_back_to_its_parts(transport in token(), port in 1_u16.., branch in token(), blank in "[ \\t]{0,2}") {
        let text = format!("SIP/2.0/{transport} {blank}h.d.com{blank}:{port}{blank};{blank}branch{blank}={blank}{branch};rport");
        let via = Via::parse(&text).unwrap();
        prop_assert_eq!((via.transport, via.host, via.port), (transport.as_str(), "h.d.com", Some(port)));
        prop_assert_eq!((via.branch(), via.rport()), (Some(branch.as_str()), Some(None)));
    }

    #[test]
    fn an_answer_belongs_to_its_request(call_id in "[!-~]{1,40}", cseq in 0_u32..1 << 31, method in token(), code in 200_u16..700) {
        let request = read(Request::new(Method::from_token(&method), "sip:a@d.com")
            .header("Via", "SIP/2.0/TCP h;branch=z9hG4bK1").header("Via", "SIP/2.0/TCP h2")
            .header("From", "<sip:a@d.com>;tag=1").header("To", "<sip:b@d.com>")
            .header("Call-ID", call_id.clone()).header("CSeq", format!("{cseq} {method}")).to_bytes().unwrap());
        prop_assert_eq!(request.check(), Ok(()));
        let answer = read(respond(&request, code, None, "t", &[], Some(("text/plain", b"why"))));
        prop_assert_eq!(answer.check(), Ok(()));
        prop_assert_eq!((answer.status(), answer.call_id()), (Some(code), call_id.as_str()));
        prop_assert_eq!(answer.cseq(), Some((cseq, method.as_str())));
        prop_assert_eq!(answer.body().as_ref(), &b"why"[..]);
    }

    #[test]
    fn a_stream_is_cut_the_same_however_it_arrives(
        bodies in prop::collection::vec("[ -~\\r\\n]{0,80}", 1..6), cuts in prop::collection::vec(1_usize..200, 1..40),
    ) {
        let all: Vec<u8> = bodies.iter().enumerate().flat_map(|(number, body)| {
            Request::new(Method::Notify, "sip:a@d.com").header("CSeq", format!("{number} NOTIFY"))
                .body("text/plain", body.clone()).to_bytes().unwrap()
        }).collect();
        let (mut framer, mut rest, mut found) = (Framer::new(Limits::default()), &all[..], Vec::new());
        for cut in cuts.iter().cycle() {
            let (piece, next) = rest.split_at((*cut).min(rest.len()));
            framer.push(piece);
            while let Some(frame) = framer.next_frame().unwrap() {
                let Frame::Message(message) = frame else { panic!("{frame:?}") };
                found.push(String::from_utf8(message.body().to_vec()).unwrap());
            }
            rest = next;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found, bodies);
        prop_assert!(!framer.is_within_message());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(message) = Message::parse(bytes.into(), &Limits::default()) {
            let _ = message.check();
        }
    }
}

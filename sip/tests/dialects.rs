//! What published parsers refuse, cut or lose, one test per finding (facts/rust-sip.md section 2): we read it all.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use bytes::Bytes;
use presence_sip::typed::lift;
use presence_sip::{Limits, Message, Method, NameAddr, Request, SubscriptionPhase, Via, respond, uri_param};

/// Long lists cost what they weigh, not its square: this takes milliseconds or, if it does not, minutes.
#[test]
fn endless_lists_are_read_in_one_go() {
    let limits = Limits { header_section: 1 << 20, header: 1 << 20, ..Limits::default() };
    for list in
        [",".repeat(200_000) + "\"", ";".repeat(200_000), "a,".repeat(100_000) + "<", "<,>;\",\"".repeat(50_000)]
    {
        let text = format!("NOTIFY sip:a@d.com SIP/2.0\r\nContact: {list}\r\nVia: {list}\r\n\r\n");
        let message = Message::parse(text.into(), &limits).unwrap();
        assert!(message.check().is_err());
        assert!(message.values("Contact").count() > 0 && message.values("Via").all(|via| Via::parse(via).is_none()));
    }
}

/// A NOTIFY with these headers added.
fn notify(extra: &str) -> Message {
    let text = format!(
        "NOTIFY sip:app@192.0.2.1:6120 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:a@d.com>;tag=1\r\n\
         To: <sip:b@d.com>;tag=2\r\nCall-ID: c1\r\nCSeq: 7 NOTIFY\r\n{extra}Content-Length: 0\r\n\r\n"
    );
    read(text.as_bytes())
}

fn read(bytes: &[u8]) -> Message {
    Message::parse(Bytes::copy_from_slice(bytes), &Limits::default()).unwrap()
}

const LYNC_ROUTE: &str = "<sip:fe01.contoso.com:5061;transport=tls;opaque=state:T:F:Ci.R2f00;lr;ms-route-sig=aab:c~d=>";
const LYNC_GRUU: &str = "sip:user@dom.com;opaque=user:epid:Mz1aGeZXxVmVJ7tPIhrfMwAA;gruu";

#[test]
fn any_method_is_read_and_none_is_taken_for_another() {
    for (token, method) in [
        ("BENOTIFY", Method::Benotify),
        ("SERVICE", Method::Service),
        ("NOTIFYX", Method::Other("NOTIFYX".into())),
        ("notify", Method::Other("notify".into())),
    ] {
        let text = format!("{token} sip:a@d.com SIP/2.0\r\nCSeq: 1 {token}\r\n\r\n");
        let message = read(text.as_bytes());
        assert_eq!(message.method(), Some(&method));
        assert_eq!(message.cseq(), Some((1, token)));
    }
}

#[test]
fn compact_names_are_known_and_so_is_the_case_of_any_name() {
    let text = "NOTIFY sip:a@d.com SIP/2.0\r\nv: SIP/2.0/TCP h;branch=z9hG4bK1\r\nF: <sip:a@d.com>;tag=1\r\n\
                t: <sip:b@d.com>\r\ni: c1\r\nCseq: 7 NOTIFY\r\nm: <sip:c@d.com>\r\no: presence;id=4\r\n\
                subscription-state: active\r\nc: text/plain\r\nl: 2\r\n\r\nok";
    let message = read(text.as_bytes());
    assert_eq!(message.check(), Ok(()));
    assert_eq!((message.call_id(), message.contact().unwrap().uri), ("c1", "sip:c@d.com"));
    assert_eq!(message.event().map(|event| (event.package, event.id)), Some(("presence", Some("4"))));
    assert_eq!((message.header("CONTENT-TYPE"), message.header("C")), (Some("text/plain"), Some("text/plain")));
    assert_eq!(message.subscription_state().unwrap().state, SubscriptionPhase::Active);
    assert_eq!(message.headers().next().unwrap().0, "Via");
}

#[test]
fn folds_become_one_blank() {
    let message = notify("Subject: one\r\n  two\r\n\tthree  \r\n \r\n four\r\nX:\r\n y\r\n");
    assert_eq!(message.header("s"), Some("one two three four"));
    assert_eq!(message.header("X"), Some("y"));
}

#[test]
fn a_blank_before_the_colon_is_no_part_of_the_name() {
    assert_eq!(notify("Event  : presence\r\nExpires\t:\t30\r\n").event().unwrap().package, "presence");
}

#[test]
fn blanks_around_semicolons_and_equal_signs_lose_no_tag() {
    let from = NameAddr::parse("<sip:a@d.com> ; \t tag \t = \t 88 ; x").unwrap();
    assert_eq!((from.tag(), from.param("x"), from.param("y")), (Some("88"), Some(""), None));
    let via = Via::parse("SIP / 2.0 / TCP  h : 5060 ; branch = z9hG4bK1 ; rport").unwrap();
    assert_eq!((via.transport, via.host, via.port, via.branch()), ("TCP", "h", Some(5060), Some("z9hG4bK1")));
    assert_eq!(via.rport(), Some(None));
}

#[test]
fn subscription_state_is_typed() {
    let message = notify("Subscription-State: terminated ;reason=probation;retry-after=60;expires=x\r\n");
    let state = message.subscription_state().unwrap();
    assert_eq!((state.state, state.reason), (SubscriptionPhase::Terminated, Some("probation")));
    assert_eq!((state.retry_after, state.expires), (Some(Duration::from_secs(60)), None));
    assert_eq!(notify("Subscription-State: waiting\r\n").subscription_state().unwrap().state, SubscriptionPhase::Other);
    assert_eq!(notify("Subscription-State: \r\n").check().unwrap_err().status, 400);
}

#[test]
fn unknown_headers_are_kept() {
    let message = notify(
        "SIP-ETag: e1\r\nX-Own: v\r\nms-diagnostics: 2012.1;source=\"fe.d.com\";reason=\"limit; reached, \\\"x\\\"\"\r\n",
    );
    assert_eq!((message.header("sip-etag"), message.header("x-own")), (Some("e1"), Some("v")));
    let diagnostics = message.ms_diagnostics().unwrap();
    assert_eq!((diagnostics.id, diagnostics.source), (2012, Some("fe.d.com")));
    assert_eq!(diagnostics.reason, Some(r#"limit; reached, \"x\""#));
}

#[test]
fn two_via_values_in_one_header_are_two() {
    let message = read(b"NOTIFY sip:a@d.com SIP/2.0\r\nVia: SIP/2.0/UDP h1;branch=z9hG4bK1, SIP/2.0/UDP h2\r\n\r\n");
    assert_eq!(message.values("v").collect::<Vec<_>>(), ["SIP/2.0/UDP h1;branch=z9hG4bK1", "SIP/2.0/UDP h2"]);
    assert_eq!(message.top_via().unwrap().branch(), Some("z9hG4bK1"));
}

#[test]
fn all_record_routes_are_seen_in_one_header_or_several() {
    let message = notify(&format!("Record-Route: {LYNC_ROUTE},<sip:p2;lr>\r\nRecord-Route: <sip:p3;lr>\r\n"));
    assert_eq!(message.values("Record-Route").collect::<Vec<_>>(), [LYNC_ROUTE, "<sip:p2;lr>", "<sip:p3;lr>"]);
    assert_eq!(message.check(), Ok(()));
}

#[test]
fn uris_of_skype_for_business_are_verbatim_wherever_they_stand() {
    let text =
        format!("NOTIFY {LYNC_GRUU} SIP/2.0\r\nContact: <{LYNC_GRUU}>;expires=7200\r\nRoute: {LYNC_ROUTE}\r\n\r\n");
    let message = read(text.as_bytes());
    assert_eq!(message.request_uri(), Some(LYNC_GRUU));
    assert_eq!(message.contact().unwrap().uri, LYNC_GRUU);
    assert_eq!(message.contact().unwrap().uri_param("Opaque"), Some("user:epid:Mz1aGeZXxVmVJ7tPIhrfMwAA"));
    assert_eq!(uri_param(LYNC_GRUU, "gruu"), Some(""));
    assert_eq!(message.header("Route"), Some(LYNC_ROUTE));
    // And out again.
    let bytes = Request::new(Method::Subscribe, LYNC_GRUU).header("Route", LYNC_ROUTE).to_bytes().unwrap();
    let printed = read(&bytes);
    assert_eq!((printed.request_uri(), printed.header("Route")), (Some(LYNC_GRUU), Some(LYNC_ROUTE)));
    // rsip cuts them, and the guard sees it.
    assert!(lift::<rsip::typed::Route>(LYNC_ROUTE).is_none());
    assert!(lift::<rsip::typed::Contact>(&format!("<{LYNC_GRUU}>")).is_none());
}

#[test]
fn a_quoted_instance_is_read_and_kept() {
    let message = notify("Contact: <sip:a@h>;+sip.instance=\"<urn:uuid:4b1682a8>\";gruu=\"sip:a@h;opaque=x;gruu\"\r\n");
    assert_eq!(message.contact().unwrap().param("+sip.instance"), Some("<urn:uuid:4b1682a8>"));
    assert_eq!(message.contact().unwrap().param("gruu"), Some("sip:a@h;opaque=x;gruu"));
    assert_eq!(message.check(), Ok(()));
}

#[test]
fn a_display_name_may_hold_commas_brackets_and_quotes() {
    let value = r#""Bell, <A.> \"Alec\"" <sip:bell@d.com>;tag=3"#;
    let contact = notify(&format!("Contact: {value}, <sip:x@d.com>\r\n"));
    assert_eq!(contact.values("Contact").collect::<Vec<_>>(), [value, "<sip:x@d.com>"]);
    let bell = contact.contact().unwrap();
    assert_eq!((bell.display, bell.uri, bell.tag()), (Some(r#"Bell, <A.> \"Alec\""#), "sip:bell@d.com", Some("3")));
}

#[test]
fn tel_uris_are_uris() {
    let text = "NOTIFY tel:+31612345678 SIP/2.0\r\nFrom: <tel:+31612345678;phone-context=x>;tag=1\r\nTo: tel:112;tag=2\r\n\
                Via: SIP/2.0/TCP h\r\nCall-ID: c\r\nCSeq: 1 NOTIFY\r\n\r\n";
    let message = read(text.as_bytes());
    assert_eq!(message.check(), Ok(()));
    assert_eq!(message.request_uri(), Some("tel:+31612345678"));
    assert_eq!((message.to().unwrap().uri, message.to().unwrap().tag()), ("tel:112", Some("2")));
}

#[test]
fn content_length_cuts_a_datagram_or_refuses_it() {
    let text = |length: &str| Bytes::from(format!("NOTIFY sip:a@d.com SIP/2.0\r\n{length}\r\nbody"));
    let body = |length: &str| Message::parse(text(length), &Limits::default()).map(|message| message.body().clone());
    assert_eq!(body("Content-Length: 2\r\n").unwrap().as_ref(), b"bo");
    assert_eq!(body("").unwrap().as_ref(), b"body");
    for refused in ["5", "-1", "1.5", "", "0x2", "18446744073709551615", "99999999999999999999999", "2\r\nl: 2"] {
        assert!(body(&format!("Content-Length: {refused}\r\n")).is_err(), "{refused}");
    }
}

#[test]
fn a_binary_body_is_untouched_both_ways() {
    let body: Vec<u8> = (0..=255).collect();
    let bytes = Request::new(Method::Publish, "sip:a@d.com").body("application/octet-stream", body.clone()).to_bytes();
    assert_eq!(read(&bytes.unwrap()).body().as_ref(), &body[..]);
}

#[test]
fn bad_utf8_costs_one_unknown_header_and_no_other() {
    let bytes = b"NOTIFY sip:a@d.com SIP/2.0\r\nSubject: caf\xe9\r\nCall-ID: c1\r\nServer: x\r\n\r\n";
    let message = read(bytes);
    assert_eq!(message.header("Subject"), Some("caf\u{fffd}"));
    assert_eq!((message.call_id(), message.header("Server")), ("c1", Some("x")));
    // What identifies a dialog is never repaired.
    let bytes = Bytes::from_static(b"NOTIFY sip:a@d.com SIP/2.0\r\nCall-ID: c\xe9\r\n\r\n");
    assert!(Message::parse(bytes, &Limits::default()).is_err());
}

#[test]
fn lines_may_end_with_a_lone_lf_but_never_with_a_lone_cr() {
    let message = read(b"NOTIFY sip:a@d.com SIP/2.0\nCall-ID: c1\nSubject: a\n b\nl: 2\n\nhi");
    assert_eq!((message.call_id(), message.header("s"), message.body().as_ref()), ("c1", Some("a b"), &b"hi"[..]));
    let bytes = Bytes::from_static(b"NOTIFY sip:a@d.com SIP/2.0\r\nSubject: a\rRoute: <sip:evil>\r\n\r\n");
    assert!(Message::parse(bytes, &Limits::default()).is_err());
}

#[test]
fn a_reason_phrase_is_the_peers_own() {
    let message = read(b"SIP/2.0 489 Bad Event, sorry\r\nRetry-After: 18 (in a meeting);duration=3600\r\n\r\n");
    assert_eq!((message.status(), message.reason()), (Some(489), "Bad Event, sorry"));
    assert_eq!(message.retry_after(), Some(Duration::from_secs(18)));
    let answer = read(&respond(&notify(""), 481, None, "t", &[], None));
    assert_eq!(answer.reason(), "Call/Transaction Does Not Exist");
    assert_eq!(read(&respond(&notify(""), 202, None, "t", &[], None)).reason(), "Accepted");
}

#[test]
fn numbers_are_numbers_or_the_message_is_refused() {
    for bad in ["Expires: -1\r\n", "Expires: soon\r\n", "Max-Forwards: 256\r\n", "Min-Expires: 1e3\r\n", "Expires:\r\n"]
    {
        assert_eq!(notify(bad).check().unwrap_err().status, 400, "{bad}");
    }
    assert_eq!(notify("Expires: 99999999999999999999\r\n").expires(), Some(Duration::from_secs(u32::MAX.into())));
    assert_eq!(notify("Expires: 3600\r\nMax-Forwards: 0\r\n").check(), Ok(()));
}

#[test]
fn lift_gives_rsips_types_for_ordinary_values_only() {
    assert!(lift::<rsip::typed::From>("<sip:user1@domain.com>;tag=88").is_some());
    assert_eq!(lift::<rsip::typed::CSeq>("7 NOTIFY").unwrap().seq, 7);
    assert!(
        lift::<rsip::typed::Via>("SIP/2.0/tcp 192.0.2.1:5060;branch=z9hG4bK1").is_some(),
        "the case of a transport"
    );
    for refused in ["<sip:a@[2001:db8::1]>;tag=1", "<tel:+31612345678>;tag=1", "<sip:a@d.com> ; tag=1", "", "\"", "<"] {
        assert!(lift::<rsip::typed::From>(refused).is_none(), "{refused}");
    }
    assert!(lift::<rsip::typed::CSeq>("7 BENOTIFY").is_none());
    assert!(lift::<rsip::typed::Via>(&format!("SIP/2.0/TCP h{}", ";".repeat(4000))).is_none(), "not even looked at");
}

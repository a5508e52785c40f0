//! An independent parser, ezk-sip-types, reads back everything that we print, field by field.
#![allow(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use ezk_sip_types::header::HeaderParse;
use ezk_sip_types::header::typed::{
    AuthResponse, CSeq, CallID, Contact, ContentLength, ContentType, Event, Expires, FromTo, MaxForwards, Routing,
    SubStateValue, SubscriptionState, Via,
};
use ezk_sip_types::msg::{Line, MessageLine, PullParser};
use ezk_sip_types::print::{AppendCtx, PrintCtx};
use ezk_sip_types::uri::{NameAddr as EzkNameAddr, SipUri};
use ezk_sip_types::{Headers, Name};
use presence_sip::{Credentials, DigestClient, Limits, Message, Method, NameAddr, Request, SubscriptionPhase, respond};

/// A message as ezk reads it.
struct Oracle {
    line: MessageLine,
    headers: Headers,
    /// Names and values in the order of the wire.
    raw: Vec<(String, String)>,
    body: Bytes,
}

impl Oracle {
    fn read(bytes: &Bytes) -> Self {
        let mut parser = PullParser::new(bytes, 0);
        let line = text(parser.next().unwrap().unwrap()).parse().unwrap();
        let (mut headers, mut raw) = (Headers::new(), Vec::new());
        for line in &mut parser {
            let line = text(line.unwrap());
            let (rest, line) = Line::parse(bytes, line).unwrap();
            assert_eq!(rest, "");
            raw.push((line.name.as_print_str().to_owned(), line.value.trim().to_owned()));
            headers.insert(line.name, line.value);
        }
        let head = parser.head_end();
        let ContentLength(length) = headers.get_named().unwrap();
        assert_eq!(bytes.len(), head + length, "the length is that of the body");
        Self { line, headers, raw, body: bytes.slice(head..) }
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn print(uri: &SipUri) -> String {
    uri.print_ctx(PrintCtx::default()).to_string()
}

fn same_address(ours: NameAddr<'_>, theirs: &EzkNameAddr) {
    assert_eq!(ours.uri, print(&theirs.uri));
    assert_eq!(ours.display.map(str::trim), theirs.name.as_ref().map(|name| name.as_str().trim()));
}

/// Both parsers see the same message.
fn compare(bytes: &Bytes) -> Oracle {
    let ours = Message::parse(bytes.clone(), &Limits::default()).unwrap();
    assert_eq!(ours.check(), Ok(()));
    let theirs = Oracle::read(bytes);
    match &theirs.line {
        MessageLine::Request(line) => {
            assert_eq!(ours.method().unwrap().as_str(), line.method.to_string());
            assert_eq!(ours.request_uri().unwrap(), print(&line.uri));
        }
        MessageLine::Response(line) => {
            assert_eq!(ours.status(), Some(line.code.into_u16()));
            assert_eq!(ours.reason(), line.reason.as_ref().map_or("", |reason| reason.as_str()));
        }
    }
    let raw: Vec<_> = ours.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(raw, theirs.raw);
    assert_eq!(ours.body(), &theirs.body);

    let vias: Vec<Via> = theirs.headers.get_named().unwrap();
    assert_eq!(ours.values("Via").count(), vias.len());
    for (ours, theirs) in ours.values("Via").zip(&vias) {
        let ours = presence_sip::Via::parse(ours).unwrap();
        assert_eq!(ours.transport, theirs.transport.as_str());
        let host = theirs.sent_by.print_ctx(PrintCtx::default()).to_string();
        assert_eq!(ours.port.map_or(ours.host.to_owned(), |port| format!("{}:{port}", ours.host)), host);
        assert_eq!(ours.branch(), theirs.params.get_val("branch").map(|branch| branch.as_str()));
    }
    for (ours, name) in [(ours.from(), Name::FROM), (ours.to(), Name::TO)] {
        let theirs: FromTo = theirs.headers.get(name).unwrap();
        same_address(ours.unwrap(), &theirs.uri);
        assert_eq!(ours.unwrap().tag(), theirs.tag.as_ref().map(|tag| tag.as_str()));
    }
    let CallID(call_id) = theirs.headers.get_named().unwrap();
    assert_eq!(ours.call_id(), call_id.as_str());
    let CSeq { cseq, method } = theirs.headers.get_named().unwrap();
    assert_eq!(ours.cseq(), Some((cseq, method.to_string().as_str())));
    if let Some(contacts) = theirs.headers.try_get_named::<Vec<Contact>>() {
        for (ours, theirs) in ours.values("Contact").zip(contacts.unwrap()) {
            same_address(NameAddr::parse(ours).unwrap(), &theirs.uri);
        }
    }
    for name in [Name::ROUTE, Name::RECORD_ROUTE] {
        if let Some(routes) = theirs.headers.try_get::<Vec<Routing>>(name.clone()) {
            let routes = routes.unwrap();
            assert_eq!(ours.values(name.as_print_str()).count(), routes.len());
            for (ours, theirs) in ours.values(name.as_print_str()).zip(routes) {
                same_address(NameAddr::parse(ours).unwrap(), &theirs.uri);
            }
        }
    }
    if let Some(expires) = theirs.headers.try_get_named::<Expires>() {
        assert_eq!(ours.expires().unwrap().as_secs(), u64::from(expires.unwrap().0));
    }
    if let Some(content_type) = theirs.headers.try_get_named::<ContentType>() {
        assert_eq!(ours.content_type(), Some(content_type.unwrap().0.as_str()));
    }
    theirs
}

const ROUTE: &str = "<sip:fe01.contoso.com:5061;transport=tls;opaque=state:T:F:Ci.R2f00;lr;ms-route-sig=aab>";

fn subscribe(uri: &str) -> Request {
    Request::new(Method::Subscribe, uri)
        .header("Via", "SIP/2.0/TLS [2001:db8::9:1]:6120;branch=z9hG4bK776asdhds;rport")
        .header("Max-Forwards", "70")
        .header("Route", ROUTE)
        .header("Route", "<sip:p2.contoso.com;lr>")
        .header("From", "\"Presence Provider\" <sip:app@contoso.com>;tag=c7f1;epid=0123456789")
        .header("To", format!("<{uri}>"))
        .header("Call-ID", "7d1c5d0e@192.0.2.1")
        .header("CSeq", "4711 SUBSCRIBE")
        .header("Contact", "<sip:app@192.0.2.1:6120;transport=tls>")
        .header("Event", "presence")
        .header("Accept", "application/pidf+xml")
        .header("Expires", "3600")
        .header("User-Agent", "presence-provider")
}

#[test]
fn requests_are_read_back_by_ezk() {
    for uri in [
        "sip:user1@domain.com",
        "sips:user1@domain.com:5061;transport=tls",
        "sip:user@dom.com;opaque=user:epid:Mz1aGeZXxVmVJ7tPIhrfMwAA;gruu",
        "sip:[2001:db8::10]:5070",
        "sip:192.0.2.7",
    ] {
        let oracle = compare(&subscribe(uri).to_bytes().unwrap());
        let MaxForwards(hops) = oracle.headers.get_named().unwrap();
        let Event(event) = oracle.headers.get_named().unwrap();
        assert_eq!((hops, event.as_str()), (70, "presence"));
    }
    let bytes = subscribe("sip:user1@domain.com").body("text/plain;charset=UTF-8", "hé \0 body").to_bytes().unwrap();
    assert_eq!(compare(&bytes).body.as_ref(), "hé \0 body".as_bytes());
}

#[test]
fn every_method_is_read_back_by_ezk() {
    for token in ["REGISTER", "NOTIFY", "BENOTIFY", "SERVICE", "PUBLISH", "OPTIONS", "MESSAGE", "INFO", "BYE", "X-OWN"]
    {
        let bytes = Request::new(Method::from_token(token), "sip:user1@domain.com")
            .header("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1, SIP/2.0/TCP host.domain.com;branch=z9hG4bK2")
            .header("From", "<sip:a@domain.com>;tag=1")
            .header("To", "<sip:b@domain.com>;tag=2")
            .header("Call-ID", "c1")
            .header("CSeq", format!("2147483647 {token}"))
            .header("Subscription-State", "terminated;reason=deactivated;retry-after=5");
        let bytes = bytes.to_bytes().unwrap();
        let oracle = compare(&bytes);
        let theirs: SubscriptionState = oracle.headers.get_named().unwrap();
        let message = Message::parse(bytes, &Limits::default()).unwrap();
        let ours = message.subscription_state().unwrap();
        assert_eq!((ours.state, theirs.state), (SubscriptionPhase::Terminated, SubStateValue::Terminated));
        assert_eq!(ours.reason.unwrap(), theirs.reason.unwrap().to_string());
        assert_eq!(ours.retry_after.unwrap().as_secs(), u64::from(theirs.retry_after.unwrap()));
    }
}

#[test]
fn answers_are_read_back_by_ezk() {
    let bytes = subscribe("sip:user1@domain.com").header("Record-Route", ROUTE).header("Record-Route", "<sip:p2;lr>");
    let request = Message::parse(bytes.to_bytes().unwrap(), &Limits::default()).unwrap();
    for code in [200, 202, 400, 404, 423, 481, 489, 503, 604] {
        let extra = [("Min-Expires", "60"), ("Retry-After", "5"), ("Contact", "<sip:a@192.0.2.9:5060>")];
        let oracle = compare(&respond(&request, code, None, "t17", &extra, None));
        let to: FromTo = oracle.headers.get(Name::TO).unwrap();
        assert_eq!(to.tag.unwrap().as_str(), "t17");
        compare(&respond(&request, code, Some("An own phrase"), "t17", &[], Some(("text/plain", b"why\r\n\r\nso"))));
    }
}

#[test]
fn digest_headers_are_read_back_by_ezk() {
    for algorithm in ["MD5", "SHA-256", "MD5-sess"] {
        let challenge = format!(
            "SIP/2.0 401 x\r\nWWW-Authenticate: Digest realm=\"pool.d.com\", nonce=\"n0=+/\", opaque=\"op\", \
             algorithm={algorithm}, qop=\"auth-int,auth\"\r\n\r\n"
        );
        let challenge = Message::parse(challenge.into(), &Limits::default()).unwrap();
        let mut client = DigestClient::new(Credentials { user: "app".into(), password: "secret".into() });
        client.challenge(&challenge).unwrap();
        for count in 1..=17 {
            let headers = client.authorize("SUBSCRIBE", "sip:user1@domain.com", &mut |bytes| bytes.fill(0x5a));
            let (name, value) = &headers[0];
            compare(&subscribe("sip:user1@domain.com").header(name, value.clone()).to_bytes().unwrap());
            let source = Bytes::from(value.clone());
            let (rest, AuthResponse::Digest(read)) = AuthResponse::parse(&source, text(&source)).unwrap() else {
                panic!("{value}")
            };
            assert_eq!((rest, *name), ("", "Authorization"));
            assert_eq!(
                (read.realm.as_str(), read.nonce.as_str(), read.uri.as_str()),
                ("pool.d.com", "n0=+/", "sip:user1@domain.com")
            );
            assert_eq!(read.username.to_string(), "username=\"app\"");
            assert_eq!((read.opaque.unwrap().as_str(), read.algorithm.to_string()), ("op", algorithm.to_owned()));
            let quality = read.qop_response.unwrap();
            assert_eq!((quality.nc, quality.qop.to_string(), quality.cnonce.len()), (count, "auth".to_owned(), 32));
        }
    }
}

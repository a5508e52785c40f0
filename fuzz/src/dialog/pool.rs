//! What a pool says: answers to what was sent, notifications in the dialogs that were begun, and things of its own.

use std::fmt::Write;

use presence_sip::{Message, Method};

use crate::script::Script;

use super::Kind;

const CODES: [u16; 32] = [
    200, 200, 200, 200, 202, 100, 180, 299, 301, 302, 305, 400, 401, 403, 404, 405, 407, 408, 413, 420, 421, 423, 480,
    481, 488, 489, 500, 501, 503, 504, 603, 699,
];
const NUMBERS: [&str; 14] = [
    "3600",
    "0",
    "1",
    "28800",
    "60",
    "5",
    "4294967295",
    "99999999999999999999",
    "2147483647",
    "-1",
    "",
    "x",
    "1e9",
    "0x10",
];
const STATES: [&str; 10] = [
    "active;expires=3599",
    "active",
    "pending;expires=60",
    "terminated;reason=deactivated",
    "terminated;reason=giveup;retry-after=99999999999",
    "terminated;reason=noresource",
    "terminated",
    "active;expires=0",
    "waiting;expires=4294967295",
    "active;expires=1",
];
const EVENTS: [&str; 5] = ["presence", "presence;id=1", "dialog", "registration-notify", "Presence"];
const DIAGNOSTICS: [&str; 6] = ["1003", "2012;reason=\"quota\"", "2014", "2016", "1004.1", "4140;reason=\"x\""];
const ROWS: [&str; 8] = [
    "state=\"active\" cid=\"c\"",
    "state=\"resubscribe\"",
    "state=\"resubscribe\" poolFqdn=\"sip:pool2.domain.com\"",
    "state=\"terminated\" reason=\"quotaExceeded\" statusCode=\"413\" msDiagCode=\"2012\"",
    "state=\"terminated\" statusCode=\"404\"",
    "state=\"terminated\" reason=\"noresource\"",
    "state=\"pending\"",
    "",
];
const REGISTRATION_EVENTS: [&str; 7] = [
    "deregistered;event=unregistered",
    "deregistered;event=rejected",
    "deregistered;event=deactivated",
    "deregistered;event=userservices-unavailable",
    "deregistered;event=preferred-registrar-change",
    "registered;event=userservices-available",
    "",
];

/// An answer to a request that was really sent.
pub(super) fn answer(request: &Message, script: &mut Script<'_>, kind: Kind) -> String {
    let code = script.pick(&CODES);
    let mut text = format!("SIP/2.0 {code} Phrase\r\n");
    let tag = if script.chance(8) { "other" } else { "n1" };
    for (name, value) in request.headers() {
        match name {
            "Via" | "From" | "Call-ID" | "CSeq" => line(&mut text, name, value),
            "To" if value.contains("tag=") => line(&mut text, name, value),
            "To" if script.chance(16) => line(&mut text, name, value),
            "To" => line(&mut text, name, &format!("{value};tag={tag}")),
            _ => {}
        }
    }
    let granted = script.pick(&NUMBERS);
    if request.method() == Some(&Method::Register) {
        let contact = request.header("Contact").unwrap_or("<sip:192.0.2.1>");
        let gruu = "sip:app@domain.com;opaque=user:epid:fvceImg6cFWG7W6lvUt_-AAA;gruu";
        line(&mut text, "Contact", &format!("{contact};expires={granted};gruu=\"{gruu}\""));
        if script.chance(3) {
            line(&mut text, "ms-keep-alive", "UAS; tcp=no; hop-hop=yes; end-end=no; timeout=30");
        }
    } else {
        line(&mut text, "Contact", "<sip:fe01.domain.com:5061;transport=tls;ms-fe=fe01.domain.com>");
    }
    let extras = script.byte();
    if extras & 1 == 0 {
        line(&mut text, "Expires", granted);
    }
    if extras & 2 != 0 {
        line(&mut text, "Record-Route", "<sip:pool.domain.com:5061;transport=tls;lr;opaque=state:F>, <sip:p2;lr>");
    }
    if extras & 4 != 0 {
        line(&mut text, "Retry-After", script.pick(&NUMBERS));
        line(&mut text, "Min-Expires", script.pick(&NUMBERS));
    }
    if extras & 8 != 0 || code == 401 || code == 407 {
        let name = if code == 407 { "Proxy-Authenticate" } else { "WWW-Authenticate" };
        let nonce = script.below(4);
        line(&mut text, name, &format!("Digest realm=\"r\", qop=\"auth\", algorithm=SHA-256, nonce=\"n{nonce}\""));
    }
    if extras & 16 != 0 {
        line(&mut text, "ms-diagnostics", script.pick(&DIAGNOSTICS));
    }
    if extras & 32 != 0 {
        line(&mut text, "ms-piggyback-cseq", script.pick(&NUMBERS));
    }
    let body = (kind == Kind::Skype && !request.body().is_empty()).then(|| lists(&listed(request), script));
    finish(text, body)
}

/// 200, as a pool that means well says it.
pub(super) fn acceptance(request: &Message) -> String {
    let mut text = "SIP/2.0 200 OK\r\n".to_owned();
    for (name, value) in request.headers() {
        match name {
            "Via" | "From" | "Call-ID" | "CSeq" => line(&mut text, name, value),
            "To" if value.contains("tag=") => line(&mut text, name, value),
            "To" => line(&mut text, name, &format!("{value};tag=n1")),
            _ => {}
        }
    }
    if request.method() == Some(&Method::Register) {
        let contact = request.header("Contact").unwrap_or("<sip:192.0.2.1>");
        let gruu = "sip:app@domain.com;opaque=user:epid:fvceImg6cFWG7W6lvUt_-AAA;gruu";
        line(&mut text, "Contact", &format!("{contact};expires=7200;gruu=\"{gruu}\""));
    } else {
        line(&mut text, "Contact", "<sip:fe01.domain.com:5061;transport=tls>");
    }
    line(&mut text, "Expires", "7200");
    finish(text, None)
}

/// A NOTIFY in the dialog of this SUBSCRIBE, from its Request-URI on, as a pool that means well says it.
pub(crate) fn honest(subscribe: &Message, cseq: u32) -> Vec<(&'static str, String)> {
    let tag = subscribe.from().and_then(|from| from.tag()).unwrap_or_default().to_owned();
    vec![
        ("Via", format!("SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bKh{cseq}")),
        ("Max-Forwards", "70".to_owned()),
        ("From", "\"Agent\" <sip:agent0@domain.com>;tag=n1".to_owned()),
        ("To", format!("<sip:app@domain.com>;tag={tag}")),
        ("Call-ID", subscribe.call_id().to_owned()),
        ("CSeq", format!("{cseq} NOTIFY")),
        ("Contact", "<sip:fe01.domain.com:5061;transport=tls>".to_owned()),
        ("Event", "presence".to_owned()),
        ("Expires", "3600".to_owned()),
        ("Subscription-State", "active;expires=3599".to_owned()),
    ]
}

/// A notification in the dialog of this SUBSCRIBE.
pub(super) fn notification(subscribe: &Message, cseq: u32, script: &mut Script<'_>, kind: Kind) -> String {
    let method = if script.chance(3) { "BENOTIFY" } else { "NOTIFY" };
    let foreign = script.byte();
    let tag = subscribe.from().and_then(|from| from.tag()).unwrap_or("none").to_owned();
    let tag = if foreign & 0x0f == 15 { "ffffffffffffffffffffffffffffffff".to_owned() } else { tag };
    let theirs = if foreign & 0xf0 == 0xf0 { "other" } else { "n1" };
    let cseq = match script.below(8) {
        0 => cseq.saturating_sub(1),
        1 => 2_147_483_647,
        _ => cseq,
    };
    let mut text = format!(
        "{method} sip:app@192.0.2.1:6120;transport=tcp SIP/2.0\r\n\
         Via: SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bKn{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:agent1@domain.com>;tag={theirs}\r\nTo: <sip:app@domain.com>;tag={tag}\r\nCall-ID: {}\r\n\
         CSeq: {cseq} {method}\r\n",
        subscribe.call_id()
    );
    if !script.chance(8) {
        line(&mut text, "Subscription-State", script.pick(&STATES));
    }
    let event = if script.chance(6) { script.pick(&EVENTS) } else { "presence" };
    line(&mut text, "Event", event);
    if script.chance(4) {
        line(&mut text, "Contact", "<sip:fe02.domain.com:5061;transport=tls>");
    }
    let body = match kind {
        Kind::Skype => lists(&listed(subscribe), script),
        Kind::Simple => pidf(script),
    };
    let body = (!script.chance(4)).then_some(body);
    finish(text, body)
}

/// What a pool says of our registration.
pub(super) fn registration_event(cseq: u32, script: &mut Script<'_>) -> String {
    let event = script.pick(&REGISTRATION_EVENTS);
    let method = if script.chance(2) { "NOTIFY" } else { "BENOTIFY" };
    let text = format!(
        "{method} sip:app@domain.com SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.9:5061;branch=z9hG4bKr{cseq}\r\n\
         From: <sip:app@domain.com>;tag=r1\r\nTo: <sip:app@domain.com>;epid=84d3db8c23\r\nCall-ID: r{cseq}\r\n\
         CSeq: {cseq} {method}\r\nEvent: registration-notify\r\nP-Preferred-Registrar: sip:fe03.domain.com:5061\r\n\
         Subscription-State: terminated;expires=0\r\n"
    );
    finish(text, Some(("text/registration-event".to_owned(), event.to_owned())))
}

/// A request that belongs to nothing.
pub(super) fn stranger(cseq: u32, script: &mut Script<'_>) -> String {
    let method =
        script.pick(&["OPTIONS", "INVITE", "NOTIFY", "BENOTIFY", "MESSAGE", "ACK", "CANCEL", "SUBSCRIBE", "X"]);
    finish(
        format!(
            "{method} sip:app@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKs{cseq}\r\n\
             From: <sip:x@domain.com>;tag=x\r\nTo: <sip:app@domain.com>;tag=y\r\nCall-ID: s{cseq}\r\n\
             CSeq: {cseq} {method}\r\nEvent: presence\r\nSubscription-State: active\r\n"
        ),
        None,
    )
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing into a String cannot fail.
    let _ = write!(text, "{name}: {value}\r\n");
}

fn finish(mut text: String, body: Option<(String, String)>) -> String {
    let (content_type, body) = body.unwrap_or_default();
    if !body.is_empty() {
        line(&mut text, "Content-Type", &content_type);
    }
    line(&mut text, "Content-Length", &body.len().to_string());
    text + "\r\n" + &body
}

fn pidf(script: &mut Script<'_>) -> (String, String) {
    let basic = script.pick(&["open", "closed", "", "<open/>", "&x;", "]]>"]);
    let body = format!(
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"pres:agent1@domain.com\"><tuple id=\"t\">\
         <status><basic>{basic}</basic></status></tuple></presence>"
    );
    ("application/pidf+xml".to_owned(), body)
}

/// Whom a request of ours asks for or lets go.
fn listed(request: &Message) -> Vec<String> {
    let body = String::from_utf8_lossy(request.body());
    let uris = body.split("<resource uri=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut uris: Vec<String> = uris.map(str::to_owned).collect();
    if uris.is_empty() {
        uris.extend(request.to().map(|to| to.uri.to_owned()));
    }
    uris
}

/// A list and documents about these agents: what the script makes of each.
fn lists(uris: &[String], script: &mut Script<'_>) -> (String, String) {
    let mut list = "<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:app@domain.com\" version=\"0\">".to_owned();
    let mut documents = String::new();
    for (index, uri) in uris.iter().enumerate() {
        let how = script.below(16);
        if how < 8 {
            let _ = write!(
                documents,
                "--x1\r\nContent-ID: {index}\r\nContent-Type: application/msrtc-event-categories+xml\r\n\r\n"
            );
            let end = if script.chance(16) { "</" } else { "</categories>" };
            let _ = write!(
                documents,
                "<categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" uri=\"{uri}\">\
                 <category name=\"state\" instance=\"1\"><state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" \
                 xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"aggregateState\">\
                 <availability>6500</availability></state></category>{end}\r\n"
            );
        } else {
            let row = ROWS[how - 8];
            let _ = write!(list, "<resource uri=\"{uri}\"><instance id=\"0\" {row}/></resource>");
        }
    }
    if !script.chance(16) {
        list.push_str("</list>");
    }
    let body =
        format!("--x1\r\nContent-ID: l\r\nContent-Type: application/rlmi+xml\r\n\r\n{list}\r\n{documents}--x1--\r\n");
    ("multipart/related;type=\"application/rlmi+xml\";start=l;boundary=x1".to_owned(), body)
}

//! What reading a NOTIFY with a presence document costs, and printing the 200 for it.
//!
//! `cargo bench -p presence-sip --bench message`
#![allow(missing_docs, reason = "a benchmark")]

use bytes::Bytes;
use divan::{Bencher, black_box};
use presence_sip::{Frame, Framer, Limits, Message, Method, Request, respond};

fn main() {
    divan::main();
}

/// 1.5 kB as a presence server sends it.
fn notify() -> Bytes {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" \
         entity=\"sip:user1@domain.com\">\n<tuple id=\"t1\"><status><basic>open</basic></status>\
         <contact priority=\"0.8\">sip:user1@192.0.2.33:5060</contact></tuple>\n<dm:person id=\"p1\"><rpid:activities>\
         <rpid:on-the-phone/></rpid:activities><dm:note>{}</dm:note></dm:person>\n</presence>\n",
        "On the phone with a customer. ".repeat(13)
    );
    let head = format!(
        "NOTIFY sip:app@192.0.2.1:6120;transport=tls SIP/2.0\r\n\
         Via: SIP/2.0/TLS 192.0.2.9:5061;branch=z9hG4bK5D4A1B0C.7F3E2D1C;branched=FALSE\r\nMax-Forwards: 69\r\n\
         Record-Route: <sip:pool.domain.com:5061;transport=tls;opaque=state:F:Ci.R2f00;lr>\r\n\
         From: <sip:user1@domain.com>;tag=a6a1c5f60faecf035a1ae5b6e96e979a-5aca\r\n\
         To: \"Presence Provider\" <sip:app@domain.com>;tag=c7f1d0\r\nCall-ID: 7d1c5d0e4a2b4c6f8e9d@192.0.2.1\r\n\
         CSeq: 12 NOTIFY\r\nContact: <sip:pool.domain.com:5061;transport=tls>\r\nEvent: presence\r\n\
         Subscription-State: active;expires=3412\r\nUser-Agent: a presence server (5.6)\r\n\
         Content-Type: application/pidf+xml\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into()
}

#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    let bytes = notify();
    let limits = Limits::default();
    bencher.counter(divan::counter::BytesCount::new(bytes.len())).bench(|| Message::parse(bytes.clone(), &limits));
}

/// With all that a subscription needs of it.
#[divan::bench]
fn read_and_check(bencher: Bencher<'_, '_>) {
    let bytes = notify();
    let limits = Limits::default();
    bencher.counter(divan::counter::BytesCount::new(bytes.len())).bench(|| {
        let message = Message::parse(bytes.clone(), &limits).ok()?;
        message.check().ok()?;
        black_box((message.call_id(), message.to()?.tag()?, message.from()?.tag()?, message.cseq()?));
        black_box((message.event()?, message.subscription_state()?, message.contact()?, message.content_type()?));
        Some(message)
    });
}

#[divan::bench]
fn frame_from_a_stream(bencher: Bencher<'_, '_>) {
    let bytes = notify();
    let mut framer = Framer::new(Limits::default());
    bencher.counter(divan::counter::BytesCount::new(bytes.len())).bench_local(|| {
        framer.push(&bytes);
        let frame = framer.next_frame();
        assert!(matches!(frame, Ok(Some(Frame::Message(_)))));
        frame
    });
}

#[divan::bench]
fn print_the_200(bencher: Bencher<'_, '_>) {
    let message = Message::parse(notify(), &Limits::default()).expect("a message");
    bencher.bench(|| respond(black_box(&message), 200, None, "c7f1d0", &[], None));
}

#[divan::bench]
fn build_and_print_a_subscribe(bencher: Bencher<'_, '_>) {
    bencher.bench(|| {
        Request::new(Method::Subscribe, "sip:user1@domain.com")
            .header("Via", "SIP/2.0/TLS 192.0.2.1:6120;branch=z9hG4bK776asdhds")
            .header("Max-Forwards", "70")
            .header("From", "<sip:app@domain.com>;tag=c7f1d0")
            .header("To", "<sip:user1@domain.com>")
            .header("Call-ID", "7d1c5d0e4a2b4c6f8e9d@192.0.2.1")
            .header("CSeq", "1 SUBSCRIBE")
            .header("Contact", "<sip:app@192.0.2.1:6120;transport=tls>")
            .header("Event", "presence")
            .header("Accept", "application/pidf+xml")
            .header("Expires", "3600")
            .to_bytes()
    });
}

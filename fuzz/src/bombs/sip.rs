//! Bombs for the readers of SIP messages.

use bytes::Bytes;
use presence_sip::{Frame, Framer, Limits, Message};

use super::{Bomb, each, filled};
use crate::dialog::{Kind, Scene};
use crate::message::examine;

const HEAD: &str = "NOTIFY sip:app@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK1\r\n\
                    From: <sip:a@d.com>;tag=1\r\nTo: <sip:b@d.com>;tag=2\r\nCall-ID: c1\r\nCSeq: 7 NOTIFY\r\n";
const HEADER_SECTION: usize = 16 * 1024;
const BODY: usize = 1024 * 1024;

/// Everything that is ever asked of a message.
fn message(bytes: &[u8]) -> bool {
    let limits = Limits::default();
    Message::parse(Bytes::copy_from_slice(bytes), &limits).is_ok_and(|message| examine(&message, &limits))
}

/// In pieces of the size that a slow peer sends.
fn slowly(bytes: &[u8]) -> bool {
    stream(bytes, 7)
}

fn at_once(bytes: &[u8]) -> bool {
    stream(bytes, 16 * 1024)
}

fn stream(bytes: &[u8], piece: usize) -> bool {
    let mut framer = Framer::new(Limits::default());
    let mut messages = 0;
    for piece in bytes.chunks(piece) {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => messages += usize::from(matches!(frame, Frame::Message(_))),
                Ok(None) => break,
                Err(_) => return false,
            }
        }
    }
    messages > 0
}

fn simple(bytes: &[u8]) -> bool {
    dialect(Kind::Simple, bytes)
}

fn skype(bytes: &[u8]) -> bool {
    dialect(Kind::Skype, bytes)
}

fn dialect(kind: Kind, bytes: &[u8]) -> bool {
    let mut scene = Scene::new(kind);
    scene.begin();
    scene.notify_with(bytes)
}

pub(super) fn bombs(part: usize) -> Vec<Bomb> {
    let mut all = each(part, &[("message 16 KiB of headers", HEADER_SECTION, message)], headers);
    all.extend(each(part, &[("stream 16 KiB of headers", HEADER_SECTION, slowly)], headers));
    all.extend(each(part, &[("stream 1 MiB in pieces of 7 bytes", BODY, slowly)], streams));
    all.extend(each(part, &[("stream 1 MiB in pieces of 16 KiB", BODY, at_once)], streams));
    // Many messages, each of which is little work: sixteen reads of a connection.
    all.extend(each(part, &[("stream 256 KiB of messages", BODY / 4, at_once)], floods));
    all.extend(each(
        part,
        &[("simple: NOTIFY 256 KiB", 256 << 10, simple), ("skype: NOTIFY 4 MiB", 4 << 20, skype)],
        bodies,
    ));
    all
}

fn headers(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let long = cap / 4 - 40;
    let line = |name: &str, part: &str| format!("{name}: {}\r\n", part.repeat((long - name.len()) / part.len()));
    let three = |name: &str, part: &str| format!("{HEAD}{}\r\n", line(name, part).repeat(3)).into_bytes();
    let full = |part: &str| filled(HEAD, part, "\r\n", cap);
    vec![
        ("headers", full("x:\r\n")),
        ("headers without a colon", full("x\r\n")),
        ("folds", filled(&format!("{HEAD}x:"), "\r\n ", "\r\n\r\n", cap)),
        ("a header without end", filled(&format!("{HEAD}x:"), "x", "\r\n\r\n", cap)),
        ("commas", three("Contact", ",")),
        ("addresses", three("Contact", "<a:b>,")),
        ("open addresses", three("Contact", "<a:b,")),
        ("open quotes", three("Contact", "\"\\\",<")),
        ("semicolons", three("Contact", "<a:b>;;;;;;;;;;;;;;;;;;")),
        ("parameters of a Via", format!("{HEAD}{}\r\n", line("Via", "SIP/2.0/TCP h;a;b;c;d;e;f;g;h;i")).into_bytes()),
        ("Vias", three("Via", "SIP/2.0/TCP h,")),
        ("routes", three("Record-Route", "<a:b>,")),
        ("a challenge", three("WWW-Authenticate", "Digest a=\"b\\\"\", ")),
        ("a state", format!("{HEAD}{}\r\n", line("Subscription-State", "active;expires=1;a=\"\\\"")).into_bytes()),
        ("diagnostics", format!("{HEAD}{}\r\n", line("ms-diagnostics", "1;reason=\"\\\"\";")).into_bytes()),
        ("lengths", full("l: 0\r\n")),
        ("a long length", filled(&format!("{HEAD}l: "), "0", "\r\n\r\n", cap / 4)),
        ("empty lines", vec![b'\n'; cap]),
        ("bytes that are no UTF-8", filled(&format!("{HEAD}x: "), "\u{fffd}", "\r\n\r\n", cap / 4)),
    ]
}

fn streams(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let length = cap - HEAD.len() - 40;
    vec![
        ("keep-alives", b"\r\n".repeat(cap / 2)),
        ("line ends", vec![b'\n'; cap]),
        ("a body", [format!("{HEAD}l: {length}\r\n\r\n").into_bytes(), vec![b'x'; length]].concat()),
        ("no line end", vec![b'x'; cap]),
        ("carriage returns", vec![b'\r'; cap]),
    ]
}

fn floods(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let message = format!("{HEAD}Content-Length: 0\r\n\r\n");
    vec![
        ("messages", filled("", &message, "", cap)),
        ("malformed messages", filled("", "X sip:a SIP/2.0\r\nl: 0\r\nx\r\n\r\n", "", cap)),
        ("the smallest messages", filled("", "A b SIP/2.0\r\n\r\n", "", cap)),
    ]
}

/// A Content-Type in the first line, a body behind it.
fn bodies(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let cap = cap - 400;
    let pidf = "application/pidf+xml\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\">";
    let multipart = "multipart/related;type=\"application/rlmi+xml\";boundary=x\n";
    let list = "--x\r\nContent-Type: application/rlmi+xml\r\n\r\n<list xmlns=\"urn:ietf:params:xml:ns:rlmi\">";
    let open = format!("{multipart}{list}");
    let categories = "--x\r\nContent-Type: application/msrtc-event-categories+xml\r\n\r\n<categories \
                      xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" uri=\"sip:agent1@domain.com\"/>\r\n";
    let nested = "--x\r\nContent-Type: multipart/mixed;boundary=x\r\n\r\n";
    vec![
        ("tuples", filled(pidf, "<tuple/>", "</presence>", cap)),
        ("resources", filled(&open, "<resource uri=\"sip:a@b.c\"><instance/></resource>", "</list>\r\n--x--", cap)),
        ("resources that are none", filled(&open, "<resource uri=\"x\"/>", "</list>\r\n--x--", cap)),
        ("documents of one agent", filled(multipart, categories, "--x--", cap)),
        ("empty parts", filled(multipart, "--x\n\n", "--x--", cap)),
        ("nested parts", filled(multipart, nested, "--x--", cap)),
        (
            "one long document",
            filled("application/msrtc-event-categories+xml\n<categories>", "<a/>", "</categories>", cap),
        ),
    ]
}

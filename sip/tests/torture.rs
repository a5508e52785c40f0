//! The torture messages of RFC 4475, and messages along the lines of RFC 5118.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::path::Path;

use bytes::Bytes;
use presence_sip::{Frame, Framer, Limits, Message};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/torture/rfc4475");

/// What becomes of a torture message.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// Read and sane: the application decides.
    Accepted,
    /// Read, but to be answered with this status (or dropped, a response).
    Refused(u16),
    /// Not readable.
    Unreadable,
}
use Fate::{Accepted, Refused, Unreadable};

fn fate(bytes: &[u8]) -> Fate {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(bytes), &Limits::default()) else { return Unreadable };
    match message.check() {
        Ok(()) => Accepted,
        Err(refusal) => Refused(refusal.status),
    }
}

fn torture(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(FOLDER).join(format!("{name}.dat"));
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        eprintln!("skipped: the torture messages of RFC 4475 are not there ({name}.dat)");
    }
    bytes
}

/// The 49 messages by the sections of RFC 4475, and the one more that is in the folder.
const TABLE: [(&str, Fate); 50] = [
    // 3.1.1 valid messages
    ("wsinv", Accepted),
    ("intmeth", Accepted),
    ("esc01", Accepted),
    ("escnull", Accepted),
    ("esc02", Accepted),
    ("lwsdisp", Accepted),
    ("longreq", Accepted),
    ("dblreq", Accepted),
    ("semiuri", Accepted),
    ("transports", Accepted),
    ("mpart01", Accepted),
    ("unreason", Accepted),
    ("noreason", Accepted),
    // 3.1.2 invalid messages
    ("badinv01", Refused(400)),
    ("clerr", Unreadable),
    ("ncl", Unreadable),
    ("scalar02", Refused(400)),
    ("scalarlg", Refused(400)),
    ("quotbal", Refused(400)),
    ("ltgtruri", Refused(400)),
    ("lwsruri", Unreadable),
    ("lwsstart", Unreadable),
    ("trws", Unreadable),
    ("escruri", Refused(400)),
    ("regbadct", Refused(400)),
    ("baddn", Unreadable),
    ("badvers", Refused(505)),
    ("mismatch01", Refused(400)),
    ("mismatch02", Refused(400)),
    ("bigcode", Unreadable),
    // 3.1.2.12 and 3.1.2.14: a date that nobody needs, blanks in angle brackets. The RFC lets us be tolerant.
    ("baddate", Accepted),
    ("badaspec", Accepted),
    // 3.3 ambiguous: the mandatory headers are missing or doubled
    ("insuf", Refused(400)),
    ("multi01", Refused(400)),
    ("mcl01", Unreadable),
    // 3.2 to 3.4: sane messages that the application refuses, or not
    ("badbranch", Accepted),
    ("unkscm", Accepted),
    ("novelsc", Accepted),
    ("unksm2", Accepted),
    ("bext01", Accepted),
    ("invut", Accepted),
    ("regaut01", Accepted),
    ("bcast", Accepted),
    ("zeromf", Accepted),
    ("cparam01", Accepted),
    ("cparam02", Accepted),
    ("regescrt", Accepted),
    ("sdp01", Accepted),
    ("inv2543", Accepted),
    // In the folder, though not of the RFC: a request line of two words, a line without a colon.
    ("test", Unreadable),
];

#[test]
fn every_torture_message_has_its_fate() {
    let mut wrong = Vec::new();
    for (name, expected) in &TABLE {
        let Some(bytes) = torture(name) else { return };
        let found = fate(&bytes);
        if found != *expected {
            wrong.push(format!("{name}: {found:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_names_every_file_of_the_folder() {
    let Ok(folder) = std::fs::read_dir(FOLDER) else {
        eprintln!("skipped: the torture messages of RFC 4475 are not there");
        return;
    };
    let mut files: Vec<_> = folder.map(|f| f.unwrap().file_name().to_string_lossy().replace(".dat", "")).collect();
    let mut named: Vec<_> = TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    files.sort();
    named.sort();
    assert_eq!(files, named);
}

#[test]
fn the_unusual_but_legal_is_read_for_what_it_is() {
    let Some(bytes) = torture("wsinv") else { return };
    let message = Message::parse(bytes.into(), &Limits::default()).unwrap();
    assert_eq!(message.to().unwrap().tag(), Some("1918181833n"));
    assert_eq!(message.from().unwrap().display, Some(r#"J Rosenberg \\\""#));
    assert_eq!(message.from().unwrap().tag(), Some("98asjd8"));
    assert_eq!(message.cseq(), Some((9, "INVITE")));
    assert_eq!(message.values("Via").count(), 3);
    assert_eq!(message.top_via().unwrap().branch(), Some("390skdjuw"));
    assert_eq!(message.header("NewFangledHeader"), Some("newfangled value continued newfangled value"));
    assert_eq!(message.contact().unwrap().param("newparam"), Some("newvalue"));
    assert_eq!(message.contact().unwrap().param("secondparam"), Some(""));
    assert_eq!(message.contact().unwrap().param("q"), Some("0.33"));

    let message = Message::parse(torture("intmeth").unwrap().into(), &Limits::default()).unwrap();
    assert_eq!(message.method().unwrap().as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(message.from().unwrap().tag(), Some("_token~1'+`*%!-."));

    let message = Message::parse(torture("dblreq").unwrap().into(), &Limits::default()).unwrap();
    assert_eq!((message.method().unwrap().as_str(), message.body().len()), ("REGISTER", 0));

    let message = Message::parse(torture("unreason").unwrap().into(), &Limits::default()).unwrap();
    assert!(message.reason().starts_with("= 2**3 * 5**2"), "{}", message.reason());

    let message = Message::parse(torture("mpart01").unwrap().into(), &Limits::default()).unwrap();
    assert!(message.body().iter().any(|byte| !byte.is_ascii()), "the body is binary and untouched");
}

/// One connection carries all messages whose end can be found, one after the other.
#[test]
fn all_framed_torture_messages_pass_through_one_stream() {
    let mut framer = Framer::new(Limits::default());
    let (mut sent, mut read) = (0, 0);
    for (name, _) in &TABLE {
        // Those whose length is wrong, ambiguous or behind a missing blank line have no end.
        if ["clerr", "ncl", "mcl01", "baddn", "badinv01", "insuf"].contains(name) {
            continue;
        }
        let Some(mut bytes) = torture(name) else { return };
        let Ok(message) = Message::parse(bytes.clone().into(), &Limits::default()) else { continue };
        let end = memchr_blank_line(&bytes) + message.body().len();
        if message.header("Content-Length").is_none() && message.content_type().is_some() {
            continue;
        }
        bytes.truncate(end);
        sent += 1;
        for piece in bytes.chunks(7) {
            framer.push(piece);
            while let Some(frame) = framer.next_frame().unwrap() {
                assert!(matches!(frame, Frame::Message(_)), "{name}: {frame:?}");
                read += 1;
            }
        }
    }
    assert!(sent > 30);
    assert_eq!(sent, read);
}

fn memchr_blank_line(bytes: &[u8]) -> usize {
    bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4
}

fn request(uri: &str, via: &str, contact: &str) -> Vec<u8> {
    format!(
        "REGISTER {uri} SIP/2.0\r\nTo: <sip:user@example.com>\r\nFrom: <sip:user@example.com>;tag=81x2\r\n\
         Via: {via}\r\nCall-ID: SSG9559905523997077@hlau_4100\r\nMax-Forwards: 70\r\nContact: {contact}\r\n\
         CSeq: 98176 REGISTER\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// RFC 5118: IPv6 wherever a host may stand, and the few ways in which it must not.
#[test]
fn ipv6_is_accepted_in_brackets_and_only_so() {
    let via = "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3";
    let contact = "\"Caller\" <sip:caller@[2001:db8::1]>";
    assert_eq!(fate(&request("sip:[2001:db8::10]", via, contact)), Accepted);
    assert_eq!(fate(&request("sip:2001:db8::10", via, contact)), Refused(400), "no brackets");
    assert_eq!(fate(&request("sip:[2001:db8::10:5070]", via, contact)), Accepted, "the port is part of the address");
    assert_eq!(fate(&request("sip:[2001:db8::10]:5070", via, contact)), Accepted);
    assert_eq!(fate(&request("sip:user@[2001:db8::10]:5070;transport=tcp", via, contact)), Accepted);
    assert_eq!(fate(&request("sip:[2001:db8:::10]", via, contact)), Refused(400), "three colons");
    for via in [
        "SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111",
        "SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3",
        "SIP/2.0/UDP [2001:db8::9:1]:5060;branch=z9hG4bKas3-111, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2",
        "SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19",
    ] {
        assert_eq!(fate(&request("sip:[2001:db8::10]", via, contact)), Accepted, "{via}");
    }
    assert_eq!(fate(&request("sip:example.com", "SIP/2.0/UDP 2001:db8::9:1;branch=z9hG4bK3", contact)), Refused(400));
    assert_eq!(fate(&request("sip:example.com", via, "<sip:caller@[2001:db8::1]>, <sip:caller@192.0.2.1>")), Accepted);
}

//! The parts of a packet, and what the law says of what stands there.

use super::Mutation;

/// A part of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Its name.
    pub name: &'static str,
    /// Where a number should be.
    pub numeric: bool,
    /// Where the mutation goes.
    place: Place,
    /// Whether the law holds for answers too.
    pub of_answers: bool,
    /// Whether a packet with this must be accepted or refused, where RFC 3261 and our own caps leave no choice.
    pub law: fn(&Mutation) -> Option<bool>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Method,
    RequestUri,
    Version,
    /// The status code of an answer.
    Status,
    /// The name of this header.
    Name(&'static str),
    /// The whole value of this header, or a part of it between these two.
    Value(&'static str, &'static str, &'static str),
    /// What separates this header from its value.
    Colon(&'static str),
    /// What ends the header section.
    Blank,
    /// What ends the line of this header.
    LineEnd(&'static str),
    Body,
}

const fn group(name: &'static str, place: Place, law: fn(&Mutation) -> Option<bool>) -> Group {
    Group { name, numeric: false, place, of_answers: true, law }
}

const fn number(name: &'static str, place: Place, law: fn(&Mutation) -> Option<bool>) -> Group {
    Group { name, numeric: true, place, of_answers: true, law }
}

use Place::{Blank, Body, Colon, LineEnd, Method, Name, RequestUri, Status, Value, Version};

/// All groups.
pub const GROUPS: &[Group] = &[
    group("method", Method, free),
    group("request-uri", RequestUri, free),
    group("sip-version", Version, version),
    number("status", Status, free),
    group("via-version", Value("Via", "SIP/", "/TCP 192.0.2.9;branch=z9hG4bKp"), via_version),
    group("via-transport", Value("Via", "SIP/2.0/", " 192.0.2.9;branch=z9hG4bKp"), free),
    group("via-host", Value("Via", "SIP/2.0/TCP ", ";branch=z9hG4bKp"), free),
    number("via-port", Value("Via", "SIP/2.0/TCP 192.0.2.9:", ";branch=z9hG4bKp"), port),
    group("via-host-colon", Value("Via", "SIP/2.0/TCP 192.0.2.9", "5060;branch=z9hG4bKp"), free),
    group("via-tag", Value("Via", "SIP/2.0/TCP 192.0.2.9;branch=", ""), free),
    group("via-colon", Colon("Via"), free),
    group("from-display-name", Value("From", "", " <sip:agent0@domain.com>;tag=n1"), free),
    group("from-quoted-name", Value("From", "\"", "\" <sip:agent0@domain.com>;tag=n1"), free),
    group("from-uri", Value("From", "<", ">;tag=n1"), free),
    group("from-tag", Value("From", "<sip:agent0@domain.com>;tag=", ""), free),
    group("from-colon", Colon("From"), free),
    group("to-name", Name("To"), free),
    group("to-left-bracket", Value("To", "", "sip:app@domain.com>;tag=t"), free),
    group("to-right-bracket", Value("To", "<sip:app@domain.com", ";tag=t"), free),
    group("to-tag", Value("To", "<sip:app@domain.com>;tag=", ""), free),
    group("contact-display-name", Value("Contact", "", " <sip:fe01.domain.com>"), free),
    group("contact-uri", Value("Contact", "<", ">"), free),
    group("contact-left-bracket", Value("Contact", "", "sip:fe01.domain.com>"), free),
    group("contact-right-bracket", Value("Contact", "<sip:fe01.domain.com", ""), free),
    group("call-id", Value("Call-ID", "", ""), call_id),
    group("call-id-name", Name("Call-ID"), free),
    number("cseq-number", Value("CSeq", "", " NOTIFY"), cseq),
    Group { of_answers: false, ..group("cseq-method", Value("CSeq", "7 ", ""), cseq_method) },
    number("max-forwards", Value("Max-Forwards", "", ""), max_forwards),
    number("expires", Value("Expires", "", ""), seconds),
    number("min-expires", Value("Min-Expires", "", ""), seconds),
    number("retry-after", Value("Retry-After", "", ""), free),
    number("content-length", Value("Content-Length", "", ""), content_length),
    group("content-length-name", Name("Content-Length"), free),
    group("content-type", Value("Content-Type", "", ""), free),
    group("event", Value("Event", "", ""), free),
    group("event-id", Value("Event", "presence;id=", ""), free),
    group("subscription-state", Value("Subscription-State", "", ""), free),
    number("subscription-expires", Value("Subscription-State", "active;expires=", ""), free),
    group("record-route", Value("Record-Route", "<", ";lr>"), free),
    group("ms-diagnostics", Value("ms-diagnostics", "", ""), free),
    group("line-end", LineEnd("Event"), free),
    group("blank-line", Blank, free),
    group("body", Body, free),
];

/// The text of a mutation that is one line of UTF-8 and within the cap of a header; otherwise the law is another one.
fn plain(mutation: &Mutation) -> Option<&str> {
    let text = std::str::from_utf8(&mutation.bytes).ok()?;
    (text.len() < 4_000 && !text.contains(['\r', '\n', '\0'])).then_some(text.trim_matches([' ', '\t']))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Nothing that a stranger writes there is certain to be right or wrong.
const fn free(_: &Mutation) -> Option<bool> {
    None
}

/// Only 2.0.
fn version(mutation: &Mutation) -> Option<bool> {
    plain(mutation).map(|text| text == "SIP/2.0")
}

fn via_version(mutation: &Mutation) -> Option<bool> {
    plain(mutation).map(|text| text == "2.0")
}

/// RFC 3261 section 25.1: digits, and what a port can be.
fn port(mutation: &Mutation) -> Option<bool> {
    plain(mutation)
        .filter(|text| !text.contains([';', ',', '"']))
        .map(|text| digits(text) && text.parse::<u16>().is_ok())
}

/// RFC 3261 section 8.1.1.4: there is one.
fn call_id(mutation: &Mutation) -> Option<bool> {
    plain(mutation).map(|text| !text.is_empty())
}

/// RFC 3261 section 8.1.1.5: below 2^31.
fn cseq(mutation: &Mutation) -> Option<bool> {
    plain(mutation).map(|text| digits(text) && text.parse::<u64>().is_ok_and(|number| number < 1 << 31))
}

/// RFC 3261 section 8.1.1.5: that of the request.
fn cseq_method(mutation: &Mutation) -> Option<bool> {
    plain(mutation).map(|text| text == "NOTIFY")
}

/// RFC 3261 section 20.22: from 0 to 255.
fn max_forwards(mutation: &Mutation) -> Option<bool> {
    let small =
        |text: &str| text.trim_start_matches('0').parse().map_or(text.bytes().all(|b| b == b'0'), |n: u32| n < 256);
    plain(mutation).map(|text| digits(text) && small(text))
}

/// RFC 3261 section 20.19: digits. What is beyond 2^32 - 1 is that (RFC 4475 section 3.1.2.4 leaves the choice).
fn seconds(mutation: &Mutation) -> Option<bool> {
    plain(mutation).map(digits)
}

/// RFC 3261 section 20.14: digits; and the packet has no body, so that only 0 is the end of it.
fn content_length(mutation: &Mutation) -> Option<bool> {
    plain(mutation).map(|text| digits(text) && text.bytes().all(|byte| byte == b'0'))
}

/// A NOTIFY with the mutation in its place.
pub(super) fn notify(group: &Group, bytes: &[u8], headers: &[(&'static str, String)]) -> Vec<u8> {
    let mut packet = Packet { group, bytes, out: Vec::new() };
    packet.start(&[("NOTIFY", Method), ("sip:app@192.0.2.1", RequestUri), ("SIP/2.0", Version)]);
    packet.rest(headers.iter().map(|(name, value)| (*name, value.as_str())));
    packet.out
}

/// An answer with the mutation in its place; `None` where an answer has no such place.
pub(super) fn answer(group: &Group, bytes: &[u8], answer: &str) -> Option<Vec<u8>> {
    if matches!(group.place, Method | RequestUri) {
        return None;
    }
    let mut packet = Packet { group, bytes, out: Vec::new() };
    packet.start(&[("SIP/2.0", Version), ("200", Status), ("OK", Body)]);
    let (head, _) = answer.split_once("\r\n\r\n")?;
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    // What an answer to a SUBSCRIBE says is another method.
    packet.rest(headers.filter(|(name, _)| *name != "Content-Length"));
    Some(packet.out)
}

struct Packet<'a> {
    group: &'a Group,
    bytes: &'a [u8],
    out: Vec<u8>,
}

impl Packet<'_> {
    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn start(&mut self, words: &[(&str, Place); 3]) {
        for (index, (word, place)) in words.iter().enumerate() {
            let here =
                std::mem::discriminant(place) == std::mem::discriminant(&self.group.place) && !matches!(place, Body);
            if here {
                self.out.extend_from_slice(self.bytes)
            } else {
                self.put(word)
            }
            self.put(if index == 2 { "\r\n" } else { " " });
        }
    }

    fn rest<'h>(&mut self, headers: impl Iterator<Item = (&'h str, &'h str)>) {
        let mut met = false;
        for (name, value) in headers {
            met |= self.header(name, value);
        }
        // Headers that the packet does not have of itself.
        if let (Value(name, ..), false) = (self.group.place, met) {
            self.header(name, "");
        }
        let length = !matches!(self.group.place, Value("Content-Length", ..));
        let body: &[u8] = if matches!(self.group.place, Body) { self.bytes } else { b"" };
        if length {
            self.header("Content-Length", &body.len().to_string());
        }
        if matches!(self.group.place, Blank) {
            self.out.extend_from_slice(self.bytes)
        } else {
            self.put("\r\n")
        }
        self.out.extend_from_slice(body);
    }

    /// Writes a header, with the mutation where it is its place; true when it was.
    fn header(&mut self, name: &str, value: &str) -> bool {
        let bytes = self.bytes;
        match self.group.place {
            Name(here) if here == name => {
                self.out.extend_from_slice(bytes);
                self.put(": ");
                self.put(value);
            }
            Value(here, before, after) if here == name => {
                self.put(name);
                self.put(": ");
                self.put(before);
                self.out.extend_from_slice(bytes);
                self.put(after);
            }
            Colon(here) if here == name => {
                self.put(name);
                self.out.extend_from_slice(bytes);
                self.put(value);
            }
            LineEnd(here) if here == name => {
                self.put(name);
                self.put(": ");
                self.put(value);
                self.out.extend_from_slice(bytes);
                return true;
            }
            _ => {
                self.put(name);
                self.put(": ");
                self.put(value);
                self.put("\r\n");
                return false;
            }
        }
        self.put("\r\n");
        true
    }
}

//! The sanity of the headers that every message must have.

use super::text::saturating_number;
use super::{EventHeader, Message, NameAddr, SubscriptionState, Via, is_request_uri};
use crate::error::Refusal;

/// Headers that may stand only once, and of which a second one makes the message ambiguous (RFC 4475 section 3.3.8).
const SINGLE: [(&str, &str); 10] = [
    ("From", "Duplicated From"),
    ("To", "Duplicated To"),
    ("Call-ID", "Duplicated Call-ID"),
    ("CSeq", "Duplicated CSeq"),
    ("Max-Forwards", "Duplicated Max-Forwards"),
    ("Content-Type", "Duplicated Content-Type"),
    ("Event", "Duplicated Event"),
    ("Subscription-State", "Duplicated Subscription-State"),
    ("Expires", "Duplicated Expires"),
    ("Min-Expires", "Duplicated Min-Expires"),
];

const fn bad(reason: &'static str) -> Refusal {
    Refusal { status: 400, reason }
}

pub(super) fn check(message: &Message) -> Result<(), Refusal> {
    if !message.is_version_2() {
        return Err(Refusal { status: 505, reason: "Version Not Supported" });
    }
    singles(message)?;
    if message.request_uri().is_some_and(|uri| !is_request_uri(uri)) {
        return Err(bad("Malformed Request-URI"));
    }
    if message.call_id().is_empty() {
        return Err(bad("Missing Call-ID"));
    }
    let present = |name, reason| message.header(name).ok_or(bad(reason));
    NameAddr::parse(present("From", "Missing From")?).ok_or(bad("Malformed From"))?;
    NameAddr::parse(present("To", "Missing To")?).ok_or(bad("Malformed To"))?;
    present("CSeq", "Missing CSeq")?;
    let (_, method) = message.cseq().ok_or(bad("Malformed CSeq"))?;
    if message.method().is_some_and(|expected| expected.as_str() != method) {
        return Err(bad("CSeq Does Not Match The Method"));
    }
    present("Via", "Missing Via")?;
    if !message.values("Via").all(|via| Via::parse(via).is_some()) {
        return Err(bad("Malformed Via"));
    }
    for (name, reason) in [("Route", "Malformed Route"), ("Record-Route", "Malformed Record-Route")] {
        if !message.values(name).all(|value| NameAddr::parse(value).is_some()) {
            return Err(bad(reason));
        }
    }
    // A REGISTER that removes all bindings has the star in its place.
    if !message.values("Contact").all(|value| value == "*" || NameAddr::parse(value).is_some()) {
        return Err(bad("Malformed Contact"));
    }
    numbers(message)?;
    if message.header("Event").is_some_and(|value| EventHeader::parse(value).is_none()) {
        return Err(bad("Malformed Event"));
    }
    if message.header("Subscription-State").is_some_and(|value| SubscriptionState::parse(value).is_none()) {
        return Err(bad("Malformed Subscription-State"));
    }
    Ok(())
}

fn singles(message: &Message) -> Result<(), Refusal> {
    let mut seen = 0_u32;
    for (name, _) in message.headers() {
        if let Some(at) = SINGLE.iter().position(|(single, _)| single.eq_ignore_ascii_case(name)) {
            if seen & (1 << at) != 0 {
                return Err(bad(SINGLE.get(at).map_or("Duplicated Header", |(_, reason)| reason)));
            }
            seen |= 1 << at;
        }
    }
    Ok(())
}

fn numbers(message: &Message) -> Result<(), Refusal> {
    let number = |name| message.header(name).map(saturating_number);
    if matches!(number("Max-Forwards"), Some(None | Some(256..))) {
        return Err(bad("Malformed Max-Forwards"));
    }
    if matches!(number("Expires"), Some(None)) {
        return Err(bad("Malformed Expires"));
    }
    if matches!(number("Min-Expires"), Some(None)) {
        return Err(bad("Malformed Min-Expires"));
    }
    Ok(())
}

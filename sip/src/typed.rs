//! rsip's typed headers, behind a guard.
//!
//! rsip 0.4.0 reads ordinary values well and refuses, or silently cuts, others: URIs of Skype for Business lose what
//! follows a colon in a parameter, IPv6 and `tel:` are refused. [`lift`] is the only door between a text of the wire and
//! rsip's types: a value passes only if it prints back to the same text. Where it does not, read it with
//! [`crate::NameAddr`] and [`crate::Via`], which keep the text.
#![warn(clippy::indexing_slicing)]

use std::borrow::Cow;

use rsip::headers::typed::{Tokenize, TypedHeader};

/// The longest value that rsip may see, in bytes: its Via is quadratic in this, 0.5 ms at 4 KiB.
const MAX_BYTES: usize = 1024;

/// rsip's typed form of a header value, if it says exactly what the text says; the case of a transport aside.
///
/// ```
/// use presence_sip::typed::lift;
/// let to: rsip::typed::To = lift("<sip:user1@domain.com>;tag=77").unwrap();
/// assert_eq!(to.uri.host().to_string(), "domain.com");
/// // rsip would read this as `sip:pool.domain.com;opaque=state` and say nothing.
/// let route = lift::<rsip::typed::Route>("<sip:pool.domain.com;opaque=state:T:F:x;lr>");
/// assert!(route.is_none());
/// ```
#[must_use]
pub fn lift<'a, T: TypedHeader<'a>>(raw: &'a str) -> Option<T> {
    if raw.len() > MAX_BYTES {
        return None;
    }
    let typed = T::try_from(T::Tokenizer::tokenize(raw).ok()?).ok()?;
    let printed = typed.to_string();
    (printed == raw || fold_transport(&printed) == fold_transport(raw)).then_some(typed)
}

/// The text with the transport of a Via and of `transport=` in capitals.
fn fold_transport(text: &str) -> Cow<'_, str> {
    let mut places: Vec<(usize, usize)> = Vec::new();
    if let Some(rest) = text.strip_prefix("SIP/2.0/") {
        let begin = text.len() - rest.len();
        places.push((begin, rest.find(' ').map_or(text.len(), |at| begin + at)));
    }
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(";transport=")) {
        let begin = from + at + ";transport=".len();
        let rest = text.get(begin..).unwrap_or_default();
        from = rest.find([';', '>', '?', ',']).map_or(text.len(), |end| begin + end);
        places.push((begin, from));
    }
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = text.to_owned();
    for (begin, end) in places {
        if let Some(part) = out.get_mut(begin..end) {
            part.make_ascii_uppercase();
        }
    }
    Cow::Owned(out)
}

//! Answers to requests.
#![warn(clippy::indexing_slicing)]

use bytes::{BufMut, Bytes, BytesMut};

use crate::message::{Message, Method};

/// The reason phrase of RFC 3261 section 21 and the RFCs behind it; of an unknown code, that of its class.
#[must_use]
pub const fn reason_phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        101..200 => "Progress",
        202 => "Accepted",
        204 => "No Notification",
        200..300 => "OK",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        305 => "Use Proxy",
        380 => "Alternative Service",
        302..400 => "Moved Temporarily",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        430 => "Flow Failed",
        439 => "First Hop Lacks Outbound Support",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        400..500 => "Bad Request",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        500..600 => "Server Internal Error",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ => "Declined",
    }
}

/// The bytes of an answer to `request` (RFC 3261 section 8.2.6): every Via, From, To, Call-ID and CSeq are copied
/// verbatim, and the tag is added to a To that has none (never in a 100).
///
/// Record-Route is copied where the answer may create a dialog (RFC 3261 section 12.1.1). `reason` is
/// [`reason_phrase`] by default. `extra` are further headers, `body` a media type and the bytes. A CR or LF in what
/// is added becomes a blank: no header can be injected.
///
/// ```
/// use presence_sip::{Limits, Message, respond};
/// let options = "OPTIONS sip:app@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK1\r\n\
///     From: <sip:pool@domain.com>;tag=1\r\nTo: <sip:app@domain.com>\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\n\r\n";
/// let options = Message::parse(options.into(), &Limits::default())?;
/// let answer = Message::parse(respond(&options, 200, None, "t9", &[], None), &Limits::default())?;
/// assert_eq!((answer.status(), answer.reason()), (Some(200), "OK"));
/// assert_eq!(answer.to().and_then(|to| to.tag()), Some("t9"));
/// # Ok::<(), presence_sip::ParseError>(())
/// ```
#[must_use]
pub fn respond(
    request: &Message,
    code: u16,
    reason: Option<&str>,
    local_tag: &str,
    extra: &[(&str, &str)],
    body: Option<(&str, &[u8])>,
) -> Bytes {
    let mut out = BytesMut::with_capacity(512 + body.map_or(0, |(_, bytes)| bytes.len()));
    out.put_slice(b"SIP/2.0 ");
    put_number(&mut out, code.into());
    out.put_u8(b' ');
    put_safe(&mut out, reason.unwrap_or_else(|| reason_phrase(code)));
    out.put_slice(b"\r\n");
    let dialog = (101..300).contains(&code)
        && matches!(request.method(), Some(Method::Subscribe | Method::Notify | Method::Invite));
    for (name, value) in request.headers() {
        let name = match name {
            _ if name.eq_ignore_ascii_case("Via") => "Via",
            _ if name.eq_ignore_ascii_case("From") => "From",
            _ if name.eq_ignore_ascii_case("Call-ID") => "Call-ID",
            _ if name.eq_ignore_ascii_case("CSeq") => "CSeq",
            _ if dialog && name.eq_ignore_ascii_case("Record-Route") => "Record-Route",
            _ if name.eq_ignore_ascii_case("To") => {
                put_header(&mut out, "To", value);
                if code != 100 && !local_tag.is_empty() && request.to().is_none_or(|to| to.tag().is_none()) {
                    out.truncate(out.len() - 2);
                    // A semicolon too many was forgiven when it was read.
                    out.put_slice(if value.ends_with(';') { b"tag=" } else { b";tag=" });
                    put_safe(&mut out, local_tag);
                    out.put_slice(b"\r\n");
                }
                continue;
            }
            _ => continue,
        };
        put_header(&mut out, name, value);
    }
    for (name, value) in extra {
        put_header(&mut out, name, value);
    }
    finish(&mut out, body);
    out.freeze()
}

/// Content-Type, Content-Length, the blank line, the body.
pub(crate) fn finish(out: &mut BytesMut, body: Option<(&str, &[u8])>) {
    if let Some((content_type, _)) = body {
        put_header(out, "Content-Type", content_type);
    }
    let bytes = body.map_or(&[][..], |(_, bytes)| bytes);
    out.put_slice(b"Content-Length: ");
    put_number(out, bytes.len());
    out.put_slice(b"\r\n\r\n");
    out.put_slice(bytes);
}

fn put_header(out: &mut BytesMut, name: &str, value: &str) {
    put_safe(out, name);
    out.put_slice(b": ");
    put_safe(out, value);
    out.put_slice(b"\r\n");
}

/// Text without the characters that end a line.
fn put_safe(out: &mut BytesMut, text: &str) {
    if memchr::memchr2(b'\r', b'\n', text.as_bytes()).is_none() {
        out.put_slice(text.as_bytes());
    } else {
        out.extend(text.bytes().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { b }));
    }
}

fn put_number(out: &mut BytesMut, number: usize) {
    let mut digits = [b'0'; 20];
    let (mut rest, mut begin) = (number, digits.len());
    for digit in digits.iter_mut().rev() {
        // A remainder of ten fits into a byte.
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        begin -= 1;
        if rest == 0 {
            break;
        }
    }
    out.put_slice(digits.get(begin..).unwrap_or_default());
}

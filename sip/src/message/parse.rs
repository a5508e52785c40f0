//! From bytes to a message: lines, folds, compact names; nothing else is looked at.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use memchr::{memchr, memchr2};

use super::text::{is_blank, is_token, trim};
use super::{Field, Head, Message, Method, Name, Span, Start};
use crate::error::ParseError;
use crate::limits::Limits;

/// Headers without which a message cannot be matched or answered: they must be UTF-8, others are repaired.
const IDENTIFYING: [&str; 8] = ["Via", "From", "To", "Call-ID", "CSeq", "Contact", "Record-Route", "Route"];

/// The full name of a compact one (RFC 3261 section 7.3.3 and the registry that followed).
pub(crate) const fn full_name(compact: u8) -> Option<&'static str> {
    Some(match compact.to_ascii_lowercase() {
        b'a' => "Accept-Contact",
        b'b' => "Referred-By",
        b'c' => "Content-Type",
        b'd' => "Request-Disposition",
        b'e' => "Content-Encoding",
        b'f' => "From",
        b'i' => "Call-ID",
        b'j' => "Reject-Contact",
        b'k' => "Supported",
        b'l' => "Content-Length",
        b'm' => "Contact",
        b'n' => "Identity-Info",
        b'o' => "Event",
        b'r' => "Refer-To",
        b's' => "Subject",
        b't' => "To",
        b'u' => "Allow-Events",
        b'v' => "Via",
        b'x' => "Session-Expires",
        b'y' => "Identity",
        _ => return None,
    })
}

/// The name that a header is known by: a compact one in full.
pub(crate) fn known_as(name: &str) -> &str {
    match name.as_bytes() {
        [compact] => full_name(*compact).unwrap_or(name),
        _ => name,
    }
}

/// One line without its end, and what follows. A line ends with CRLF or a lone LF. `None` when no LF is left.
pub(crate) fn next_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr(b'\n', bytes)?;
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default()))
}

/// Skips the empty lines that may stand before a message (RFC 3261 section 7.5).
pub(crate) fn skip_empty_lines(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count()
}

/// How strictly to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    /// What is malformed is refused.
    Strict,
    /// What is malformed is left out: enough to answer that it was malformed.
    Salvage,
}

struct Reader<'a> {
    limits: &'a Limits,
    care: Care,
    text: String,
    fields: Vec<Field>,
}

/// Reads one datagram or one framed message.
pub(super) fn parse(bytes: &Bytes, limits: &Limits) -> Result<Message, ParseError> {
    read(bytes, limits, Care::Strict)
}

/// Reads as much of a malformed request as an answer needs; `None` when it is not even that.
pub(crate) fn salvage(bytes: &Bytes, limits: &Limits) -> Option<Message> {
    read(bytes, limits, Care::Salvage).ok()
}

fn read(bytes: &Bytes, limits: &Limits, care: Care) -> Result<Message, ParseError> {
    let all: &[u8] = bytes;
    let skipped = skip_empty_lines(all);
    let mut rest = all.get(skipped..).unwrap_or_default();
    let mut reader = Reader {
        limits,
        care,
        text: String::with_capacity(rest.len().min(limits.header_section)),
        fields: Vec::with_capacity(24),
    };
    let (line, next) = next_line(rest).ok_or(ParseError::NoBlankLine)?;
    let start = reader.start_line(line)?;
    rest = next;
    loop {
        let (line, mut next) = next_line(rest).ok_or(ParseError::NoBlankLine)?;
        if line.is_empty() {
            rest = next;
            break;
        }
        // Lines that begin with a blank continue the header.
        let mut folded = false;
        while next.first().copied().is_some_and(is_blank) {
            folded = true;
            next = next_line(next).ok_or(ParseError::NoBlankLine)?.1;
        }
        let length = rest.len().saturating_sub(next.len());
        let raw = if folded { rest.get(..length).unwrap_or_default() } else { line };
        reader.header(raw, folded)?;
        rest = next;
        if all.len().saturating_sub(rest.len() + skipped) > limits.header_section {
            return Err(ParseError::TooLarge { what: "header section", limit: limits.header_section });
        }
    }
    let offset = all.len().saturating_sub(rest.len());
    let head = Head { text: reader.text, start, fields: reader.fields };
    let mut message = Message { head: Arc::new(head), body: Bytes::new() };
    if care == Care::Strict {
        let length = message.content_length()?.unwrap_or(rest.len());
        if length > limits.body {
            return Err(ParseError::TooLarge { what: "body", limit: limits.body });
        }
        if length > rest.len() {
            return Err(ParseError::Truncated);
        }
        message.body = bytes.slice(offset..offset + length);
    }
    Ok(message)
}

impl Reader<'_> {
    fn span(&mut self, text: &str) -> Span {
        // Both fit: the header section is limited, and a limit beyond 4 GiB would only shorten what is kept.
        let start = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.text.push_str(text);
        Span { start, end: u32::try_from(self.text.len()).unwrap_or(u32::MAX) }
    }

    fn start_line(&mut self, line: &[u8]) -> Result<Start, ParseError> {
        if line.len() > self.limits.header {
            return Err(ParseError::TooLarge { what: "start line", limit: self.limits.header });
        }
        if memchr2(b'\r', 0, line).is_some() {
            return Err(ParseError::StartLine("it holds a CR or NUL"));
        }
        let text = String::from_utf8_lossy(line);
        if text.get(..4).is_some_and(|begin| begin.eq_ignore_ascii_case("SIP/")) {
            return self.status_line(&text);
        }
        if self.care == Care::Salvage {
            let method = text.split([' ', '\t']).find(|word| !word.is_empty()).filter(|word| is_token(word));
            let method = method.map(Method::from_token).ok_or(ParseError::StartLine("no method"))?;
            return Ok(Start::Request { method, uri: self.span(""), version: true });
        }
        if matches!(text, Cow::Owned(_)) {
            return Err(ParseError::StartLine("it is not UTF-8"));
        }
        let mut words = text.split(' ');
        let (Some(method), Some(uri), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(ParseError::StartLine("it is not three words with one space between them"));
        };
        if !is_token(method) {
            return Err(ParseError::StartLine("the method is not a token"));
        }
        if uri.is_empty() {
            return Err(ParseError::StartLine("there is no URI"));
        }
        let version = is_version_2(version).ok_or(ParseError::StartLine("the protocol is not SIP"))?;
        Ok(Start::Request { method: Method::from_token(method), uri: self.span(uri), version })
    }

    fn status_line(&mut self, text: &str) -> Result<Start, ParseError> {
        let (version, rest) = text.split_once(' ').ok_or(ParseError::StartLine("there is no status code"))?;
        let version = is_version_2(version).ok_or(ParseError::StartLine("the protocol is not SIP"))?;
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let digits = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
        match code.parse() {
            Ok(status) if digits && (100..700).contains(&status) => {
                Ok(Start::Response { status, reason: self.span(reason), version })
            }
            _ => Err(ParseError::StartLine("the status code is not a number from 100 to 699")),
        }
    }

    fn header(&mut self, raw: &[u8], folded: bool) -> Result<(), ParseError> {
        match self.strict_header(raw, folded) {
            Err(_) if self.care == Care::Salvage => Ok(()),
            result => result,
        }
    }

    fn strict_header(&mut self, raw: &[u8], folded: bool) -> Result<(), ParseError> {
        if raw.len() > self.limits.header {
            return Err(ParseError::TooLarge { what: "header", limit: self.limits.header });
        }
        if self.fields.len() >= self.limits.headers {
            return Err(ParseError::TooLarge { what: "number of headers", limit: self.limits.headers });
        }
        let colon = memchr(b':', raw).ok_or(ParseError::Header("a line has no colon"))?;
        let (name, value) = raw.split_at_checked(colon).unwrap_or((raw, &[]));
        let value = value.get(1..).unwrap_or_default();
        let name = std::str::from_utf8(name).map_err(|_| ParseError::Header("a name is not a token"))?;
        let name = name.trim_end_matches([' ', '\t']);
        if !is_token(name) {
            return Err(ParseError::Header("a name is not a token"));
        }
        let text = match std::str::from_utf8(value) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => {
                let known = known_as(name);
                match IDENTIFYING.iter().find(|identifying| identifying.eq_ignore_ascii_case(known)) {
                    Some(identifying) => return Err(ParseError::NotUtf8(identifying)),
                    None => String::from_utf8_lossy(value),
                }
            }
        };
        let compact = if let [letter] = name.as_bytes() { full_name(*letter) } else { None };
        let name = compact.map_or_else(|| Name::Written(self.span(name)), Name::Known);
        let value = if folded { self.unfold(&text)? } else { self.unfolded(trim(&text))? };
        self.fields.push(Field { name, value });
        Ok(())
    }

    fn unfolded(&mut self, text: &str) -> Result<Span, ParseError> {
        if memchr(b'\r', text.as_bytes()).is_some() {
            return Err(ParseError::Header("a value holds a lone CR"));
        }
        Ok(self.span(text))
    }

    /// The lines of a folded value with one space between them (RFC 3261 section 7.3.1).
    fn unfold(&mut self, text: &str) -> Result<Span, ParseError> {
        let begin = self.span("");
        let mut end = begin;
        for line in text.split('\n') {
            let line = trim(line.strip_suffix('\r').unwrap_or(line));
            if line.is_empty() {
                continue;
            }
            if end.end != begin.end {
                self.span(" ");
            }
            end = self.unfolded(line)?;
        }
        Ok(Span { start: begin.start, end: end.end })
    }
}

/// True for `SIP/2.0`, false for another version of SIP, `None` for anything else.
fn is_version_2(text: &str) -> Option<bool> {
    let (protocol, version) = text.split_once('/')?;
    let (major, minor) = version.split_once('.')?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !protocol.eq_ignore_ascii_case("SIP") || !digits(major) || !digits(minor) {
        return None;
    }
    Some(version == "2.0")
}

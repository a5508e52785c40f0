//! Bodies in parts (RFC 2046 section 5.1, RFC 2387): cut, not copied.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memchr;
use memchr::memmem::Finder;

use super::rlmi::content_id;
use super::{DocumentError, DocumentLimits};
use crate::message::text::{split_outside, unquote};

/// How deep multiparts may lie in one another; RFC 4662 needs 2.
const DEPTH: usize = 4;
/// How many parts a body may have, all depths together.
const PARTS: usize = 5000;
/// How many places that look like a boundary are looked at.
const LOOKED_AT: usize = 50_000;
/// How many bytes the headers of one part may take.
const HEADERS: usize = 8 * 1024;
/// How long a boundary may be; RFC 2046 allows 70.
const BOUNDARY: usize = 256;

/// One part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its `Content-ID`, without the angle brackets that some writers put around it.
    pub content_id: Option<Box<str>>,
    /// Its `Content-Type`, parameters and all; `text/plain` when it has none (RFC 2046 section 5.1).
    pub content_type: Box<str>,
    /// What it carries, a slice of the whole body.
    pub body: Bytes,
}

/// Whether the Content-Type header `value` names `media_type`, whatever its case and its parameters.
#[must_use]
pub fn is_media_type(value: &str, media_type: &str) -> bool {
    essence(value).eq_ignore_ascii_case(media_type)
}

/// Cuts a body whose Content-Type is `content_type` into its parts, in their order.
///
/// A part that is itself a multipart is replaced by its parts. Lines may end in LF alone. What stands before the first
/// boundary and after the last is ignored. A last boundary that is missing is taken to stand at the end of the body:
/// what is cut off then shows in the last part. At most 5,000 parts, 4 multiparts in one another.
///
/// # Errors
/// [`DocumentError::TooLong`] beyond `limits.bytes`; [`DocumentError::NotMultipart`] when the type is no multipart, has
/// no boundary, or the boundary is not in the body; [`DocumentError::TransferEncoding`] for any part that is not as it
/// is; [`DocumentError::Parts`] beyond the caps.
pub fn split_multipart(content_type: &str, body: &Bytes, limits: &DocumentLimits) -> Result<Vec<Part>, DocumentError> {
    if body.len() > limits.bytes {
        return Err(DocumentError::TooLong(body.len()));
    }
    let mut parts = Vec::new();
    split(content_type, body, DEPTH, &mut parts)?;
    Ok(parts)
}

fn split(content_type: &str, body: &Bytes, depth: usize, parts: &mut Vec<Part>) -> Result<(), DocumentError> {
    if !is_multipart(content_type) {
        return Err(DocumentError::NotMultipart);
    }
    let depth = depth.checked_sub(1).ok_or(DocumentError::Parts)?;
    let boundary = boundary(content_type).ok_or(DocumentError::NotMultipart)?;
    let delimiter = format!("--{boundary}");
    let finder = Finder::new(&delimiter);
    if finder.find_iter(body).nth(LOOKED_AT).is_some() {
        return Err(DocumentError::Parts);
    }
    let mut delimiters = finder.find_iter(body).filter_map(|at| Delimiter::at(body, at, delimiter.len()));
    let mut open = delimiters.next().ok_or(DocumentError::NotMultipart)?;
    while !open.closes {
        let next = delimiters.next();
        let end = next.as_ref().map_or(body.len(), |next| next.start).max(open.end);
        let part = Part::read(&body.slice(open.end..end))?;
        if is_multipart(&part.content_type) {
            split(&part.content_type, &part.body, depth, parts)?;
        } else if parts.len() == PARTS {
            return Err(DocumentError::Parts);
        } else {
            parts.push(part);
        }
        let Some(next) = next else { break };
        open = next;
    }
    Ok(())
}

/// A line that parts.
struct Delimiter {
    /// Where the part before it ends: the line end before the line belongs to it.
    start: usize,
    /// Where the part after it begins.
    end: usize,
    /// Whether it is the last.
    closes: bool,
}

impl Delimiter {
    /// Reads the delimiter of which `length` bytes stand at `at`; `None` when that is no line of its own.
    fn at(body: &[u8], at: usize, length: usize) -> Option<Self> {
        let before = body.get(..at)?;
        let start = match before {
            [] => 0,
            [.., b'\r', b'\n'] => at - 2,
            [.., b'\n'] => at - 1,
            _ => return None,
        };
        let rest = body.get(at + length..)?;
        let (closes, rest) = rest.strip_prefix(b"--").map_or((false, rest), |rest| (true, rest));
        let line = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let padding = rest.get(..line)?;
        let own_line = padding.trim_ascii().is_empty();
        own_line.then_some(Self { start, end: body.len() - rest.len() + line, closes })
    }
}

impl Part {
    fn read(text: &Bytes) -> Result<Self, DocumentError> {
        let mut part = Self { content_id: None, content_type: "text/plain".into(), body: Bytes::new() };
        let (mut at, mut header) = (0, Cow::Borrowed(""));
        loop {
            let rest = text.get(at..).unwrap_or_default();
            let length = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let line = rest.get(..length).unwrap_or_default();
            at += length;
            if at > HEADERS && !line.trim_ascii().is_empty() {
                return Err(DocumentError::PartHeaders);
            }
            let line = std::str::from_utf8(line).map_err(|_| DocumentError::PartHeaders)?;
            let line = line.trim_end_matches(['\r', '\n']);
            if line.starts_with([' ', '\t']) {
                header.to_mut().push_str(line);
                continue;
            }
            part.take(&header)?;
            if line.is_empty() {
                part.body = text.slice(at..);
                return Ok(part);
            }
            header = Cow::Borrowed(line);
        }
    }

    /// Takes one header, unfolded. A line without a colon says nothing.
    fn take(&mut self, header: &str) -> Result<(), DocumentError> {
        let Some((name, value)) = header.split_once(':') else { return Ok(()) };
        let value = value.trim();
        let is = |known| name.trim_end().eq_ignore_ascii_case(known);
        if is("Content-ID") {
            self.content_id = Some(content_id(value).into());
        } else if is("Content-Type") {
            self.content_type = value.into();
        } else if is("Content-Transfer-Encoding") {
            let as_it_is = ["binary", "8bit", "7bit"].iter().any(|plain| value.eq_ignore_ascii_case(plain));
            return if as_it_is { Ok(()) } else { Err(DocumentError::TransferEncoding) };
        }
        Ok(())
    }
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn is_multipart(content_type: &str) -> bool {
    essence(content_type).get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"))
}

/// The boundary, quoted or not. No boundary has an escape in it.
fn boundary(content_type: &str) -> Option<&str> {
    let mut rest = split_outside(content_type, b';')?.1;
    loop {
        let (parameter, next) = split_outside(rest, b';').map_or((rest, None), |(head, tail)| (head, Some(tail)));
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name.trim().eq_ignore_ascii_case("boundary") {
            let value = value.trim();
            let value = unquote(value).unwrap_or(value);
            return (1..=BOUNDARY).contains(&value.len()).then_some(value);
        }
        rest = next?;
    }
}

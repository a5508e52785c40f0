//! A message that was read: the start line, the headers, the body.
#![warn(clippy::indexing_slicing)]

mod check;
mod method;
mod name_addr;
pub(crate) mod parse;
pub(crate) mod text;
mod values;
mod via;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use method::Method;
pub(crate) use name_addr::is_request_uri;
pub use name_addr::{NameAddr, uri_param};
pub use text::{Params, Values};
pub use values::{EventHeader, MsDiagnostics, SubscriptionPhase, SubscriptionState};
pub use via::Via;

use crate::error::{ParseError, Refusal};
use crate::limits::Limits;

/// A part of [`Head::text`], in bytes.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug)]
enum Name {
    /// A compact name, written out.
    Known(&'static str),
    Written(Span),
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: Name,
    value: Span,
}

#[derive(Clone, Debug)]
enum Start {
    Request { method: Method, uri: Span, version: bool },
    Response { status: u16, reason: Span, version: bool },
}

/// Everything but the body: the texts one behind the other, without folds and the blanks around values.
#[derive(Clone, Debug)]
struct Head {
    text: String,
    start: Start,
    fields: Vec<Field>,
}

/// A SIP message as it came from the wire. The raw text of all URIs is kept. A clone shares everything.
///
/// Reading it takes the lines apart and no more; what a header means is read when it is asked for, and [`Message::check`]
/// says whether the headers that every message must have are there and well formed.
///
/// ```
/// use bytes::Bytes;
/// use presence_sip::{Limits, Message, Method};
/// let bytes = Bytes::from_static(
///     b"NOTIFY sip:app@192.0.2.1:6120;transport=tcp SIP/2.0\r\nv: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK1\r\n\
///       f: <sip:user1@domain.com>;tag=7\r\nt: <sip:app@domain.com>;tag=8\r\ni: a84b4c76e66710\r\nCSeq: 2 NOTIFY\r\n\
///       o: presence\r\nSubscription-State: active\r\n ;expires=3599\r\nl: 0\r\n\r\n",
/// );
/// let notify = Message::parse(bytes, &Limits::default())?;
/// assert_eq!(notify.method(), Some(&Method::Notify));
/// assert_eq!(notify.from().and_then(|from| from.tag()), Some("7"));
/// assert_eq!(notify.subscription_state().and_then(|state| state.expires).map(|t| t.as_secs()), Some(3599));
/// assert_eq!(notify.check(), Ok(()));
/// # Ok::<(), presence_sip::ParseError>(())
/// ```
#[derive(Clone)]
pub struct Message {
    head: Arc<Head>,
    body: Bytes,
}

impl Message {
    /// Reads one datagram or one framed message.
    ///
    /// Lines may end with a lone LF. What follows the body that Content-Length announces is left out; without a
    /// Content-Length the body is all that follows (RFC 3261 section 18.3).
    ///
    /// # Errors
    /// [`ParseError`] when it is not a SIP message or larger than `limits`.
    pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Self, ParseError> {
        parse::parse(&bytes, limits)
    }

    fn text(&self, span: Span) -> &str {
        self.head.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    fn name(&self, field: &Field) -> &str {
        match field.name {
            Name::Known(name) => name,
            Name::Written(span) => self.text(span),
        }
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        match &self.head.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The Request-URI of a request, verbatim.
    #[must_use]
    pub fn request_uri(&self) -> Option<&str> {
        match &self.head.start {
            Start::Request { uri, .. } => Some(self.text(*uri)),
            Start::Response { .. } => None,
        }
    }

    /// The status code of a response, from 100 to 699.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.head.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(*status),
        }
    }

    /// The reason phrase of a response as it was sent; empty for a request.
    #[must_use]
    pub fn reason(&self) -> &str {
        match &self.head.start {
            Start::Request { .. } => "",
            Start::Response { reason, .. } => self.text(*reason),
        }
    }

    fn is_version_2(&self) -> bool {
        match &self.head.start {
            Start::Request { version, .. } | Start::Response { version, .. } => *version,
        }
    }

    /// All headers in their order, compact names in full, values unfolded and trimmed.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.fields.iter().map(|field| (self.name(field), self.text(field.value)))
    }

    /// The first header of this name: without regard to case, compact or not, unfolded and trimmed.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let name = parse::known_as(name);
        self.head.fields.iter().find(|field| self.name(field).eq_ignore_ascii_case(name)).map(|f| self.text(f.value))
    }

    /// All headers of this name, one per header line.
    pub fn header_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let name = parse::known_as(name);
        self.headers().filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All values of this name, whether in several headers or in one with commas. Commas in quotes and angle brackets
    /// do not separate. Not for headers whose value may hold a comma itself (dates, challenges).
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.header_all(name).flat_map(Values::new)
    }

    /// The Call-ID; empty when there is none, which [`Message::check`] refuses.
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or_default()
    }

    /// The number, below 2^31, and the method of CSeq.
    #[must_use]
    pub fn cseq(&self) -> Option<(u32, &str)> {
        self.header("CSeq").and_then(values::cseq)
    }

    /// From; `None` when it is absent or malformed, as with the following.
    #[must_use]
    pub fn from(&self) -> Option<NameAddr<'_>> {
        self.header("From").and_then(NameAddr::parse)
    }

    /// To.
    #[must_use]
    pub fn to(&self) -> Option<NameAddr<'_>> {
        self.header("To").and_then(NameAddr::parse)
    }

    /// The first Contact.
    #[must_use]
    pub fn contact(&self) -> Option<NameAddr<'_>> {
        self.values("Contact").next().and_then(NameAddr::parse)
    }

    /// The Via of the last hop.
    #[must_use]
    pub fn top_via(&self) -> Option<Via<'_>> {
        self.values("Via").next().and_then(Via::parse)
    }

    /// The Event header.
    #[must_use]
    pub fn event(&self) -> Option<EventHeader<'_>> {
        self.header("Event").and_then(EventHeader::parse)
    }

    /// The Subscription-State header.
    #[must_use]
    pub fn subscription_state(&self) -> Option<SubscriptionState<'_>> {
        self.header("Subscription-State").and_then(SubscriptionState::parse)
    }

    /// Expires; a number that is too large is 2^32 - 1 seconds.
    #[must_use]
    pub fn expires(&self) -> Option<Duration> {
        self.header("Expires").and_then(values::delta_seconds)
    }

    /// Min-Expires (RFC 3261 section 20.23).
    #[must_use]
    pub fn min_expires(&self) -> Option<Duration> {
        self.header("Min-Expires").and_then(values::delta_seconds)
    }

    /// Retry-After without its comment and parameters (RFC 3261 section 20.33).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.header("Retry-After")?;
        values::delta_seconds(text::trim(value.split([';', '(']).next().unwrap_or_default()))
    }

    /// The media type with its parameters.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.header("Content-Type")
    }

    /// Content-Length in bytes.
    ///
    /// # Errors
    /// [`ParseError::ContentLength`] when it is not one number.
    pub(crate) fn content_length(&self) -> Result<Option<usize>, ParseError> {
        let mut found = self.header_all("Content-Length");
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Ok(Some(parse_content_length(value)?)),
            (Some(_), Some(_)) => Err(ParseError::ContentLength),
        }
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// Microsoft's reason behind the status code: `ms-diagnostics`, or the copy that a federated peer may see.
    #[must_use]
    pub fn ms_diagnostics(&self) -> Option<MsDiagnostics<'_>> {
        self.header("ms-diagnostics").or_else(|| self.header("ms-diagnostics-public")).and_then(MsDiagnostics::parse)
    }

    /// Whether the headers that every message must have are there, well formed and not doubled (RFC 3261 section 8.1.1,
    /// RFC 4475), and the numbers are numbers.
    ///
    /// # Errors
    /// What to answer a request with; a response is dropped instead.
    pub fn check(&self) -> Result<(), Refusal> {
        check::check(self)
    }
}

/// Reads a Content-Length; digits only.
pub(crate) fn parse_content_length(value: &str) -> Result<usize, ParseError> {
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ParseError::ContentLength);
    }
    // Too large for the type is too large for every limit.
    Ok(value.parse().unwrap_or(usize::MAX))
}

/// The start line and the size; nothing that a person should not see in a log.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.head.start {
            Start::Request { method, uri, .. } => write!(f, "{method} {:?}", self.text(*uri))?,
            Start::Response { status, reason, .. } => write!(f, "{status} {:?}", self.text(*reason))?,
        }
        write!(f, " ({} headers, {} bytes of body)", self.head.fields.len(), self.body.len())
    }
}

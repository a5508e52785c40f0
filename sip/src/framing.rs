//! From a stream or a datagram to messages.
#![warn(clippy::indexing_slicing)]

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use crate::error::{FramingLost, ParseError};
use crate::limits::Limits;
use crate::message::{Message, Method, parse, parse_content_length};
use crate::response::respond;

/// What a transport received.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A message. Whether it is a sane one says [`Message::check`].
    Message(Message),
    /// An empty line, doubled: answer it with one CRLF on a connection (RFC 5626 section 4.4.1).
    Ping,
    /// An empty line: the answer to our ping, or a keep-alive that wants none.
    Pong,
    /// Bytes whose end is known and that are no message. It costs this message, not the connection.
    Malformed {
        /// What is wrong.
        reason: ParseError,
        /// What to send back: a 400, when enough of a request could be read. Never for ACK and BENOTIFY.
        answer: Option<Bytes>,
    },
}

impl Frame {
    /// Reads one datagram.
    #[must_use]
    pub fn from_datagram(bytes: Bytes, limits: &Limits) -> Self {
        // A lone CRLF, a doubled one, and the NULs that some send to keep a NAT's mapping open.
        if bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
            return if bytes.starts_with(b"\r\n\r\n") { Self::Ping } else { Self::Pong };
        }
        Self::read(bytes, limits)
    }

    fn read(bytes: Bytes, limits: &Limits) -> Self {
        match Message::parse(bytes.clone(), limits) {
            Ok(message) => Self::Message(message),
            Err(reason) => Self::Malformed { reason, answer: answer_to(&bytes, limits) },
        }
    }
}

/// A 400 for a malformed request; `None` when it is none, when it wants no answer, or when too little of it was read.
fn answer_to(bytes: &Bytes, limits: &Limits) -> Option<Bytes> {
    let request = parse::salvage(bytes, limits)?;
    let silent = match request.method()? {
        Method::Ack | Method::Benotify => true,
        _ => request.top_via().is_none() || request.from().is_none() || request.to().is_none(),
    };
    if silent || request.call_id().is_empty() || request.cseq().is_none() {
        return None;
    }
    Some(respond(&request, 400, None, "malformed", &[], None))
}

/// Cuts a stream into messages by their Content-Length (RFC 3261 section 18.3), with caps before memory is taken.
///
/// ```
/// use presence_sip::{Frame, Framer, Limits};
/// let mut framer = Framer::new(Limits::default());
/// framer.push(b"\r\n\r\nSIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK2\r\nContent-Len");
/// assert!(matches!(framer.next_frame(), Ok(Some(Frame::Ping))));
/// assert!(matches!(framer.next_frame(), Ok(None)));
/// framer.push(b"gth: 2\r\n\r\nhi");
/// let Ok(Some(Frame::Message(message))) = framer.next_frame() else { panic!("a message") };
/// assert_eq!(message.body().as_ref(), b"hi");
/// ```
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    buffer: BytesMut,
    /// How much of the header section has been searched for its end.
    searched: usize,
    /// The size of the message at the front, once its headers are complete.
    size: Option<usize>,
    /// A lone CRLF was reported; another one makes it a ping.
    half_ping: bool,
    lost: Option<FramingLost>,
}

impl Framer {
    /// A framer for one new connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, buffer: BytesMut::new(), searched: 0, size: None, half_ping: false, lost: None }
    }

    /// Takes what was received. Call [`Framer::next_frame`] until it has nothing before pushing more: then no more
    /// than one message and one push are ever held.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.lost.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// True when the beginning of a message waits for its rest: the transport's clock for slow peers runs.
    #[must_use]
    pub fn is_within_message(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next frame; `None` when more must be received first.
    ///
    /// # Errors
    /// [`FramingLost`], and from then on always: close the connection.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FramingLost> {
        if let Some(lost) = self.lost {
            return Err(lost);
        }
        match self.advance() {
            Ok(frame) => Ok(frame),
            Err(reason) => {
                let lost = FramingLost(reason);
                self.lost = Some(lost);
                self.buffer = BytesMut::new();
                Err(lost)
            }
        }
    }

    fn advance(&mut self) -> Result<Option<Frame>, ParseError> {
        if self.size.is_none() {
            if let Some(frame) = self.keep_alive() {
                return Ok(Some(frame));
            }
            let Some(header_section) = self.header_section()? else { return Ok(None) };
            let section = self.buffer.get(..header_section).unwrap_or_default();
            let body = announced_length(section)?;
            if body > self.limits.body {
                return Err(ParseError::TooLarge { what: "body", limit: self.limits.body });
            }
            self.size = Some(header_section + body);
            self.buffer.reserve((header_section + body).saturating_sub(self.buffer.len()));
        }
        match self.size {
            Some(size) if self.buffer.len() >= size => {
                self.size = None;
                self.searched = 0;
                self.half_ping = false;
                Ok(Some(Frame::read(self.buffer.split_to(size).freeze(), &self.limits)))
            }
            _ => Ok(None),
        }
    }

    /// Takes empty lines off the front.
    fn keep_alive(&mut self) -> Option<Frame> {
        loop {
            if !self.half_ping && self.buffer.starts_with(b"\r\n\r\n") {
                self.buffer.advance(4);
                return Some(Frame::Ping);
            }
            if self.buffer.starts_with(b"\r\n") {
                self.buffer.advance(2);
                // The second half may be on its way, also in two pieces, or the first half was already reported.
                let whole = self.half_ping;
                self.half_ping = !whole && matches!(&*self.buffer, [] | [b'\r']);
                return Some(if whole { Frame::Ping } else { Frame::Pong });
            }
            if self.buffer.first() != Some(&b'\n') {
                return None;
            }
            self.half_ping = false;
            self.buffer.advance(1);
        }
    }

    /// The size of the header section with its blank line, when it is complete.
    fn header_section(&mut self) -> Result<Option<usize>, ParseError> {
        let limit = self.limits.header_section;
        let mut from = self.searched;
        while let Some(at) = memchr(b'\n', self.buffer.get(from..).unwrap_or_default()) {
            let end = from + at + 1;
            let behind = self.buffer.get(end..).unwrap_or_default();
            let blank_line = match behind {
                [b'\n', ..] => 1,
                [b'\r', b'\n', ..] => 2,
                [] | [b'\r'] => {
                    // What comes next decides: look at this line's end again.
                    from += at;
                    break;
                }
                _ => 0,
            };
            if blank_line > 0 {
                let size = end + blank_line;
                return if size > limit {
                    Err(ParseError::TooLarge { what: "header section", limit })
                } else {
                    Ok(Some(size))
                };
            }
            from = end;
            self.searched = from;
        }
        self.searched = from.max(self.searched);
        if memchr(b'\n', self.buffer.get(self.searched..).unwrap_or_default()).is_none() {
            self.searched = self.buffer.len();
        }
        if self.buffer.len() > limit { Err(ParseError::TooLarge { what: "header section", limit }) } else { Ok(None) }
    }
}

/// The Content-Length of a header section; 0 when it is absent, unless a Content-Type says that there is a body.
fn announced_length(section: &[u8]) -> Result<usize, ParseError> {
    let (mut found, mut typed) = (None, false);
    let mut rest = section;
    while let Some((line, mut next)) = parse::next_line(rest) {
        rest = next;
        let Some(colon) = line.first().filter(|b| b"cClL".contains(b)).and_then(|_| memchr(b':', line)) else {
            continue;
        };
        let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
        let Ok(name) = std::str::from_utf8(name) else { continue };
        let name = parse::known_as(name.trim_end_matches([' ', '\t']));
        typed |= name.eq_ignore_ascii_case("Content-Type");
        if !name.eq_ignore_ascii_case("Content-Length") {
            continue;
        }
        let mut value = String::from_utf8_lossy(value.get(1..).unwrap_or_default()).into_owned();
        while next.first().is_some_and(|b| matches!(b, b' ' | b'\t')) {
            let Some((line, after)) = parse::next_line(next) else { break };
            value.push_str(&String::from_utf8_lossy(line));
            next = after;
        }
        rest = next;
        let length = parse_content_length(value.trim_matches([' ', '\t']))?;
        if found.replace(length).is_some_and(|other| other != length) {
            return Err(ParseError::ContentLength);
        }
    }
    match found {
        Some(length) => Ok(length),
        None if typed => Err(ParseError::ContentLength),
        None => Ok(0),
    }
}

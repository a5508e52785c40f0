//! From bytes to messages, read by hand: a proxy must also carry what no parser of ours would take.

use bytes::{Bytes, BytesMut};

/// The longest header section that is waited for, in bytes; a stream with a longer one is carried uncut.
const LONGEST_HEAD: usize = 64 << 10;
/// The longest body that is waited for, in bytes.
const LONGEST_BODY: usize = 8 << 20;

/// What a piece of a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A request or an answer, by the method of its first line or of its CSeq; upper case.
    Message {
        /// SUBSCRIBE, NOTIFY, ...
        method: String,
        /// The status code of an answer; none for a request.
        code: Option<u16>,
    },
    /// An empty line between messages (RFC 5626 section 4.4.1).
    KeepAlive,
    /// What cannot be cut into messages, such as TLS: so much as was read at once.
    Unknown,
}

/// A whole message, an empty line, or bytes of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) bytes: Bytes,
}

/// Cuts one direction of a stream by Content-Length. Loses no byte: what it cannot cut it hands on as it came.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    buffer: BytesMut,
    /// How much of the header section has been searched for its end.
    searched: usize,
    /// It is no SIP, and never will be again.
    uncut: bool,
}

impl Cutter {
    /// Takes what was read; then call [`Cutter::next`] until it has nothing.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next piece; none until more was read.
    pub(super) fn next(&mut self) -> Option<Piece> {
        if self.buffer.is_empty() {
            return None;
        }
        if self.uncut {
            return Some(Piece { kind: Kind::Unknown, bytes: self.buffer.split().freeze() });
        }
        let blank = self.buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if blank > 0 {
            return Some(Piece { kind: Kind::KeepAlive, bytes: self.buffer.split_to(blank).freeze() });
        }
        if !self.buffer[0].is_ascii_alphabetic() {
            return self.give_up();
        }
        let from = self.searched.saturating_sub(3);
        let Some(end) = self.buffer[from..].windows(4).position(|four| four == b"\r\n\r\n") else {
            self.searched = self.buffer.len();
            return if self.searched > LONGEST_HEAD { self.give_up() } else { None };
        };
        let head = from + end + 4;
        let read = read_head(&self.buffer[..head]);
        let Some((kind, body)) = read.filter(|(_, body)| *body <= LONGEST_BODY) else { return self.give_up() };
        if self.buffer.len() < head + body {
            return None;
        }
        self.searched = 0;
        Some(Piece { kind, bytes: self.buffer.split_to(head + body).freeze() })
    }

    fn give_up(&mut self) -> Option<Piece> {
        self.uncut = true;
        self.next()
    }
}

/// What a datagram is.
pub(super) fn datagram(bytes: Bytes) -> Piece {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |end| end + 4);
    let kind = match read_head(&bytes[..head]) {
        Some((kind, _)) => kind,
        None if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) => Kind::KeepAlive,
        None => Kind::Unknown,
    };
    Piece { kind, bytes }
}

/// The kind of a message and the length of its body, from its header section; none when it is no SIP.
fn read_head(head: &[u8]) -> Option<(Kind, usize)> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let first = lines.next()?;
    let (mut length, mut sequence) = (0, None);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "content-length" | "l" => length = value.trim().parse().ok()?,
            "cseq" => sequence = value.split_whitespace().nth(1),
            _ => {}
        }
    }
    let (method, code) = match first.strip_prefix("SIP/2.0 ") {
        Some(rest) => (sequence?, Some(rest.get(..3)?.parse().ok()?)),
        None if first.ends_with(" SIP/2.0") => (first.split(' ').next()?, None),
        None => return None,
    };
    Some((Kind::Message { method: method.to_ascii_uppercase(), code }, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "NOTIFY sip:a@x SIP/2.0\r\nCSeq: 1 NOTIFY\r\nContent-Length: 4\r\n\r\nbody";
    const ANSWER: &str = "SIP/2.0 481 Gone\r\nl: 0\r\ncseq: 7 subscribe\r\n\r\n";

    fn pieces(cutter: &mut Cutter) -> Vec<Piece> {
        std::iter::from_fn(|| cutter.next()).collect()
    }

    fn message(method: &str, code: Option<u16>) -> Kind {
        Kind::Message { method: method.to_owned(), code }
    }

    #[test]
    fn messages_are_cut_alike_however_they_arrive() {
        let stream = format!("\r\n\r\n{REQUEST}{ANSWER}\r\n{REQUEST}");
        for size in [1, 2, 3, 7, 50, stream.len()] {
            let mut cutter = Cutter::default();
            let mut cut = Vec::new();
            for part in stream.as_bytes().chunks(size) {
                cutter.push(part);
                cut.extend(pieces(&mut cutter));
            }
            let messages: Vec<_> = cut.iter().filter(|piece| piece.kind != Kind::KeepAlive).collect();
            let kinds: Vec<_> = messages.iter().map(|piece| piece.kind.clone()).collect();
            assert_eq!(kinds, [message("NOTIFY", None), message("SUBSCRIBE", Some(481)), message("NOTIFY", None)]);
            assert_eq!(messages[0].bytes, REQUEST.as_bytes());
            assert_eq!(cut.iter().flat_map(|piece| piece.bytes.to_vec()).collect::<Vec<_>>(), stream.as_bytes());
        }
    }

    #[test]
    fn what_is_no_sip_is_carried_as_it_came() {
        for odd in ["\u{16}\u{3}\u{1}TLS", "GET / HTTP/1.1\r\n\r\n", "A sip:x SIP/2.0\r\nContent-Length: -1\r\n\r\n"] {
            let mut cutter = Cutter::default();
            cutter.push(odd.as_bytes());
            let [Piece { kind: Kind::Unknown, bytes }] = &pieces(&mut cutter)[..] else { panic!("{odd}") };
            assert_eq!(bytes, odd.as_bytes());
            cutter.push(REQUEST.as_bytes());
            assert_eq!(pieces(&mut cutter).len(), 1, "and so is what follows");
        }
        let mut cutter = Cutter::default();
        cutter.push(&vec![b'A'; LONGEST_HEAD + 1]);
        assert_eq!(pieces(&mut cutter).len(), 1, "nothing grows without bound");
    }

    #[test]
    fn a_datagram_is_one_message() {
        assert_eq!(datagram(Bytes::from_static(REQUEST.as_bytes())).kind, message("NOTIFY", None));
        assert_eq!(datagram(Bytes::from_static(b"\r\n\r\n")).kind, Kind::KeepAlive);
        assert_eq!(datagram(Bytes::from_static(b"\x80\x01")).kind, Kind::Unknown);
    }
}

//! The frames that a client sends over WebSocket. actix gathers a frame in memory before it compares its length with the
//! longest one, and a frame may announce any length: so the heads are read here as they come.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;

/// The longest head of a frame (RFC 6455 section 5.2): two bytes, eight of length, four of the mask.
const LONGEST_HEAD: usize = 14;

/// Reads the heads of frames, in whatever pieces they come. Pure.
#[derive(Debug)]
struct Heads {
    longest: u64,
    head: [u8; LONGEST_HEAD],
    /// So much of the head has come.
    read: usize,
    /// So much of the frame is still to come after it.
    rest: u64,
}

impl Heads {
    const fn new(longest: u64) -> Self {
        Self { longest, head: [0; LONGEST_HEAD], read: 0, rest: 0 }
    }

    /// Reads on. False when a frame announces more than the longest one.
    fn read(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((first, others)) = bytes.split_first() {
            if self.rest > 0 {
                let passed = usize::try_from(self.rest).map_or(bytes.len(), |rest| rest.min(bytes.len()));
                self.rest -= passed as u64;
                bytes = &bytes[passed..];
                continue;
            }
            self.head[self.read] = *first;
            self.read += 1;
            bytes = others;
            if let Some(length) = self.announced() {
                if length > self.longest {
                    return false;
                }
                (self.rest, self.read) = (length, 0);
            }
        }
        true
    }

    /// What the head announces, once it is complete.
    fn announced(&self) -> Option<u64> {
        if self.read < 2 {
            return None;
        }
        let short = self.head[1] & 0x7f;
        let extended = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { 4 };
        let is_complete = self.read == 2 + extended + mask;
        let long = || self.head[2..2 + extended].iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
        is_complete.then(|| if extended == 0 { u64::from(short) } else { long() })
    }
}

/// What a client sends, up to the first frame that announces too much.
pub(super) struct Bounded {
    payload: Payload,
    heads: Heads,
}

/// The same frames, of which none is longer than this.
pub(super) fn bounded(payload: Payload, longest: usize) -> Payload {
    Payload::Stream { payload: Box::pin(Bounded { payload, heads: Heads::new(longest as u64) }) }
}

impl Stream for Bounded {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(Pin::new(&mut self.payload).poll_next(context));
        match next {
            Some(Ok(bytes)) if !self.heads.read(&bytes) => {
                self.payload = Payload::None;
                Poll::Ready(Some(Err(PayloadError::Overflow)))
            }
            next => Poll::Ready(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of a masked text frame.
    fn head(length: u64) -> Vec<u8> {
        let mut head = vec![0x81];
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..126), _) => head.push(0x80 | short),
            (_, Ok(length)) => {
                head.push(0x80 | 126);
                head.extend(length.to_be_bytes());
            }
            _ => {
                head.push(0x80 | 127);
                head.extend(length.to_be_bytes());
            }
        }
        head.extend([1, 2, 3, 4]);
        head
    }

    #[test]
    fn frames_up_to_the_longest_pass_in_whatever_pieces_they_come() {
        let mut bytes = Vec::new();
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000, 3] {
            bytes.extend(head(length));
            bytes.resize(bytes.len() + length as usize, 0xff);
        }
        for piece in [1, 2, 3, 7, 1_000, bytes.len()] {
            let mut heads = Heads::new(70_000);
            assert!(bytes.chunks(piece).all(|piece| heads.read(piece)), "{piece}");
            assert_eq!((heads.read, heads.rest), (0, 0), "every frame was seen to its end");
            assert!(!heads.read(&head(70_001)), "one byte more");
        }
    }

    #[test]
    fn a_frame_is_refused_as_soon_as_it_announces_too_much() {
        for length in [101, 65_536, u64::from(u32::MAX), 1 << 62, u64::MAX] {
            let head = head(length);
            for piece in 1..=head.len() {
                let mut heads = Heads::new(100);
                let passed = head.chunks(piece).take_while(|piece| heads.read(piece)).count();
                assert_eq!(passed, head.len().div_ceil(piece) - 1, "{length} in pieces of {piece}");
            }
        }
    }
}

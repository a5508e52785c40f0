//! SIP messages on a byte stream, as a codec of tokio-util.

use std::io;

use bytes::BytesMut;
use presence_sip::{Frame, Framer, FramingLost, Limits};
use thiserror::Error;
use tokio_util::codec::Decoder;

/// Cuts what is read into messages. (What is written needs no codec: messages are printed by `presence-sip` and simply follow each other.)
#[derive(Debug)]
pub(super) struct SipCodec {
    framer: Framer,
}

/// Why nothing more can be read from a stream.
#[derive(Debug, Error)]
pub(super) enum BrokenStream {
    #[error(transparent)]
    Framing(#[from] FramingLost),
    #[error("the stream ended within a message")]
    Truncated,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl SipCodec {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { framer: Framer::new(*limits) }
    }

    /// True while a message has begun and its end has not come.
    pub(super) fn has_begun(&self) -> bool {
        self.framer.is_within_message()
    }
}

impl Decoder for SipCodec {
    type Item = Frame;
    type Error = BrokenStream;

    fn decode(&mut self, received: &mut BytesMut) -> Result<Option<Frame>, BrokenStream> {
        if !received.is_empty() {
            self.framer.push(received);
            received.clear();
        }
        Ok(self.framer.next_frame()?)
    }

    fn decode_eof(&mut self, received: &mut BytesMut) -> Result<Option<Frame>, BrokenStream> {
        match self.decode(received)? {
            None if self.has_begun() => Err(BrokenStream::Truncated),
            frame => Ok(frame),
        }
    }
}

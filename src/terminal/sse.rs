//! Server-sent events, as the WHATWG defines their text: bytes go in, events come out.

use std::time::Duration;

/// A longer event is none: something else answers, or it has gone mad.
const LONGEST_EVENT: usize = 1024 * 1024;
/// A longer wait is not taken from the other side.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// One event of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its type; `message` when it has none.
    pub(crate) event: String,
    /// Its text.
    pub(crate) data: String,
}

/// Reads a stream piece by piece.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventStream {
    line: Vec<u8>,
    /// A CR ended the last line; a LF behind it belongs to it.
    after_return: bool,
    /// A line has been read, so a byte order mark can no longer come.
    begun: bool,
    event: String,
    data: String,
    /// The id that the event under way has, as far as it has come.
    coming_id: Option<String>,
    id: Option<String>,
    wait: Option<Duration>,
}

/// An event that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl EventStream {
    /// A stream that goes on behind the event with this id.
    pub(crate) fn after(id: Option<String>) -> Self {
        Self { coming_id: id.clone(), id, ..Self::default() }
    }

    /// The id of the last event that came completely: where a new stream goes on.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// How long the other side wants us to wait before we come again.
    pub(crate) const fn wait(&self) -> Option<Duration> {
        self.wait
    }

    /// Takes the bytes that have come, and gives the events that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Message>, TooLong> {
        let mut messages = Vec::new();
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => messages.extend(self.line_ends()),
                _ if self.line.len() + self.data.len() >= LONGEST_EVENT => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(messages)
    }

    fn line_ends(&mut self) -> Option<Message> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = if self.begun { &line } else { line.strip_prefix('\u{feff}').unwrap_or(&line) };
        self.begun = true;
        if line.is_empty() {
            self.id.clone_from(&self.coming_id);
            let (event, mut data) = (std::mem::take(&mut self.event), std::mem::take(&mut self.data));
            // An event without data is none.
            data.pop()?;
            let event = if event.is_empty() { "message".to_owned() } else { event };
            return Some(Message { event, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.coming_id = Some(value.to_owned()),
            "retry" => {
                if let Ok(milliseconds) = value.parse() {
                    self.wait = Some(Duration::from_millis(milliseconds).min(LONGEST_WAIT));
                }
            }
            // A comment (nothing before the colon), or a field of a later time.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: &str, data: &str) -> Message {
        Message { event: event.into(), data: data.into() }
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        for (text, expected) in [
            ("data: a\n\n", vec![message("message", "a")]),
            ("event: changed\ndata:{}\n\n", vec![message("changed", "{}")]),
            ("data: a\ndata:  b\n\n", vec![message("message", "a\n b")]),
            (
                "data: a\r\n\r\ndata: b\r\rdata: c\n\n",
                vec![message("message", "a"), message("message", "b"), message("message", "c")],
            ),
            ("\u{feff}data: a\n\n", vec![message("message", "a")]),
            (": keep-alive\n\nevent: x\n\ndata: a\n\n", vec![message("message", "a")]),
            ("data\n\n", vec![message("message", "")]),
            ("unknown: x\ndata: a\n\ndata: unfinished\n", vec![message("message", "a")]),
            ("data: \u{fffd}\n\n", vec![message("message", "\u{fffd}")]),
        ] {
            assert_eq!(EventStream::default().push(text.as_bytes()), Ok(expected.clone()), "{text:?}");
            let mut stream = EventStream::default();
            let bytewise: Vec<_> = text.bytes().flat_map(|byte| stream.push(&[byte]).expect("short events")).collect();
            assert_eq!(bytewise, expected, "byte by byte: {text:?}");
        }
    }

    #[test]
    fn the_last_id_stays_until_another_comes() {
        let mut stream = EventStream::default();
        assert_eq!(stream.last_id(), None);
        stream.push(b"id: 7-1\ndata: a\n\ndata: b\n\nid: bad\0id\n\n").expect("short events");
        assert_eq!(stream.last_id(), Some("7-1"));
        stream.push(b"id: 7-2\ndata: c").expect("short events");
        assert_eq!(stream.last_id(), Some("7-1"), "an event that has not come is not skipped");
    }

    #[test]
    fn the_other_side_can_ask_for_patience_but_not_for_ever() {
        let mut stream = EventStream::default();
        for (text, wait) in [("retry: 2500\n", 2_500), ("retry: soon\n", 2_500), ("retry: 99999999\n", 60_000)] {
            stream.push(text.as_bytes()).expect("short");
            assert_eq!(stream.wait(), Some(Duration::from_millis(wait)));
        }
    }

    #[test]
    fn an_event_does_not_grow_without_bound() {
        let mut stream = EventStream::default();
        let piece = [b'x'; 4096];
        let pieces = (0..).take_while(|_| stream.push(&piece).is_ok()).count();
        assert_eq!(pieces, LONGEST_EVENT / piece.len());
        let mut stream = EventStream::default();
        let lines = (0..10_000).take_while(|_| stream.push(&[b"data: ", &piece[..], b"\n"].concat()).is_ok()).count();
        assert!(lines < LONGEST_EVENT / piece.len(), "{lines}");
    }
}

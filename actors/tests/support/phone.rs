//! A pool whose every word is written by the test, at the other end of a stream in memory.

use std::fmt::Write as _;

use presence_sip::{Frame, Framer, Limits, Message, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::support::seconds;

/// The type of a body, and the body.
pub(crate) type Body = (&'static str, String);

/// One connection, and what came over it and was not looked at.
pub(crate) struct Phone {
    stream: DuplexStream,
    framer: Framer,
}

impl Phone {
    pub(crate) fn on(stream: DuplexStream) -> Self {
        Self { stream, framer: Framer::new(Limits::default()) }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next message; none when nothing comes for a second.
    pub(crate) async fn hear(&mut self) -> Option<Message> {
        loop {
            match self.framer.next_frame().unwrap() {
                Some(Frame::Message(message)) => return Some(message),
                Some(_) => {}
                None => {
                    let mut buffer = [0; 4096];
                    let read = tokio::time::timeout(seconds(1), self.stream.read(&mut buffer)).await.ok()?.unwrap();
                    assert!(read > 0, "the connection ended");
                    self.framer.push(&buffer[..read]);
                }
            }
        }
    }

    /// The next SUBSCRIBE; whoever registers or asks whether we live is content.
    pub(crate) async fn subscribe(&mut self) -> Message {
        for _ in 0..60 {
            let Some(message) = self.hear().await else { continue };
            match message.method() {
                Some(Method::Subscribe) => return message,
                Some(Method::Register) => {
                    let contact = message.header("Contact").unwrap();
                    let contact = format!("Contact: {contact};expires=7200;gruu=\"sip:application@example.test;gruu\"");
                    self.say(&reply(&message, &[&contact, "Expires: 7200"], None)).await;
                }
                Some(_) => self.say(&reply(&message, &[], None)).await,
                None => {}
            }
        }
        panic!("nobody subscribes")
    }

    /// The status of the next answer; none when none comes.
    pub(crate) async fn answer(&mut self) -> Option<u16> {
        let message = self.hear().await?;
        assert!(message.method().is_none(), "a request where an answer was expected");
        message.status()
    }
}

/// 200, with the tag `pool`.
pub(crate) fn reply(request: &Message, extra: &[&str], body: Option<Body>) -> String {
    let mut text = "SIP/2.0 200 OK\r\n".to_owned();
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        let value = request.header(name).unwrap();
        let tag = if name == "To" && !value.contains("tag=") { ";tag=pool" } else { "" };
        write!(text, "{name}: {value}{tag}\r\n").unwrap();
    }
    extra.iter().for_each(|line| write!(text, "{line}\r\n").unwrap());
    finish(text, body)
}

/// A notification in the dialog of this SUBSCRIBE.
pub(crate) fn notification(method: &str, subscribe: &Message, cseq: u32, body: Option<Body>) -> String {
    let text = format!(
        "{method} sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.2:5060;branch=z9hG4bK{method}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: {};tag=pool\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
         Event: presence\r\nSubscription-State: active;expires=3000\r\n",
        subscribe.header("To").unwrap(),
        subscribe.header("From").unwrap(),
        subscribe.call_id(),
    );
    finish(text, body)
}

fn finish(mut text: String, body: Option<Body>) -> String {
    let (content_type, body) = body.unwrap_or_default();
    if !body.is_empty() {
        write!(text, "Content-Type: {content_type}\r\n").unwrap();
    }
    write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    text
}

/// What is wrong with a notification, what a NOTIFY is answered then, and as what it is counted. `last` is the number of
/// the last good one.
pub(crate) fn forgeries(
    genuine: &dyn Fn(u32) -> String,
    subscribe: &Message,
    last: u32,
) -> Vec<(String, u16, presence_sip::WireEvent)> {
    use presence_sip::WireEvent::{BadEvent, Duplicate, Forked, MissingState, StaleCSeq, Unmatched, WrongTag};
    let next = || genuine(last + 100);
    let tag = format!("tag={}", subscribe.from().unwrap().tag().unwrap());
    vec![
        (next().replace(subscribe.call_id(), "0123456789abcdef"), 481, Unmatched),
        (next().replace(subscribe.call_id(), &subscribe.call_id().to_ascii_uppercase()), 481, Unmatched),
        (next().replace(&tag, "tag=guessed"), 481, WrongTag),
        (next().replace(&format!(";{tag}"), ""), 481, WrongTag),
        (next().replace(";tag=pool", ";tag=loop"), 481, Forked),
        (genuine(last - 1), 500, StaleCSeq),
        (genuine(last), 200, Duplicate),
        (next().replace("Event: presence", "Event: dialog"), 489, BadEvent),
        (next().replace("Subscription-State: active;expires=3000\r\n", ""), 400, MissingState),
    ]
}

//! A stream cut into messages: in pieces as at once, and never more than the caps.

use presence_sip::{Frame, Framer, Limits};

use crate::dice::Dice;

/// What came out of a stream.
#[derive(Debug, PartialEq)]
enum Outcome {
    Message { head: String, headers: Vec<(String, String)>, body: Vec<u8> },
    Ping,
    Malformed { reason: String, answer: Option<Vec<u8>> },
    Lost(String),
}

/// The first byte says how the rest is cut.
pub(crate) fn run(data: &[u8]) {
    let Some((how, stream)) = data.split_first() else { return };
    // Small caps are met more easily than large ones.
    let small = Limits { header_section: 700, header: 200, headers: 16, body: 300 };
    let limits = if how & 1 == 0 { Limits::default() } else { small };
    let whole = frames(limits, [stream]);
    let mut dice = Dice::new(u64::from(*how) + 1);
    let mut rest = stream;
    let pieces = std::iter::from_fn(|| {
        let most = if how & 2 == 0 { 3 } else { 90 };
        let (piece, behind) = rest.split_at((1 + dice.below(most)).min(rest.len()));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    });
    assert_eq!(frames(limits, pieces), whole, "in pieces as at once");
    if let Frame::Message(message) = Frame::from_datagram(stream.to_vec().into(), &limits) {
        assert!(message.body().len() <= limits.body && message.headers().count() <= limits.headers);
    }
}

fn frames<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Outcome> {
    let mut framer = Framer::new(limits);
    let mut outcomes = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            let outcome = match framer.next_frame() {
                Ok(None) => break,
                // Half a ping, or the answer to one: nothing follows from it.
                Ok(Some(Frame::Pong)) => continue,
                Ok(Some(Frame::Ping)) => Outcome::Ping,
                Ok(Some(Frame::Message(message))) => {
                    assert!(message.body().len() <= limits.body && message.headers().count() <= limits.headers);
                    let headers = message.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                    Outcome::Message { head: format!("{message:?}"), headers, body: message.body().to_vec() }
                }
                Ok(Some(Frame::Malformed { reason, answer })) => {
                    if let Some(answer) = &answer {
                        assert!(answer.starts_with(b"SIP/2.0 400 "), "a refusal is a refusal");
                    }
                    Outcome::Malformed { reason: reason.to_string(), answer: answer.map(|bytes| bytes.to_vec()) }
                }
                Err(lost) => {
                    assert_eq!(framer.next_frame().err(), Some(lost), "what is lost stays lost");
                    outcomes.push(Outcome::Lost(lost.to_string()));
                    return outcomes;
                }
            };
            outcomes.push(outcome);
        }
    }
    outcomes
}

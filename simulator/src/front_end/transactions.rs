//! Requests that were answered, so that a copy gets the same answer and nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_sip::Message;

/// How long an answer is kept: 64*T1 (RFC 3261 section 17.2.2).
const LIFETIME: Duration = Duration::from_secs(32);

/// How many bytes of answers are kept at most, and how many answers.
const MOST_BYTES: usize = 16 * 1024 * 1024;
const MOST: usize = 10_000;

/// What copies of a request have in common. Branches are not looked at, as clients of this dialect send none
/// (RFC 2543 section 10.1.2).
type Key = (Box<str>, Box<str>, Box<str>);

/// The answers of the last half minute.
#[derive(Clone, Debug, Default)]
pub(super) struct Answered {
    answers: BTreeMap<Key, Bytes>,
    order: VecDeque<(Instant, Key)>,
    bytes: usize,
}

fn key(request: &Message) -> Key {
    let (number, method) = request.cseq().unwrap_or_default();
    let tag = request.from().and_then(|from| from.tag()).unwrap_or_default();
    (request.call_id().into(), format!("{number} {method}").into(), tag.into())
}

impl Answered {
    /// What a copy of this request was answered.
    pub(super) fn answer(&mut self, now: Instant, request: &Message) -> Option<Bytes> {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_oldest();
        }
        self.answers.get(&key(request)).cloned()
    }

    /// Keeps the answer to a request.
    pub(super) fn remember(&mut self, now: Instant, request: &Message, answer: Bytes) {
        let key = key(request);
        self.bytes += answer.len();
        if let Some(old) = self.answers.insert(key.clone(), answer) {
            self.bytes -= old.len();
        } else {
            self.order.push_back((now + LIFETIME, key));
        }
        while self.bytes > MOST_BYTES || self.order.len() > MOST {
            self.forget_oldest();
        }
    }

    /// A server that was restarted remembers nothing.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.bytes -= self.answers.remove(&key).map_or(0, |answer| answer.len());
        }
    }
}

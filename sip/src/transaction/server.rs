//! Requests that were answered, so that copies of them get the same answer and nothing else.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::message::Message;

use super::MAGIC;

/// The server side of non-INVITE transactions on an unreliable transport (RFC 3261 section 17.2.2).
///
/// ```text
///  request --> Trying --(answered in the same call)--> Completed --(J: 64 T1)--> gone
///                                                         ^  | copy: the same answer
///                                                         +--+
/// ```
/// Every request is answered while it is handled, so only Completed needs memory, and of the answer only its code:
/// all else follows from the copy. On a reliable transport timer J is zero, there are no copies, and nothing is kept.
/// The oldest are forgotten when there are more than [`CAPACITY`].
#[derive(Debug)]
pub(crate) struct AnsweredRequests {
    codes: HashMap<Arc<str>, u16>,
    /// In the order of their end, as all last equally long.
    order: VecDeque<(Instant, Arc<str>)>,
    lifetime: Duration,
    capacity: usize,
}

/// How many answered requests are remembered.
const CAPACITY: usize = 131_072;

impl AnsweredRequests {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { codes: HashMap::new(), order: VecDeque::new(), lifetime, capacity: CAPACITY }
    }

    /// The code that this request was answered with before.
    pub(crate) fn answered(&self, request: &Message) -> Option<u16> {
        self.codes.get(key(request).as_str()).copied()
    }

    pub(crate) fn remember(&mut self, now: Instant, request: &Message, code: u16) {
        let key: Arc<str> = key(request).into();
        if self.codes.insert(Arc::clone(&key), code).is_none() {
            self.order.push_back((now + self.lifetime, key));
        }
        if self.order.len() > self.capacity {
            self.forget_oldest();
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_oldest();
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.order.front().map(|(until, _)| *until)
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.codes.remove(&key);
        }
    }
}

/// What two copies of a request have in common (RFC 3261 section 17.2.3): branch, sent-by and method when the branch
/// is one of RFC 3261, otherwise what RFC 2543 compares. An ACK is never asked for.
fn key(request: &Message) -> String {
    let method = request.method().map_or("", |method| method.as_str());
    let via = request.values("Via").next().unwrap_or_default();
    let parsed = request.top_via();
    let branch = parsed.and_then(|via| via.branch()).filter(|branch| branch.starts_with(MAGIC));
    match (branch, parsed) {
        (Some(branch), Some(parsed)) => {
            format!("{branch} {}:{} {method}", parsed.host, parsed.port.unwrap_or_default())
        }
        _ => {
            let tag = |tag: Option<&str>| tag.unwrap_or_default().to_owned();
            let (number, _) = request.cseq().unwrap_or_default();
            format!(
                "{} {} {} {} {number} {method} {via}",
                request.request_uri().unwrap_or_default(),
                tag(request.to().and_then(|to| to.tag())),
                tag(request.from().and_then(|from| from.tag())),
                request.call_id(),
            )
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test begins now")]
mod tests {
    use super::*;
    use crate::Limits;

    fn request(via: &str, cseq: u32) -> Message {
        let text = format!(
            "NOTIFY sip:app@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: {cseq} NOTIFY\r\n\r\n"
        );
        Message::parse(text.into(), &Limits::default()).expect("a message")
    }

    #[test]
    fn a_copy_is_known_by_branch_and_sender_until_timer_j() {
        let now = Instant::now();
        let mut answered = AnsweredRequests::new(Duration::from_secs(32));
        answered.remember(now, &request("192.0.2.9:5060;branch=z9hG4bK1", 1), 481);
        assert_eq!(answered.answered(&request("192.0.2.9:5060;branch=z9hG4bK1;rport=7", 1)), Some(481));
        assert_eq!(answered.answered(&request("192.0.2.8:5060;branch=z9hG4bK1", 1)), None);
        assert_eq!(answered.answered(&request("192.0.2.9:5060;branch=z9hG4bK2", 1)), None);
        answered.handle_timeout(now + Duration::from_secs(31));
        assert_eq!(answered.len(), 1);
        answered.handle_timeout(now + Duration::from_secs(32));
        assert_eq!((answered.len(), answered.poll_timeout()), (0, None));
    }

    #[test]
    fn a_request_of_rfc_2543_is_known_without_a_branch() {
        let now = Instant::now();
        let mut answered = AnsweredRequests::new(Duration::from_secs(32));
        answered.remember(now, &request("192.0.2.9:5060", 1), 200);
        assert_eq!(answered.answered(&request("192.0.2.9:5060", 1)), Some(200));
        assert_eq!(answered.answered(&request("192.0.2.9:5060", 2)), None);
        assert_eq!(answered.answered(&request("192.0.2.9:5060;branch=7", 1)), None);
    }

    #[test]
    fn the_memory_of_answered_requests_is_bounded() {
        let now = Instant::now();
        let mut answered = AnsweredRequests { capacity: 100, ..AnsweredRequests::new(Duration::from_secs(32)) };
        for number in 0..110 {
            answered.remember(now, &request("192.0.2.9:5060", number), 200);
        }
        assert_eq!((answered.len(), answered.codes.len()), (100, 100));
        assert_eq!(answered.answered(&request("192.0.2.9:5060", 9)), None);
        assert_eq!(answered.answered(&request("192.0.2.9:5060", 10)), Some(200));
    }
}

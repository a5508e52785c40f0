//! What the server says about agents when it is asked once: a list with `Expires: 0` outside of the standing dialogs,
//! which makes nobody a watcher (MS-PRES; UCMA calls it a query).

use std::time::{Duration, Instant};

use presence_core::{AgentUri, Attempt, Status};

use super::SkypeSubscriber;
use super::body::{Reading, network};
use super::dialog::{Dialog, Exchange, Kind, Wording};
use super::member::{Errand, Hold, MemberKey, Route, Wish};
use super::requests::{self, Content};
use crate::documents::{AgentCategories, BatchAction, BatchActionName, write_batch_subscribe};
use crate::flow::FlowId;
use crate::identity::Identifier;
use crate::message::Message;
use crate::peer::{self, Refused};
use crate::subscriber::SubscriberEffect;
use crate::transaction::{Answer, ClientTransaction, Due};

/// More agents than this do not wait to be asked for, and more questions than this are not open at a time.
const MOST: usize = 256;

/// An agent that is asked for.
type Asked = (AgentUri, Attempt);

/// One question: a dialog that is over with the first documents.
#[derive(Debug)]
struct Query {
    dialog: Dialog,
    asked: Vec<Asked>,
    /// When nothing more is waited for.
    until: Instant,
}

/// Who waits for a moment of gathering, and the questions on their way. There are few: they are searched one by one.
#[derive(Debug, Default)]
pub(super) struct Queries {
    waiting: Vec<Asked>,
    open: Vec<Query>,
}

impl Queries {
    pub(super) const fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let transaction = |query: &Query| query.dialog.exchange.as_ref().and_then(|it| it.transaction.poll_timeout());
        self.open.iter().map(|query| transaction(query).map_or(query.until, |at| at.min(query.until))).min()
    }

    fn by_call(&self, message: &Message) -> Option<usize> {
        if self.open.is_empty() {
            return None;
        }
        let call_id = Identifier::read(message.call_id())?;
        self.open.iter().position(|query| query.dialog.call_id == call_id)
    }

    /// Nobody waits any more for what is said about this agent.
    fn forget(&mut self, uri: &AgentUri) {
        self.waiting.retain(|(known, _)| known != uri);
        self.open.iter_mut().for_each(|query| query.asked.retain(|(known, _)| known != uri));
    }
}

impl SkypeSubscriber {
    /// The agent is asked for at the next moment of gathering, behind everything else.
    pub(super) fn ask_once(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        self.queries.forget(uri);
        let can =
            self.queries.waiting.len() < MOST && self.departure.is_none() && self.place_of(uri, attempt).is_some();
        if !can {
            return self.not_queried(uri.clone(), attempt);
        }
        self.queries.waiting.push((uri.clone(), attempt));
        self.arm_flush(now);
    }

    /// Where an agent is to be asked for: where it is subscribed, which must be settled.
    fn place_of(&mut self, uri: &AgentUri, attempt: Attempt) -> Option<(MemberKey, Route)> {
        let key = self.member(uri, attempt)?;
        let member = self.members.get(key)?;
        let stands = member.errand == Errand::None && member.wish == Wish::Keep && matches!(member.hold, Hold::In(_));
        stands.then_some((key, member.route))
    }

    /// Nobody else waits: as many of those who are to be asked for as there is room. How many.
    pub(super) fn send_queries(&mut self, now: Instant, room: usize) -> usize {
        let most = room.min(self.config.chunk);
        let mut waiting = std::mem::take(&mut self.queries.waiting);
        self.queries.waiting = waiting.split_off(most.min(waiting.len()));
        let mut sent = 0;
        let mut lists: Vec<(super::member::BatchId, Vec<Asked>)> = Vec::new();
        for (uri, attempt) in waiting {
            let place = self.place_of(&uri, attempt).filter(|_| self.queries.open.len() < MOST);
            match place {
                None => self.not_queried(uri, attempt),
                Some((key, Route::Single)) => {
                    sent += 1;
                    let target = uri.as_str().into();
                    self.send_query(now, Kind::Single(key), target, Wording::default(), vec![(uri, attempt)]);
                }
                Some((_, Route::Batch(batch))) => match lists.iter_mut().find(|(known, _)| *known == batch) {
                    Some((_, list)) => list.push((uri, attempt)),
                    None => lists.push((batch, vec![(uri, attempt)])),
                },
            }
        }
        for (batch, list) in lists {
            let held = |until: Instant| until > now;
            let found = self.batch(batch).filter(|batch| !batch.held_until.is_some_and(held));
            match found.map(|batch| batch.wording) {
                Some(wording) => {
                    sent += list.len();
                    self.send_query(now, Kind::Poll(batch), self.target_of(batch), wording, list);
                }
                None => list.into_iter().for_each(|(uri, attempt)| self.not_queried(uri, attempt)),
            }
        }
        sent
    }

    fn send_query(&mut self, now: Instant, kind: Kind, target: Box<str>, wording: Wording, asked: Vec<Asked>) {
        let (call_id, tag) = (Identifier::fresh(&mut self.entropy), Identifier::fresh(&mut self.entropy));
        let dialog = Dialog::new(kind, target, wording, call_id, tag);
        let until = now + self.config.timers.notify_timeout();
        self.queries.open.push(Query { dialog, asked, until });
        self.put_question(now, self.queries.open.len() - 1, 0);
    }

    fn put_question(&mut self, now: Instant, at: usize, challenges: u8) {
        let contact = self.registration.gruu().unwrap_or(&self.config.contact);
        let Some(Query { dialog, asked, .. }) = self.queries.open.get_mut(at) else { return };
        let branch = Identifier::fresh(&mut self.entropy);
        dialog.local_cseq += 1;
        let way = dialog.way();
        let credentials = match &mut self.digest {
            Some(digest) => digest.authorize("SUBSCRIBE", &way.0, &mut *self.entropy),
            None => Vec::new(),
        };
        self.actions = self.actions.wrapping_add(1);
        let resources: Vec<AgentUri> = asked.iter().map(|(uri, _)| uri.clone()).collect();
        let action = BatchAction { name: BatchActionName::Subscribe, id: self.actions, resources: &resources };
        let list = Some(write_batch_subscribe(&self.config.endpoint, &[action]));
        let content = Content { expires: Some(Duration::ZERO), list };
        let request = requests::subscribe(&self.config, contact, dialog, way, branch, content, credentials);
        let Ok(bytes) = request.to_bytes() else { return self.end_query(at) };
        let (timers, reliable) = (&self.config.timers, self.config.transport.reliable());
        let timeout = timers.request_timeout();
        let transaction = ClientTransaction::start(now, branch, "SUBSCRIBE", bytes.clone(), reliable, timers, timeout);
        dialog.exchange = Some(Box::new(Exchange { transaction, entries: Vec::new(), closes: false, challenges }));
        self.subscribes += 1;
        self.transmit(now, FlowId::PRIMARY, bytes);
    }

    /// True when the response belonged to a question.
    pub(super) fn query_answer(&mut self, now: Instant, response: &Message) -> bool {
        let (Some(status), Some(at)) = (response.status(), self.queries.by_call(response)) else { return false };
        let (timers, reliable) = (&self.config.timers, self.config.transport.reliable());
        let exchange = self.queries.open.get_mut(at).and_then(|query| query.dialog.exchange.as_mut());
        let Some(exchange) = exchange.filter(|exchange| exchange.transaction.matches(response)) else { return false };
        let challenges = exchange.challenges;
        if exchange.transaction.receive(now, status, reliable, timers) != Answer::Final {
            return true;
        }
        match status {
            200..=299 => {
                if let Some(query) = self.queries.open.get_mut(at) {
                    query.dialog.learn(response);
                }
                // Without documents they follow in a notification.
                self.take_answer(at, response);
            }
            401 | 407 if self.may_answer(response, challenges) => self.put_question(now, at, challenges + 1),
            _ => {
                self.end_query(at);
                if status == 480 {
                    self.doubt_registration(now);
                }
            }
        }
        true
    }

    /// What a NOTIFY or BENOTIFY says to a question; `None` when it belongs to none.
    pub(super) fn query_notified(&mut self, request: &Message) -> Option<Result<(), Refused>> {
        let at = self.queries.by_call(request)?;
        let dialog = &self.queries.open.get(at)?.dialog;
        let checked = peer::presence_event(request)
            .and_then(|_| peer::check_dialog(request, dialog.local_tag, dialog.remote_tag.as_deref()));
        if checked.is_ok() {
            self.notifies += 1;
            self.take_answer(at, request);
        }
        Some(checked)
    }

    /// The documents of a question, if they are in this message.
    fn take_answer(&mut self, at: usize, message: &Message) {
        let Some(reading) = Reading::of(message, &self.limits) else { return };
        let network = network(message);
        let Query { dialog, asked, .. } = self.queries.open.swap_remove(at);
        let single = matches!(dialog.kind, Kind::Single(_));
        for (uri, attempt) in asked {
            let mut categories = AgentCategories::default();
            let mut said = false;
            for (whose, document) in &reading.documents {
                if whose.as_ref().map_or(single, |whose| *whose == uri) {
                    categories.apply(document);
                    said = true;
                }
            }
            let status = said.then(|| categories.status(network));
            self.queried(uri, attempt, status);
        }
    }

    /// Copies of questions, and those that nobody has answered in time.
    pub(super) fn queries_due(&mut self, now: Instant) {
        let mut at = 0;
        while let Some(query) = self.queries.open.get_mut(at) {
            if query.until <= now {
                self.end_query(at);
                continue;
            }
            at += 1;
            let Some(exchange) = query.dialog.exchange.as_mut() else { continue };
            match exchange.transaction.handle_timeout(now, &self.config.timers) {
                Due::Resend(bytes) => {
                    self.retransmissions += 1;
                    self.transmit(now, FlowId::PRIMARY, bytes);
                }
                Due::TimedOut => query.dialog.exchange = None,
                Due::Nothing if exchange.transaction.poll_timeout().is_none() => query.dialog.exchange = None,
                Due::Nothing => {}
            }
        }
    }

    /// Nobody can be asked now, or will answer.
    pub(super) fn queries_lost(&mut self) {
        self.queries_put_off();
        while !self.queries.open.is_empty() {
            self.end_query(0);
        }
    }

    /// Nobody can be asked now.
    pub(super) fn queries_put_off(&mut self) {
        for (uri, attempt) in std::mem::take(&mut self.queries.waiting) {
            self.not_queried(uri, attempt);
        }
    }

    fn end_query(&mut self, at: usize) {
        for (uri, attempt) in self.queries.open.swap_remove(at).asked {
            self.queried(uri, attempt, None);
        }
    }

    fn not_queried(&mut self, uri: AgentUri, attempt: Attempt) {
        self.effects.push_back(SubscriberEffect::NotQueried { uri, attempt });
    }

    fn queried(&mut self, uri: AgentUri, attempt: Attempt, status: Option<Status>) {
        self.effects.push_back(SubscriberEffect::Queried { uri, attempt, status });
    }
}

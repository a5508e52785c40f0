//! The client that a UCC holds, and the way its events take.
//!
//! An event goes straight into the UCC actor's mailbox while that has room. When it is full, events wait in an outbox
//! that a task empties at the UCC's own pace; when the outbox is full too, the UCC has lagged: what waits collapses to
//! the present value of each agent concerned. An agent never waits for a UCC, and one UCC never delays another.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::dev::SendError;
use actix::{Addr, Recipient};
use presence_core::log_text::{EventLine, SubscribeLine};
use presence_core::{AgentUri, Change, SourceKind};
use tokio::sync::Notify;

use crate::messages::{CallEnded, CallStarted, Leave, PresenceEvent, Subscribe, Unsubscribe};
use crate::router::Router;
use crate::views::UccView;

/// How many events wait for a slow UCC, one by one and in order, before it has lagged.
pub const DEFAULT_OUTBOX: usize = 1024;

/// How many waiting events are put into the UCC's mailbox at once, before the next ones wait until these are handled.
/// One at a time, a UCC would fall behind a burst that it has the time to handle.
const HANDED_OVER_AT_ONCE: usize = 1024;

/// How long a UCC that died in silence may go unnoticed.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// Which UCC: a number that is never used again in the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UccId(pub(crate) u32);

/// One UCC, as the agents that it watches know it.
pub(crate) struct UccHandle {
    id: UccId,
    name: Arc<str>,
    recipient: Recipient<PresenceEvent>,
    outbox: Mutex<Outbox>,
    wake: Notify,
    gone: AtomicBool,
}

/// What waits for a UCC whose mailbox is full.
struct Outbox {
    capacity: usize,
    /// True from the first event that found no room until the task has handed over the last one.
    busy: bool,
    waiting: Waiting,
    /// How often the outbox was full.
    lagged: u64,
}

enum Waiting {
    /// Every event, in order.
    InOrder(VecDeque<PresenceEvent>),
    /// The UCC has lagged: the last event of each agent, and how many changes were dropped since it was last told.
    Collapsed { missed: u64, last: BTreeMap<AgentUri, PresenceEvent> },
}

impl Outbox {
    fn push(&mut self, event: PresenceEvent) {
        match &mut self.waiting {
            Waiting::InOrder(queue) if queue.len() < self.capacity => queue.push_back(event),
            Waiting::InOrder(queue) => {
                let mut collapsed = Waiting::Collapsed { missed: 0, last: BTreeMap::new() };
                for earlier in std::mem::take(queue).into_iter().chain([event]) {
                    collapsed.collapse(earlier);
                }
                self.waiting = collapsed;
                self.lagged += 1;
            }
            Waiting::Collapsed { .. } => self.waiting.collapse(event),
        }
    }

    fn pop(&mut self) -> Option<PresenceEvent> {
        match &mut self.waiting {
            Waiting::InOrder(queue) => queue.pop_front(),
            Waiting::Collapsed { missed, .. } if *missed > 0 => {
                Some(PresenceEvent::Lagged { missed: std::mem::take(missed) })
            }
            Waiting::Collapsed { last, .. } => {
                let first = last.pop_first().map(|(_, event)| event);
                if last.is_empty() {
                    self.waiting = Waiting::InOrder(VecDeque::new());
                }
                first
            }
        }
    }
}

impl Waiting {
    /// Keeps `event` as the last one of its agent; what it replaces was missed.
    fn collapse(&mut self, event: PresenceEvent) {
        let Self::Collapsed { missed, last } = self else { return };
        let Some(uri) = event.uri().cloned() else { return };
        match last.get_mut(&uri) {
            None => {
                last.insert(uri, event);
            }
            Some(earlier) => {
                // Who has not yet heard that there is nothing to hear has missed nothing.
                *missed += u64::from(!matches!(earlier, PresenceEvent::Pending { .. }));
                *earlier = match event {
                    PresenceEvent::Changed(change) => {
                        PresenceEvent::Current { uri, presence: Arc::clone(&change.new), sequence: change.sequence }
                    }
                    other => other,
                };
            }
        }
    }
}

impl UccHandle {
    pub(crate) fn new(id: UccId, name: &str, recipient: Recipient<PresenceEvent>, capacity: usize) -> Arc<Self> {
        let outbox =
            Outbox { capacity: capacity.max(1), busy: false, waiting: Waiting::InOrder(VecDeque::new()), lagged: 0 };
        Arc::new(Self {
            id,
            name: name.into(),
            recipient,
            outbox: Mutex::new(outbox),
            wake: Notify::new(),
            gone: AtomicBool::new(false),
        })
    }

    /// How it stands; of its agents and calls others know.
    pub(crate) fn view(&self) -> UccView {
        let outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = match &outbox.waiting {
            Waiting::InOrder(queue) => queue.len(),
            Waiting::Collapsed { last, .. } => last.len(),
        };
        let (id, name, lagged) = (self.id, Arc::clone(&self.name), outbox.lagged);
        UccView { id, name, agents: 0, calls: 0, waiting, lagged }
    }

    pub(crate) const fn id(&self) -> UccId {
        self.id
    }

    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// True once the UCC's actor is no more.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// The UCC has left: nothing more goes to it, and its task ends.
    pub(crate) fn retire(&self) {
        self.gone.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Hands an event over, or has it wait; never blocks. False when the UCC is gone.
    pub(crate) fn post(&self, event: PresenceEvent) -> bool {
        if self.is_gone() {
            return false;
        }
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        let event = if outbox.busy {
            event
        } else {
            match self.recipient.try_send(event) {
                Ok(()) => return true,
                Err(SendError::Full(event)) => event,
                Err(SendError::Closed(_)) => {
                    self.retire();
                    return false;
                }
            }
        };
        outbox.busy = true;
        outbox.push(event);
        drop(outbox);
        self.wake.notify_one();
        true
    }

    /// Hands over what waits, at the UCC's pace, until the UCC is gone.
    pub(crate) async fn deliver(self: Arc<Self>, router: Addr<Router>) {
        let mut events = Vec::new();
        loop {
            self.take_waiting(&mut events);
            let Some(last) = events.pop() else {
                if self.is_gone() || !self.recipient.connected() {
                    break;
                }
                // A UCC that dies while nothing is to be said to it is noticed all the same: its calls are released.
                let _nothing_woke_it = tokio::time::timeout(SIGN_OF_LIFE, self.wake.notified()).await;
                continue;
            };
            if self.is_gone() {
                break;
            }
            // The mailbox takes these whatever its capacity; the last one comes back when all of them have been handled.
            for event in events.drain(..) {
                self.recipient.do_send(event);
            }
            if self.recipient.send(last).await.is_err_and(|error| matches!(error, actix::MailboxError::Closed))
                && !self.recipient.connected()
            {
                break;
            }
        }
        self.gone.store(true, Ordering::Relaxed);
        tracing::info!(logger = %self.name, "the UCC is gone; what only it watched is let go");
        router.do_send(Leave { ucc: self.id });
    }

    /// Moves what is to be handed over next out of the outbox, in order.
    fn take_waiting(&self, events: &mut Vec<PresenceEvent>) {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        while events.len() < HANDED_OVER_AT_ONCE
            && let Some(event) = outbox.pop()
        {
            if let PresenceEvent::Lagged { missed } = event {
                tracing::warn!(logger = %self.name, missed, "the UCC is too slow for its presence changes; some were dropped, the present values follow");
            }
            events.push(event);
        }
        outbox.busy = !events.is_empty();
    }

    /// Hands a change over, with its line in the log.
    pub(crate) fn publish(&self, change: &Arc<Change>, line: Option<&str>) -> bool {
        if let Some(line) = line
            && !self.is_gone()
        {
            tracing::info!(logger = &*self.name, "{line}");
        }
        self.post(PresenceEvent::Changed(Arc::clone(change)))
    }
}

/// The documented line of a presence change, as each UCC receives it (seed, "Logging"). It is made once for all of them,
/// and only if it is wanted.
pub(crate) fn line_of(change: &Change) -> Option<String> {
    (change.changes_status() && tracing::enabled!(tracing::Level::INFO)).then(|| EventLine(change).to_string())
}

impl fmt::Debug for UccHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UCC {} ({})", self.name, self.id.0)
    }
}

/// What a UCC actor holds to say whose presence it wants and which calls it has.
///
/// Dropping it ends everything that the UCC wanted; so does the end of the UCC's actor.
pub struct UccClient {
    handle: Arc<UccHandle>,
    router: Addr<Router>,
}

impl UccClient {
    pub(crate) const fn new(handle: Arc<UccHandle>, router: Addr<Router>) -> Self {
        Self { handle, router }
    }

    /// The name of the UCC.
    #[must_use]
    pub fn name(&self) -> &str {
        self.handle.name()
    }

    /// Wants an agent. The first event of the agent is its present value, or an explicit pending, or why no source
    /// serves it; then every change follows, in order. Wanting an agent again answers with its present value again.
    pub fn subscribe(&self, uri: AgentUri) {
        tracing::info!(logger = %self.handle.name, "{}", SubscribeLine(&uri));
        self.router.do_send(Subscribe { ucc: Arc::clone(&self.handle), uri });
    }

    /// No longer wants an agent.
    pub fn unsubscribe(&self, uri: &AgentUri) {
        self.router.do_send(Unsubscribe { ucc: self.handle.id, uri: uri.clone() });
    }

    /// Says that a call with a PSTN agent began. A call that is said twice counts once.
    pub fn call_started(&self, line: &AgentUri, call: &str) {
        self.router.do_send(CallStarted { ucc: Arc::clone(&self.handle), line: line.clone(), call: call.into() });
    }

    /// Says that a call with a PSTN agent ended.
    pub fn call_ended(&self, line: &AgentUri, call: &str) {
        self.router.do_send(CallEnded { ucc: self.handle.id, line: line.clone(), call: call.into() });
    }
}

impl Drop for UccClient {
    fn drop(&mut self) {
        self.router.do_send(Leave { ucc: self.handle.id });
    }
}

/// The source that serves an agent, for a log line.
pub(crate) fn log_source(ucc: &UccHandle, uri: &AgentUri, source: SourceKind) {
    tracing::debug!(logger = %ucc.name, uri = %uri, source = %source, "source chosen");
}

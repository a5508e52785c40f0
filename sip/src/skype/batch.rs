//! What is known of a server that takes batches, whatever becomes of a dialog with it.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use presence_core::AgentUri;

use super::SkypeSubscriber;
use super::dialog::{DialogKey, Wording};
use super::member::{BatchId, HOME, MemberKey};
use crate::message::is_request_uri;

/// The most servers that batches are sent to; a forest has a handful of pools.
const MOST_BATCHES: usize = 64;

/// How long a batch is held back after its first refusal; twice as long each further time.
const HOLD_BACK: Duration = Duration::from_secs(5);

/// The longest a batch is held back.
const LONGEST_HOLD_BACK: Duration = Duration::from_secs(60);

/// So many culprits in a row, with nobody accepted in between, are no culprits: the server takes nobody.
const CULPRITS: u32 = 3;

/// The most agents that are remembered as doubtful.
const MOST_DOUBTFUL: usize = 64;

/// A part of a message that was refused, to be sent again by itself.
#[derive(Debug)]
pub(super) struct Repair {
    pub(super) keys: Vec<MemberKey>,
    /// Whether the message was a question without a dialog.
    pub(super) poll: bool,
}

/// The agents of one server and the dialog with it.
#[derive(Debug)]
pub(super) struct Batch {
    /// The server's URI; none for the own home server, which is asked under our own name.
    pub(super) target: Option<Box<str>>,
    pub(super) dialog: Option<DialogKey>,
    /// The last dialog that we ended there: nothing new begins before the server has let it go, as it holds one list only.
    pub(super) ending: Option<DialogKey>,
    /// Who waits for the dialog.
    pub(super) line: BTreeMap<i64, MemberKey>,
    /// Who waits for a question without a dialog.
    pub(super) polls: BTreeMap<i64, MemberKey>,
    /// What goes before both.
    pub(super) repairs: VecDeque<Repair>,
    /// The question on its way.
    pub(super) polling: Option<DialogKey>,
    /// The most agents in one message.
    pub(super) chunk: usize,
    pub(super) wording: Wording,
    /// When its dialog was lost last.
    pub(super) lost_at: Option<Instant>,
    /// Refusals in a row.
    failures: u32,
    pub(super) held_until: Option<Instant>,
    /// Agents refused with 400 by themselves, since the server last accepted anybody.
    culprits: u32,
    /// Who was refused so while the server took nobody: those are asked for behind all others.
    doubtful: VecDeque<AgentUri>,
    /// A member that is asked for again to see whether the server takes anybody.
    pub(super) witness: Option<MemberKey>,
}

impl Batch {
    pub(super) fn new(target: Option<Box<str>>, chunk: usize) -> Self {
        Self {
            target,
            dialog: None,
            ending: None,
            line: BTreeMap::new(),
            polls: BTreeMap::new(),
            repairs: VecDeque::new(),
            polling: None,
            chunk: chunk.max(1),
            wording: Wording::default(),
            lost_at: None,
            failures: 0,
            held_until: None,
            culprits: 0,
            doubtful: VecDeque::new(),
            witness: None,
        }
    }

    pub(super) fn waits(&self) -> bool {
        !(self.line.is_empty() && self.polls.is_empty() && self.repairs.is_empty())
    }

    /// The server has refused or not answered: it is left alone for a while.
    pub(super) fn hold_back(&mut self, now: Instant) {
        let wait = HOLD_BACK.saturating_mul(1 << self.failures.min(4)).min(LONGEST_HOLD_BACK);
        self.failures = self.failures.saturating_add(1);
        self.held_until = Some(now + wait);
    }

    /// The server has no reason any more to be left alone.
    pub(super) const fn relieve(&mut self) {
        self.failures = 0;
        self.held_until = None;
    }

    /// The server has accepted agents.
    pub(super) fn accepted(&mut self) {
        self.relieve();
        self.culprits = 0;
        self.doubtful.clear();
        self.witness = None;
    }

    /// The server has refused an agent with 400 when it was asked for by itself; true when the agent is to blame.
    pub(super) const fn blame(&mut self) -> bool {
        self.culprits = self.culprits.saturating_add(1);
        self.culprits < CULPRITS
    }

    /// Perhaps this agent is to blame, perhaps the server.
    pub(super) fn doubt(&mut self, uri: AgentUri) {
        if !self.doubts(&uri) {
            self.doubtful.truncate(MOST_DOUBTFUL - 1);
            self.doubtful.push_front(uri);
        }
    }

    pub(super) fn doubts(&self, uri: &AgentUri) -> bool {
        self.doubtful.contains(uri)
    }

    /// The connection is another one: nothing of the dialog is left, nobody waits, and what a server could not carry before it
    /// may carry now.
    pub(super) fn reset(&mut self, chunk: usize) {
        let (target, wording, culprits) = (self.target.take(), self.wording, self.culprits);
        let doubtful = std::mem::take(&mut self.doubtful);
        *self = Self { wording, culprits, doubtful, ..Self::new(target, chunk) };
    }

    /// Nobody waits any more.
    pub(super) fn forget_waiting(&mut self) {
        self.line.clear();
        self.polls.clear();
        self.repairs.clear();
    }

    fn is_idle(&self) -> bool {
        self.dialog.is_none() && self.polling.is_none() && !self.waits()
    }
}

impl SkypeSubscriber {
    pub(super) fn batch(&self, id: BatchId) -> Option<&Batch> {
        self.batches.get(usize::from(id.0))
    }

    pub(super) fn batch_mut(&mut self, id: BatchId) -> Option<&mut Batch> {
        self.batches.get_mut(usize::from(id.0))
    }

    /// The Request-URI of a batch.
    pub(super) fn target_of(&self, id: BatchId) -> Box<str> {
        let pool = self.batch(id).and_then(|batch| batch.target.clone());
        pool.unwrap_or_else(|| self.config.endpoint.as_str().into())
    }

    /// The batch of the server with this URI, as a `poolFqdn` names it; `None` when that is no URI, or there are too many.
    pub(super) fn batch_at(&mut self, pool: &str) -> Option<BatchId> {
        let sip = pool.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sip:"));
        let target = if sip { pool.to_owned() } else { format!("sip:{pool}") };
        if target.len() > 512 || !is_request_uri(&target) {
            return None;
        }
        let same = |batch: &Batch| batch.target.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(&target));
        let at = match self.batches.iter().position(same) {
            Some(at) => at,
            None if self.batches.len() < MOST_BATCHES => {
                self.batches.push(Batch::new(Some(target.into()), self.config.chunk));
                self.batches.len() - 1
            }
            None => {
                let at = self.batches.iter().skip(1).position(Batch::is_idle)? + 1;
                *self.batches.get_mut(at)? = Batch::new(Some(target.into()), self.config.chunk);
                at
            }
        };
        u8::try_from(at).ok().map(BatchId).filter(|id| *id != HOME)
    }
}

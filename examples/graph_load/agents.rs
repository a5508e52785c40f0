//! The queue that hears everything, and what it has heard.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler};
use presence_actors::{PresenceEvent, Provider, Push, Setup, UccClient, now};
use presence_core::{AgentUri, Availability, Freshness, MatchRules, SourceRules, Status};

use crate::DOMAIN;

/// One agent in the ledger.
#[derive(Clone, Copy, Default)]
struct Entry {
    /// It has a fresh value.
    is_known: bool,
    /// It was changed to busy last.
    is_busy: bool,
    /// The change that is not heard yet.
    changed_at: Option<Instant>,
}

/// When agents changed, and how long it took until that was heard.
pub(crate) struct Ledger {
    entries: Mutex<Vec<Entry>>,
    known: AtomicUsize,
    outstanding: AtomicUsize,
    took: Mutex<Vec<Duration>>,
}

impl Ledger {
    pub(crate) fn new(agents: usize) -> Self {
        let entries = Mutex::new(vec![Entry::default(); agents]);
        Self { entries, known: AtomicUsize::new(0), outstanding: AtomicUsize::new(0), took: Mutex::default() }
    }

    /// The agent changes now; true when it becomes busy.
    pub(crate) fn note(&self, agent: usize) -> bool {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = &mut entries[agent];
        entry.is_busy = !entry.is_busy;
        if entry.changed_at.replace(now()).is_none() {
            self.outstanding.fetch_add(1, Ordering::Relaxed);
        }
        entry.is_busy
    }

    /// The queue heard that the agent is busy, or that it is not.
    fn hear(&self, agent: usize, is_busy: bool) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get_mut(agent) else { return };
        if !std::mem::replace(&mut entry.is_known, true) {
            self.known.fetch_add(1, Ordering::Relaxed);
        }
        if entry.is_busy == is_busy
            && let Some(at) = entry.changed_at.take()
        {
            self.outstanding.fetch_sub(1, Ordering::Relaxed);
            self.took.lock().unwrap_or_else(PoisonError::into_inner).push(now().duration_since(at));
        }
    }

    pub(crate) fn known(&self) -> usize {
        self.known.load(Ordering::Relaxed)
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }

    pub(crate) fn heard(&self) -> usize {
        self.took.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// So many thousandths of the changes were heard after so long.
    pub(crate) fn took(&self, thousandths: [usize; 3]) -> [Duration; 3] {
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        took.sort_unstable();
        let last = took.len().saturating_sub(1);
        thousandths.map(|part| took.get(last * part / 1_000).copied().unwrap_or_default())
    }
}

/// A queue that wants all agents.
pub(crate) struct Queue {
    provider: Provider,
    agents: usize,
    ledger: Arc<Ledger>,
    client: Option<UccClient>,
}

impl Queue {
    pub(crate) fn start(provider: &Provider, ledger: &Arc<Ledger>, agents: usize) -> Addr<Self> {
        Self { provider: provider.clone(), agents, ledger: Arc::clone(ledger), client: None }.start()
    }
}

/// The agent with this number, from 0.
fn agent(number: usize) -> AgentUri {
    format!("sip:agent{}@{DOMAIN}", number + 1).parse().expect("it is a URI")
}

fn number(uri: &AgentUri) -> Option<usize> {
    let (user, _) = uri.as_str().strip_prefix("sip:agent")?.split_once('@')?;
    user.parse::<usize>().ok()?.checked_sub(1)
}

impl Actor for Queue {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let client = self.provider.client("load", ctx.address().recipient());
        (0..self.agents).for_each(|number| client.subscribe(agent(number)));
        self.client = Some(client);
    }
}

impl Handler<PresenceEvent> for Queue {
    type Result = ();

    fn handle(&mut self, event: PresenceEvent, _: &mut Self::Context) {
        let (Some(uri), Some(presence)) = (event.uri(), event.presence()) else { return };
        if presence.freshness == Freshness::Fresh
            && let Some(number) = number(uri)
        {
            self.ledger.hear(number, presence.status.availability == Availability::BUSY);
        }
    }
}

/// A provider whose agents are pushed.
pub(crate) fn pushed_setup() -> Setup {
    let attendant = Some(MatchRules::compile(&["."]).expect("it is a pattern"));
    Setup::new(SourceRules { attendant, pstn: false, graph: None, ucma: false }, Vec::new())
}

/// What is pushed of the agent with this number.
pub(crate) fn push(number: usize) -> Push {
    let status = Status::of(Availability::ONLINE);
    Push { uri: agent(number), status, time_to_live: Duration::from_secs(3_600) }
}

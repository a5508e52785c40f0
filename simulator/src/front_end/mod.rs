//! A simulated Skype for Business front end: strict about what it is sent, as varied in what it sends as a real one.

mod answers;
mod apply;
mod batch_body;
mod command;
mod command_text;
mod counters;
mod delivery;
mod dialogs;
mod directory;
mod documents;
mod endpoint_events;
mod faults;
mod in_dialog;
mod notify;
mod pools;
mod publication;
mod registrar;
mod registrations;
mod roaming;
mod schedule;
mod serve;
mod settings;
mod subscribe;
mod transactions;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_core::AgentUri;
use presence_sip::{Message, Method};

use crate::{AgentState, ConnectionId, Dice};
use answers::Refusal;
use counters::{MAX_VIOLATIONS, SlidingSecond};
use delivery::{Connections, HeldBack};
use dialogs::{Dialogs, Kind};
use directory::{AgentIndex, Directory};
use faults::Faults;
use pools::PoolNames;
use registrations::Registrations;
use schedule::{Due, Schedule};
use transactions::Answered;

pub use command::{Command, CommandError, EndpointEvent, RefuseRule};
pub use counters::FrontEndCounters;
pub use settings::{FrontEndSettings, Homed, PoolSettings, Switches};

/// Connections with this number and above are dialled by the front end; the shell numbers those it accepts below.
pub const FIRST_DIALLED: u64 = 1 << 48;

/// What the front end wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrontEndEffect {
    /// Send these bytes, one whole message, over this connection.
    Transmit {
        /// The connection.
        connection: ConnectionId,
        /// One whole message.
        bytes: Bytes,
    },
    /// Close this connection, after what was transmitted before. No [`FrontEnd::connection_lost`] is needed.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Connect to a client's listener and say how it went with [`FrontEnd::dialled`].
    Dial {
        /// The number that the connection has from now on; [`FIRST_DIALLED`] or above.
        connection: ConnectionId,
        /// Host and port of the client's Contact.
        target: String,
    },
    /// Accept connections for this pool from now on, or refuse them.
    Listen {
        /// The pool.
        pool: usize,
        /// Accept.
        open: bool,
    },
}

/// A Skype for Business front end that does not exist, with the pools of its forest, for demos and tests.
///
/// It verifies what it is sent by the ten rules of the published protocol and answers as real ones do; what no client
/// may do is answered and recorded as a violation.
///
/// ```text
///   endpoint:  unknown --REGISTER: 200--> registered --+ REGISTER: 200
///                 ^                         |    ^-----+
///                 +-------------------------+
///                   Expires 0, run out, event told (dialogs are dropped)
///
///   dialog:    none --SUBSCRIBE: 200, categories--> active --+ update, refresh: 200; agent changes: (BE)NOTIFY
///                ^                                   |  ^----+
///                +-----------------------------------+
///                  Expires 0; run out, replaced, forgotten: silently; terminated, NOTIFY answered 481
/// ```
/// Feed it with [`Self::receive`] and orders, wake it with [`Self::handle_timeout`]; after each, drain
/// [`Self::poll_effect`] and ask [`Self::poll_timeout`] last. Connections that were accepted are announced with
/// [`Self::connected`], the end of any with [`Self::connection_lost`]. A dialog outlives its connection: what it has
/// to tell goes where its endpoint is registered.
#[derive(Debug)]
pub struct FrontEnd {
    /// Without agents and endpoints, which are in the directory.
    settings: FrontEndSettings,
    pools: Vec<PoolNames>,
    began: Instant,
    dice: Dice,
    directory: Directory,
    registrations: Registrations,
    dialogs: Dialogs,
    connections: Connections,
    /// Until when a pool accepts no connections.
    closed_until: Vec<Option<Instant>>,
    answered: Answered,
    faults: Faults,
    schedule: Schedule,
    held_back: HeldBack,
    /// Endpoints that lost their registration through no fault of theirs.
    lost: BTreeSet<(Arc<str>, Box<str>)>,
    /// Call-IDs of dialogs that ran out.
    expired: BTreeSet<Box<str>>,
    live: usize,
    second: SlidingSecond,
    counters: FrontEndCounters,
    effects: VecDeque<FrontEndEffect>,
}

impl FrontEnd {
    /// A front end whose agents are all available, and begin to move now if they move at all.
    #[must_use]
    pub fn new(now: Instant, mut settings: FrontEndSettings) -> Self {
        let mut dice = Dice::new(settings.seed);
        let pools = pools::names(&settings);
        let directory = Directory::new(&mut settings);
        let mut schedule = Schedule::default();
        if let Some(mean) = settings.change_interval {
            for agent in (0..).take(directory.agents().len()) {
                schedule.add(now + dice.wait(mean), Due::Move(agent));
            }
        }
        Self {
            closed_until: vec![None; pools.len()],
            settings,
            pools,
            began: now,
            dice,
            directory,
            registrations: Registrations::default(),
            dialogs: Dialogs::default(),
            connections: Connections::default(),
            answered: Answered::default(),
            faults: Faults::default(),
            schedule,
            held_back: HeldBack::default(),
            lost: BTreeSet::new(),
            expired: BTreeSet::new(),
            live: 0,
            second: SlidingSecond::default(),
            counters: FrontEndCounters::default(),
            effects: VecDeque::new(),
        }
    }

    /// A client connected to a pool. One that accepts no connections at present, or does not exist, closes it.
    pub fn connected(&mut self, connection: ConnectionId, pool: usize) {
        if self.closed_until.get(pool).is_none_or(Option::is_some) {
            self.effects.push_back(FrontEndEffect::Close { connection });
            return;
        }
        self.counters.connections += 1;
        self.connections.open.insert(connection, pool);
    }

    /// How it went with a [`FrontEndEffect::Dial`].
    pub fn dialled(&mut self, now: Instant, connection: ConnectionId, ok: bool) {
        self.on_dialled(now, connection, ok);
    }

    /// A connection is gone, accepted or dialled. Registrations and dialogs stay.
    pub fn connection_lost(&mut self, _now: Instant, connection: ConnectionId) {
        self.forget_connection(connection);
    }

    /// Something arrived that was no SIP message.
    pub fn malformed(&mut self) {
        self.counters.malformed += 1;
    }

    /// Takes one message that arrived over a known connection.
    pub fn receive(&mut self, now: Instant, connection: ConnectionId, message: &Message) {
        if !self.connections.open.contains_key(&connection) {
            return;
        }
        let Some(method) = message.method() else {
            return self.on_answer(message);
        };
        let name = if matches!(method, Method::Other(_)) { "other" } else { method.as_str() };
        match self.counters.messages.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(self.counters.messages.insert(name.to_owned(), 1)),
        }
        if message.check().is_err() {
            self.counters.malformed += 1;
            if !matches!(method, Method::Ack | Method::Benotify) {
                self.refuse(now, connection, message, Refusal::of_status(400));
            }
            return;
        }
        if let Some(answer) = self.answered.answer(now, message) {
            self.counters.duplicates += 1;
            return self.transmit(now, connection, answer);
        }
        match method {
            Method::Register => self.on_register(now, connection, message),
            Method::Subscribe => self.on_subscribe(now, connection, message),
            other => self.on_other(now, connection, message, other),
        }
    }

    /// Does everything that is due by now. A spurious call changes nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, due)) = self.schedule.take(now) {
            match due {
                Due::Send(number) => self.release(number),
                Due::Expiry(number) => self.expire(number),
                Due::RegistrationExpiry(number) => self.expire_registration(now, number),
                Due::Reopen(pool) => self.reopen(at, pool),
                Due::Move(agent) => self.move_by_dice(now, agent),
            }
        }
    }

    /// The next thing to do, in order.
    pub fn poll_effect(&mut self) -> Option<FrontEndEffect> {
        self.effects.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.schedule.first()
    }

    /// Moves an agent into a state and tells its watchers; false when there is no such agent. The same state again is
    /// told again.
    pub fn set_presence(&mut self, now: Instant, uri: &AgentUri, state: AgentState) -> bool {
        let Some(agent) = self.directory.find(uri) else { return false };
        self.change(now, agent, state);
        true
    }

    /// The state that an agent is in; `None` when there is no such agent.
    #[must_use]
    pub fn presence(&self, uri: &AgentUri) -> Option<AgentState> {
        self.directory.get(self.directory.find(uri)?).map(|agent| agent.state)
    }

    /// What it has seen and done. Costs a walk over the dialogs: not for every message.
    #[must_use]
    pub fn counters(&self) -> FrontEndCounters {
        let mut counters = self.counters.clone();
        counters.dialogs_now = self.dialogs.len();
        counters.live_now = self.live;
        counters.registered_now = self.registrations.len();
        for dialog in self.dialogs.iter() {
            counters.batch_dialogs_now += usize::from(dialog.kind == Kind::Batch);
            *counters.dialogs.entry((dialog.owner.as_str().to_owned(), dialog.pool)).or_default() += 1;
        }
        counters
    }

    /// How many subscriptions of one agent by one dialog there are.
    #[must_use]
    pub const fn live_subscriptions(&self) -> usize {
        self.live
    }

    /// Who watches an agent: the owner of the endpoint and the pool, once per dialog.
    #[must_use]
    pub fn subscriptions_of(&self, uri: &AgentUri) -> Vec<(AgentUri, usize)> {
        let found = self.directory.find(uri).and_then(|agent| self.directory.get(agent));
        let dialogs =
            found.into_iter().flat_map(|agent| &agent.watchers).filter_map(|number| self.dialogs.get(*number));
        dialogs.map(|dialog| (dialog.owner.clone(), dialog.pool)).collect()
    }

    fn change(&mut self, now: Instant, agent: AgentIndex, state: AgentState) {
        let Some(found) = self.directory.get_mut(agent) else { return };
        let before = std::mem::replace(&mut found.state, state);
        self.tell_watchers(now, agent, before);
    }

    fn move_by_dice(&mut self, now: Instant, agent: AgentIndex) {
        let Some(state) = self.directory.get(agent).map(|found| found.state) else { return };
        let next = state.another(&mut self.dice);
        if let Some(mean) = self.settings.change_interval {
            let wait = self.dice.wait(mean).max(Duration::from_millis(1));
            self.schedule.add(now + wait, Due::Move(agent));
        }
        self.change(now, agent, next);
    }

    /// An answer to a request of ours. Rule 8: a BENOTIFY has none.
    fn on_answer(&mut self, message: &Message) {
        let Some(status) = message.status().filter(|status| *status >= 200) else { return };
        if message.check().is_err() {
            self.counters.malformed += 1;
            return;
        }
        let (_, method) = message.cseq().unwrap_or_default();
        if method == "BENOTIFY" {
            self.violation(8, format_args!("{status} to a BENOTIFY"));
        } else if status < 300 {
            self.counters.notifies_answered += 1;
        } else {
            self.counters.notifies_rejected += 1;
            // The client is the To of a request of ours.
            let tag = message.to().and_then(|to| to.tag()).unwrap_or_default();
            if status == 481
                && let Some(number) = self.dialogs.find(message.call_id(), tag)
            {
                self.drop_dialog(number);
            }
        }
    }

    /// Records what no client may do, by the number of its rule.
    fn violation(&mut self, rule: u8, what: fmt::Arguments<'_>) {
        self.record(format!("rule {rule}: {what}"));
    }

    /// The same for the dialog's own rules (RFC 3261 section 12.2).
    fn violation_in_dialog(&mut self, what: fmt::Arguments<'_>) {
        self.record(format!("dialog: {what}"));
    }

    fn record(&mut self, text: String) {
        self.counters.violation_count += 1;
        if self.counters.violations.len() < MAX_VIOLATIONS {
            self.counters.violations.push(text.chars().filter(|c| !c.is_control()).take(300).collect());
        }
    }
}

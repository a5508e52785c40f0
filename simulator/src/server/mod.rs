//! The pure machine: messages and time in, messages and one deadline out.

mod answers;
mod dialogs;
mod notify;
mod schedule;
mod subscribe;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_core::AgentUri;
use presence_sip::{Message, Method};

use crate::counters::MAX_SUBSCRIBE_TIMES;
use crate::digest::DigestGate;
use crate::faults::FaultPlan;
use crate::{AgentState, Counters, Dice, Faults, Scope, ServerSettings};
use dialogs::Dialogs;
use notify::Pending;
use schedule::{Due, Schedule};

pub use notify::Termination;

/// The longest delay that a fault makes.
const LONGEST_DELAY: Duration = Duration::from_secs(86_400);

/// One connection of the simulated server; over UDP, one peer address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What a connection is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Datagrams: NOTIFYs are sent again until they are answered (RFC 3261 section 17.1.2).
    Udp,
    /// A stream.
    Tcp,
}

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send these bytes over this connection, as one datagram if it is UDP.
    Transmit {
        /// The connection.
        connection: ConnectionId,
        /// One whole message.
        bytes: Bytes,
    },
}

/// Why the machine wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// A delayed message leaves.
    Delayed,
    /// An unanswered NOTIFY over UDP is sent again.
    Retransmission,
    /// A subscription runs out.
    Expiry,
    /// The dice move an agent.
    Move,
}

/// One agent of the simulation.
#[derive(Clone, Debug)]
struct Agent {
    uri: AgentUri,
    state: AgentState,
}

/// A presence server for agents that do not exist (RFC 3856, RFC 6665), for demos and tests.
///
/// ```text
///                 SUBSCRIBE: 200 + NOTIFY active
///   no dialog -----------------------------------> dialog --+ SUBSCRIBE: 200 + NOTIFY active
///       ^                                            |  ^---+ the agent moves: NOTIFY active
///       |  Expires 0, run out, terminate:            |
///       |  NOTIFY terminated; our NOTIFY refused     |
///       +--------------------------------------------+
/// ```
/// Feed it with [`Self::receive`] and the commands, wake it with [`Self::handle_timeout`]; after each, drain
/// [`Self::poll_effect`] and ask [`Self::poll_timeout`] last. Connections are announced with [`Self::connected`] and
/// their end with [`Self::connection_lost`]; a dialog outlives its connection, and the next SUBSCRIBE in it moves it
/// to the connection that it came over. What goes wrong is decided by [`Faults`].
#[derive(Debug)]
pub struct PresenceServer {
    settings: ServerSettings,
    dice: Dice,
    agents: Vec<Agent>,
    index: BTreeMap<Arc<str>, usize>,
    connections: BTreeMap<ConnectionId, Wire>,
    dialogs: Dialogs,
    faults: FaultPlan,
    gate: Option<DigestGate>,
    schedule: Schedule,
    held_back: BTreeMap<u64, (ConnectionId, Bytes)>,
    pending: BTreeMap<u64, Pending>,
    last_number: u64,
    burst_at: u64,
    burst_turn: usize,
    effects: VecDeque<Effect>,
    counters: Counters,
}

impl PresenceServer {
    /// A server whose agents are all available, and begin to move now if they move at all.
    #[must_use]
    pub fn new(now: Instant, settings: ServerSettings) -> Self {
        let mut dice = Dice::new(settings.seed);
        let mut index = BTreeMap::new();
        let mut agents = Vec::new();
        let mut schedule = Schedule::default();
        for uri in &settings.agents {
            if index.contains_key(uri.as_str()) {
                continue;
            }
            index.insert(uri.shared(), agents.len());
            if let Some(mean) = settings.change_interval {
                schedule.add(now + dice.wait(mean), Due::Move(agents.len()));
            }
            agents.push(Agent { uri: uri.clone(), state: AgentState::default() });
        }
        let gate = settings.digest.clone().map(DigestGate::new);
        Self {
            settings,
            dice,
            agents,
            index,
            connections: BTreeMap::new(),
            dialogs: Dialogs::default(),
            faults: FaultPlan::default(),
            gate,
            schedule,
            held_back: BTreeMap::new(),
            pending: BTreeMap::new(),
            last_number: 0,
            burst_at: 0,
            burst_turn: 0,
            effects: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// A peer connected, or was heard for the first time over UDP.
    pub fn connected(&mut self, connection: ConnectionId, wire: Wire) {
        self.counters.connections += 1;
        self.connections.insert(connection, wire);
    }

    /// A connection is gone. Its dialogs stay until they run out.
    pub fn connection_lost(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
        self.pending.retain(|_, pending| pending.connection != connection);
    }

    /// Something arrived that was no SIP message.
    pub fn malformed(&mut self) {
        self.counters.malformed += 1;
    }

    /// Takes one message that arrived over an announced connection.
    pub fn receive(&mut self, now: Instant, connection: ConnectionId, message: &Message) {
        if !self.connections.contains_key(&connection) {
            return;
        }
        if message.status().is_some() {
            self.on_answer(message);
            return;
        }
        if let Err(refusal) = message.check() {
            self.counters.malformed += 1;
            self.refuse(now, connection, message, refusal.status, &[]);
            return;
        }
        match message.method() {
            Some(Method::Subscribe) => self.on_subscribe(now, connection, message),
            Some(Method::Options) => self.on_options(now, connection, message),
            // Nothing that this server starts is acknowledged.
            Some(Method::Ack) | None => {}
            Some(_) => self.refuse(now, connection, message, 405, &[("Allow", answers::ALLOW)]),
        }
    }

    /// Does everything that is due by now. A spurious call changes nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(due) = self.schedule.take(now) {
            match due {
                Due::Send(number) => {
                    if let Some((connection, bytes)) = self.held_back.remove(&number) {
                        self.transmit(connection, bytes);
                    }
                }
                Due::Retransmit(number) => self.retransmit(now, number),
                Due::Expiry(number) => self.expire(now, number),
                Due::Move(agent) => self.move_by_dice(now, agent),
            }
        }
    }

    /// The next thing to do, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`Self::handle_timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Deadline)> {
        let (at, due) = self.schedule.first()?;
        let why = match due {
            Due::Send(_) => Deadline::Delayed,
            Due::Retransmit(_) => Deadline::Retransmission,
            Due::Expiry(_) => Deadline::Expiry,
            Due::Move(_) => Deadline::Move,
        };
        Some((at, why))
    }

    /// Moves an agent into a state and tells its subscribers; false when there is no such agent. The same state again
    /// is told again, as a publication that repeats itself would be.
    pub fn set_presence(&mut self, now: Instant, uri: &AgentUri, state: AgentState) -> bool {
        let Some(agent) = self.index.get(uri.as_str()).copied() else {
            return false;
        };
        self.agents[agent].state = state;
        self.notify_agent(now, agent);
        true
    }

    /// The state that an agent is in; `None` when there is no such agent.
    #[must_use]
    pub fn presence(&self, uri: &AgentUri) -> Option<AgentState> {
        self.index.get(uri.as_str()).map(|agent| self.agents[*agent].state)
    }

    /// Ends the subscriptions of one agent, or of all agents, with NOTIFY `terminated`; says how many there were.
    pub fn terminate(&mut self, now: Instant, uri: Option<&AgentUri>, termination: &Termination) -> usize {
        let numbers = match uri {
            None => self.dialogs.numbers(),
            Some(uri) => self.index.get(uri.as_str()).map_or_else(Vec::new, |agent| self.dialogs.of_agent(*agent)),
        };
        for number in &numbers {
            self.end(now, *number, termination);
        }
        numbers.len()
    }

    /// Forgets every dialog without telling anyone, as a server does that was restarted: refreshes get 481.
    pub fn forget_dialogs(&mut self) -> usize {
        let numbers = self.dialogs.numbers();
        for number in &numbers {
            self.drop_dialog(*number);
        }
        numbers.len()
    }

    /// Says nothing any more, without a sign, of the changes of one agent, or of all: dialogs stay and can be refreshed, and
    /// whoever is subscribed anew is told again. How many dialogs there were.
    pub fn mute(&mut self, uri: Option<&AgentUri>) -> usize {
        let numbers = match uri {
            None => self.dialogs.numbers(),
            Some(uri) => self.index.get(uri.as_str()).map_or_else(Vec::new, |agent| self.dialogs.of_agent(*agent)),
        };
        numbers.iter().filter_map(|number| self.dialogs.get_mut(*number).map(|dialog| dialog.mute = true)).count()
    }

    /// Puts faults in force, from the next message on.
    pub fn faults(&mut self, scope: &Scope, faults: Faults) {
        self.faults.set(scope, faults);
    }

    /// Ends every fault.
    pub fn heal(&mut self) {
        self.faults.heal();
        for number in self.dialogs.numbers() {
            self.dialogs.get_mut(number).into_iter().for_each(|dialog| dialog.mute = false);
        }
    }

    /// What it has seen and done. Costs a copy: not for every message.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters.clone();
        counters.active_subscriptions = self.dialogs.len();
        let by_agent = self.dialogs.agents();
        counters.by_agent = by_agent.map(|(agent, count)| (self.agents[agent].uri.as_str().into(), count)).collect();
        counters
    }

    /// Each subscription that there is: of which agent, and over which connection its NOTIFYs go out. The agents in the order
    /// of the settings.
    pub fn subscriptions(&self) -> impl Iterator<Item = (&AgentUri, ConnectionId)> {
        self.dialogs.connections().map(|(agent, connection)| (&self.agents[agent].uri, connection))
    }

    /// How many dialogs there are.
    #[must_use]
    pub fn active_subscriptions(&self) -> usize {
        self.dialogs.len()
    }

    /// How many NOTIFYs were sent, and how many of them were answered in any way.
    #[must_use]
    pub fn notify_counts(&self) -> (u64, u64) {
        let answered = self.counters.answers + self.counters.rejected_notifies;
        (self.counters.notifies_sent, answered)
    }

    fn move_by_dice(&mut self, now: Instant, agent: usize) {
        self.agents[agent].state = self.agents[agent].state.another(&mut self.dice);
        if let Some(mean) = self.settings.change_interval {
            let wait = self.dice.wait(mean).max(Duration::from_millis(1));
            self.schedule.add(now + wait, Due::Move(agent));
        }
        self.notify_agent(now, agent);
    }

    fn arrived(&mut self, now: Instant) {
        if self.counters.subscribe_times.len() < MAX_SUBSCRIBE_TIMES {
            self.counters.subscribe_times.push(now);
        }
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn transmit(&mut self, connection: ConnectionId, bytes: Bytes) {
        self.effects.push_back(Effect::Transmit { connection, bytes });
    }

    /// Sends now, or later when there is a delay.
    fn send(&mut self, now: Instant, connection: ConnectionId, bytes: Bytes, delay: Duration) {
        if delay.is_zero() {
            self.transmit(connection, bytes);
        } else {
            let number = self.number();
            self.held_back.insert(number, (connection, bytes));
            self.schedule.add(now + delay.min(LONGEST_DELAY), Due::Send(number));
        }
    }
}

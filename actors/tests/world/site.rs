//! The pool: one simulated server of either dialect, and the network between it and our two endpoints.

mod network;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_actors::now;
use presence_actors::transport::memory::{self, MemoryPool};
use presence_core::AgentUri;
use presence_simulator::{
    AgentState, ConnectionId, Faults, FrontEnd, PresenceServer, Refusal, Scope, ServerSettings, Termination,
};
use tokio::sync::{Notify, mpsc};

use crate::forest::{APPLICATION, USER, one_pool};
use crate::journal::Journal;
use crate::support::agent;
use crate::weather::Weather;
use network::{accept, keep_time};

/// Whose connection it is: the application endpoint's or the user endpoint's.
pub(crate) type Side = usize;
pub(crate) const SIDES: usize = 2;

/// A front end that refuses a farewell for two minutes keeps a list that we begin anew.
pub(crate) const MOST_OWED: u32 = 5;
/// How a 503 is marked that was asked for.
const OWED: u32 = 1_099;

/// What the pool speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Simple,
    Skype,
}

pub(crate) enum Machine {
    Simple(Box<PresenceServer>),
    Skype(Box<FrontEnd>),
}

#[derive(Clone)]
pub(crate) struct Site(Rc<Shared>);

struct Line {
    side: Side,
    out: mpsc::UnboundedSender<Bytes>,
}

struct Shared {
    machine: RefCell<Machine>,
    lines: RefCell<BTreeMap<ConnectionId, Line>>,
    next: Cell<u64>,
    online: RefCell<[bool; SIDES]>,
    /// When each side was last connected or cut off.
    disturbed: RefCell<[Instant; SIDES]>,
    /// Until when the pool may hold what endpoints left behind that died.
    died: RefCell<[Instant; SIDES]>,
    weather: RefCell<Weather>,
    journal: Rc<RefCell<Journal>>,
    slow_return: RefCell<Option<SlowReturn>>,
    /// How many 503 a front end still has to give.
    owed: Cell<u32>,
    /// What is wrong with the answers of a pool of the dialect simple to everybody.
    everyone: Cell<Faults>,
    changed: Notify,
}

/// A pool that takes few requests at first: 503 above.
struct SlowReturn {
    begin: Instant,
    from: u64,
    to: u64,
    over: Duration,
    second: (u64, u64),
}

impl SlowReturn {
    fn takes(&mut self, now: Instant) -> bool {
        let gone = now - self.begin;
        let part = (gone.as_secs_f64() / self.over.as_secs_f64()).min(1.0);
        let capacity = self.from + ((self.to - self.from) as f64 * part) as u64;
        if self.second.0 != gone.as_secs() {
            self.second = (gone.as_secs(), 0);
        }
        self.second.1 += 1;
        self.second.1 <= capacity
    }
}

impl Site {
    pub(crate) fn start(
        kind: Kind,
        agents: usize,
        seed: u64,
        expires: Duration,
        journal: Rc<RefCell<Journal>>,
    ) -> Self {
        let machine = match kind {
            Kind::Simple => {
                let agents = (1..=agents).map(agent).collect();
                let settings =
                    ServerSettings { seed, agents, change_interval: None, address: memory::PEER, digest: None };
                let mut server = PresenceServer::new(now(), settings);
                server.faults(&Scope::Everyone, lasting(expires));
                Machine::Simple(Box::new(server))
            }
            Kind::Skype => {
                let mut settings = one_pool(agents);
                settings.seed = seed;
                settings.switches.expires = expires;
                Machine::Skype(Box::new(FrontEnd::new(now(), settings)))
            }
        };
        let site = Self(Rc::new(Shared {
            machine: RefCell::new(machine),
            lines: RefCell::default(),
            next: Cell::new(0),
            online: RefCell::new([true; SIDES]),
            disturbed: RefCell::new([now(); SIDES]),
            died: RefCell::new([now(); SIDES]),
            weather: RefCell::new(Weather::new(seed, agents)),
            journal,
            slow_return: RefCell::new(None),
            owed: Cell::new(0),
            everyone: Cell::new(lasting(expires)),
            changed: Notify::new(),
        }));
        actix_rt::spawn(keep_time(Rc::clone(&site.0)));
        site
    }

    /// Another process of ours dials through this network.
    pub(crate) fn attach(&self, side: Side, network: MemoryPool) {
        actix_rt::spawn(accept(Rc::clone(&self.0), side, network));
    }

    fn with<T>(&self, then: impl FnOnce(&mut Machine, Instant) -> T) -> T {
        let result = then(&mut self.0.machine.borrow_mut(), now());
        self.0.flush();
        self.0.changed.notify_one();
        result
    }

    pub(crate) fn set(&self, number: usize, state: AgentState) {
        self.with(|machine, now| {
            let known = match machine {
                Machine::Simple(server) => server.set_presence(now, &agent(number), state),
                Machine::Skype(front) => front.set_presence(now, &agent(number), state),
            };
            assert!(known);
        });
    }

    pub(crate) fn weather<T>(&self, then: impl FnOnce(&mut Weather) -> T) -> T {
        then(&mut self.0.weather.borrow_mut())
    }

    /// One endpoint's network, or both.
    pub(crate) fn set_online(&self, side: Side, online: bool) {
        self.0.online.borrow_mut()[side] = online;
        self.0.disturbed.borrow_mut()[side] = now();
        if !online {
            self.cut(side);
        }
    }

    /// An endpoint has died with all that it knew: what it held at the pool runs out by itself.
    pub(crate) fn died(&self, side: Side, lasting: Duration) {
        let died = &mut self.0.died.borrow_mut()[side];
        *died = (now() + lasting).max(*died);
    }

    /// Whether somebody is connected there.
    pub(crate) fn is_connected(&self, side: Side) -> bool {
        self.0.lines.borrow().values().any(|line| line.side == side)
    }

    pub(crate) fn is_online(&self, side: Side) -> bool {
        self.0.online.borrow()[side]
    }

    /// Breaks the connections of one endpoint.
    pub(crate) fn cut(&self, side: Side) {
        self.0.disturbed.borrow_mut()[side] = now();
        let all: Vec<_> = self.0.lines.borrow().iter().map(|(id, line)| (*id, line.side)).collect();
        for (connection, _) in all.into_iter().filter(|(_, of)| *of == side) {
            self.0.close(connection);
        }
        self.0.flush();
        self.0.changed.notify_one();
    }

    /// The pool was restarted and knows nothing any more.
    pub(crate) fn forget(&self) {
        self.with(|machine, now| match machine {
            Machine::Simple(server) => {
                server.forget_dialogs();
            }
            Machine::Skype(front) => drop(front.apply(now, &"outage 0 1s forget".parse().unwrap())),
        });
    }

    /// A command of the front end; says whether it was done.
    pub(crate) fn command(&self, line: &str) -> bool {
        let command = line.parse().unwrap_or_else(|error| panic!("{line}: {error:?}"));
        self.with(|machine, now| match machine {
            Machine::Skype(front) => front.apply(now, &command).is_ok(),
            Machine::Simple(_) => false,
        })
    }

    /// Ends an agent's dialogs with a reason; a front end those of an endpoint.
    pub(crate) fn terminate(&self, number: usize, reason: &str) {
        self.with(|machine, now| match machine {
            Machine::Simple(server) => {
                server.terminate(now, Some(&agent(number)), &Termination::because(reason));
            }
            Machine::Skype(front) => {
                let endpoint = if number.is_multiple_of(2) { APPLICATION } else { USER };
                drop(front.apply(now, &format!("terminate {endpoint}").parse().unwrap()));
            }
        });
    }

    /// This agent is refused with this status from now on, or no longer.
    pub(crate) fn refuse(&self, number: usize, code: Option<u16>) {
        let everyone = self.0.everyone.get();
        self.with(|machine, now| match machine {
            Machine::Simple(server) => {
                let faults = code.map_or(everyone, |code| refusing(everyone, Refusal::with(code)));
                server.faults(&Scope::Agent(agent(number)), faults);
            }
            Machine::Skype(front) => {
                let uri = agent(number);
                let line = match code {
                    Some(code) => format!("refuse SUBSCRIBE {code} agent {uri} times 1000000"),
                    None => {
                        self.0.owed.set(0);
                        "heal".to_owned()
                    }
                };
                drop(front.apply(now, &line.parse().unwrap()));
            }
        });
    }

    /// So many requests get 503.
    pub(crate) fn overload(&self, times: u32, retry_after: Option<Duration>) {
        self.with(|machine, now| match machine {
            Machine::Simple(server) => {
                let mut refusal = Refusal::with(503).times(times);
                refusal.retry_after = retry_after;
                server.faults(&Scope::Everyone, refusing(self.0.everyone.get(), refusal));
            }
            Machine::Skype(front) => {
                // Its refusals add up (world 2047): no more of them than are survived without a second list (decision 0019).
                let times = times.min(MOST_OWED.saturating_sub(self.0.owed.get()));
                if times == 0 {
                    return;
                }
                self.0.owed.set(self.0.owed.get() + times);
                let after = retry_after.map_or_else(String::new, |wait| format!(" retry-after {}s", wait.as_secs()));
                let rule = format!("refuse SUBSCRIBE 503{after} diagnostics {OWED} times {times}");
                drop(front.apply(now, &rule.parse().unwrap()));
            }
        });
    }

    pub(crate) fn return_slowly(&self, from: u64, to: u64, over: Duration) {
        if !self.command(&format!("slow-start {from} {to} {}s", over.as_secs())) {
            let begin = now();
            *self.0.slow_return.borrow_mut() = Some(SlowReturn { begin, from, to, over, second: (0, 0) });
        }
    }

    /// Answers leave so late from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        let everyone = Faults { delay, ..self.0.everyone.get() };
        self.0.everyone.set(everyone);
        if !self.command(&format!("delay {}ms", delay.as_millis())) {
            self.with(|machine, _| {
                let Machine::Simple(server) = machine else { return };
                server.faults(&Scope::Everyone, everyone);
            });
        }
    }

    /// Everything is well: with the network, the pool and the weather.
    pub(crate) fn heal(&self) {
        self.weather(Weather::clear);
        *self.0.slow_return.borrow_mut() = None;
        self.0.owed.set(0);
        let everyone = Faults { delay: Duration::ZERO, ..self.0.everyone.get() };
        self.0.everyone.set(everyone);
        self.with(|machine, now| match machine {
            Machine::Simple(server) => {
                server.heal();
                server.faults(&Scope::Everyone, everyone);
            }
            Machine::Skype(front) => drop(front.apply(now, &"heal".parse().unwrap())),
        });
        (0..SIDES).filter(|side| !self.is_online(*side)).for_each(|side| self.set_online(side, true));
    }

    /// Agents with more than one live subscription. A dialog whose connection is gone, or whose endpoint was disturbed less
    /// than `lately` ago, is the one that was left behind.
    pub(crate) fn doubles(&self, agents: usize, lately: Duration) -> Vec<usize> {
        let lines = self.0.lines.borrow();
        let mut live = vec![0_u32; agents + 1];
        match &*self.0.machine.borrow() {
            Machine::Simple(server) => {
                for (uri, _) in server.subscriptions().filter(|(_, at)| lines.contains_key(at)) {
                    live[number_of(uri.as_str()).unwrap()] += 1;
                }
            }
            Machine::Skype(front) => {
                let (disturbed, now) = (*self.0.disturbed.borrow(), now());
                let quiet = [APPLICATION, USER].map(|uri| uri.parse::<AgentUri>().unwrap());
                let died = self.0.died.borrow();
                let is_open = |side: Side| lines.values().any(|line| line.side == side);
                let is_quiet = |side: Side| {
                    is_open(side) && now.saturating_duration_since(disturbed[side]) > lately && now > died[side]
                };
                let quiet = [0, 1].map(|side| (quiet[side].clone(), is_quiet(side)));
                for (number, live) in live.iter_mut().enumerate().skip(1) {
                    for (owner, _) in front.subscriptions_of(&agent(number)) {
                        *live += u32::from(quiet.iter().any(|(uri, quiet)| *quiet && *uri == owner));
                    }
                }
            }
        }
        (1..=agents).filter(|number| live[*number] > 1).collect()
    }

    /// Who is subscribed to an agent.
    pub(crate) fn describe(&self, number: usize) -> String {
        match &*self.0.machine.borrow() {
            Machine::Simple(server) => {
                let all = server.subscriptions().filter(|(uri, _)| **uri == agent(number));
                format!("{:?}", all.map(|(_, connection)| connection).collect::<Vec<_>>())
            }
            Machine::Skype(front) => format!("{:?}", front.subscriptions_of(&agent(number))),
        }
    }

    /// How many subscriptions there are altogether.
    pub(crate) fn live(&self) -> usize {
        match &*self.0.machine.borrow() {
            Machine::Simple(server) => server.active_subscriptions(),
            Machine::Skype(front) => front.live_subscriptions(),
        }
    }

    /// What no client may do, in words; nothing when all is well.
    pub(crate) fn violations(&self, rate: usize) -> Vec<String> {
        match &*self.0.machine.borrow() {
            Machine::Simple(_) => Vec::new(),
            Machine::Skype(front) => {
                let counters = front.counters();
                let most = counters.most_resources_in_a_second;
                let too_many = (most > rate).then(|| format!("{most} agents in a second"));
                counters.violations.into_iter().chain(too_many).collect()
            }
        }
    }
}

fn lasting(expires: Duration) -> Faults {
    Faults { longest_expires: Some(expires), ..Faults::default() }
}

fn refusing(faults: Faults, refusal: Refusal) -> Faults {
    Faults { subscribe: Faults::refusing(refusal).subscribe, ..faults }
}

/// The number in an agent's URI.
pub(crate) fn number_of(uri: &str) -> Option<usize> {
    let rest = uri.strip_prefix("sip:agent")?;
    rest.split('@').next()?.parse().ok()
}

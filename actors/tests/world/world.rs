//! Who lives in the world, and what holds in it at every step.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use presence_actors::{PresenceEvent, now};
use presence_core::{AgentUri, Freshness, Remembered};
use presence_simulator::Dice;

use crate::announced::Announced;
use crate::happenings::Ending;
use crate::journal::Journal;
use crate::life::{self, Truth};
use crate::process::{Process, Settings};
use crate::site::{Kind, SIDES, Site, number_of};
use crate::support::{Ucc, agent, errors, pass, seconds, settle};
use crate::told::Told;

/// Agents that are wanted and do not exist.
pub(crate) const STRANGERS: usize = 2;
/// What happens at one moment is told within this.
const AT_ONCE: Duration = Duration::from_millis(5);

/// How large a world is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) agents: usize,
    pub(crate) uccs: usize,
    pub(crate) hours: u64,
}

/// One UCC, what it was told, and whom it wants.
pub(crate) struct Queue {
    pub(crate) ucc: Ucc,
    pub(crate) told: Told,
    pub(crate) wanted: BTreeSet<AgentUri>,
    /// Until when it may still be telling itself what is long past.
    pub(crate) slow_until: Option<Instant>,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) happenings: usize,
    pub(crate) crashes: usize,
    pub(crate) restarts: usize,
    pub(crate) drills: usize,
    pub(crate) outages: usize,
    pub(crate) told: u64,
    pub(crate) alarms: usize,
    /// The longest time until everybody was true and fresh after all faults had ended, and the bound it had.
    pub(crate) longest: (Duration, Duration),
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) size: Size,
    pub(crate) kind: Kind,
    pub(crate) dice: Dice,
    pub(crate) begin: Instant,
    pub(crate) expires: Duration,
    pub(crate) settings: Settings,
    pub(crate) site: Site,
    pub(crate) journal: Rc<RefCell<Journal>>,
    pub(crate) truth: life::Shared,
    pub(crate) still: Rc<Cell<bool>>,
    pub(crate) process: Option<Process>,
    pub(crate) generation: u64,
    /// What the process before has left.
    pub(crate) left: Option<Remembered>,
    /// Since when agents are subscribed to twice.
    doubled: BTreeMap<usize, Instant>,
    pub(crate) queues: Vec<Queue>,
    /// Agents that the pool does not know at the moment.
    pub(crate) unknown: BTreeSet<usize>,
    pub(crate) ends: BTreeMap<(Instant, u64), Ending>,
    /// What is told may be so old, until then.
    pub(crate) late: Vec<(Instant, Duration)>,
    pub(crate) announced: Announced,
    pub(crate) story: Vec<String>,
    pub(crate) tally: Tally,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let all = std::env::var_os("PRESENCE_STORY").is_some();
            let from = self.story.len().saturating_sub(if all { 100_000 } else { 40 });
            println!("the story of seed {}: ...\n{}", self.seed, self.story[from..].join("\n"));
        }
    }
}

impl World {
    pub(crate) async fn begin(seed: u64, size: Size) -> Self {
        let mut dice = Dice::new(seed);
        let kind = if seed.is_multiple_of(2) { Kind::Simple } else { Kind::Skype };
        let settings = Settings {
            rate: 15,
            first: seconds(10),
            longest: seconds(40 << dice.below(5)),
            max_failures: 3 * u32::try_from(dice.below(2)).unwrap(),
            outbox: 20 + usize::try_from(dice.below(200)).unwrap(),
            endpoints: 1 + usize::try_from(dice.below(2)).unwrap(),
            samples: dice.chance(1, 2).then(|| seconds(1 + dice.below(4))),
        };
        let expires = seconds([900, 1_800, 3_600][usize::try_from(dice.below(3)).unwrap()]);
        let rate = usize::try_from(settings.rate).unwrap();
        let journal = Rc::new(RefCell::new(Journal::new(kind, rate, settings.first, settings.longest)));
        let site = Site::start(kind, size.agents, seed, expires, Rc::clone(&journal));
        let (truth, still) = (Truth::new(size.agents), Rc::<Cell<bool>>::default());
        life::begin(site.clone(), Rc::clone(&truth), size.agents, seed, seconds(2_400), Rc::clone(&still));
        let begin = now();
        let mut world = Self {
            seed,
            size,
            kind,
            dice,
            begin,
            expires,
            settings,
            site,
            journal,
            truth,
            still,
            process: None,
            generation: 0,
            left: None,
            doubled: BTreeMap::new(),
            queues: Vec::new(),
            unknown: BTreeSet::new(),
            ends: BTreeMap::new(),
            late: Vec::new(),
            announced: Announced::default(),
            story: Vec::new(),
            tally: Tally::default(),
        };
        world.tell(format!("{kind:?}, {settings:?}, subscriptions last {expires:?}"));
        world.start().await;
        world
    }

    pub(crate) fn below(&mut self, sides: usize) -> usize {
        usize::try_from(self.dice.below(sides as u64)).unwrap()
    }

    pub(crate) fn tell(&mut self, what: String) {
        let at = now();
        self.journal.borrow_mut().tell(at, &what);
        self.story.push(format!("{:>10.3} {what}", (at - self.begin).as_secs_f64()));
    }

    pub(crate) fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    /// A process starts, and its queues come.
    pub(crate) async fn start(&mut self) {
        self.generation += 1;
        self.journal.borrow_mut().all_forgiven();
        self.journal.borrow_mut().new_life();
        let seed = self.seed.wrapping_mul(1_000).wrapping_add(self.generation);
        self.process = Some(Process::start(&self.site, self.kind, self.settings, seed, self.left.take()).await);
        for number in 0..self.size.uccs {
            let queue = self.come(number).await;
            self.queues.push(queue);
        }
    }

    /// A UCC comes and wants some of the agents.
    pub(crate) async fn come(&mut self, number: usize) -> Queue {
        let part = 10 + self.dice.below(50);
        let mut wanted: BTreeSet<AgentUri> =
            (1..=self.size.agents + STRANGERS).filter(|_| self.dice.chance(part, 100)).map(agent).collect();
        wanted.extend((0..6).filter(|_| self.dice.chance(1, 2)).map(desk));
        wanted.extend((0..6).filter(|_| self.dice.chance(1, 2)).map(line));
        let ucc = self.process().ucc(&format!("ucc{number}")).await;
        for uri in &wanted {
            ucc.subscribe(uri);
            self.wanted_changed(uri);
        }
        Queue { ucc, told: Told::default(), wanted, slow_until: None }
    }

    /// Somebody wants this agent now or not any more: its failures may be forgotten.
    pub(crate) fn wanted_changed(&self, uri: &AgentUri) {
        if let Some(number) = number_of(uri.as_str()) {
            self.journal.borrow_mut().forgiven(number);
        }
    }

    /// Everything that holds at every step.
    pub(crate) async fn look(&mut self) {
        settle().await;
        let now = now();
        self.listen(now);
        self.check_changes(now);
        for alarm in errors::take() {
            self.tally.alarms += 1;
            self.tell(format!("ALARM {alarm}"));
            assert!(self.announced.explain(now, &alarm), "nothing announced this: {alarm}");
        }
        let wrong = self.journal.borrow_mut().take_wrong();
        assert_eq!(wrong, Vec::<String>::new());
        assert_eq!(self.site.violations(usize::try_from(self.settings.rate).unwrap()), Vec::<String>::new());
        self.check_doubles(now);
        // A moment for the news that the connection is gone.
        if (0..SIDES).all(|side| !self.site.is_online(side)) {
            for queue in self.queues.iter().filter(|queue| queue.slow_until.is_none()) {
                assert_eq!(queue.told.anybody_fresh(), None, "nobody stands behind it");
            }
        }
    }

    /// Nobody is subscribed to twice, but for what was left behind.
    fn check_doubles(&mut self, now: Instant) {
        let mut doubles = self.site.doubles(self.size.agents, self.in_turn() + seconds(60));
        // A dialog of which no NOTIFY comes is given up (timer N): it is left behind until its next NOTIFY, or its end.
        let left_behind = self.expires + seconds(60);
        let spoilt = |who: &usize| self.site.weather(|weather| weather.spoilt(*who));
        doubles.retain(|who| spoilt(who).is_none_or(|at| now - at > left_behind));
        self.doubled.retain(|who, _| doubles.contains(who));
        for who in doubles {
            let since = *self.doubled.entry(who).or_insert(now);
            // What is left behind is ended as soon as there is a token.
            assert!(now - since <= self.in_turn(), "agent{who} is subscribed to twice since {:?}", now - since);
        }
    }

    /// All wanted agents one after the other at the rate.
    pub(crate) fn in_turn(&self) -> Duration {
        let all = self.size.agents + STRANGERS;
        Duration::from_secs_f64(all as f64 / f64::from(self.settings.rate)) + seconds(1)
    }

    /// Reads what each queue was told; a value that was told as fresh was true when it was told.
    pub(crate) fn listen(&mut self, now: Instant) {
        let late = self.late.clone();
        let (journal, truth) = (&self.journal, self.truth.borrow());
        let mut wrong = Vec::new();
        for (number, queue) in self.queues.iter_mut().enumerate() {
            for (at, event) in queue.ucc.heard_when() {
                let slow = queue.slow_until.is_some_and(|until| at < until);
                self.tally.told += 1;
                journal.borrow_mut().tell(at, &words(number, &event, self.begin));
                wrong.extend(queue.told.hear(&event).err().map(|error| format!("ucc{number}: {error}")));
                let Some((uri, presence)) = event.uri().zip(event.presence()) else { continue };
                if presence.freshness != Freshness::Fresh || slow {
                    continue;
                }
                let Some(who) = number_of(uri.as_str()).filter(|who| *who <= self.size.agents) else { continue };
                let told = presence.status.availability;
                let from = at.checked_sub(slack(&late, at)).unwrap_or(self.begin);
                if !truth.was(who, from, at, |state| state.availability() == told)
                    && !self.site.weather(|weather| weather.was_in_doubt(who, at))
                {
                    let (truth, at_pool) = (truth.story(who, at), self.site.describe(who));
                    wrong.push(format!("ucc{number} was told that {uri} is {told:?}: {truth}; at the pool {at_pool}"));
                }
            }
            queue.told.keep(&queue.wanted);
            queue.slow_until = queue.slow_until.filter(|until| now < *until);
            // A first answer comes at once.
            if queue.slow_until.is_none() {
                let silent = queue.wanted.iter().find(|uri| queue.told.of(uri).is_none());
                wrong.extend(silent.map(|uri| format!("ucc{number} has heard nothing of {uri}")));
            }
        }
        drop(truth);
        if !wrong.is_empty() {
            wrong.iter().take(5).for_each(|line| self.tell(line.clone()));
        }
        assert_eq!(wrong, Vec::<String>::new());
    }

    /// Who believes something fresh of an agent that has changed believes the change by now.
    fn check_changes(&mut self, now: Instant) {
        let changed = std::mem::take(&mut self.truth.borrow_mut().changed);
        let from = now.checked_sub(slack(&self.late, now)).unwrap_or(self.begin);
        let truth = self.truth.borrow();
        for who in changed {
            if self.site.weather(|weather| weather.doubt(who)).is_some() {
                continue;
            }
            let uri = agent(who);
            for (number, queue) in self.queues.iter().enumerate() {
                if queue.slow_until.is_some() || !queue.wanted.contains(&uri) {
                    continue;
                }
                let Some(fresh) = queue.told.fresh(&uri) else { continue };
                let told = fresh.status.availability;
                assert!(
                    truth.was(who, from, now, |state| state.availability() == told),
                    "ucc{number} believes that {uri} is {told:?}: {}; at the pool {}",
                    truth.story(who, now),
                    self.site.describe(who)
                );
            }
        }
    }

    /// Wanted agents that are not known as they are.
    pub(crate) fn unwell(&self) -> BTreeSet<usize> {
        let truth = self.truth.borrow();
        let mut unwell = BTreeSet::new();
        for queue in &self.queues {
            for uri in &queue.wanted {
                let Some(who) = number_of(uri.as_str()).filter(|who| *who <= self.size.agents) else { continue };
                let told = queue.told.fresh(uri).map(|fresh| fresh.status.availability);
                if told != Some(truth.of(who).availability()) {
                    unwell.insert(who);
                }
            }
        }
        unwell
    }

    pub(crate) async fn live(mut self) -> (u64, Tally, Rc<RefCell<Journal>>) {
        let end = self.begin + seconds(self.size.hours * 3_600);
        while now() < end {
            let storm = now() + seconds(3_000);
            while now() < storm {
                let next = now() + self.dice.wait(seconds(100));
                self.until(next).await;
                self.something_happens().await;
                for wait in [0, 3, 20] {
                    let next = now() + seconds(wait);
                    self.until(next).await;
                    self.look().await;
                }
            }
            self.calm().await;
        }
        self.leave().await;
        let hash = self.journal.borrow().hash();
        (hash, std::mem::take(&mut self.tally), Rc::clone(&self.journal))
    }

    /// Waits, and ends what is to end until then.
    pub(crate) async fn until(&mut self, then: Instant) {
        while let Some((at, key)) =
            self.ends.first_key_value().map(|(key, _)| (key.0, *key)).filter(|(at, _)| *at <= then)
        {
            pass(at.saturating_duration_since(now())).await;
            if let Some(ending) = self.ends.remove(&key) {
                self.end_of(ending).await;
            }
        }
        pass(then.saturating_duration_since(now())).await;
    }
}

/// How old what is told as fresh at this time may be.
fn slack(late: &[(Instant, Duration)], at: Instant) -> Duration {
    let late = late.iter().filter(|(until, _)| at <= *until).map(|(_, late)| *late).max();
    AT_ONCE + late.unwrap_or_default()
}

/// An agent of the attendants.
pub(crate) fn desk(number: usize) -> AgentUri {
    format!("sip:desk{number}@console.test").parse().unwrap()
}

/// An agent on a telephone line.
pub(crate) fn line(number: usize) -> AgentUri {
    format!("tel:+3161234{number:04}").parse().unwrap()
}

fn words(number: usize, event: &PresenceEvent, begin: Instant) -> String {
    let value = event.presence().map(|presence| {
        (presence.status.availability.value(), presence.freshness, presence.since.saturating_duration_since(begin))
    });
    let (name, sequence) = match event {
        PresenceEvent::Pending { .. } => ("pending", 0),
        PresenceEvent::Current { sequence, .. } => ("is", *sequence),
        PresenceEvent::Changed(change) => ("becomes", change.sequence),
        PresenceEvent::Lagged { missed } => ("lagged", *missed),
        PresenceEvent::Unserved { .. } => ("unserved", 0),
    };
    format!("ucc{number} {name} {sequence} {:?} {value:?}", event.uri().map(AgentUri::as_str))
}

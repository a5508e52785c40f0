//! Two hosts and the network between them, and what has to hold of them whatever has happened.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use presence_core::{Availability, Freshness, SubscriptionState};
use presence_simulator::{Activity, Dice};
use turmoil::{Builder, Sim};

use crate::pool::Pool;
use crate::provider::{self, Diary};
use crate::support::{Ledger, agent, errors};

/// The hosts.
pub(crate) const PROVIDER: &str = "provider";
pub(crate) const POOL: &str = "pool";
/// What the provider may send in a second.
const PER_SECOND: usize = 15;
/// What a simulation may take at most, in virtual time.
const LIFETIME: Duration = Duration::from_secs(86_400);
/// How finely time passes.
const TICK: Duration = Duration::from_millis(25);
/// What agents do in these tests, and what that is on the scale.
const DOINGS: [(Activity, Availability); 4] = [
    (Activity::Available, Availability::ONLINE),
    (Activity::Busy, Availability::BUSY),
    (Activity::DoNotDisturb, Availability::DO_NOT_DISTURB),
    (Activity::Away, Availability::AWAY),
];

/// Whether there is time for hours and for many seeds.
pub(crate) fn long() -> bool {
    std::env::var_os("PP_LONG_TESTS").is_some()
}

/// Lengths of faults in seconds, each with a seed: these, and where there is time those as well.
pub(crate) fn lengths(usual: &[u64], with_time: &[u64]) -> Vec<(u64, u64)> {
    let more = if long() { with_time } else { &[] };
    (1..).zip(usual.iter().chain(more).copied()).collect()
}

/// A provider and its pool.
pub(crate) struct World {
    pub(crate) sim: Sim<'static>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) diary: Diary,
    pub(crate) dice: Dice,
    agents: usize,
    started: Instant,
}

impl World {
    /// Both hosts run, and nothing has been said yet.
    pub(crate) fn new(agents: usize, seed: u64) -> Self {
        let mut sim = Builder::new()
            .rng_seed(seed)
            .simulation_duration(LIFETIME)
            .tick_duration(TICK)
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(30))
            .tcp_capacity(4_096)
            .build();
        let started = Instant::now();
        let (pool, diary) = (Pool::new(agents, started), Diary::default());
        let software = Rc::clone(&pool);
        sim.host(POOL, move || Rc::clone(&software).run());
        let (software, life) = (diary.clone(), RefCell::new(seed));
        sim.host(PROVIDER, move || {
            *life.borrow_mut() += 1_000_000;
            provider::run(software.clone(), agents, *life.borrow())
        });
        Self { sim, pool, diary, dice: Dice::new(seed), agents, started }
    }

    /// A world in which everyone is subscribed and fresh.
    pub(crate) fn at_rest(agents: usize, seed: u64) -> Self {
        let mut world = Self::new(agents, seed);
        world.until_well(Duration::from_secs(60));
        world
    }

    /// Lets virtual time pass.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.sim.elapsed() + duration;
        while self.sim.elapsed() < end {
            self.sim.step().unwrap();
        }
    }

    /// Lets virtual time pass, with changes of agents about every second.
    pub(crate) fn pass_moving(&mut self, duration: Duration) {
        let end = self.sim.elapsed() + duration;
        while self.sim.elapsed() < end {
            let wait = self.dice.wait(Duration::from_secs(1)).min(end.saturating_sub(self.sim.elapsed()));
            self.pass(wait.max(TICK));
            self.move_one();
        }
    }

    fn move_one(&mut self) {
        let number = 1 + self.below(self.agents);
        let doing = self.below(DOINGS.len());
        self.set(number, DOINGS[doing].0);
    }

    /// A number below this.
    pub(crate) fn below(&mut self, sides: usize) -> usize {
        self.dice.below(sides as u64) as usize
    }

    /// An agent does this now.
    pub(crate) fn set(&self, number: usize, activity: Activity) {
        self.pool.set(self.started + self.sim.elapsed(), number, activity);
    }

    /// Everybody does something else than before.
    pub(crate) fn move_all(&self) {
        for number in 1..=self.agents {
            let at = DOINGS.iter().position(|(activity, _)| *activity == self.pool.activity(number)).unwrap();
            self.set(number, DOINGS[(at + 1) % DOINGS.len()].0);
        }
    }

    /// What is not as it should be, if anything.
    fn complaint(&self) -> Option<String> {
        let heard = self.diary.heard.borrow();
        let Some(heard) = heard.last() else { return Some("nothing was heard".to_owned()) };
        let told: BTreeMap<_, _> = heard.iter().filter_map(|event| Some((event.uri()?, event.presence()?))).collect();
        let view = self.diary.view.borrow();
        let Some(view) = view.as_ref() else { return Some("nobody has looked yet".to_owned()) };
        for number in 1..=self.agents {
            let uri = agent(number);
            let told = told.get(&uri);
            let expected = DOINGS.iter().find(|(doing, _)| *doing == self.pool.activity(number)).unwrap().1;
            let shown = view.agents().find(|agent| agent.uri == uri);
            let state = shown.and_then(|agent| agent.subscription.as_ref()).map(|subscription| subscription.state);
            let so = told.is_some_and(|presence| {
                presence.freshness == Freshness::Fresh && presence.status.availability == expected
            });
            if !so || state != Some(SubscriptionState::Active) {
                return Some(format!("{uri} should be fresh and {expected:?}: {told:?}, {state:?}"));
            }
        }
        let live = self.pool.live();
        let wrong = (1..=self.agents).map(agent).find(|uri| live.get(uri) != Some(&1));
        wrong.map(|uri| format!("the pool holds {:?} of {uri}", live.get(&uri)))
    }

    /// Everyone is fresh, has the pool's value and exactly one subscription at the pool, within this time; and what has
    /// to hold always has held.
    #[track_caller]
    pub(crate) fn until_well(&mut self, patience: Duration) -> Duration {
        let begun = self.sim.elapsed();
        while let Some(complaint) = self.complaint() {
            let last = || self.diary.log.borrow().iter().rev().take(20).cloned().collect::<Vec<_>>().join("\n");
            assert!(self.sim.elapsed() < begun + patience, "after {patience:?}: {complaint}\n{}", last());
            self.pass(Duration::from_millis(200));
        }
        self.assert_always();
        self.sim.elapsed() - begun
    }

    /// After a repair: everyone is as it should be, also when every agent has moved once more, which shows the pool the
    /// dialogs that nobody knows any more.
    #[track_caller]
    pub(crate) fn recover(&mut self, patience: Duration) {
        let begun = self.sim.elapsed();
        self.pass(Duration::from_secs(1));
        while self.pool.live().len() < self.agents && self.sim.elapsed() < begun + patience {
            self.pass(Duration::from_secs(1));
        }
        self.move_all();
        let left = (begun + patience).saturating_sub(self.sim.elapsed());
        self.until_well(left);
        self.move_all();
        self.until_well(Duration::from_secs(2));
    }

    /// What has to hold at every moment.
    #[track_caller]
    fn assert_always(&self) {
        // It holds the order and the numbers of what was heard.
        self.diary.heard.borrow().iter().for_each(|life| drop(Ledger::of(life.clone())));
        for life in self.diary.subscribes.lock().unwrap().iter() {
            let most = (0..life.len())
                .map(|from| life[from..].iter().take_while(|at| **at < life[from] + Duration::from_secs(1)).count())
                .max();
            assert!(most.unwrap_or(0) <= PER_SECOND, "{most:?} SUBSCRIBEs within a second");
        }
        if let Some(view) = self.diary.view.borrow().as_ref() {
            let abandoned: Vec<_> = view
                .agents()
                .filter(|agent| agent.subscription.as_ref().is_some_and(|it| it.state == SubscriptionState::Abandoned))
                .map(|agent| agent.uri.clone())
                .collect();
            assert!(abandoned.is_empty(), "abandoned: {abandoned:?}");
        }
        assert_eq!(errors::take(), Vec::<String>::new(), "errors in the log");
    }
}

//! Agents of many queues whose pool was away for a while, in virtual time: the throttle and the order are the real ones.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use presence_core::{LastKnown, Order, RecoveryOrder, SourceKind, Standing, Throttle, TokenClass};

/// So many of the agents are available at any time.
const AVAILABLE: f64 = 0.28;
/// How long it takes until how an agent was says nothing any more about how it is.
const MEMORY: f64 = 1_800.0;
/// From the token to the presence.
const ANSWER: Duration = Duration::from_millis(50);
/// A queue that nobody becomes available for is not waited for any longer.
const LONGEST: Duration = Duration::from_secs(3_600 * 4);

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How many agents; each is wanted by one to five queues.
    pub(crate) agents: u32,
    /// How many queues; the n-th is wanted 1/n times as often as the first, and has 1/n of its calls.
    pub(crate) uccs: u32,
    /// Tokens per second.
    pub(crate) per_second: NonZeroU32,
    /// How long the pool was away.
    pub(crate) outage: Duration,
    /// What chance does.
    pub(crate) seed: u64,
}

/// In which order agents come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// One queue after the other, as they have asked for their agents.
    StartUp,
    /// As chance has it.
    Random,
    /// Who was available before the outage first.
    PreviouslyAvailable,
    /// `RecoveryOrder`.
    Ours,
    /// The same without counting who is on the way.
    WithoutForesight,
    /// `RecoveryOrder` that is told the truth.
    Oracle,
}

impl Way {
    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::StartUp, Self::Random, Self::PreviouslyAvailable, Self::WithoutForesight, Self::Ours, Self::Oracle];

    /// Its name in a table.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::StartUp => "queue by queue",
            Self::Random => "random",
            Self::PreviouslyAvailable => "available before first",
            Self::Ours => "coverage first",
            Self::WithoutForesight => "the same, without who is on the way",
            Self::Oracle => "coverage first, oracle",
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// How long a call's queue waits for its first agent that is known to be available, on average over calls, in seconds.
    pub(crate) first_agent: f64,
    /// The same for the queue that waits longest.
    pub(crate) worst: f64,
    /// Seconds until agents that are available are known to be, times the number of their queues, all together.
    pub(crate) available_seconds: f64,
    /// Seconds without presence of all agents together, over what is possible at the rate.
    pub(crate) over_optimum: f64,
    /// Until the last agent was back, in seconds.
    pub(crate) last: f64,
}

/// Chance that can be repeated (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }

    /// How long an agent stays as it is, in seconds.
    fn stays(&mut self, available: bool) -> f64 {
        let rate = if available { 1.0 - AVAILABLE } else { AVAILABLE } / MEMORY;
        -(1.0 - self.unit()).ln() / rate
    }
}

/// One agent.
struct Agent {
    uccs: Box<[u32]>,
    /// It was available when the pool was lost.
    was_available: bool,
    is_available: bool,
    known_at: Option<Duration>,
}

/// A request of an agent: it has only one at a time.
type Key = (u32, ());

/// The pool is back in this moment, and every agent asks for a token.
struct World {
    plan: Plan,
    way: Way,
    start: Instant,
    agents: Vec<Agent>,
    /// Who changes next, and when after the start, in microseconds.
    changes: BinaryHeap<Reverse<(u64, u32)>>,
    dice: Dice,
    /// When each queue had its first available agent.
    covered_at: Vec<Option<Duration>>,
    available_then: Vec<bool>,
}

impl World {
    fn new(plan: Plan, way: Way, start: Instant) -> Self {
        let mut dice = Dice(plan.seed);
        let ladder: Vec<f64> = (1..=plan.uccs)
            .scan(0.0, |sum, rank| {
                *sum += 1.0 / f64::from(rank);
                Some(*sum)
            })
            .collect();
        let all = ladder.last().copied().unwrap_or(1.0);
        let mut agents = Vec::with_capacity(plan.agents as usize);
        let mut changes = BinaryHeap::new();
        for agent in 0..plan.agents {
            let mut uccs = Vec::new();
            for _ in 0..=dice.below(5) {
                let at = dice.unit() * all;
                uccs.push(ladder.partition_point(|sum| *sum <= at) as u32);
            }
            uccs.sort_unstable();
            uccs.dedup();
            let was_available = dice.unit() < AVAILABLE;
            let (mut is_available, mut at) = (was_available, -plan.outage.as_secs_f64());
            loop {
                at += dice.stays(is_available);
                if at > 0.0 {
                    break;
                }
                is_available = !is_available;
            }
            changes.push(Reverse(((at * 1e6) as u64, agent)));
            agents.push(Agent { uccs: uccs.into(), was_available, is_available, known_at: None });
        }
        let available_then = agents.iter().map(|agent| agent.is_available).collect();
        let covered_at = vec![None; plan.uccs as usize];
        Self { plan, way, start, agents, changes, dice, covered_at, available_then }
    }

    /// The agents as they ask for their tokens.
    fn queue(&mut self) -> Vec<u32> {
        let mut queue: Vec<u32> = (0..self.plan.agents).collect();
        for place in (1..queue.len()).rev() {
            queue.swap(place, self.dice.below(place + 1));
        }
        match self.way {
            // The first queue of an agent is the one that has asked for it first.
            Way::StartUp => queue.sort_by_key(|agent| self.agents[*agent as usize].uccs[0]),
            Way::PreviouslyAvailable => queue.sort_by_key(|agent| !self.agents[*agent as usize].was_available),
            Way::Random | Way::Ours | Way::WithoutForesight | Way::Oracle => {}
        }
        queue
    }

    /// How an agent stands, as the order is told.
    fn standing(&self, agent: u32) -> Standing {
        let Agent { uccs, was_available, is_available, known_at } = &self.agents[agent as usize];
        let known = match (known_at, self.way) {
            (Some(_), _) => LastKnown::Fresh { available: *is_available },
            (None, Way::Oracle) => LastKnown::Stale { available: *is_available, confirmed: self.start },
            (None, _) => LastKnown::Stale { available: *was_available, confirmed: self.start - self.plan.outage },
        };
        Standing { source: SourceKind::Ucma, uccs: uccs.clone(), known }
    }

    /// Someone who is known is available.
    fn cover(&mut self, agent: u32, at: Duration) {
        let Agent { uccs, is_available: true, known_at: Some(_), .. } = &self.agents[agent as usize] else { return };
        for ucc in uccs {
            self.covered_at[*ucc as usize].get_or_insert(at);
        }
    }

    fn figures(&self) -> Figures {
        let weight = |rank: usize| 1.0 / (rank + 1) as f64;
        let members = |ucc: usize| self.agents.iter().any(|agent| agent.uccs.contains(&(ucc as u32)));
        let (mut waits, mut weights, mut worst) = (0.0, 0.0, 0.0_f64);
        for (ucc, covered) in self.covered_at.iter().enumerate().filter(|(ucc, _)| members(*ucc)) {
            let wait = covered.unwrap_or(LONGEST).as_secs_f64();
            waits += wait * weight(ucc);
            weights += weight(ucc);
            worst = worst.max(wait);
        }
        let (mut without, mut last, mut available_seconds) = (0.0, 0.0_f64, 0.0);
        for (agent, was_available) in self.agents.iter().zip(&self.available_then) {
            let wait = agent.known_at.unwrap_or(LONGEST).as_secs_f64();
            without += wait;
            last = last.max(wait);
            available_seconds += f64::from(u8::from(*was_available)) * wait * agent.uccs.len() as f64;
        }
        let agents = f64::from(self.plan.agents);
        let optimum = agents * (agents - 1.0) / 2.0 / f64::from(self.plan.per_second.get());
        Figures { first_agent: waits / weights, worst, available_seconds, over_optimum: without / optimum, last }
    }
}

/// Brings everyone back in this order.
#[must_use]
pub(crate) fn recover(plan: Plan, way: Way, start: Instant) -> Figures {
    let mut world = World::new(plan, way, start);
    let begun = start.checked_sub(plan.outage + Duration::from_secs(60)).unwrap_or(start);
    match way {
        Way::StartUp | Way::Random | Way::PreviouslyAvailable => {
            live(&mut world, &mut Throttle::new(plan.per_second), |_, _, _, _| {});
        }
        Way::Ours | Way::WithoutForesight | Way::Oracle => {
            let order = RecoveryOrder::with_foresight(begun, way != Way::WithoutForesight);
            let stand = |throttle: &mut Throttle<Key, RecoveryOrder<Key>>, now, agent, standing| {
                throttle.order_mut().stand(now, &agent, standing);
            };
            live(&mut world, &mut Throttle::with_order(plan.per_second, order), stand);
        }
    }
    world.figures()
}

fn live<O: Order<Key>>(
    world: &mut World,
    throttle: &mut Throttle<Key, O>,
    stand: impl Fn(&mut Throttle<Key, O>, Instant, u32, Standing),
) {
    let start = world.start;
    for agent in 0..world.plan.agents {
        stand(throttle, start, agent, world.standing(agent));
    }
    for agent in world.queue() {
        throttle.request(start, (agent, ()), TokenClass::New);
    }
    let mut answers: VecDeque<(Instant, u32)> = VecDeque::new();
    let mut now = start;
    loop {
        while let Some((agent, ())) = throttle.poll_granted() {
            throttle.sent(now);
            answers.push_back((now + ANSWER, agent));
        }
        let all_back = throttle.waiting() == 0 && answers.is_empty();
        if all_back && world.covered_at.iter().all(Option::is_some) || now > start + LONGEST {
            return;
        }
        let change = world.changes.peek().map(|Reverse((at, _))| start + Duration::from_micros(*at));
        let answer = answers.front().map(|(at, _)| *at);
        let Some(next) = [throttle.poll_timeout(), answer, change].into_iter().flatten().min() else { break };
        now = next;
        let since = now - start;
        if answer == Some(now) {
            let Some((_, agent)) = answers.pop_front() else { break };
            world.agents[agent as usize].known_at = Some(since);
            world.cover(agent, since);
            stand(throttle, now, agent, world.standing(agent));
        } else if change == Some(now) {
            let Some(Reverse((at, agent))) = world.changes.pop() else { break };
            let agent_now = &mut world.agents[agent as usize];
            agent_now.is_available = !agent_now.is_available;
            let next = at + (world.dice.stays(agent_now.is_available) * 1e6) as u64;
            world.changes.push(Reverse((next, agent)));
            world.cover(agent, since);
            stand(throttle, now, agent, world.standing(agent));
        } else {
            throttle.handle_timeout(now);
        }
    }
}

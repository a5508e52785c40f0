//! In which order agents come back.

mod coverage;
mod likelihood;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

pub use coverage::Coverage;
use coverage::{Part, Uccs};
use likelihood::Vintage;
pub use likelihood::{LastKnown, is_available};
use queue::{Queue, Shape};

use crate::SourceKind;
use crate::throttle::{OldestFirst, Order, TokenClass};

/// So long an agent that has been granted a token counts as the one that its UCCs will find available.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// A request for a token, of which [`RecoveryOrder`] must know whose it is.
pub trait Request: Ord + Clone {
    /// Who asks for tokens.
    type Agent: Ord + Hash + Clone;

    /// Who asks.
    fn agent(&self) -> &Self::Agent;
}

impl<A: Ord + Hash + Clone, T: Ord + Hash + Clone> Request for (A, T) {
    type Agent = A;

    fn agent(&self) -> &A {
        &self.0
    }
}

/// How an agent stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whose agent it is: when another source takes it over, what the first one says afterwards is too late.
    pub source: SourceKind,
    /// The numbers of the UCCs that want it, in any order.
    pub uccs: Box<[u32]>,
    /// What is known of its availability.
    pub known: LastKnown,
}

/// Decides who is next among the agents that want back: one available agent for every UCC first, then the likeliest for most
/// UCCs.
///
/// ```text
///              put                      next                        stand (fresh), put, 3 s
///  (nothing) -------> waiting, by worth -----> on its way to answer -----------------------> (nothing)
///                         |  take
///                         +-------> (nothing)
/// ```
///
/// Among new subscriptions, and again among those that have failed, a token goes to the agent for whom this is greatest:
///
/// 1. the likelihood that it is available, times the number of its UCCs that have no available agent yet;
/// 2. where that is equal (in the end it is zero for all): the likelihood, times the number of its UCCs;
/// 3. where that is equal too: how long it waits.
///
/// A UCC *has* an agent while one is [`LastKnown::Fresh`] and available. An agent that has been granted a token counts as such
/// until its answer is there, so that a fast throttle does not spend many tokens on one UCC; when it turns out not to be
/// available, or says nothing for 3 s, the UCC is looked after again; after four in a row it is not waited for the answer of the
/// next one. The likelihood is 1 or 0 by what was known when the
/// source last stood behind it, fades to the mean of 0.28 with a time constant of 30 minutes, and is told apart by whole minutes.
///
/// The classes Refresh, Release and Sample are not concerned: there the oldest request is first. Who has not said how it stands
/// counts as unknown, with one UCC that needs nobody.
///
/// Tell how an agent stands with [`RecoveryOrder::stand`]: the same said twice changes nothing, and an agent without UCCs is
/// forgotten. The rest is [`Order`], and the [`crate::Throttle`]'s business. A step takes O(log n), and O(log n) for each waiting
/// agent of a UCC that finds or loses its only agent by it, which happens to a UCC a few times in a recovery.
#[derive(Clone, Debug)]
pub struct RecoveryOrder<K: Request> {
    places: HashMap<K::Agent, u32>,
    slots: Vec<Slot>,
    vacant: Vec<u32>,
    uccs: Uccs,
    queue: Queue<K>,
    /// The classes in which the oldest request is first.
    others: OldestFirst<K>,
    /// Who has been granted a token, and under which number.
    on_their_way: VecDeque<(Instant, u32, u32)>,
    grants: u32,
    /// Agents whose waiting may be worth more or less than it was.
    moved: Vec<u32>,
}

/// One agent.
#[derive(Clone, Debug, Default)]
struct Slot {
    source: Option<SourceKind>,
    uccs: Box<[u32]>,
    vintage: Vintage,
    /// The requests that wait: one, unless an actor of the agent died while it waited.
    waiting: Vec<(TokenClass, u64)>,
    /// Where they wait.
    shape: Shape,
    /// The number of the grant that has not been answered.
    on_its_way: Option<u32>,
}

impl Slot {
    fn part(&self) -> Part {
        Part {
            is_member: true,
            is_confirmed: self.vintage == Vintage::Fresh { available: true },
            is_on_its_way: self.on_its_way.is_some(),
            is_waiting: !self.waiting.is_empty(),
        }
    }
}

impl<K: Request> RecoveryOrder<K> {
    /// Nobody is known yet. Who is on the way counts.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self::with_foresight(now, true)
    }

    /// With or without counting who is on the way: to measure what that is worth.
    #[must_use]
    pub fn with_foresight(now: Instant, foresight: bool) -> Self {
        Self {
            places: HashMap::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
            uccs: Uccs::new(foresight),
            queue: Queue::new(now),
            others: OldestFirst::new(),
            on_their_way: VecDeque::new(),
            grants: 0,
            moved: Vec::new(),
        }
    }

    /// How an agent stands from now on.
    pub fn stand(&mut self, now: Instant, agent: &K::Agent, standing: Standing) {
        let Standing { source, mut uccs, known } = standing;
        if uccs.is_empty() {
            return self.leave(now, agent, source);
        }
        uccs.sort_unstable();
        if uccs.windows(2).any(|pair| pair[0] == pair[1]) {
            let mut once = uccs.into_vec();
            once.dedup();
            uccs = once.into_boxed_slice();
        }
        let vintage = Vintage::of(known, self.queue.beginning());
        let place = self.place(agent);
        self.change(now, place, |slot| {
            slot.source = Some(source);
            slot.vintage = vintage;
            if matches!(known, LastKnown::Fresh { .. }) {
                slot.on_its_way = None;
            }
            Some(uccs)
        });
    }

    /// Nobody wants the agent at this source any more.
    fn leave(&mut self, now: Instant, agent: &K::Agent, source: SourceKind) {
        let Some(&place) = self.places.get(agent) else { return };
        if self.slot(place).source.is_some_and(|of| of != source) {
            return;
        }
        self.change(now, place, |slot| {
            (slot.source, slot.vintage, slot.on_its_way) = (None, Vintage::Unknown, None);
            Some(Box::default())
        });
        self.vacate(agent, place);
    }

    /// Which UCCs have an available agent.
    #[must_use]
    pub fn coverage(&self, now: Instant) -> Coverage {
        self.uccs.coverage(now)
    }

    /// About how many tokens more it takes until every UCC that seeks an available agent has one.
    #[must_use]
    pub fn tokens_to_cover(&self) -> usize {
        let (seeking, urgent) = (self.uccs.seeking(), self.others.before(TokenClass::New));
        if seeking == 0 { 0 } else { self.queue.tokens_to_find(seeking) + urgent }
    }

    /// How many agents are known.
    #[must_use]
    pub fn agents(&self) -> usize {
        self.places.len()
    }

    fn slot(&mut self, place: u32) -> &mut Slot {
        &mut self.slots[place as usize]
    }

    /// The place of an agent, which it gets when it has none.
    fn place(&mut self, agent: &K::Agent) -> u32 {
        if let Some(&place) = self.places.get(agent) {
            return place;
        }
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("there are fewer than 2^32 agents")
        });
        self.places.insert(agent.clone(), place);
        place
    }

    /// Forgets an agent that nobody wants and that waits for nothing.
    fn vacate(&mut self, agent: &K::Agent, place: u32) {
        let slot = self.slot(place);
        if slot.source.is_none() && slot.waiting.is_empty() {
            *slot = Slot::default();
            self.places.remove(agent);
            self.vacant.push(place);
        }
    }

    /// Changes an agent, perhaps with other UCCs, and everything that follows from it.
    fn change(&mut self, now: Instant, place: u32, change: impl FnOnce(&mut Slot) -> Option<Box<[u32]>>) {
        let slot = &mut self.slots[place as usize];
        let before = slot.part();
        match change(slot) {
            Some(uccs) if uccs != slot.uccs => {
                let old = std::mem::replace(&mut slot.uccs, uccs);
                let after = slot.part();
                for ucc in old.iter().filter(|ucc| slot.uccs.binary_search(ucc).is_err()) {
                    self.uccs.exchange(now, *ucc, place, before, Part::default(), &mut self.moved);
                }
                for ucc in &slot.uccs {
                    let before = if old.binary_search(ucc).is_ok() { before } else { Part::default() };
                    self.uccs.exchange(now, *ucc, place, before, after, &mut self.moved);
                }
            }
            Some(_) | None => {
                let after = slot.part();
                for ucc in &slot.uccs {
                    self.uccs.exchange(now, *ucc, place, before, after, &mut self.moved);
                }
            }
        }
        self.revalue(place);
        while let Some(moved) = self.moved.pop() {
            self.revalue(moved);
        }
    }

    /// Moves an agent that waits to where it belongs now.
    fn revalue(&mut self, place: u32) {
        let slot = &mut self.slots[place as usize];
        let small = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
        let bare = if slot.waiting.is_empty() { 0 } else { self.uccs.bare(&slot.uccs) };
        let shape = Shape { vintage: slot.vintage, bare: small(bare), uccs: small(slot.uccs.len().max(1)) };
        let before = std::mem::replace(&mut slot.shape, shape);
        if before != shape {
            for &(class, number) in &slot.waiting {
                if let Some(key) = self.queue.remove(class, before, number) {
                    self.queue.insert(class, shape, number, key);
                }
            }
        }
    }

    /// Who has not answered in time counts no more as on its way.
    fn give_up(&mut self, now: Instant) {
        while let Some(&(granted, place, grant)) = self.on_their_way.front()
            && granted + ANSWERS_WITHIN <= now
        {
            self.on_their_way.pop_front();
            if self.slot(place).on_its_way == Some(grant) {
                self.change(now, place, |slot| {
                    slot.on_its_way = None;
                    None
                });
            }
        }
    }
}

/// The classes that this is about: of these an agent comes back.
const fn comes_back(class: TokenClass) -> bool {
    matches!(class, TokenClass::New | TokenClass::Retry)
}

impl<K: Request> Order<K> for RecoveryOrder<K> {
    fn put(&mut self, now: Instant, class: TokenClass, number: u64, key: K) {
        if !comes_back(class) {
            return self.others.put(now, class, number, key);
        }
        let place = self.place(key.agent());
        // Asking again says that what was on its way has come to nothing.
        self.change(now, place, |slot| {
            slot.on_its_way = None;
            slot.waiting.reserve_exact(1);
            slot.waiting.push((class, number));
            None
        });
        let shape = self.slot(place).shape;
        self.queue.insert(class, shape, number, key);
    }

    fn take(&mut self, now: Instant, class: TokenClass, number: u64, key: &K) -> bool {
        if !comes_back(class) {
            return self.others.take(now, class, number, key);
        }
        let Some(&place) = self.places.get(key.agent()) else { return false };
        let shape = self.slot(place).shape;
        if self.queue.remove(class, shape, number).is_none() {
            return false;
        }
        self.change(now, place, |slot| {
            slot.done_waiting(class, number);
            None
        });
        self.vacate(key.agent(), place);
        true
    }

    fn next(&mut self, now: Instant) -> Option<K> {
        self.give_up(now);
        if let Some(urgent) = self.others.next_class()
            && self.queue.next_class().is_none_or(|class| urgent < class)
        {
            return self.others.next(now);
        }
        let (class, number, key) = self.queue.pop(now)?;
        if let Some(&place) = self.places.get(key.agent()) {
            self.grants = self.grants.wrapping_add(1);
            let grant = self.grants;
            self.on_their_way.push_back((now, place, grant));
            self.change(now, place, |slot| {
                slot.done_waiting(class, number);
                slot.on_its_way = slot.source.map(|_| grant);
                None
            });
            self.vacate(key.agent(), place);
        }
        Some(key)
    }

    fn returned(&mut self, now: Instant, key: &K) {
        if let Some(&place) = self.places.get(key.agent()) {
            self.change(now, place, |slot| {
                slot.on_its_way = None;
                None
            });
        }
    }

    fn len(&self) -> usize {
        self.queue.len() + self.others.len()
    }

    fn len_in(&self, class: TokenClass) -> usize {
        if comes_back(class) { self.queue.len_in(class) } else { self.others.len_in(class) }
    }
}

impl Slot {
    fn done_waiting(&mut self, class: TokenClass, number: u64) {
        self.waiting.retain(|waits| *waits != (class, number));
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
        }
    }
}

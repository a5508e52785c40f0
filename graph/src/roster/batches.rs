//! Who is asked for together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::wheel::Wheel;
use super::{Pace, Slot};
use crate::wire::MAX_PRESENCE_IDS;

/// Names a batch; no other batch ever has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BatchId(u32);

/// Members that are asked for in one request.
#[derive(Debug)]
pub(crate) struct Batch {
    members: Vec<Slot>,
    pace: Pace,
    /// The account that asks.
    pub(crate) account: Option<usize>,
    /// True while a request of it is under way.
    pub(crate) in_flight: bool,
    /// When it was last answered.
    pub(crate) answered_at: Option<Instant>,
    /// How often in a row it was not.
    pub(crate) failures: u32,
    /// Then it is asked for outside of its turn, because it was asked for in vain.
    pub(crate) retry_at: Option<Instant>,
}

impl Batch {
    pub(super) fn members(&self) -> &[Slot] {
        &self.members
    }
}

/// The batches of both paces, with a wheel for each.
#[derive(Debug)]
pub(crate) struct Batches {
    batches: BTreeMap<BatchId, Batch>,
    wheels: [Wheel; 2],
    counts: [usize; 2],
    next: u32,
}

impl Batches {
    pub(super) const fn new(sweep: Duration, slow_sweep: Duration) -> Self {
        Self { batches: BTreeMap::new(), wheels: [Wheel::new(sweep), Wheel::new(slow_sweep)], counts: [0; 2], next: 0 }
    }

    /// One of them.
    pub(crate) fn get(&self, batch: BatchId) -> Option<&Batch> {
        self.batches.get(&batch)
    }

    /// One of them.
    pub(crate) fn get_mut(&mut self, batch: BatchId) -> Option<&mut Batch> {
        self.batches.get_mut(&batch)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Batch> {
        self.batches.values()
    }

    /// All of them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Batch> {
        self.batches.values_mut()
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.batches.len()
    }

    /// How many of this pace.
    pub(crate) fn len_of(&self, pace: Pace) -> usize {
        self.wheels[pace.index()].order().count()
    }

    /// The batches of this pace, the one that is next first.
    #[cfg(test)]
    pub(super) fn order(&self, pace: Pace) -> impl Iterator<Item = BatchId> + '_ {
        self.wheels[pace.index()].order()
    }

    pub(super) fn pace(&self, batch: BatchId) -> Option<Pace> {
        Some(self.batches.get(&batch)?.pace)
    }

    /// The batch whose turn it is, and since when; `None` while no turn is due or all of them are under way.
    pub(crate) fn turn(&self, now: Instant, pace: Pace) -> Option<BatchId> {
        let wheel = &self.wheels[pace.index()];
        wheel.due(now).filter(|due| *due <= now)?;
        wheel.order().find(|batch| self.batches.get(batch).is_some_and(|batch| !batch.in_flight))
    }

    /// A batch that is to be asked for again after a failure.
    pub(crate) fn retry(&self, now: Instant) -> Option<BatchId> {
        let due = |batch: &Batch| !batch.in_flight && batch.retry_at.is_some_and(|at| at <= now);
        self.batches.iter().find(|(_, batch)| due(batch)).map(|(id, _)| *id)
    }

    /// When the next turn or the next repetition is due, in the past when it is; `None` when only answers bring one.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let idle = || self.batches.values().filter(|batch| !batch.in_flight);
        let turns = Pace::ALL.into_iter().filter(|pace| idle().any(|batch| batch.pace == *pace));
        let turns = turns.filter_map(|pace| self.wheels[pace.index()].due(now));
        turns.chain(idle().filter_map(|batch| batch.retry_at)).min()
    }

    /// The batch is asked for now: in its turn, or outside of it.
    pub(crate) fn asked(&mut self, now: Instant, id: BatchId, in_turn: bool) {
        let Some(batch) = self.batches.get_mut(&id) else { return };
        debug_assert!(!batch.in_flight, "one request for a batch at a time");
        batch.in_flight = true;
        batch.retry_at = None;
        let wheel = &mut self.wheels[batch.pace.index()];
        if in_turn { wheel.turned(now, id) } else { wheel.moved_back(id) }
    }

    pub(super) fn add(&mut self, pace: Pace, slot: Slot) -> (BatchId, u16) {
        self.counts[pace.index()] += 1;
        self.place(pace, slot)
    }

    fn place(&mut self, pace: Pace, slot: Slot) -> (BatchId, u16) {
        let has_room = |batch: &Batch| batch.pace == pace && batch.members.len() < MAX_PRESENCE_IDS;
        let id = match self.batches.iter().find(|(_, batch)| has_room(batch)) {
            Some((id, _)) => *id,
            None => self.open(pace),
        };
        let members = &mut self.batches.get_mut(&id).expect("it was found or made").members;
        members.push(slot);
        (id, u16::try_from(members.len() - 1).expect("at most 650"))
    }

    fn open(&mut self, pace: Pace) -> BatchId {
        let id = BatchId(self.next);
        self.next = self.next.checked_add(1).expect("2^32 batches take longer than any process lives");
        let batch = Batch {
            members: Vec::new(),
            pace,
            account: None,
            in_flight: false,
            answered_at: None,
            failures: 0,
            retry_at: None,
        };
        self.batches.insert(id, batch);
        self.wheels[pace.index()].add(id);
        id
    }

    /// Empties a place. Who has another place by that, and which.
    pub(super) fn remove(&mut self, id: BatchId, position: u16) -> Vec<(Slot, BatchId, u16)> {
        let mut moved = Vec::new();
        let Some(batch) = self.batches.get_mut(&id) else { return moved };
        let pace = batch.pace;
        batch.members.swap_remove(usize::from(position));
        if let Some(slot) = batch.members.get(usize::from(position)) {
            moved.push((*slot, id, position));
        }
        self.counts[pace.index()] -= 1;
        let of_pace = || self.batches.iter().filter(|(_, batch)| batch.pace == pace);
        if self.counts[pace.index()] <= MAX_PRESENCE_IDS * (of_pace().count() - 1) {
            let smallest = of_pace().min_by_key(|(_, batch)| batch.members.len()).map(|(id, _)| *id);
            self.dissolve(smallest.expect("one was just looked at"), pace, &mut moved);
        }
        moved
    }

    /// Puts the members of a batch into the others, which have room for them.
    fn dissolve(&mut self, id: BatchId, pace: Pace, moved: &mut Vec<(Slot, BatchId, u16)>) {
        self.wheels[pace.index()].remove(id);
        let Some(batch) = self.batches.remove(&id) else { return };
        moved.retain(|(_, place, _)| *place != id);
        for slot in batch.members {
            let (id, position) = self.place(pace, slot);
            moved.push((slot, id, position));
        }
    }
}

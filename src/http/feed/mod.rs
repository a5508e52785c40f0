//! The events of one queue, kept for readers that read at their own pace. Pure.
//!
//! ```text
//!            write                     ring: the last events, numbered without gaps
//! queue ------------> agents         [ 41 | 42 | 43 | 44 | 45 | 46 ]
//!                     each one's            ^              ^
//!                     present value     cursor A       cursor B         each reader owns its cursor
//! ```
//!
//! A reader whose cursor has fallen out of the ring is told how many events it missed and walks through the present
//! values of all agents, in the order of their last events. What happens meanwhile it reads from the ring: a change of
//! an agent that it has met already as a change, one of an agent that it has not met yet as that agent's present value.
//! So a walk costs no copy, and after it nothing is missing and nothing comes twice. A first reader begins with the same
//! walk. If it falls out of the ring during a walk, it is told so, and the walk goes on where it was: also the slowest
//! reader meets every agent.

mod cursor;
mod happening;
mod shared;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use presence_actors::PresenceEvent;
use presence_core::AgentUri;

pub(in crate::http) use cursor::{Cursor, EventId};
pub(in crate::http) use happening::{EndpointChange, Happening, Knowledge, SilentLoss};
pub(in crate::http) use shared::SharedFeed;

/// So many agents that were let go are remembered, and as many as events are kept.
const RELEASED_KEPT: usize = 10_000;

/// One event as a reader gets it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::http) struct Delivery {
    /// Its number, from which a reader can go on; none within a walk, from where it cannot.
    pub(in crate::http) number: Option<u64>,
    /// What happened.
    pub(in crate::http) event: Happening,
}

/// An event in the ring.
#[derive(Clone, Debug)]
struct Kept {
    event: Happening,
    /// The number of the event before it of the same agent; 0 when there was none.
    before: u64,
}

/// What is known of one agent, and the number of its last event; 0 before the first one.
#[derive(Clone, Debug)]
struct Known {
    number: u64,
    what: Knowledge,
}

/// The last events of a queue, what it wants and what it knows.
#[derive(Clone, Debug)]
pub(in crate::http) struct Feed {
    epoch: u64,
    capacity: usize,
    ring: VecDeque<Kept>,
    /// The number of the last event.
    last: u64,
    agents: BTreeMap<AgentUri, Known>,
    /// Every agent by the number of its last event.
    order: BTreeMap<u64, AgentUri>,
    /// Agents that were let go, the oldest first; also such as are wanted again.
    released: VecDeque<(u64, AgentUri)>,
    wanted: usize,
    lagged: u64,
}

impl Feed {
    /// An empty feed that keeps so many events. The epoch tells its numbers from those of other feeds of the queue.
    pub(in crate::http) fn new(epoch: u64, capacity: usize) -> Self {
        Self {
            epoch,
            capacity: capacity.max(1),
            ring: VecDeque::new(),
            last: 0,
            agents: BTreeMap::new(),
            order: BTreeMap::new(),
            released: VecDeque::new(),
            wanted: 0,
            lagged: 0,
        }
    }

    /// What tells the numbers of this feed from those of others.
    pub(in crate::http) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many agents the queue wants.
    pub(in crate::http) const fn wanted(&self) -> usize {
        self.wanted
    }

    /// How often a reader, or the queue itself, was too slow.
    pub(in crate::http) const fn lagged(&self) -> u64 {
        self.lagged
    }

    /// The queue wants an agent. False when it did already.
    pub(in crate::http) fn want(&mut self, uri: &AgentUri) -> bool {
        match self.agents.get_mut(uri) {
            Some(known) if known.what == Knowledge::Released => known.what = Knowledge::Asked,
            Some(_) => return false,
            None => {
                self.agents.insert(uri.clone(), Known { number: 0, what: Knowledge::Asked });
            }
        }
        self.wanted += 1;
        true
    }

    /// The queue lets an agent go. False when it did not want it.
    pub(in crate::http) fn release(&mut self, uri: &AgentUri) -> bool {
        if !self.wants(uri) {
            return false;
        }
        self.wanted -= 1;
        self.record(uri, Knowledge::Released, Happening::Released(uri.clone()));
        self.released.push_back((self.last, uri.clone()));
        self.forget_the_oldest_released();
        true
    }

    /// True when the queue wants the agent.
    pub(in crate::http) fn wants(&self, uri: &AgentUri) -> bool {
        self.agents.get(uri).is_some_and(|known| known.what != Knowledge::Released)
    }

    /// The queue was told something. What is not of interest any more is dropped; false then.
    pub(in crate::http) fn tell(&mut self, event: PresenceEvent) -> bool {
        let Some(uri) = event.uri() else {
            self.lagged += 1;
            self.push(0, Happening::Told(event));
            return true;
        };
        let Some(known) = self.agents.get(uri) else { return false };
        let left_over = match known.what {
            Knowledge::Released => true,
            // The answer to a subscription comes first; a change before it is one of an earlier subscription.
            Knowledge::Asked => matches!(event, PresenceEvent::Changed(_)),
            Knowledge::Pending | Knowledge::Current(..) | Knowledge::Unserved(_) => false,
        };
        let Some(what) = Knowledge::after(&event).filter(|_| !left_over) else { return false };
        let uri = uri.clone();
        self.record(&uri, what, Happening::Told(event));
        true
    }

    /// Something happened that is about no agent of a queue: it is passed on and not remembered.
    pub(in crate::http) fn announce(&mut self, event: Happening) {
        self.push(0, event);
    }

    /// What is known of an agent that the queue wants.
    pub(in crate::http) fn knowledge(&self, uri: &AgentUri) -> Option<&Knowledge> {
        self.agents.get(uri).map(|known| &known.what).filter(|what| **what != Knowledge::Released)
    }

    /// The agents that the queue wants, by URI.
    pub(in crate::http) fn agents(&self) -> impl Iterator<Item = (&AgentUri, &Knowledge)> {
        self.agents.iter().map(|(uri, known)| (uri, &known.what)).filter(|(_, what)| **what != Knowledge::Released)
    }

    /// At most so many of the agents that the queue wants, those after this one.
    pub(in crate::http) fn agents_after(&self, after: Option<&AgentUri>, most: usize) -> Vec<AgentUri> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let agents = self.agents.range((start, Bound::Unbounded));
        let wanted = agents.filter(|(_, known)| known.what != Knowledge::Released).map(|(uri, _)| uri.clone());
        wanted.take(most).collect()
    }

    /// The next events for a reader, at most so many; none when it has read everything.
    pub(in crate::http) fn read(&mut self, cursor: &mut Cursor, limit: usize, into: &mut Vec<Delivery>) {
        self.lagged += u64::from(cursor.read(self, limit.max(1), into));
    }

    /// An event of an agent: it goes into the ring, and the agent to the end of the order.
    fn record(&mut self, uri: &AgentUri, what: Knowledge, event: Happening) {
        let number = self.last + 1;
        let Some(known) = self.agents.get_mut(uri) else { return };
        let before = std::mem::replace(&mut known.number, number);
        known.what = what;
        self.order.remove(&before);
        self.order.insert(number, uri.clone());
        self.push(before, event);
    }

    fn push(&mut self, before: u64, event: Happening) {
        if self.ring.len() == self.capacity {
            self.ring.pop_front();
        }
        self.ring.push_back(Kept { event, before });
        self.last += 1;
    }

    /// A reader that comes back later than that is not told of them.
    fn forget_the_oldest_released(&mut self) {
        while self.released.len() > self.capacity.max(RELEASED_KEPT)
            && let Some((number, uri)) = self.released.pop_front()
        {
            let forget = |known: &Known| known.number == number && known.what == Knowledge::Released;
            if self.agents.get(&uri).is_some_and(forget) {
                self.agents.remove(&uri);
                self.order.remove(&number);
            }
        }
    }

    /// The number of the oldest event in the ring.
    fn first(&self) -> u64 {
        self.last + 1 - self.ring.len() as u64
    }
}

//! Where one reader is in a feed.

use std::fmt;
use std::ops::Bound;
use std::str::FromStr;

use super::{Delivery, Feed, Happening, Kept, Knowledge};

/// The id of an event, `EPOCH-NUMBER`, from which a reader can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct EventId {
    pub(in crate::http) epoch: u64,
    pub(in crate::http) number: u64,
}

/// A text is no id of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct NoEventId;

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.epoch, self.number)
    }
}

impl FromStr for EventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<Self, NoEventId> {
        let (epoch, number) = text.split_once('-').ok_or(NoEventId)?;
        let epoch = u64::from_str_radix(epoch, 16).map_err(|_| NoEventId)?;
        Ok(Self { epoch, number: number.parse().map_err(|_| NoEventId)? })
    }
}

/// Where one reader is: the number of the last event that it has read, and how far its walk through the agents is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct Cursor {
    position: u64,
    walk: Option<Walk>,
    /// To be said first: the reader has missed events.
    lagged: Option<Option<u64>>,
}

/// A walk through the agents by the numbers of their last events.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Walk {
    /// Agents up to this number have been met.
    met: u64,
    /// Where the walk ends: what came later is read from the ring.
    end: u64,
    /// Of those that were let go, the reader knows all up to this number.
    knows_released: u64,
}

impl Cursor {
    /// A reader that comes for the first time, or again with the id of the last event that it has read. An id that
    /// is none of this feed's has lagged by an unknown number of events.
    pub(in crate::http) fn begin(feed: &Feed, last_read: Option<Result<EventId, NoEventId>>) -> Self {
        let of_this_feed = |id: &EventId| id.epoch == feed.epoch && id.number <= feed.last;
        match last_read {
            None => Self::walking(feed, u64::MAX, None),
            Some(Ok(id)) if of_this_feed(&id) => Self { position: id.number, walk: None, lagged: None },
            Some(_) => Self::walking(feed, 0, Some(None)),
        }
    }

    /// A reader that wants only what happens from now on, or after the event with this id if that is still kept.
    pub(in crate::http) fn from_now(feed: &Feed, last_read: Option<Result<EventId, NoEventId>>) -> Self {
        match last_read {
            None => Self { position: feed.last, walk: None, lagged: None },
            Some(_) => Self::begin(feed, last_read),
        }
    }

    const fn walking(feed: &Feed, knows_released: u64, lagged: Option<Option<u64>>) -> Self {
        Self { position: feed.last, walk: Some(Walk { met: 0, end: feed.last, knows_released }), lagged }
    }

    /// Reads on; true when the reader has lagged behind since the last time.
    pub(super) fn read(&mut self, feed: &Feed, limit: usize, into: &mut Vec<Delivery>) -> bool {
        let fell_out = self.position + 1 < feed.first();
        if fell_out {
            self.lagged = Some(Some(feed.last - self.position));
            let known = self.walk.as_ref().map_or(self.position, |walk| walk.knows_released.min(self.position));
            let met = self.walk.as_ref().map_or(0, |walk| walk.met);
            self.walk = Some(Walk { met, end: feed.last, knows_released: known });
            self.position = feed.last;
        }
        if let Some(missed) = self.lagged.take() {
            into.push(Delivery { number: None, event: Happening::Lagged(missed) });
        }
        self.follow(feed, limit, into);
        if self.position == feed.last && into.len() < limit {
            self.walk_on(feed, limit, into);
        }
        fell_out
    }

    /// Reads what the ring holds.
    fn follow(&mut self, feed: &Feed, limit: usize, into: &mut Vec<Delivery>) {
        let first = feed.first();
        while self.position < feed.last && into.len() < limit {
            let Some(kept) = feed.ring.get((self.position + 1 - first) as usize) else { return };
            self.position += 1;
            let event = match &self.walk {
                Some(walk) if walk.has_not_met(kept) => kept.event.as_first(),
                Some(_) | None => kept.event.clone(),
            };
            into.push(Delivery { number: self.walk.is_none().then_some(self.position), event });
        }
    }

    /// Meets the next agents. Everything in the ring has been read, so their present values are as of now.
    fn walk_on(&mut self, feed: &Feed, limit: usize, into: &mut Vec<Delivery>) {
        let Some(walk) = &mut self.walk else { return };
        let rest = (Bound::Excluded(walk.met), Bound::Included(walk.end.max(walk.met)));
        let mut rest = feed.order.range(rest);
        while into.len() < limit {
            let Some((&number, uri)) = rest.next() else {
                // From here on the reader can come back to where it is: the last one of the walk says where that is.
                if let Some(last) = into.last_mut() {
                    last.number = Some(self.position);
                }
                self.walk = None;
                return;
            };
            walk.met = number;
            let Some(known) = feed.agents.get(uri) else { continue };
            // Whoever is asked for again was let go before, and not every reader has heard of that.
            let let_go = matches!(known.what, Knowledge::Released | Knowledge::Asked);
            if !let_go || number > walk.knows_released {
                into.push(Delivery { number: None, event: known.what.told(uri) });
            }
        }
    }
}

impl Walk {
    /// True for an event of an agent that the walk would have come to later.
    const fn has_not_met(&self, kept: &Kept) -> bool {
        self.met < kept.before && kept.before <= self.end
    }
}

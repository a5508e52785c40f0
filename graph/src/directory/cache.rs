//! What is known of names already.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ObjectId;

/// The most names that are remembered.
pub(super) const MOST_NAMES: usize = 200_000;

/// Names with their users, or with the knowledge that there is none, each for a while. The oldest ones make room.
#[derive(Debug)]
pub(super) struct Cache {
    entries: BTreeMap<Arc<str>, Entry>,
    /// Names without a user, and with one, in the order in which they run out: within each all live equally long.
    order: [VecDeque<(Instant, Arc<str>)>; 2],
    most: usize,
}

#[derive(Debug)]
struct Entry {
    user: Option<ObjectId>,
    until: Instant,
}

impl Cache {
    /// Remembers at most this many names.
    pub(super) const fn new(most: usize) -> Self {
        Self { entries: BTreeMap::new(), order: [VecDeque::new(), VecDeque::new()], most }
    }

    /// Which user has this name: none when there is no such user, nothing when it is not known.
    pub(super) fn get(&self, now: Instant, name: &str) -> Option<Option<ObjectId>> {
        self.entries.get(name).filter(|entry| now < entry.until).map(|entry| entry.user)
    }

    /// Remembers it for this long. Names with a user are to be given the same life always, and so are those without.
    pub(super) fn put(&mut self, now: Instant, name: &Arc<str>, user: Option<ObjectId>, life: Duration) {
        if life.is_zero() {
            return;
        }
        let until = now + life;
        self.entries.insert(Arc::clone(name), Entry { user, until });
        self.order[usize::from(user.is_some())].push_back((until, Arc::clone(name)));
        for kind in 0..2 {
            while self.order[kind].front().is_some_and(|(until, _)| *until <= now) || self.order[kind].len() > self.most
            {
                self.drop_oldest(kind);
            }
        }
        while self.entries.len() > self.most {
            // Rather one without a user, unless it is the only one.
            self.drop_oldest(usize::from(self.order[0].len() < 2 && !self.order[1].is_empty()));
        }
    }

    /// The names that are known now, from this one on, each with its user and until when that is taken for true.
    pub(super) fn known<'a>(
        &'a self,
        now: Instant,
        start: Bound<&'a str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, Option<ObjectId>, Instant)> + 'a {
        let entries = self.entries.range::<str, _>((start, Bound::Unbounded));
        entries.filter(move |(_, entry)| now < entry.until).map(|(name, entry)| (name, entry.user, entry.until))
    }

    /// How many names are kept, and how many turns of names.
    pub(super) fn len(&self) -> usize {
        self.entries.len() + self.order.iter().map(VecDeque::len).sum::<usize>()
    }

    /// Forgets it.
    pub(super) fn remove(&mut self, name: &str) {
        self.entries.remove(name);
    }

    fn drop_oldest(&mut self, kind: usize) {
        let Some((until, name)) = self.order[kind].pop_front() else { return };
        // It may have been learned again since.
        if self.entries.get(&name).is_some_and(|entry| entry.until == until && entry.user.is_some() == (kind == 1)) {
            self.entries.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::tests::start;

    const DAY: Duration = Duration::from_secs(86_400);
    const SOON: Duration = Duration::from_secs(900);

    fn name(number: usize) -> Arc<str> {
        format!("user{number}@domain.com").into()
    }

    #[test]
    fn what_is_known_is_known_for_its_time() {
        let now = start();
        let mut cache = Cache::new(10);
        cache.put(now, &name(1), Some(ObjectId::new([1; 16])), DAY);
        cache.put(now, &name(2), None, SOON);
        assert_eq!(cache.get(now + SOON / 2, &name(2)), Some(None));
        assert_eq!(cache.get(now + SOON, &name(2)), None);
        assert_eq!(cache.get(now + SOON, &name(1)), Some(Some(ObjectId::new([1; 16]))));
        assert_eq!(cache.get(now + DAY, &name(1)), None);
        cache.remove(&name(1));
        assert_eq!(cache.get(now, &name(1)), None);
    }

    #[test]
    fn it_never_holds_more_than_it_may_and_drops_the_oldest() {
        let now = start();
        let mut cache = Cache::new(10);
        for number in 0..1_000 {
            let user = (number % 3 != 0).then(|| ObjectId::new([7; 16]));
            cache.put(now, &name(number), user, if user.is_some() { DAY } else { SOON });
            assert!(cache.entries.len() <= 10 && cache.order.iter().all(|order| order.len() <= 10));
            assert!(cache.get(now, &name(number)).is_some(), "the newest is known");
        }
        for number in 0..1_000 {
            cache.put(now, &name(1), Some(ObjectId::new([7; 16])), DAY + Duration::from_secs(number));
            cache.remove(&name(1));
            assert!(cache.order[1].len() <= 10);
        }
    }
}

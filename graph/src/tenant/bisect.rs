//! Which user of a batch makes Microsoft refuse the whole of it.

use std::collections::BTreeMap;

use presence_core::Failure;

use super::exchanges::Why;
use crate::ObjectId;

/// So many requests are spent at most to find out.
const MOST_REQUESTS: u32 = 64;

/// Names a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BisectId(u32);

/// One search.
#[derive(Debug)]
struct Bisect {
    /// What the refused request was for.
    origin: Why,
    whole: usize,
    queue: Vec<Vec<ObjectId>>,
    under_way: u32,
    sent: u32,
    /// A part was answered: not everything is refused.
    any_good: bool,
    bad: Vec<ObjectId>,
    failure: Failure,
}

/// What a search has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) origin: Why,
    /// The users that are refused; none when everything is.
    pub(super) bad: Vec<ObjectId>,
    pub(super) failure: Failure,
    /// Nothing is wrong with any one of them: all is refused, or it was not found out.
    pub(super) is_inconclusive: bool,
}

/// The searches that are under way.
#[derive(Debug, Default)]
pub(super) struct Bisects {
    searches: BTreeMap<BisectId, Bisect>,
    next: u32,
}

impl Bisects {
    /// A request with these users was refused. A verdict at once when it had only one.
    pub(super) fn begin(&mut self, users: &[ObjectId], origin: Why, failure: Failure) -> Option<Verdict> {
        if let [only] = users {
            return Some(Verdict { origin, bad: vec![*only], failure, is_inconclusive: false });
        }
        let id = BisectId(self.next);
        self.next = self.next.wrapping_add(1);
        let queue = halves(users);
        let whole = users.len();
        let search = Bisect { origin, whole, queue, under_way: 0, sent: 0, any_good: false, bad: Vec::new(), failure };
        self.searches.insert(id, search);
        None
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.searches.len()
    }

    /// True when a part is to be asked for.
    pub(super) fn is_due(&self) -> bool {
        self.searches.values().any(|search| !search.queue.is_empty())
    }

    /// The next part to ask for.
    pub(super) fn next(&mut self) -> Option<(BisectId, Vec<ObjectId>)> {
        let (id, search) = self.searches.iter_mut().find(|(_, search)| !search.queue.is_empty())?;
        let part = search.queue.pop()?;
        search.under_way += 1;
        search.sent += 1;
        Some((*id, part))
    }

    /// A part was answered, or refused. The verdict, once there is one.
    pub(super) fn answered(&mut self, id: BisectId, users: &[ObjectId], is_good: bool) -> Option<Verdict> {
        let search = self.searches.get_mut(&id)?;
        search.under_way -= 1;
        match users {
            _ if is_good => search.any_good = true,
            [] => {}
            [only] => search.bad.push(*only),
            _ => search.queue.extend(halves(users)),
        }
        if search.sent >= MOST_REQUESTS {
            search.queue.clear();
        }
        (search.queue.is_empty() && search.under_way == 0).then(|| self.conclude(id)).flatten()
    }

    /// A part could not be asked for: the search ends without a result.
    pub(super) fn abandon(&mut self, id: BisectId) -> Option<Verdict> {
        let search = self.searches.remove(&id)?;
        Some(Verdict { origin: search.origin, bad: Vec::new(), failure: search.failure, is_inconclusive: true })
    }

    fn conclude(&mut self, id: BisectId) -> Option<Verdict> {
        let Bisect { origin, whole, any_good, bad, failure, .. } = self.searches.remove(&id)?;
        let is_inconclusive = !any_good && whole > 1;
        Some(Verdict { origin, bad: if is_inconclusive { Vec::new() } else { bad }, failure, is_inconclusive })
    }
}

fn halves(users: &[ObjectId]) -> Vec<Vec<ObjectId>> {
    let (first, second) = users.split_at(users.len() / 2);
    [first, second].into_iter().filter(|half| !half.is_empty()).map(<[ObjectId]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use presence_core::FailureKind;

    use super::*;

    fn user(number: u16) -> ObjectId {
        let mut bytes = [0; 16];
        bytes[14..].copy_from_slice(&number.to_be_bytes());
        ObjectId::new(bytes)
    }

    /// Searches among 650 users; what was found, and with how many requests.
    fn search(is_bad: impl Fn(ObjectId) -> bool) -> (Verdict, u32) {
        let users: Vec<ObjectId> = (0..650).map(user).collect();
        let mut bisects = Bisects::default();
        let failure = Failure::answered(FailureKind::Transient, 400, "Bad Request");
        assert_eq!(bisects.begin(&users, Why::Fresh, failure), None);
        let mut requests = 0;
        while let Some((id, part)) = bisects.next() {
            requests += 1;
            let good = !part.iter().copied().any(&is_bad);
            if let Some(verdict) = bisects.answered(id, &part, good) {
                assert!(bisects.searches.is_empty());
                return (verdict, requests);
            }
        }
        panic!("every search ends");
    }

    #[test]
    fn one_bad_user_among_650_is_found_with_twenty_requests() {
        for bad in [0, 1, 324, 325, 649] {
            let (verdict, requests) = search(|id| id == user(bad));
            assert_eq!((verdict.bad, verdict.is_inconclusive), (vec![user(bad)], false));
            assert!(requests <= 20, "{requests}");
        }
    }

    #[test]
    fn several_bad_users_are_found_together() {
        let (verdict, _) = search(|id| id == user(3) || id == user(500));
        assert_eq!(verdict.bad.len(), 2);
    }

    #[test]
    fn when_everything_is_refused_nobody_is_to_blame_and_it_ends() {
        let (verdict, requests) = search(|_| true);
        assert_eq!((verdict.bad, verdict.is_inconclusive), (Vec::new(), true));
        assert!(requests <= MOST_REQUESTS, "{requests}");
    }

    #[test]
    fn a_request_for_one_user_needs_no_search() {
        let failure = Failure::answered(FailureKind::Transient, 400, "Bad Request");
        let verdict = Bisects::default().begin(&[user(1)], Why::Fresh, failure).expect("at once");
        assert_eq!((verdict.bad, verdict.is_inconclusive), (vec![user(1)], false));
    }
}

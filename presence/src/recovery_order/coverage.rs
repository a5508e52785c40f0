//! The UCCs, and which of them have an available agent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// After so many in a row who were on their way in vain, a UCC no longer counts on the next one: at night nobody is available,
/// and to sort all that wait for a UCC anew at every answer would take more time than it saves.
const FRUITLESS: u8 = 4;

/// Which UCCs have somebody whom a call can go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How many UCCs want agents.
    pub uccs: usize,
    /// How many of them have an agent that is available for sure.
    pub covered: usize,
    /// How many have none, and one of their agents waits for a token or has just been granted one.
    pub seeking: usize,
    /// How often a UCC that sought one has got one, since the start.
    pub found: u64,
    /// How long these took, all together.
    pub found_after: Duration,
    /// How long the UCC that has sought longest at present has done so.
    pub longest_search: Duration,
}

/// What an agent is for each of its UCCs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// The UCC wants it.
    pub(super) is_member: bool,
    /// It is available for sure.
    pub(super) is_confirmed: bool,
    /// It has a token and no answer yet.
    pub(super) is_on_its_way: bool,
    /// It waits for a token.
    pub(super) is_waiting: bool,
}

/// One UCC.
#[derive(Clone, Debug, Default)]
struct Ucc {
    /// Its agents.
    members: u32,
    /// Those that are available for sure.
    confirmed: u32,
    /// Those that have a token and no answer yet.
    on_their_way: u32,
    /// Those that wait for a token, by their places.
    waiting: BTreeSet<u32>,
    /// How many in a row were on their way and turned out not to be available.
    fruitless: u8,
    /// Since when one of its agents might turn out to be the first that is available.
    seeking_since: Option<Instant>,
}

impl Ucc {
    /// It needs somebody, and nobody is on the way.
    const fn is_bare(&self, foresight: bool) -> bool {
        self.confirmed == 0 && !(foresight && self.on_their_way > 0 && self.fruitless < FRUITLESS)
    }
}

/// One fewer of those that were, one more of those that are.
fn replace(count: &mut u32, before: bool, after: bool) {
    debug_assert!(*count >= u32::from(before), "who is taken out was put in");
    *count = count.saturating_sub(u32::from(before)).saturating_add(u32::from(after));
}

/// All UCCs.
#[derive(Clone, Debug)]
pub(super) struct Uccs {
    uccs: BTreeMap<u32, Ucc>,
    /// Who is on the way counts as somebody until the answer is there.
    foresight: bool,
    found: u64,
    found_after: Duration,
}

impl Uccs {
    pub(super) const fn new(foresight: bool) -> Self {
        Self { uccs: BTreeMap::new(), foresight, found: 0, found_after: Duration::ZERO }
    }

    /// An agent was one thing for a UCC and is another now. When the UCC needs somebody by that, or nobody any more: those that
    /// wait for it in `moved`. A UCC that wants nobody is forgotten.
    pub(super) fn exchange(
        &mut self,
        now: Instant,
        number: u32,
        place: u32,
        before: Part,
        after: Part,
        moved: &mut Vec<u32>,
    ) {
        if before == after {
            return;
        }
        let ucc = self.uccs.entry(number).or_default();
        let was_bare = ucc.is_bare(self.foresight);
        replace(&mut ucc.members, before.is_member, after.is_member);
        replace(&mut ucc.confirmed, before.is_confirmed, after.is_confirmed);
        replace(&mut ucc.on_their_way, before.is_on_its_way, after.is_on_its_way);
        if ucc.confirmed > 0 {
            ucc.fruitless = 0;
        } else if before.is_on_its_way && !after.is_on_its_way {
            ucc.fruitless = ucc.fruitless.saturating_add(1);
        }
        match (before.is_waiting, after.is_waiting) {
            (false, true) => {
                ucc.waiting.insert(place);
            }
            (true, false) => {
                ucc.waiting.remove(&place);
            }
            (true, true) | (false, false) => {}
        }
        if ucc.is_bare(self.foresight) != was_bare {
            moved.extend(&ucc.waiting);
        }
        if ucc.confirmed > 0 {
            if let Some(since) = ucc.seeking_since.take() {
                self.found += 1;
                self.found_after += now.saturating_duration_since(since);
            }
        } else if ucc.waiting.is_empty() && ucc.on_their_way == 0 {
            ucc.seeking_since = None;
        } else {
            ucc.seeking_since.get_or_insert(now);
        }
        if ucc.members == 0 {
            self.uccs.remove(&number);
        }
    }

    /// How many UCCs look for their first available agent.
    pub(super) fn seeking(&self) -> usize {
        self.uccs.values().filter(|ucc| ucc.seeking_since.is_some()).count()
    }

    /// How many of these UCCs need somebody.
    pub(super) fn bare(&self, numbers: &[u32]) -> usize {
        let is_bare = |number: &&u32| self.uccs.get(number).is_some_and(|ucc| ucc.is_bare(self.foresight));
        numbers.iter().filter(is_bare).count()
    }

    pub(super) fn coverage(&self, now: Instant) -> Coverage {
        let mut coverage =
            Coverage { uccs: self.uccs.len(), found: self.found, found_after: self.found_after, ..Coverage::default() };
        for ucc in self.uccs.values() {
            coverage.covered += usize::from(ucc.confirmed > 0);
            if let Some(since) = ucc.seeking_since {
                coverage.seeking += 1;
                coverage.longest_search = coverage.longest_search.max(now.saturating_duration_since(since));
            }
        }
        coverage
    }
}

//! Those that wait, by how much a token for each of them is worth.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::likelihood::Vintage;
use crate::TokenClass;

/// Worths fade, and are reckoned anew so often.
const REVALUED_EVERY: Duration = Duration::from_secs(60);

/// What decides what a token for an agent is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    pub(super) vintage: Vintage,
    /// How many of its UCCs have nobody.
    pub(super) bare: u8,
    /// How many UCCs want it; one for who has not said it.
    pub(super) uccs: u8,
}

impl Shape {
    /// UCCs that get their first available agent by it, and then all its UCCs, as expectations.
    fn worth(self, since_beginning: Duration) -> (f64, f64) {
        let likelihood = self.vintage.likelihood(since_beginning);
        (likelihood * f64::from(self.bare), likelihood * f64::from(self.uccs))
    }
}

/// A worth that sorts before smaller ones. The bits of floats that are not negative sort as the floats do.
type Rank = (Reverse<u64>, Reverse<u64>);

fn rank((bare, uccs): (f64, f64)) -> Rank {
    (Reverse(bare.to_bits()), Reverse(uccs.to_bits()))
}

/// All that wait in one class with one shape.
#[derive(Clone, Copy, Debug)]
struct Crowd {
    count: usize,
    rank: Rank,
}

/// Those that wait: by class, then by worth, then by age.
#[derive(Clone, Debug)]
pub(super) struct Queue<K> {
    beginning: Instant,
    /// When the worths were reckoned.
    valued_at: Duration,
    entries: BTreeMap<(TokenClass, Shape, u64), K>,
    crowds: BTreeMap<(TokenClass, Shape), Crowd>,
    ranked: BTreeSet<(TokenClass, Rank, Shape)>,
}

impl<K> Queue<K> {
    pub(super) const fn new(beginning: Instant) -> Self {
        Self {
            beginning,
            valued_at: Duration::ZERO,
            entries: BTreeMap::new(),
            crowds: BTreeMap::new(),
            ranked: BTreeSet::new(),
        }
    }

    pub(super) const fn beginning(&self) -> Instant {
        self.beginning
    }

    pub(super) fn insert(&mut self, class: TokenClass, shape: Shape, number: u64, key: K) {
        let valued_at = self.valued_at;
        let crowd =
            self.crowds.entry((class, shape)).or_insert_with(|| Crowd { count: 0, rank: rank(shape.worth(valued_at)) });
        crowd.count += 1;
        if crowd.count == 1 {
            self.ranked.insert((class, crowd.rank, shape));
        }
        self.entries.insert((class, shape, number), key);
    }

    pub(super) fn remove(&mut self, class: TokenClass, shape: Shape, number: u64) -> Option<K> {
        let key = self.entries.remove(&(class, shape, number))?;
        if let Some(crowd) = self.crowds.get_mut(&(class, shape)) {
            crowd.count -= 1;
            if crowd.count == 0 {
                self.ranked.remove(&(class, crowd.rank, shape));
                self.crowds.remove(&(class, shape));
            }
        }
        Some(key)
    }

    /// The class of the next one.
    pub(super) fn next_class(&self) -> Option<TokenClass> {
        self.ranked.first().map(|(class, ..)| *class)
    }

    /// Takes out the oldest of those that a token is worth most for.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(TokenClass, u64, K)> {
        self.value(now);
        let &(class, _, shape) = self.ranked.first()?;
        let (&(_, _, number), _) = self.entries.range((class, shape, 0)..).next()?;
        self.remove(class, shape, number).map(|key| (class, number, key))
    }

    /// Reckons all worths anew, once a minute.
    fn value(&mut self, now: Instant) {
        let since_beginning = now.saturating_duration_since(self.beginning);
        if since_beginning < self.valued_at + REVALUED_EVERY {
            return;
        }
        self.valued_at = since_beginning;
        self.ranked.clear();
        for (&(class, shape), crowd) in &mut self.crowds {
            crowd.rank = rank(shape.worth(since_beginning));
            self.ranked.insert((class, crowd.rank, shape));
        }
    }

    /// How many tokens it takes until so many UCCs have found somebody: in the beginning a token is worth several UCCs, in the
    /// end one at most.
    pub(super) fn tokens_to_find(&self, seeking: usize) -> usize {
        let Some(&(_, _, shape)) = self.ranked.first() else { return 0 };
        let likelihood = shape.vintage.likelihood(self.valued_at);
        let best = likelihood * f64::from(shape.bare.max(1));
        let tokens = seeking as f64 * (1.0 / best + 1.0 / likelihood) / 2.0;
        (tokens.ceil() as usize).min(self.len())
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn len_in(&self, class: TokenClass) -> usize {
        let crowds = self.crowds.range((class, Shape::default())..);
        crowds.take_while(|((of, _), _)| *of == class).map(|(_, crowd)| crowd.count).sum()
    }
}

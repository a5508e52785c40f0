//! Who is next among those that wait for a token.

use std::collections::BTreeMap;
use std::time::Instant;

use super::TokenClass;

/// Who waits for tokens, and who of them is next. The most urgent class is always first; within a class it is what the
/// order decides.
pub trait Order<K> {
    /// A request begins to wait; `number` counts the requests, so that a smaller one is older.
    fn put(&mut self, now: Instant, class: TokenClass, number: u64, key: K);

    /// A request waits no more. False when it did not.
    fn take(&mut self, now: Instant, class: TokenClass, number: u64, key: &K) -> bool;

    /// The next one, which waits no more.
    fn next(&mut self, now: Instant) -> Option<K>;

    /// One that [`Order::next`] has named, and that did not want its token any more.
    fn returned(&mut self, _now: Instant, _key: &K) {}

    /// How many wait.
    fn len(&self) -> usize;

    /// True when nobody waits.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of this class wait. Takes time in proportion to the answer.
    fn len_in(&self, class: TokenClass) -> usize;
}

/// Within a class the oldest request first.
#[derive(Clone, Debug)]
pub struct OldestFirst<K> {
    waiting: BTreeMap<(TokenClass, u64), K>,
}

impl<K> Default for OldestFirst<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> OldestFirst<K> {
    /// Nobody waits.
    #[must_use]
    pub const fn new() -> Self {
        Self { waiting: BTreeMap::new() }
    }

    /// How many wait in more urgent classes than this. Takes time in proportion to the answer.
    pub(crate) fn before(&self, class: TokenClass) -> usize {
        self.waiting.range(..(class, 0)).count()
    }

    /// The class of the next one.
    pub(crate) fn next_class(&self) -> Option<TokenClass> {
        self.waiting.first_key_value().map(|((class, _), _)| *class)
    }
}

impl<K> Order<K> for OldestFirst<K> {
    fn put(&mut self, _: Instant, class: TokenClass, number: u64, key: K) {
        self.waiting.insert((class, number), key);
    }

    fn take(&mut self, _: Instant, class: TokenClass, number: u64, _: &K) -> bool {
        self.waiting.remove(&(class, number)).is_some()
    }

    fn next(&mut self, _: Instant) -> Option<K> {
        self.waiting.pop_first().map(|(_, key)| key)
    }

    fn len(&self) -> usize {
        self.waiting.len()
    }

    fn len_in(&self, class: TokenClass) -> usize {
        self.waiting.range((class, 0)..=(class, u64::MAX)).count()
    }
}

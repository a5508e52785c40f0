//! The requests that are under way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use secrecy::SecretString;

use crate::directory::LookupId;
use crate::governor::Pass;
use crate::roster::BatchId;
use crate::{ObjectId, Request};

use super::bisect::BisectId;

/// Beyond its own timeout a request is waited for so long before it is taken for lost.
const GRACE: Duration = Duration::from_secs(5);

/// What a request is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// A token.
    Token,
    /// The presence of users.
    Presence(Asked),
    /// Who a user is.
    Lookup(LookupId),
    /// The change notifications of the account.
    Push,
}

/// Why the presence of users is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It is the batch's turn.
    Turn(BatchId),
    /// Nothing was heard of them yet.
    Fresh,
    /// A notification told that they changed.
    Hint,
    /// A larger request was refused: which of them is it?
    Part(BisectId),
}

/// Whose presence is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// The users, sorted.
    pub(super) users: Vec<ObjectId>,
    pub(super) why: Why,
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) account: usize,
    pub(super) purpose: Purpose,
    pub(super) pass: Pass,
    pub(super) token: Option<SecretString>,
    pub(super) timeout: Duration,
}

impl Exchange {
    pub(super) const fn new(account: usize, purpose: Purpose, request: &Request) -> Self {
        Self { account, purpose, pass: Pass::Ordinary, token: None, timeout: request.timeout }
    }
}

/// The requests that are under way, by number. Each is closed once: by its answer, or when it is overdue.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    open: BTreeMap<u64, Exchange>,
    overdue_at: BTreeMap<Instant, Vec<u64>>,
    next: u64,
    to_graph: usize,
    lookups: usize,
}

impl Exchanges {
    pub(super) fn open(&mut self, now: Instant, exchange: Exchange) -> u64 {
        self.next += 1;
        let number = self.next;
        self.overdue_at.entry(now + exchange.timeout + GRACE).or_default().push(number);
        self.count(&exchange.purpose, 1);
        self.open.insert(number, exchange);
        number
    }

    pub(super) fn close(&mut self, number: u64) -> Option<Exchange> {
        let exchange = self.open.remove(&number)?;
        self.count(&exchange.purpose, -1);
        self.tidy();
        Some(exchange)
    }

    fn count(&mut self, purpose: &Purpose, change: isize) {
        let add = |count: &mut usize| *count = count.saturating_add_signed(change);
        match purpose {
            Purpose::Token => {}
            Purpose::Lookup(_) => {
                add(&mut self.lookups);
                add(&mut self.to_graph);
            }
            Purpose::Presence(_) | Purpose::Push => add(&mut self.to_graph),
        }
    }

    /// The next that is overdue, closed.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<(u64, Exchange)> {
        loop {
            let mut entry = self.overdue_at.first_entry().filter(|entry| *entry.key() <= now)?;
            match entry.get_mut().pop() {
                None => {
                    entry.remove();
                }
                Some(number) => {
                    if let Some(exchange) = self.close(number) {
                        return Some((number, exchange));
                    }
                }
            }
        }
    }

    /// When [`Exchanges::overdue`] is to be asked.
    pub(super) fn timeout(&self) -> Option<Instant> {
        self.overdue_at.first_key_value().map(|(at, _)| *at)
    }

    /// Forgets the deadlines of those that were answered.
    fn tidy(&mut self) {
        while let Some(entry) = self.overdue_at.first_entry() {
            if entry.get().iter().any(|number| self.open.contains_key(number)) {
                break;
            }
            entry.remove();
        }
    }

    /// How many are under way, and how many moments are remembered because of them.
    pub(super) fn len(&self) -> usize {
        self.open.len() + self.overdue_at.values().map(Vec::len).sum::<usize>()
    }

    /// How many are under way to Graph.
    pub(super) const fn to_graph(&self) -> usize {
        self.to_graph
    }

    /// How many of them look users up.
    pub(super) const fn lookups(&self) -> usize {
        self.lookups
    }
}

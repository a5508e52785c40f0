//! What is sent next, and by which account.

use std::time::Instant;

use crate::account::Readiness;
use crate::roster::{BatchId, Pace};
use crate::wire::presence_request;
use crate::{ObjectId, Request};

use super::exchanges::{Asked, Exchange, Purpose, Why};
use super::{Tenant, TenantEffect};

/// So many requests to Graph are under way at most.
const MOST_UNDER_WAY: usize = 8;
/// So many of them look users up at most.
const MOST_LOOKUPS: usize = 4;

/// What a request can be for, the most urgent first; every third request looks users up where some wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Push,
    Part,
    Fresh,
    Hint,
    Batch,
    Lookup,
}

const CLASSES: [Class; 6] = [Class::Push, Class::Part, Class::Fresh, Class::Hint, Class::Batch, Class::Lookup];

/// The account to ask with, or when there may be one; `None`: not before something else happens.
type Choice = Result<usize, Option<Instant>>;

impl Tenant {
    /// Sends one request, if something is due and an account can ask. False when nothing was sent.
    pub(super) fn send_next(&mut self, now: Instant) -> bool {
        if self.exchanges.to_graph() >= MOST_UNDER_WAY {
            return false;
        }
        let lookups_first = self.turns % 3 == 2 && self.try_send(now, Class::Lookup);
        lookups_first || CLASSES.into_iter().any(|class| self.try_send(now, class))
    }

    fn try_send(&mut self, now: Instant, class: Class) -> bool {
        if self.stopping_at.is_some() && class != Class::Push {
            return false;
        }
        match class {
            Class::Push => self.send_push(now),
            Class::Part => {
                let Ok(account) = self.choose(now) else { return false };
                if !self.bisects.is_due() {
                    return false;
                }
                let Some((id, users)) = self.bisects.next() else { return false };
                self.send_presence(now, account, users, Why::Part(id));
                true
            }
            Class::Fresh | Class::Hint => {
                let gather = if class == Class::Hint { &mut self.hints } else { &mut self.fresh };
                if gather.due(now).is_none_or(|due| due > now) {
                    return false;
                }
                let Ok(account) = self.choose(now) else { return false };
                let gather = if class == Class::Hint { &mut self.hints } else { &mut self.fresh };
                let users = gather.take();
                self.send_presence(now, account, users, if class == Class::Hint { Why::Hint } else { Why::Fresh });
                true
            }
            Class::Batch => self.send_batch(now),
            Class::Lookup => {
                if self.exchanges.lookups() >= MOST_LOOKUPS || !self.directory.is_due(now) {
                    return false;
                }
                let Ok(account) = self.choose_for_lookups(now) else { return false };
                let Some((id, request)) = self.directory.next_request(now) else { return false };
                self.counters.directory_requests += 1;
                self.send(now, account, Purpose::Lookup(id), request);
                true
            }
        }
    }

    fn send_push(&mut self, now: Instant) -> bool {
        let may_probe = self.only_push_asks();
        let ready = self.accounts.iter().position(|account| {
            let readiness = account.readiness(now);
            (readiness == Readiness::Ready || may_probe && readiness == Readiness::Probe)
                && account.push.as_ref().is_some_and(|push| push.has_request(now))
        });
        let Some(index) = ready else { return false };
        let Some(request) = self.accounts[index].push.as_mut().and_then(|push| push.next_request(now)) else {
            return false;
        };
        self.counters.subscription_requests += 1;
        self.send(now, index, Purpose::Push, request);
        true
    }

    /// True when nobody is polled: nothing else shows whether an account can ask again.
    fn only_push_asks(&self) -> bool {
        self.roster.is_empty() || self.stopping_at.is_some()
    }

    fn send_batch(&mut self, now: Instant) -> bool {
        let batches = self.roster.batches();
        let turn = Pace::ALL.into_iter().find_map(|pace| batches.turn(now, pace));
        let (batch, in_turn) = match (batches.retry(now), turn) {
            (Some(batch), _) => (batch, false),
            (None, Some(batch)) => (batch, true),
            (None, None) => return false,
        };
        let Ok(account) = self.choose_for_batch(now, batch) else { return false };
        let is_probe = self.accounts[account].readiness(now) == Readiness::Probe;
        if !is_probe {
            self.settle(batch, account);
        }
        let mut users = self.roster.users_of(batch);
        users.sort_unstable();
        self.roster.batches_mut().asked(now, batch, in_turn);
        self.send_presence(now, account, users, Why::Turn(batch));
        true
    }

    fn send_presence(&mut self, now: Instant, account: usize, users: Vec<ObjectId>, why: Why) {
        let mut request = presence_request(&users);
        request.request_id = self.dice.guid();
        self.counters.presence_requests += 1;
        self.send(now, account, Purpose::Presence(Asked { users, why }), request);
    }

    fn send(&mut self, now: Instant, account: usize, purpose: Purpose, mut request: Request) {
        let mut exchange = Exchange::new(account, purpose, &request);
        let sender = &mut self.accounts[account];
        (exchange.pass, exchange.token) = sender.send(now);
        request.bearer.clone_from(&exchange.token);
        self.turns = self.turns.wrapping_add(1);
        let account = sender.name.clone();
        let number = self.exchanges.open(now, exchange);
        self.effects.push_back(TenantEffect::Send { number, account, request });
    }

    /// An account for what is nobody's in particular.
    fn choose(&self, now: Instant) -> Choice {
        self.best(|account| account.readiness(now))
    }

    fn choose_for_lookups(&self, now: Instant) -> Choice {
        let is_idle = self.roster.is_empty();
        self.best(|account| account.readiness_for_lookups(now, is_idle))
    }

    fn best(&self, readiness: impl Fn(&crate::account::Account) -> Readiness) -> Choice {
        let count = self.accounts.len();
        let offset = usize::try_from(self.turns % (count.max(1) as u64)).unwrap_or(0);
        let mut probe = None;
        let mut next: Option<Instant> = None;
        for index in (0..count).map(|index| (index + offset) % count) {
            match readiness(&self.accounts[index]) {
                Readiness::Ready => return Ok(index),
                Readiness::Probe => probe = probe.or(Some(index)),
                Readiness::At(at) | Readiness::Unable(Some(at)) => next = Some(next.map_or(at, |next| next.min(at))),
                Readiness::Unable(None) => {}
            }
        }
        probe.ok_or(next)
    }

    /// The account for a batch: one that is to be tried again, else its own, else the one with the fewest.
    fn choose_for_batch(&self, now: Instant, batch: BatchId) -> Choice {
        let readiness: Vec<Readiness> = self.accounts.iter().map(|account| account.readiness(now)).collect();
        if let Some(probe) = readiness.iter().position(|readiness| *readiness == Readiness::Probe) {
            return Ok(probe);
        }
        let takes_work = |index: &usize| matches!(readiness[*index], Readiness::Ready | Readiness::At(_));
        let loads = self.loads();
        let own = self.roster.batches().get(batch).and_then(|batch| batch.account).filter(takes_work);
        let least = (0..readiness.len()).filter(takes_work).min_by_key(|index| loads[*index]);
        let chosen = match (own, least) {
            (Some(own), Some(least)) if loads[own] > loads[least] + 1 => Some(least),
            (Some(own), _) => Some(own),
            (None, least) => least,
        };
        match chosen.map(|index| (index, readiness[index])) {
            Some((index, Readiness::Ready)) => Ok(index),
            Some((_, Readiness::At(at))) => Err(Some(at)),
            _ => self.best(|account| account.readiness(now)),
        }
    }

    /// How many batches each account has.
    pub(super) fn loads(&self) -> Vec<usize> {
        let mut loads = vec![0; self.accounts.len()];
        for account in self.roster.batches().iter().filter_map(|batch| batch.account) {
            loads[account] += 1;
        }
        loads
    }

    /// The batch is this account's from now on.
    fn settle(&mut self, batch: BatchId, account: usize) {
        if let Some(batch) = self.roster.batches_mut().get_mut(batch) {
            batch.account = Some(account);
        }
    }

    /// When [`Tenant::handle_timeout`] is to be called, after [`Tenant::drive`].
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let accounts = self.accounts.iter().map(crate::account::Account::poll_timeout);
        let own = [self.exchanges.timeout(), self.doubt_at, self.push_check_at];
        let work = CLASSES.into_iter().map(|class| self.next_of(now, class));
        accounts.chain(own).chain(work).flatten().min()
    }

    /// When something of this class can be sent; `None` when that needs an answer, a token or an agent first.
    fn next_of(&self, now: Instant, class: Class) -> Option<Instant> {
        let is_full = self.exchanges.to_graph() >= MOST_UNDER_WAY;
        if is_full || (self.stopping_at.is_some() && class != Class::Push) {
            return None;
        }
        let then = |due: Option<Instant>, choice: &dyn Fn() -> Choice| match due? {
            due if due > now => Some(due),
            _ => choice().err().flatten(),
        };
        match class {
            Class::Push => {
                let waiting = self
                    .accounts
                    .iter()
                    .filter(|account| account.push.as_ref().is_some_and(|push| push.has_request(now)));
                let may_probe = self.only_push_asks();
                let at = waiting.filter_map(|account| match account.readiness(now) {
                    Readiness::At(at) => Some(at),
                    Readiness::Unable(at) if may_probe => at,
                    Readiness::Ready | Readiness::Probe | Readiness::Unable(_) => None,
                });
                at.min()
            }
            Class::Part => then(self.bisects.is_due().then_some(now), &|| self.choose(now)),
            Class::Fresh => then(self.fresh.due(now), &|| self.choose(now)),
            Class::Hint => then(self.hints.due(now), &|| self.choose(now)),
            Class::Batch => {
                let due = self.roster.batches().due(now);
                then(due, &|| match self.next_batch(now) {
                    Some(batch) => self.choose_for_batch(now, batch),
                    None => Err(None),
                })
            }
            Class::Lookup if self.exchanges.lookups() >= MOST_LOOKUPS => None,
            Class::Lookup => then(self.directory.poll_timeout(), &|| self.choose_for_lookups(now)),
        }
    }

    fn next_batch(&self, now: Instant) -> Option<BatchId> {
        let batches = self.roster.batches();
        batches.retry(now).or_else(|| Pace::ALL.into_iter().find_map(|pace| batches.turn(now, pace)))
    }
}

//! Whether a tenant can be asked, and what operators see of it.

use std::time::{Duration, Instant};

use presence_core::Failure;

use crate::account::Ability;
use crate::roster::Pace;
use crate::{Report, TenantView};

use super::{Tenant, TenantEffect};

/// Beyond three sweeps an answer is vouched for so long; an answer is looked for that often at least.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a tenant is.
#[derive(Debug)]
pub(super) enum Health {
    /// It was never asked.
    Unknown { answered: bool },
    /// It is asked and answers.
    Up,
    /// It cannot be asked. `answered`: it was, since.
    Down { answered: bool },
}

/// The health, and what went wrong last.
#[derive(Debug)]
pub(super) struct Standing {
    health: Health,
    last_failure: Option<Failure>,
    retry_at: Option<Instant>,
}

impl Standing {
    pub(super) const fn new() -> Self {
        Self { health: Health::Unknown { answered: false }, last_failure: None, retry_at: None }
    }

    /// A request for presence was answered.
    pub(super) const fn answered(&mut self) {
        match &mut self.health {
            Health::Unknown { answered } | Health::Down { answered } => *answered = true,
            Health::Up => {}
        }
    }

    /// Something went wrong that no account and no agent is to blame for.
    pub(super) fn note(&mut self, failure: Failure) {
        self.last_failure = Some(failure);
    }
}

impl Tenant {
    /// Is the tenant up or down by now? Tells when that has changed.
    pub(super) fn judge(&mut self, now: Instant) {
        let abilities: Vec<Ability> = self.accounts.iter().map(|account| account.ability(now)).collect();
        let is_able = abilities.contains(&Ability::Able);
        let none_can = !abilities.is_empty() && abilities.iter().all(|ability| *ability == Ability::Unable);
        if none_can {
            let failing = self.accounts.iter().filter_map(|account| account.trouble(now));
            if let Some((failure, retry_at)) = failing.min_by_key(|(_, retry_at)| *retry_at) {
                self.standing.last_failure = Some(failure);
                self.standing.retry_at = Some(retry_at);
            }
            for batch in self.roster.batches_mut().iter_mut() {
                batch.retry_at = None;
            }
        }
        let agents = self.roster.len();
        match self.standing.health {
            Health::Up | Health::Unknown { .. } if none_can => self.go_down(now, agents),
            Health::Unknown { answered } | Health::Down { answered }
                if is_able && (answered || self.roster.is_empty()) =>
            {
                self.standing.health = Health::Up;
                self.standing.retry_at = None;
                let report = Report::TenantUp { tenant: self.id.clone(), agents };
                self.effects.push_back(TenantEffect::Report(report));
            }
            Health::Up => {}
            Health::Unknown { ref mut answered } | Health::Down { ref mut answered } => *answered = false,
        }
    }

    fn go_down(&mut self, now: Instant, agents: usize) {
        self.standing.health = Health::Down { answered: false };
        let Some(failure) = self.standing.last_failure.clone() else { return };
        let retry_at = self.standing.retry_at.unwrap_or(now);
        let report = Report::TenantDown { tenant: self.id.clone(), agents, failure, retry_at };
        self.effects.push_back(TenantEffect::Report(report));
        self.effects.push_back(TenantEffect::Down);
        self.doubt(now, true);
    }

    /// True when it cannot be asked.
    pub(crate) const fn is_down(&self) -> bool {
        matches!(self.standing.health, Health::Down { .. })
    }

    /// Doubts those whose last answer is too old, or all.
    pub(super) fn doubt(&mut self, now: Instant, all: bool) {
        let (doubted, next) = self.roster.doubt(now, all);
        self.doubt_at = next;
        // They are not left waiting for a slow turn: they are asked for as soon as an account can.
        for user in self.roster.doubted(Pace::Slow) {
            self.fresh.add(now, user);
        }
        self.effects.extend(doubted.into_iter().map(|uri| TenantEffect::Doubted { uri }));
    }

    /// Somebody was heard, and is not vouched for for ever.
    pub(super) fn expect_doubt(&mut self, now: Instant) {
        if !self.roster.is_empty() {
            self.doubt_at.get_or_insert(now + self.sweep * 3 + PATIENCE);
        }
    }

    /// How it looks to an operator.
    pub(crate) fn view(&self, now: Instant) -> TenantView {
        let loads = self.loads();
        let batches = self.roster.batches();
        let answered = batches.iter().map(|batch| batch.answered_at).min().flatten();
        let rate = self.requests_per_second.get() * u32::try_from(self.accounts.len().max(1)).unwrap_or(u32::MAX);
        let fast = u32::try_from(batches.len_of(Pace::Fast)).unwrap_or(u32::MAX);
        let least = Duration::from_secs(1).saturating_mul(fast) / rate.max(1);
        TenantView {
            id: self.id.clone(),
            up: matches!(self.standing.health, Health::Up),
            last_failure: self.standing.last_failure.clone(),
            retry_at: self.standing.retry_at.filter(|_| self.is_down()),
            agents: self.roster.len(),
            looking_up: self.directory.waiting(),
            batches: batches.len(),
            sweep: self.sweep.max(least),
            swept_at: answered,
            accounts: self.accounts.iter().zip(loads).map(|(account, load)| account.view(now, load)).collect(),
        }
    }
}

//! Microsoft Graph as an operator sees it: what must be remembered from one look to the next, and its words.

pub(in crate::http) mod news;
mod told;
pub(super) mod verdict;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_core::Failure;
use presence_graph::{AccountState, AccountView, GraphView, PushState, Report, TenantView};

use super::words::Clock;
use crate::http::model;

/// So long may all tenants be out of reach before the source counts as not ready: its agents keep their last values, and
/// Microsoft asking for a pause is no reason to take the service out of a load balancer.
const UNREADY_AFTER: Duration = Duration::from_secs(30);
/// Agents may be without an answer for so long before that is a trouble: they are looked up and asked for in the meantime.
const UNHEARD_FOR: Duration = Duration::from_secs(15);

/// A failure in few words: without the numbers for Microsoft's support, which the log and the details have.
pub(in crate::http) fn brief(failure: &Failure) -> String {
    let text = failure.to_string();
    let end = [" Trace ID:", " (request-id "].iter().filter_map(|mark| text.find(mark)).min().unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ' ']).to_owned()
}

/// One tenant, as far as it matters to the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TenantStanding {
    /// TenantId.
    pub(super) id: Arc<str>,
    /// It is asked and answers, or nobody wants anything of it.
    pub(super) is_up: bool,
    /// It has been up before.
    pub(super) was_up: bool,
    /// Since when it is up, or down.
    pub(super) since: Instant,
    /// How many agents it has.
    pub(super) agents: usize,
    /// Why it is down.
    pub(super) why: Option<String>,
    /// When it is tried again.
    pub(super) retry_at: Option<Instant>,
}

/// An account that needs a look although its tenant may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AccountTrouble {
    /// Its `Id`.
    pub(super) account: Arc<str>,
    /// What it is.
    pub(super) what: Trouble,
}

/// What an account can suffer from that somebody should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It cannot be used, and only a person can mend that.
    NeedsAPerson(Option<String>),
    /// It cannot be used, and is tried again by itself.
    Failed(String),
    /// Another process has its change notifications.
    Contested,
}

/// What is remembered of Microsoft Graph.
#[derive(Debug)]
pub(super) struct GraphMemory {
    started: Instant,
    tenants: Vec<TenantStanding>,
    accounts: Vec<AccountTrouble>,
    /// Accounts that were said to need a person, until they work.
    persons: BTreeSet<Arc<str>>,
    unheard_since: Option<Instant>,
}

impl GraphMemory {
    pub(super) const fn new(started: Instant) -> Self {
        Self { started, tenants: Vec::new(), accounts: Vec::new(), persons: BTreeSet::new(), unheard_since: None }
    }

    /// Something was said between two looks.
    pub(super) fn reported(&mut self, report: &Report) {
        match report {
            Report::AccountFailed { account, needs_a_person: true, .. } => {
                self.persons.insert(Arc::clone(account));
            }
            Report::AccountFailed { account, .. } | Report::AccountUp { account } => {
                self.persons.remove(account);
            }
            Report::TenantUp { .. }
            | Report::TenantDown { .. }
            | Report::Throttled { .. }
            | Report::UnknownValue { .. }
            | Report::Push { .. }
            | Report::PushTooSmall { .. }
            | Report::ClockSkew { .. } => {}
        }
    }

    /// Takes a look; `unheard` agents have no fresh answer.
    pub(super) fn look(&mut self, now: Instant, view: Option<&GraphView>, unheard: usize) {
        let tenants = view.map_or(&[][..], |view| &view.tenants);
        for tenant in tenants {
            self.stand(now, tenant);
        }
        self.tenants.retain(|standing| tenants.iter().any(|tenant| tenant.id == standing.id));
        let accounts = tenants.iter().flat_map(|tenant| tenant.accounts.iter().map(move |account| (tenant, account)));
        self.accounts = accounts.filter_map(|(tenant, account)| self.trouble(tenant, account)).collect();
        self.unheard_since = (unheard > 0).then(|| self.unheard_since.unwrap_or(now));
    }

    fn stand(&mut self, now: Instant, view: &TenantView) {
        // Without agents there is nothing to ask, and what is not asked has not failed.
        let is_up = view.up || (view.agents + view.looking_up == 0 && view.last_failure.is_none());
        let why = view.last_failure.as_ref().map(brief).filter(|_| !is_up);
        let (agents, retry_at) = (view.agents, view.retry_at);
        match self.tenants.iter_mut().find(|standing| standing.id == view.id) {
            Some(standing) => {
                if standing.is_up != is_up {
                    (standing.is_up, standing.since) = (is_up, now);
                }
                standing.was_up |= is_up;
                (standing.agents, standing.why, standing.retry_at) = (agents, why, retry_at);
            }
            None => {
                let since = if is_up { now } else { self.started };
                let id = Arc::clone(&view.id);
                self.tenants.push(TenantStanding { id, is_up, was_up: is_up, since, agents, why, retry_at });
            }
        }
    }

    fn trouble(&self, tenant: &TenantView, view: &AccountView) -> Option<AccountTrouble> {
        let contested = view.push.as_ref().is_some_and(|push| push.state == PushState::Contested);
        let what = match &view.state {
            AccountState::Failed { failure, .. } if self.persons.contains(&view.name) => {
                // What the tenant says already need not be said again.
                let is_said = !tenant.up && tenant.last_failure.as_ref() == Some(failure);
                Trouble::NeedsAPerson((!is_said).then(|| brief(failure)))
            }
            AccountState::Failed { failure, .. } if tenant.up => Trouble::Failed(brief(failure)),
            AccountState::Starting | AccountState::Working if contested => Trouble::Contested,
            AccountState::Starting | AccountState::Working | AccountState::Failed { .. } => return None,
        };
        Some(AccountTrouble { account: Arc::clone(&view.name), what })
    }

    /// True when agents have been without an answer for longer than looking them up takes.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.unheard_since.is_some_and(|since| now >= since + UNHEARD_FOR)
    }

    /// The tenants.
    pub(super) fn tenants(&self) -> &[TenantStanding] {
        &self.tenants
    }

    /// Accounts that somebody should look at.
    pub(super) fn accounts(&self) -> &[AccountTrouble] {
        &self.accounts
    }

    /// Whether the source can serve its agents.
    ///
    /// # Errors
    /// Why it cannot: no tenant was ever asked, or none could be for half a minute.
    pub(super) fn ready(&self, now: Instant) -> Result<(), String> {
        let is_fine =
            |standing: &TenantStanding| standing.is_up || (standing.was_up && now < standing.since + UNREADY_AFTER);
        if self.tenants.is_empty() || self.tenants.iter().any(is_fine) {
            return Ok(());
        }
        let why: Vec<_> = self
            .tenants
            .iter()
            .map(|standing| format!("{}: {}", standing.id, standing.why.as_deref().unwrap_or("not answered yet")))
            .collect();
        Err(format!("no tenant can be asked: {}", why.join("; ")))
    }

    /// The tenants as the API tells them.
    pub(super) fn told(&self, now: Instant, view: &GraphView, clock: Clock<'_>) -> Vec<model::GraphTenant> {
        let since = |id: &str| self.tenants.iter().find(|one| *one.id == *id).map(|one| one.since);
        let needs = |account: &str| self.persons.contains(account);
        let teller = told::Teller { now, clock, since: &since, needs_a_person: &needs };
        view.tenants.iter().map(|tenant| teller.tenant(tenant)).collect()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

//! Microsoft Graph in the verdict: what is down, and what needs a look.

use std::time::{Duration, Instant};

use super::super::words::{Clock, counted, spoken};
use super::{AccountTrouble, GraphMemory, TenantStanding, Trouble};

/// Microsoft is given so long to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far the source as a whole is from serving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http::observatory) enum Reach {
    /// At least one tenant is asked, or the source is switched off.
    Some,
    /// None has been asked yet, and that is no wonder.
    NotYet,
    /// None can be asked. What a person reads.
    None(String),
}

/// Whether any tenant is asked.
#[must_use]
pub(in crate::http::observatory) fn reach(graph: &GraphMemory, now: Instant, clock: Clock<'_>) -> Reach {
    let tenants = graph.tenants();
    if tenants.is_empty() || tenants.iter().any(|tenant| tenant.is_up) {
        return Reach::Some;
    }
    if tenants.iter().all(|tenant| is_new(tenant, now)) {
        return Reach::NotYet;
    }
    match tenants {
        [only] => Reach::None(down(only, now, clock)),
        many => {
            let sentences: Vec<_> = many.iter().map(|tenant| down(tenant, now, clock)).collect();
            Reach::None(format!("No tenant of Microsoft Graph can be asked. {}", sentences.join(" ")))
        }
    }
}

/// At the start it may take a while.
fn is_new(tenant: &TenantStanding, now: Instant) -> bool {
    !tenant.was_up && now < tenant.since + PATIENCE
}

/// What needs a look although some tenant is asked, a sentence each; and accounts, whatever the tenants are.
pub(in crate::http::observatory) fn troubles(
    graph: &GraphMemory,
    now: Instant,
    clock: Clock<'_>,
) -> impl Iterator<Item = String> {
    let tenants = graph.tenants();
    let some_up = tenants.iter().any(|tenant| tenant.is_up);
    let is_down = move |tenant: &&TenantStanding| some_up && !tenant.is_up && !is_new(tenant, now);
    let tenants = tenants.iter().filter(is_down).map(move |tenant| down(tenant, now, clock));
    tenants.chain(graph.accounts().iter().map(account))
}

/// `Tenant contoso cannot be asked since 14:05:49 (401 ...): its 8 agents keep their last presence as stale; ...`
fn down(tenant: &TenantStanding, now: Instant, clock: Clock<'_>) -> String {
    let since = clock(tenant.since);
    let what = match tenant.was_up {
        true => format!("Tenant {} cannot be asked since {since}", tenant.id),
        false => format!("Tenant {} has not answered since the start at {since}", tenant.id),
    };
    let why = tenant.why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
    let agents = match (tenant.agents, tenant.was_up) {
        (0, _) => String::new(),
        (1, true) => ": its agent keeps its last presence as stale".to_owned(),
        (1, false) => ": its agent is unknown".to_owned(),
        (many, true) => format!(": its {} keep their last presence as stale", counted(many, "agent")),
        (many, false) => format!(": its {} are unknown", counted(many, "agent")),
    };
    let next = tenant.retry_at.map(|at| match at.saturating_duration_since(now) {
        Duration::ZERO => "; it is being tried now".to_owned(),
        left => format!("; next attempt in {}", spoken(left)),
    });
    format!("{what}{why}{agents}{}.", next.unwrap_or_default())
}

fn account(AccountTrouble { account, what }: &AccountTrouble) -> String {
    match what {
        Trouble::NeedsAPerson(None) => format!("Account {account} needs a person."),
        Trouble::NeedsAPerson(Some(why)) => format!("Account {account} needs a person: {why}."),
        Trouble::Failed(why) => format!("Account {account} cannot be used, and is tried again by itself: {why}."),
        Trouble::Contested => {
            format!(
                "The change notifications of account {account} belong to another process; its agents are asked for."
            )
        }
    }
}

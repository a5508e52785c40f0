//! Why the presence of a Teams agent is as it is, in words.

use presence_actors::AgentView;
use presence_core::{EndedBy, Failure, FailureKind, Freshness, SubscriptionState, SubscriptionView};
use presence_graph::{GraphAgentView, TenantView};

use super::why::{Circumstances, meanwhile};
use crate::http::observatory::graph::brief;
use crate::http::observatory::{counted, spoken};

/// Of an agent that Microsoft Graph is asked for.
#[must_use]
pub(super) fn asked(subscription: &SubscriptionView, agent: &AgentView, circumstances: &Circumstances<'_>) -> String {
    let failure = subscription.last_failure.as_ref();
    let because = failure.map(|failure| format!(": {}", told(failure))).unwrap_or_default();
    let after = match subscription.failures {
        0 => String::new(),
        failures => format!(" after {}{because}", counted(failures as usize, "failure")),
    };
    let sentence = match subscription.state {
        SubscriptionState::Idle => return "No queue asks for it.".to_owned(),
        SubscriptionState::Withdrawing | SubscriptionState::Releasing | SubscriptionState::Unsubscribing => {
            return "No queue asks for it any more; it is being let go.".to_owned();
        }
        SubscriptionState::Active => active(agent, circumstances),
        SubscriptionState::WaitingForEndpoint => {
            let next = subscription.next_retry.map(|at| format!("; next attempt {}", circumstances.at(at)));
            format!("Waits until Microsoft Graph can be asked{because}{}.", next.unwrap_or_default())
        }
        SubscriptionState::AwaitingToken => format!("Waits for its turn to be asked for (AgentsPerSecond){after}."),
        SubscriptionState::Subscribing => format!("Is about to be asked for at Microsoft Graph{after}."),
        SubscriptionState::BackingOff => backing_off(subscription, circumstances),
        SubscriptionState::Abandoned => {
            format!("Given up{after}; it is not tried again until it is revived or the service is started anew.")
        }
    };
    format!(
        "{sentence}{}",
        if subscription.state == SubscriptionState::Active {
            String::new()
        } else {
            meanwhile(&agent.presence, circumstances)
        }
    )
}

/// A failure of its own, and when it is tried again.
fn backing_off(subscription: &SubscriptionView, circumstances: &Circumstances<'_>) -> String {
    let next = subscription.next_retry.map(|at| circumstances.at(at));
    let failures = counted(subscription.failures as usize, "failure");
    match &subscription.last_failure {
        Some(failure) if failure.kind == FailureKind::NotFound => {
            let next = next.map(|next| format!("; it is looked up again {next}")).unwrap_or_default();
            format!("Not known in any tenant: {}{next} (after {failures}).", told(failure))
        }
        failure => {
            let because = failure.as_ref().map(|failure| format!(": {}", told(failure))).unwrap_or_default();
            let next = next.map(|next| format!("; next attempt {next}")).unwrap_or_default();
            format!("Backing off after {failures}{because}{next}.")
        }
    }
}

/// The machine has it: whatever it fails by is not the agent's.
fn active(agent: &AgentView, circumstances: &Circumstances<'_>) -> String {
    let presence = &agent.presence;
    let Some(graph) = &agent.graph else {
        return format!("Asked for at Microsoft Graph.{}", meanwhile(presence, circumstances));
    };
    let tenant = graph.tenant.as_ref().and_then(|id| circumstances.tenants.iter().find(|tenant| tenant.id == *id));
    if graph.object_id.is_none() {
        return format!("{}{}", looking_up(graph, tenant, circumstances), meanwhile(presence, circumstances));
    }
    let of = graph.tenant.as_ref().map(|id| format!(" of tenant {id}")).unwrap_or_default();
    let heard = graph.heard_at.map(|at| {
        let ago = spoken(circumstances.now.saturating_duration_since(at));
        format!(" It was last answered {ago} ago at {}.", (circumstances.clock)(at))
    });
    let heard = heard.unwrap_or_default();
    match (presence.freshness, tenant) {
        (Freshness::Fresh, _) => {
            let since = (circumstances.clock)(presence.since);
            let every = tenant.map(|tenant| format!(" every {}", spoken(tenant.sweep))).unwrap_or_default();
            let account = graph.account.as_ref().map(|name| format!(" by account {name}")).unwrap_or_default();
            let how = match graph.notified {
                true => format!("Microsoft notifies its changes, and it is asked for now and then{account}."),
                false => format!("It is asked for{every}{account}."),
            };
            if presence.status.availability.is_known() {
                format!("Microsoft Graph says so since {since}: a user{of}. {how}")
            } else {
                format!(
                    "Microsoft itself does not know its presence since {since} (PresenceUnknown): a user{of}. {how}"
                )
            }
        }
        (Freshness::Stale | Freshness::Unknown, Some(tenant)) if !tenant.up => {
            format!("Its {}{heard}{}", down(tenant, circumstances), meanwhile(presence, circumstances))
        }
        (Freshness::Stale, _) => {
            format!(
                "A user{of}, of whom there has been no answer for too long.{heard}{}",
                meanwhile(presence, circumstances)
            )
        }
        (Freshness::Unknown, _) => {
            format!(
                "A user{of} who is being asked for, and of whom nothing has been told yet.{}",
                meanwhile(presence, circumstances)
            )
        }
    }
}

/// Who it is is not known yet.
fn looking_up(graph: &GraphAgentView, tenant: Option<&TenantView>, circumstances: &Circumstances<'_>) -> String {
    match (tenant, circumstances.tenants) {
        (Some(tenant), _) if !tenant.up => {
            format!("It cannot be looked up: {}", down(tenant, circumstances))
        }
        (None, [first, ..]) if circumstances.tenants.iter().all(|tenant| !tenant.up) => {
            format!("It cannot be looked up: {}", down(first, circumstances))
        }
        _ => match &graph.tenant {
            Some(id) => format!("Its user is being looked up in tenant {id}."),
            None => "Its user is being looked up.".to_owned(),
        },
    }
}

/// `Tenant contoso cannot be asked: Microsoft Graph said ...; next attempt in 42 s at 14:05:49.`
fn down(tenant: &TenantView, circumstances: &Circumstances<'_>) -> String {
    let why = tenant.last_failure.as_ref().map(|failure| format!(": {}", told(failure))).unwrap_or_default();
    let next = tenant.retry_at.map(|at| {
        let is_now = at <= circumstances.now;
        if is_now { "; it is being tried now".to_owned() } else { format!("; next attempt {}", circumstances.at(at)) }
    });
    let next = next.unwrap_or_default();
    format!("tenant {} cannot be asked{why}{next}.", tenant.id)
}

/// `Microsoft said "404 ..."`.
fn told(failure: &Failure) -> String {
    let asked = failure.retry_after.map(|wait| format!(", and asked for {} of rest", spoken(wait))).unwrap_or_default();
    match failure.by {
        EndedBy::Peer => format!("Microsoft said `{}`{asked}", brief(failure)),
        EndedBy::Network if failure.detail.starts_with("no answer") => failure.to_string(),
        EndedBy::Network => format!("no answer from Microsoft: {failure}"),
        EndedBy::Us => failure.to_string(),
    }
}

#[cfg(test)]
#[path = "why_graph_tests.rs"]
mod tests;

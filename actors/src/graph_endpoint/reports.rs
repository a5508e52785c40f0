//! What the log says of tenants and accounts: once per occurrence.

use std::time::Instant;

use presence_graph::{PushState, Report, remedy};

/// Writes the line of a report.
pub(super) fn log(report: &Report, now: Instant) {
    let until = |at: Instant| format!("{} s", at.saturating_duration_since(now).as_secs());
    match report {
        Report::TenantUp { tenant, agents } => {
            tracing::info!(logger = "MsGraphPresenceSource", tenant = %tenant, agents,
            "the tenant answers; its agents' presence is known again within a sweep")
        }
        Report::TenantDown { tenant, agents, failure, retry_at } => {
            tracing::warn!(logger = "MsGraphPresenceSource", tenant = %tenant, agents, failure = %failure,
                next_retry_in = %until(*retry_at), "the tenant cannot be asked; its agents keep their last value as stale");
        }
        Report::AccountUp { account } => {
            tracing::info!(logger = "MsGraphPresenceSource", account = %account, "the account works");
        }
        Report::AccountFailed { account, failure, needs_a_person: true, retry_at } => {
            tracing::error!(logger = "MsGraphPresenceSource", account = %account, failure = %failure,
                next_retry_in = %until(*retry_at), to_do = remedy(failure), "the account cannot be used until somebody mends it");
        }
        Report::AccountFailed { account, failure, needs_a_person: false, retry_at } => {
            tracing::warn!(logger = "MsGraphPresenceSource", account = %account, failure = %failure,
                next_retry_in = %until(*retry_at), "the account cannot be used for now");
        }
        Report::Throttled { account, until: at } => {
            tracing::warn!(logger = "MsGraphPresenceSource", account = %account,
            wait = %until(*at), "Microsoft asks for fewer requests; the account waits")
        }
        Report::UnknownValue { property, value } => {
            tracing::warn!(logger = "MsGraphPresenceSource", property, value = %value,
            "Microsoft says a word that is not known; agents with it are shown by what else is known of them")
        }
        Report::Push { account, state, failure } => push(account, *state, failure.as_ref()),
        Report::PushTooSmall { tenant, polled_only, accounts_wanted } => {
            tracing::warn!(logger = "MsGraphPresenceSource", tenant = %tenant, polled_only, accounts_wanted,
                "there are more agents than the accounts' change notifications can carry; the others are polled");
        }
        Report::ClockSkew { seconds } => tracing::warn!(
            logger = "MsGraphPresenceSource",
            seconds,
            "the clock of this computer and Microsoft's are apart; set it right before tokens are refused"
        ),
    }
}

fn push(account: &str, state: PushState, failure: Option<&presence_core::Failure>) {
    let why = failure.map_or_else(|| "none".to_owned(), ToString::to_string);
    match state {
        PushState::Idle | PushState::Subscribing => {
            tracing::debug!(logger = "MsGraphPresenceSource", account, failure = %why,
            "change notifications: {}", if state == PushState::Idle { "none" } else { "being subscribed to" })
        }
        PushState::Listening => {
            tracing::info!(logger = "MsGraphPresenceSource", account, "change notifications come in");
        }
        PushState::Deaf => tracing::warn!(
            logger = "MsGraphPresenceSource",
            account,
            "changes come that no notification told of; the account's agents are polled at the fast pace again"
        ),
        PushState::BackingOff => tracing::warn!(logger = "MsGraphPresenceSource", account, failure = %why,
            "there are no change notifications for now; the account's agents are polled"),
        PushState::Contested => tracing::error!(logger = "MsGraphPresenceSource", account, failure = %why,
            "another process has the change notifications of this account; end it, or give it an account of its own"),
    }
}

//! What Microsoft Graph reports, as an event for observers.

use std::time::Instant;

use presence_core::Failure;
use presence_core::log_text::Safe;
use presence_graph::{PushState, Report};

use super::super::words::{Clock, counted, spoken};
use super::brief;
use crate::http::convert::moment;
use crate::http::model::{Event, GraphNews};

/// The event that tells a report of the moment `at`.
#[must_use]
pub(in crate::http) fn event(report: &Report, at: Instant, clock: Clock<'_>) -> Event {
    let again = |retry_at: &Instant| format!("next attempt in {} at {}", left(at, *retry_at), clock(*retry_at));
    let (news, tenant, account, good, text, retry_at) = match report {
        Report::TenantUp { tenant, agents } => {
            let text = format!("Microsoft Graph answers for tenant {tenant} ({}).", counted(*agents, "agent"));
            (GraphNews::TenantUp, Some(tenant), None, true, text, None)
        }
        Report::TenantDown { tenant, agents, failure, retry_at } => {
            let keep = match agents {
                0 => String::new(),
                1 => "; its agent keeps its last presence as stale".to_owned(),
                many => format!("; its {} keep their last presence as stale", counted(*many, "agent")),
            };
            let text = format!("Tenant {tenant} cannot be asked: {}{keep}; {}.", said(failure), again(retry_at));
            (GraphNews::TenantDown, Some(tenant), None, false, text, Some(*retry_at))
        }
        Report::AccountUp { account } => {
            (GraphNews::AccountUp, None, Some(account), true, format!("Account {account} works."), None)
        }
        Report::AccountFailed { account, failure, needs_a_person, retry_at } => {
            let who = if *needs_a_person { "; only a person can mend that" } else { "" };
            let text = format!("Account {account} cannot be used: {}{who}; {}.", said(failure), again(retry_at));
            (GraphNews::AccountFailed, None, Some(account), false, text, Some(*retry_at))
        }
        Report::Throttled { account, until } => {
            let text = format!("Microsoft asks for fewer requests: account {account} pauses for {}.", left(at, *until));
            (GraphNews::Throttled, None, Some(account), false, text, Some(*until))
        }
        Report::UnknownValue { property, value } => {
            let text = format!("Microsoft uses a word for {property} that is not known: `{}`.", Safe(value));
            (GraphNews::UnknownValue, None, None, false, text, None)
        }
        Report::Push { account, state, failure } => {
            let why = failure.as_ref().map(|failure| format!(": {}", said(failure))).unwrap_or_default();
            let text = format!("The change notifications of account {account} {}{why}.", push_word(*state));
            (GraphNews::Push, None, Some(account), is_good(*state), text, None)
        }
        Report::PushTooSmall { tenant, polled_only, accounts_wanted } => {
            let text = format!(
                "{} of tenant {tenant} are only asked for: {} more would carry their change notifications.",
                counted(*polled_only, "agent"),
                counted(*accounts_wanted, "account")
            );
            (GraphNews::PushTooSmall, Some(tenant), None, false, text, None)
        }
        Report::ClockSkew { seconds } => {
            let apart = spoken(std::time::Duration::from_secs(seconds.unsigned_abs()));
            let side = if *seconds > 0 { "ahead of" } else { "behind" };
            let text =
                format!("Microsoft's clock is {apart} {side} ours: one of them is wrong, perhaps this computer's.");
            (GraphNews::ClockSkew, None, None, false, text, None)
        }
    };
    let name = |name: &std::sync::Arc<str>| name.as_ref().to_owned();
    Event::Graph {
        news,
        tenant: tenant.map(name),
        account: account.map(name),
        good,
        text,
        retry_at: retry_at.map(moment),
        at: moment(at),
    }
}

fn left(now: Instant, until: Instant) -> String {
    spoken(until.saturating_duration_since(now))
}

fn said(failure: &Failure) -> String {
    Safe(&brief(failure)).to_string()
}

const fn is_good(state: PushState) -> bool {
    matches!(state, PushState::Idle | PushState::Subscribing | PushState::Listening)
}

const fn push_word(state: PushState) -> &'static str {
    match state {
        PushState::Idle => "rest: there is nobody to be notified of",
        PushState::Subscribing => "are being subscribed to",
        PushState::Listening => "are listened to",
        PushState::Deaf => "are deaf: changes are found that they do not tell",
        PushState::BackingOff => "cannot be had for now",
        PushState::Contested => "belong to another process",
    }
}

#[cfg(test)]
#[path = "news_tests.rs"]
mod tests;

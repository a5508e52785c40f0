//! Why an agent's presence is as it is, in words.

use std::time::Instant;

use presence_actors::AgentView;
use presence_core::{
    AvailabilityName, EndedBy, EndpointKind, Failure, Freshness, Presence, SourceKind, SubscriptionState,
    SubscriptionView,
};
use presence_graph::TenantView;

use super::why_graph;
use crate::http::observatory::{counted, spoken};

/// Beside the agent, what the sentence needs.
pub(super) struct Circumstances<'a> {
    /// Now.
    pub(super) now: Instant,
    /// Through which endpoint it failed last, where that is known.
    pub(super) failed_via: Option<EndpointKind>,
    /// The endpoints that can serve agents.
    pub(super) up: &'a [EndpointKind],
    /// How many wait for the throttle, and when the last of them has its token.
    pub(super) queue: (usize, Option<Instant>),
    /// How a moment is told.
    pub(super) clock: &'a dyn Fn(Instant) -> String,
    /// The tenants of Microsoft Graph.
    pub(super) tenants: &'a [TenantView],
}

impl Circumstances<'_> {
    /// `in 42 s at 14:05:49`.
    pub(super) fn at(&self, instant: Instant) -> String {
        let left = instant.saturating_duration_since(self.now);
        format!("in {} at {}", spoken(left), (self.clock)(instant))
    }

    /// `: the application endpoint was told ...`; nothing when there was no failure.
    fn because(&self, failure: Option<&Failure>) -> String {
        failure.map(|failure| format!(": {}", told(failure, self.failed_via))).unwrap_or_default()
    }
}

/// Why an agent's presence is as it is, for a person.
#[must_use]
pub(super) fn why(agent: &AgentView, circumstances: &Circumstances<'_>) -> String {
    if let Some(until) = agent.quarantined_until {
        return format!(
            "Left alone because its actor kept dying of a bug of this program, which the log tells about; it is begun \
             again {}.",
            circumstances.at(until)
        );
    }
    match &agent.subscription {
        Some(subscription) if agent.presence.source == SourceKind::MsGraph => {
            why_graph::asked(subscription, agent, circumstances)
        }
        Some(subscription) => subscribed(subscription, &agent.presence, circumstances),
        None => served(&agent.presence, circumstances),
    }
}

/// Of an agent whose source needs no subscription.
fn served(presence: &Presence, circumstances: &Circumstances<'_>) -> String {
    let since = (circumstances.clock)(presence.since);
    match (presence.source, presence.freshness) {
        (SourceKind::Attendant, Freshness::Unknown) => {
            format!("Unknown since {since}: no third party pushes its state, or what was pushed has run out.")
        }
        (SourceKind::Attendant, Freshness::Fresh) => {
            format!("A third party has pushed this state; it holds since {since}.")
        }
        (SourceKind::Attendant, Freshness::Stale) => {
            format!(
                "A third party had pushed this state before the restart of this service; it holds since {since}, and is \
                 stale until it is pushed again or runs out."
            )
        }
        (SourceKind::Pstn, Freshness::Unknown) => "A telephone line that no queue asks for.".to_owned(),
        (SourceKind::Pstn, Freshness::Fresh | Freshness::Stale) => match presence.status.availability.name() {
            AvailabilityName::Busy | AvailabilityName::IdleBusy => {
                format!("A telephone line that has been in a call of this service since {since}.")
            }
            AvailabilityName::Unknown
            | AvailabilityName::None
            | AvailabilityName::Online
            | AvailabilityName::IdleOnline
            | AvailabilityName::DoNotDisturb
            | AvailabilityName::BeRightBack
            | AvailabilityName::Away
            | AvailabilityName::Offline => {
                format!("A telephone line without a call of this service since {since}.")
            }
        },
        (source @ (SourceKind::MsGraph | SourceKind::Ucma), _) => {
            format!("The {source} says so since {since}.")
        }
    }
}

/// Of an agent that is subscribed to at a pool.
fn subscribed(subscription: &SubscriptionView, presence: &Presence, circumstances: &Circumstances<'_>) -> String {
    let via = via(subscription.via);
    let failure = subscription.last_failure.as_ref();
    let because = circumstances.because(failure);
    let sentence = match subscription.state {
        SubscriptionState::Idle => return "No queue asks for it.".to_owned(),
        SubscriptionState::Withdrawing | SubscriptionState::Releasing | SubscriptionState::Unsubscribing => {
            return format!("No queue asks for it any more; its subscription {via} is being ended.");
        }
        SubscriptionState::Active => return active(subscription, presence, circumstances),
        SubscriptionState::WaitingForEndpoint => waiting(subscription, circumstances, &because),
        SubscriptionState::AwaitingToken => queued(subscription, circumstances),
        SubscriptionState::Subscribing => {
            let attempt = match subscription.failures {
                0 => String::new(),
                failures => format!(" after {}{because}", counted(failures as usize, "failure")),
            };
            format!("The pool has been asked {via} and has not answered yet{attempt}.")
        }
        SubscriptionState::BackingOff => {
            let next = subscription.next_retry.map(|at| format!("; next attempt {}", circumstances.at(at)));
            let next = next.unwrap_or_default();
            match subscription.failures {
                0 => format!("Backing off, which does not count as a failure{because}{next}."),
                failures => format!("Backing off after {}{because}{next}.", counted(failures as usize, "failure")),
            }
        }
        SubscriptionState::Abandoned => format!(
            "Given up after {}{because}; it is not tried again until it is revived or the service is started anew.",
            counted(subscription.failures as usize, "failure")
        ),
    };
    format!("{sentence}{}", meanwhile(presence, circumstances))
}

/// The subscription stands.
fn active(subscription: &SubscriptionView, presence: &Presence, circumstances: &Circumstances<'_>) -> String {
    let via = via(subscription.via);
    let expires = subscription.expires_at.map(|at| format!(" It is renewed before {}.", (circumstances.clock)(at)));
    let expires = expires.unwrap_or_default();
    match presence.freshness {
        Freshness::Fresh => {
            let since = (circumstances.clock)(presence.since);
            format!("Subscribed {via}; the pool says so since {since} and tells every change.{expires}")
        }
        Freshness::Stale => {
            format!(
                "Subscribed {via}, but the pool has not told its presence yet: the last value is from before.{expires}"
            )
        }
        Freshness::Unknown => format!("Subscribed {via}, but the pool has not told its presence yet.{expires}"),
    }
}

fn waiting(subscription: &SubscriptionView, circumstances: &Circumstances<'_>, because: &str) -> String {
    match (subscription.next_retry, circumstances.up) {
        (_, []) => format!("Waits for an endpoint: none is up{}.", because.replacen(": ", "; the last failure: ", 1)),
        (Some(at), _) => format!("Its endpoint has just failed it{because}; next attempt {}.", circumstances.at(at)),
        (None, _) => format!("Waits for an endpoint that can serve it{because}."),
    }
}

fn queued(subscription: &SubscriptionView, circumstances: &Circumstances<'_>) -> String {
    let place = match circumstances.queue {
        (0 | 1, _) | (_, None) => String::new(),
        (waiting, Some(end)) => {
            let left = end.saturating_duration_since(circumstances.now);
            format!("; {} wait, and the last one has its turn in {}", counted(waiting, "agent"), spoken(left))
        }
    };
    let after = match subscription.failures {
        0 => String::new(),
        failures => format!(" after {}", counted(failures as usize, "failure")),
    };
    format!(
        "Waits for its turn to be subscribed {}{after} (MaxPresenceSubscriptionsPerSecond){place}.",
        via(subscription.via)
    )
}

/// What queues see in the meantime.
pub(super) fn meanwhile(presence: &Presence, circumstances: &Circumstances<'_>) -> String {
    match presence.freshness {
        Freshness::Stale => {
            format!(" Queues see its last value, from {}, as stale.", (circumstances.clock)(presence.since))
        }
        Freshness::Unknown => " Queues see it as unknown.".to_owned(),
        // The pool had said that it cannot change.
        Freshness::Fresh => " Its value stays good.".to_owned(),
    }
}

fn via(endpoint: Option<EndpointKind>) -> String {
    endpoint.map_or_else(|| "at the pool".to_owned(), |endpoint| format!("through the {endpoint}"))
}

/// `the application endpoint was told `404 Not Found` (ms-diagnostics 4005)`.
fn told(failure: &Failure, via: Option<EndpointKind>) -> String {
    let who = via.map_or_else(|| "the pool".to_owned(), |via| format!("the pool of the {via}"));
    let said = failure.to_string();
    let diagnostics = failure.ms_diagnostics.map(|number| format!("(ms-diagnostics {number})"));
    // The texts of SIP answers say it themselves.
    let diagnostics = diagnostics.filter(|diagnostics| !said.contains(diagnostics.as_str()));
    let diagnostics = diagnostics.map(|diagnostics| format!(" {diagnostics}")).unwrap_or_default();
    let asked = failure.retry_after.map(|wait| format!(", and asked for {} of rest", spoken(wait))).unwrap_or_default();
    match failure.by {
        EndedBy::Peer => format!("{who} said `{said}`{diagnostics}{asked}"),
        EndedBy::Network => format!("no answer from {who}: {said}"),
        EndedBy::Us => said,
    }
}

#[cfg(test)]
#[path = "why_tests.rs"]
mod tests;

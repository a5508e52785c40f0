//! A page of the agents that are asked for, out of a snapshot.

use std::cmp::Reverse;

use presence_actors::AgentView;

use super::filter::{Filter, Order};
use crate::http::Snapshot;
use crate::http::convert::{moment, state_of};
use crate::http::model::{AgentPage, Freshness};

/// The agents that a filter asks for. Only those of the page are copied.
#[must_use]
pub(super) fn page(snapshot: &Snapshot, filter: &Filter) -> AgentPage {
    let sources = snapshot.view.sources.iter().filter(|source| is_one_of(&filter.sources, &source.kind.into()));
    let agents = sources.flat_map(|source| &source.agents);
    let mut found: Vec<&AgentView> = agents.filter(|agent| lets_through(filter, agent)).collect();
    sort(&mut found, filter.order);
    let shown = found.iter().skip(filter.offset).take(filter.limit);
    AgentPage {
        agents: shown.map(|agent| (*agent).into()).collect(),
        total: found.len(),
        offset: filter.offset,
        taken: moment(snapshot.taken),
    }
}

/// True when nothing is asked for, or this is.
fn is_one_of<T: PartialEq>(asked: &[T], value: &T) -> bool {
    asked.is_empty() || asked.contains(value)
}

fn lets_through(filter: &Filter, agent: &AgentView) -> bool {
    let via = agent.subscription.as_ref().and_then(|subscription| subscription.via);
    is_one_of(&filter.states, &state_of(agent))
        && is_one_of(&filter.freshness, &agent.presence.freshness.into())
        && (filter.endpoints.is_empty() || via.is_some_and(|via| filter.endpoints.contains(&via.into())))
        && (filter.uccs.is_empty() || agent.watchers.iter().any(|name| filter.uccs.iter().any(|ucc| **ucc == **name)))
        && filter.q.as_ref().is_none_or(|q| agent.uri.as_str().contains(q.as_str()))
}

/// The agents of each source come by URI, so the first sort has little to do; the second keeps equal agents in place.
fn sort(found: &mut [&AgentView], order: Order) {
    let freshness = |agent: &AgentView| Freshness::from(agent.presence.freshness);
    found.sort_by(|a, b| a.uri.as_str().cmp(b.uri.as_str()));
    match order {
        Order::Uri => {}
        Order::UriDown => found.reverse(),
        Order::Since => found.sort_by_key(|agent| agent.presence.since),
        Order::SinceDown => found.sort_by_key(|agent| Reverse(agent.presence.since)),
        Order::State => found.sort_by_key(|agent| state_of(agent)),
        Order::StateDown => found.sort_by_key(|agent| Reverse(state_of(agent))),
        Order::Availability => found.sort_by_key(|agent| availability(agent)),
        Order::AvailabilityDown => found.sort_by_key(|agent| Reverse(availability(agent))),
        Order::Freshness => found.sort_by_key(|agent| freshness(agent)),
        Order::FreshnessDown => found.sort_by_key(|agent| Reverse(freshness(agent))),
    }
}

/// The most available first, the unknown last.
fn availability(agent: &AgentView) -> (bool, i32) {
    let availability = agent.presence.status.availability;
    (!availability.is_known(), availability.value())
}

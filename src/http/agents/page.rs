//! A page of the agents that are asked for, out of a snapshot.

use std::cmp::Reverse;

use presence_actors::AgentView;

use super::filter::{Filter, Order};
use crate::http::Snapshot;
use crate::http::convert::{endpoint_of, moment, state_of};
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
    let via = endpoint_of(agent);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use presence_actors::{ProviderView, SourceView};
    use presence_core::{AgentUri, Availability, Freshness as Trust, Presence, SourceKind, Status};

    use super::*;

    /// Two sources with agents that differ in everything: `c` and `a` of the first, `d` and `b` of the second.
    fn snapshot(now: Instant) -> Snapshot {
        let agent = |name: &str, source, availability, freshness, age: u64| {
            let since = now + Duration::from_secs(100 - age);
            let presence = Presence { status: Status::of(availability), since, source, freshness };
            AgentView {
                uri: AgentUri::parse(&format!("sip:{name}@demo.example")).expect("valid"),
                presence: Arc::new(presence),
                sequence: 1,
                subscription: None,
                watchers: vec![format!("ucc_{name}").into(), "all".into()],
                graph: None,
                quarantined_until: (name == "d").then_some(now),
            }
        };
        let (first, second) = (SourceKind::Attendant, SourceKind::Ucma);
        let source = |kind, agents| SourceView { kind, agents, endpoints: Vec::new(), graph: None, restarts: 0 };
        let sources = vec![
            source(
                first,
                vec![
                    agent("c", first, Availability::AWAY, Trust::Fresh, 3),
                    agent("a", first, Availability::UNKNOWN, Trust::Unknown, 2),
                ],
            ),
            source(
                second,
                vec![
                    agent("d", second, Availability::ONLINE, Trust::Stale, 4),
                    agent("b", second, Availability::BUSY, Trust::Fresh, 1),
                ],
            ),
        ];
        Snapshot::of(now, ProviderView { sources, ..ProviderView::default() })
    }

    fn names(snapshot: &Snapshot, query: &str) -> String {
        let page = page(snapshot, &Filter::read(query).expect(query));
        page.agents.iter().map(|agent| agent.uri.chars().nth(4).unwrap_or('?')).collect()
    }

    #[test]
    fn agents_come_in_every_order_and_those_that_are_equal_by_uri() {
        let snapshot = snapshot(presence_actors::now());
        let cases = [
            ("", "abcd"),
            ("sort=-uri", "dcba"),
            ("sort=since", "dcab"),
            ("sort=-since", "bacd"),
            ("sort=state", "abcd"),
            ("sort=-state", "dabc"),
            ("sort=availability", "dbca"),
            ("sort=-availability", "acbd"),
            ("sort=freshness", "bcda"),
            ("sort=-freshness", "adbc"),
        ];
        for (query, expected) in cases {
            assert_eq!(names(&snapshot, query), expected, "{query}");
        }
    }

    #[test]
    fn filters_hold_together_and_the_page_is_cut_afterwards() {
        let snapshot = snapshot(presence_actors::now());
        let cases = [
            ("source=AttendantServiceSource", "ac"),
            ("source=AttendantServiceSource&freshness=fresh", "c"),
            ("state=quarantined", "d"),
            ("ucc=ucc_b,ucc_c", "bc"),
            ("ucc=all&q=A@", "a"),
            ("q=demo&offset=1&limit=2", "bc"),
            ("offset=4", ""),
            ("endpoint=application", ""),
        ];
        for (query, expected) in cases {
            assert_eq!(names(&snapshot, query), expected, "{query}");
        }
        let filter = Filter::read("limit=1&freshness=fresh,stale").expect("a query");
        assert_eq!(page(&snapshot, &filter).total, 3);
    }
}

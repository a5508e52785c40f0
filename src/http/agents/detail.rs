//! One agent with everything that is known about it.

use presence_actors::{AgentView, now};

use super::why::{Circumstances, why};
use crate::explain::Explanation;
use crate::http::Api;
use crate::http::convert::{endpoint_of, moment};
use crate::http::model::{AgentDetail, ChangeRecord, Presence, SubscriptionDetail};
use crate::http::observatory::{Recorded, clock_time};

/// What is told of an agent as it is now.
#[must_use]
pub(super) fn detail(api: &Api, agent: &AgentView) -> AgentDetail {
    let (now, snapshot) = (now(), api.observatory.snapshot());
    let up: Vec<_> = snapshot
        .view
        .sources
        .iter()
        .flat_map(|source| &source.endpoints)
        .filter(|endpoint| endpoint.up)
        .map(|endpoint| endpoint.kind)
        .collect();
    let graph = snapshot.view.sources.iter().find_map(|source| source.graph.as_ref());
    let clock = |at| clock_time(at, now);
    let circumstances = Circumstances {
        now,
        failed_via: api.observatory.failed_via(&agent.uri),
        up: &up,
        queue: (snapshot.view.throttle.waiting, snapshot.view.throttle.predicted_end),
        clock: &clock,
        tenants: graph.map_or(&[], |graph| &graph.tenants),
    };
    let presence = Presence::from(agent.presence.as_ref());
    AgentDetail {
        agent: agent.into(),
        capabilities: presence.capabilities,
        freshness: presence.freshness,
        why: why(agent, &circumstances),
        rules: Explanation::of(&agent.uri, api.provider.rules()),
        source: presence.source,
        subscription: agent.subscription.as_ref().map(|subscription| SubscriptionDetail {
            endpoint: endpoint_of(agent).map(Into::into),
            ..subscription.into()
        }),
        graph: agent.graph.as_ref().map(Into::into),
        changes: api.observatory.changes_of(&agent.uri).iter().map(record).collect(),
    }
}

fn record(Recorded { at, change }: &Recorded) -> ChangeRecord {
    ChangeRecord {
        sequence: change.sequence,
        at: moment(*at),
        previous: change.previous.as_deref().map(Into::into),
        presence: change.new.as_ref().into(),
    }
}

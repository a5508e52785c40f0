//! A queue that the standalone process hosts: it wants the agents that Config.xml gives it, and reports their presence.

use std::collections::BTreeMap;

use actix::{Actor, AsyncContext, Context, Handler};
use presence_actors::{PresenceEvent, Provider, UccClient, now};
use presence_config::ContactCenter;
use presence_core::log_text::PresenceLine;
use presence_core::{AgentUri, Presence};

/// The two flags that a queue keeps about an agent; they are the queue's, not the agent's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flags {
    formal: bool,
    active: bool,
}

/// The actor of one hosted queue.
pub struct HostedUcc {
    name: String,
    agents: BTreeMap<AgentUri, Flags>,
    provider: Provider,
    client: Option<UccClient>,
}

impl HostedUcc {
    /// A queue of Config.xml, with the provider that serves it.
    #[must_use]
    pub fn new(center: &ContactCenter, provider: Provider) -> Self {
        let flags = |agent: &presence_config::ContactCenterAgent| Flags { formal: agent.formal, active: agent.active };
        let agents = center.agents.iter().map(|agent| (agent.uri.clone(), flags(agent))).collect();
        Self { name: center.name.clone(), agents, provider, client: None }
    }

    /// The documented line of a presence change on behalf of the queue (seed, "Logging").
    fn report(&self, uri: &AgentUri, presence: &Presence) {
        if let Some(&Flags { formal, active }) = self.agents.get(uri) {
            let line = PresenceLine { ucc: &self.name, uri, presence, formal, active };
            tracing::debug!(logger = %self.name, "{line}");
        }
    }
}

impl Actor for HostedUcc {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // A start and an outage of the pool say something of every agent at once; that is no slowness of ours.
        ctx.set_mailbox_capacity(self.agents.len().max(64));
        let client = self.provider.client(&self.name, ctx.address().recipient());
        for uri in self.agents.keys() {
            client.subscribe(uri.clone());
        }
        self.client = Some(client);
    }
}

impl Handler<PresenceEvent> for HostedUcc {
    type Result = ();

    fn handle(&mut self, event: PresenceEvent, _: &mut Self::Context) {
        match &event {
            PresenceEvent::Changed(change) if change.changes_status() => {
                self.provider.meters().delivered(now().saturating_duration_since(change.new.since));
                self.report(&change.uri, &change.new);
            }
            PresenceEvent::Changed(change) => tracing::debug!(logger = %self.name, uri = %change.uri,
                freshness = %change.new.freshness, "the presence is {} now, its value is as before", change.new.freshness),
            PresenceEvent::Current { uri, presence, .. } => self.report(uri, presence),
            PresenceEvent::Pending { .. } | PresenceEvent::Lagged { .. } | PresenceEvent::Unserved { .. } => {}
        }
    }
}

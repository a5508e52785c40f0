//! MsGraphPresenceSource: the presence of Teams users, from Microsoft Graph.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use actix::{Addr, AsyncContext, Context, Handler, Recipient, ResponseFuture};
use presence_core::{
    AgentUri, EndpointKind, EndpointSet, GraphMemory, RestartBudget, SourceKind, SubscriptionInput, SubscriptionPolicy,
};
use presence_graph::GraphAgentView;

use super::{Parts, Serves, Source, subscribed};
use crate::agent::{AgentDoor, Birth, Life};
use crate::clock;
use crate::graph_door::GraphDoorway;
use crate::graph_endpoint::{AgentDeclined, GraphEndpoint, GraphParent, InspectAgents, ObserveGraph, Retry};
use crate::messages::{ChildDown, Declined, Done, Drain, PanicNow};
use crate::remember::CollectGraph;
use crate::supervise::{ENDPOINT_RESTARTS, ENDPOINT_WINDOW};

pub(crate) use crate::graph_endpoint::GraphWiring;

/// The one endpoint at Microsoft, and how agents live on it.
pub(crate) struct MsGraph {
    policy: Arc<SubscriptionPolicy>,
    wiring: Arc<GraphWiring>,
    doorway: Arc<Mutex<GraphDoorway>>,
    endpoint: Option<Addr<GraphEndpoint>>,
    incarnation: u32,
    budget: RestartBudget,
    router: Option<Recipient<Declined>>,
}

impl MsGraph {
    /// The retry policy of the seed, with the one endpoint that there is.
    pub(crate) fn new(policy: SubscriptionPolicy, wiring: GraphWiring, doorway: GraphDoorway) -> Self {
        let policy = SubscriptionPolicy { endpoints: EndpointSet::EMPTY.with(EndpointKind::Application), ..policy };
        Self {
            policy: Arc::new(policy),
            wiring: Arc::new(wiring),
            doorway: Arc::new(Mutex::new(doorway)),
            endpoint: None,
            incarnation: 0,
            budget: RestartBudget::new(ENDPOINT_RESTARTS, ENDPOINT_WINDOW),
            router: None,
        }
    }
}

impl Serves for MsGraph {
    const KIND: SourceKind = SourceKind::MsGraph;
    const INSPECTS: bool = true;

    fn life(&self, now: Instant, uri: &AgentUri, birth: Birth) -> Life {
        // The endpoint is there from the beginning: what Microsoft cannot do is its own to bridge.
        let up = EndpointSet::EMPTY.with(EndpointKind::Application);
        subscribed(now, uri, birth, Self::KIND, &self.policy, up)
    }

    fn started(source: &mut Source<Self>, ctx: &mut Context<Source<Self>>) {
        source.start_endpoint(ctx);
    }

    /// No agent has anything at Microsoft that must be ended by itself.
    fn is_cut_off(&self) -> bool {
        true
    }

    fn revived(source: &mut Source<Self>) {
        if let Some(endpoint) = &source.serves.endpoint {
            endpoint.do_send(Retry);
        }
    }

    fn drained(source: &mut Source<Self>, done: &Done) {
        if let Some(endpoint) = &source.serves.endpoint {
            endpoint.do_send(Drain { done: done.clone() });
        }
    }

    fn observe(&self) -> ResponseFuture<Parts> {
        let endpoint = self.endpoint.clone();
        Box::pin(async move {
            let graph = match endpoint {
                Some(endpoint) => endpoint.send(ObserveGraph).await.ok(),
                None => None,
            };
            Parts { endpoints: Vec::new(), graph }
        })
    }

    fn inspect(&self, agents: Vec<AgentUri>) -> ResponseFuture<Vec<Option<GraphAgentView>>> {
        let endpoint = self.endpoint.clone();
        Box::pin(async move {
            match endpoint {
                Some(endpoint) => endpoint.send(InspectAgents(agents)).await.unwrap_or_default(),
                None => Vec::new(),
            }
        })
    }
}

impl Source<MsGraph> {
    /// Starts the endpoint, and has the agents use it from now on.
    fn start_endpoint(&mut self, ctx: &mut Context<Self>) {
        self.serves.incarnation += 1;
        let parent = GraphParent {
            down: ctx.address().recipient(),
            declined: ctx.address().recipient(),
            sent: self.shared.throttle.clone().map(Addr::recipient),
            bulletin: self.shared.bulletin.clone(),
        };
        let (wiring, doorway) = (Arc::clone(&self.serves.wiring), Arc::clone(&self.serves.doorway));
        let address = GraphEndpoint::launch(wiring, doorway, self.serves.incarnation, parent);
        let (subscribe, unsubscribe) = (address.clone().recipient(), address.clone().recipient());
        self.shared.use_endpoint(AgentDoor { kind: EndpointKind::Application, subscribe, unsubscribe, query: None });
        self.serves.endpoint = Some(address);
    }
}

impl Handler<ChildDown<EndpointKind>> for Source<MsGraph> {
    type Result = ();

    fn handle(&mut self, message: ChildDown<EndpointKind>, ctx: &mut Context<Self>) {
        if self.serves.incarnation != message.incarnation {
            return;
        }
        self.serves.endpoint = None;
        if self.leaving {
            tracing::error!(logger = %Self::NAME, "the endpoint at Microsoft Graph died of a bug while everything ends");
            return;
        }
        if !self.serves.budget.allow(clock::now()) {
            self.escalation.escalate("endpoint at Microsoft Graph");
            return;
        }
        tracing::error!(logger = %Self::NAME, agents = self.children.len(),
            "the endpoint at Microsoft Graph died of a bug; it is created again");
        self.children.count_restart();
        self.shared.bulletin.meters.count_restart();
        self.feed_all(&SubscriptionInput::EndpointLost(EndpointKind::Application));
        self.start_endpoint(ctx);
        self.feed_all(&SubscriptionInput::EndpointUp(EndpointKind::Application));
    }
}

impl Source<MsGraph> {
    const NAME: SourceKind = MsGraph::KIND;
}

impl Handler<AgentDeclined> for Source<MsGraph> {
    type Result = ();

    fn handle(&mut self, message: AgentDeclined, _: &mut Context<Self>) {
        // Another number: it was asked for anew in the meantime, and is declined anew.
        if self.leaving || !self.children.is_on_the_wire_as(&message.uri, message.attempt) {
            return;
        }
        self.children.dismiss(&message.uri);
        if let Some(router) = &self.serves.router {
            router.do_send(Declined { uri: message.uri });
        }
    }
}

/// Whom to tell of agents that are another source's.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(crate) struct Introduce(pub(crate) Recipient<Declined>);

impl Handler<Introduce> for Source<MsGraph> {
    type Result = ();

    fn handle(&mut self, message: Introduce, _: &mut Context<Self>) {
        self.serves.router = Some(message.0);
    }
}

impl Handler<CollectGraph> for Source<MsGraph> {
    type Result = ResponseFuture<GraphMemory>;

    fn handle(&mut self, message: CollectGraph, _: &mut Context<Self>) -> Self::Result {
        let memory = self.serves.endpoint.as_ref().map(|endpoint| endpoint.send(message));
        Box::pin(async move {
            match memory {
                Some(memory) => memory.await.unwrap_or_default(),
                None => GraphMemory::default(),
            }
        })
    }
}

/// Has the endpoint at Microsoft panic, for tests and drills of the supervision. True when there is one.
#[derive(actix::Message)]
#[rtype(result = "bool")]
pub(crate) struct PanicGraph;

impl Handler<PanicGraph> for Source<MsGraph> {
    type Result = bool;

    fn handle(&mut self, _: PanicGraph, _: &mut Context<Self>) -> Self::Result {
        if let Some(endpoint) = &self.serves.endpoint {
            endpoint.do_send(PanicNow);
        }
        self.serves.endpoint.is_some()
    }
}

//! The whole tree behind one handle.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Addr, Context, MailboxError, Recipient, Supervisor};
use presence_core::{
    AgentUri, EndpointKind, EndpointSet, RecoveryOrder, Remembered, SourceKind, SourceRules, SubscriptionPolicy,
    Throttle as ThrottleMachine,
};
use tokio::sync::broadcast;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::clock;
use crate::graph_client::{GraphClientError, graph_client};
use crate::graph_door::GraphDoor;
use crate::graph_setup::GraphSetup;
use crate::messages::{Drain, Join, PresenceEvent, Push, PushRefused, Revive, Withdraw};
use crate::meters::Meters;
use crate::occurrence::{Bulletin, Occurrence};
use crate::remember::{AGENTS_PER_TURN, CollectAgents, CollectEndpoints, CollectGraph, Collected, Legacy};
use crate::router::{CountUccs, Router, SourceHandle};
use crate::setup::{EndpointSetup, Setup};
use crate::sources::{
    Attendant, GraphWiring, Introduce, MsGraph, PanicAgent, PanicEndpoint, PanicGraph, Pstn, Source, Ucma,
};
use crate::supervise::Escalation;
use crate::throttle::{Machine, ObserveThrottle, Throttle};
use crate::ucc::{UccClient, UccHandle, UccId};
use crate::views::{
    AgentView, CallView, CountCalls, FindAgent, ObserveCalls, ObserveSource, ObserveUccs, ProviderView, UccView,
};

/// The presence provider: one subscription per agent, shared by every UCC that asks for it.
///
/// A handle; clones speak to the same provider.
#[derive(Clone)]
pub struct Provider {
    router: Addr<Router>,
    throttle: Addr<Throttle>,
    ucma: Option<Addr<Source<Ucma>>>,
    graph: Option<(Addr<Source<MsGraph>>, GraphDoor)>,
    sources: Arc<Vec<SourceHandle>>,
    uccs: Arc<AtomicU32>,
    outbox: usize,
    rules: Arc<SourceRules>,
    bulletin: Bulletin,
    pstn: Option<Addr<Source<Pstn>>>,
    fatal: Arc<Mutex<Option<UnboundedReceiver<String>>>>,
}

impl Provider {
    /// Starts the actors. Call it inside an actix system, or any tokio `LocalSet`.
    #[must_use]
    pub fn start(setup: Setup) -> Self {
        let (escalation, fatal) = Escalation::new();
        let identities: Vec<_> = setup.endpoints.iter().map(EndpointSetup::identity).collect();
        let mut legacy = Legacy::new(clock::now(), setup.restored, &identities);
        let tenants = setup.graph.iter().flat_map(|graph| &graph.settings.tenants).map(|tenant| &*tenant.id);
        let left_declined = legacy.declined(&setup.rules, tenants);
        let mut machine = ThrottleMachine::with_order(setup.subscriptions_per_second, RecoveryOrder::new(clock::now()));
        resume(&mut machine, &legacy, SourceKind::Ucma);
        let bulletin = Bulletin::new();
        let (meters, up) = (Arc::clone(&bulletin.meters), escalation.clone());
        let throttle = Supervisor::start(move |_: &mut Context<Throttle>| Throttle::new(machine, meters, up));

        let mut sources = Vec::new();
        let attendant = setup.rules.attendant.is_some().then(|| {
            let left = legacy.take(SourceKind::Attendant);
            let source = Source::launch(Attendant, left, None, throttle.clone(), bulletin.clone(), escalation.clone());
            sources.push(Source::handle(&source));
            source
        });
        let pstn = setup.rules.pstn.then(|| {
            let (pstn, left) = (Pstn::default(), BTreeMap::new());
            let source = Source::launch(pstn, left, None, throttle.clone(), bulletin.clone(), escalation.clone());
            sources.push(Source::handle(&source));
            source
        });
        let retry =
            SubscriptionPolicy { retry: setup.retry, max_failures: setup.max_failures, endpoints: EndpointSet::EMPTY };
        let mut missing = BTreeMap::new();
        let graph = match (&setup.rules.graph, setup.graph) {
            (None, _) => None,
            (Some(_), None) => {
                missing.insert(
                    SourceKind::MsGraph,
                    "MsGraphPresenceSource is enabled, and was started without its settings".into(),
                );
                None
            }
            (Some(_), Some(graph)) => match start_graph(graph, retry, &mut legacy, &throttle, &bulletin, &escalation) {
                Ok(graph) => {
                    sources.push(Source::handle(&graph.0));
                    Some(graph)
                }
                Err(error) => {
                    tracing::error!(logger = "MsGraphPresenceSource", "the source is not started: {error}");
                    missing
                        .insert(SourceKind::MsGraph, format!("MsGraphPresenceSource is not started: {error}").into());
                    None
                }
            },
        };
        let ucma = setup.rules.ucma.then(|| {
            let endpoints = setup.endpoints.iter().fold(EndpointSet::EMPTY, |set, endpoint| set.with(endpoint.kind));
            let policy = SubscriptionPolicy { retry: setup.retry, max_failures: setup.max_failures, endpoints };
            let source = Source::launch(
                Ucma::new(
                    policy,
                    setup.subscriptions_per_second,
                    setup.endpoints,
                    &legacy.endpoints,
                    setup.sample_interval,
                ),
                legacy.take(SourceKind::Ucma),
                Some(throttle.clone()),
                throttle.clone(),
                bulletin.clone(),
                escalation.clone(),
            );
            sources.push(Source::handle(&source));
            source
        });

        let rules = Arc::new(setup.rules);
        let mut router = Router::new(Arc::clone(&rules), sources.clone(), escalation, setup.most_agents);
        router.left_declined = left_declined;
        router.meters = Some(Arc::clone(&bulletin.meters));
        router.calls = pstn.clone().map(|source| (source.clone().recipient(), source.recipient()));
        router.push = attendant.clone().map(Addr::recipient);
        router.withdraw = attendant.map(Addr::recipient);
        router.missing = missing;
        let router = Supervisor::start(move |_| router);
        if let Some((source, _)) = &graph {
            source.do_send(Introduce(router.clone().recipient()));
        }
        Self {
            router,
            throttle,
            ucma,
            graph,
            sources: Arc::new(sources),
            uccs: Arc::new(AtomicU32::new(0)),
            outbox: setup.outbox,
            rules,
            bulletin,
            pstn,
            fatal: Arc::new(Mutex::new(Some(fatal))),
        }
    }

    /// A client for the UCC whose actor receives the events.
    #[must_use]
    pub fn client(&self, name: &str, events: Recipient<PresenceEvent>) -> UccClient {
        let id = UccId(self.uccs.fetch_add(1, Ordering::Relaxed));
        let handle = UccHandle::new(id, name, events, self.outbox);
        self.router.do_send(Join { ucc: Arc::clone(&handle) });
        actix_rt::spawn(Arc::clone(&handle).deliver(self.router.clone()));
        UccClient::new(handle, self.router.clone())
    }

    /// Takes a state that a third party pushes.
    ///
    /// # Errors
    /// When the URI is not the attendant source's, or the time to live is zero.
    pub async fn push(&self, push: Push) -> Result<(), PushRefused> {
        self.router.send(push).await.unwrap_or(Err(PushRefused::ShuttingDown))
    }

    /// Tries an abandoned agent again, or all of them; says how many there were.
    pub async fn revive(&self, uri: Option<AgentUri>) -> usize {
        self.router.send(Revive { uri }).await.unwrap_or(0)
    }

    /// Where Microsoft's notifications are handed in; none when its source is not there.
    #[must_use]
    pub fn graph_door(&self) -> Option<GraphDoor> {
        self.graph.as_ref().map(|(_, door)| door.clone())
    }

    /// What everything looks like now.
    ///
    /// # Errors
    /// When an actor did not answer, which only happens while the process ends.
    pub async fn observe(&self) -> Result<ProviderView, MailboxError> {
        let mut sources = Vec::with_capacity(self.sources.len());
        for source in self.sources.iter() {
            sources.push(source.observe.send(ObserveSource).await?);
        }
        let throttle = self.throttle.send(ObserveThrottle).await?;
        Ok(ProviderView { sources, throttle, uccs: self.router.send(CountUccs).await? })
    }

    /// What the next run is to begin with, as of now; [`Setup::restored`] gives it back. Without the queues of other
    /// processes, which are the caller's. Nothing when [`Provider::collect`] fails.
    pub async fn remember(&self) -> Remembered {
        self.collect().await.map(Collected::read).unwrap_or_default()
    }

    /// The same in two steps: this one takes the actors' time in short turns, and [`Collected::read`] takes the time of
    /// whoever calls it.
    ///
    /// # Errors
    /// When one of the actors is gone: half of what there is would be taken for all of it by the next run.
    pub async fn collect(&self) -> Result<Collected, MailboxError> {
        let mut collected = Collected { at: Some(clock::now()), ..Collected::default() };
        for source in self.sources.iter().filter(|source| source.kind != SourceKind::Pstn) {
            for unclaimed in [false, true] {
                let mut after = None;
                loop {
                    let turn = CollectAgents { after: after.take(), unclaimed };
                    let agents = source.collect.send(turn).await?;
                    let is_last = agents.len() < AGENTS_PER_TURN;
                    after = agents.last().map(|(uri, _)| uri.clone());
                    collected.agents.extend(agents.into_iter().map(|(uri, kept)| (source.kind, uri, kept)));
                    if is_last {
                        break;
                    }
                }
            }
        }
        if let Some(source) = &self.ucma {
            collected.rest.endpoints = source.send(CollectEndpoints).await?;
        }
        let throttle = self.throttle.send(ObserveThrottle).await?;
        if throttle.rate < f64::from(throttle.configured_rate) {
            collected.rest.rates.push((SourceKind::Ucma, throttle.rate));
        }
        if let Some((source, _)) = &self.graph {
            let mut after = None;
            loop {
                let memory = source.send(CollectGraph { after: after.take() }).await?;
                after = memory.names.last().map(|name| (Arc::clone(&name.tenant), Arc::clone(&name.name)));
                collected.rest.graph.accounts.extend(memory.accounts);
                collected.rest.graph.names.extend(memory.names);
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(collected)
    }

    /// Which source serves which agent, and why.
    #[must_use]
    pub fn rules(&self) -> &SourceRules {
        &self.rules
    }

    /// What one agent looks like now; none when nobody wants it and nothing is kept of it.
    pub async fn observe_agent(&self, uri: &AgentUri) -> Option<AgentView> {
        let selection = self.rules.select(uri);
        for kind in selection.source.into_iter().chain(selection.otherwise) {
            let Some(source) = self.sources.iter().find(|source| source.kind == kind) else { continue };
            if let Some(view) = source.find.send(FindAgent(uri.clone())).await.ok().flatten() {
                return Some(view);
            }
        }
        None
    }

    /// What happens from now on, for people and observers. Nobody waits for them: a receiver that reads too slowly is told
    /// how much it missed.
    #[must_use]
    pub fn occurrences(&self) -> broadcast::Receiver<Occurrence> {
        self.bulletin.subscribe()
    }

    /// What is counted since the start.
    #[must_use]
    pub const fn meters(&self) -> &Arc<Meters> {
        &self.bulletin.meters
    }

    /// The calls of all UCCs with PSTN agents, by line.
    pub async fn calls(&self) -> Vec<CallView> {
        match &self.pstn {
            Some(source) => source.send(ObserveCalls).await.unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// All UCCs, those inside the process too, in the order in which they came.
    pub async fn uccs(&self) -> Vec<UccView> {
        let mut uccs = self.router.send(ObserveUccs).await.unwrap_or_default();
        let calls = match &self.pstn {
            Some(source) => source.send(CountCalls).await.unwrap_or_default(),
            None => BTreeMap::new(),
        };
        for ucc in &mut uccs {
            ucc.calls = calls.get(&ucc.id).copied().unwrap_or(0);
        }
        uccs
    }

    /// Takes back what a third party pushed: the agent is unknown at once. False when nothing that was pushed held.
    ///
    /// # Errors
    /// When the URI is not the attendant source's.
    pub async fn withdraw(&self, uri: AgentUri) -> Result<bool, PushRefused> {
        self.router.send(Withdraw { uri }).await.unwrap_or(Err(PushRefused::ShuttingDown))
    }

    /// Ends all subscriptions, at the configured rate, and then the connections; gives up after `grace`.
    /// True when everything was ended in time.
    pub async fn shutdown(&self, grace: Duration) -> bool {
        let (done, mut all_done) = tokio::sync::mpsc::channel(1);
        self.router.do_send(Drain { done });
        tokio::time::timeout(grace, all_done.recv()).await.is_ok()
    }

    /// Waits until something died that nobody can create again, and says what. Then the process should end.
    /// Only the first caller ever gets an answer.
    pub async fn fatal(&self) -> String {
        let receiver = self.fatal.lock().unwrap_or_else(PoisonError::into_inner).take();
        match receiver {
            Some(mut receiver) => match receiver.recv().await {
                Some(what) => what,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }

    /// Has the actor of an agent panic: a drill of the supervision. True when there is such an agent.
    #[doc(hidden)]
    pub async fn drill_agent(&self, uri: AgentUri) -> bool {
        let mut found = false;
        for source in self.sources.iter() {
            found |= source.drill.send(PanicAgent(uri.clone())).await.unwrap_or(false);
        }
        found
    }

    /// Has a local endpoint panic: a drill of the supervision. True when there is such an endpoint.
    #[doc(hidden)]
    pub async fn drill_endpoint(&self, kind: EndpointKind) -> bool {
        match &self.ucma {
            Some(source) => source.send(PanicEndpoint(kind)).await.unwrap_or(false),
            None => false,
        }
    }

    /// Has the endpoint at Microsoft Graph panic: a drill of the supervision. True when there is one.
    #[doc(hidden)]
    pub async fn drill_graph(&self) -> bool {
        match &self.graph {
            Some((source, _)) => source.send(PanicGraph).await.unwrap_or(false),
            None => false,
        }
    }
}

/// Goes on at the pace of an earlier run, and not at once after it.
fn resume(throttle: &mut Machine, legacy: &Legacy, source: SourceKind) {
    if let Some(last_sent) = legacy.last_sent {
        throttle.resume(clock::now(), last_sent, legacy.rate(source));
    }
}

/// Starts the source of Microsoft Graph, with a throttle of its own: the pool's tokens protect the pool.
fn start_graph(
    setup: GraphSetup,
    policy: SubscriptionPolicy,
    legacy: &mut Legacy,
    order: &Addr<Throttle>,
    bulletin: &Bulletin,
    escalation: &Escalation,
) -> Result<(Addr<Source<MsGraph>>, GraphDoor), GraphClientError> {
    let exchange = graph_client(&setup.network, &setup.login_url, &setup.graph_url)?;
    let host = |url: &str| {
        let bare = url.split_once("://").map_or(url, |(_, rest)| rest);
        bare.trim_end_matches('/').to_owned()
    };
    let wiring = GraphWiring {
        settings: setup.settings,
        login_host: host(&setup.login_url),
        graph_host: host(&setup.graph_url),
        exchange,
        secrets: setup.secrets,
        seed: setup.seed,
        left: std::mem::take(&mut legacy.graph),
    };
    let (door, doorway) = GraphDoor::open();
    // Nobody tells this one how agents stand: whole batches come back together, the oldest request first.
    let mut machine = ThrottleMachine::with_order(setup.agents_per_second, RecoveryOrder::new(clock::now()));
    resume(&mut machine, legacy, SourceKind::MsGraph);
    let up = escalation.clone();
    let throttle = Supervisor::start(move |_: &mut Context<Throttle>| Throttle::new(machine, Arc::default(), up));
    let source = MsGraph::new(policy, wiring, doorway);
    let left = legacy.take(SourceKind::MsGraph);
    Ok((Source::launch(source, left, Some(throttle), order.clone(), bulletin.clone(), escalation.clone()), door))
}

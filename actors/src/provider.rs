//! The whole tree behind one handle.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Addr, Context, MailboxError, Recipient, Supervisor};
use presence_core::{AgentUri, EndpointKind, EndpointSet, SubscriptionPolicy, Throttle as ThrottleMachine};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::messages::{Drain, PresenceEvent, Push, PushRefused, Revive};
use crate::router::{CountUccs, Router, SourceHandle};
use crate::setup::Setup;
use crate::sources::{Attendant, PanicAgent, PanicEndpoint, Pstn, Source, Ucma};
use crate::supervise::Escalation;
use crate::throttle::{ObserveThrottle, Throttle};
use crate::ucc::{UccClient, UccHandle, UccId};
use crate::views::{ObserveSource, ProviderView};

/// The presence provider: one subscription per agent, shared by every UCC that asks for it.
///
/// A handle; clones speak to the same provider.
#[derive(Clone)]
pub struct Provider {
    router: Addr<Router>,
    throttle: Addr<Throttle>,
    ucma: Option<Addr<Source<Ucma>>>,
    sources: Arc<Vec<SourceHandle>>,
    uccs: Arc<AtomicU32>,
    outbox: usize,
    fatal: Arc<Mutex<Option<UnboundedReceiver<String>>>>,
}

impl Provider {
    /// Starts the actors. Call it inside an actix system, or any tokio `LocalSet`.
    #[must_use]
    pub fn start(setup: Setup) -> Self {
        let (escalation, fatal) = Escalation::new();
        let machine = ThrottleMachine::new(setup.subscriptions_per_second);
        let up = escalation.clone();
        let throttle = Supervisor::start(move |_: &mut Context<Throttle>| Throttle::new(machine, up));

        let mut sources = Vec::new();
        let attendant = setup.rules.attendant.is_some().then(|| {
            let source = Source::launch(Attendant, None, escalation.clone());
            sources.push(Source::handle(&source));
            source
        });
        let pstn = setup.rules.pstn.then(|| {
            let source = Source::launch(Pstn::default(), None, escalation.clone());
            sources.push(Source::handle(&source));
            source
        });
        let ucma = setup.rules.ucma.then(|| {
            let endpoints = setup.endpoints.iter().fold(EndpointSet::EMPTY, |set, endpoint| set.with(endpoint.kind));
            let policy = SubscriptionPolicy { retry: setup.retry, max_failures: setup.max_failures, endpoints };
            let source = Source::launch(
                Ucma::new(policy, setup.subscriptions_per_second, setup.endpoints),
                Some(throttle.clone()),
                escalation.clone(),
            );
            sources.push(Source::handle(&source));
            source
        });

        let mut router = Router::new(setup.rules, sources.clone(), escalation);
        router.calls = pstn.map(|source| (source.clone().recipient(), source.recipient()));
        router.push = attendant.map(Addr::recipient);
        Self {
            router: Supervisor::start(move |_| router),
            throttle,
            ucma,
            sources: Arc::new(sources),
            uccs: Arc::new(AtomicU32::new(0)),
            outbox: setup.outbox,
            fatal: Arc::new(Mutex::new(Some(fatal))),
        }
    }

    /// A client for the UCC whose actor receives the events.
    #[must_use]
    pub fn client(&self, name: &str, events: Recipient<PresenceEvent>) -> UccClient {
        let id = UccId(self.uccs.fetch_add(1, Ordering::Relaxed));
        let handle = UccHandle::new(id, name, events, self.outbox);
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
        match &self.ucma {
            Some(source) => source.send(Revive { uri }).await.unwrap_or(0),
            None => 0,
        }
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
}

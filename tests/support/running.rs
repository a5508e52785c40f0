//! The provider in this process, on real sockets, driven by a test that blocks.
//!
//! The actors live in a thread with an actix system of their own; everything here may be called from the test's thread.
//!
//! ```ignore
//! let provider = Running::start(setup(vec![endpoint(EndpointKind::Application, TransportKind::Tcp, kamailio.tcp())]));
//! let queue = provider.queue("helpdesk");
//! queue.subscribe("alice");
//! queue.await_availability("alice", Availability::AWAY);
//! ```

use std::net::SocketAddr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use actix::{Actor, Context, Handler, System};
use actix_rt::ArbiterHandle;
use presence_actors::transport::{TlsFiles, TlsIdentity};
use presence_actors::{
    AgentView, EndpointSetup, MeterReadings, Pool, PresenceEvent, Provider, ProviderView, Setup, UccClient,
};
use presence_core::{
    AgentUri, Availability, Change, EndpointKind, EndpointPolicy, EndpointState, Freshness, Presence, RetryPolicy,
    SourceRules, SubscriptionState,
};
use presence_sip::TransportKind;

use super::certificates::{APPLICATION_NAME, Certificates};
use super::eventually;
use super::kamailio::Kamailio;

/// How long something may take that should happen at once: the machine may be compiling meanwhile.
pub const SOON: Duration = Duration::from_secs(20);

/// An endpoint at `server` that probes a lost pool every half second. Its identity is `sip:KIND@example.test`.
pub fn endpoint(kind: EndpointKind, transport: TransportKind, server: SocketAddr) -> EndpointSetup {
    let name = match kind {
        EndpointKind::Application => "sip:application@example.test",
        EndpointKind::User => "sip:user@example.test",
    };
    let pool = Pool::Address { host: server.ip().to_string(), port: Some(server.port()) };
    let mut endpoint = EndpointSetup::new(kind, name.parse().unwrap(), pool, transport);
    endpoint.policy = EndpointPolicy { probe_interval: Duration::from_millis(500), ..EndpointPolicy::default() };
    endpoint
}

/// The application endpoint at a Kamailio, with a listener and certificates where it speaks TLS.
pub fn application(kamailio: &Kamailio, transport: TransportKind) -> EndpointSetup {
    let server = if transport == TransportKind::Tls { kamailio.tls() } else { kamailio.tcp() };
    let mut endpoint = endpoint(EndpointKind::Application, transport, server);
    if transport == TransportKind::Tls {
        let Certificates { authority, application, .. } = kamailio.certificates();
        let files = TlsFiles {
            certificate: Some(application.certificate.clone()),
            private_key: Some(application.key.clone()),
            trusted_certificates: Some(authority.clone()),
            peer_names: vec![APPLICATION_NAME.to_owned()],
        };
        endpoint.tls = Some(TlsIdentity::load(&files).unwrap());
        endpoint.listen = Some("127.0.0.1:0".parse().unwrap());
    }
    endpoint
}

/// The seed's defaults but for the delays after a failure: half a second, doubling to two; and 100 per second.
pub fn setup(endpoints: Vec<EndpointSetup>) -> Setup {
    let rules = SourceRules { attendant: None, pstn: false, graph: None, ucma: true };
    let mut setup = Setup::new(rules, endpoints);
    setup.retry = RetryPolicy::try_new(Duration::from_millis(500), Duration::from_secs(2)).unwrap();
    setup.subscriptions_per_second = 100.try_into().unwrap();
    setup
}

/// The agent of this name at Kamailio's domain.
pub fn agent(user: &str) -> AgentUri {
    Kamailio::uri(user).parse().unwrap()
}

/// The UCC: it writes down whatever it hears.
struct Recorder(Arc<Mutex<Vec<PresenceEvent>>>);

impl Actor for Recorder {
    type Context = Context<Self>;
}

impl Handler<PresenceEvent> for Recorder {
    type Result = ();

    fn handle(&mut self, event: PresenceEvent, _: &mut Self::Context) {
        self.0.lock().unwrap().push(event);
    }
}

/// A provider that runs until it is dropped.
pub struct Running {
    provider: Provider,
    arbiter: ArbiterHandle,
    system: System,
    asking: tokio::runtime::Runtime,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts it.
    pub fn start(setup: Setup) -> Self {
        let (started, wait) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runner = System::new();
            let provider = runner.block_on(async { Provider::start(setup) });
            started.send((provider, System::current())).unwrap();
            runner.run().unwrap();
        });
        let (provider, system) = wait.recv_timeout(SOON).unwrap();
        let asking = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Self { provider, arbiter: system.arbiter().clone(), system, asking, thread: Some(thread) }
    }

    /// A new UCC.
    pub fn queue(&self, name: &str) -> Queue {
        let events = Arc::<Mutex<Vec<PresenceEvent>>>::default();
        let (sender, wait) = mpsc::channel();
        let (provider, name, heard) = (self.provider.clone(), name.to_owned(), Arc::clone(&events));
        assert!(self.arbiter.spawn_fn(move || {
            let recorder = Recorder(heard).start();
            sender.send(provider.client(&name, recorder.recipient())).unwrap();
        }));
        Queue { client: wait.recv_timeout(SOON).unwrap(), events }
    }

    /// What everything looks like now.
    pub fn view(&self) -> ProviderView {
        self.asking.block_on(self.provider.observe()).unwrap()
    }

    /// What was counted until now.
    pub fn meters(&self) -> MeterReadings {
        self.provider.meters().read()
    }

    /// The agent, once it is as `condition` says.
    #[track_caller]
    pub fn await_agent(&self, user: &str, what: &str, condition: impl Fn(&AgentView) -> bool) -> AgentView {
        let uri = agent(user);
        let mut last = None;
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(what, SOON, || {
                last = self.view().agents().find(|agent| agent.uri == uri).cloned();
                last.clone().filter(|agent| condition(agent))
            })
        }));
        found.unwrap_or_else(|_| panic!("waited in vain for {user} {what}; it is {last:#?}"))
    }

    /// The agent, once its subscription is in that state.
    #[track_caller]
    pub fn await_state(&self, user: &str, state: SubscriptionState) -> AgentView {
        self.await_agent(user, &format!("to be {state}"), |agent| {
            agent.subscription.as_ref().is_some_and(|subscription| subscription.state == state)
        })
    }

    /// The agent, once its presence has that freshness.
    #[track_caller]
    pub fn await_freshness(&self, user: &str, freshness: Freshness) -> AgentView {
        self.await_agent(user, &format!("to be {freshness}"), |agent| agent.presence.freshness == freshness)
    }

    /// Waits until the endpoint is in that state.
    #[track_caller]
    pub fn await_endpoint(&self, kind: EndpointKind, state: EndpointState) {
        eventually(&format!("the {kind} to be {state}"), SOON, || {
            (self.view().endpoint(kind)?.state == state).then_some(())
        });
    }

    /// Tries all abandoned agents again.
    pub fn revive(&self) -> usize {
        self.asking.block_on(self.provider.revive(None))
    }

    /// Ends everything in good order; true when that was done in time.
    pub fn shutdown(&self) -> bool {
        self.asking.block_on(self.provider.shutdown(SOON))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.system.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the provider's thread panicked");
        }
    }
}

/// A UCC. Dropping it ends its interest.
pub struct Queue {
    client: UccClient,
    events: Arc<Mutex<Vec<PresenceEvent>>>,
}

impl Queue {
    /// Wants an agent.
    pub fn subscribe(&self, user: &str) {
        self.client.subscribe(agent(user));
    }

    /// No longer wants an agent.
    pub fn unsubscribe(&self, user: &str) {
        self.client.unsubscribe(&agent(user));
    }

    /// What it heard of an agent, in order.
    pub fn heard(&self, user: &str) -> Vec<PresenceEvent> {
        let uri = agent(user);
        self.events.lock().unwrap().iter().filter(|event| event.uri() == Some(&uri)).cloned().collect()
    }

    /// The changes of an agent's status that it heard, in order; those of the freshness alone are left out.
    pub fn changes(&self, user: &str) -> Vec<Arc<Change>> {
        let change = |event| match event {
            PresenceEvent::Changed(change) if change.changes_status() => Some(change),
            _ => None,
        };
        self.heard(user).into_iter().filter_map(change).collect()
    }

    /// What it knows of an agent.
    pub fn present(&self, user: &str) -> Option<Arc<Presence>> {
        self.heard(user).iter().rev().find_map(|event| event.presence().cloned())
    }

    /// Waits until it knows that the agent is so, freshly.
    #[track_caller]
    pub fn await_availability(&self, user: &str, availability: Availability) {
        eventually(&format!("{} to hear that {user} is {availability:?}", self.client.name()), SOON, || {
            let present = self.present(user)?;
            (present.status.availability == availability && present.freshness == Freshness::Fresh).then_some(())
        });
    }
}

//! A pool in memory and UCCs that write down what they hear, all in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, reason = "test code; not every test uses all of it")]

pub(crate) mod pool;

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler};
use presence_actors::transport::memory;
use presence_actors::{EndpointSetup, Pool, PresenceEvent, Provider, Setup, UccClient};
use presence_core::{AgentUri, EndpointKind, MatchRules, SourceRules};
use presence_sip::TransportKind;

pub(crate) use pool::VirtualPool;

/// Runs a test in an actix system whose clock stands still while anything can happen, and jumps when nothing can.
pub(crate) fn in_virtual_time<F: Future<Output = ()> + 'static>(test: impl FnOnce() -> F + 'static) {
    let system = actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
    });
    system.block_on(async move { test().await });
}

/// Lets virtual time pass.
pub(crate) async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Lets everything happen that can happen now.
pub(crate) async fn settle() {
    pass(Duration::from_millis(1)).await;
}

pub(crate) fn agent(number: usize) -> AgentUri {
    format!("sip:agent{number}@example.test").parse().unwrap()
}

/// What a UCC has heard, shared with the test.
pub(crate) type Heard = Rc<RefCell<Vec<PresenceEvent>>>;

/// A UCC that writes everything down.
pub(crate) struct Recorder {
    name: String,
    provider: Provider,
    heard: Heard,
    client: Option<UccClient>,
}

impl Recorder {
    pub(crate) fn start(provider: &Provider, name: &str) -> Ucc {
        let heard = Heard::default();
        let recorder =
            Self { name: name.into(), provider: provider.clone(), heard: Rc::clone(&heard), client: None };
        Ucc { address: recorder.start(), heard }
    }
}

impl Actor for Recorder {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.client = Some(self.provider.client(&self.name, ctx.address().recipient()));
    }
}

impl Handler<PresenceEvent> for Recorder {
    type Result = ();

    fn handle(&mut self, event: PresenceEvent, _: &mut Self::Context) {
        self.heard.borrow_mut().push(event);
    }
}

/// Something done with the client of a [`Recorder`].
#[derive(actix::Message)]
#[rtype(result = "()")]
struct With(Box<dyn FnOnce(&UccClient) + Send>);

impl Handler<With> for Recorder {
    type Result = ();

    fn handle(&mut self, message: With, _: &mut Self::Context) {
        message.0(self.client.as_ref().unwrap());
    }
}

#[derive(actix::Message)]
#[rtype(result = "()")]
struct End;

impl Handler<End> for Recorder {
    type Result = ();

    fn handle(&mut self, _: End, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

/// A recording UCC, from the outside.
pub(crate) struct Ucc {
    address: Addr<Recorder>,
    heard: Heard,
}

impl Ucc {
    pub(crate) fn with(&self, then: impl FnOnce(&UccClient) + Send + 'static) {
        self.address.do_send(With(Box::new(then)));
    }

    pub(crate) fn subscribe(&self, uri: &AgentUri) {
        let uri = uri.clone();
        self.with(move |client| client.subscribe(uri));
    }

    pub(crate) fn unsubscribe(&self, uri: &AgentUri) {
        let uri = uri.clone();
        self.with(move |client| client.unsubscribe(&uri));
    }

    /// The UCC's actor ends, as when it crashed.
    pub(crate) fn end(&self) {
        self.address.do_send(End);
    }

    /// Takes what was heard since the last time.
    pub(crate) fn heard(&self) -> Vec<PresenceEvent> {
        std::mem::take(&mut self.heard.borrow_mut())
    }
}

/// The rules of most tests: PSTN, pushes for `@console.test`, UCMA for the rest.
pub(crate) fn rules() -> SourceRules {
    let attendant = MatchRules::compile(&[r"@console\.test$"]).unwrap();
    SourceRules { attendant: Some(attendant), pstn: true, graph: false, ucma: true }
}

/// An endpoint whose pool is in memory.
pub(crate) fn endpoint(kind: EndpointKind, network: memory::MemoryNetwork) -> EndpointSetup {
    let uri = match kind {
        EndpointKind::Application => "sip:application@example.test",
        EndpointKind::User => "sip:user@example.test",
    };
    let pool = Pool::Address { host: memory::PEER.ip().to_string(), port: Some(memory::PEER.port()) };
    let mut endpoint = EndpointSetup::new(kind, uri.parse().unwrap(), pool, TransportKind::Tcp);
    endpoint.memory = Some(Arc::new(network));
    endpoint
}

/// A provider with an application endpoint at a pool that knows `agents` agents.
pub(crate) fn provider_with(agents: usize, change: impl FnOnce(&mut Setup)) -> (Provider, VirtualPool) {
    let (network, side) = memory::network();
    let pool = VirtualPool::start(agents, side);
    let mut setup = Setup::new(rules(), vec![endpoint(EndpointKind::Application, network)]);
    change(&mut setup);
    (Provider::start(setup), pool)
}

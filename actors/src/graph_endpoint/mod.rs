//! The endpoint at Microsoft Graph: one machine with all tenants and accounts, and what carries its requests.

mod handlers;
mod reports;
mod requests;
mod secrets;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Recipient, SpawnHandle, WrapFuture};
use presence_core::{AgentUri, Attempt, EndpointKind, GraphMemory, SubscriptionInput};
use presence_graph::wire::Notice;
use presence_graph::{Graph, GraphEffect, GraphInput, GraphSettings};

pub(crate) use handlers::{AgentDeclined, InspectAgents, ObserveGraph, Retry};
use secrets::Secrets;

use crate::clock;
use crate::entropy::RandomBytes;
use crate::graph_door::GraphDoorway;
use crate::graph_setup::{Exchange, SecretStore};
use crate::messages::{ChildDown, Done, Feed, TokenSent};
use crate::occurrence::{Bulletin, Occurrence};

/// So long the end may take: what is left at Microsoft then runs out by itself.
const ENDING: Duration = Duration::from_secs(2);

/// What every incarnation of the endpoint is made from.
pub(crate) struct GraphWiring {
    pub(crate) settings: GraphSettings,
    /// Without scheme.
    pub(crate) login_host: String,
    /// Without scheme.
    pub(crate) graph_host: String,
    pub(crate) exchange: Arc<dyn Exchange>,
    pub(crate) secrets: Arc<dyn SecretStore>,
    /// Of the first incarnation; the next ones count on from it.
    pub(crate) seed: Option<u64>,
    /// What an earlier run has left to the first incarnation.
    pub(crate) left: GraphMemory,
}

/// What the endpoint tells the actors above and beside it.
pub(crate) struct GraphParent {
    pub(crate) down: Recipient<ChildDown<EndpointKind>>,
    pub(crate) declined: Recipient<AgentDeclined>,
    /// What a token was granted for is registered.
    pub(crate) sent: Option<Recipient<TokenSent>>,
    pub(crate) bulletin: Bulletin,
}

/// The actor of the endpoint at Microsoft Graph.
pub(crate) struct GraphEndpoint {
    machine: Graph,
    /// Who is registered, and under which number.
    agents: BTreeMap<AgentUri, (Attempt, Recipient<Feed>)>,
    wiring: Arc<GraphWiring>,
    doorway: Arc<Mutex<GraphDoorway>>,
    secrets: Secrets,
    incarnation: u32,
    parent: GraphParent,
    /// What is armed, and when it fires: never later than the deadline.
    timer: Option<(Instant, SpawnHandle)>,
    /// Everything ends, at the latest then.
    ending: Option<(Instant, Vec<Done>)>,
    told_to_stop: bool,
    /// Whose clientStates the door knows.
    generations: Option<u64>,
}

impl GraphEndpoint {
    /// Starts the actor. It is not restarted: what its machine knew is asked for again.
    pub(crate) fn launch(
        wiring: Arc<GraphWiring>,
        doorway: Arc<Mutex<GraphDoorway>>,
        incarnation: u32,
        parent: GraphParent,
    ) -> Addr<Self> {
        let mut chance = [0; 8];
        RandomBytes::default().fill(&mut chance);
        let seed = wiring.seed.map_or(u64::from_ne_bytes(chance), |seed| seed.wrapping_add(incarnation.into()));
        let now = clock::now();
        let mut machine = Graph::new(
            now,
            clock::time_of_day(now),
            wiring.settings.clone(),
            &wiring.login_host,
            &wiring.graph_host,
            seed,
        );
        if incarnation == 1 {
            machine.resume(now, &wiring.left);
        }
        Self::create(|ctx| Self {
            machine,
            agents: BTreeMap::new(),
            secrets: Secrets::start(Arc::clone(&wiring.secrets), ctx.address().downgrade()),
            wiring,
            doorway,
            incarnation,
            parent,
            timer: None,
            ending: None,
            told_to_stop: false,
            generations: None,
        })
    }

    fn handle(&mut self, input: GraphInput, ctx: &mut Context<Self>) {
        self.machine.handle(clock::now(), input);
        self.drive(ctx);
    }

    /// The only place with side effects: performs what the machine asks for, then arms the one timer.
    fn drive(&mut self, ctx: &mut Context<Self>) {
        while let Some(effect) = self.machine.poll_effect() {
            self.perform(effect, ctx);
        }
        let now = clock::now();
        // Before the requests begin on their way: Microsoft asks back while the one for a subscription waits for its answer.
        self.expect_handshakes(now);
        if self.ending.as_ref().is_some_and(|(by, _)| *by <= now || self.machine.is_stopped(now)) {
            self.end(ctx);
            return;
        }
        self.rearm(ctx);
    }

    fn perform(&mut self, effect: GraphEffect, ctx: &mut Context<Self>) {
        match effect {
            GraphEffect::Send { exchange, account, request } => {
                requests::send(Arc::clone(&self.wiring.exchange), exchange, account, request, ctx.address());
            }
            GraphEffect::Feed { uri, input } => self.feed(uri, input),
            GraphEffect::Decline { uri, attempt } => {
                if self.agents.get(&uri).is_some_and(|(present, _)| *present == attempt) {
                    self.agents.remove(&uri);
                    self.parent.declined.do_send(AgentDeclined { uri, attempt });
                }
            }
            GraphEffect::LoadSecret { account } => self.secrets.load(account),
            GraphEffect::StoreToken { account, token } => self.secrets.store(account, token),
            GraphEffect::Report(report) => {
                let at = clock::now();
                reports::log(&report, at);
                self.parent.bulletin.tell(|| Occurrence::Graph { report, at });
            }
        }
    }

    /// Tells an agent; one whose actor is gone is registered no longer.
    fn feed(&mut self, uri: AgentUri, input: SubscriptionInput) {
        let Some((attempt, agent)) = self.agents.get(&uri) else { return };
        let (attempt, is_there) = (*attempt, agent.connected());
        let is_over = matches!(&input,
            SubscriptionInput::Failed { attempt: of, .. } | SubscriptionInput::Ended { attempt: of } if *of == attempt);
        if is_there {
            agent.do_send(Feed(input));
        }
        if is_over || !is_there {
            self.agents.remove(&uri);
        }
        if !is_over && !is_there {
            self.machine.handle(clock::now(), GraphInput::Unregister { uri, attempt });
        }
    }

    fn expect_handshakes(&mut self, now: Instant) {
        let doorway = self.doorway.lock().unwrap_or_else(PoisonError::into_inner);
        doorway.set_expecting(self.machine.expects_handshake(now));
        let generations = Some(self.machine.generations());
        if self.generations != generations {
            self.generations = generations;
            doorway.set_states(self.machine.client_states().collect());
        }
    }

    fn rearm(&mut self, ctx: &mut Context<Self>) {
        let ending = self.ending.as_ref().map(|(by, _)| *by);
        let deadline = self.machine.poll_timeout().into_iter().chain(ending).min();
        if clock::keeps(self.timer, deadline) {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.timer = deadline.map(|deadline| {
            let timer = ctx.run_later(clock::until(deadline), |endpoint, ctx| {
                endpoint.timer = None;
                endpoint.machine.handle_timeout(clock::now());
                endpoint.drive(ctx);
            });
            (deadline, timer)
        });
    }

    /// Takes what Microsoft delivers, one piece after the other.
    fn listen(&mut self, ctx: &mut Context<Self>) {
        let next = next_notices(Arc::clone(&self.doorway)).into_actor(self).map(|notices, endpoint, ctx| {
            endpoint.handle(GraphInput::Noticed(notices), ctx);
            endpoint.listen(ctx);
        });
        ctx.spawn(next);
    }

    /// The last: whoever waits for the end hears of it when the tokens that came last are kept.
    fn end(&mut self, ctx: &mut Context<Self>) {
        for done in self.ending.take().into_iter().flat_map(|(_, done)| done) {
            self.secrets.finish(done);
        }
        self.told_to_stop = true;
        ctx.stop();
    }
}

async fn next_notices(doorway: Arc<Mutex<GraphDoorway>>) -> Vec<Notice> {
    std::future::poll_fn(|context| {
        let mut doorway = doorway.lock().unwrap_or_else(PoisonError::into_inner);
        let next = std::pin::pin!(doorway.recv());
        next.poll(context)
    })
    .await
}

impl Actor for GraphEndpoint {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.listen(ctx);
        self.drive(ctx);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        if !self.told_to_stop {
            let (child, incarnation) = (EndpointKind::Application, self.incarnation);
            self.parent.down.do_send(ChildDown { child, incarnation });
        }
    }
}

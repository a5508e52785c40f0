//! The actor of one remote queue: the client of the provider, beside those of the queues inside the process.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, MessageResult, SpawnHandle};
use presence_actors::{PresenceEvent, Provider, UccClient, now};
use presence_core::AgentUri;

use super::registry::{Gone, Registry};
use super::remote_ucc::{Ongoing, RemoteUcc};
use crate::http::Problem;

/// So many agents one queue may want.
pub(super) const MAX_AGENTS: usize = 100_000;
/// So many agents all remote queues together may want; one that three of them want counts three times.
pub(super) const MAX_IN_ALL: usize = 1_000_000;
/// So many calls of one queue may be under way.
const MAX_CALLS: usize = 10_000;
/// So many agents are subscribed in one turn; then the other actors have theirs.
const ORDERS_PER_TURN: usize = 256;
/// So many subscriptions may wait for their turn.
const MAX_ORDERS: usize = 2 * MAX_AGENTS;
/// So many events find room in the mailbox; more wait in the outbox that every queue has.
const MAILBOX: usize = 1_024;

/// Which agents to let go, and which to want from then on.
#[derive(Debug, Default, Message)]
#[rtype(result = "Result<Altered, Refused>")]
pub(in crate::http) struct Alter {
    /// Let go, before the others are subscribed.
    pub(in crate::http) unsubscribe: Vec<AgentUri>,
    /// Wanted.
    pub(in crate::http) subscribe: Vec<AgentUri>,
}

/// What became of an [`Alter`].
#[derive(Debug)]
pub(in crate::http) struct Altered {
    /// How many agents the queue wants now.
    pub(in crate::http) agents: usize,
    /// How many were let go.
    pub(in crate::http) released: usize,
    /// What found no room.
    pub(in crate::http) beyond: Vec<AgentUri>,
}

/// A call of the queue begins; the answer is true for a new one.
#[derive(Debug, Message)]
#[rtype(result = "Result<bool, Refused>")]
pub(super) struct StartCall {
    pub(super) call: Arc<str>,
    pub(super) line: AgentUri,
}

/// A call of the queue ends; the answer is false when there is none.
#[derive(Debug, Message)]
#[rtype(result = "bool")]
pub(super) struct EndCall {
    pub(super) call: Arc<str>,
}

/// The lease may end earlier than the timer knows.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Rearm;

/// Let everything go.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(super) struct LetGo;

/// Subscribe the next agents.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct GoOn;

/// Why something was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) enum Refused {
    /// Too much waits already.
    Busy,
    /// The call is one with another line.
    OtherLine(AgentUri),
    /// Too many calls.
    TooManyCalls,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Busy => Self::unavailable(
                "so many subscriptions of this queue wait for their turn that no more are taken; send the request again",
                Duration::from_secs(1),
            ),
            Refused::OtherLine(line) => Self::conflict(format!(
                "a call with this id is under way with {line}; end it first, or give the new call an id of its own"
            )),
            Refused::TooManyCalls => Self::unprocessable(format!(
                "{MAX_CALLS} calls of this queue are under way, which is the limit; end some"
            )),
        }
    }
}

/// How many agents all remote queues want, whose actors share a thread.
pub(super) struct Together {
    most: usize,
    wanted: Cell<usize>,
}

impl Together {
    /// None yet, and so many at most.
    pub(super) const fn new(most: usize) -> Self {
        Self { most, wanted: Cell::new(0) }
    }
}

enum Order {
    Subscribe(AgentUri),
    Unsubscribe(AgentUri),
}

/// The actor of one remote queue.
pub(in crate::http) struct UccActor {
    shared: Arc<RemoteUcc>,
    provider: Provider,
    client: Option<UccClient>,
    registry: Addr<Registry>,
    orders: VecDeque<Order>,
    timer: Option<SpawnHandle>,
    together: Rc<Together>,
    /// So many agents of this queue are counted there.
    counted: usize,
}

impl UccActor {
    pub(super) const fn new(
        shared: Arc<RemoteUcc>,
        provider: Provider,
        registry: Addr<Registry>,
        together: Rc<Together>,
    ) -> Self {
        let orders = VecDeque::new();
        Self { shared, provider, client: None, registry, orders, timer: None, together, counted: 0 }
    }

    /// So many agents of this queue count from now on.
    fn count(&mut self, agents: usize) {
        self.together.wanted.set(self.together.wanted.get() - self.counted + agents);
        self.counted = agents;
    }

    /// Tells the provider what the queue wants, some of it.
    fn perform_orders(&mut self, ctx: &mut Context<Self>) {
        let Some(client) = &self.client else { return };
        for order in self.orders.drain(..self.orders.len().min(ORDERS_PER_TURN)) {
            match order {
                Order::Subscribe(uri) => client.subscribe(uri),
                Order::Unsubscribe(uri) => client.unsubscribe(&uri),
            }
        }
        if !self.orders.is_empty() {
            ctx.notify(GoOn);
        }
    }

    /// One timer: a lease that is prolonged meanwhile is looked at again when it fires.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        let ends_at = self.shared.lease().ends_at();
        if self.timer.is_none()
            && let Some(at) = ends_at
        {
            self.timer = Some(ctx.run_later(at.saturating_duration_since(now()), |ucc, ctx| {
                ucc.timer = None;
                if ucc.shared.lease().end_if_due(now()) {
                    tracing::info!(logger = %ucc.shared.name(), "the remote queue was not heard of for the linger; its agents and calls are let go");
                    ctx.stop();
                } else {
                    ucc.arm(ctx);
                }
            }));
        }
    }
}

impl Actor for UccActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.client = Some(self.provider.client(self.shared.name(), ctx.address().recipient()));
        self.arm(ctx);
    }
}

/// However it ends, also by a panic: nobody goes on with a queue that nobody serves, and its name is free.
impl Drop for UccActor {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(logger = %self.shared.name(), "a bug: the remote queue panicked; its streams end, and the next request registers it anew");
        }
        self.count(0);
        self.shared.lease().end();
        self.shared.gone().cancel();
        self.registry.do_send(Gone(Arc::clone(self.shared.name())));
    }
}

impl Handler<PresenceEvent> for UccActor {
    type Result = ();

    fn handle(&mut self, event: PresenceEvent, _: &mut Self::Context) {
        self.shared.feed().write(|feed| feed.tell(event));
    }
}

impl Handler<Alter> for UccActor {
    type Result = Result<Altered, Refused>;

    fn handle(&mut self, alter: Alter, ctx: &mut Self::Context) -> Self::Result {
        let Alter { unsubscribe, subscribe } = alter;
        if self.orders.len() + unsubscribe.len() + subscribe.len() > MAX_ORDERS {
            return Err(Refused::Busy);
        }
        let idle = self.orders.is_empty();
        let others = self.together.wanted.get() - self.counted;
        let room = MAX_AGENTS.min(self.together.most.saturating_sub(others));
        let (orders, mut beyond, mut released) = (&mut self.orders, Vec::new(), 0);
        let agents = self.shared.feed().write(|feed| {
            for uri in unsubscribe {
                if feed.release(&uri) {
                    released += 1;
                    orders.push_back(Order::Unsubscribe(uri));
                }
            }
            for uri in subscribe {
                if feed.wanted() >= room && !feed.wants(&uri) {
                    beyond.push(uri);
                } else if feed.want(&uri) {
                    orders.push_back(Order::Subscribe(uri));
                }
            }
            feed.wanted()
        });
        self.count(agents);
        if idle {
            self.perform_orders(ctx);
        }
        Ok(Altered { agents, released, beyond })
    }
}

impl Handler<GoOn> for UccActor {
    type Result = ();

    fn handle(&mut self, _: GoOn, ctx: &mut Self::Context) {
        self.perform_orders(ctx);
    }
}

impl Handler<StartCall> for UccActor {
    type Result = Result<bool, Refused>;

    fn handle(&mut self, StartCall { call, line }: StartCall, _: &mut Self::Context) -> Self::Result {
        let Some(client) = &self.client else { return Err(Refused::Busy) };
        let mut calls = self.shared.calls();
        match calls.get(&call) {
            Some(known) if known.line == line => return Ok(false),
            Some(known) => return Err(Refused::OtherLine(known.line.clone())),
            None if calls.len() >= MAX_CALLS => return Err(Refused::TooManyCalls),
            None => {}
        }
        client.call_started(&line, &call);
        calls.insert(call, Ongoing { line, since: now() });
        Ok(true)
    }
}

impl Handler<EndCall> for UccActor {
    type Result = MessageResult<EndCall>;

    fn handle(&mut self, EndCall { call }: EndCall, _: &mut Self::Context) -> Self::Result {
        let ended = self.shared.calls().remove(&call);
        if let (Some(client), Some(ended)) = (&self.client, &ended) {
            client.call_ended(&ended.line, &call);
        }
        MessageResult(ended.is_some())
    }
}

impl Handler<Rearm> for UccActor {
    type Result = ();

    fn handle(&mut self, _: Rearm, ctx: &mut Self::Context) {
        self.arm(ctx);
    }
}

impl Handler<LetGo> for UccActor {
    type Result = ();

    fn handle(&mut self, _: LetGo, ctx: &mut Self::Context) {
        self.shared.lease().end();
        ctx.stop();
    }
}

//! The actor that metes out the right to be put on the wire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, AsyncContext, Context, Handler, Message, MessageResult, Recipient, SpawnHandle, Supervised};
use presence_core::{AgentUri, Coverage, RecoveryOrder, Throttle as ThrottleMachine, Ticket};

use crate::clock;
use crate::messages::{CancelToken, Congested, Granted, Relieved, Stand, TakeToken, TokenSent};
use crate::meters::Meters;
use crate::supervise::Escalation;

/// The throttle of agents that come back in the order of [`RecoveryOrder`].
pub(crate) type Machine = ThrottleMachine<(AgentUri, Ticket), RecoveryOrder<(AgentUri, Ticket)>>;

/// Grants tokens at the configured rate: the machine, and the agents that wait.
pub(crate) struct Throttle {
    machine: Machine,
    /// Who waits, and since when.
    waiting: BTreeMap<(AgentUri, Ticket), (Recipient<Granted>, Instant)>,
    granted: u64,
    /// What was said last: the rate is lowered.
    told_lowered: bool,
    meters: Arc<Meters>,
    escalation: Escalation,
    timer: Option<(Instant, SpawnHandle)>,
}

/// What waits for tokens, for people.
#[derive(Clone, Debug, Default)]
pub struct ThrottleView {
    /// How many agents wait for a token to be put on the wire; samples are not among them.
    pub waiting: usize,
    /// How many tokens have been granted since the start.
    pub granted: u64,
    /// When the last one that waits now will have its token.
    pub predicted_end: Option<Instant>,
    /// How many tokens per second are granted at most at present: the configured rate, or less while the pool cannot keep
    /// up.
    pub rate: f64,
    /// How many tokens per second are granted at most when it can (MaxPresenceSubscriptionsPerSecond).
    pub configured_rate: u32,
    /// Which UCCs have an available agent.
    pub coverage: Coverage,
    /// When every UCC that seeks one will have one, as far as can be told; none when no UCC seeks one.
    pub predicted_cover: Option<Instant>,
}

#[derive(Message)]
#[rtype(result = "ThrottleView")]
pub(crate) struct ObserveThrottle;

impl Throttle {
    pub(crate) const fn new(machine: Machine, meters: Arc<Meters>, escalation: Escalation) -> Self {
        Self { machine, waiting: BTreeMap::new(), granted: 0, told_lowered: false, meters, escalation, timer: None }
    }

    fn drive(&mut self, ctx: &mut Context<Self>) {
        while let Some(key) = self.machine.poll_granted() {
            match self.waiting.remove(&key) {
                Some((agent, since)) if agent.connected() => {
                    self.granted += 1;
                    self.meters.waited_for_token(clock::now().saturating_duration_since(since));
                    agent.do_send(Granted { ticket: key.1 });
                }
                // Nobody is left who could use it.
                Some(_) | None => self.machine.sent(clock::now()),
            }
        }
        self.tell();
        let deadline = self.machine.poll_timeout();
        if clock::keeps(self.timer, deadline) {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.timer = deadline.map(|deadline| {
            let timer = ctx.run_later(clock::until(deadline), |actor, ctx| {
                actor.timer = None;
                actor.machine.handle_timeout(clock::now());
                actor.drive(ctx);
            });
            (deadline, timer)
        });
    }
}

impl Throttle {
    /// Says when the rate is lowered, and when it is the configured one again; not the steps between.
    fn tell(&mut self) {
        let is_lowered = self.machine.is_lowered();
        match (std::mem::replace(&mut self.told_lowered, is_lowered), is_lowered) {
            (false, true) => tracing::warn!(
                logger = "PresenceProvider",
                rate = self.machine.rate(),
                configured = self.machine.configured_rate(),
                "the pool cannot keep up: agents are put on the wire more slowly until it accepts them again"
            ),
            (true, false) => tracing::info!(
                logger = "PresenceProvider",
                rate = self.machine.configured_rate(),
                "the pool keeps up again: agents are put on the wire at the configured rate"
            ),
            (true, true) | (false, false) => {}
        }
    }
}

impl Actor for Throttle {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.drive(ctx);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.escalation.escalate_a_panic("throttle");
    }
}

impl Supervised for Throttle {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.timer = None;
    }
}

impl Handler<TakeToken> for Throttle {
    type Result = ();

    fn handle(&mut self, message: TakeToken, ctx: &mut Self::Context) {
        let key = (message.uri, message.ticket);
        let now = clock::now();
        self.waiting.insert(key.clone(), (message.agent, now));
        self.machine.request(now, key, message.class);
        self.drive(ctx);
    }
}

impl Handler<TokenSent> for Throttle {
    type Result = ();

    fn handle(&mut self, _: TokenSent, ctx: &mut Self::Context) {
        self.machine.sent(clock::now());
        self.drive(ctx);
    }
}

impl Handler<CancelToken> for Throttle {
    type Result = ();

    fn handle(&mut self, message: CancelToken, ctx: &mut Self::Context) {
        let key = (message.uri, message.ticket);
        self.waiting.remove(&key);
        self.machine.cancel(clock::now(), &key);
        self.drive(ctx);
    }
}

impl Handler<Stand> for Throttle {
    type Result = ();

    fn handle(&mut self, message: Stand, _: &mut Self::Context) {
        self.machine.order_mut().stand(clock::now(), &message.uri, message.standing);
    }
}

impl Handler<Congested> for Throttle {
    type Result = ();

    fn handle(&mut self, _: Congested, ctx: &mut Self::Context) {
        self.machine.congested(clock::now());
        self.drive(ctx);
    }
}

impl Handler<Relieved> for Throttle {
    type Result = ();

    fn handle(&mut self, message: Relieved, ctx: &mut Self::Context) {
        self.machine.relieved(clock::now(), message.agents);
        self.drive(ctx);
    }
}

impl Handler<ObserveThrottle> for Throttle {
    type Result = MessageResult<ObserveThrottle>;

    fn handle(&mut self, _: ObserveThrottle, _: &mut Self::Context) -> Self::Result {
        let (now, order) = (clock::now(), self.machine.order());
        let (coverage, tokens) = (order.coverage(now), order.tokens_to_cover());
        MessageResult(ThrottleView {
            waiting: self.machine.waiting_agents(),
            granted: self.granted,
            predicted_end: self.machine.predicted_end(now),
            coverage,
            predicted_cover: (tokens > 0).then(|| now + self.machine.time_for(tokens)),
            rate: self.machine.rate(),
            configured_rate: self.machine.configured_rate().get(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::*;

    /// Counts the lines of the log: warnings, and what an operator is told.
    #[derive(Clone, Default)]
    struct Lines(Arc<[AtomicUsize; 2]>);

    impl Lines {
        fn counts(&self) -> [usize; 2] {
            [self.0[0].load(Ordering::Relaxed), self.0[1].load(Ordering::Relaxed)]
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target().starts_with("presence_actors::throttle")
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let level = *event.metadata().level();
            for (counted, count) in [Level::WARN, Level::INFO].into_iter().zip(self.0.iter()) {
                count.fetch_add(usize::from(level == counted), Ordering::Relaxed);
            }
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_lowered_rate_is_shown_and_told_once_and_so_is_the_configured_one() {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let system = actix::System::with_tokio_rt(|| runtime().expect("a runtime can be built"));
        let lines = Lines::default();
        let _counting = tracing::subscriber::set_default(lines.clone());
        system.block_on(async move {
            let (escalation, _) = Escalation::new();
            let order = RecoveryOrder::new(clock::now());
            let machine = Machine::with_order(NonZeroU32::MIN.saturating_add(14), order);
            let throttle = Throttle::new(machine, Arc::default(), escalation).start();
            for _ in 0..3 {
                throttle.send(Congested).await.expect("it lives");
                tokio::time::advance(Duration::from_secs(1)).await;
            }
            let view = throttle.send(ObserveThrottle).await.expect("it lives");
            assert_eq!(((view.rate * 1_000.0).round(), view.configured_rate), (5_145.0, 15));
            assert_eq!(lines.counts(), [1, 0]);
            for agents in [1, 100, 100, 100] {
                throttle.send(Relieved { agents }).await.expect("it lives");
            }
            let view = throttle.send(ObserveThrottle).await.expect("it lives");
            assert_eq!((view.rate, lines.counts()), (15.0, [1, 1]));
        });
    }
}

//! One change handed to many UCCs, all in one arbiter: `cargo bench -p presence-actors --bench fan_out`.
//!
//! The change begins as a push to the attendant source, so that no socket is measured, and ends when the last UCC's
//! actor has handled it. A push of its own for each change is part of what is measured: see the row of 1 UCC.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may panic and says what it is by its name")]

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler};
use divan::Bencher;
use divan::counter::ItemsCount;
use presence_actors::{PresenceEvent, Provider, Push, Setup, UccClient};
use presence_core::{AgentUri, Availability, MatchRules, SourceRules, Status};
use tokio::sync::Notify;

fn main() {
    divan::main();
}

/// How many events are still to come, for all UCCs together.
#[derive(Default)]
struct Awaited {
    left: Cell<usize>,
    all_came: Notify,
}

impl Awaited {
    async fn none_left(&self) {
        while self.left.get() > 0 {
            self.all_came.notified().await;
        }
    }
}

/// A UCC that counts.
struct Counting {
    provider: Provider,
    agent: AgentUri,
    awaited: Rc<Awaited>,
    client: Option<UccClient>,
}

impl Actor for Counting {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let client = self.provider.client("ucc", ctx.address().recipient());
        client.subscribe(self.agent.clone());
        self.client = Some(client);
    }
}

impl Handler<PresenceEvent> for Counting {
    type Result = ();

    fn handle(&mut self, event: PresenceEvent, _: &mut Self::Context) {
        assert!(!matches!(event, PresenceEvent::Lagged { .. } | PresenceEvent::Unserved { .. }), "{event:?}");
        self.awaited.left.set(self.awaited.left.get() - 1);
        if self.awaited.left.get() == 0 {
            self.awaited.all_came.notify_one();
        }
    }
}

/// A push whose every other value is another one.
fn push(agent: &AgentUri, turn: &Cell<bool>) -> Push {
    let availability = if turn.replace(!turn.get()) { Availability::BUSY } else { Availability::ONLINE };
    Push { uri: agent.clone(), status: Status::of(availability), time_to_live: Duration::from_secs(3_600) }
}

#[divan::bench(args = [1, 10, 100, 1_000])]
fn a_change_to_uccs(bencher: Bencher<'_, '_>, uccs: usize) {
    let system = actix::System::new();
    let attendant = Some(MatchRules::compile(&[r"@console\.example$"]).unwrap());
    let agent: AgentUri = "sip:agent1@console.example".parse().unwrap();
    let (awaited, turn) = (Rc::new(Awaited::default()), Cell::new(false));
    let provider = system.block_on(async {
        let provider =
            Provider::start(Setup::new(SourceRules { attendant, pstn: false, graph: None, ucma: false }, vec![]));
        // Each hears of the agent once when it has asked for it: pending.
        awaited.left.set(uccs);
        for _ in 0..uccs {
            let (provider, awaited) = (provider.clone(), Rc::clone(&awaited));
            Counting { provider, agent: agent.clone(), awaited, client: None }.start();
        }
        awaited.none_left().await;
        provider
    });
    bencher.counter(ItemsCount::new(uccs)).bench_local(|| {
        system.block_on(async {
            awaited.left.set(uccs);
            provider.push(push(&agent, &turn)).await.unwrap();
            awaited.none_left().await;
        });
    });
}

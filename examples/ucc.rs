//! A UCC (a contact-centre queue) of your own inside the process: an actor that asks the presence provider for agents,
//! hears of every change, and decides from it whom it may ring. `docs/ucc.md` explains the same step by step.
//!
//! `cargo run --example ucc` starts a simulated presence server on loopback, the provider, and one queue with three
//! agents, one of each kind: a SIP agent, a PSTN agent, and one whose presence another program pushes. It ends by itself
//! after some three seconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler};
use presence_actors::{EndpointSetup, Pool, PresenceEvent, Provider, Push, Setup, UccClient};
use presence_core::{
    AgentUri, Availability, AvailabilityName, EndpointKind, Freshness, MatchRules, Presence, SourceRules, Status,
};
use presence_simulator::{Activity, AgentState, Simulator, SimulatorSettings};
use presence_sip::TransportKind;
use tokio::sync::oneshot;

/// The queue. What it knows of its agents is what the events have told it; it never has to ask.
struct Helpdesk {
    provider: Provider,
    /// Its interest: dropping the client, or the end of the actor, lets go of every agent and every call.
    client: Option<UccClient>,
    agents: Vec<AgentUri>,
    known: BTreeMap<AgentUri, Arc<Presence>>,
    /// Tells `main`, when it is dropped, that the queue is closed.
    _closed: oneshot::Sender<()>,
}

impl Helpdesk {
    /// Whom the queue may ring now: somebody of whom it is known for certain that he or she is free. A stale value is
    /// the last one of a source that is down, and unknown is not offline: what a queue does with those is its decision.
    fn may_ring(&self) -> Vec<&str> {
        self.known
            .iter()
            .filter(|(_, presence)| {
                presence.freshness == Freshness::Fresh
                    && presence.status.availability.name() == AvailabilityName::Online
            })
            .map(|(uri, _)| uri.as_str())
            .collect()
    }

    /// Takes over what is known of an agent, however it was learned.
    fn learn(&mut self, uri: AgentUri, presence: Arc<Presence>) {
        self.known.insert(uri, presence);
        say(&format!("  may ring: {:?}", self.may_ring()));
    }
}

impl Actor for Helpdesk {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // 1. A client. The provider sends every event of this queue to this actor's mailbox. A mailbox of 16 (actix's
        //    own default) is small for a queue with many agents.
        ctx.set_mailbox_capacity(256);
        let client = self.provider.client("helpdesk", ctx.address().recipient());

        // 2. Whom the queue wants. The first event of each agent says what is known now; then come the changes.
        for agent in &self.agents {
            client.subscribe(agent.clone());
        }
        self.client = Some(client);

        // 3. The queue has a call with its PSTN agent, for a second.
        let line = self.agents[1].clone();
        ctx.run_later(Duration::from_millis(500), move |helpdesk, ctx| {
            helpdesk.call(&line, "call-1", Duration::from_secs(1), ctx);
        });

        // 4. The queue closes.
        ctx.run_later(Duration::from_secs(3), |_, ctx| ctx.stop());
    }
}

impl Helpdesk {
    /// A call with a PSTN agent makes the agent busy in every queue of the process. The identifier is the queue's own;
    /// saying the same twice counts once, and the calls of a queue that dies are over.
    fn call(&self, line: &AgentUri, call: &'static str, length: Duration, ctx: &mut Context<Self>) {
        let Some(client) = &self.client else { return };
        client.call_started(line, call);
        let line = line.clone();
        ctx.run_later(length, move |helpdesk, _| {
            if let Some(client) = &helpdesk.client {
                client.call_ended(&line, call);
            }
        });
    }
}

impl Handler<PresenceEvent> for Helpdesk {
    type Result = ();

    fn handle(&mut self, event: PresenceEvent, _: &mut Self::Context) {
        match event {
            // Nothing is known of this agent yet; the first value comes as a change without a previous one.
            PresenceEvent::Pending { uri } => say(&format!("{uri}: pending")),
            // What holds now: the first event of an agent that another queue wants already, and what follows a lag.
            PresenceEvent::Current { uri, presence, .. } => {
                say(&format!("{uri}: is {} ({})", presence.status.availability.name(), presence.freshness));
                self.learn(uri, presence);
            }
            // A change, in order and without gaps: `sequence` counts the changes of this agent.
            PresenceEvent::Changed(change) => {
                let before = change.previous.as_ref();
                say(&format!(
                    "{}: {} -> {} ({}, change {})",
                    change.uri,
                    before.map_or("nothing known".to_owned(), |previous| previous
                        .status
                        .availability
                        .name()
                        .to_string()),
                    change.new.status.availability.name(),
                    change.new.freshness,
                    change.sequence
                ));
                self.learn(change.uri.clone(), Arc::clone(&change.new));
            }
            // This queue took too long over earlier events; for every agent concerned a `Current` follows.
            PresenceEvent::Lagged { missed } => say(&format!("too slow: {missed} changes are skipped")),
            // The configuration has no source for this agent; nothing more will come.
            PresenceEvent::Unserved { uri, why } => say(&format!("{uri}: no source serves it: {why}")),
        }
    }
}

/// What `src/assemble.rs` makes from Config.xml, by hand: which source serves whom, and where the pool is.
fn setup(pool: std::net::SocketAddr) -> Result<Setup, Box<dyn std::error::Error>> {
    let attendant = MatchRules::compile(&[r"@console\.example$"]).map_err(|_| "the pattern is a good one")?;
    let rules = SourceRules { attendant: Some(attendant), pstn: true, graph: None, ucma: true };
    let address = Pool::Address { host: pool.ip().to_string(), port: Some(pool.port()) };
    let owner: AgentUri = "sip:helpdesk@demo.example".parse()?;
    let endpoint = EndpointSetup::new(EndpointKind::Application, owner, address, TransportKind::Tcp);
    Ok(Setup::new(rules, vec![endpoint]))
}

async fn day_at_the_helpdesk() -> Result<(), Box<dyn std::error::Error>> {
    let server = Simulator::start(SimulatorSettings::with_agents(1, "demo.example")).await?;
    server.set_presence("sip:agent1@demo.example", AgentState::of(Activity::OnThePhone));

    // One provider per process, shared by all of its queues; clones of the handle speak to the same one.
    let provider = Provider::start(setup(server.address())?);

    let console: AgentUri = "sip:reception@console.example".parse()?;
    let agents = vec!["sip:agent1@demo.example".parse()?, "tel:+31612345678".parse()?, console.clone()];
    let (_closed, closed) = oneshot::channel();
    Helpdesk { provider: provider.clone(), client: None, agents, known: BTreeMap::new(), _closed }.start();

    // Another program pushes what it knows; without a new push the agent is unknown again after the time to live.
    let status = Status::of(Availability::DO_NOT_DISTURB);
    provider.push(Push { uri: console, status, time_to_live: Duration::from_secs(1) }).await?;

    // The SIP agent hangs up: a NOTIFY comes, and with it a change.
    let mut closed = std::pin::pin!(closed);
    if tokio::time::timeout(Duration::from_secs(1), &mut closed).await.is_err() {
        server.set_presence("sip:agent1@demo.example", AgentState::of(Activity::Available));
    }
    let _the_queue_is_gone = closed.await;

    // Every subscription is taken back before the process ends.
    let all_ended = provider.shutdown(Duration::from_secs(5)).await;
    say(&format!("closed; every subscription is taken back: {all_ended}"));
    server.stop().await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example shows what it hears")]
fn say(line: &str) {
    println!("{line}");
}

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    actix::System::new().block_on(day_at_the_helpdesk())
}

//! A UCC of your own inside the process: an actor that asks the presence provider for agents and hears of them.
//!
//! `cargo run --example ucc` starts a simulated presence server on loopback, the provider, and one queue with three
//! agents: a SIP agent, a PSTN agent and one whose presence a third party pushes. It ends by itself after two seconds.

use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler};
use presence_actors::{EndpointSetup, Pool, PresenceEvent, Provider, Push, Setup, UccClient};
use presence_core::{AgentUri, Availability, EndpointKind, MatchRules, SourceRules, Status};
use presence_simulator::{Activity, AgentState, Simulator, SimulatorSettings};
use presence_sip::TransportKind;

/// The queue: it keeps its client, and with it its interest; when the actor ends, everything is let go.
struct Helpdesk {
    provider: Provider,
    client: Option<UccClient>,
    agents: Vec<AgentUri>,
}

impl Actor for Helpdesk {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // 1. A client: the provider sends every event to this actor.
        let client = self.provider.client("helpdesk", ctx.address().recipient());
        // 2. Say whom you want. The first event of each agent is its present value, or an explicit pending.
        for agent in &self.agents {
            client.subscribe(agent.clone());
        }
        // 3. A call with a PSTN agent makes it busy for every queue of the process, until the call ends.
        let line = self.agents[1].clone();
        client.call_started(&line, "call-1");
        self.client = Some(client);
        ctx.run_later(Duration::from_secs(1), move |helpdesk, _| {
            if let Some(client) = &helpdesk.client {
                client.call_ended(&line, "call-1");
            }
        });
        ctx.run_later(Duration::from_secs(2), |_, ctx| ctx.stop());
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        actix::System::current().stop();
    }
}

impl Handler<PresenceEvent> for Helpdesk {
    type Result = ();

    #[expect(clippy::print_stdout, reason = "an example shows what it hears")]
    fn handle(&mut self, event: PresenceEvent, _: &mut Self::Context) {
        match event {
            PresenceEvent::Pending { uri } => println!("{uri}: pending, nothing is known yet"),
            PresenceEvent::Current { uri, presence, .. } => {
                println!("{uri}: is {:?} ({})", presence.status.availability, presence.freshness);
            }
            PresenceEvent::Changed(change) => println!(
                "{}: {:?} -> {:?} ({}, change {})",
                change.uri,
                change.previous.as_ref().map(|previous| previous.status.availability),
                change.new.status.availability,
                change.new.freshness,
                change.sequence
            ),
            PresenceEvent::Lagged { missed } => {
                println!("too slow: {missed} changes were dropped, the present values follow")
            }
            PresenceEvent::Unserved { uri, why } => println!("{uri}: no source serves it: {why}"),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let system = actix::System::new();
    system.block_on(async {
        let server = Simulator::start(SimulatorSettings::with_agents(1, "demo.example")).await?;
        server.set_presence("sip:agent1@demo.example", AgentState::of(Activity::OnThePhone));

        let attendant = MatchRules::compile(&[r"@console\.example$"]).map_err(|_| "the pattern is valid")?;
        let rules = SourceRules { attendant: Some(attendant), pstn: true, graph: false, ucma: true };
        let pool = Pool::Address { host: server.address().ip().to_string(), port: Some(server.address().port()) };
        let endpoint =
            EndpointSetup::new(EndpointKind::Application, "sip:ucc@demo.example".parse()?, pool, TransportKind::Tcp);
        let provider = Provider::start(Setup::new(rules, vec![endpoint]));

        let console: AgentUri = "sip:reception@console.example".parse()?;
        let agents = vec!["sip:agent1@demo.example".parse()?, "tel:+31612345678".parse()?, console.clone()];
        Helpdesk { provider: provider.clone(), client: None, agents }.start();

        // A third party pushes; without a new push the agent is unknown again after the time to live.
        let status = Status::of(Availability::DO_NOT_DISTURB);
        provider.push(Push { uri: console, status, time_to_live: Duration::from_secs(1) }).await?;
        Ok::<_, Box<dyn std::error::Error>>(std::mem::forget(server))
    })?;
    system.run()?;
    Ok(())
}

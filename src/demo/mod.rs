//! `presence-provider demo`: a simulated presence server and the whole provider in one process, over real SIP on
//! loopback TCP, with things that go wrong to watch it recover.

mod queues;
mod story;
mod summary;

use std::num::NonZeroU32;
use std::time::Duration;

use actix::Actor;
use presence_actors::{EndpointSetup, Pool, Provider, Setup};
use presence_core::{AgentUri, EndpointKind, RetryPolicy, SourceRules};
use presence_simulator::{Simulator, SimulatorHandle, SimulatorSettings};
use presence_sip::TransportKind;

use crate::exit::Exit;
use crate::hosted_ucc::HostedUcc;
use crate::shutdown::Signals;

/// What the demo is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demo {
    /// How many agents there are.
    pub agents: usize,
    /// How many queues share them.
    pub uccs: usize,
    /// When to end; none: when the operator says so.
    pub duration: Option<Duration>,
    /// The seed of the dice that move the agents.
    pub seed: u64,
    /// MaxPresenceSubscriptionsPerSecond.
    pub rate: NonZeroU32,
}

/// The SIP domain of the demo; reserved for examples (RFC 2606).
const DOMAIN: &str = "demo.example";

/// Plays the demo and tells its story on the standard output.
///
/// # Errors
/// When the simulated server cannot listen on loopback, or the system refuses its signals.
pub async fn demo(demo: &Demo) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen()?;
    let server = start_server(demo).await?;
    story::begin(demo, &server);
    let provider = Provider::start(setup(demo, &server)?);
    let centers = queues::contact_centers(demo);
    for center in &centers {
        HostedUcc::new(center, provider.clone()).start();
    }
    tokio::select! {
        biased;
        _ = signals.end() => story::say("Ctrl-C: the demo ends"),
        () = story::play(demo, &server, &provider) => {}
    }
    let view = provider.observe().await?;
    let counters = server.counters();
    story::say("ending every subscription, as at a SIGTERM");
    let ended = provider.shutdown(grace(demo)).await;
    summary::print(demo, &centers, &view, &counters, &server.counters(), ended);
    server.stop().await;
    Ok(Exit::Ok)
}

/// As long as it takes to end every subscription at the configured rate, but no longer than a person waits.
fn grace(demo: &Demo) -> Duration {
    let seconds = u64::try_from(demo.agents).unwrap_or(u64::MAX) / u64::from(demo.rate.get());
    Duration::from_secs(seconds.saturating_add(2).min(10))
}

async fn start_server(demo: &Demo) -> anyhow::Result<SimulatorHandle> {
    let mut settings = SimulatorSettings::with_agents(demo.agents, DOMAIN);
    settings.seed = demo.seed;
    settings.change_interval = Some(Duration::from_secs(8));
    Ok(Simulator::start(settings).await?)
}

fn setup(demo: &Demo, server: &SimulatorHandle) -> anyhow::Result<Setup> {
    let rules = SourceRules { attendant: None, pstn: true, graph: false, ucma: true };
    let owner: AgentUri = format!("sip:presence-provider@{DOMAIN}").parse()?;
    let address = server.address();
    let pool = Pool::Address { host: address.ip().to_string(), port: Some(address.port()) };
    let endpoint = EndpointSetup::new(EndpointKind::Application, owner, pool, TransportKind::Tcp);
    let mut setup = Setup::new(rules, vec![endpoint]);
    setup.subscriptions_per_second = demo.rate;
    setup.retry = RetryPolicy::try_new(Duration::from_secs(2), Duration::from_secs(60))?;
    Ok(setup)
}

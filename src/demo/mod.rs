//! `presence-provider demo`: a simulated presence server and the whole provider in one process, over real SIP on
//! loopback TCP, with things that go wrong to watch it recover.

mod queues;
mod story;
mod summary;
mod teller;
mod timeline;

use std::num::NonZeroU32;
use std::time::Duration;

use actix::Actor;
use presence_actors::{EndpointSetup, Pool, Provider, Setup};
use presence_core::{AgentUri, EndpointKind, EndpointState, RetryPolicy, SourceRules};
use presence_simulator::{Simulator, SimulatorHandle, SimulatorSettings};
use presence_sip::TransportKind;

use crate::hosted_ucc::HostedUcc;
use crate::shutdown::{DEFAULT_GRACE, Signal, Signals, within_grace};

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

/// Plays the demo and tells its story on the standard output; gives back the summary, for when the log is written.
///
/// # Errors
/// When the simulated server cannot listen on loopback, or the system refuses its signals.
pub async fn demo(demo: &Demo) -> anyhow::Result<String> {
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
        signal = signals.end() => teller::say(&format!("{}: the demo ends.", pressed(signal))),
        () = story::play(demo, &server, &provider) => {}
    }
    let connected = provider
        .observe()
        .await?
        .endpoint(EndpointKind::Application)
        .is_some_and(|endpoint| endpoint.state == EndpointState::Established);
    let during = server.counters();
    let grace = grace(demo);
    teller::say("Every subscription is ended, as at a SIGTERM.");
    let ending = within_grace(grace, provider.shutdown(grace), signals.next()).await;
    let (pairs, after) = (queues::pairs(&centers), server.counters());
    let summary = summary::Summary { demo, pairs, during: &during, after: &after, connected, ending, grace };
    let text = summary.text();
    server.stop().await;
    Ok(text)
}

/// What the person at the keyboard did.
const fn pressed(signal: Signal) -> &'static str {
    match signal {
        Signal::Interrupt => "Ctrl-C",
        Signal::Terminate | Signal::Reload => signal.name(),
    }
}

/// As long as it takes to end every subscription at the configured rate, but no longer than a person waits.
fn grace(demo: &Demo) -> Duration {
    (story::time_for(demo) + Duration::from_secs(2)).min(DEFAULT_GRACE)
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
    let mut endpoint = EndpointSetup::new(EndpointKind::Application, owner, pool, TransportKind::Tcp);
    endpoint.policy.probe_interval = timeline::PROBE;
    let mut setup = Setup::new(rules, vec![endpoint]);
    setup.subscriptions_per_second = demo.rate;
    setup.retry = RetryPolicy::try_new(Duration::from_secs(2), Duration::from_secs(60))?;
    Ok(setup)
}

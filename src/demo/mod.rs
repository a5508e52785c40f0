//! `presence-provider demo`: a simulated pool and the whole provider in one process, over real SIP on loopback TCP, with
//! things that go wrong to watch it recover.

mod door;
mod queues;
mod stage;
mod story;
mod summary;
mod teams;
mod teller;
mod timeline;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use actix::Actor;
use presence_actors::{Provider, Setup};
use presence_core::{EndpointState, MatchRules, RetryPolicy, SourceRules};

use stage::Stage;
use teams::Teams;

use crate::hosted_ucc::HostedUcc;
use crate::shutdown::{DEFAULT_GRACE, Signal, Signals, within_grace};

/// What the demo is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demo {
    /// How many agents the pool has.
    pub agents: usize,
    /// How many Teams agents there are beside them.
    pub teams: usize,
    /// How many queues share them.
    pub uccs: usize,
    /// When to end; none: when the operator says so.
    pub duration: Option<Duration>,
    /// The seed of the dice that move the agents.
    pub seed: u64,
    /// MaxPresenceSubscriptionsPerSecond.
    pub rate: NonZeroU32,
    /// What is spoken to the simulated pool.
    pub dialect: DemoDialect,
    /// Where the dashboard and the API listen, if it was said.
    pub listen: Option<SocketAddr>,
}

/// What the demo speaks about presence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DemoDialect {
    /// Skype for Business: both endpoints register, and one dialog carries all agents
    #[default]
    Skype,
    /// RFC 3856: one dialog per agent, one endpoint
    Simple,
}

/// The SIP domain of the demo; reserved for examples (RFC 2606).
const DOMAIN: &str = "demo.example";

/// Agents of this domain are pushed over the API.
const ATTENDANTS: &str = r"@attendant\.demo\.example$";

/// Plays the demo and tells its story on the standard output; gives back the summary, for when the log is written.
///
/// # Errors
/// When the simulated server cannot listen on loopback, or the system refuses its signals.
pub async fn demo(demo: &Demo) -> anyhow::Result<String> {
    let mut signals = Signals::listen()?;
    let stage = Stage::start(demo).await?;
    let teams = Teams::start(demo).await?;
    story::begin(demo, &stage, teams.as_ref());
    let provider = Provider::start(setup(demo, &stage, teams.as_ref())?);
    let began = presence_actors::now();
    let centers = queues::contact_centers(demo);
    let door = door::open(demo, &stage, teams.as_ref(), &centers, &provider).await?;
    for center in &centers {
        HostedUcc::new(center, provider.clone()).start();
    }
    tokio::select! {
        biased;
        signal = signals.end() => teller::say(&format!("{}: the demo ends.", pressed(signal))),
        () = story::play(demo, &stage, teams.as_ref(), &provider) => {}
    }
    let connected = provider
        .observe()
        .await?
        .sources
        .iter()
        .flat_map(|source| &source.endpoints)
        .any(|endpoint| endpoint.state == EndpointState::Established);
    let during = stage.figures();
    let asked = teams.as_ref().map(|teams| (teams.figures(), presence_actors::now().saturating_duration_since(began)));
    let grace = grace(demo);
    teller::say("Every subscription is ended, as at a SIGTERM.");
    let ending = within_grace(grace, provider.shutdown(grace), signals.next()).await;
    let (pairs, after) = (queues::pairs(&centers), stage.figures());
    let summary = summary::Summary { demo, pairs, during: &during, after: &after, asked, connected, ending, grace };
    let text = summary.text();
    door.end().await;
    stage.stop().await;
    if let Some(teams) = &teams {
        teams.stop().await;
    }
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

fn setup(demo: &Demo, stage: &Stage, teams: Option<&Teams>) -> anyhow::Result<Setup> {
    let attendant = MatchRules::compile(&[ATTENDANTS]).ok();
    let graph = teams.map(|_| Teams::rules());
    let rules = SourceRules { attendant, pstn: true, graph, ucma: true };
    let mut setup = Setup::new(rules, stage.endpoints()?);
    setup.graph = teams.map(Teams::setup);
    setup.subscriptions_per_second = demo.rate;
    setup.retry = RetryPolicy::try_new(Duration::from_secs(2), Duration::from_secs(60))?;
    Ok(setup)
}

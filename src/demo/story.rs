//! What happens in the demo, and when; told on the standard output.

use std::io::Write;
use std::time::{Duration, Instant};

use presence_actors::Provider;
use presence_simulator::{SimulatorHandle, Termination};

use super::Demo;

/// How long the lost server stays away.
const OUTAGE: Duration = Duration::from_secs(2);
/// What waits for a recovery looks at the state this often.
const GLANCE: Duration = Duration::from_millis(100);

/// One line of the story. A closed standard output does not end the demo.
pub(super) fn say(line: &str) {
    let _closed = writeln!(std::io::stdout(), "\n== {line}");
}

/// The opening lines.
pub(super) fn begin(demo: &Demo, server: &SimulatorHandle) {
    say(&format!(
        "a simulated presence server with {} agents listens on {} (SIP over TCP, seed {})",
        demo.agents,
        server.address(),
        demo.seed
    ));
    say(&format!(
        "{} queues share these agents through one presence provider, at most {} subscriptions per second; {}",
        demo.uccs,
        demo.rate,
        match demo.duration {
            Some(duration) => format!("the demo ends after {}", humantime::format_duration(duration)),
            None => "Ctrl-C ends the demo".to_owned(),
        }
    ));
}

/// Plays the demo to its end, or for ever.
pub(super) async fn play(demo: &Demo, server: &SimulatorHandle, provider: &Provider) {
    let end = demo.duration.map(|duration| tokio::time::Instant::now() + duration);
    let scenes = async {
        first_subscriptions(demo, server).await;
        let pause = demo.duration.map_or(Duration::from_secs(6), |duration| duration / 4);
        wait(pause).await;
        termination(server).await;
        wait(pause).await;
        outage(demo, server, provider).await;
        std::future::pending::<()>().await;
    };
    match end {
        Some(end) => {
            let _the_end_is_no_error = tokio::time::timeout_at(end, scenes).await;
        }
        None => scenes.await,
    }
}

async fn first_subscriptions(demo: &Demo, server: &SimulatorHandle) {
    let began = presence_actors::now();
    until(|| server.active_subscriptions() >= demo.agents).await;
    say(&format!(
        "all {} agents are subscribed after {:.1} s: one subscription each, however many queues want them",
        demo.agents,
        elapsed(began)
    ));
}

async fn termination(server: &SimulatorHandle) {
    let Some(agent) = server.agents().first().map(|agent| agent.as_str().to_owned()) else { return };
    say(&format!("the server ends the subscription of {agent} (terminated;reason=deactivated); watch it come back"));
    let began = presence_actors::now();
    server.terminate(&agent, &Termination::because("deactivated"));
    until(|| server.counters().by_agent.get(&agent).is_some_and(|live| *live == 1)).await;
    say(&format!("{agent} is subscribed again after {:.0} ms; no queue had to do anything", elapsed(began) * 1000.0));
}

async fn outage(demo: &Demo, server: &SimulatorHandle, provider: &Provider) {
    say(&format!(
        "the server drops the connection, forgets every subscription and stays away for {} s; the queues keep the last values, marked stale",
        OUTAGE.as_secs()
    ));
    let began = presence_actors::now();
    server.forget_dialogs();
    server.pause_listening(OUTAGE).await;
    server.drop_connections();
    let mut told = 0;
    loop {
        wait(GLANCE).await;
        let fresh = match provider.observe().await {
            Ok(view) => {
                view.agents().filter(|agent| agent.presence.freshness == presence_core::Freshness::Fresh).count()
            }
            Err(_) => return,
        };
        if elapsed(began) > 1.0 && fresh >= demo.agents {
            break;
        }
        let quarter = fresh * 4 / demo.agents.max(1);
        if quarter > told && elapsed(began) > OUTAGE.as_secs_f64() {
            told = quarter;
            say(&format!("recovering: {fresh} of {} agents are fresh again", demo.agents));
        }
    }
    say(&format!("all {} agents are fresh again {:.1} s after the loss", demo.agents, elapsed(began)));
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        wait(GLANCE).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the demo is a play on the wall clock; no logic waits here")]
async fn wait(duration: Duration) {
    tokio::time::sleep(duration).await;
}

fn elapsed(since: Instant) -> f64 {
    presence_actors::now().saturating_duration_since(since).as_secs_f64()
}

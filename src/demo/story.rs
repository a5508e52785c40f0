//! What happens in the demo, and when; told on the standard output.

use std::time::{Duration, Instant};

use presence_actors::Provider;
use presence_core::{Freshness, Throttle};
use presence_simulator::{SimulatorHandle, Termination};

use super::teller::{counted, say, show};
use super::timeline::{OUTAGE, Timeline};
use super::{Demo, queues};

/// What waits for something looks at the state this often.
const GLANCE: Duration = Duration::from_millis(100);
/// Whoever waits longer than this is told how far it is.
const PROGRESS: Duration = Duration::from_secs(3);
/// From so many pairs of a queue and an agent on, the log is long.
const MANY: usize = 200;

const LEGEND: &str = "
   Log lines to look for:
     PresenceProviderClient::Subscribe   a queue asks for an agent
     PresenceProviderClient::event       a queue hears of a change: the presence before and now
     application endpoint A -> B         the provider's connection to the server
     WARN                                something went wrong, and what is done about it
   --log-level warn shows little more than this story, debug a short line of every change too.
";

/// The opening lines.
pub(super) fn begin(demo: &Demo, server: &SimulatorHandle) {
    say(&format!(
        "A simulated presence server with {} listens on {} (SIP over TCP, seed {}).",
        counted(demo.agents, "agent"),
        server.address(),
        demo.seed
    ));
    let them = if demo.agents == 1 { "it" } else { "them" };
    let queues =
        if demo.uccs == 1 { format!("One queue watches {them}") } else { format!("{} queues share {them}", demo.uccs) };
    let end = match demo.duration {
        Some(duration) => {
            format!("The demo ends after {}; Ctrl-C ends it earlier.", humantime::format_duration(duration))
        }
        None => "Ctrl-C ends the demo.".to_owned(),
    };
    let rate = counted(usize::try_from(demo.rate.get()).unwrap_or(usize::MAX), "subscription");
    say(&format!("{queues} through one presence provider, which sends at most {rate} per second. {end}"));
    show(LEGEND);
    if queues::pairs(&queues::contact_centers(demo)) > MANY {
        say("With so many queues and agents the log is long: --log-level warn leaves the story alone.");
    }
    if time_for(demo) > PROGRESS {
        say(&format!("At this rate it takes {:.0} s until all are subscribed.", time_for(demo).as_secs_f64()));
    }
    show("\n");
}

/// Plays the demo to its end, or for ever.
pub(super) async fn play(demo: &Demo, server: &SimulatorHandle, provider: &Provider) {
    let end = demo.duration.map(|duration| presence_actors::now() + duration);
    let scenes = async {
        first_subscriptions(demo, server).await;
        let remaining = end.map(|end| end.saturating_duration_since(presence_actors::now()));
        let all = time_for(demo);
        let timeline = Timeline::plan(remaining, all);
        wait(timeline.pause).await;
        if timeline.termination {
            termination(server).await;
            wait(timeline.pause).await;
        }
        if timeline.outage {
            outage(demo, server, provider).await;
        } else {
            let shortest = humantime::format_duration(Timeline::shortest(all)).to_string();
            say(&format!(
                "The time is too short for the scene in which the server goes away; --for {shortest} has it."
            ));
        }
        if end.is_none() {
            say("That was all that goes wrong here; the agents go on changing. Ctrl-C ends the demo.");
        }
        std::future::pending::<()>().await;
    };
    match end {
        Some(end) => {
            let _the_end_is_no_error = tokio::time::timeout_at(end.into(), scenes).await;
        }
        None => scenes.await,
    }
}

/// How long it takes to subscribe to every agent at the rate of the demo.
pub(super) fn time_for(demo: &Demo) -> Duration {
    Throttle::<()>::new(demo.rate).time_for(demo.agents)
}

async fn first_subscriptions(demo: &Demo, server: &SimulatorHandle) {
    let began = presence_actors::now();
    let mut progress = Progress::new(demo.agents, time_for(demo));
    loop {
        let subscribed = server.active_subscriptions();
        if subscribed >= demo.agents {
            break;
        }
        if let Some(text) = progress.of(subscribed) {
            say(&format!("{text} are subscribed."));
        }
        wait(GLANCE).await;
    }
    let all = if demo.agents == 1 { "The agent is".to_owned() } else { format!("All {} agents are", demo.agents) };
    say(&format!(
        "{all} subscribed after {:.1} s: one subscription for each, however many queues want the agent.",
        elapsed(began)
    ));
}

async fn termination(server: &SimulatorHandle) {
    let Some(agent) = server.agents().first().map(|agent| agent.as_str().to_owned()) else { return };
    say(&format!("The server ends the subscription of {agent} (terminated;reason=deactivated). Watch it come back."));
    let began = presence_actors::now();
    server.terminate(&agent, &Termination::because("deactivated"));
    while server.counters().by_agent.get(&agent).is_none_or(|live| *live == 0) {
        wait(GLANCE / 10).await;
    }
    say(&format!("{agent} is subscribed again after {:.0} ms; no queue had to do anything.", elapsed(began) * 1000.0));
}

async fn outage(demo: &Demo, server: &SimulatorHandle, provider: &Provider) {
    say(&format!(
        "The server drops the connection, forgets every subscription and stays away for {} s. The queues keep the last values, marked as stale.",
        OUTAGE.as_secs()
    ));
    let began = presence_actors::now();
    server.forget_dialogs();
    server.pause_listening(OUTAGE).await;
    server.drop_connections();
    let mut progress = Progress::new(demo.agents, time_for(demo));
    loop {
        wait(GLANCE).await;
        // Before the loss has been noticed, everything is still fresh.
        if elapsed(began) < OUTAGE.as_secs_f64() {
            continue;
        }
        let Ok(view) = provider.observe().await else { return };
        let fresh = view.agents().filter(|agent| agent.presence.freshness == Freshness::Fresh).count();
        if fresh >= demo.agents {
            break;
        }
        if let Some(text) = progress.of(fresh) {
            say(&format!("{text} are fresh again."));
        }
    }
    let all = if demo.agents == 1 { "The agent is".to_owned() } else { format!("All {} agents are", demo.agents) };
    say(&format!(
        "{all} fresh again {:.1} s after the loss, at no more than {} per second.",
        elapsed(began),
        counted(usize::try_from(demo.rate.get()).unwrap_or(usize::MAX), "subscription")
    ));
}

/// Tells at every quarter how far it is, when it takes long enough to wonder.
struct Progress {
    all: usize,
    told: usize,
    worth_telling: bool,
}

impl Progress {
    fn new(all: usize, expected: Duration) -> Self {
        Self { all, told: 0, worth_telling: expected > PROGRESS }
    }

    fn of(&mut self, done: usize) -> Option<String> {
        let quarter = done * 4 / self.all.max(1);
        if !self.worth_telling || quarter <= self.told {
            return None;
        }
        self.told = quarter;
        Some(format!("{done} of {} agents", self.all))
    }
}

#[expect(clippy::disallowed_methods, reason = "the demo is a play on the wall clock; no logic waits here")]
async fn wait(duration: Duration) {
    tokio::time::sleep(duration).await;
}

fn elapsed(since: Instant) -> f64 {
    presence_actors::now().saturating_duration_since(since).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_at_every_quarter_of_what_takes_long() {
        let mut progress = Progress::new(100, Duration::from_secs(7));
        let told: Vec<_> = (0..100).filter_map(|done| progress.of(done)).collect();
        assert_eq!(told, ["25 of 100 agents", "50 of 100 agents", "75 of 100 agents"]);
        let mut progress = Progress::new(100, Duration::from_secs(1));
        assert!((0..100).all(|done| progress.of(done).is_none()));
    }
}

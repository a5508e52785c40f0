//! What happens in the demo, and when; told on the standard output.

use std::time::{Duration, Instant};

use presence_actors::Provider;
use presence_core::Throttle;

use super::stage::{Interruption, Stage, fresh};
use super::teams::{RETRY_AFTER, SWEEP, Teams};
use super::teller::{counted, say, show};
use super::timeline::{OUTAGE, Timeline};
use super::{Demo, DemoDialect, queues};

/// What waits for something looks at the state this often.
const GLANCE: Duration = Duration::from_millis(100);
/// Whoever waits longer than this is told how far it is.
const PROGRESS: Duration = Duration::from_secs(3);
/// No scene waits longer for Microsoft Graph.
const PATIENCE: Duration = Duration::from_secs(6);
/// For how long agents are gathered into one message, at most.
const GATHERED: Duration = Duration::from_millis(1_010);
/// From so many pairs of a queue and an agent on, the log is long.
const MANY: usize = 200;

const LEGEND: &str = "
   Log lines to look for:
     PresenceProviderClient::Subscribe   a queue asks for an agent
     PresenceProviderClient::event       a queue hears of a change: the presence before and now
     application endpoint A -> B         an identity of the provider at the pool, and its state
     MsGraphPresenceSource               what Microsoft Graph answers, where it is worth a line
     WARN                                something went wrong, and what is done about it
   --log-level warn shows little more than this story, debug a short line of every change too.
";

/// The opening lines.
pub(super) fn begin(demo: &Demo, stage: &Stage, teams: Option<&Teams>) {
    say(&format!(
        "{} with {} listens on {} (SIP over TCP, seed {}).",
        stage.name(),
        counted(demo.agents, "agent"),
        stage.address(),
        demo.seed
    ));
    if let Some(teams) = teams {
        say(&format!(
            "A simulated Microsoft Graph with {} answers at {}.",
            counted(demo.teams, "Teams agent"),
            teams.url()
        ));
    }
    let them = if demo.agents + demo.teams == 1 { "it" } else { "them" };
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
pub(super) async fn play(demo: &Demo, stage: &Stage, teams: Option<&Teams>, provider: &Provider) {
    let end = demo.duration.map(|duration| presence_actors::now() + duration);
    let scenes = async {
        first_subscriptions(demo, stage).await;
        if let Some(teams) = teams {
            first_answers(demo, teams, provider).await;
        }
        let remaining = end.map(|end| end.saturating_duration_since(presence_actors::now()));
        let all = time_for(demo);
        let timeline = Timeline::plan(remaining, all, demo.dialect, teams.is_some());
        wait(timeline.pause).await;
        if timeline.termination {
            interruption(demo, stage, provider).await;
            wait(timeline.pause).await;
        }
        if let Some(teams) = teams.filter(|_| timeline.less) {
            less(demo, teams, provider).await;
            wait(timeline.pause).await;
        }
        if timeline.outage {
            outage(demo, stage, provider).await;
        } else {
            let shortest = humantime::format_duration(Timeline::shortest(all, demo.dialect)).to_string();
            say(&format!(
                "The time is too short for the scene in which the {} goes away; --for {shortest} has it.",
                stage.short_name()
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
    let paced = Throttle::<()>::new(demo.rate).time_for(demo.agents);
    match demo.dialect {
        DemoDialect::Simple => paced,
        // What the tokens allow is gathered for a second.
        DemoDialect::Skype => paced + GATHERED,
    }
}

async fn first_subscriptions(demo: &Demo, stage: &Stage) {
    let began = presence_actors::now();
    let mut progress = Progress::new(demo.agents, time_for(demo));
    loop {
        let subscribed = stage.subscriptions();
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
        "{all} subscribed after {:.1} s in {}: one subscription for each, however many queues want the agent.",
        elapsed(began),
        counted(usize::try_from(stage.figures().subscribes).unwrap_or(usize::MAX), "SUBSCRIBE")
    ));
}

/// All Teams agents are answered for the first time.
async fn first_answers(demo: &Demo, teams: &Teams, provider: &Provider) {
    let began = presence_actors::now();
    while !teams.all_fresh(provider).await {
        if elapsed(began) > PATIENCE.as_secs_f64() {
            return;
        }
        wait(GLANCE).await;
    }
    let all = match demo.teams {
        1 => "The Teams agent is known too: it is asked for".to_owned(),
        many => format!("The {many} Teams agents are known too: Microsoft Graph is asked for all of them"),
    };
    let requests = counted((Teams::arithmetic(demo.teams) * SWEEP.as_secs_f64()) as usize, "request");
    let every = if SWEEP == Duration::from_secs(1) { "second".to_owned() } else { format!("{} s", SWEEP.as_secs()) };
    say(&format!("{all} with {requests} every {every}; nothing is subscribed to there."));
}

/// Microsoft asks for less, and gets it.
async fn less(demo: &Demo, teams: &Teams, provider: &Provider) {
    say(&format!(
        "Microsoft Graph answers 429, too many requests, with Retry-After: {RETRY_AFTER}. Nothing is asked of it for as \
         long; what is known holds meanwhile."
    ));
    let before = teams.figures();
    teams.ask_for_less();
    let mut refused = None;
    let began = presence_actors::now();
    loop {
        if elapsed(began) > PATIENCE.as_secs_f64() {
            return;
        }
        wait(GLANCE / 10).await;
        let figures = teams.figures();
        match refused {
            None if figures.too_many > before.too_many => {
                refused = Some((figures.presence_requests, presence_actors::now()));
            }
            Some((asked, at)) if figures.presence_requests > asked => {
                let after = elapsed(at);
                while !teams.all_fresh(provider).await && elapsed(began) < PATIENCE.as_secs_f64() {
                    wait(GLANCE / 10).await;
                }
                let all = match demo.teams {
                    1 => "The Teams agent is".to_owned(),
                    many => format!("All {many} Teams agents are"),
                };
                say(&format!(
                    "It was asked again {after:.1} s later and not before. {all} fresh; none has failed, and none was \
                     given up."
                ));
                return;
            }
            None | Some(_) => {}
        }
    }
}

async fn interruption(demo: &Demo, stage: &Stage, provider: &Provider) {
    let began = presence_actors::now();
    let Some(interruption) = stage.interrupt() else { return };
    match &interruption {
        Interruption::Subscription(agent) => say(&format!(
            "The server ends the subscription of {agent} (terminated;reason=deactivated). Watch it come back."
        )),
        Interruption::Registration => say(
            "The pool ends the registration of the application endpoint (deregistered;event=deactivated). Its agents \
             move to the user endpoint, and it registers again.",
        ),
    }
    while !stage.is_mended(&interruption, demo, provider).await {
        wait(GLANCE / 10).await;
    }
    let after = elapsed(began) * 1000.0;
    match interruption {
        Interruption::Subscription(agent) => {
            say(&format!("{agent} is subscribed again after {after:.0} ms; no queue had to do anything."));
        }
        Interruption::Registration => {
            let all =
                if demo.agents == 1 { "The agent is".to_owned() } else { format!("All {} agents are", demo.agents) };
            say(&format!(
                "{all} known again after {after:.0} ms, each subscribed to once; no queue had to do anything."
            ));
        }
    }
}

async fn outage(demo: &Demo, stage: &Stage, provider: &Provider) {
    say(&format!(
        "The {} drops the connection, forgets every subscription and stays away for {} s. The queues keep the last values, marked as stale.",
        stage.short_name(),
        OUTAGE.as_secs()
    ));
    let began = presence_actors::now();
    stage.outage(OUTAGE).await;
    let mut progress = Progress::new(demo.agents, time_for(demo));
    loop {
        wait(GLANCE).await;
        // Before the loss has been noticed, everything is still fresh.
        if elapsed(began) < OUTAGE.as_secs_f64() {
            continue;
        }
        let fresh = fresh(provider).await;
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

//! `presence-provider simulate`: a simulated Skype for Business front end by itself, for those who have no pool; with
//! `--graph` a simulated Microsoft Graph, for those who have no tenant.

mod certificates;
mod follow;
mod graph;
mod mistake;
mod opening;
mod plan;
mod schedule;
mod script;
mod summary;
mod switches;

use std::io::{Write as _, stdout};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use presence_simulator::{
    Command, FrontEndCounters, FrontEndEvent, FrontEndHandle, FrontEndServer, FrontEndServerSettings,
    FrontEndStartError,
};
use tokio::sync::mpsc;

use crate::answer::Answer;
use crate::args::SimulateArguments;
use crate::exit::Exit;
use crate::shutdown::{Signal, Signals};
use certificates::Certificates;
use follow::Follow;
use plan::{Overrides, Plan};
use schedule::Schedule;

/// Events that may wait for the terminal; more are lost.
const WAITING_EVENTS: usize = 10_000;
/// How often violations and repetitions are looked at.
const GLANCE: Duration = Duration::from_secs(1);
/// Violations that are told as they happen; the others are counted.
const TOLD_VIOLATIONS: usize = 50;

/// Answers `presence-provider simulate`: when it ends.
#[must_use]
pub fn simulate(arguments: &SimulateArguments) -> Answer {
    if let Some(listen) = arguments.graph {
        return graph::simulate(arguments, listen);
    }
    let (text, name) = match &arguments.config {
        None => (String::new(), String::new()),
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => (text, path.display().to_string()),
            Err(why) => {
                return Answer::failed(Exit::Config, format!("error: failed to read {}: {why}\n", path.display()));
            }
        },
    };
    let folder = arguments.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let mut overrides = Overrides {
        listen: arguments.listen,
        control: arguments.control,
        seed: arguments.seed,
        agents: arguments.agents.map(std::num::NonZeroU32::get),
        tls: None,
    };
    let wrong = |mistake: mistake::Mistake| Answer::failed(Exit::Config, mistake.shown(&name, &text));
    let mut certificates = None;
    if let Some(into) = &arguments.make_certificates {
        // What the certificates must name is in the script, which may have no certificates of its own.
        let plan = match Plan::read(&text, folder, &Overrides { tls: Some(plan::no_tls_yet()), ..overrides.clone() }) {
            Ok(plan) => plan,
            Err(mistake) => return wrong(mistake),
        };
        let names: Vec<_> = plan.server.settings.pools.iter().map(|pool| pool.fqdn.clone()).collect();
        match Certificates::in_folder(into, &names, &plan.server.listen, &plan.domain) {
            Ok(made) => {
                overrides.tls = Some(made.tls());
                certificates = Some(made);
            }
            Err(why) => return Answer::failed(Exit::CannotCreate, format!("error: failed to {why:#}\n")),
        }
    }
    let plan = match Plan::read(&text, folder, &overrides) {
        Ok(plan) => plan,
        Err(mistake) => return wrong(mistake),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            let mut signals = Signals::listen()?;
            run(plan, certificates.as_ref(), arguments.duration, &mut signals).await
        })
    });
    match ended {
        Ok(summary) => Answer::ok(summary),
        Err(error) if error.is::<FrontEndStartError>() => {
            Answer::failed(Exit::Config, format!("error: failed to start the simulated front end: {error}\n"))
        }
        Err(error) => Answer::failed(Exit::Internal, format!("error: the simulation failed: {error:#}\n")),
    }
}

/// Runs a simulation to its end; gives back the summary.
async fn run(
    mut plan: Plan,
    certificates: Option<&Certificates>,
    until: Option<Duration>,
    signals: &mut Signals,
) -> anyhow::Result<String> {
    let (events, mut heard) = mpsc::channel(WAITING_EVENTS);
    plan.server.events = Some(events);
    let running = start(&mut plan).await?;
    show(&opening::text(&plan, &running, certificates, until));
    let pools = plan.server.settings.pools.iter().map(|pool| pool.fqdn.clone()).collect();
    let mut story = Story { start: presence_actors::now(), running, follow: Follow::new(pools), violations: 0 };
    story.first(&plan.first);
    let end = until.map(|until| story.start + until);
    let mut schedule = Schedule::new(story.start, plan.steps);
    let mut glance = story.start + GLANCE;
    loop {
        let wake = [Some(glance), schedule.next(), end].into_iter().flatten().min().unwrap_or(glance);
        tokio::select! {
            biased;
            signal = signals.end() => {
                let what = if signal == Signal::Interrupt { "Ctrl-C" } else { signal.name() };
                story.say(presence_actors::now(), &format!("{what}: the simulation ends"));
                break;
            }
            Some(event) = heard.recv() => story.heard(&event),
            () = tokio::time::sleep_until(wake.into()) => {
                let now = presence_actors::now();
                for command in schedule.due(now) {
                    story.order(now, &command);
                }
                if now >= glance {
                    glance = now + GLANCE;
                    story.glance(now);
                }
                if end.is_some_and(|end| now >= end) {
                    story.say(now, "the time is over: the simulation ends");
                    break;
                }
            }
        }
    }
    while let Ok(event) = heard.try_recv() {
        story.heard(&event);
    }
    let counters = story.end(presence_actors::now());
    story.running.stop().await;
    Ok(visible(&summary::text(&counters)))
}

/// Starts the front end; where nobody asked for a port that is taken, another one will do.
async fn start(plan: &mut Plan) -> Result<FrontEndHandle, FrontEndStartError> {
    loop {
        match FrontEndServer::start(FrontEndServerSettings::clone(&plan.server)).await {
            Err(FrontEndStartError::Listen { address, why }) => {
                if !plan.give_up(address) {
                    return Err(FrontEndStartError::Listen { address, why });
                }
            }
            outcome => return outcome,
        }
    }
}

impl Plan {
    /// Takes any port instead of one that was only a proposal; false when it was more than that.
    fn give_up(&mut self, address: SocketAddr) -> bool {
        for (listen, any) in self.server.listen.iter_mut().zip(&mut self.any_port) {
            if *listen == address && std::mem::take(any) {
                listen.set_port(0);
                return true;
            }
        }
        match &mut self.server.control {
            Some(control) if *control == address && std::mem::take(&mut self.any_control_port) => {
                control.set_port(0);
                true
            }
            _ => false,
        }
    }
}

/// A running simulation and what was told of it.
struct Story {
    start: Instant,
    running: FrontEndHandle,
    follow: Follow,
    violations: usize,
}

impl Story {
    fn say(&self, now: Instant, text: &str) {
        show(&format!("{:>8.1}  {text}\n", now.saturating_duration_since(self.start).as_secs_f64()));
    }

    fn heard(&mut self, event: &FrontEndEvent) {
        let now = presence_actors::now();
        if let Some(line) = self.follow.event(now, event) {
            self.say(now, &line);
        }
    }

    /// What the script orders before anything else; only what does not work is told.
    fn first(&self, commands: &[Command]) {
        for command in commands {
            if let Err(why) = self.running.apply(command) {
                self.say(self.start, &format!("script: {command} -> error {why}"));
            }
        }
    }

    fn order(&self, now: Instant, command: &Command) {
        let answer = match self.running.apply(command) {
            Ok(done) if done.is_empty() => "ok".to_owned(),
            Ok(done) => format!("ok {done}"),
            Err(why) => format!("error {why}"),
        };
        self.say(now, &format!("script: {command} -> {answer}"));
    }

    fn glance(&mut self, now: Instant) {
        for line in self.follow.gathered(now) {
            self.say(now, &line);
        }
        let counters = self.running.counters();
        self.violations(now, &counters);
    }

    fn violations(&mut self, now: Instant, counters: &FrontEndCounters) {
        for violation in counters.violations.iter().take(TOLD_VIOLATIONS).skip(self.violations) {
            self.say(now, &format!("VIOLATION of {violation}"));
        }
        self.violations = counters.violations.len();
    }

    /// Tells what is left to tell; what was counted.
    fn end(&mut self, now: Instant) -> FrontEndCounters {
        for line in self.follow.rest() {
            self.say(now, &line);
        }
        let counters = self.running.counters();
        self.violations(now, &counters);
        counters
    }
}

/// Prints on the standard output; a closed one does not end the simulation.
fn show(text: &str) {
    let mut stdout = stdout().lock();
    let _closed = stdout.write_all(visible(text).as_bytes()).and_then(|()| stdout.flush());
}

/// What came over a network may hold characters that a terminal obeys: they are shown and not sent to it.
fn visible(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' => character,
        obeyed if obeyed.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    text.chars().map(shown).collect()
}

//! `presence-provider doctor`: everything between this computer and a subscription that works, step by step.
//!
//! ```text
//! file -> accounts of Microsoft Graph -> names -> listener -> certificate, key, authorities -> each server -> endpoints -> one subscription -> end
//! ```
//!
//! The files and the sockets are looked at here; the endpoints and the subscription are the provider's own, started for
//! a moment, so that what is tried is what will run.

mod heard;
mod identity;
mod listener;
mod names;
mod pool;
pub(crate) mod report;
mod trial;

use std::io::{self, IsTerminal, Write};

use jiff::Timestamp;
use presence_config::{LoadError, Loaded, Settings, Severity, UcmaSettings};
use presence_core::SourceKind;
use presence_core::log_text::Safe;

use crate::answer::{Answer, json};
use crate::args::DoctorArguments;
use crate::assemble;
use crate::configuration::complaint;
use crate::exit::Exit;
use crate::graph;
use heard::Heard;
use report::Telling;
pub use report::{Outcome, Report, Step};
use trial::Chosen;

/// Answers `presence-provider doctor`. Each step is printed as soon as it is made; the JSON form at the end. `color` is for
/// the diagnostics of the file.
#[must_use]
pub fn doctor(arguments: &DoctorArguments, color: bool) -> Answer {
    let terminal = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut telling = Telling::new((!arguments.json).then(io::stdout), terminal);
    let file = arguments.file.config.display().to_string();
    telling.title(&format!("presence-provider doctor, with {}", Safe(&file)));
    let exit = match presence_config::load(&arguments.file.config) {
        Ok(loaded) => {
            let heard = Heard::default();
            let _listening = heard.listen();
            actix::System::new().block_on(examine(arguments, &loaded, &heard, &mut telling));
            Exit::Ok
        }
        Err(error) => {
            return unusable(arguments, telling, file, &error, color);
        }
    };
    let (report, broken) = ended(telling, file);
    let exit = match broken {
        Some(_) => Exit::Io,
        None if report.healthy => exit,
        None => Exit::No,
    };
    let stderr = broken.map_or(String::new(), |error| format!("error: failed to write the answer: {error}\n"));
    Answer { stdout: if arguments.json { json(&report) } else { String::new() }, stderr, exit }
}

fn ended<W: Write>(mut telling: Telling<W>, file: String) -> (Report, Option<io::Error>) {
    telling.summary();
    telling.finish(file)
}

/// A file that cannot be used is told as by every other command; nothing else can be checked without it.
fn unusable<W: Write>(
    arguments: &DoctorArguments,
    mut telling: Telling<W>,
    file: String,
    error: &LoadError,
    color: bool,
) -> Answer {
    let mut step = match error {
        LoadError::Unreadable { .. } => Step::fail("file", error.to_string(), "`--config FILE` names another file"),
        LoadError::Invalid(_) => Step::fail(
            "file",
            "it holds errors",
            "correct them; `presence-provider check` shows them with their places",
        ),
    };
    if let LoadError::Invalid(diagnostics) = error {
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        step.details = errors.map(ToString::to_string).collect();
    }
    telling.tell(step);
    let (report, _) = ended(telling, file);
    if arguments.json {
        return Answer { exit: Exit::Config, ..Answer::ok(json(&report)) };
    }
    Answer::failed(Exit::Config, complaint(error, color))
}

fn file_step(loaded: &Loaded) -> Step {
    let warnings: Vec<_> = loaded.warnings.iter().filter(|found| found.severity == Severity::Warning).collect();
    if warnings.is_empty() {
        return Step::ok("file", "it holds no error");
    }
    let mut step = Step::new("file", Outcome::Warn, "it holds no error, but something to look at");
    step.details = warnings.into_iter().map(ToString::to_string).collect();
    step
}

async fn examine<W: Write>(arguments: &DoctorArguments, loaded: &Loaded, heard: &Heard, telling: &mut Telling<W>) {
    let settings = &loaded.settings;
    telling.tell(file_step(loaded));
    if let Some(graph) = &settings.graph {
        let agent = arguments.agent.as_ref();
        graph::examine(settings, graph, agent, |step| telling.tell(step)).await;
    }
    let Some(ucma) = &settings.ucma else {
        for step in ["names", "listener", "certificate", "pool", "endpoint", "subscription"] {
            telling.tell(Step::skipped(step, "UcmaPresenceSource is not enabled: there is no pool"));
        }
        return;
    };
    #[expect(clippy::disallowed_methods, reason = "certificates are judged by the wall clock of this computer")]
    let now = Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);

    let (steps, servers) = names::names(ucma).await;
    let unnamed = names::failed(&steps);
    steps.into_iter().for_each(|step| telling.tell(step));
    let listening = listener::listener(&ucma.pool, &servers).await;
    let in_use = listening.in_use;
    telling.tell(listening.step);
    let files = identity::identity(&ucma.pool, now);
    files.into_iter().for_each(|step| telling.tell(step));

    let setup = assemble::pool_setup(settings);
    let identity =
        setup.as_ref().ok().and_then(|setup| setup.endpoints.first()).and_then(|endpoint| endpoint.tls.as_ref());
    let kind = assemble::transport_kind(ucma.pool.transport);
    if servers.is_empty() {
        telling.tell(Step::skipped("pool", "no server of it is known"));
    }
    let reached = pool::servers(&servers, kind, identity, heard, now).await;
    let reachable = reached.iter().any(|step| step.result != Outcome::Fail);
    reached.into_iter().for_each(|step| telling.tell(step));

    let agent = agent(arguments, settings);
    let why = match &setup {
        Err(error) => Some(format!("the provider does not start with this file: {error}")),
        Ok(_) if servers.is_empty() && unnamed => Some("no server of the pool is known".to_owned()),
        Ok(_) if !reachable => Some("no server of the pool can be reached".to_owned()),
        Ok(_) if in_use && !arguments.force => Some(occupied(ucma)),
        Ok(_) => None,
    };
    match (why, setup) {
        (None, Ok(mut setup)) => {
            if in_use {
                setup.endpoints.iter_mut().for_each(|endpoint| endpoint.listen = None);
            }
            trial::trial(setup, &ucma.pool, agent, heard, |step| telling.tell(step)).await;
        }
        (None, Err(_)) => {}
        (Some(why), _) => trial::untried(&why).into_iter().for_each(|step| telling.tell(step)),
    }
}

fn occupied(ucma: &UcmaSettings) -> String {
    format!(
        "a provider may be running (its port is in use), and {} signed in a second time would replace its registration; \
         stop it, or use --force",
        ucma.application_endpoint
    )
}

/// The agent of the test subscription: the one that was named, otherwise the first that the pool serves.
fn agent(arguments: &DoctorArguments, settings: &Settings) -> Chosen {
    let rules = settings.source_rules();
    let at_the_pool = |uri: &presence_core::AgentUri| rules.select(uri).source == Some(SourceKind::Ucma);
    match &arguments.agent {
        Some(agent) if at_the_pool(agent) => Ok(agent.clone()),
        Some(agent) => Err(format!("{agent} is not served by the pool; `presence-provider explain {agent}` says why")),
        None => settings
            .contact_centers
            .iter()
            .flat_map(|center| &center.agents)
            .map(|agent| &agent.uri)
            .find(|uri| at_the_pool(uri))
            .cloned()
            .ok_or_else(|| "the file names no agent that the pool serves; name one with --agent".to_owned()),
    }
}

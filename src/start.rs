//! The commands that go on for a while: each gets its log and an actix system.

use crate::answer::Answer;
use crate::args::{DemoArguments, RunArguments};
use crate::configuration;
use crate::demo::{self, Demo};
use crate::exit::Exit;
use crate::logging::{self, Console, LogOptions};
use crate::{readiness, run};

/// Answers `presence-provider run`: when it ends.
#[must_use]
pub fn run(arguments: &RunArguments, color: bool) -> Answer {
    let loaded = match configuration::load(&arguments.file.config, color) {
        Ok(loaded) => loaded,
        Err(answer) => return answer,
    };
    let settings = &loaded.settings;
    let missing = readiness::obstacles(settings);
    if !missing.is_empty() {
        let list: String = missing.iter().map(|what| format!("error: {what}\n")).collect();
        let file = arguments.file.config.display();
        return Answer::failed(Exit::Config, format!("{list}{file} is valid, but the service cannot start with it\n"));
    }
    with_log(&arguments.log, Console::Stderr, || {
        for warning in &loaded.warnings {
            tracing::warn!(
                logger = "UccStarter",
                help = warning.help.as_deref().unwrap_or_default(),
                "{}:{}:{}: {}",
                warning.file,
                warning.line,
                warning.column,
                warning.message
            );
        }
        for doubt in readiness::doubts(settings) {
            tracing::warn!(logger = "UccStarter", "{doubt}");
        }
        match actix::System::new().block_on(run::run(settings, arguments.grace, arguments.cold)) {
            Ok(exit) => Answer { exit, ..Answer::ok(String::new()) },
            Err(error) => Answer::failed(error.exit(), format!("error: failed to run: {error}\n")),
        }
    })
}

/// Answers `presence-provider demo`: when it ends.
#[must_use]
pub fn demo(arguments: &DemoArguments) -> Answer {
    let demo = Demo {
        agents: usize::try_from(arguments.agents.get()).unwrap_or(usize::MAX),
        teams: arguments.teams_agents as usize,
        uccs: usize::try_from(arguments.uccs.get()).unwrap_or(usize::MAX),
        duration: arguments.duration,
        seed: arguments.seed,
        rate: arguments.rate,
        dialect: arguments.dialect,
        listen: arguments.listen,
    };
    with_log(&arguments.log, Console::Stdout, || match actix::System::new().block_on(demo::demo(&demo)) {
        Ok(summary) => Answer::ok(summary),
        Err(error) => Answer::failed(Exit::Internal, format!("error: the demo failed: {error:#}\n")),
    })
}

/// Does something with the log of the process started; what is queued in it is written before this returns.
fn with_log(options: &LogOptions, console: Console, work: impl FnOnce() -> Answer) -> Answer {
    match logging::start(options, console) {
        Ok(_guard) => work(),
        Err(error) => Answer::failed(Exit::from(&error), format!("error: failed to {error}\n")),
    }
}

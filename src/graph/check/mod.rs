//! `presence-provider graph check`: everything between an account and a presence, step by step.
//!
//! ```text
//! for each account: credential -> token -> permissions -> a user is looked up -> a presence is asked for
//! ```
//!
//! The token comes from the machine that the running provider uses; what it renews is kept as there.

mod account;
mod questions;

use std::io::{self, IsTerminal};

use presence_config::{GraphSettings, Settings};
use presence_core::log_text::Safe;
use presence_core::{AgentUri, SourceKind};

use self::account::Examination;
use super::FileSecretStore;
use super::line::Line;
use crate::answer::{Answer, json};
use crate::args::GraphCheckArguments;
use crate::configuration;
use crate::doctor::report::{Step, Telling};
use crate::exit::Exit;

/// Answers `presence-provider graph check`. Each step is printed as soon as it is made; the JSON form at the end. `color` is for
/// the diagnostics of the file.
#[must_use]
pub(super) fn check(arguments: &GraphCheckArguments, color: bool) -> Answer {
    let loaded = match configuration::load(&arguments.file.config, color) {
        Ok(loaded) => loaded,
        Err(answer) => return answer,
    };
    let file = arguments.file.config.display().to_string();
    let settings = &loaded.settings;
    let Some(graph) = &settings.graph else { return super::disabled(&file) };
    let terminal = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut telling = Telling::new((!arguments.json).then(io::stdout), terminal);
    telling.title(&format!("presence-provider graph check, with {}", Safe(&file)));
    actix::System::new().block_on(examine(settings, graph, arguments.agent.as_ref(), |step| telling.tell(step)));
    telling.summary();
    let (report, broken) = telling.finish(file);
    let exit = match broken {
        Some(_) => Exit::Io,
        None if report.healthy => Exit::Ok,
        None => Exit::No,
    };
    let stderr = broken.map_or(String::new(), |error| format!("error: failed to write the answer: {error}\n"));
    Answer { stdout: if arguments.json { json(&report) } else { String::new() }, stderr, exit }
}

/// Makes the steps of every account; each is told as soon as it is made. `agent` is looked up instead of the first that the
/// queues have.
pub(crate) async fn examine(
    settings: &Settings,
    graph: &GraphSettings,
    agent: Option<&AgentUri>,
    mut tell: impl FnMut(Step),
) {
    let line = match Line::open(graph) {
        Ok(line) => line,
        Err(error) => {
            return tell(Step::fail(
                "graph",
                error.to_string(),
                "correct it in MsGraphPresenceSource, or mend the file",
            ));
        }
    };
    let secrets = FileSecretStore::of(graph);
    for account in &graph.accounts {
        let agent = agent.cloned().or_else(|| agent_of(settings, &account.domains));
        let mapped = agent.as_ref().and_then(|agent| graph.users.get(agent)?.parse().ok());
        let examination = Examination { line: &line, secrets: &secrets, account, agent, mapped };
        examination.run(&mut tell).await;
    }
}

/// The first agent of the queues that Microsoft Graph serves and that may be a user of this tenant.
fn agent_of(settings: &Settings, domains: &[String]) -> Option<AgentUri> {
    let rules = settings.source_rules();
    let is_here = |uri: &&AgentUri| {
        let own = domains.is_empty() || uri.host().is_some_and(|host| domains.iter().any(|domain| domain == host));
        own && rules.select(uri).source == Some(SourceKind::MsGraph)
    };
    settings.contact_centers.iter().flat_map(|center| &center.agents).map(|agent| &agent.uri).find(is_here).cloned()
}

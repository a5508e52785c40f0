//! `presence-provider revive`: abandoned agents are tried again.

use std::fmt::Write;

use presence_core::AgentUri;

use super::address::segment;
use super::api::Api;
use super::arguments::ReviveArguments;
use super::asked;
use super::screen::counted;
use super::unanswered::Unanswered;
use crate::answer::{Answer, json};
use crate::exit::Exit;
use crate::http::model::Revived;

/// Answers `presence-provider revive`.
#[must_use]
pub fn revive(arguments: &ReviveArguments) -> Answer {
    asked(&arguments.api, |api| {
        if arguments.all {
            let revived: Revived = api.post("/api/v1/agents/revive")?;
            return Ok(Answer::ok(told(revived, arguments)));
        }
        Ok(these(api, arguments))
    })
}

/// Each by itself: an agent that is not there keeps none of the others from it.
fn these(api: &Api, arguments: &ReviveArguments) -> Answer {
    let (mut revived, mut stderr, mut exit) = (0, String::new(), Exit::Ok);
    for uri in &arguments.uris {
        match one(api, uri) {
            Ok(one) => revived += one.revived,
            Err(refused @ Unanswered::Problem { status: 400 | 404 | 409 | 422, .. }) => {
                exit = Exit::No;
                // Writing into a String does not fail.
                let _ = writeln!(stderr, "error: {}: {}", uri.as_str(), refused.line());
            }
            Err(unanswered) => {
                exit = unanswered.exit();
                stderr.push_str(&unanswered.text());
                break;
            }
        }
    }
    // Where nothing was done, what was refused has been said.
    let silent = revived == 0 && !stderr.is_empty() && !arguments.json;
    let stdout = if silent { String::new() } else { told(Revived { revived }, arguments) };
    Answer { stdout, stderr, exit }
}

fn one(api: &Api, uri: &AgentUri) -> Result<Revived, Unanswered> {
    api.post(&format!("/api/v1/agents/{}/revive", segment(uri.as_str())))
}

fn told(revived: Revived, arguments: &ReviveArguments) -> String {
    match revived.revived {
        _ if arguments.json => json(&revived),
        0 => "No agent is abandoned.\n".to_owned(),
        1 => "1 agent is tried again.\n".to_owned(),
        many => format!("{} are tried again.\n", counted(many, "agent")),
    }
}

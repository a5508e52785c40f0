//! Microsoft Graph around the process: the accounts' credentials, signing in, checking, and what the source is built from.

mod assemble;
mod check;
mod claims;
mod credentials;
mod line;
mod login;
mod refresh_tokens;
mod secret_file;

pub use assemble::{GraphAssembleError, graph_setup};
pub(crate) use assemble::{doubts, obstacles};
pub(crate) use check::examine;
pub use credentials::{Credential, FileSecretStore, Proof};

use crate::answer::Answer;
use crate::args::{GraphAction, GraphArguments};
use crate::exit::Exit;

/// Answers `presence-provider graph`. `color` is for the diagnostics of the configuration.
#[must_use]
pub fn graph(arguments: &GraphArguments, color: bool) -> Answer {
    match &arguments.action {
        GraphAction::Check(arguments) => check::check(arguments, color),
        GraphAction::Login(arguments) => login::login(arguments, color),
    }
}

fn disabled(file: &str) -> Answer {
    let help = "write `<MsGraphPresenceSource enabled=\"true\">` with its accounts into PresenceProvider";
    Answer::failed(Exit::Config, format!("error: {file} does not enable MsGraphPresenceSource\nhelp: {help}\n"))
}

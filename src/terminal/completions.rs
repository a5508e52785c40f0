//! `presence-provider completions`: what a shell needs to complete the command line.

use clap::CommandFactory;

use super::arguments::CompletionsArguments;
use crate::answer::Answer;
use crate::args::Arguments;
use crate::exit::Exit;

/// Answers `presence-provider completions`.
#[must_use]
pub fn completions(arguments: &CompletionsArguments) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "presence-provider", &mut script);
    match String::from_utf8(script) {
        Ok(script) => Answer::ok(script),
        Err(error) => Answer::failed(Exit::Internal, format!("error: the completions are no text: {error}\n")),
    }
}

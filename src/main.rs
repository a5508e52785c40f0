//! The program `presence-provider`.

use std::io::{IsTerminal, stderr};
use std::panic::catch_unwind;
use std::process::ExitCode;

use clap::Parser;
use presence_provider::answer::Answer;
use presence_provider::args::{Arguments, Command};
use presence_provider::exit::Exit;
use presence_provider::{check, core_dumps, doctor, explain, graph, provision, simulate, start, terminal, token};

fn main() -> ExitCode {
    core_dumps::forbid();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => {
            let exit = if told.use_stderr() { Exit::Usage } else { Exit::Ok };
            // A closed stream takes no help text either.
            let _ = told.print();
            return exit.into();
        }
    };
    let color = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // The default hook has told of the panic by then.
    let answer = catch_unwind(|| answer(&arguments, color)).unwrap_or_else(|_| {
        Answer::failed(Exit::Internal, "error: this is a fault of presence-provider; please report it\n".to_owned())
    });
    answer.print().into()
}

fn answer(arguments: &Arguments, color: bool) -> Answer {
    match &arguments.command {
        Command::Check(arguments) => check::check(arguments, color),
        Command::Explain(arguments) => explain::explain(arguments, color),
        Command::Provision(arguments) => provision::provision(arguments, color),
        Command::Doctor(arguments) => doctor::doctor(arguments, color),
        Command::Run(arguments) => start::run(arguments, color),
        Command::Demo(arguments) => start::demo(arguments),
        Command::Simulate(arguments) => simulate::simulate(arguments),
        Command::Status(arguments) => terminal::status(arguments),
        Command::Watch(arguments) => terminal::watch(arguments),
        Command::Agents(arguments) => terminal::agents(arguments),
        Command::Agent(arguments) => terminal::agent(arguments),
        Command::Revive(arguments) => terminal::revive(arguments),
        Command::Queues(arguments) => terminal::queues(arguments),
        Command::Completions(arguments) => terminal::completions(arguments),
        Command::Graph(arguments) => graph::graph(arguments, color),
        Command::Token(arguments) => token::token(arguments, color),
    }
}

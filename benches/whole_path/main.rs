//! The whole path over loopback TCP: a presence server in a process of its own, the provider in this one, queues that
//! only count. What is told is CPU time of the provider's process, which says the same on a busy machine; rates are
//! those of this machine with the presence server beside it.
//!
//! ```text
//! cargo bench --bench whole_path                                 # everything, with the documented sizes
//! cargo bench --bench whole_path -- notify --uccs 10             # one of them; --help for the rest
//! ```
//! `cargo test --benches` runs it with tiny sizes, to see that it works.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a load program: it may panic, reads clocks and prints what it measured"
)]

mod front_end;
mod meter;
mod notify;
mod pool;
mod rig;
mod size;
mod subscribe;

use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};
use presence_provider::logging::{self, Console, LogOptions};

#[derive(Parser)]
#[command(about = "Measures the presence provider from socket to queue")]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// Log at INFO to /dev/null, in the text format; otherwise there is no log at all
    #[arg(long, global = true)]
    log: bool,
    /// Given by cargo bench; without it the sizes are tiny
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum What {
    /// CPU per NOTIFY, and NOTIFYs per second
    Notify(notify::Plan),
    /// CPU per SUBSCRIBE, SUBSCRIBEs per second, time to start
    Subscribe(subscribe::Plan),
    /// Resident memory per agent, at first and after many NOTIFYs
    Size(size::Plan),
    /// The presence server; started by the others
    #[command(hide = true)]
    Pool { agents: usize, dialect: DialectArgument },
}

/// What is spoken to the presence server.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DialectArgument {
    /// One dialog per agent
    Simple,
    /// One dialog for all agents
    Skype,
}

/// Everything that is run when nothing is named: each in a process of its own, so that none sees another's memory.
const USUAL: [&str; 6] = [
    "notify --uccs 10",
    "notify --uccs 10 --log",
    "subscribe --agents 10000 --rate 20000",
    "size --agents 10000 --uccs 3 --steps 1,10,100",
    "notify --dialect skype --uccs 10",
    "size --dialect skype --agents 10000 --uccs 3 --steps 1,10,100",
];
const TINY: [&str; 5] = [
    "notify --agents 5 --uccs 2 --notifies 100 --repeat 1 --log",
    "subscribe --agents 20 --rate 1000 --repeat 1",
    "size --agents 20 --uccs 2 --steps 1,2",
    "notify --dialect skype --agents 5 --uccs 2 --notifies 100 --repeat 1",
    "size --dialect skype --agents 20 --uccs 2 --steps 1,2",
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let log = arguments.log.then(|| {
        let options = LogOptions { log_file: Some("/dev/null".into()), ..LogOptions::default() };
        logging::start(&options, Console::Stderr).unwrap()
    });
    match arguments.what {
        None => return all(if arguments.bench { &USUAL } else { &TINY }),
        Some(What::Pool { agents, dialect: DialectArgument::Simple }) => pool::serve(agents),
        Some(What::Pool { agents, dialect: DialectArgument::Skype }) => front_end::serve(agents),
        Some(What::Notify(plan)) => rig::in_actix(notify::run(plan)),
        Some(What::Subscribe(plan)) => rig::in_actix(subscribe::run(plan)),
        Some(What::Size(plan)) => rig::in_actix(size::run(plan)),
    }
    if let Some(log) = log {
        println!("  log lines dropped because the queue was full: {}", log.dropped_lines());
    }
    ExitCode::SUCCESS
}

fn all(lines: &[&str]) -> ExitCode {
    for line in lines {
        println!("# {line}");
        let status = Command::new(std::env::current_exe().unwrap()).args(line.split(' ')).status().unwrap();
        if !status.success() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

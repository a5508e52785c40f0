//! Whether the real program grows: hours of seeded faults at its pool, its memory and its files looked at before each.
//!
//! ```sh
//! cargo build --release && cargo run --release --example soak -- --minutes 60 --dialect skype
//! ```
//!
//! The simulated pool runs in this process, `presence-provider run` in another one. At the end all faults are healed, and what
//! must hold is told: the slope of the resident memory over the second half, the files that are open, the dialogs that the
//! pool holds against the agents that there are, and the ERROR lines of the log. It fails when one of them is not as it should be.

mod pool;
mod program;

use std::error::Error;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use pool::Pool;
use presence_simulator::Dice;
use program::{Program, Sample};

type Failure = Box<dyn Error + Send + Sync>;

/// The domain of the agents.
const DOMAIN: &str = "demo.example";
/// So long everything may take to be well again.
const PATIENCE: Duration = Duration::from_secs(120);
/// R10: the resident memory at the end, by the line through the second half, differs from that at its begin by so much.
const FLAT: f64 = 0.01;

/// What is spoken to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dialect {
    /// One dialog per agent.
    Simple,
    /// One dialog for all agents.
    Skype,
}

/// What is tried.
#[derive(Clone, Debug, Parser)]
struct Plan {
    /// For how long.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// How many agents, half of them wanted by each of four queues.
    #[arg(long, default_value_t = 2_000)]
    agents: usize,
    /// What is spoken.
    #[arg(long, value_enum, default_value_t = Dialect::Simple)]
    dialect: Dialect,
    /// The seed of the faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The seconds from one fault to the next.
    #[arg(long, default_value_t = 12)]
    every: u64,
    /// The program; without it the one beside this example.
    #[arg(long)]
    program: Option<std::path::PathBuf>,
}

/// Waits that long.
fn rest(duration: Duration) {
    let (_nobody, silence) = channel::<()>();
    let _it_is_over = silence.recv_timeout(duration);
}

/// Waits until something is so; false when it never was.
fn eventually(condition: impl Fn() -> bool) -> bool {
    let glance = Duration::from_millis(200);
    (0..PATIENCE.as_millis() / glance.as_millis()).any(|_| {
        let so = condition();
        if !so {
            rest(glance);
        }
        so
    })
}

fn main() -> ExitCode {
    match soak(&Plan::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("failed to soak: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "a program that prints what it measured")]
fn say(line: &str) {
    println!("{line}");
}

fn soak(plan: &Plan) -> Result<bool, Failure> {
    let pool = Pool::start(plan)?;
    let program = Program::start(plan, pool.address())?;
    if !eventually(|| pool.subscriptions() == plan.agents) {
        return Err(format!("only {} of {} agents are subscribed", pool.subscriptions(), plan.agents).into());
    }
    let mut dice = Dice::new(plan.seed);
    let mut samples = Vec::new();
    let faults = plan.minutes * 60 / plan.every.max(1);
    say(&format!("{} agents over {:?}, seed {}, {faults} faults", plan.agents, plan.dialect, plan.seed));
    for number in 0..faults {
        rest(Duration::from_secs(plan.every));
        let sample = program.sample().ok_or("the program has ended")?;
        if number % 10 == 0 {
            say(&format!("{:>6} s  {sample}", number * plan.every));
        }
        samples.push(sample);
        pool.fault(&mut dice);
    }
    pool.heal();
    let healed = eventually(|| pool.subscriptions() == plan.agents);
    // What the faults have left at the pool runs out; what is wanted stays.
    rest(Duration::from_secs(5));
    Ok(judge(plan, &pool, &program, &samples, healed))
}

/// Prints what was found; true when it is as it should be.
fn judge(plan: &Plan, pool: &Pool, program: &Program, samples: &[Sample], healed: bool) -> bool {
    let half = &samples[samples.len() / 2..];
    let slope = slope(&half.iter().map(|sample| sample.resident).collect::<Vec<_>>());
    let mean = half.iter().map(|sample| sample.resident).sum::<f64>() / half.len().max(1) as f64;
    let growth = slope * half.len() as f64 / mean.max(1.0);
    let files = half.iter().map(|sample| sample.files).max().unwrap_or(0);
    let errors = program.errors();
    say(&format!("resident memory        {:.1} MiB on average over the second half", mean / 1_048_576.0));
    say(&format!("growth over it         {:.2} %  (R10: at most 1 %)", growth * 100.0));
    say(&format!("files open at most     {files}"));
    say(&format!("subscriptions, agents  {} {}", pool.subscriptions(), plan.agents));
    say(&format!("faults                 {}", pool.told()));
    say(&format!("ERROR lines            {}", errors.len()));
    errors.iter().take(5).for_each(|line| say(line));
    healed && growth <= FLAT && errors.is_empty()
}

/// By how much a value grows from one sample to the next: the line of least squares.
fn slope(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let (mean_x, mean_y) = ((count - 1.0) / 2.0, values.iter().sum::<f64>() / count);
    let (mut both, mut square) = (0.0, 0.0);
    for (x, y) in values.iter().enumerate() {
        both += (x as f64 - mean_x) * (y - mean_y);
        square += (x as f64 - mean_x).powi(2);
    }
    if square > 0.0 { both / square } else { 0.0 }
}

//! What Teams agents cost: N of them against a simulated Microsoft Graph on loopback for a minute, R changes a second. Every
//! change must be heard within a sweep, and the requests must be those of the arithmetic: one for 650 agents and sweep.
//!
//! ```sh
//! cargo run --release --example graph_load -- --agents 15000 --rate 100
//! ```
//!
//! The provider and one queue run in this process, Microsoft in another one, and a third one measures what as many pushed agents
//! take, so that what Graph adds to an agent is seen.

mod agents;
mod microsoft;

use std::error::Error;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use agents::{Ledger, Queue};
use clap::Parser;
use microsoft::Microsoft;
use presence_actors::{Provider, now};

type Failure = Box<dyn Error + Send + Sync>;

/// The domain of the agents.
const DOMAIN: &str = "demo.example";
/// So long the agents may take to be known, and the last changes to be heard.
const PATIENCE: Duration = Duration::from_secs(120);
/// A sweep is this much longer for one agent: its request, and what is done early or late to spread them.
const SLACK: Duration = Duration::from_millis(500);

/// What is tried.
#[derive(Clone, Debug, Parser)]
struct Plan {
    /// How many agents.
    #[arg(long, default_value_t = 15_000)]
    agents: usize,
    /// How many changes a second, evenly spread.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// For how many seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// SweepInterval, in seconds.
    #[arg(long, default_value_t = 5)]
    sweep: u64,
    /// What this process is, when it is started by itself.
    #[arg(long, hide = true, value_enum, default_value = "graph")]
    role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    /// The provider with Teams agents.
    Graph,
    /// The provider with pushed agents: it says how many bytes one of them takes.
    Pushed,
    /// Microsoft: it says where it listens, and where it is told what to do.
    Microsoft,
}

impl Plan {
    /// This program in another role.
    fn as_another(&self, role: &str) -> Result<Command, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--role", role, "--agents", &self.agents.to_string()]);
        Ok(command)
    }
}

/// What this process has used: bytes of memory and time of processors, where the system tells.
#[derive(Clone, Copy, Default)]
struct Used {
    memory: u64,
    processor: Duration,
}

impl Used {
    fn now() -> Self {
        let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields: Vec<u64> = text
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        let field = |index: usize| fields.get(index).copied().unwrap_or(0);
        // Ticks of 10 ms, pages of 4 KiB.
        Self { memory: field(21) * 4_096, processor: Duration::from_millis((field(11) + field(12)) * 10) }
    }

    /// Bytes for each of so many agents since `before`.
    fn each(self, before: Self, agents: usize) -> u64 {
        self.memory.saturating_sub(before.memory) / agents.max(1) as u64
    }
}

#[expect(clippy::disallowed_methods, reason = "it measures real time")]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

async fn until(what: &str, condition: impl Fn() -> bool) -> Result<(), Failure> {
    let by = now() + PATIENCE;
    while !condition() {
        if now() > by {
            return Err(format!("{what} never came to pass").into());
        }
        pause(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Changes one agent after the other at the rate, and notes when.
fn change(plan: &Plan, microsoft: &Microsoft, ledger: &Ledger) -> Result<(), Failure> {
    let step = Duration::from_secs(1) / plan.rate;
    let (began, (_never_used, silence)) = (now(), std::sync::mpsc::channel::<()>());
    let mut control = microsoft.dictation()?;
    for number in 0..plan.rate * plan.seconds {
        let wait = (began + step * number).saturating_duration_since(now());
        if silence.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return Err("stopped".into());
        }
        let agent = number as usize % plan.agents;
        let availability = if ledger.note(agent) { "Busy" } else { "Available" };
        control.command(&format!("set agent{}@{DOMAIN} {availability}", agent + 1))?;
    }
    Ok(())
}

async fn graph(plan: Plan) -> Result<(), Failure> {
    let pushed = plan.as_another("pushed")?.output()?;
    let of_pushed: u64 = String::from_utf8(pushed.stdout)?.trim().parse()?;
    let microsoft = Arc::new(Microsoft::start(&plan)?);
    let provider = Provider::start(microsoft.setup(Duration::from_secs(plan.sweep)));
    pause(Duration::from_secs(2)).await;
    let before = Used::now();
    let ledger = Arc::new(Ledger::new(plan.agents));
    let began = now();
    let queue = Queue::start(&provider, &ledger, plan.agents);
    until("that everyone is known", || ledger.known() == plan.agents).await?;
    say(&format!("{} agents are known after {:.1} s", plan.agents, now().duration_since(began).as_secs_f64()));
    // A sweep, so that what the first requests needed is given back.
    pause(Duration::from_secs(2 * plan.sweep)).await;
    let each = Used::now().each(before, plan.agents);
    say(&format!(
        "memory: {each} bytes for an agent of Microsoft Graph, {of_pushed} for a pushed one: {} on top",
        each as i64 - of_pushed as i64
    ));

    let (requests, used, began) = (microsoft.presence_requests()?, Used::now(), now());
    let driver = std::thread::spawn({
        let (plan, microsoft, ledger) = (plan.clone(), Arc::clone(&microsoft), Arc::clone(&ledger));
        move || change(&plan, &microsoft, &ledger).map_err(|error| error.to_string())
    });
    until("the end of the changes", || driver.is_finished()).await?;
    let wall = now().duration_since(began).as_secs_f64();
    let requests = (microsoft.presence_requests()? - requests) as f64 / wall;
    let used = Used::now().processor.saturating_sub(used.processor).as_secs_f64() / wall;
    driver.join().map_err(|_| "the driver died")??;
    until("that every change is heard", || ledger.outstanding() == 0).await?;

    let arithmetic = plan.agents.div_ceil(650) as f64 / plan.sweep as f64;
    say(&format!("{requests:.2} requests/s; the arithmetic says {arithmetic:.2}"));
    say(&format!("{:.1} % of a processor, the queue in this process included", used * 100.0));
    let [median, late, last] = ledger.took([500, 990, 1_000]);
    say(&format!(
        "{} changes: heard after p50 {:.2} s, p99 {:.2} s, at most {:.2} s",
        ledger.heard(),
        median.as_secs_f64(),
        late.as_secs_f64(),
        last.as_secs_f64()
    ));
    say(&format!("Microsoft counted: {}", microsoft.count()?));
    drop(queue);
    if !provider.shutdown(Duration::from_secs(10)).await {
        return Err("it does not end in time".into());
    }
    let is_on_time = last <= Duration::from_secs(plan.sweep) + SLACK;
    let is_arithmetic = (requests - arithmetic).abs() <= arithmetic * 0.05;
    if is_on_time && is_arithmetic { Ok(()) } else { Err("that is not how it should be".into()) }
}

/// As many pushed agents; says how many bytes one of them takes.
async fn pushed(plan: Plan) -> Result<(), Failure> {
    let provider = Provider::start(agents::pushed_setup());
    let (before, ledger) = (Used::now(), Arc::new(Ledger::new(plan.agents)));
    let _queue = Queue::start(&provider, &ledger, plan.agents);
    for number in 0..plan.agents {
        provider.push(agents::push(number)).await?;
    }
    until("that everyone is known", || ledger.known() == plan.agents).await?;
    pause(Duration::from_secs(2)).await;
    say(&Used::now().each(before, plan.agents).to_string());
    Ok(())
}

fn main() -> Result<(), Failure> {
    let plan = Plan::parse();
    let system = actix::System::new();
    match plan.role {
        Role::Graph => system.block_on(graph(plan)),
        Role::Pushed => system.block_on(pushed(plan)),
        Role::Microsoft => system.block_on(microsoft::serve(plan.agents)),
    }
}

#[expect(clippy::print_stdout, reason = "it shows what it measures")]
fn say(line: &str) {
    println!("{line}");
}

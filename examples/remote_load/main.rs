//! How long a change of presence takes to remote queues: N of them over WebSocket, each with the same M agents, at R
//! changes a second, against the real program. Half of the clients are killed in the middle; the others must not notice.
//!
//! ```sh
//! cargo build --release && cargo run --release --example remote_load -- --clients 50 --agents 1000 --rate 1000
//! ```
//!
//! The simulated presence server and the clients run in this process, `presence-provider run` in another one. A delivery is
//! measured from the moment at which the server's agent changes to the moment at which a client has read the message.

mod client;

use std::error::Error;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use clap::Parser;
use client::{Ledger, Outcome};
use presence_simulator::{Activity, AgentState, Simulator, SimulatorHandle, SimulatorSettings};

type Failure = Box<dyn Error + Send + Sync>;

/// The domain of the agents.
const DOMAIN: &str = "demo.example";
/// So long the agents may take to be subscribed, and the last messages to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is tried.
#[derive(Clone, Debug, Parser)]
struct Plan {
    /// How many remote queues.
    #[arg(long, default_value_t = 50)]
    clients: usize,
    /// How many agents, all of them wanted by every queue.
    #[arg(long, default_value_t = 1_000)]
    agents: usize,
    /// How many changes a second, evenly spread.
    #[arg(long, default_value_t = 1_000)]
    rate: u32,
    /// For how many seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// The level of the program's log. At `info` it writes a line for each change and queue.
    #[arg(long, default_value = "warn")]
    log_level: String,
    /// The program; without it the one beside this example.
    #[arg(long)]
    program: Option<PathBuf>,
}

/// The running program; it is killed when this is dropped.
struct Program {
    child: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _it_may_have_ended = self.child.kill();
        let _so = self.child.wait();
    }
}

impl Program {
    /// Starts it, with a configuration for this presence server.
    fn start(plan: &Plan, pool: SocketAddr) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("Config.xml");
        // A port that is free now; nobody else is in such a hurry.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        std::fs::write(&file, configuration(pool, address))?;
        let beside = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("presence-provider"));
        let program = plan.program.clone().or_else(beside).ok_or("say where the program is: --program")?;
        let child = Command::new(&program)
            .args(["run", "--config"])
            .arg(&file)
            .args(["--log-level", &plan.log_level])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(if plan.log_level == "warn" { Stdio::inherit() } else { Stdio::null() })
            .spawn()
            .map_err(|error| format!("{}: {error}; `cargo build --release` makes it", program.display()))?;
        let program = Self { child, address: address.to_string(), _directory: directory };
        if !eventually(|| TcpStream::connect(address).is_ok()) {
            return Err("the program does not open its API".into());
        }
        Ok(program)
    }

    /// How much of a processor a process has used so far, where the system tells.
    fn used(id: u32) -> Option<Duration> {
        let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let fields: Vec<_> = text.rsplit(')').next()?.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Duration::from_millis(ticks * 10))
    }
}

fn configuration(pool: SocketAddr, api: SocketAddr) -> String {
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<config version="1.5">
  <PresenceProvider MaxPresenceSubscriptionsPerSecond="1000">
    <Http Listen="{api}" RequestsPerSecond="1000" />
    <UcmaPresenceSource enabled="true" ApplicationId="urn:application:load">
      <ApplicationEndpoint OwnerUri="sip:load@{DOMAIN}" />
      <Pool Address="{pool}" Transport="tcp" Dialect="simple" />
    </UcmaPresenceSource>
  </PresenceProvider>
</config>
"#
    )
}

/// Waits until something is so; false when it never was.
fn eventually(condition: impl Fn() -> bool) -> bool {
    let (_never_used, silence) = channel::<()>();
    let glance = Duration::from_millis(20);
    (0..PATIENCE.as_millis() / glance.as_millis())
        .any(|_| condition() || matches!(silence.recv_timeout(glance), Ok(())))
}

/// Changes one agent after the other at the rate, each between two states, and notes when.
fn change(plan: &Plan, server: &SimulatorHandle, ledger: &Ledger, stop: &Receiver<()>) -> Result<(), Failure> {
    let step = Duration::from_secs(1) / plan.rate;
    let began = client::now();
    for number in 0..plan.rate * plan.seconds {
        let due = began + step * number;
        let wait = due.saturating_duration_since(client::now());
        if !wait.is_zero() && stop.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return Err("stopped".into());
        }
        let agent = number as usize % plan.agents;
        let activity = if ledger.changes(agent).is_multiple_of(2) { Activity::Away } else { Activity::Busy };
        ledger.note(agent);
        if !server.set_presence(&format!("sip:agent{}@{DOMAIN}", agent + 1), AgentState::of(activity)) {
            return Err("the server does not know its own agent".into());
        }
    }
    Ok(())
}

/// The outcome in words.
fn report(plan: &Plan, outcomes: &mut [Outcome], half: usize) -> Result<String, Failure> {
    let expected = u64::from(plan.rate) * u64::from(plan.seconds);
    let mut text = String::new();
    let mut all: Vec<u32> = Vec::new();
    for (number, outcome) in outcomes.iter_mut().enumerate() {
        let killed = number >= half;
        if outcome.gaps > 0 || outcome.lags > 0 || (!killed && outcome.changes != expected) {
            let Outcome { changes, gaps, lags, .. } = outcome;
            return Err(format!("client {number}: {changes} of {expected} changes, {gaps} gaps, {lags} lags").into());
        }
        all.append(&mut outcome.took);
    }
    all.sort_unstable();
    let part = |thousandths: usize| f64::from(all[(all.len() - 1) * thousandths / 1_000]) / 1_000.0;
    writeln!(
        text,
        "{} deliveries: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
        all.len(),
        part(500),
        part(990),
        part(999),
        part(1_000)
    )?;
    Ok(text)
}

fn main() -> Result<(), Failure> {
    let plan = Plan::parse();
    let server = Simulator::start_on_own_thread(SimulatorSettings::with_agents(plan.agents, DOMAIN))?;
    let program = Program::start(&plan, server.address())?;
    let ledger = Arc::new(Ledger::new(plan.agents, plan.rate * plan.seconds));
    let half = plan.clients - plan.clients / 2;
    let clients = client::Clients::start(&program.address, plan.clients, plan.agents, &ledger);
    say(&format!(
        "{} queues, each with the same {} agents, {} changes/s for {} s",
        plan.clients, plan.agents, plan.rate, plan.seconds
    ));
    if !eventually(|| clients.knowing.load(Ordering::Relaxed) == plan.clients) {
        return Err(format!("only {} queues know all of their agents", clients.knowing.load(Ordering::Relaxed)).into());
    }

    let (stop, stopped) = channel();
    let before = [program.child.id(), std::process::id()].map(Program::used);
    let began = client::now();
    let middle = Duration::from_secs(plan.seconds.into()) / 2;
    let driver = std::thread::spawn({
        let (plan, ledger) = (plan.clone(), Arc::clone(&ledger));
        move || change(&plan, &server, &ledger, &stopped).map(|()| server).map_err(|error| error.to_string())
    });
    let (_never_used, silence) = channel::<()>();
    let _half_the_time = silence.recv_timeout(middle);
    clients.kill_all_but(half);
    let server = driver.join().map_err(|_| "the driver died")??;
    drop(stop);
    let expected = u64::from(plan.rate) * u64::from(plan.seconds);
    let all_there = eventually(|| clients.least(half) >= expected);
    let wall = client::now().duration_since(began).as_secs_f64();
    let after = [program.child.id(), std::process::id()].map(Program::used);

    let counters = server.counters();
    let mut outcomes = clients.end()?;
    say(report(&plan, &mut outcomes, half)?.trim_end());
    for ((what, before), after) in ["the program", "server and clients"].iter().zip(before).zip(after) {
        if let (Some(before), Some(after)) = (before, after) {
            say(&format!(
                "{what}: {:.0} % of a processor",
                (after.saturating_sub(before)).as_secs_f64() / wall * 100.0
            ));
        }
    }
    say(&format!(
        "{} of {} queues killed in the middle; subscriptions {} for {} agents, at most {} for one",
        plan.clients - half,
        plan.clients,
        counters.subscribes,
        plan.agents,
        counters.most_for_one_agent
    ));
    if !all_there || counters.most_for_one_agent != 1 || counters.subscribes != plan.agents as u64 {
        return Err("that is not how it should be".into());
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it shows what it measures")]
fn say(line: &str) {
    println!("{line}");
}

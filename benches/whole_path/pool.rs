//! The presence server in a process of its own, told what to do over its standard input, a line for each order.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use presence_simulator::{Reach, Simulator, SimulatorSettings};
use tokio::sync::mpsc;

use crate::DialectArgument;

/// The domain of the agents `agent1` and on.
pub(crate) const DOMAIN: &str = "load.example";

/// How long to wait for the answers to the last NOTIFYs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The presence server's side: serves until its input ends.
pub(crate) fn serve(agents: usize) {
    let settings = SimulatorSettings { reach: Reach::Tcp, ..SimulatorSettings::with_agents(agents, DOMAIN) };
    let mut ordered = orders();
    // Everything on one thread, so that a machine of two leaves the other one to the provider.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Simulator::start(settings).await.unwrap();
        answer(&server.address().to_string());
        while let Some(order) = ordered.recv().await {
            let words: Vec<&str> = order.split(' ').collect();
            match words.as_slice() {
                ["blast", dialogs, notifies] => {
                    let blast = server.blast(dialogs.parse().unwrap(), notifies.parse().unwrap(), PATIENCE).await;
                    answer(&format!("{} {} {}", blast.sent, blast.answered, blast.elapsed.as_nanos()));
                }
                ["times"] => {
                    let counters = server.counters();
                    let times = &counters.subscribe_times;
                    let first = usize::try_from(counters.subscribes).unwrap().min(times.len());
                    let span = times[first - 1] - times[0];
                    answer(&format!("{} {} {}", first, span.as_nanos(), counters.busiest_second()));
                }
                _ => unreachable!("no such order: {order}"),
            }
        }
    });
}

/// The lines of the standard input.
pub(crate) fn orders() -> mpsc::UnboundedReceiver<String> {
    let (orders, ordered) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            if line.map_or(true, |line| orders.send(line).is_err()) {
                break;
            }
        }
    });
    ordered
}

pub(crate) fn answer(line: &str) {
    println!("{line}");
    std::io::stdout().flush().unwrap();
}

/// The provider's side.
pub(crate) struct Pool {
    pub(crate) address: SocketAddr,
    input: ChildStdin,
    answers: mpsc::UnboundedReceiver<String>,
    child: Child,
}

/// What came of sending NOTIFYs as fast as the socket takes them.
pub(crate) struct Blast {
    pub(crate) answered: u64,
    pub(crate) elapsed: Duration,
}

/// When the SUBSCRIBEs for new dialogs came.
pub(crate) struct Times {
    pub(crate) count: u64,
    pub(crate) span: Duration,
    pub(crate) busiest_second: u64,
}

impl Pool {
    pub(crate) async fn start(agents: usize, dialect: DialectArgument) -> Self {
        let word = dialect.to_possible_value().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["pool", &agents.to_string(), word.get_name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (answer, mut answers) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if line.map_or(true, |line| answer.send(line).is_err()) {
                    break;
                }
            }
        });
        let address = answers.recv().await.unwrap().parse().unwrap();
        Self { address, input, answers, child }
    }

    pub(crate) async fn blast(&mut self, dialogs: usize, notifies: u64) -> Blast {
        let [sent, answered, nanoseconds] = self.order(&format!("blast {dialogs} {notifies}")).await;
        assert!(sent >= notifies && sent == answered, "{sent} of {notifies} NOTIFYs are sent, {answered} answered");
        Blast { answered, elapsed: Duration::from_nanos(nanoseconds) }
    }

    pub(crate) async fn times(&mut self) -> Times {
        let [count, nanoseconds, busiest_second] = self.order("times").await;
        Times { count, span: Duration::from_nanos(nanoseconds), busiest_second }
    }

    async fn order<const N: usize>(&mut self, order: &str) -> [u64; N] {
        writeln!(self.input, "{order}").unwrap();
        let answer = self.answers.recv().await.unwrap();
        let numbers: Vec<u64> = answer.split(' ').map(|number| number.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _status = self.child.wait();
    }
}

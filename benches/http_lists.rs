//! What a look at all agents costs, and how soon a page of them is answered: 10,000 agents in this process, asked over
//! loopback by one client that keeps its connection.
//!
//! ```text
//! cargo bench --bench http_lists
//! ```
//! `cargo test --benches` runs it with few agents, to see that it works.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a load program: it may panic, reads clocks and prints what it measured"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use presence_actors::{Provider, Push, Setup};
use presence_config::{HttpSettings, Settings};
use presence_core::{AgentUri, Availability, MatchRules, SourceRules, Status};
use presence_provider::http::{Access, Api, serve};
use presence_provider::state::Keeping;

/// What is asked for.
const PATHS: [&str; 6] = [
    "/api/v1/agents?sort=-since&limit=100&freshness=fresh",
    "/api/v1/agents?sort=-since&limit=100&q=7",
    "/api/v1/agents?sort=availability&offset=5000&limit=100",
    "/api/v1/agents?limit=100",
    "/api/v1/agents?limit=1000",
    "/api/v1/status",
];

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (agents, looks, requests) = if is_bench { (10_000, 20, 500) } else { (50, 2, 3) };
    actix_rt::System::new().block_on(measure(agents, looks, requests));
}

async fn measure(agents: usize, looks: usize, requests: usize) {
    let attendant = Some(MatchRules::compile(&["demo.example"]).unwrap());
    let rules = SourceRules { attendant, pstn: false, graph: None, ucma: false };
    let provider = Provider::start(Setup::new(rules, Vec::new()));
    for number in 0..agents {
        let uri = AgentUri::parse(&format!("sip:agent{number}@demo.example")).unwrap();
        let status = Status::of([Availability::ONLINE, Availability::BUSY, Availability::AWAY][number % 3]);
        provider.push(Push { uri, status, time_to_live: Duration::from_secs(3_600) }).await.unwrap();
    }
    let many = NonZeroU32::new(1_000_000).unwrap();
    let settings = HttpSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        requests_per_second: many,
        ..HttpSettings::default()
    };
    let api = Api::start(provider.clone(), Access::open(), settings, Settings::default(), Keeping::default());
    let mut seen = api.observatory.watch();
    while seen.borrow_and_update().counts.total < agents {
        seen.changed().await.unwrap();
    }
    let mut told = Vec::new();
    for _ in 0..looks {
        let began = Instant::now();
        assert_eq!(provider.observe().await.unwrap().agents().count(), agents);
        told.push(began.elapsed());
    }
    println!("{agents} agents: a look takes {}", spread(told));
    let before = cpu();
    let began = Instant::now();
    for _ in 0..looks.min(10) {
        seen.changed().await.unwrap();
    }
    let share = (cpu() - before).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    println!("  looking and making the snapshot, about once a second, takes {share:.2} % of a processor");

    let serving = serve(api).await.unwrap();
    let address = serving.address();
    let asked = tokio::task::spawn_blocking(move || {
        let mut client = Client::to(address);
        PATHS.map(|path| (path, (0..requests).map(|_| client.get(path)).collect::<Vec<_>>()))
    });
    for (path, answers) in asked.await.unwrap() {
        let bytes = answers[0].1;
        println!("  {path}: {bytes} bytes in {}", spread(answers.into_iter().map(|(took, _)| took).collect()));
    }
    serving.end().await;
}

/// The CPU time of this process.
fn cpu() -> Duration {
    let of_task = |task: std::fs::DirEntry| -> Option<u64> {
        std::fs::read_to_string(task.path().join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    Duration::from_nanos(tasks.filter_map(|task| of_task(task.unwrap())).sum())
}

fn spread(mut took: Vec<Duration>) -> String {
    took.sort();
    let milliseconds = |place: usize| took[place].as_secs_f64() * 1e3;
    let (last, middle, late) = (took.len() - 1, took.len() / 2, took.len() * 99 / 100);
    format!(
        "{:.2} ms (median; least {:.2}, 99 % {:.2}, greatest {:.2})",
        milliseconds(middle),
        milliseconds(0),
        milliseconds(late),
        milliseconds(last)
    )
}

/// One connection.
struct Client {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
}

impl Client {
    fn to(host: SocketAddr) -> Self {
        let stream = TcpStream::connect(host).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), host }
    }

    /// How long the answer took, and its length.
    fn get(&mut self, path: &str) -> (Duration, usize) {
        let began = Instant::now();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{path}: {line}");
        while line != "\r\n" {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        assert!(length > 0, "{path}: no length");
        (began.elapsed(), length)
    }
}

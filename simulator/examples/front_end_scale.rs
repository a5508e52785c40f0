//! How many agents a simulated front end serves: one endpoint subscribes to all of them in lists of 500 in one dialog,
//! then every agent changes once. `cargo run --release -p presence-simulator --example front_end_scale [AGENTS]`
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement")]

#[path = "../tests/front_end_client/mod.rs"]
mod front_end_client;

use std::net::SocketAddr;
use std::time::Instant;

use front_end_client::Client;
use presence_simulator::{Activity, AgentState, FrontEndServer, FrontEndServerSettings, FrontEndSettings};

/// Agents in one SUBSCRIBE.
const LIST: usize = 500;
/// Changes that are made before the client reads them.
const CHUNK: usize = 1_000;

fn main() {
    let count = std::env::args().nth(1).map_or(100_000, |count| count.parse().expect("a number of agents"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(count));
}

async fn measure(count: usize) {
    let before = resident();
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = FrontEndSettings::one_pool("pool01.demo.example", address, count, "demo.example");
    let began = Instant::now();
    let server = FrontEndServer::start_on_own_thread(FrontEndServerSettings::on_loopback(settings)).unwrap();
    println!("{count} agents ready after {:.2} s, {} MiB", began.elapsed().as_secs_f64(), resident() - before);

    let mut client = Client::connect(server.address(0), None).await;
    let register = client.register(None);
    client.say(&register).await;
    assert_eq!(client.hear().await.unwrap().status(), Some(200));
    let agent = |number: usize| format!("sip:agent{number}@demo.example");
    let (began, mut tag, mut bytes) = (Instant::now(), None::<String>, 0);
    for first in (1..=count).step_by(LIST) {
        let list = (first..=count.min(first + LIST - 1)).map(agent);
        let batch = client.batch("subscribe", list, tag.as_deref());
        client.say(&batch).await;
        let answer = client.hear().await.unwrap();
        assert_eq!(answer.status(), Some(200), "{:?}", answer.header("ms-diagnostics"));
        bytes += answer.body().len();
        client.target.get_or_insert_with(|| answer.contact().unwrap().uri.to_owned());
        tag.get_or_insert_with(|| answer.to().unwrap().tag().unwrap().to_owned());
    }
    let time = began.elapsed().as_secs_f64();
    assert_eq!(server.live_subscriptions(), count);
    println!(
        "subscribed in {time:.2} s ({:.0} per second, {} MiB of answers), {} MiB",
        count as f64 / time,
        bytes >> 20,
        resident() - before
    );

    let began = Instant::now();
    for first in (1..=count).step_by(CHUNK) {
        let last = count.min(first + CHUNK - 1);
        for number in first..=last {
            assert!(server.set_presence(&agent(number), AgentState::of(Activity::OnThePhone)));
        }
        for _ in first..=last {
            assert_eq!(client.hear().await.unwrap().method().unwrap().as_str(), "BENOTIFY");
        }
    }
    let time = began.elapsed().as_secs_f64();
    println!(
        "every agent changed and was told in {time:.2} s ({:.0} per second), {} MiB",
        count as f64 / time,
        resident() - before
    );
    let counters = server.counters();
    assert_eq!(counters.violations, Vec::<String>::new());
    println!("{} notifications, {} agents live", counters.notifications, counters.live_now);
    server.stop().await;
}

/// The memory of this process, client included, in MiB; 0 where the system does not say.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|size| size.parse::<usize>().ok()).unwrap_or(0) >> 10
}

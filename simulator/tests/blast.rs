//! As many NOTIFYs as one TCP connection takes. In a release build it is also the measurement: see the printed line.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests; the figure is printed"
)]

mod common;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BytesMut};
use common::Subscribe;
use presence_simulator::{Counters, Simulator, SimulatorSettings};
use presence_sip::{Frame, Framer, Limits, respond};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(60);

/// Subscribes to `count` agents over one connection, and then answers every NOTIFY with 200 until the connection ends.
async fn subscriber(address: SocketAddr, count: usize) {
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let subscribe = async move {
        for number in 1..=count {
            let (uri, call_id) = (format!("sip:agent{number}@sim.example"), format!("call-{number}"));
            let text = Subscribe { uri: &uri, call_id: &call_id, ..Subscribe::default() }.text();
            writer.write_all(text.as_bytes()).await.unwrap();
        }
        writer
    };
    let (answers, mut queue) = tokio::sync::mpsc::unbounded_channel::<BytesMut>();
    let write = async move {
        let mut writer = subscribe.await;
        while let Some(bytes) = queue.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    let read = async move {
        let mut framer = Framer::new(Limits::default());
        let mut buffer = BytesMut::with_capacity(256 << 10);
        while matches!(reader.read_buf(&mut buffer).await, Ok(1..)) {
            framer.push(&buffer);
            buffer.advance(buffer.len());
            buffer.reserve(256 << 10);
            let mut out = BytesMut::new();
            while let Some(frame) = framer.next_frame().unwrap() {
                if let Frame::Message(message) = frame
                    && message.method().is_some()
                {
                    out.extend_from_slice(&respond(&message, 200, None, "", &[], None));
                }
            }
            let _ = answers.send(out);
        }
    };
    tokio::join!(read, write);
}

fn run(agents: usize, notifies: u64) -> Counters {
    let server = Simulator::start_on_own_thread(SimulatorSettings::with_agents(agents, "sim.example")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let started = Instant::now();
        let client = tokio::spawn(subscriber(server.address(), agents));
        while server.active_subscriptions() < agents {
            tokio::time::sleep(Duration::from_millis(2)).await;
            assert!(started.elapsed() < PATIENCE, "only {} subscriptions", server.active_subscriptions());
        }
        let subscribed = started.elapsed();
        let blast = server.blast(agents, notifies, PATIENCE).await;
        println!(
            "{agents} agents subscribed in {subscribed:?}; {} of {} NOTIFYs answered in {:?}: {:.0} per second",
            blast.answered,
            blast.sent,
            blast.elapsed,
            blast.per_second()
        );
        assert_eq!(blast.sent, notifies);
        let counters = server.counters();
        server.stop().await;
        client.await.unwrap();
        counters
    })
}

#[test]
fn every_notify_of_a_blast_is_answered() {
    // Debug builds are for the count, release builds for the figure as well.
    let (agents, rounds) = if cfg!(debug_assertions) { (200, 10) } else { (10_000, 30) };
    let notifies = agents as u64 * rounds;
    let counters = run(agents, notifies);
    assert_eq!(counters.notifies_sent, notifies + agents as u64);
    assert_eq!(counters.answers, counters.notifies_sent);
    assert_eq!(counters.by_agent.len(), agents);
    assert_eq!(counters.most_for_one_agent, 1);
    assert_eq!(counters.subscribe_times.len(), agents);
}

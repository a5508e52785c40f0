//! How large a snapshot is, and how long it takes to make and to read one.
//!
//! ```sh
//! cargo run --release -p presence-core --example snapshot_size -- 100000
//! ```
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "an example that prints figures")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use presence_core::snapshot::{Anchor, decode, encode};
use presence_core::{
    Attempt, Availability, EndpointKind, Freshness, Presence, Remembered, RememberedAgent, RememberedLife, SourceKind,
    Status, SubscriptionMemory, Ticket, UccMemory,
};

fn agent(number: usize, now: Instant) -> RememberedAgent {
    let activity = ["", "on-the-phone", "in-a-meeting", ""][number % 4];
    let status = Status::of([Availability::ONLINE, Availability::BUSY][number % 2]).with_activity(activity);
    let (since, source) = (now.checked_sub(Duration::from_secs(number as u64 % 900)).unwrap_or(now), SourceKind::Ucma);
    let presence = Arc::new(Presence { status, since, source, freshness: Freshness::Stale });
    let backs_off = number.is_multiple_of(50);
    let memory = SubscriptionMemory {
        presence,
        sequence: number as u64 % 1_000,
        failures: u32::from(backs_off),
        home: EndpointKind::Application,
        abandoned: None,
        attempt: Attempt(0),
        ticket: Ticket(0),
        dialogs: [None; 2],
        confirmed: Some(now),
        postponed: 0,
        retry_at: backs_off.then(|| now + Duration::from_secs(900)),
    };
    let uri = format!("sip:agent{number:06}@contact-centre.example.com").parse().unwrap();
    RememberedAgent { uri, source, life: RememberedLife::Subscribed(memory) }
}

fn main() {
    let count = std::env::args().nth(1).map_or(100_000, |count| count.parse().unwrap());
    let anchor = Anchor { now: Instant::now(), wall: SystemTime::now() };
    let agents: Vec<_> = (0..count).map(|number| agent(number, anchor.now)).collect();
    let wanted = agents.iter().map(|agent| agent.uri.clone()).collect();
    let uccs = vec![UccMemory { name: "sales".into(), agents: wanted }];
    let remembered = Remembered { collected: Some(anchor.now), agents, uccs, ..Remembered::default() };
    let folder = std::env::temp_dir();
    for _ in 0..5 {
        let began = Instant::now();
        let encoded = encode(&remembered, anchor, "example");
        let made = began.elapsed();
        let (new, path) = (folder.join("snapshot_size.new"), folder.join("snapshot_size.state"));
        let began = Instant::now();
        let mut file = File::create(&new).unwrap();
        for part in &encoded.parts {
            file.write_all(part).unwrap();
        }
        file.sync_all().unwrap();
        std::fs::rename(&new, &path).unwrap();
        let written = began.elapsed();
        let began = Instant::now();
        let read = decode(&std::fs::read(&path).unwrap(), anchor).unwrap();
        let took = began.elapsed();
        assert_eq!(read.remembered.agents.len(), count);
        let bytes: usize = encoded.parts.iter().map(Vec::len).sum();
        println!(
            "{count} agents: {bytes} bytes, made in {made:.1?}, written and synced in {written:.1?}, read in {took:.1?}"
        );
        std::fs::remove_file(path).unwrap();
    }
}

//! What one request for presence costs: 650 users, about 147 kB of answer.
//!
//! `cargo bench -p presence-graph --bench presences`
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may panic")]

use std::fmt::Write;

use divan::{AllocProfiler, Bencher, counter::BytesCount, counter::ItemsCount};
use presence_graph::ObjectId;
use presence_graph::wire::{MAX_PRESENCE_IDS, parse_presences, presence_request};

/// Counts what is allocated, beside the time; it costs a little of that time.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

fn ids() -> Vec<ObjectId> {
    (0..MAX_PRESENCE_IDS as u128)
        .map(|number| ObjectId::new((number * 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes()))
        .collect()
}

/// As the page of 2026 shows one user, for everyone.
fn answer() -> String {
    let words = [
        ("Available", "Available"),
        ("Busy", "InACall"),
        ("Away", "Away"),
        ("DoNotDisturb", "Presenting"),
        ("Offline", "Offline"),
    ];
    let mut body = String::from(
        r#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#Collection(microsoft.graph.presence)","value":["#,
    );
    for (index, id) in ids().into_iter().enumerate() {
        let (availability, activity) = words[index % words.len()];
        let comma = if index == 0 { "" } else { "," };
        write!(
            body,
            r#"{comma}{{"id":"{id}","availability":"{availability}","activity":"{activity}","statusMessage":null,"sequenceNumber":"A{index:010}","outOfOfficeSettings":{{"message":null,"isOutOfOffice":false}},"workLocation":null}}"#
        )
        .unwrap();
    }
    body.push_str("]}");
    body
}

/// Reading the answer about 650 users.
#[divan::bench]
fn read_650(bencher: Bencher<'_, '_>) {
    let body = answer();
    assert_eq!(parse_presences(body.as_bytes()).unwrap().items.len(), MAX_PRESENCE_IDS);
    bencher
        .counter(ItemsCount::new(MAX_PRESENCE_IDS))
        .counter(BytesCount::new(body.len()))
        .bench(|| parse_presences(divan::black_box(body.as_bytes())));
}

/// Writing the question about 650 users.
#[divan::bench]
fn write_650(bencher: Bencher<'_, '_>) {
    let ids = ids();
    bencher.counter(ItemsCount::new(ids.len())).bench(|| presence_request(divan::black_box(&ids)));
}

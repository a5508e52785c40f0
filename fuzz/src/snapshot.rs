//! What a restart begins with: whatever a file holds, nothing panics, and what was read is written as it was read.

use std::sync::OnceLock;
use std::time::{Duration, Instant, UNIX_EPOCH};

use presence_core::snapshot::{Anchor, Snapshot, SnapshotError, decode, encode};

/// When the snapshots of the corpus are read.
fn anchor() -> Anchor {
    static START: OnceLock<Instant> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "some moment, once")]
    let now = *START.get_or_init(Instant::now);
    Anchor { now, wall: UNIX_EPOCH + Duration::from_millis(1_795_000_000_123) }
}

/// As a file, and as the records of a file that is whole.
pub(crate) fn run(data: &[u8]) {
    if let Ok(snapshot) = decode(data, anchor()) {
        again(&snapshot);
    }
    match decode(&sealed(data), anchor()) {
        Ok(snapshot) => again(&snapshot),
        Err(error) => assert_eq!(error, SnapshotError::TooLarge, "only a line can be too long"),
    }
}

fn again(snapshot: &Snapshot) {
    let written = encode(&snapshot.remembered, anchor(), &snapshot.program).parts.concat();
    let read = decode(&written, anchor()).expect("what we write is whole");
    assert_eq!(read.remembered, snapshot.remembered);
    assert_eq!(read.not_understood, 0);
}

fn sealed(records: &[u8]) -> Vec<u8> {
    let count = records.split_inclusive(|byte| *byte == b'\n').count();
    let mut file = format!(
        "{{\"magic\":\"presence-provider state\",\"version\":[1,0],\"written\":1795000000000,\"program\":\"0\",\"records\":{count}}}\n"
    )
    .into_bytes();
    file.extend_from_slice(records);
    let checksum = crc32fast::hash(&file);
    file.extend_from_slice(format!("{{\"crc32\":\"{checksum:08x}\"}}\n").as_bytes());
    file
}

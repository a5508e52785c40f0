//! Snapshots as bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::clock::{Anchor, Clock, since_1970};
use super::records::{
    AccountRecord, AgentRecord, EndpointRecord, Kind, Moment, NameRecord, PushedRecord, RateRecord, UccRecord,
};
use super::{Remembered, RememberedLife, UccMemory};
use crate::AgentUri;

/// The largest snapshot that is read, in bytes.
pub const MAX_SNAPSHOT_BYTES: usize = 256 * 1024 * 1024;
/// The longest line, in bytes.
const MAX_LINE: usize = 128 * 1024;
/// So many records are written and read at most.
const MAX_RECORDS: usize = 2_000_000;
/// So many agents of a queue stand in one line.
const AGENTS_PER_LINE: usize = 64;
/// What the first line says.
const MAGIC: &str = "presence-provider state";
/// The format. Readers of another major version cannot read it; an older minor version leaves out what it does not know.
const VERSION: [u32; 2] = [1, 0];

/// A snapshot as it is written: one part after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The line that says what follows, the records, and the line with the checksum of both.
    pub parts: [Vec<u8>; 3],
    /// The checksum of the records alone: the same when nothing but the time has changed.
    pub records: u32,
}

/// A snapshot as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// What it says.
    pub remembered: Remembered,
    /// How long ago it was written; zero when the time of day has gone back since.
    pub age: Duration,
    /// When it was written by the time of day, if that has not come yet.
    pub from_the_future: Option<SystemTime>,
    /// Which version of the program wrote it.
    pub program: String,
    /// How many records could not be understood, such as those of a newer version.
    pub not_understood: usize,
}

/// Why bytes are no snapshot that can be used. The text fits after "it cannot be used: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Nothing is there.
    #[error("it is empty")]
    Empty,
    /// Another kind of file.
    #[error("its first line is not that of a presence provider's state")]
    Foreign,
    /// Of a version that is too different.
    #[error("it has format {0}, and this version reads format {current}", current = VERSION[0])]
    Version(u32),
    /// More than is ever written.
    #[error("it has more than {MAX_SNAPSHOT_BYTES} bytes, {MAX_RECORDS} records or {MAX_LINE} bytes in a line")]
    TooLarge,
    /// The end is missing.
    #[error("it is cut off: its last line is not the checksum")]
    CutOff,
    /// Something was changed.
    #[error("its checksum is wrong")]
    Checksum,
    /// It does not hold what its first line promises.
    #[error("its first line promises {promised} records, and it has {found}")]
    Count {
        /// By the first line.
        promised: usize,
        /// Lines.
        found: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    magic: String,
    version: [u32; 2],
    written: Moment,
    program: String,
    records: usize,
    /// The run ended then, and sent nothing after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_sent: Option<Moment>,
}

/// The lines of the records.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    count: usize,
}

impl Lines {
    fn add(&mut self, kind: &str, record: impl Serialize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(b"{\"k\":\"");
        self.bytes.extend_from_slice(kind.as_bytes());
        self.bytes.push(b'"');
        let fields = self.bytes.len();
        let written = serde_json::to_writer(&mut self.bytes, &record);
        // The brace that opens the record stands in front of the kind already.
        self.bytes.get_mut(fields).into_iter().for_each(|brace| *brace = b',');
        if written.is_ok() && self.bytes.len() - start < MAX_LINE && self.count < MAX_RECORDS {
            self.bytes.push(b'\n');
            self.count += 1;
        } else {
            self.bytes.truncate(start);
        }
    }

    fn add_all(&mut self, remembered: &Remembered, clock: &Clock) {
        for rate in remembered.rates.iter().filter_map(|(source, rate)| RateRecord::of(*source, *rate)) {
            self.add("rate", rate);
        }
        for endpoint in &remembered.endpoints {
            self.add("endpoint", EndpointRecord::of(endpoint, clock));
        }
        for account in &remembered.graph.accounts {
            self.add("account", AccountRecord::of(account, clock));
        }
        for ucc in &remembered.uccs {
            let name = || (&*ucc.name).into();
            self.add("ucc", UccRecord { name: name(), agents: Vec::new() });
            for agents in ucc.agents.chunks(AGENTS_PER_LINE) {
                let agents = agents.iter().map(|agent| agent.original().into()).collect();
                self.add("ucc", UccRecord { name: name(), agents });
            }
        }
        for agent in &remembered.agents {
            match &agent.life {
                RememberedLife::Subscribed(memory) => self.add("agent", AgentRecord::of(agent, memory, clock)),
                RememberedLife::Pushed(memory) => self.add("pushed", PushedRecord::of(agent, memory, clock)),
            }
        }
        for name in &remembered.graph.names {
            self.add("name", NameRecord::of(name, clock));
        }
    }
}

/// Writes a snapshot down.
#[must_use]
pub fn encode(remembered: &Remembered, anchor: Anchor, program: &str) -> Encoded {
    let clock = Clock::writing(anchor, remembered.collected);
    let mut lines = Lines::default();
    lines.add_all(remembered, &clock);
    let Lines { bytes: body, count: records } = lines;
    let written = clock.moment(remembered.collected.unwrap_or(anchor.now));
    let last_sent = remembered.last_sent.map(|at| clock.moment(at));
    let (magic, program) = (MAGIC.to_owned(), program.to_owned());
    let header = Header { magic, version: VERSION, written, program, records, last_sent };
    let mut head = serde_json::to_vec(&header).unwrap_or_default();
    head.push(b'\n');
    let mut both = crc32fast::Hasher::new();
    both.update(&head);
    both.update(&body);
    let records = crc32fast::hash(&body);
    Encoded { parts: [head, body, trailer(both.finalize())], records }
}

fn trailer(checksum: u32) -> Vec<u8> {
    format!("{{\"crc32\":\"{checksum:08x}\"}}\n").into_bytes()
}

/// Reads a snapshot.
///
/// # Errors
/// When it is not whole, not ours, or of another major version. Then nothing of it is to be used.
pub fn decode(bytes: &[u8], anchor: Anchor) -> Result<Snapshot, SnapshotError> {
    if bytes.is_empty() {
        return Err(SnapshotError::Empty);
    }
    if bytes.len() > MAX_SNAPSHOT_BYTES {
        return Err(SnapshotError::TooLarge);
    }
    let first = bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n').ok_or(SnapshotError::Foreign)?;
    let (head, rest) = bytes.split_at(first + 1);
    let header: Header = serde_json::from_slice(head).map_err(|_| SnapshotError::Foreign)?;
    if header.magic != MAGIC {
        return Err(SnapshotError::Foreign);
    }
    if header.version[0] != VERSION[0] {
        return Err(SnapshotError::Version(header.version[0]));
    }
    let length = trailer(0).len();
    let (body, last) = rest.split_at(rest.len().saturating_sub(length));
    if !last.starts_with(b"{\"crc32\":\"") {
        return Err(SnapshotError::CutOff);
    }
    let mut both = crc32fast::Hasher::new();
    both.update(head);
    both.update(body);
    if last != trailer(both.finalize()) {
        return Err(SnapshotError::Checksum);
    }
    let mut reading = Reading { clock: Clock::reading(anchor, header.written), ..Reading::new(anchor) };
    let mut found = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        found += 1;
        if line.len() > MAX_LINE || found > MAX_RECORDS {
            return Err(SnapshotError::TooLarge);
        }
        if reading.take(line).is_none() {
            reading.not_understood += 1;
        }
    }
    if found != header.records {
        return Err(SnapshotError::Count { promised: header.records, found });
    }
    Ok(reading.end(anchor, &header))
}

/// What has been read.
struct Reading {
    clock: Clock,
    remembered: Remembered,
    uccs: BTreeMap<Arc<str>, Vec<AgentUri>>,
    not_understood: usize,
}

impl Reading {
    fn new(anchor: Anchor) -> Self {
        let (clock, remembered) = (Clock::writing(anchor, None), Remembered::default());
        Self { clock, remembered, uccs: BTreeMap::new(), not_understood: 0 }
    }

    /// Takes a record; none when it is not understood.
    fn take(&mut self, line: &[u8]) -> Option<()> {
        let Self { clock, remembered, uccs, .. } = self;
        let kind: Kind<'_> = read(line)?;
        match &*kind.k {
            "agent" => remembered.agents.push(read::<AgentRecord<'_>>(line)?.agent(clock)?),
            "pushed" => remembered.agents.push(read::<PushedRecord<'_>>(line)?.agent(clock)?),
            "endpoint" => remembered.endpoints.push(read::<EndpointRecord<'_>>(line)?.endpoint(clock)?),
            "rate" => remembered.rates.push(read::<RateRecord>(line)?.rate()?),
            "account" => remembered.graph.accounts.push(read::<AccountRecord<'_>>(line)?.account(clock)),
            "name" => remembered.graph.names.push(read::<NameRecord<'_>>(line)?.name(clock)?),
            "ucc" => {
                let UccRecord { name, agents } = read(line)?;
                let known = uccs.entry(Arc::from(&*name)).or_default();
                known.extend(agents.iter().filter_map(|uri| AgentUri::parse(uri).ok()));
            }
            _ => return None,
        }
        Some(())
    }

    fn end(self, anchor: Anchor, header: &Header) -> Snapshot {
        let mut remembered = self.remembered;
        remembered.uccs = self.uccs.into_iter().map(|(name, agents)| UccMemory { name, agents }).collect();
        remembered.collected = self.clock.written();
        remembered.last_sent = header.last_sent.map(|at| self.clock.past(at));
        let behind = header.written.saturating_sub(since_1970(anchor.wall));
        let written = Duration::from_millis(u64::try_from(header.written).unwrap_or(0));
        Snapshot {
            age: remembered.collected.map_or(Duration::ZERO, |at| anchor.now.saturating_duration_since(at)),
            from_the_future: if behind > 0 { UNIX_EPOCH.checked_add(written) } else { None },
            remembered,
            program: header.program.chars().take(64).collect(),
            not_understood: self.not_understood,
        }
    }
}

fn read<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Option<T> {
    serde_json::from_slice(line).ok()
}

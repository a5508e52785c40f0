//! Clients over WebSocket that do little else than look at the clock.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::{DOMAIN, Failure};

/// The clock of all measurements.
#[allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// When each change was made.
pub(crate) struct Ledger {
    began: Instant,
    /// Of each agent, how many changes were made.
    changes: Vec<AtomicU32>,
    /// Of each agent, when each change was made, in microseconds.
    made: Vec<Vec<AtomicU64>>,
}

impl Ledger {
    /// For so many agents and changes.
    pub(crate) fn new(agents: usize, changes: u32) -> Self {
        let each = changes as usize / agents + 2;
        let made = (0..agents).map(|_| (0..each).map(|_| AtomicU64::new(0)).collect()).collect();
        Self { began: now(), changes: (0..agents).map(|_| AtomicU32::new(0)).collect(), made }
    }

    fn micros(&self) -> u64 {
        u64::try_from(now().duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }

    /// How many changes of an agent were made.
    pub(crate) fn changes(&self, agent: usize) -> u32 {
        self.changes[agent].load(Ordering::Relaxed)
    }

    /// A change of an agent is made now.
    pub(crate) fn note(&self, agent: usize) {
        let number = self.changes[agent].fetch_add(1, Ordering::Relaxed);
        self.made[agent][number as usize].store(self.micros(), Ordering::Release);
    }

    /// How long ago the change with this sequence was made; the first value of an agent has the sequence 1.
    fn took(&self, agent: usize, sequence: u64) -> Option<u32> {
        let number = usize::try_from(sequence.checked_sub(2)?).ok()?;
        let made = self.made.get(agent)?.get(number)?.load(Ordering::Acquire);
        u32::try_from(self.micros().saturating_sub(made)).ok()
    }
}

/// What one client has seen.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) changes: u64,
    pub(crate) gaps: u64,
    pub(crate) lags: u64,
    /// Microseconds of each delivery.
    pub(crate) took: Vec<u32>,
}

/// All clients, on a thread of their own.
pub(crate) struct Clients {
    /// How many know all of their agents.
    pub(crate) knowing: Arc<AtomicUsize>,
    counts: Arc<Vec<AtomicU64>>,
    stops: Vec<CancellationToken>,
    thread: JoinHandle<Result<Vec<Outcome>, String>>,
}

impl Clients {
    /// Connects them one after the other.
    pub(crate) fn start(address: &str, clients: usize, agents: usize, ledger: &Arc<Ledger>) -> Self {
        let knowing = Arc::new(AtomicUsize::new(0));
        let counts: Arc<Vec<_>> = Arc::new((0..clients).map(|_| AtomicU64::new(0)).collect());
        let stops: Vec<_> = (0..clients).map(|_| CancellationToken::new()).collect();
        let told = (address.to_owned(), Arc::clone(&knowing), Arc::clone(&counts), Arc::clone(ledger), stops.clone());
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, async move {
                let (address, knowing, counts, ledger, stops) = told;
                let mut tasks = Vec::new();
                for (number, stop) in stops.into_iter().enumerate() {
                    let (stream, early) = connect(&address, number, agents).await.map_err(|e| e.to_string())?;
                    let client = Client {
                        number,
                        known: vec![0; agents],
                        unknown: agents,
                        outcome: Outcome::default(),
                        knowing: Arc::clone(&knowing),
                        counts: Arc::clone(&counts),
                        ledger: Arc::clone(&ledger),
                    };
                    tasks.push(tokio::task::spawn_local(client.read(stream, early, stop)));
                }
                let mut outcomes = Vec::new();
                for task in tasks {
                    outcomes.push(task.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?);
                }
                Ok(outcomes)
            })
        });
        Self { knowing, counts, stops, thread }
    }

    /// Drops the connections of those from this number on.
    pub(crate) fn kill_all_but(&self, first: usize) {
        self.stops[first..].iter().for_each(CancellationToken::cancel);
    }

    /// The fewest changes that one of the first so many has seen.
    pub(crate) fn least(&self, first: usize) -> u64 {
        self.counts[..first].iter().map(|count| count.load(Ordering::Relaxed)).min().unwrap_or(0)
    }

    /// Ends them all.
    pub(crate) fn end(self) -> Result<Vec<Outcome>, Failure> {
        self.stops.iter().for_each(CancellationToken::cancel);
        Ok(self.thread.join().map_err(|_| "the clients died")??)
    }
}

/// Subscribes the agents and opens the stream; what came after the head of the answer comes with it.
async fn connect(address: &str, number: usize, agents: usize) -> Result<(TcpStream, Vec<u8>), io::Error> {
    let uris: Vec<_> = (1..=agents).map(|agent| format!("\"sip:agent{agent}@{DOMAIN}\"")).collect();
    let body = format!("{{\"subscribe\":[{}]}}", uris.join(","));
    let mut request = Vec::new();
    write!(
        request,
        "POST /api/v1/uccs/ucc{number}/agents HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&request).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        return Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
    }
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET /api/v1/events/websocket?ucc=ucc{number} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    loop {
        stream.read_buf(&mut head).await?;
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            if !head.starts_with(b"HTTP/1.1 101 ") {
                return Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()));
            }
            return Ok((stream, head.split_off(end + 4)));
        }
    }
}

struct Client {
    number: usize,
    /// Of each agent the sequence that was seen last.
    known: Vec<u64>,
    /// How many agents are not known yet.
    unknown: usize,
    outcome: Outcome,
    knowing: Arc<AtomicUsize>,
    counts: Arc<Vec<AtomicU64>>,
    ledger: Arc<Ledger>,
}

impl Client {
    async fn read(
        mut self,
        mut stream: TcpStream,
        early: Vec<u8>,
        stop: CancellationToken,
    ) -> Result<Outcome, io::Error> {
        let mut buffer = early;
        loop {
            let mut at = 0;
            while let Some((kind, payload, next)) = frame(&buffer[at..]) {
                match kind {
                    1 => self.take(payload),
                    // A ping is answered; the mask of zeros leaves the payload as it is.
                    9 => stream.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await?,
                    8 => return Err(io::Error::other("the program closed the stream")),
                    _ => {}
                }
                at += next;
            }
            buffer.drain(..at);
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(self.outcome),
                read = stream.read_buf(&mut buffer) => {
                    if read? == 0 {
                        return Err(io::Error::other("the program ended the stream"));
                    }
                }
            }
        }
    }

    /// One message: whom it is about, and its number.
    fn take(&mut self, text: &[u8]) {
        let changed = find(text, b"\"type\":\"changed\"").is_some();
        if !changed && find(text, b"\"type\":\"lagged\"").is_some() {
            self.outcome.lags += 1;
        }
        let number = |mark: &[u8]| {
            let digits = &text[find(text, mark)? + mark.len()..];
            Some(digits.iter().take_while(|digit| digit.is_ascii_digit()).fold(0, |n, d| n * 10 + u64::from(d - b'0')))
        };
        let Some(agent) = number(b"\"uri\":\"sip:agent").and_then(|agent| usize::try_from(agent - 1).ok()) else {
            return;
        };
        let Some(sequence) = number(b"\"sequence\":") else { return };
        let known = std::mem::replace(&mut self.known[agent], sequence);
        if known == 0 {
            self.unknown -= 1;
            if self.unknown == 0 {
                self.knowing.fetch_add(1, Ordering::Relaxed);
            }
        } else {
            self.outcome.gaps += u64::from(sequence != known + 1);
        }
        if changed && sequence > 1 {
            self.outcome.changes += 1;
            self.outcome.took.extend(self.ledger.took(agent, sequence));
            self.counts[self.number].store(self.outcome.changes, Ordering::Relaxed);
        }
    }
}

/// The first frame: its kind, what it carries, and where the next one begins. The program's frames have no mask.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (kind, length) = (bytes.first()? & 0x0f, usize::from(*bytes.get(1)?));
    let (length, at) = match length {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        length => (length, 2),
    };
    Some((kind, bytes.get(at..at + length)?, at + length))
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|window| window == mark)
}

//! Everything that crosses the wire and everything that a UCC is told, with its virtual time: the hash of the story, and the
//! promises that are about the wire alone.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::{Duration, Instant};

use presence_actors::now;
use presence_sip::{Message, Method};

use crate::site::{Kind, SIDES, number_of};

/// R3: the probe interval.
const PROBES: Duration = Duration::from_secs(5);
/// What a timer of a millisecond may be early.
const TICK: Duration = Duration::from_millis(2);

pub(crate) struct Journal {
    begin: Instant,
    kind: Kind,
    rate: usize,
    first: Duration,
    longest: Duration,
    hash: u64,
    pub(crate) lines: u64,
    recent: VecDeque<Instant>,
    pub(crate) busiest: usize,
    /// When each side was last dialled in vain.
    in_vain: [Option<Instant>; SIDES],
    pub(crate) probes: u64,
    /// Attempts for agents that are refused, by endpoint: the last one, and how many there were.
    refused: BTreeMap<usize, BTreeMap<String, (Instant, u32)>>,
    wrong: Vec<String>,
    trace: Option<BufWriter<File>>,
}

impl Journal {
    pub(crate) fn new(kind: Kind, rate: usize, first: Duration, longest: Duration) -> Self {
        let trace = std::env::var_os("PRESENCE_TRACE").map(|path| BufWriter::new(File::create(path).unwrap()));
        Self {
            begin: now(),
            kind,
            rate,
            first,
            longest,
            hash: 0xcbf2_9ce4_8422_2325,
            lines: 0,
            recent: VecDeque::new(),
            busiest: 0,
            in_vain: [None; SIDES],
            probes: 0,
            refused: BTreeMap::new(),
            wrong: Vec::new(),
            trace,
        }
    }

    /// One line of the story.
    pub(crate) fn tell(&mut self, at: Instant, what: &str) {
        let since = at - self.begin;
        self.lines += 1;
        self.mix(u64::try_from(since.as_nanos()).unwrap());
        for word in what.as_bytes().chunks(8) {
            let mut bytes = [0; 8];
            bytes[..word.len()].copy_from_slice(word);
            self.mix(u64::from_le_bytes(bytes));
        }
        if let Some(trace) = &mut self.trace {
            writeln!(trace, "{:.6} {what}", since.as_secs_f64()).unwrap();
            trace.flush().unwrap();
        }
    }

    const fn mix(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    /// What has gone wrong since the last time.
    pub(crate) fn take_wrong(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wrong)
    }

    pub(crate) fn sent(&mut self, connection: u64, bytes: &[u8]) {
        // The head says which message of which dialog it is; of the document its length is enough.
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(&bytes[..end]).replace("\r\n", "|");
        self.tell(now(), &format!("{connection}< {} {head}", bytes.len()));
        self.document(bytes.get(end + 4..).unwrap_or_default());
    }

    /// What a message carries is in the trace alone, beneath its head.
    fn document(&mut self, body: &[u8]) {
        if let Some(trace) = self.trace.as_mut().filter(|_| !body.is_empty()) {
            let text = String::from_utf8_lossy(body).replace("\r\n", "\n");
            text.lines().for_each(|line| writeln!(trace, "    {line}").unwrap());
            trace.flush().unwrap();
        }
    }

    /// What the weather had in its hands has come through.
    pub(crate) fn arrived(&mut self, number: u64, bytes: &[u8]) {
        let agents = crate::weather::agents_in(bytes);
        self.tell(now(), &format!("NOTIFY {number} of {agents:?} arrives"));
    }

    pub(crate) fn received(&mut self, connection: u64, message: &Message) {
        let mut text = format!("{connection}> ");
        match message.status() {
            Some(status) => write!(text, "{status}").unwrap(),
            None => write!(text, "{:?} {:?}", message.method(), message.request_uri()).unwrap(),
        }
        for (name, value) in message.headers() {
            write!(text, "|{name}: {value}").unwrap();
        }
        self.tell(now(), &text);
        self.document(message.body());
        if message.method() == Some(&Method::Subscribe) {
            self.subscribed(message);
        }
    }

    fn subscribed(&mut self, message: &Message) {
        let now = now();
        if self.kind == Kind::Simple {
            self.recent.push_back(now);
            while self.recent.front().is_some_and(|first| now - *first >= Duration::from_secs(1)) {
                self.recent.pop_front();
            }
            self.busiest = self.busiest.max(self.recent.len());
            if self.recent.len() > self.rate {
                self.wrong.push(format!("R4: {} SUBSCRIBEs in a second", self.recent.len()));
            }
        }
        // A question is no attempt.
        let is_initial = message.to().is_none_or(|to| to.tag().is_none()) && message.header("Expires") != Some("0");
        let agent = message.request_uri().filter(|_| is_initial).and_then(number_of);
        let Some((agent, known)) = agent.and_then(|agent| Some((agent, self.refused.get_mut(&agent)?))) else { return };
        let from = message.header("From").unwrap().split(';').next().unwrap().to_owned();
        let (last, failures) = known.entry(from).or_insert((now, 0));
        let waited = now - *last;
        let literal = (self.first * 2_u32.pow(failures.saturating_sub(1).min(20))).min(self.longest);
        if *failures > 0 && waited + TICK < literal {
            let text = format!("agent{agent} failed {failures} times and was tried after {waited:?}, not {literal:?}");
            self.wrong.push(text);
        }
        (*last, *failures) = (now, *failures + 1);
    }

    /// From now on each attempt of this agent is refused, and the waits between them are the literal ones.
    pub(crate) fn refused(&mut self, agent: usize) {
        self.refused.insert(agent, BTreeMap::new());
    }

    /// What is known of an agent's failures holds no longer.
    pub(crate) fn forgiven(&mut self, agent: usize) {
        self.refused.remove(&agent);
    }

    /// The same of everybody: another process does not know of them, or an operator revives all.
    pub(crate) fn all_forgiven(&mut self) {
        self.refused.clear();
    }

    /// Another process, or another life of an endpoint, dials when it begins.
    pub(crate) fn new_life(&mut self) {
        self.in_vain = [None; SIDES];
    }

    pub(crate) fn dialled(&mut self, side: usize, answered: bool) {
        let now = now();
        self.tell(now, &format!("dialled {side} {answered}"));
        if answered {
            self.in_vain[side] = None;
            return;
        }
        self.probes += 1;
        if let Some(gap) = self.in_vain[side].replace(now).map(|last| now - last)
            && gap + TICK < PROBES
        {
            self.wrong.push(format!("R3: the dead endpoint {side} was probed again after {gap:?}"));
        }
    }
}

//! The weather between the pool and us: NOTIFYs that are lost, late, twice or in another order.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use presence_simulator::Dice;

/// So many times of doubt are remembered for an agent: more than there can be between two looks.
const DOUBTS_KEPT: usize = 64;

/// How bad it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storm {
    /// In hundredths of all NOTIFYs.
    pub(crate) lost: u64,
    pub(crate) late: u64,
    pub(crate) twice: u64,
    /// So late at most.
    pub(crate) longest: Duration,
}

/// The last word about an agent, as long as it has not arrived: nobody can know how the agent is.
struct Unheard {
    number: u64,
    since: Instant,
}

/// Seeded; it is fine until a storm breaks out.
pub(crate) struct Weather {
    agents: usize,
    dice: Dice,
    storm: Option<Storm>,
    sent: u64,
    unheard: BTreeMap<usize, Unheard>,
    /// From when to when such a word had not arrived, the last times for each agent.
    doubts: BTreeMap<usize, VecDeque<(Instant, Instant)>>,
    /// The greatest number that arrived, by Call-ID: what is overtaken in its dialog says nothing any more.
    arrived: BTreeMap<Vec<u8>, u64>,
    /// When a NOTIFY of an agent last did not arrive as it should.
    spoilt: BTreeMap<usize, Instant>,
    pub(crate) tally: Tally,
}

/// What became of NOTIFYs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) lost: u64,
    pub(crate) late: u64,
    pub(crate) twice: u64,
}

impl Weather {
    pub(crate) fn new(seed: u64, agents: usize) -> Self {
        let (unheard, doubts) = (BTreeMap::new(), BTreeMap::new());
        let (arrived, spoilt) = (BTreeMap::new(), BTreeMap::new());
        Self {
            agents,
            dice: Dice::new(seed ^ 0x5747),
            storm: None,
            sent: 0,
            unheard,
            doubts,
            arrived,
            spoilt,
            tally: Tally::default(),
        }
    }

    pub(crate) fn break_out(&mut self, storm: Storm) {
        self.storm = Some(storm);
    }

    pub(crate) fn clear(&mut self) {
        self.storm = None;
    }

    /// When a message of the pool arrives: at once, later, twice, never. With the number to tell of with [`Self::arrived`].
    pub(crate) fn fates(&mut self, now: Instant, bytes: &[u8]) -> (u64, Vec<Duration>) {
        let at_once = vec![Duration::ZERO];
        let is_answer = is_piggyback(bytes);
        if (self.storm.is_none() && self.unheard.is_empty()) || !(is_notification(bytes) || is_answer) {
            return (0, at_once);
        }
        self.sent += 1;
        let number = self.sent;
        let is_whole = says_state(bytes);
        for agent in agents_in(bytes) {
            let unheard = self.unheard.entry(agent).or_insert(Unheard { number, since: now });
            // The end of a dialog, or news of a modality alone, say nothing of what was lost before.
            if is_whole {
                unheard.number = number;
            }
        }
        let Some(storm) = self.storm.filter(|_| !is_answer) else { return (number, at_once) };
        let longest = u64::try_from(storm.longest.as_millis()).unwrap();
        let (thrown, late) = (self.dice.below(100), Duration::from_millis(1 + self.dice.below(longest)));
        let fates = if thrown < storm.lost {
            self.tally.lost += 1;
            Vec::new()
        } else if thrown < storm.lost + storm.late {
            self.tally.late += 1;
            vec![late]
        } else if thrown < storm.lost + storm.late + storm.twice {
            self.tally.twice += 1;
            vec![Duration::ZERO, late]
        } else {
            at_once
        };
        if fates != [Duration::ZERO] && agents_in(bytes).is_empty() {
            // The end of a whole list, which names nobody.
            for agent in 1..=self.agents {
                self.unheard.entry(agent).or_insert(Unheard { number, since: now });
            }
        }
        if fates != [Duration::ZERO] {
            self.spoilt.extend(agents_in(bytes).into_iter().map(|agent| (agent, now)));
        }
        (number, fates)
    }

    /// A message has arrived at us.
    pub(crate) fn arrived(&mut self, now: Instant, number: u64, bytes: &[u8]) {
        if number == 0 {
            return;
        }
        let last = self.arrived.entry(call_id(bytes)).or_default();
        if number < *last {
            return;
        }
        *last = number;
        for agent in agents_in(bytes) {
            if let Some(unheard) = self.unheard.get(&agent).filter(|unheard| unheard.number == number) {
                let doubts = self.doubts.entry(agent).or_default();
                doubts.push_back((unheard.since, now));
                if doubts.len() > DOUBTS_KEPT {
                    doubts.pop_front();
                }
                self.unheard.remove(&agent);
            }
        }
        if self.unheard.is_empty() {
            self.arrived.clear();
        }
    }

    /// What an agent's dialog was told could not be done: it may be left behind.
    pub(crate) fn refused(&mut self, now: Instant, bytes: &[u8]) {
        self.spoilt.extend(agents_in(bytes).into_iter().map(|agent| (agent, now)));
    }

    /// When a NOTIFY of this agent last did not arrive as it should.
    pub(crate) fn spoilt(&self, agent: usize) -> Option<Instant> {
        self.spoilt.get(&agent).copied()
    }

    /// Whether nobody could know at this time how this agent was. What a queue was told is read later than it was told, and the
    /// word that was missing then may have arrived since (world 723).
    pub(crate) fn was_in_doubt(&self, agent: usize, at: Instant) -> bool {
        let is_open = self.unheard.get(&agent).is_some_and(|unheard| unheard.since <= at);
        let doubts = self.doubts.get(&agent).into_iter().flatten();
        is_open || doubts.into_iter().any(|(since, until)| *since <= at && at <= *until)
    }

    /// Since when nobody can know how this agent is.
    pub(crate) fn doubt(&self, agent: usize) -> Option<Instant> {
        self.unheard.get(&agent).map(|unheard| unheard.since)
    }
}

/// Of presence. The word of a front end that it has ended the registration always arrives: with it go all dialogs, and where it is lost
/// (world 775) that is found with the next request that is refused, which may be a refresh in half an hour.
pub(crate) fn is_notification(bytes: &[u8]) -> bool {
    let begins = bytes.starts_with(b"NOTIFY ") || bytes.starts_with(b"BENOTIFY ");
    begins && !has(bytes, b"registration-notify")
}

/// A 200 that carries what a NOTIFY would: it has a place among them.
fn is_piggyback(bytes: &[u8]) -> bool {
    bytes.starts_with(b"SIP/2.0 200") && has(bytes, b"piggyback-cseq")
}

/// Whether it says how agents are.
fn says_state(bytes: &[u8]) -> bool {
    let contains = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
    !has(bytes, b"terminated") && (!contains(b"<category ") || contains(b"<category name=\"state\""))
}

fn has(bytes: &[u8], word: &[u8]) -> bool {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(bytes.len());
    bytes[..head].windows(word.len()).any(|window| window == word)
}

fn call_id(bytes: &[u8]) -> Vec<u8> {
    let line =
        bytes.split(|byte| *byte == b'\n').find(|line| line.len() > 8 && line[..8].eq_ignore_ascii_case(b"call-id:"));
    line.unwrap_or_default().to_vec()
}

/// The numbers of the agents that a message speaks of.
pub(crate) fn agents_in(bytes: &[u8]) -> Vec<usize> {
    const WORD: &[u8] = b"sip:agent";
    let mut numbers = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(WORD.len()).position(|window| window == WORD) {
        rest = &rest[at + WORD.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        let number = digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    numbers
}

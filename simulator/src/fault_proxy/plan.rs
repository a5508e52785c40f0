//! Which message meets which fault: the pure part, without a clock and without a socket.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::cutter::{Kind, Piece};
use crate::Dice;

/// The direction of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// From the client (the provider), whoever opened the connection.
    ToServer,
    /// From the server.
    ToClient,
}

/// What can happen to a message, and to the connection on which it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkFault {
    /// It waits, between these two by chance, and so does what follows it on the same stream.
    Delay {
        /// At least so long.
        least: Duration,
        /// At most so long.
        most: Duration,
    },
    /// It vanishes, and the connection lives on.
    Drop,
    /// It comes twice.
    Duplicate,
    /// The next one overtakes it; when none comes within 250 ms, it goes alone.
    Reorder,
    /// Both connections are reset (RST) in its place.
    Reset,
    /// From here on nothing goes through in either direction, and nobody is told: the connection is half open.
    Silence,
    /// It goes a byte at a time (slow-loris).
    Trickle {
        /// Between two bytes.
        pause: Duration,
    },
    /// It goes in pieces cut at random, each in a write of its own.
    Split,
    /// A part of it goes, of random length, then both connections are closed.
    Truncate,
    /// So many bytes go, counted from its first, then both connections are closed.
    CloseAfter {
        /// How many.
        bytes: usize,
    },
}

impl NetworkFault {
    /// Its name in [`ProxyCounters::faults`].
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Delay { .. } => "delay",
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Reset => "reset",
            Self::Silence => "silence",
            Self::Trickle { .. } => "trickle",
            Self::Split => "split",
            Self::Truncate => "truncate",
            Self::CloseAfter { .. } => "close after",
        }
    }
}

/// A fault, and which messages meet it. Unlimited in all respects until it is narrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRule {
    fault: NetworkFault,
    way: Option<Way>,
    method: Option<String>,
    answers: Option<bool>,
    chance: Option<(u64, u64)>,
    left: Option<u64>,
}

impl FaultRule {
    /// Every piece of every connection meets this fault.
    #[must_use]
    pub const fn new(fault: NetworkFault) -> Self {
        Self { fault, way: None, method: None, answers: None, chance: None, left: None }
    }

    /// Only in this direction.
    #[must_use]
    pub const fn way(mut self, way: Way) -> Self {
        self.way = Some(way);
        self
    }

    /// Only messages of this method, requests and answers.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_ascii_uppercase());
        self
    }

    /// Only requests.
    #[must_use]
    pub const fn requests(mut self) -> Self {
        self.answers = Some(false);
        self
    }

    /// Only answers.
    #[must_use]
    pub const fn answers(mut self) -> Self {
        self.answers = Some(true);
        self
    }

    /// Only `part` times in `whole`, by the dice.
    #[must_use]
    pub const fn chance(mut self, part: u64, whole: u64) -> Self {
        self.chance = Some((part, whole));
        self
    }

    /// Only so many times, then never again.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.left = Some(times);
        self
    }

    fn concerns(&self, way: Way, kind: &Kind) -> bool {
        let (method, answer) = match kind {
            Kind::Message { method, code } => (Some(method), Some(code.is_some())),
            Kind::KeepAlive | Kind::Unknown => (None, None),
        };
        self.left != Some(0)
            && self.way.is_none_or(|only| only == way)
            && self.method.as_ref().is_none_or(|only| method == Some(only))
            && self.answers.is_none_or(|only| answer == Some(only))
    }
}

/// What a proxy has seen and done since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyCounters {
    /// Connections that were accepted, in both directions; over UDP, clients heard.
    pub connections: u64,
    /// Of those, the ones that the server opened to the client's listener.
    pub from_server: u64,
    /// Messages by direction, method and whether they are answers, as they came in.
    pub messages: BTreeMap<(Way, String, bool), u64>,
    /// Faults done, by their names; those of the door are `half open` and `refused`.
    pub faults: BTreeMap<&'static str, u64>,
}

impl ProxyCounters {
    /// How often a fault was done, by its name.
    #[must_use]
    pub fn done(&self, name: &str) -> u64 {
        self.faults.get(name).copied().unwrap_or(0)
    }
}

/// The faults in force, the dice that choose among them, and what was done.
#[derive(Debug)]
pub(super) struct Plan {
    dice: Dice,
    pub(super) rules: Vec<FaultRule>,
    /// How often everything was healed.
    healed: u64,
    pub(super) counters: ProxyCounters,
}

/// One step of carrying a piece on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Write(Bytes),
    Wait(Duration),
    Reset,
    Close,
    Silence,
}

/// What one direction of one connection remembers.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// Waits to be overtaken.
    held: Option<Bytes>,
    /// So many bytes may still go, unless everything has been healed since.
    left: Option<(u64, usize)>,
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed), rules: Vec::new(), healed: 0, counters: ProxyCounters::default() }
    }

    pub(super) fn count(&mut self, name: &'static str) {
        *self.counters.faults.entry(name).or_default() += 1;
    }

    /// Ends every fault, those included that have begun and not yet shown.
    pub(super) fn heal(&mut self) {
        self.rules.clear();
        self.healed += 1;
    }

    /// What is done with a piece.
    pub(super) fn carry(&mut self, course: &mut Course, way: Way, piece: Piece) -> Vec<Step> {
        if let Kind::Message { method, code } = &piece.kind {
            *self.counters.messages.entry((way, method.clone(), code.is_some())).or_default() += 1;
        }
        let Piece { kind, bytes } = piece;
        let fault = self.decide(course, way, &kind);
        if let Some(fault) = fault {
            self.count(fault.name());
        }
        let mut steps = match fault {
            None => vec![Step::Write(bytes)],
            Some(NetworkFault::Delay { least, most }) => {
                let range = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX).saturating_add(1);
                vec![Step::Wait(least + Duration::from_micros(self.dice.below(range))), Step::Write(bytes)]
            }
            Some(NetworkFault::Drop) => Vec::new(),
            Some(NetworkFault::Duplicate) => vec![Step::Write(bytes.clone()), Step::Write(bytes)],
            Some(NetworkFault::Reorder) => {
                course.held = Some(bytes);
                return Vec::new();
            }
            Some(NetworkFault::Reset) => vec![Step::Reset],
            Some(NetworkFault::Silence) => vec![Step::Silence],
            Some(NetworkFault::Trickle { pause }) => {
                (0..bytes.len()).flat_map(|at| [Step::Write(bytes.slice(at..=at)), Step::Wait(pause)]).collect()
            }
            Some(NetworkFault::Split) => self.split(&bytes),
            Some(NetworkFault::Truncate) => {
                let part = self.below(bytes.len().saturating_sub(1)) + 1;
                vec![Step::Write(bytes.slice(..part.min(bytes.len()))), Step::Close]
            }
            Some(NetworkFault::CloseAfter { bytes: left }) => {
                course.left = Some((self.healed, left));
                vec![Step::Write(bytes)]
            }
        };
        steps.extend(course.held.take().map(Step::Write));
        course.left = course.left.filter(|(healed, _)| *healed == self.healed);
        course.cut_off(steps)
    }

    fn decide(&mut self, course: &Course, way: Way, kind: &Kind) -> Option<NetworkFault> {
        for rule in &mut self.rules {
            // Only one waits at a time, and a connection closes once.
            let busy = matches!(rule.fault, NetworkFault::Reorder) && course.held.is_some()
                || matches!(rule.fault, NetworkFault::CloseAfter { .. }) && course.left.is_some();
            if busy || !rule.concerns(way, kind) {
                continue;
            }
            if rule.chance.is_none_or(|(part, whole)| self.dice.chance(part, whole)) {
                rule.left = rule.left.map(|left| left - 1);
                return Some(rule.fault);
            }
        }
        None
    }

    fn split(&mut self, bytes: &Bytes) -> Vec<Step> {
        let mut cuts: Vec<_> = (0..=self.below(4)).map(|_| self.below(bytes.len())).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut from = 0;
        let mut steps = Vec::new();
        for cut in cuts {
            if cut > from {
                steps.extend([Step::Write(bytes.slice(from..cut)), Step::Wait(Duration::from_millis(2))]);
                from = cut;
            }
        }
        steps
    }

    fn below(&mut self, sides: usize) -> usize {
        usize::try_from(self.dice.below(sides as u64)).unwrap_or(0)
    }
}

impl Course {
    /// Whether something waits to be overtaken.
    pub(super) const fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Nothing has overtaken what waits: it goes alone.
    pub(super) fn release(&mut self) -> Vec<Step> {
        let steps = self.held.take().map(Step::Write).into_iter().collect();
        self.cut_off(steps)
    }

    /// Ends what is to be done where the connection is to be closed.
    fn cut_off(&mut self, mut steps: Vec<Step>) -> Vec<Step> {
        let Some((_, left)) = &mut self.left else { return steps };
        for at in 0..steps.len() {
            let Step::Write(bytes) = &mut steps[at] else { continue };
            if bytes.len() >= *left {
                bytes.truncate(*left);
                steps.truncate(at + 1);
                steps.push(Step::Close);
                return steps;
            }
            *left -= bytes.len();
        }
        steps
    }
}

#[cfg(test)]
mod tests;

//! Which telephone lines are in a call of this service.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::AgentUri;

/// How many calls one UCC may have at a time.
pub const MAX_CALLS_PER_UCC: usize = 10_000;

/// Counts the calls of every UCC on every line.
///
/// A call is named by its UCC, whatever that is known by, and the call id that the UCC gives it. A start that is repeated
/// counts once, an end that is repeated or was never started counts nothing, and a UCC that is gone takes its calls with it.
#[derive(Clone, Debug)]
pub struct Calls<U> {
    lines: BTreeMap<AgentUri, BTreeMap<(U, Arc<str>), Instant>>,
    per_ucc: BTreeMap<U, usize>,
}

/// What became of the start of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStart {
    /// It counts from now on.
    New,
    /// It was known already.
    Known,
    /// The UCC has [`MAX_CALLS_PER_UCC`] calls already: it does not count.
    TooMany,
}

impl<U> Default for Calls<U> {
    fn default() -> Self {
        Self::new()
    }
}

impl<U> Calls<U> {
    /// No calls.
    #[must_use]
    pub const fn new() -> Self {
        Self { lines: BTreeMap::new(), per_ucc: BTreeMap::new() }
    }
}

impl<U: Ord + Clone> Calls<U> {
    /// A call of this UCC has begun on the line.
    pub fn start(&mut self, now: Instant, ucc: U, line: &AgentUri, call_id: &str) -> CallStart {
        let call = (ucc.clone(), Arc::from(call_id));
        if self.lines.get(line).is_some_and(|calls| calls.contains_key(&call)) {
            return CallStart::Known;
        }
        let count = self.per_ucc.entry(ucc).or_default();
        if *count >= MAX_CALLS_PER_UCC {
            return CallStart::TooMany;
        }
        *count += 1;
        self.lines.entry(line.clone()).or_default().insert(call, now);
        CallStart::New
    }

    /// A call of this UCC on the line is over. False when it was not known.
    pub fn end(&mut self, ucc: U, line: &AgentUri, call_id: &str) -> bool {
        let Some(calls) = self.lines.get_mut(line) else { return false };
        let known = calls.remove(&(ucc.clone(), call_id.into())).is_some();
        if calls.is_empty() {
            self.lines.remove(line);
        }
        if known && let Some(count) = self.per_ucc.get_mut(&ucc) {
            *count -= 1;
            if *count == 0 {
                self.per_ucc.remove(&ucc);
            }
        }
        known
    }

    /// Ends every call of this UCC; the lines whose number of calls has changed.
    pub fn release(&mut self, ucc: &U) -> Vec<AgentUri> {
        let mut changed = Vec::new();
        if self.per_ucc.remove(ucc).is_none() {
            return changed;
        }
        self.lines.retain(|line, calls| {
            let before = calls.len();
            calls.retain(|(whose, _), _| whose != ucc);
            if calls.len() != before {
                changed.push(line.clone());
            }
            !calls.is_empty()
        });
        changed
    }

    /// How many calls of this service are on the line.
    #[must_use]
    pub fn in_call(&self, line: &AgentUri) -> u32 {
        self.lines.get(line).map_or(0, |calls| u32::try_from(calls.len()).unwrap_or(u32::MAX))
    }

    /// How many lines are in a call.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// How many calls each UCC has; a UCC without calls is not among them.
    pub fn per_ucc(&self) -> impl Iterator<Item = (&U, usize)> {
        self.per_ucc.iter().map(|(ucc, count)| (ucc, *count))
    }

    /// Every call, by line: whose, its id, its line, and since when.
    pub fn iter(&self) -> impl Iterator<Item = (&U, &Arc<str>, &AgentUri, Instant)> {
        self.lines.iter().flat_map(|(line, calls)| calls.iter().map(move |((ucc, id), since)| (ucc, id, line, *since)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line(number: u32) -> AgentUri {
        format!("tel:+3161234567{number}").parse().expect("valid")
    }

    fn calls() -> (Instant, Calls<&'static str>) {
        (crate::test_clock::start(), Calls::new())
    }

    #[test]
    fn overlapping_calls_of_several_uccs_are_counted() {
        let (now, mut calls) = calls();
        assert_eq!(calls.start(now, "ucc1", &line(1), "a"), CallStart::New);
        assert_eq!(
            calls.start(now, "ucc2", &line(1), "a"),
            CallStart::New,
            "another UCC's call of the same id is another"
        );
        assert_eq!(calls.start(now, "ucc1", &line(1), "b"), CallStart::New);
        assert_eq!((calls.in_call(&line(1)), calls.in_call(&line(2))), (3, 0));
        assert_eq!(calls.per_ucc().collect::<Vec<_>>(), [(&"ucc1", 2), (&"ucc2", 1)]);
        assert!(calls.end("ucc1", &line(1), "a"));
        assert_eq!(calls.in_call(&line(1)), 2);
    }

    #[test]
    fn repeated_starts_and_ends_change_nothing() {
        let (now, mut calls) = calls();
        assert_eq!(calls.start(now, "ucc1", &line(1), "a"), CallStart::New);
        assert_eq!(calls.start(now + Duration::from_secs(9), "ucc1", &line(1), "a"), CallStart::Known);
        assert_eq!(calls.in_call(&line(1)), 1);
        assert_eq!(calls.iter().map(|(_, _, _, since)| since).collect::<Vec<_>>(), [now]);
        assert!(calls.end("ucc1", &line(1), "a"));
        assert!(!calls.end("ucc1", &line(1), "a"));
        assert!(!calls.end("ucc1", &line(2), "never started"));
        assert_eq!((calls.in_call(&line(1)), calls.lines(), calls.per_ucc().count()), (0, 0, 0));
    }

    #[test]
    fn a_ucc_that_is_gone_takes_its_calls_with_it() {
        let (now, mut calls) = calls();
        calls.start(now, "ucc1", &line(1), "a");
        calls.start(now, "ucc1", &line(1), "b");
        calls.start(now, "ucc2", &line(1), "c");
        calls.start(now, "ucc1", &line(2), "d");
        calls.start(now, "ucc2", &line(3), "e");
        assert_eq!(calls.release(&"ucc1"), [line(1), line(2)]);
        assert_eq!([1, 2, 3].map(|number| calls.in_call(&line(number))), [1, 0, 1]);
        assert_eq!(calls.release(&"ucc1"), []);
        let left: Vec<_> = calls.iter().map(|(ucc, id, line, _)| (*ucc, &**id, line.clone())).collect();
        assert_eq!(left, [("ucc2", "c", line(1)), ("ucc2", "e", line(3))]);
    }

    #[test]
    fn a_ucc_that_never_ends_a_call_costs_a_bounded_memory_and_no_other_ucc_a_call() {
        let (now, mut calls) = calls();
        let ids: Vec<_> = (0..MAX_CALLS_PER_UCC).map(|id| id.to_string()).collect();
        assert!(ids.iter().all(|id| calls.start(now, "ucc1", &line(1), id) == CallStart::New));
        assert_eq!(calls.start(now, "ucc1", &line(2), "one more"), CallStart::TooMany);
        assert_eq!((calls.in_call(&line(2)), calls.lines(), calls.per_ucc().count()), (0, 1, 1));
        assert_eq!(calls.start(now, "ucc2", &line(2), "a"), CallStart::New);
        assert!(calls.end("ucc1", &line(1), "0"));
        assert_eq!(calls.start(now, "ucc1", &line(2), "one more"), CallStart::New);
    }
}

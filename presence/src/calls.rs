//! Which telephone lines are in a call of this service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::AgentUri;

/// Counts the calls of every UCC on every line.
///
/// A call is named by its UCC and the call id that the UCC gives it. A start that is repeated counts once, an end
/// that is repeated or was never started counts nothing, and a UCC that is gone takes its calls with it.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    lines: BTreeMap<AgentUri, BTreeSet<Call>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    ucc: Arc<str>,
    id: Arc<str>,
}

impl Calls {
    /// No calls.
    #[must_use]
    pub const fn new() -> Self {
        Self { lines: BTreeMap::new() }
    }

    /// A call of this UCC has begun on the line. False when it was known already.
    pub fn start(&mut self, ucc: &str, line: &AgentUri, call_id: &str) -> bool {
        self.lines.entry(line.clone()).or_default().insert(Call::new(ucc, call_id))
    }

    /// A call of this UCC on the line is over. False when it was not known.
    pub fn end(&mut self, ucc: &str, line: &AgentUri, call_id: &str) -> bool {
        let Some(calls) = self.lines.get_mut(line) else { return false };
        let known = calls.remove(&Call::new(ucc, call_id));
        if calls.is_empty() {
            self.lines.remove(line);
        }
        known
    }

    /// Ends every call of this UCC; the lines whose number of calls has changed.
    pub fn release(&mut self, ucc: &str) -> Vec<AgentUri> {
        let mut changed = Vec::new();
        self.lines.retain(|line, calls| {
            let before = calls.len();
            calls.retain(|call| &*call.ucc != ucc);
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
}

impl Call {
    fn new(ucc: &str, id: &str) -> Self {
        Self { ucc: ucc.into(), id: id.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u32) -> AgentUri {
        format!("tel:+3161234567{number}").parse().expect("valid")
    }

    #[test]
    fn overlapping_calls_of_several_uccs_are_counted() {
        let mut calls = Calls::new();
        assert!(calls.start("ucc1", &line(1), "a"));
        assert!(calls.start("ucc2", &line(1), "a"), "another UCC's call of the same id is another call");
        assert!(calls.start("ucc1", &line(1), "b"));
        assert_eq!((calls.in_call(&line(1)), calls.in_call(&line(2))), (3, 0));
        assert!(calls.end("ucc1", &line(1), "a"));
        assert_eq!(calls.in_call(&line(1)), 2);
    }

    #[test]
    fn repeated_starts_and_ends_change_nothing() {
        let mut calls = Calls::new();
        assert!(calls.start("ucc1", &line(1), "a"));
        assert!(!calls.start("ucc1", &line(1), "a"));
        assert_eq!(calls.in_call(&line(1)), 1);
        assert!(calls.end("ucc1", &line(1), "a"));
        assert!(!calls.end("ucc1", &line(1), "a"));
        assert!(!calls.end("ucc1", &line(2), "never started"));
        assert_eq!((calls.in_call(&line(1)), calls.lines()), (0, 0));
    }

    #[test]
    fn a_ucc_that_is_gone_takes_its_calls_with_it() {
        let mut calls = Calls::new();
        calls.start("ucc1", &line(1), "a");
        calls.start("ucc1", &line(1), "b");
        calls.start("ucc2", &line(1), "c");
        calls.start("ucc1", &line(2), "d");
        calls.start("ucc2", &line(3), "e");
        assert_eq!(calls.release("ucc1"), [line(1), line(2)]);
        assert_eq!([1, 2, 3].map(|number| calls.in_call(&line(number))), [1, 0, 1]);
        assert_eq!(calls.release("ucc1"), []);
    }
}

//! What the steps found, and how it is told.

use std::io::{self, ErrorKind, Write};

use presence_core::log_text::Safe;
use serde::Serialize;

/// The longest name of a step, in characters: the column behind it begins there.
const NAME_WIDTH: usize = 13;
/// What stands below a step is moved in by this much.
const INDENT: &str = "                        ";

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// It works; something about it should be looked at.
    Warn,
    /// It does not work.
    Fail,
    /// It was not tried, and the reason stands beside it.
    Skipped,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
        }
    }

    /// The ANSI colour of the word.
    const fn colour(self) -> &'static str {
        match self {
            Self::Ok => "32",
            Self::Warn => "33",
            Self::Fail => "31",
            Self::Skipped => "2",
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was checked, in a word or two.
    pub step: &'static str,
    /// The account of Microsoft Graph that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How it went.
    pub result: Outcome,
    /// What was found: one sentence without a final stop.
    pub found: String,
    /// What was seen on the way, a line each.
    pub details: Vec<String>,
    /// What to do, a sentence each.
    pub advice: Vec<String>,
}

impl Step {
    pub(crate) fn new(step: &'static str, result: Outcome, found: impl Into<String>) -> Self {
        Self { step, account: None, result, found: found.into(), details: Vec::new(), advice: Vec::new() }
    }

    pub(crate) fn ok(step: &'static str, found: impl Into<String>) -> Self {
        Self::new(step, Outcome::Ok, found)
    }

    pub(crate) fn warn(step: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(step, Outcome::Warn, found).advise(advice)
    }

    pub(crate) fn fail(step: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(step, Outcome::Fail, found).advise(advice)
    }

    pub(crate) fn skipped(step: &'static str, why: impl Into<String>) -> Self {
        Self::new(step, Outcome::Skipped, why)
    }

    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }

    /// Of this account of Microsoft Graph.
    pub(crate) fn of(self, account: &str) -> Self {
        Self { account: Some(account.to_owned()), ..self }
    }

    pub(crate) fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// One more thing is wrong: the result gets as bad as this, and no better.
    pub(crate) fn worsen(&mut self, result: Outcome, detail: impl Into<String>, advice: impl Into<String>) {
        self.details.push(detail.into());
        self.advice.push(advice.into());
        self.result = match (self.result, result) {
            (Outcome::Fail, _) | (_, Outcome::Fail) => Outcome::Fail,
            _ => result,
        };
    }
}

/// Everything that was found. The fields are the JSON form of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The file.
    pub file: String,
    /// True when no step failed.
    pub healthy: bool,
    /// The steps, in the order in which they were made.
    pub steps: Vec<Step>,
}

/// Tells each step as soon as it is made, and keeps it.
pub(crate) struct Telling<W> {
    out: Option<W>,
    colours: bool,
    steps: Vec<Step>,
    /// The writer does not take any more, and that is an error of ours to report.
    broken: Option<io::Error>,
}

impl<W: Write> Telling<W> {
    /// Without a writer the steps are only kept.
    pub(crate) const fn new(out: Option<W>, colours: bool) -> Self {
        Self { out, colours, steps: Vec::new(), broken: None }
    }

    pub(crate) fn title(&mut self, text: &str) {
        self.write(&format!("{text}\n\n"));
    }

    pub(crate) fn tell(&mut self, step: Step) {
        let text = text(&step, self.colours);
        self.write(&text);
        self.steps.push(step);
    }

    /// How many steps ended in what.
    pub(crate) fn summary(&mut self) {
        let count = |outcome| self.steps.iter().filter(|step| step.result == outcome).count();
        let failed = match count(Outcome::Fail) {
            0 => "nothing failed".to_owned(),
            failed => format!("{failed} failed"),
        };
        let text = format!(
            "\n{failed}; {} ok, {} to look at, {} skipped\n",
            count(Outcome::Ok),
            count(Outcome::Warn),
            count(Outcome::Skipped)
        );
        self.write(&text);
    }

    fn write(&mut self, text: &str) {
        let Some(out) = &mut self.out else { return };
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // A reader that has heard enough is no error; the steps are made all the same.
            self.out = None;
            self.broken = Some(error).filter(|error| error.kind() != ErrorKind::BrokenPipe);
        }
    }

    pub(crate) fn finish(self, file: String) -> (Report, Option<io::Error>) {
        let healthy = self.steps.iter().all(|step| step.result != Outcome::Fail);
        (Report { file, healthy, steps: self.steps }, self.broken)
    }
}

fn text(step: &Step, colours: bool) -> String {
    let word = format!("{:<8}", step.result.word());
    let word = if colours { format!("\u{1b}[{}m{word}\u{1b}[0m", step.result.colour()) } else { word };
    // What a server has said stands in these lines.
    let account = step.account.as_ref().map(|account| format!("{}: ", Safe(account))).unwrap_or_default();
    let mut text = format!("{word}  {:<NAME_WIDTH$} {account}{}\n", step.step, Safe(&step.found));
    text.extend(step.details.iter().map(|line| format!("{INDENT}{}\n", Safe(line))));
    text.extend(step.advice.iter().map(|line| format!("{INDENT}-> {}\n", Safe(line))));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_aligned_and_the_advice_stands_below() {
        let step = Step::fail("listener", "no", "do this").detail("seen");
        let plain = "fail      listener      no\n                        seen\n                        -> do this\n";
        assert_eq!(text(&step, false), plain);
        assert!(text(&step, true).starts_with("\u{1b}[31mfail    \u{1b}[0m  listener "));
    }

    #[test]
    fn nothing_that_a_server_says_moves_the_cursor() {
        assert!(!text(&Step::ok("pool", "\u{1b}[2J\nok  everything"), false).trim_end().contains(['\u{1b}', '\n']));
    }

    #[test]
    fn a_failure_is_never_taken_back_by_a_warning() {
        let mut step = Step::ok("certificate", "x");
        step.worsen(Outcome::Warn, "a", "b");
        assert_eq!(step.result, Outcome::Warn);
        step.worsen(Outcome::Fail, "a", "b");
        step.worsen(Outcome::Warn, "a", "b");
        assert_eq!(step.result, Outcome::Fail);
    }
}

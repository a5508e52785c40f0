//! Which source serves an agent: the match patterns of Config.xml and the seed's order of sources.

mod dotnet;
mod hint;
mod scan;
mod source_rules;
#[cfg(test)]
mod tests;

pub use source_rules::{Considered, GraphRules, Selection, SourceRules, Verdict};

use crate::{AgentUri, MAX_AGENT_URI_BYTES};

/// The most memory that one compiled pattern may take, in bytes.
const SIZE_LIMIT: usize = 256 * 1024;

/// How deep the groups of a pattern may be nested.
const NEST_LIMIT: u32 = 64;

/// How often a pattern with look-around or back-references may go back, on one URI.
const BACKTRACK_LIMIT: usize = 10_000;

/// How many classes of letters (`\p{...}`) a pattern may have: without regard to case each takes a quarter of a millisecond.
const MAX_CLASSES: usize = 32;

/// The longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 4096;

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the pattern `{pattern}`: {reason}")]
pub struct PatternError {
    /// Its place in the list, from 0.
    pub index: usize,
    /// As it was written.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
    /// What to write instead.
    pub suggestion: Option<String>,
}

/// What is odd about a pattern that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternHint {
    /// Its place in the list, from 0.
    pub index: usize,
    /// As it was written.
    pub pattern: String,
    /// What is odd.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// The patterns of the attendant source, in the order of Config.xml.
///
/// They were written for .NET. A pattern is searched for anywhere in the agent's URI, with regard to case unless it
/// says `(?i)`: first in the normal form, then in the form in which the URI was written. Patterns that .NET
/// understands otherwise are refused with what to write instead; look-around and back-references work within a limit
/// of steps.
///
/// ```
/// use presence_core::MatchRules;
/// let rules = MatchRules::compile(&["workstreampeople.nl", "workstreampeople.com"]).expect("valid patterns");
/// let uri = "sip:example@workstreampeople.com".parse()?;
/// assert_eq!(rules.first_match(&uri), Some(1));
/// assert_eq!(rules.hints()[0].suggestion.as_deref(), Some(r"@workstreampeople\.nl$"));
/// let error = MatchRules::compile(&["[a-z-[aeiou]]"]).expect_err("means something else in .NET");
/// assert_eq!(error[0].suggestion.as_deref(), Some("(?:(?![aeiou])[a-z])"));
/// # Ok::<(), presence_core::AgentUriError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MatchRules {
    patterns: Vec<String>,
    matchers: Vec<Matcher>,
    hints: Vec<PatternHint>,
}

#[derive(Clone, Debug)]
enum Matcher {
    /// Takes time in proportion to the URI.
    Linear(regex::Regex),
    /// Goes back and tries again, within a limit.
    Backtracking(Box<fancy_regex::Regex>),
}

/// The outcome of all patterns on one URI.
pub(crate) struct Examination {
    pub(crate) first: Option<usize>,
    /// Patterns that gave up on this URI and so count as no match.
    pub(crate) exhausted: Vec<usize>,
}

impl MatchRules {
    /// Reads the patterns.
    ///
    /// # Errors
    /// Tells of every pattern that cannot be used, not only of the first.
    pub fn compile(patterns: &[&str]) -> Result<Self, Vec<PatternError>> {
        let mut rules = Self::default();
        let mut errors = Vec::new();
        for (index, &pattern) in patterns.iter().enumerate() {
            match compile_one(pattern) {
                Ok(matcher) => {
                    let hint = hint::of(pattern).map(|(message, suggestion)| PatternHint {
                        index,
                        pattern: pattern.to_owned(),
                        message,
                        suggestion,
                    });
                    rules.hints.extend(hint);
                    rules.patterns.push(pattern.to_owned());
                    rules.matchers.push(matcher);
                }
                Err((reason, suggestion)) => {
                    errors.push(PatternError { index, pattern: pattern.to_owned(), reason, suggestion });
                }
            }
        }
        if errors.is_empty() { Ok(rules) } else { Err(errors) }
    }

    /// What is odd about the patterns.
    #[must_use]
    pub fn hints(&self) -> &[PatternHint] {
        &self.hints
    }

    /// The patterns as they were written.
    #[must_use]
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// The place of the first pattern that matches, from 0. A pattern that exceeds its limit of steps does not match.
    #[must_use]
    pub fn first_match(&self, uri: &AgentUri) -> Option<usize> {
        self.matchers.iter().position(|matcher| matcher.matches(uri) == Some(true))
    }

    pub(crate) fn examine(&self, uri: &AgentUri) -> Examination {
        let mut exhausted = Vec::new();
        for (index, matcher) in self.matchers.iter().enumerate() {
            match matcher.matches(uri) {
                Some(true) => return Examination { first: Some(index), exhausted },
                Some(false) => {}
                None => exhausted.push(index),
            }
        }
        Examination { first: None, exhausted }
    }
}

impl Matcher {
    /// `None` when it gave up.
    fn matches(&self, uri: &AgentUri) -> Option<bool> {
        let (normal, original) = (self.finds(uri.as_str()), self.finds(uri.original()));
        if normal == Some(true) || original == Some(true) { Some(true) } else { normal.and(original) }
    }

    fn finds(&self, text: &str) -> Option<bool> {
        match self {
            Self::Linear(regex) => Some(regex.is_match(text)),
            Self::Backtracking(_) if text.len() > MAX_AGENT_URI_BYTES => None,
            Self::Backtracking(regex) => regex.is_match(text).ok(),
        }
    }
}

type Refusal = (String, Option<String>);

fn compile_one(pattern: &str) -> Result<Matcher, Refusal> {
    if pattern.is_empty() {
        return Err(("it is empty and would match every agent; write `.*` if that is meant".into(), Some(".*".into())));
    }
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err((
            format!("it has {} bytes, more than the {MAX_PATTERN_BYTES} that are accepted", pattern.len()),
            None,
        ));
    }
    if pattern.matches("\\p").count() + pattern.matches("\\P").count() > MAX_CLASSES {
        return Err((
            format!("it has more than {MAX_CLASSES} classes of letters (\\p, \\P), which take long to compile"),
            None,
        ));
    }
    dotnet::refuse_other_meanings(pattern)?;
    let syntax = match regex::RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).nest_limit(NEST_LIMIT).build() {
        Ok(regex) => return Ok(Matcher::Linear(regex)),
        Err(regex::Error::CompiledTooBig(_)) => {
            return Err((format!("compiled it takes more than {} KiB; repeat less", SIZE_LIMIT / 1024), None));
        }
        Err(other) => last_line(&other.to_string()),
    };
    let backtracking = fancy_regex::RegexBuilder::new(pattern)
        .backtrack_limit(BACKTRACK_LIMIT)
        .delegate_size_limit(SIZE_LIMIT)
        .build();
    match backtracking {
        Ok(regex) => {
            dotnet::refuse_foreign_constructs(pattern, &regex.capture_names().collect::<Vec<_>>())?;
            Ok(Matcher::Backtracking(Box::new(regex)))
        }
        Err(_) => Err((syntax, dotnet::rewrite_of_broken(pattern))),
    }
}

/// The message without the drawing above it.
fn last_line(text: &str) -> String {
    let line = text.lines().last().unwrap_or(text).trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

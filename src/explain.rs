//! `presence-provider explain`: which source serves an agent, and why no other does.

use std::fmt::Write;

use presence_core::log_text::Safe;
use presence_core::{AgentUri, Considered, MatchRules, Scheme, Selection, SourceKind, SourceRules, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::Answer;
use crate::args::ExplainArguments;
use crate::configuration::load;
use crate::exit::Exit;

/// So many rules that did not match are listed for people.
const SHOWN_RULES: usize = 20;

/// Which source serves an agent and why. The fields are the JSON form of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The agent in its normal form, which the rules are matched against.
    pub uri: String,
    /// The agent as it was written.
    pub original: String,
    /// The element of Config.xml of the source that serves the agent; absent when none does.
    pub source: Option<String>,
    /// The element of the source that serves the agent if `source` turns out not to know it; absent when `source` has the agent in
    /// any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// The sources in the order in which they are asked.
    pub considered: Vec<Consideration>,
}

/// What one source has to say about an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Consideration {
    /// The source's element in Config.xml.
    pub source: String,
    /// The outcome in one word.
    pub verdict: Outcome,
    /// The rule that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// The rules that were tried and did not match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<Rule>,
    /// The outcome in words.
    pub why: String,
}

/// The outcome of asking one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The source is not enabled.
    Disabled,
    /// The agent is none of its agents.
    Refused,
    /// It serves the agent.
    Taken,
    /// It serves the agent if it turns out to know it.
    Tentative,
    /// It serves the agent if the earlier source that was asked turns out not to know it.
    Otherwise,
    /// An earlier source serves the agent.
    NotReached,
}

/// A rule (`Match`) of AttendantServiceSource or MsGraphPresenceSource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rule {
    /// Which `Match` it is in the order of the file, from 1.
    pub number: usize,
    /// Its pattern.
    pub pattern: String,
}

impl Explanation {
    /// Asks the sources about an agent.
    #[must_use]
    pub fn of(uri: &AgentUri, rules: &SourceRules) -> Self {
        let Selection { source, considered, otherwise } = rules.select(uri);
        let element = |source: SourceKind| source.element().to_owned();
        let considered = considered.into_iter().map(|one| {
            let patterns = patterns(one.source, uri, rules);
            consideration(one, patterns)
        });
        Self {
            uri: uri.as_str().to_owned(),
            original: uri.original().to_owned(),
            source: source.map(element),
            otherwise: otherwise.map(element),
            considered: considered.collect(),
        }
    }

    /// For people: a line per source, and the result as the documentation of the original product words it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.uri.clone();
        if self.original != self.uri {
            // Writing into a String does not fail.
            let _ = write!(text, " (written {})", Safe(&self.original));
        }
        for one in &self.considered {
            let mark = match one.verdict {
                Outcome::Taken => "yes",
                Outcome::Tentative => "if",
                Outcome::Otherwise => "or",
                Outcome::Refused => "no",
                Outcome::Disabled => "off",
                Outcome::NotReached => "-",
            };
            let _ = write!(text, "\n  {:<22}  {mark:<3}  {}", one.source, Safe(&one.why));
            for rule in one.unmatched.iter().take(SHOWN_RULES) {
                let _ = write!(text, "\n{:31}rule {}, `{}`, does not match", "", rule.number, Safe(&rule.pattern));
            }
            if let Some(more) = one.unmatched.len().checked_sub(SHOWN_RULES + 1) {
                let _ = write!(text, "\n{:31}nor do {} more; --json shows them all", "", more + 1);
            }
        }
        match (&self.source, &self.otherwise) {
            (Some(source), Some(other)) => {
                text.push_str(&format!(
                    "\nResult = The {source} is used if a tenant knows the agent, else the {other}\n"
                ));
            }
            (Some(source), None) => text.push_str(&format!("\nResult = The {source} is used\n")),
            (None, _) => text.push_str("\nResult = No source is used: the presence of this agent stays unknown\n"),
        }
        text
    }
}

/// The patterns that a source has tried on an agent.
fn patterns<'r>(source: SourceKind, uri: &AgentUri, rules: &'r SourceRules) -> &'r [String] {
    let tried = match source {
        SourceKind::Attendant => rules.attendant.as_ref(),
        SourceKind::MsGraph if uri.scheme() != Scheme::Tel => {
            rules.graph.as_ref().and_then(|graph| graph.patterns.as_ref())
        }
        SourceKind::MsGraph | SourceKind::Pstn | SourceKind::Ucma => None,
    };
    tried.map_or(&[], MatchRules::patterns)
}

fn consideration(Considered { source, verdict }: Considered, patterns: &[String]) -> Consideration {
    let rules = |until: usize| {
        let number = |(index, pattern): (usize, &String)| Rule { number: index + 1, pattern: pattern.clone() };
        patterns.iter().enumerate().take(until).map(number).collect()
    };
    let (verdict, rule, unmatched, why) = match verdict {
        Verdict::Disabled => (Outcome::Disabled, None, Vec::new(), "it is not enabled".to_owned()),
        Verdict::NoMatch { why } => (Outcome::Refused, None, rules(usize::MAX), why),
        Verdict::Matched { index, pattern } => {
            let why = format!("rule {}, `{pattern}`, matches", index + 1);
            (Outcome::Taken, Some(Rule { number: index + 1, pattern }), rules(index), why)
        }
        Verdict::Taken(why) => (Outcome::Taken, None, Vec::new(), why.to_owned()),
        Verdict::Tentative(why) => (Outcome::Tentative, None, Vec::new(), why.to_owned()),
        Verdict::Otherwise(why) => (Outcome::Otherwise, None, Vec::new(), why.to_owned()),
        Verdict::NotReached => (Outcome::NotReached, None, Vec::new(), "not asked any more".to_owned()),
    };
    Consideration { source: source.element().to_owned(), verdict, rule, unmatched, why }
}

/// Answers `presence-provider explain`. `color` is for complaints about the configuration.
#[must_use]
pub fn explain(arguments: &ExplainArguments, color: bool) -> Answer {
    let loaded = match load(&arguments.file.config, color) {
        Ok(loaded) => loaded,
        Err(answer) => return answer,
    };
    let explanation = Explanation::of(&arguments.uri, &loaded.settings.source_rules());
    let exit = if explanation.source.is_some() { Exit::Ok } else { Exit::No };
    let stdout = if arguments.json { crate::answer::json(&explanation) } else { explanation.text() };
    Answer { exit, ..Answer::ok(stdout) }
}

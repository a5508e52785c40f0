//! The seed's order of sources.

use crate::{AgentUri, MatchRules, SourceKind};

/// Which sources are enabled, and which agents the attendant source takes.
#[derive(Clone, Debug, Default)]
pub struct SourceRules {
    /// The patterns of the attendant source; `None` when it is disabled.
    pub attendant: Option<MatchRules>,
    /// The PSTN source is enabled.
    pub pstn: bool,
    /// The Microsoft Graph source is enabled.
    pub graph: bool,
    /// The UCMA source is enabled.
    pub ucma: bool,
}

/// Which source serves an agent, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The source; `None` when no enabled source takes the agent.
    pub source: Option<SourceKind>,
    /// All four sources in the order in which they are asked.
    pub considered: Vec<Considered>,
}

/// What one source said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// The source.
    pub source: SourceKind,
    /// What it said.
    pub verdict: Verdict,
}

/// What a source says about an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not enabled.
    Disabled,
    /// It does not take the agent.
    NoMatch {
        /// Why, for a person.
        why: String,
    },
    /// It takes the agent because of a pattern.
    Matched {
        /// The pattern's place, from 0.
        index: usize,
        /// The pattern as it was written.
        pattern: String,
    },
    /// It takes the agent, for this reason.
    Taken(&'static str),
    /// An earlier source took the agent.
    NotReached,
}

impl SourceRules {
    /// Asks the sources in the seed's order: attendant, PSTN, Microsoft Graph, UCMA.
    #[must_use]
    pub fn select(&self, uri: &AgentUri) -> Selection {
        const ORDER: [SourceKind; 4] = [SourceKind::Attendant, SourceKind::Pstn, SourceKind::MsGraph, SourceKind::Ucma];
        let mut selection = Selection { source: None, considered: Vec::with_capacity(ORDER.len()) };
        for source in ORDER {
            let verdict = match selection.source {
                Some(_) => Verdict::NotReached,
                None => self.ask(source, uri),
            };
            if matches!(verdict, Verdict::Matched { .. } | Verdict::Taken(_)) {
                selection.source = Some(source);
            }
            selection.considered.push(Considered { source, verdict });
        }
        selection
    }

    fn ask(&self, source: SourceKind, uri: &AgentUri) -> Verdict {
        match source {
            SourceKind::Attendant => self.attendant.as_ref().map_or(Verdict::Disabled, |rules| by_pattern(rules, uri)),
            SourceKind::Pstn if !self.pstn => Verdict::Disabled,
            SourceKind::Pstn if uri.is_e164() => Verdict::Taken("it is an E.164 line URI"),
            SourceKind::Pstn => no_match("it is not an E.164 line URI (`tel:+` and digits)"),
            SourceKind::MsGraph if !self.graph => Verdict::Disabled,
            SourceKind::MsGraph => {
                no_match("Microsoft Graph is configured but not served by this version; the next source is asked")
            }
            SourceKind::Ucma if !self.ucma => Verdict::Disabled,
            SourceKind::Ucma => Verdict::Taken("it takes every agent that no earlier source has taken"),
        }
    }
}

fn by_pattern(rules: &MatchRules, uri: &AgentUri) -> Verdict {
    let examination = rules.examine(uri);
    if let Some((index, pattern)) = examination.first.and_then(|index| Some((index, rules.patterns().get(index)?))) {
        return Verdict::Matched { index, pattern: pattern.clone() };
    }
    let mut why = match rules.patterns().len() {
        1 => "its one pattern does not match".to_owned(),
        count => format!("none of its {count} patterns matches"),
    };
    for pattern in examination.exhausted.iter().filter_map(|&index| rules.patterns().get(index)) {
        why.push_str(&format!("; `{pattern}` took too many steps and counts as no match"));
    }
    Verdict::NoMatch { why }
}

fn no_match(why: &str) -> Verdict {
    Verdict::NoMatch { why: why.to_owned() }
}

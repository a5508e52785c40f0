//! The seed's order of sources.

use std::collections::BTreeSet;

use crate::{AgentUri, MatchRules, Scheme, SourceKind};

/// Which sources are enabled, and which agents the attendant source takes.
#[derive(Clone, Debug, Default)]
pub struct SourceRules {
    /// The patterns of the attendant source; `None` when it is disabled.
    pub attendant: Option<MatchRules>,
    /// The PSTN source is enabled.
    pub pstn: bool,
    /// Which agents the Microsoft Graph source takes; `None` when it is disabled.
    pub graph: Option<GraphRules>,
    /// The UCMA source is enabled.
    pub ucma: bool,
}

/// Which agents the Microsoft Graph source takes. Only `sip:` agents can be Teams users.
///
/// An agent that is named is always taken. Where there are patterns, they decide about all others; else, where accounts name
/// their domains, those do; else every agent that one of the tenants knows is taken, and what none of them knows goes on to the
/// next source.
#[derive(Clone, Debug, Default)]
pub struct GraphRules {
    /// The agents that the file maps to a user.
    pub users: BTreeSet<AgentUri>,
    /// The patterns (`Match`), where there are any.
    pub patterns: Option<MatchRules>,
    /// The domains of the accounts in lower case; empty when no account names any.
    pub domains: BTreeSet<String>,
}

/// Which source serves an agent, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The source; `None` when no enabled source takes the agent.
    pub source: Option<SourceKind>,
    /// The source that serves the agent if `source` comes to say that it does not know it. Only Microsoft Graph says so, when
    /// nothing in the file tells which agents it has.
    pub otherwise: Option<SourceKind>,
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
    /// It takes the agent if it turns out to know it, for this reason.
    Tentative(&'static str),
    /// It takes the agent if the earlier source that was asked turns out not to know it, for this reason.
    Otherwise(&'static str),
    /// An earlier source took the agent.
    NotReached,
}

impl SourceRules {
    /// Asks the sources in the seed's order, with Microsoft Graph in its place: attendant, PSTN, Microsoft Graph, UCMA.
    #[must_use]
    pub fn select(&self, uri: &AgentUri) -> Selection {
        self.ask_all(uri, false)
    }

    /// The same after Microsoft Graph has said that none of its tenants knows the agent.
    #[must_use]
    pub fn select_declined(&self, uri: &AgentUri) -> Selection {
        self.ask_all(uri, true)
    }

    fn ask_all(&self, uri: &AgentUri, declined: bool) -> Selection {
        const ORDER: [SourceKind; 4] = [SourceKind::Attendant, SourceKind::Pstn, SourceKind::MsGraph, SourceKind::Ucma];
        let mut selection = Selection { source: None, otherwise: None, considered: Vec::with_capacity(ORDER.len()) };
        let mut is_tentative = false;
        for source in ORDER {
            let verdict = match (selection.source, self.ask(source, uri, declined)) {
                (None, verdict) => {
                    is_tentative = matches!(verdict, Verdict::Tentative(_));
                    verdict
                }
                (Some(_), Verdict::Taken(why)) if is_tentative => {
                    selection.otherwise = Some(source);
                    is_tentative = false;
                    Verdict::Otherwise(why)
                }
                (Some(_), _) => Verdict::NotReached,
            };
            if matches!(verdict, Verdict::Matched { .. } | Verdict::Taken(_) | Verdict::Tentative(_)) {
                selection.source = Some(source);
            }
            selection.considered.push(Considered { source, verdict });
        }
        selection
    }

    fn ask(&self, source: SourceKind, uri: &AgentUri, declined: bool) -> Verdict {
        match source {
            SourceKind::Attendant => self.attendant.as_ref().map_or(Verdict::Disabled, |rules| by_pattern(rules, uri)),
            SourceKind::Pstn if !self.pstn => Verdict::Disabled,
            SourceKind::Pstn if uri.is_e164() => Verdict::Taken("it is an E.164 line URI"),
            SourceKind::Pstn => no_match("it is not an E.164 line URI (`tel:+` and digits)"),
            SourceKind::MsGraph if declined => no_match("none of its tenants knows the agent"),
            SourceKind::MsGraph => self.graph.as_ref().map_or(Verdict::Disabled, |graph| graph.ask(uri, self.ucma)),
            SourceKind::Ucma if !self.ucma => Verdict::Disabled,
            SourceKind::Ucma => Verdict::Taken("it takes every agent that no earlier source has taken"),
        }
    }
}

impl GraphRules {
    fn ask(&self, uri: &AgentUri, ucma: bool) -> Verdict {
        if uri.scheme() == Scheme::Tel {
            return no_match("a Teams user has a `sip:` URI");
        }
        if self.users.contains(uri) {
            return Verdict::Taken("the file maps it to a Teams user");
        }
        if let Some(patterns) = &self.patterns {
            return by_pattern(patterns, uri);
        }
        if !self.domains.is_empty() {
            return match uri.host() {
                Some(host) if self.domains.contains(host) => {
                    Verdict::Taken("its domain is one of an account's domains")
                }
                Some(_) | None => no_match("its domain is none of the accounts' domains"),
            };
        }
        if ucma {
            Verdict::Tentative("it takes every agent that one of its tenants knows")
        } else {
            Verdict::Taken("it takes every `sip:` agent that no earlier source has taken")
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

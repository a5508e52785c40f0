//! `Match` of `AttendantServiceSource` and `MsGraphPresenceSource`: the patterns of their agents.

use presence_core::MatchRules;

use crate::diagnostic::{Severity, harmless, shown};
use crate::document::{Attribute, Element};
use crate::fields::{Context, attribute};

const EXAMPLE: &str = r#"pattern="@example\.com$""#;

/// The compiled patterns, or `None` when one of them cannot be used (after a complaint about each).
pub(crate) fn read(source: &Element<'_>, enabled: bool, context: &mut Context<'_>) -> Option<MatchRules> {
    if enabled && source.children_named("Match").next().is_none() {
        let help = format!("write `<Match {EXAMPLE} />` inside it, or disable it with `enabled=\"false\"`");
        context.missing(source, format!("{} is enabled, but has no `Match`", shown(source.name)), help);
    }
    patterns(source, enabled, context)
}

/// The same for a source that needs no pattern.
pub(crate) fn patterns(source: &Element<'_>, enabled: bool, context: &mut Context<'_>) -> Option<MatchRules> {
    let mut places: Vec<&Attribute<'_>> = Vec::new();
    for element in source.children_named("Match") {
        match attribute(element, "pattern") {
            None => {
                context.missing(
                    element,
                    format!("{} has no `pattern`", shown(element.name)),
                    format!("write `{EXAMPLE}`"),
                );
            }
            Some(pattern) if pattern.value.trim().is_empty() => {
                let message = "an empty pattern would match every agent";
                context.complain(pattern.place(), message, format!("write `{EXAMPLE}`, or remove the element"));
            }
            Some(pattern) => places.push(pattern),
        }
    }
    blanks(&places, context);
    let patterns: Vec<&str> = places.iter().map(|place| &*place.value).collect();
    match MatchRules::compile(&patterns) {
        Ok(rules) => {
            // A source that is not asked needs no finer points.
            for hint in rules.hints().iter().filter(|_| enabled) {
                let Some(place) = places.get(hint.index) else { continue };
                context.findings.add(
                    Severity::Hint,
                    place.place(),
                    harmless(&hint.message),
                    advice(hint.suggestion.as_deref()),
                );
            }
            Some(rules)
        }
        Err(errors) => {
            for error in errors {
                let Some(place) = places.get(error.index) else { continue };
                let message =
                    format!("the pattern {} cannot be used: {}", shown(&error.pattern), harmless(&error.reason));
                let help = match advice(error.suggestion.as_deref()) {
                    help if help.is_empty() => {
                        format!("write a regular expression for the agent's URI, such as `{EXAMPLE}`")
                    }
                    help => help,
                };
                context.complain(place.place(), message, help);
            }
            None
        }
    }
}

/// In an attribute `<`, `&` and `"` are written as references: a suggestion must be fit to be copied.
fn advice(suggestion: Option<&str>) -> String {
    let quoted = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    suggestion.map_or(String::new(), |text| format!("write {}", shown(&format!("pattern=\"{}\"", quoted(text)))))
}

fn blanks(places: &[&Attribute<'_>], context: &mut Context<'_>) {
    for place in places {
        if place.value.trim() != place.value {
            let message = "the pattern begins or ends with a blank, which no agent's URI contains";
            context.findings.warning(place.place(), message, format!("write {}", shown(place.value.trim())));
        }
    }
}

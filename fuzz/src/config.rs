//! Config.xml, and the patterns in it: settings, or located messages that a terminal can show.

use presence_config::{Severity, parse_bytes};
use presence_core::{AgentUri, MatchRules};

/// The first byte says whether a file or a pattern follows.
pub(crate) fn run(data: &[u8]) {
    let Some((what, rest)) = data.split_first() else { return };
    if what % 4 == 3 { pattern(&String::from_utf8_lossy(rest)) } else { file(data) }
}

fn file(data: &[u8]) {
    let read = parse_bytes(data, "Config.xml");
    let findings = match &read {
        Ok(loaded) => {
            assert!(loaded.warnings.iter().all(|found| found.severity != Severity::Error));
            &loaded.warnings
        }
        Err(findings) => {
            assert!(findings.iter().any(|found| found.severity == Severity::Error), "a refusal says why");
            findings
        }
    };
    for found in findings.iter().take(60) {
        assert!(found.line >= 1 && found.column >= 1);
        let shown = found.render(false);
        let treacherous = |c: char| c != '\n' && presence_core::log_text::is_treacherous(c);
        assert!(!shown.contains(treacherous), "what is shown moves no cursor: {shown:?}");
        assert!(shown.len() < 16 * 1024, "a message is short");
    }
}

fn pattern(text: &str) {
    let patterns: Vec<&str> = text.lines().take(8).collect();
    match MatchRules::compile(&patterns) {
        Ok(rules) => {
            assert_eq!(rules.patterns(), patterns);
            for uri in ["sip:user1@domain.com", "tel:+31612345678", "sip:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!@a.aa"] {
                let uri = AgentUri::parse(uri).expect("an agent");
                assert!(rules.first_match(&uri).is_none_or(|first| first < patterns.len()));
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty() && errors.iter().all(|error| error.index < patterns.len()));
            // Whoever is told what to write instead must be able to write it.
            for suggestion in errors.iter().filter_map(|error| error.suggestion.as_deref()) {
                assert!(!suggestion.is_empty());
            }
        }
    }
}

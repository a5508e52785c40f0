//! Bombs for the rules of Config.xml: patterns that take long to compile, and patterns that go back and forth. The first
//! line is the URI that they are searched in.

use presence_core::{AgentUri, MatchRules};

use super::Bomb;

fn rule(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let (uri, pattern) = text.split_once('\n').unwrap_or_default();
    let Ok(rules) = MatchRules::compile(&[pattern]) else { return false };
    AgentUri::parse(uri).is_ok_and(|uri| rules.first_match(&uri).is_some())
}

pub(super) fn bombs() -> Vec<Bomb> {
    let bomb = |name, pattern: String| {
        let uri = format!("sip:{}!@{}.com", "a".repeat(200), "b".repeat(60));
        Bomb { reader: "pattern 4 KiB", name, bytes: format!("{uri}\n{pattern}").into_bytes(), read: rule }
    };
    let nested = |count: usize| format!("{}a{}", "(".repeat(count), ")".repeat(count));
    vec![
        bomb("(a+)+$", "(a+)+$".into()),
        bomb("(a+)+ with a look ahead", "^sip:(?=(a+)+$)".into()),
        bomb("back-references", r"(a*)*\1\1\1b$".into()),
        bomb("many back-references", r"(a*)(a*)(a*)(a*)\1\2\3\4x".into()),
        bomb("a look behind", "(?<=a{1,50})b(?=(b|bb)+x)".into()),
        bomb("atomic groups", "(?>(a|aa)+)(?>(a|aa)+)x".into()),
        bomb("choices", "(a|a|a|a|a)*(?=x)".into()),
        bomb("counted counts", "((a{1,100}){1,100}){1,100}".into()),
        bomb("counted classes", r"[\w\d\s]{1,1000}{1,1000}".into()),
        bomb("counted letters", r"\pL{1000}".into()),
        bomb("counted letters with a look ahead", r"(?=\pL{1000})\pL{1000}".into()),
        bomb("many look aheads", r"(?=\pL)".repeat(580)),
        bomb("many counted look aheads", r"(?=\pL{100})".repeat(300)),
        bomb("many back-references in a row", format!("(a*){}", r"\1".repeat(2_000))),
        bomb("many groups", "(a)".repeat(1_300)),
        bomb("many groups with a look ahead", format!("(?=a){}", "(a*)".repeat(1_000))),
        bomb("nested groups", nested(2_000)),
        bomb("nested groups with a look ahead", format!("(?=a){}", nested(2_000))),
        bomb("nested counts", format!("{}a{}", "(?:".repeat(60), "{2}){2}".repeat(60))),
        bomb("many choices", "a|".repeat(2_000)),
        bomb("many choices with a look ahead", format!("(?=a)({})", "a|".repeat(2_000))),
        bomb("many classes", r"\pL\pN\pS\pP".repeat(340)),
        bomb("a long class", format!("[{}]", r"\pL\pN".repeat(680))),
        bomb("case folded classes", format!("(?i){}", r"[\pL]".repeat(800))),
        bomb("the same letters", "a?".repeat(1_000) + &"a".repeat(1_000)),
        bomb("dots", ".*".repeat(2_000)),
        bomb("dots with a look ahead", format!("(?=x){}", ".*".repeat(2_000))),
        bomb("a text", "x".repeat(4_096)),
        bomb("open brackets", "[".repeat(4_000)),
        bomb("open groups", "(?:".repeat(1_300)),
        bomb("open look behinds", "(?<=".repeat(1_000)),
    ]
}

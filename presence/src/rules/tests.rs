use super::*;
use crate::SourceKind;

fn uri(text: &str) -> AgentUri {
    text.parse().expect(text)
}

fn matches(pattern: &str, text: &str) -> bool {
    MatchRules::compile(&[pattern]).expect(pattern).first_match(&uri(text)).is_some()
}

#[test]
fn what_means_something_else_in_dotnet_is_refused_with_a_rewrite() {
    let cases: [(&str, Option<&str>); 19] = [
        ("[a-z-[aeiou]]", Some("(?:(?![aeiou])[a-z])")),
        ("sip:[a-z-[aeiou]]+@x", Some("sip:(?:(?![aeiou])[a-z])+@x")),
        ("[a&&b]", Some(r"[a\&b]")),
        ("[a~~b]", Some(r"[a\~b]")),
        ("[a--b]", Some(r"[a\-b]")),
        ("[[:alpha:]]", Some("[a-zA-Z]")),
        ("x[[:digit:]]+", Some("x[0-9]+")),
        ("[[:punct:]]", None),
        ("[[ab]", Some(r"[\[ab]")),
        ("a++", Some("a+")),
        ("a*+b", Some("a*b")),
        ("a{2}{3}", Some("a{2}")),
        ("a{,3}", Some("a{0,3}")),
        ("(?<o-c>x)", None),
        ("(?'o-c'x)", None),
        (r"\p{IsGreek}", None),
        (r"\P{IsGreek}", None),
        (r"\<user\>", Some(r"<user\>")),
        ("(?U)a+", None),
    ];
    for (pattern, suggestion) in cases {
        let errors = MatchRules::compile(&[pattern]).expect_err(pattern);
        assert_eq!(errors.len(), 1, "{pattern}");
        assert_eq!(errors[0].suggestion.as_deref(), suggestion, "{pattern}: {}", errors[0].reason);
        assert!(errors[0].reason.contains(".NET"), "{pattern}: {}", errors[0].reason);
    }
}

#[test]
fn every_rewrite_that_is_suggested_leads_to_a_pattern_that_is_accepted() {
    for pattern in ["[a-z-[aeiou]]", "[a&&b]", "[a~~b]", "[a--b]", "[[:alpha:]]", "[[ab]", "a++", "a{,3}", "*domain"] {
        let mut pattern = pattern.to_owned();
        for _ in 0..4 {
            match MatchRules::compile(&[&pattern]) {
                Ok(_) => break,
                Err(errors) => pattern = errors[0].suggestion.clone().expect("a rewrite"),
            }
        }
        MatchRules::compile(&[&pattern]).expect("accepted in the end");
    }
}

#[test]
fn dotnet_constructs_with_the_same_meaning_are_accepted() {
    let cases = [
        (r"^sip:(?!test)\w+@domain\.com$", "sip:user@domain.com", true),
        (r"^sip:(?!test)\w+@domain\.com$", "sip:test1@domain.com", false),
        (r"(?<=@)domain", "sip:a@domain.com", true),
        (r"sip:(\w)\1@", "sip:aa@domain.com", true),
        (r"sip:(\w)\1@", "sip:ab@domain.com", false),
        (r"(?'u'\w+)@", "sip:a@domain.com", true),
        (r"(?<u>\w+)@", "sip:a@domain.com", true),
        (r"(?>a+)b", "sip:aab@domain.com", true),
        (r"(?#comment)domain", "sip:a@domain.com", true),
        (r"domain\.com\Z", "sip:a@domain.com", true),
        (r"a+?@", "sip:aa@domain.com", true),
        (r"[]a]+@", "sip:a@domain.com", true),
        (r"[a\]&]+@", "sip:a@domain.com", true),
        (r"[a-z-]+@", "sip:a-b@domain.com", true),
        (r"\p{Lu}", "sip:User@domain.com", true),
        (r"(?i)DOMAIN", "sip:a@domain.com", true),
        (r"(?i-s:DOMAIN)", "sip:a@domain.com", true),
        (r"^tel:\+\d{2,15}$", "tel:+31612345678", true),
    ];
    for (pattern, text, expected) in cases {
        assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
    }
}

#[test]
fn a_condition_asks_for_a_group_that_is_there_and_what_dotnet_lacks_is_refused() {
    for (pattern, text, expected) in [
        (r"^sip:(a)?b(?(1)c|d)@", "sip:abc@x", true),
        (r"^sip:(a)?b(?(1)c|d)@", "sip:abd@x", false),
        (r"^sip:(a)?b(?(1)c|d)@", "sip:bd@x", true),
        (r"^sip:(?:(?=ab)abc|(?!ab)d)@", "sip:abc@x", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
    }
    for (pattern, reason) in [
        (r"(?(5)a|b)", "`(?(5)` asks for group 5 and the pattern has 0"),
        (r"(x)(?(2)a|b)", "`(?(2)` asks for group 2 and the pattern has 1"),
        (r"(?<n>x)(?(n)a|b)", "write `(?(1)`"),
        (r"(x)(?(<1>)a|b)", "only looks ahead in .NET"),
        (r"(x)(?(-1)a|b)", "only looks ahead in .NET"),
        (r"^sip:(?(ab)abc|d)@", "write `(?:(?=condition)yes|(?!condition)no)`"),
        (r"(?~a)(?=b)", "`(?~a` does not exist in .NET"),
        (r"(?=a)(*FAIL)", "`(*` does not exist in .NET"),
        (r"(?=a)\Kb", r"`\K` does not exist in .NET"),
        (r"(a|b\g<1>c)", r"`\g` does not exist in .NET"),
    ] {
        let errors = MatchRules::compile(&[pattern]).expect_err(pattern);
        assert!(errors[0].reason.contains(reason), "{pattern}: {}", errors[0].reason);
    }
}

#[test]
fn a_pattern_is_searched_in_the_normal_form_and_in_the_form_that_was_written() {
    assert!(matches("^sip:user1@domain.com$", "SIP:User1@Domain.com"));
    assert!(matches("User1", "sip:User1@domain.com"));
    assert!(!matches("USER1", "sip:User1@domain.com"), "case counts without (?i)");
    assert!(matches("domain.com", "sip:a@domain.com.evil.example"), "unanchored, as in .NET");
}

#[test]
fn all_broken_patterns_are_told_at_once() {
    let errors = MatchRules::compile(&["domain", "*domain", "(", "", "a{2000}{2000}", r"\w{500}{9}"])
        .expect_err("five are broken");
    assert_eq!(errors.iter().map(|error| error.index).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(errors[0].suggestion.as_deref(), Some(".*domain"));
    assert!(!errors[0].reason.contains('\n'), "{}", errors[0].reason);
}

#[test]
fn a_compile_bomb_is_refused() {
    for bomb in [r"\w{5000}", r"(?=x)\w{5000}", &"(".repeat(5_000), &"a".repeat(5_000)] {
        MatchRules::compile(&[bomb]).expect_err("too big");
    }
}

#[test]
fn the_first_pattern_that_matches_decides() {
    let rules = MatchRules::compile(&["nomatch", "domain", "domain.com"]).expect("valid");
    assert_eq!(rules.first_match(&uri("sip:a@domain.com")), Some(1));
    assert_eq!(rules.first_match(&uri("sip:a@elsewhere.com")), None);
    assert_eq!(rules.patterns().len(), 3);
}

#[test]
fn a_pattern_that_takes_too_many_steps_is_no_match_and_told() {
    let attendant = MatchRules::compile(&[r"^sip:(a*)*\1b$"]).expect("valid");
    let evil = uri(&format!("sip:{}@x", "a".repeat(300)));
    assert_eq!(attendant.first_match(&evil), None);
    let rules = SourceRules { attendant: Some(attendant), ..SourceRules::default() };
    let selection = rules.select(&evil);
    let Verdict::NoMatch { why } = &selection.considered[0].verdict else { panic!("{selection:?}") };
    assert!(why.contains("too many steps"), "{why}");
}

#[test]
fn the_seeds_samples_get_a_hint_with_the_anchored_form() {
    let rules = MatchRules::compile(&["domain.com", r"@domain\.com$", "^sip:.*@domain.com$", ".*", "sip:a.b@x"])
        .expect("valid");
    let hints: Vec<_> =
        rules.hints().iter().map(|hint| (hint.index, hint.suggestion.as_deref().unwrap_or_default())).collect();
    assert_eq!(hints, [(0, r"@domain\.com$"), (2, r"^sip:.*@domain\.com$"), (4, r"sip:a\.b@x")]);
    assert!(rules.hints()[0].message.contains("sip:x@domain.com.evil.example"));
    assert!(rules.hints()[0].message.contains("domainXcom"));
}

#[test]
fn the_three_examples_of_the_seed_come_out() {
    let attendant = MatchRules::compile(&["workstreampeople.nl", "workstreampeople.com"]).expect("valid");
    let rules = SourceRules { attendant: Some(attendant), pstn: true, graph: None, ucma: true };
    let attendant = rules.select(&uri("sip:example@workstreampeople.com"));
    assert_eq!(attendant.source, Some(SourceKind::Attendant));
    let verdicts: Vec<_> = attendant.considered.into_iter().map(|considered| considered.verdict).collect();
    assert_eq!(
        verdicts,
        [
            Verdict::Matched { index: 1, pattern: "workstreampeople.com".into() },
            Verdict::NotReached,
            Verdict::NotReached,
            Verdict::NotReached
        ]
    );
    assert_eq!(rules.select(&uri("tel:+31612345678")).source, Some(SourceKind::Pstn));
    let ucma = rules.select(&uri("sip:example@anywhere.now"));
    assert_eq!(ucma.source, Some(SourceKind::Ucma));
    assert_eq!(ucma.considered[2].verdict, Verdict::Disabled);
}

#[test]
fn an_agent_that_no_source_takes_is_told_so() {
    let selection = SourceRules::default().select(&uri("sip:example@anywhere.now"));
    assert_eq!(selection.source, None);
    assert!(selection.considered.iter().all(|considered| considered.verdict == Verdict::Disabled));
}

fn with_graph(graph: GraphRules, ucma: bool) -> SourceRules {
    SourceRules { attendant: None, pstn: true, graph: Some(graph), ucma }
}

#[test]
fn without_patterns_and_domains_graph_has_whom_its_tenants_know_and_ucma_the_others() {
    let rules = with_graph(GraphRules::default(), true);
    let agent = uri("sip:example@anywhere.now");
    let selection = rules.select(&agent);
    assert_eq!((selection.source, selection.otherwise), (Some(SourceKind::MsGraph), Some(SourceKind::Ucma)));
    assert!(matches!(selection.considered[2].verdict, Verdict::Tentative(_)));
    assert!(matches!(selection.considered[3].verdict, Verdict::Otherwise(_)));
    assert_eq!(rules.select_declined(&agent).source, Some(SourceKind::Ucma));
    let alone = with_graph(GraphRules::default(), false).select(&agent);
    assert_eq!((alone.source, alone.otherwise), (Some(SourceKind::MsGraph), None));
    assert_eq!(rules.select(&uri("tel:+31612345678")).source, Some(SourceKind::Pstn));
}

#[test]
fn patterns_before_domains_say_which_agents_graph_has_and_a_named_agent_is_always_its() {
    let named = uri("sip:named@elsewhere.example");
    let patterns = MatchRules::compile(&["^sip:teams\\."]).ok();
    let domains = std::iter::once("contoso.com".to_owned()).collect();
    let users = std::iter::once(named.clone()).collect();
    let by_domain = with_graph(GraphRules { users, patterns: None, domains }, true);
    let source = |rules: &SourceRules, text: &str| rules.select(&uri(text)).source;
    assert_eq!(source(&by_domain, "sip:a@CONTOSO.com"), Some(SourceKind::MsGraph));
    assert_eq!(source(&by_domain, "sip:a@sub.contoso.com"), Some(SourceKind::Ucma));
    assert_eq!(source(&by_domain, named.as_str()), Some(SourceKind::MsGraph));
    let graph = by_domain.graph.clone().map(|graph| GraphRules { patterns, ..graph });
    let by_pattern = SourceRules { graph, ..by_domain };
    assert_eq!(source(&by_pattern, "sip:teams.a@contoso.com"), Some(SourceKind::MsGraph));
    assert_eq!(source(&by_pattern, "sip:a@contoso.com"), Some(SourceKind::Ucma));
    assert_eq!(source(&by_pattern, named.as_str()), Some(SourceKind::MsGraph));
}

#[test]
fn classes_of_letters_that_take_long_to_compile_are_refused() {
    let refused = MatchRules::compile(&[&format!("(?i){}", r"[\pL]".repeat(33))]).unwrap_err();
    assert!(refused[0].reason.contains("more than 32 classes of letters"), "{refused:?}");
    assert!(MatchRules::compile(&[r"^sip:\p{Lu}\p{Ll}+@example\.com$"]).is_ok());
}

//! Whole files: those that are accepted, and those that are refused with a message that helps.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use presence_config::{
    Diagnostic, Dialect, LoadError, Loaded, PoolAddress, Settings, Severity, Transport, load, parse, parse_bytes,
};
use presence_core::SourceKind;

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name)
}

fn read(name: &str) -> Vec<u8> {
    fs::read(corpus(name)).unwrap()
}

fn accepted(name: &str) -> Loaded {
    parse_bytes(&read(name), "Config.xml").unwrap_or_else(|found| panic!("{}", rendered(&found)))
}

fn rendered(found: &[Diagnostic]) -> String {
    found.iter().map(|diagnostic| diagnostic.render(false)).collect::<Vec<_>>().join("\n\n")
}

/// The file with these warnings only, each by a part of its message.
fn warned(loaded: &Loaded, expected: &[&str]) {
    let found: Vec<&str> = loaded.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found} has no {expected}");
    }
}

#[test]
fn the_sample_of_the_seed_is_accepted_as_it_is_printed() {
    let loaded = accepted("seed.xml");
    let settings = &loaded.settings;
    assert_eq!(settings.max_presence_subscriptions_per_second.get(), 15);
    assert_eq!(settings.failed_presence_subscriptions_resubscribe_delay, Duration::from_secs(15));
    assert_eq!(settings.max_failed_presence_subscriptions_resubscribe_delay, Duration::from_secs(28_800));
    assert_eq!(settings.max_failed_presence_subscriptions_per_uri, 3);
    let ucma = settings.ucma.as_ref().unwrap();
    assert_eq!(ucma.application_id, "urn:application:ucc_presenceprovider01");
    assert_eq!(ucma.application_endpoint.as_str(), "sip:ucc_presenceprovider01@sipdomain.com");
    let user = ucma.user_endpoint.as_ref().unwrap();
    assert_eq!((user.uri.as_str(), &user.pool), ("sip:demo_user@sipdomain.com", &None));
    assert_eq!(ucma.pool.listen, Some("0.0.0.0:6120".parse().unwrap()));
    assert!(settings.pstn);
    let graph = settings.graph.as_ref().unwrap();
    assert_eq!(graph.accounts[0].id, "my-presence-account1");
    assert_eq!(graph.accounts[0].tenant_id, "4119dd4d-e455-4535-9d45-b3535f584cad");
    warned(&loaded, &["which agents are users of Teams", "the file ends without `</config>`"]);
    let end = loaded.warnings.last().unwrap();
    assert_eq!((end.line, end.column, end.severity), (19, 19, Severity::Warning));
}

#[test]
fn the_three_examples_of_the_seed_get_their_sources() {
    let text = r#"<config><PresenceProvider>
<UcmaPresenceSource enabled="true" ApplicationId="urn:application:a"><ApplicationEndpoint OwnerUri="sip:a@b.c"/></UcmaPresenceSource>
<PstnPresenceSource enabled="true"/>
<AttendantServiceSource enabled="true"><Match pattern="workstreampeople.nl"/><Match pattern="workstreampeople.com"/></AttendantServiceSource>
</PresenceProvider></config>"#;
    let loaded = parse(text, "Config.xml").unwrap_or_else(|found| panic!("{}", rendered(&found)));
    let hints: Vec<Severity> = loaded.warnings.iter().map(|hint| hint.severity).collect();
    assert_eq!(hints, [Severity::Hint, Severity::Hint], "{}", rendered(&loaded.warnings));
    insta::assert_snapshot!("pattern_hints", rendered(&loaded.warnings));
    let rules = loaded.settings.source_rules();
    for (uri, source) in [
        ("sip:example@workstreampeople.com", SourceKind::Attendant),
        ("tel:+31612345678", SourceKind::Pstn),
        ("sip:example@anywhere.now", SourceKind::Ucma),
    ] {
        assert_eq!(rules.select(&uri.parse().unwrap()).source, Some(source), "{uri}");
    }
}

#[test]
fn the_shipped_example_is_accepted_without_a_word() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Config.xml");
    let loaded = load(&path).unwrap_or_else(|error| panic!("{error}"));
    warned(&loaded, &[]);
    let settings = loaded.settings;
    assert_eq!((settings.contact_centers.len(), settings.agents().len()), (2, 3));
    assert_eq!(settings.ucma.as_ref().unwrap().pool.dialect, Dialect::Simple);
    let nothing: [String; 0] = [];
    assert_eq!(settings.missing_for_start(), nothing);
    assert_eq!(settings.missing_files(), nothing);
}

#[test]
fn every_example_of_the_documentation_is_accepted() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let text = fs::read_to_string(path).unwrap();
    let examples: Vec<&str> = text.split("```xml").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 7);
    for example in examples {
        let whole = if example.contains("<config") {
            example.to_owned()
        } else if example.contains("<Notifications") {
            format!(
                "<config><PresenceProvider><MsGraphPresenceSource enabled=\"1\"><Accounts>\
                 <Account Id=\"a\" TenantId=\"b.c\"/></Accounts>{example}</MsGraphPresenceSource></PresenceProvider></config>"
            )
        } else if ["<Http", "<MsGraph", "<State"].iter().any(|element| example.contains(element)) {
            format!(
                "<config><PresenceProvider><PstnPresenceSource enabled=\"1\"/>{example}</PresenceProvider></config>"
            )
        } else {
            format!(
                "<config><PresenceProvider><UcmaPresenceSource enabled=\"1\" ApplicationId=\"urn:application:a\">\
                 <ApplicationEndpoint OwnerUri=\"sip:a@b.c\"/>{example}</UcmaPresenceSource></PresenceProvider></config>"
            )
        };
        let loaded = parse(&whole, "example.xml").unwrap_or_else(|found| panic!("{}", rendered(&found)));
        warned(&loaded, &[]);
    }
}

#[test]
fn neighbours_comments_and_any_case_pass_without_a_word() {
    let loaded = accepted("good/comments_and_neighbours.xml");
    warned(&loaded, &[]);
    let settings = loaded.settings;
    assert_eq!(settings.max_presence_subscriptions_per_second.get(), 20);
    assert_eq!(settings.failed_presence_subscriptions_resubscribe_delay, Duration::from_secs(15));
    assert_eq!(settings.max_failed_presence_subscriptions_per_uri, 0);
    let ucma = settings.ucma.unwrap();
    assert_eq!(ucma.application_id, "urn:application:a&b");
    assert_eq!(ucma.user_endpoint, None);
}

#[test]
fn our_additions_are_read() {
    let loaded = accepted("good/pool.xml");
    warned(&loaded, &[]);
    let settings = loaded.settings;
    let ucma = settings.ucma.as_ref().unwrap();
    let pool = &ucma.pool;
    assert_eq!(pool.address, Some(PoolAddress { host: "2001:db8::1".to_owned(), port: Some(5060) }));
    assert_eq!((pool.transport, pool.dialect), (Transport::Tcp, Dialect::Simple));
    assert_eq!(pool.listen, Some("[::]:6120".parse().unwrap()));
    let user = ucma.user_endpoint.as_ref().unwrap();
    assert_eq!(user.pool.as_ref().unwrap().to_string(), "pool2.domain.com:5061");
    let agents: Vec<String> = settings.agents().iter().map(ToString::to_string).collect();
    assert_eq!(agents, ["sip:user1@domain.com", "tel:+31612345678"]);
    let first = &settings.contact_centers[0].agents;
    assert_eq!((first[0].formal, first[0].active), (true, true));
    assert_eq!((first[1].formal, first[1].active), (false, false));
    assert_eq!(settings.missing_for_start(), Vec::<String>::new());
}

#[test]
fn a_skype_pool_has_a_listener_and_registers_unless_the_file_says_otherwise() {
    let plain = accepted("seed.xml").settings;
    let pool = &plain.ucma.as_ref().unwrap().pool;
    assert_eq!((pool.dialect, pool.use_registration), (Dialect::Skype, true));
    assert_eq!(pool.listen, Some("0.0.0.0:6120".parse().unwrap()));
    assert!(plain.defaulted.contains("Pool/@UseRegistration"));

    let loaded = accepted("good/skype_for_tests.xml");
    warned(&loaded, &["tcp is for tests", "gets no presence", "does not ask a trusted application for a password"]);
    let severities: Vec<Severity> = loaded.warnings.iter().map(|warning| warning.severity).collect();
    assert_eq!(severities, [Severity::Warning, Severity::Warning, Severity::Hint]);
    insta::assert_snapshot!("skype_for_tests", rendered(&loaded.warnings));
    let pool = &loaded.settings.ucma.as_ref().unwrap().pool;
    assert_eq!((pool.transport, pool.use_registration), (Transport::Tcp, false));
    assert!(!loaded.settings.defaulted.contains("Pool/@UseRegistration"));
}

#[test]
fn use_registration_means_nothing_to_the_dialect_simple() {
    let text = String::from_utf8(read("good/pool.xml")).unwrap();
    let text = text.replace("Dialect=\"Simple\"", "Dialect=\"Simple\" UseRegistration=\"true\"");
    let loaded = parse(&text, "Config.xml").unwrap_or_else(|found| panic!("{}", rendered(&found)));
    warned(&loaded, &["`UseRegistration` is not used with the dialect `simple`"]);
}

#[test]
fn samples_are_taken_every_ten_seconds_unless_the_file_says_otherwise() {
    let plain = accepted("seed.xml").settings;
    assert_eq!(plain.ucma.as_ref().unwrap().pool.sample_interval, Some(Duration::from_secs(10)));
    assert!(plain.defaulted.contains("Pool/@SampleInterval"));
    let text = String::from_utf8(read("good/pool.xml")).unwrap();
    let of = |value: &str| {
        let text = text.replace("Dialect=\"Simple\"", &format!("Dialect=\"Simple\" SampleInterval=\"{value}\""));
        parse(&text, "Config.xml").map(|loaded| loaded.settings.ucma.unwrap().pool.sample_interval)
    };
    for off in ["0", "0s", "never", "Never"] {
        assert_eq!(of(off).ok(), Some(None), "{off}");
    }
    for (text, seconds) in [("1", 1), ("30s", 30), ("5m", 300), ("1day", 86_400)] {
        assert_eq!(of(text).ok(), Some(Some(Duration::from_secs(seconds))), "{text}");
    }
    for wrong in ["500ms", "25h", "-1", "often"] {
        let told = rendered(&of(wrong).unwrap_err());
        assert!(told.contains("SampleInterval") && told.contains("1s to 1day"), "{wrong}: {told}");
    }
}

#[test]
fn what_is_not_said_gets_its_default_and_is_listed_as_such() {
    let loaded = parse("<config><PresenceProvider/></config>", "Config.xml").unwrap();
    warned(&loaded, &["no source is enabled"]);
    let settings = loaded.settings;
    assert_eq!(settings.max_presence_subscriptions_per_second.get(), 15);
    assert_eq!(settings.failed_presence_subscriptions_resubscribe_delay, Duration::from_secs(900));
    assert_eq!(settings.max_failed_presence_subscriptions_resubscribe_delay, Duration::from_secs(28_800));
    assert_eq!(settings.max_failed_presence_subscriptions_per_uri, 3);
    assert_eq!(settings.defaulted.len(), 13, "four of the provider, seven of the API, two of the state");
    assert_eq!(settings.report().iter().filter(|row| row.default).count(), 13);
    assert!(accepted("seed.xml").settings.defaulted.contains("MaxFailedPresenceSubscriptionsResubscribeDelay"));
}

#[test]
fn the_effective_settings_are_reported_with_their_units() {
    let rows = |name: &str| -> String {
        let row = |row: presence_config::SettingRow| {
            format!("{:<48} {}{}\n", row.name, row.value, if row.default { " (default)" } else { "" })
        };
        accepted(name).settings.report().into_iter().map(row).collect()
    };
    insta::assert_snapshot!("report_seed", rows("seed.xml"));
    insta::assert_snapshot!("report_pool", rows("good/pool.xml"));
    insta::assert_snapshot!("report_graph", rows("good/graph.xml"));
}

#[test]
fn windows_editors_may_save_it_as_they_like() {
    let text = String::from_utf8(read("seed.xml")).unwrap();
    let windows = text.replace('\n', "\r\n");
    let little: Vec<u8> = windows.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = windows.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let forms: [Vec<u8>; 6] = [
        windows.clone().into_bytes(),
        [b"\xef\xbb\xbf", windows.as_bytes()].concat(),
        [b"\xff\xfe", little.as_slice()].concat(),
        [b"\xfe\xff", big.as_slice()].concat(),
        little,
        big,
    ];
    let plain = accepted("seed.xml");
    for bytes in forms {
        let loaded = parse_bytes(&bytes, "Config.xml").unwrap_or_else(|found| panic!("{}", rendered(&found)));
        assert_eq!(loaded.settings.ucma, plain.settings.ucma);
        let places = |loaded: &Loaded| loaded.warnings.iter().map(|w| (w.line, w.column)).collect::<Vec<_>>();
        assert_eq!(places(&loaded), places(&plain));
        assert!(!loaded.warnings[0].render(false).contains('\r'));
    }
}

#[test]
fn every_broken_file_gets_its_located_messages() {
    let mut names: Vec<String> = fs::read_dir(corpus("broken"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert!(names.len() >= 20, "only {} broken files", names.len());
    for name in names {
        let found = parse_bytes(&read(&format!("broken/{name}")), &name).expect_err(&name);
        assert!(found.iter().any(|diagnostic| diagnostic.severity == Severity::Error), "{name}");
        let places: Vec<(usize, usize)> = found.iter().map(|diagnostic| (diagnostic.line, diagnostic.column)).collect();
        assert!(places.is_sorted(), "{name}: {places:?}");
        for diagnostic in &found {
            let place = format!("{name}:{}:{}", diagnostic.line, diagnostic.column);
            let text = diagnostic.render(false);
            assert!(text.contains(&place) && text.contains('^'), "{place} and a caret are not in\n{text}");
            assert!(diagnostic.help.is_some(), "{name}: {} says not what to write", diagnostic.message);
        }
        insta::assert_snapshot!(format!("broken_{}", name.trim_end_matches(".xml")), rendered(&found));
    }
}

#[test]
fn a_secret_is_refused_and_never_printed() {
    let found = parse_bytes(&read("broken/secrets.xml"), "secrets.xml").expect_err("refused");
    let secrets = found.iter().filter(|diagnostic| diagnostic.message.contains("is a secret")).count();
    assert_eq!(secrets, 2);
    let everything = format!("{}\n{found:?}\n{}", rendered(&found), LoadError::Invalid(found.clone()));
    for part in ["correct", "horse", "battery", "staple", "MIIE"] {
        assert!(!everything.contains(part), "{part} is printed");
    }
    let found = parse_bytes(&read("broken/graph.xml"), "graph.xml").expect_err("refused");
    let everything = format!("{}\n{found:?}", rendered(&found));
    for part in ["correct", "horse", "hunter2"] {
        assert!(!everything.contains(part), "{part} is printed");
    }
}

#[test]
fn a_mistake_inside_a_disabled_source_is_a_warning() {
    let text = r#"<config><PresenceProvider>
<UcmaPresenceSource enabled="false"><ApplicationEndpoint OwnerUri="nobody"/></UcmaPresenceSource>
<AttendantServiceSource enabled="false"><Match pattern="(" /></AttendantServiceSource>
<PstnPresenceSource enabled="true"/>
</PresenceProvider></config>"#;
    let loaded = parse(text, "Config.xml").unwrap_or_else(|found| panic!("{}", rendered(&found)));
    assert!(loaded.settings.ucma.is_none());
    assert!(loaded.warnings.len() >= 3, "{}", rendered(&loaded.warnings));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = load(Path::new("no/such/Config.xml")).expect_err("no such file");
    assert!(matches!(error, LoadError::Unreadable { .. }));
    assert!(error.to_string().starts_with("no/such/Config.xml cannot be read: "), "{error}");
}

#[test]
fn a_flood_of_mistakes_is_cut_but_still_refused() {
    let agents = "<Agent Uri=\"nobody\"/>\n".repeat(5_000);
    let queue = format!("<UnifiedContactCenters><UnifiedContactCenter Name=\"a\">{agents}");
    let text = format!(
        "<config><PresenceProvider>{}</PresenceProvider>{queue}</UnifiedContactCenter></UnifiedContactCenters></config>",
        "<Unknown/>".repeat(500)
    );
    let found = parse(&text, "Config.xml").expect_err("refused");
    assert!(found.len() <= 101, "{}", found.len());
    assert!(found.last().unwrap().message.contains("further problems"));
}

#[test]
fn a_whole_day_of_agents_is_read_in_one_go() {
    let queue = |queue: usize| {
        let agents: String = (0..1_000).map(|n| format!("<Agent Uri=\"sip:user{n}@domain.com\"/>\n")).collect();
        format!("<UnifiedContactCenter Name=\"ucc{queue}\">{agents}</UnifiedContactCenter>\n")
    };
    let queues: String = (0..30).map(queue).collect();
    let text = format!(
        "<config><PresenceProvider><PstnPresenceSource enabled=\"1\"/></PresenceProvider>\
         <UnifiedContactCenters>{queues}</UnifiedContactCenters></config>"
    );
    let settings: Settings = parse(&text, "Config.xml").unwrap().settings;
    assert_eq!((settings.contact_centers.len(), settings.agents().len()), (30, 1_000));
}

//! `Http`: how the API is reached. What is wrong with it is in the corpus of `documents.rs`.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use presence_config::{Diagnostic, HttpSettings, Loaded, Severity, load, parse};

fn whole(http: &str) -> String {
    format!("<config><PresenceProvider><PstnPresenceSource enabled=\"true\" />\n{http}\n</PresenceProvider></config>")
}

fn accepted(http: &str) -> Loaded {
    parse(&whole(http), "Config.xml").unwrap_or_else(|found| panic!("{found:#?}"))
}

/// The one thing that is said about it.
fn told(http: &str) -> Diagnostic {
    let mut found = match parse(&whole(http), "Config.xml") {
        Ok(loaded) => loaded.warnings,
        Err(found) => found,
    };
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

#[test]
fn everything_that_it_says_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/good/http.xml");
    let text = fs::read_to_string(path).unwrap();
    let loaded = parse(&text, "Config.xml").unwrap();
    assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
    let http = loaded.settings.http.unwrap();
    let expected = HttpSettings {
        listen: "[::]:8443".parse().unwrap(),
        listen_given: true,
        tokens: Some("tokens.json".into()),
        certificate: Some("api.pem".into()),
        private_key: Some("api.pem".into()),
        host_names: vec!["presence.example.com".to_owned(), "wall".to_owned()],
        ucc_linger: Duration::ZERO,
        events_kept: 100,
        requests_per_second: 5.try_into().unwrap(),
        max_connections: 20.try_into().unwrap(),
    };
    assert_eq!(http, expected);
    assert!(!http.is_loopback());
    assert!(!loaded.settings.defaulted.iter().any(|name| name.starts_with("Http")));
}

#[test]
fn it_is_on_unless_it_is_switched_off_and_what_it_does_not_say_has_its_default() {
    for nothing in
        ["", "<Http />", "<Http enabled=\"true\" Listen=\"\" Tokens=\"\" Certificate=\"\" PrivateKey=\"\" />"]
    {
        let loaded = accepted(nothing);
        assert_eq!(loaded.settings.http, Some(HttpSettings::default()), "{nothing}");
        assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
        let default = |name: &str| loaded.settings.defaulted.contains(name);
        assert!(default("Http/@Listen") && default("Http/@MaxConnections"), "{:?}", loaded.settings.defaulted);
        assert_eq!(default("Http"), !nothing.contains("enabled"));
    }
    let default = HttpSettings::default();
    assert_eq!((default.listen.to_string().as_str(), default.is_loopback()), ("127.0.0.1:8365", true));
    let off = accepted("<Http enabled=\"false\" Listen=\"0.0.0.0:1\" EventsKept=\"1\" />");
    assert_eq!(off.settings.http, None);
    let severities: Vec<Severity> = off.warnings.iter().map(|warning| warning.severity).collect();
    assert_eq!(severities, [Severity::Warning; 2], "mistakes in what is off: {:#?}", off.warnings);
}

#[test]
fn the_bounds_themselves_are_accepted() {
    for (name, low, high) in [
        ("UccLinger", "0", "1h"),
        ("EventsKept", "100", "1000000"),
        ("RequestsPerSecond", "1", "100000"),
        ("MaxConnections", "10", "100000"),
    ] {
        for bound in [low, high] {
            let loaded = accepted(&format!("<Http {name}=\"{bound}\" />"));
            assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
        }
    }
    for beyond in ["UccLinger=\"3601\"", "EventsKept=\"99\"", "RequestsPerSecond=\"100001\"", "MaxConnections=\"9\""] {
        assert_eq!(told(&format!("<Http {beyond} />")).severity, Severity::Error, "{beyond}");
    }
}

#[test]
fn what_other_computers_reach_needs_tokens_and_should_speak_tls() {
    const TLS: &str = "Certificate=\"a.pem\" PrivateKey=\"a.key\"";
    for reachable in ["0.0.0.0:8365", "[::]:8365", "192.0.2.7:8365", "[::ffff:127.0.0.1]:8365"] {
        let error = told(&format!("<Http Listen=\"{reachable}\" {TLS} />"));
        assert_eq!((error.severity, error.line, error.column), (Severity::Error, 2, 15), "{error}");
        assert!(error.message.contains("without `Tokens` everyone there may see and change everything"), "{error}");
        assert!(error.help.unwrap().contains("presence-provider token create"));
        let warning = told(&format!("<Http Listen=\"{reachable}\" Tokens=\"t.json\" />"));
        assert_eq!(warning.severity, Severity::Warning, "{warning}");
        assert!(warning.message.contains("in clear text"), "{warning}");
    }
    for loopback in ["127.0.0.1:0", "127.9.9.9:8365", "[::1]:8365"] {
        assert!(accepted(&format!("<Http Listen=\"{loopback}\" />")).warnings.is_empty());
    }
}

#[test]
fn its_files_are_found_beside_the_configuration_and_the_missing_ones_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("Config.xml");
    let http = "<Http Tokens=\"tokens.json\" Certificate=\"tls/api.pem\" PrivateKey=\"/nowhere/api.key\" />";
    fs::write(&config, whole(http)).unwrap();
    let settings = load(&config).unwrap().settings;
    let found = settings.http.as_ref().unwrap();
    assert_eq!(found.tokens.as_deref(), Some(folder.path().join("tokens.json").as_path()));
    let missing = settings.missing_files();
    let names: Vec<&str> = missing.iter().filter_map(|sentence| sentence.split(": ").next()).collect();
    assert_eq!(names, ["Http/@Tokens", "Http/@Certificate", "Http/@PrivateKey"], "{missing:?}");
    assert!(missing[0].ends_with("; `presence-provider token create` makes it"), "{missing:?}");
    fs::write(folder.path().join("tokens.json"), "").unwrap();
    assert_eq!(settings.missing_files().len(), 2);
    assert_eq!(settings.missing_for_start(), Vec::<String>::new(), "queues may come over the API");
    fs::write(&config, whole("<Http enabled=\"false\" Tokens=\"gone.json\" />")).unwrap();
    let off = load(&config).unwrap().settings;
    assert_eq!(off.missing_files(), Vec::<String>::new());
    assert!(off.missing_for_start()[0].starts_with("no queue: "), "{:?}", off.missing_for_start());
}

#[test]
fn the_effective_settings_have_its_rows() {
    let rows = |http: &str| -> Vec<(String, String, bool)> {
        let rows = accepted(http).settings.report().into_iter().filter(|row| row.name.starts_with("Http"));
        rows.map(|row| (row.name, row.value, row.default)).collect()
    };
    let row = |name: &str, value: &str, default| (name.to_owned(), value.to_owned(), default);
    assert_eq!(rows("<Http enabled=\"false\" />"), [row("Http", "disabled", false)]);
    let expected = [
        row("Http", "enabled", true),
        row("Http/@Listen", "127.0.0.1:80", false),
        row("Http/@Tokens", "none: everyone on this computer may do everything", true),
        row("Http/@HostNames", "wall", false),
        row("Http/@UccLinger", "60 s (1m)", true),
        row("Http/@EventsKept", "10000 events of each remote queue", true),
        row("Http/@RequestsPerSecond", "100 per second of each token or address", true),
        row("Http/@MaxConnections", "10000", true),
    ];
    assert_eq!(rows("<Http Listen=\"127.0.0.1:80\" HostNames=\"WALL\" />"), expected);
}

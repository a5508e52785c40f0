//! What `presence-provider run` does not start with: each has a clear sentence and exit code 78, and `check` says it too.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use process::{Config, Ended, Service, program, queue};

/// Runs with these attributes of `Pool`.
fn refused(config: &Config) -> Ended {
    let ended = config.run(&[]).end();
    assert_eq!(ended.code, Some(78), "{}", ended.all());
    assert!(!ended.all().contains("panic"), "{}", ended.all());
    ended
}

fn check(config: &Config, arguments: &[&str]) -> Ended {
    let mut command = program();
    command.arg("check").arg("--config").arg(config.path()).args(arguments);
    Service::start(command).end()
}

/// The sentence of `run` is there, and `check` has the same without an error of the file.
fn assert_told(config: &Config, parts: &[&str]) {
    let ended = refused(config);
    let line = ended.lines.iter().find(|line| parts.iter().all(|part| line.contains(part)));
    let line = line.unwrap_or_else(|| panic!("no line with {parts:?}:\n{}", ended.all()));
    let sentence = line.strip_prefix("error: ").unwrap_or_else(|| panic!("an error: {line}"));
    let checked = check(config, &["--no-lookup"]);
    assert_eq!(checked.code, Some(0), "{}", checked.all());
    assert!(checked.lines.contains(&format!("  - {sentence}")), "{sentence}\n{}", checked.all());
    assert_eq!(check(config, &["--no-lookup", "--strict"]).code, Some(78));
}

const TLS: &str = r#"Address="127.0.0.1:5061" Transport="tls" Dialect="simple""#;

fn with(pool: &str) -> Config {
    Config::new(pool, &queue("ucc_app01", &[1]))
}

#[test]
fn a_certificate_that_is_not_there() {
    let config = with(&format!(r#"{TLS} Certificate="c.pem" PrivateKey="k.pem" TrustedCertificates="ca.pem""#));
    for (name, file) in [("Certificate", "c.pem"), ("PrivateKey", "k.pem"), ("TrustedCertificates", "ca.pem")] {
        assert_told(&config, &[name, file, "cannot be read"]);
    }
}

#[test]
fn no_certificate_at_all() {
    assert_told(&with(TLS), &["no certificate: with TLS the pool checks ours"]);
    assert_told(&with(TLS), &["no trusted certificates"]);
}

#[test]
fn files_that_hold_no_certificate() {
    let config = with(&format!(r#"{TLS} Certificate="c.pem" PrivateKey="k.pem" TrustedCertificates="ca.pem""#));
    for name in ["c.pem", "k.pem", "ca.pem"] {
        config.beside(name, "this is no PEM file\n");
    }
    assert_told(&config, &["TLS towards the pool", "ca.pem"]);
}

#[test]
fn a_key_that_belongs_to_another_certificate() {
    let pem = || rcgen::generate_simple_self_signed(vec!["pool.example.com".to_owned()]).unwrap();
    let (own, other) = (pem(), pem());
    let config = with(&format!(r#"{TLS} Certificate="c.pem" PrivateKey="k.pem" TrustedCertificates="c.pem""#));
    config.beside("c.pem", &own.cert.pem());
    config.beside("k.pem", &other.signing_key.serialize_pem());
    assert_told(&config, &["k.pem", "does not belong to the certificate"]);
}

#[test]
fn a_password_file_without_a_password() {
    let pool = r#"Address="127.0.0.1:5060" Transport="tcp" Dialect="simple" UserName="u" PasswordFile="pool.password""#;
    let config = with(pool);
    assert_told(&config, &["PasswordFile", "pool.password", "cannot be read"]);
    config.beside("pool.password", "\nsecond line\n");
    assert_told(&config, &["the password of `u` is not in", "pool.password", "its first line is empty"]);
}

#[test]
fn a_dialect_that_does_not_exist_is_an_error_of_the_file_with_its_place() {
    let config = with(r#"Address="127.0.0.1:5060" Transport="tcp" Dialect="jabber""#);
    let ended = refused(&config);
    assert!(ended.all().contains("jabber") && ended.all().contains("Config.xml:7:"), "{}", ended.all());
    assert_eq!(check(&config, &["--no-lookup"]).code, Some(78));
}

#[test]
fn no_file_and_a_folder_instead_of_a_file() {
    let config = with(TLS);
    std::fs::remove_file(config.path()).unwrap();
    let ended = refused(&config);
    assert!(ended.all().contains("Config.xml") && ended.all().contains("--config FILE"), "{}", ended.all());
    std::fs::create_dir(config.path()).unwrap();
    let ended = refused(&config);
    assert!(ended.all().starts_with("error: ") && ended.all().contains("Config.xml"), "{}", ended.all());
}

#[test]
fn no_queue_to_host() {
    let text = Config::text("", "", TLS, "");
    let text = text.replace("  <UnifiedContactCenters>\n  </UnifiedContactCenters>\n", "");
    assert_told(&Config::of(&text), &["no queue: write <UnifiedContactCenters>", "leave the HTTP API on"]);
}

const TCP: &str = r#"Address="127.0.0.1:9" Transport="tcp" Dialect="simple""#;

fn with_http(http: &str, queues: &str) -> Config {
    Config::of(&Config::text_with_http(http, "", "", TCP, queues))
}

#[test]
fn without_a_queue_it_serves_those_that_come_over_the_api() {
    let config = with_http(r#"<Http Listen="127.0.0.1:0" />"#, "");
    let checked = check(&config, &["--no-lookup", "--strict"]);
    assert_eq!(checked.code, Some(0), "{}", checked.all());
    let service = config.run(&[]);
    service.says("the API and the dashboard are at http://127.0.0.1:");
    assert_eq!(service.terminate().code, Some(0));
}

#[test]
fn a_tokens_file_that_is_not_there_or_cannot_be_used() {
    use std::os::unix::fs::PermissionsExt;

    let config = with_http(r#"<Http Listen="127.0.0.1:0" Tokens="tokens.json" />"#, &queue("ucc_app01", &[1]));
    assert_told(&config, &["Http/@Tokens", "tokens.json", "`presence-provider token create` makes it"]);
    let file = config.beside("tokens.json", "{\"version\": 1, \"tokens\": [}");
    assert_told(&config, &["the tokens file", "mode 0644", "chmod g-w,o= "]);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_told(&config, &["the tokens file", "cannot be used", "line 1 column 27"]);
    config.beside("tokens.json", "{\"version\": 1, \"tokens\": []}");
    let doubt = "holds no token that is valid, so that nobody can use the HTTP API";
    assert_eq!(check(&config, &["--no-lookup"]).with(doubt).count(), 1);
    let service = config.run(&[]);
    assert!(service.says(doubt).contains(" UccStarter WARN - "));
    assert_eq!(service.terminate().code, Some(0));
}

#[test]
fn a_certificate_of_the_api_that_cannot_be_used() {
    let http = r#"<Http Listen="127.0.0.1:0" Certificate="api.pem" PrivateKey="api.key" />"#;
    let config = with_http(http, &queue("ucc_app01", &[1]));
    for name in ["Http/@Certificate", "Http/@PrivateKey"] {
        assert_told(&config, &[name, "cannot be read"]);
    }
    let pem = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    config.beside("api.pem", &pem().cert.pem());
    config.beside("api.key", &pem().signing_key.serialize_pem());
    assert_told(&config, &["TLS of the HTTP API", "api.key", "does not belong to the certificate"]);
}

#[test]
fn a_listener_for_others_without_tokens_is_an_error_of_the_file() {
    let config = with_http(r#"<Http Listen="0.0.0.0:0" />"#, &queue("ucc_app01", &[1]));
    let ended = refused(&config);
    assert!(ended.all().contains("without `Tokens` everyone there may see and change everything"), "{}", ended.all());
}

#[test]
fn a_taken_port_that_the_file_names_ends_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let named = format!(r#"<Http Listen="{}" />"#, taken.local_addr().unwrap());
    for queues in ["", &queue("ucc_app01", &[1])] {
        let ended = refused(&with_http(&named, queues));
        assert!(ended.with("error: failed to run: serve HTTP: ").next().is_some(), "{}", ended.all());
    }
}

#[test]
fn a_pool_whose_name_does_not_exist_is_missing_at_check_and_waited_for_at_run() {
    let config = with(r#"Address="no-such-host.invalid:5060" Transport="tcp" Dialect="simple""#);
    let checked = check(&config, &[]);
    assert_eq!(checked.code, Some(0), "{}", checked.all());
    let sentences: Vec<_> = checked.with("  - the pool `no-such-host.invalid` is not found: ").collect();
    assert!(matches!(sentences.as_slice(), [one] if one.contains("Address of <Pool>")), "{}", checked.all());
    assert_eq!(check(&config, &["--strict"]).code, Some(78));
    let service = config.run(&[]);
    service.says("the application endpoint cannot reach its pool; it keeps trying");
    assert_eq!(service.terminate().code, Some(0));
}

#[test]
fn a_name_that_is_known_on_this_machine_is_shown_with_its_servers() {
    let config = with(r#"Address="localhost:5060" Transport="tcp" Dialect="simple""#);
    let checked = check(&config, &["--strict"]);
    assert_eq!(checked.code, Some(0), "{}", checked.all());
    assert!(
        checked.with("  localhost:5060  ").any(|line| line.contains(":5060, ") || line.ends_with(":5060")),
        "{}",
        checked.all()
    );
}

#[test]
fn more_agents_than_the_rate_can_refresh_is_a_warning_of_check_and_run() {
    let agents: Vec<usize> = (1..=1_700).collect();
    let pool = r#"Address="127.0.0.1:9" Transport="tcp" Dialect="simple""#;
    let rate = r#"maxPresenceSubscriptionsPerSecond="1""#;
    let config = Config::of(&Config::text(rate, "", pool, &queue("ucc_app01", &agents)));
    let doubt = "1700 agents at the pool need 0.5 refreshes per second for ever";
    let checked = check(&config, &[]);
    assert_eq!((checked.code, checked.with(doubt).count()), (Some(0), 1), "{}", checked.all());
    let service = config.run(&[]);
    assert!(service.says(doubt).contains(" UccStarter WARN - "));
    assert_eq!(service.terminate().code, Some(0));
}

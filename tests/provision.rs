//! `presence-provider provision`: the exact commands, where their values come from, and that no value escapes from its quotes.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use process::{Config, program};
use rcgen::{CertificateParams, DnType, KeyPair};

/// The sample of the product's documentation.
const SEED: &str = include_str!("../config/tests/corpus/seed.xml");

struct Told {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

fn provision(config: &Config, arguments: &[&str]) -> Told {
    let output = program().arg("provision").arg("--config").arg(config.path()).args(arguments).output().unwrap();
    let path = config.path().display().to_string();
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(&path, "Config.xml");
    Told { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
}

/// The lines that are run, in their order.
fn commands(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

const NAMES: [&str; 6] =
    ["--trusted-pool", "Trustpool.example.com", "--computer", "ucc01.example.com", "--site", "Amsterdam"];

#[test]
fn the_sample_of_the_documentation_gives_the_documented_commands() {
    let config = Config::of(SEED);
    let told = provision(&config, &NAMES);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert_eq!(
        commands(&told.stdout)[..4],
        [
            "New-CsTrustedApplicationPool -Identity 'trustpool.example.com' -Registrar '<FRONT-END-POOL-FQDN>' -Site 'Amsterdam' -ComputerFqdn 'ucc01.example.com' -RequiresReplication $false",
            "New-CsTrustedApplication -ApplicationId 'ucc_presenceprovider01' -TrustedApplicationPoolFqdn 'trustpool.example.com' -Port 6120",
            "Enable-CsTopology",
            "New-CsTrustedApplicationEndpoint -ApplicationId 'ucc_presenceprovider01' -TrustedApplicationPoolFqdn 'trustpool.example.com' -SipAddress 'sip:ucc_presenceprovider01@sipdomain.com'",
        ]
    );
    insta::assert_snapshot!("provision_seed", told.stdout);
}

#[test]
fn what_cannot_be_known_is_a_placeholder_that_is_listed_at_the_end() {
    let config = Config::of(SEED);
    let told = provision(&config, &[]);
    let (_, end) = told.stdout.split_once("# Before the commands are run, replace\n").unwrap();
    for placeholder in ["<TRUSTED-POOL-FQDN>", "<FRONT-END-POOL-FQDN>", "<SITE>"] {
        assert!(end.contains(placeholder), "{end}");
    }
    let named = Config::of(
        &SEED
            .replace("<UserEndpoint ", "<Pool Address=\"pool01.example.com\" Listen=\"0.0.0.0:6121\" /><UserEndpoint "),
    );
    let told = provision(&named, &NAMES);
    assert!(!told.stdout.contains("Before the commands are run") && !told.stdout.contains("'<"), "{}", told.stdout);
    assert!(told.stdout.contains("-Registrar 'pool01.example.com'") && told.stdout.contains("-Port 6121\n"));
}

#[test]
fn the_trusted_pool_is_the_subject_of_the_certificate() {
    let config = Config::of(
        &SEED.replace("<UserEndpoint ", "<Pool Certificate=\"c.pem\" PrivateKey=\"c.pem\" /><UserEndpoint "),
    );
    let mut params = CertificateParams::new(vec!["trust.example.com".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "trust.example.com");
    config.beside("c.pem", &params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem());
    let told = provision(&config, &[]);
    assert!(
        told.stdout.contains("trust.example.com") && told.stdout.contains("  the subject of Certificate\n"),
        "{}",
        told.stdout
    );
    assert!(told.stdout.contains("-TrustedApplicationPoolFqdn 'trust.example.com'"), "{}", told.stdout);
}

#[test]
fn no_value_of_the_file_escapes_from_its_quotes() {
    let text = SEED
        .replace("urn:application:ucc_presenceprovider01", "urn:application:a';Remove-Item(1)#\u{2019};x")
        .replace("sip:ucc_presenceprovider01@", "sip:o'brien@");
    let told = provision(&Config::of(&text), &[&NAMES[..4], &["--site", "King's; & Cross"]].concat());
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let lines = commands(&told.stdout);
    assert!(
        lines[1]
            .starts_with("New-CsTrustedApplication -ApplicationId 'a'';Remove-Item(1)#\u{2019}\u{2019};x' -Trusted"),
        "{}",
        lines[1]
    );
    assert!(lines[3].ends_with("-SipAddress 'sip:o''brien@sipdomain.com'"), "{}", lines[3]);
    assert!(lines[0].contains("-Site 'King''s; & Cross' -ComputerFqdn"), "{}", lines[0]);
}

#[test]
fn the_commands_are_there_for_machines_as_well() {
    let told = provision(&Config::of(SEED), &[&NAMES[..], &["--json"]].concat());
    let found: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(found["fill_in"], serde_json::json!(["<FRONT-END-POOL-FQDN>"]));
    assert_eq!(
        found["steps"][2]["commands"][0],
        serde_json::json!({"place": "management-shell", "command": "Enable-CsTopology"})
    );
}

#[test]
fn a_name_that_is_none_and_a_file_without_such_a_pool_are_refused() {
    let told = provision(&Config::of(SEED), &["--trusted-pool", "a'; b"]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(64), ""), "{}", told.stderr);
    let simple = SEED.replace("<UserEndpoint ", "<Pool Dialect=\"simple\" /><UserEndpoint ");
    let told = provision(&Config::of(&simple), &[]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(78), ""));
    assert!(told.stderr.contains("Dialect=\"simple\"") && told.stderr.contains("help: "), "{}", told.stderr);
    let off = SEED.replace("<UcmaPresenceSource enabled=\"true\"", "<UcmaPresenceSource enabled=\"false\"");
    assert_eq!(provision(&Config::of(&off), &[]).code, Some(78));
}

#[test]
fn a_port_of_zero_and_an_empty_application_id_are_placeholders_and_not_commands() {
    let pool = "<Pool Address=\"pool01.example.com\" Listen=\"0.0.0.0:0\" /></UcmaPresenceSource>";
    let text = SEED
        .replace("</UcmaPresenceSource>", pool)
        .replace("urn:application:ucc_presenceprovider01", "urn:application:");
    let told = provision(&Config::of(&text), &NAMES);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let application = commands(&told.stdout)[1];
    assert!(application.contains("-ApplicationId '<APPLICATION-ID>'"), "{application}");
    assert!(application.ends_with("-Port <PORT>"), "{application}");
    let (_, end) = told.stdout.split_once("# Before the commands are run, replace\n").unwrap();
    assert!(end.contains("<PORT>") && end.contains("<APPLICATION-ID>"), "{end}");
}

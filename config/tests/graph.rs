//! `MsGraphPresenceSource` in files that are accepted.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use presence_config::{GraphCloud, GraphSettings, Loaded, Severity, load, parse};
use presence_core::{SourceKind, Verdict};

fn accepted(text: &str) -> Loaded {
    parse(text, "Config.xml").unwrap_or_else(|found| {
        panic!("{}", found.iter().map(|one| one.render(false)).collect::<Vec<_>>().join("\n\n"))
    })
}

/// A provider with these sources inside.
fn provider(inside: &str) -> String {
    format!("<config version=\"1.5\"><PresenceProvider>{inside}</PresenceProvider></config>")
}

const UCMA: &str = r#"<UcmaPresenceSource enabled="true" ApplicationId="urn:application:a"><ApplicationEndpoint OwnerUri="sip:a@b.c"/></UcmaPresenceSource>"#;

#[test]
fn every_attribute_is_read() {
    let text = include_str!("corpus/good/graph.xml");
    let loaded = accepted(text);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let graph = loaded.settings.graph.unwrap();
    assert_eq!((graph.cloud, graph.sweep), (GraphCloud::Global, Duration::from_secs(10)));
    assert_eq!((graph.requests_per_second.get(), graph.agents_per_second.get()), (20, 100));
    assert_eq!(graph.login_url.as_deref(), Some("http://127.0.0.1:8080"));
    assert_eq!(graph.graph_url.as_deref(), Some("https://graph.example.com:8443"));
    assert_eq!(graph.proxy.as_deref(), Some("http://proxy.example.com:3128"));
    assert_eq!(graph.credentials.as_deref(), Some(Path::new("secrets")));
    assert_eq!(graph.accounts[0].tenant_id, graph.accounts[1].tenant_id);
    assert_eq!(graph.accounts[0].domains, ["north.example.com"]);
    assert_eq!(graph.accounts[2].domains, ["south.example.com", "example.org"]);
    assert_eq!(graph.users[&"sip:chief@example.com".parse().unwrap()], "2d5a6e1f-4d3b-4f4e-9c1a-0b8a3f6f1c11");
    assert_eq!(graph.patterns.unwrap().patterns(), ["^sip:teams[0-9]+@"]);
    let notifications = graph.notifications.unwrap();
    assert_eq!(notifications.url, "https://presence.example.com/graph/notifications");
    assert_eq!(notifications.sweep, Duration::from_secs(120));
}

#[test]
fn what_the_seed_knows_is_enough_and_everything_else_has_its_default() {
    let text = provider(
        r#"<MsGraphPresenceSource enabled="true"><Accounts><Account Id="a" TenantId="example.com"/></Accounts></MsGraphPresenceSource>"#,
    );
    let loaded = accepted(&text);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let graph = loaded.settings.graph.as_ref().unwrap();
    assert_eq!((graph.sweep, graph.cloud), (GraphSettings::DEFAULT_SWEEP, GraphCloud::Global));
    assert_eq!((graph.requests_per_second.get(), graph.agents_per_second.get()), (30, 650));
    assert!(graph.notifications.is_none() && graph.patterns.is_none() && graph.users.is_empty());
    let report = loaded.settings.report();
    let row = |name: &str| report.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(
        (row("MsGraphPresenceSource/@SweepInterval").value.as_str(), true),
        ("5 s", row("MsGraphPresenceSource/@SweepInterval").default)
    );
    assert!(row("MsGraphPresenceSource/@Credentials").default);
}

#[test]
fn a_hint_says_when_only_the_tenants_know_whose_an_agent_is() {
    let graph = |account: &str, more: &str| {
        format!(
            r#"<MsGraphPresenceSource enabled="true"><Accounts><Account Id="a" TenantId="example.com" {account}/></Accounts>{more}</MsGraphPresenceSource>"#
        )
    };
    let hints =
        |text: &str| accepted(&provider(text)).warnings.iter().filter(|one| one.severity == Severity::Hint).count();
    assert_eq!(hints(&format!("{UCMA}{}", graph("", ""))), 1);
    assert_eq!(hints(&graph("", "")), 0, "without a pool there is no doubt");
    assert_eq!(hints(&format!("{UCMA}{}", graph("Domains=\"example.com\"", ""))), 0);
    assert_eq!(hints(&format!("{UCMA}{}", graph("", "<Match pattern=\"@example\\.com$\"/>"))), 0);
    let rules = accepted(&provider(&format!("{UCMA}{}", graph("", "")))).settings.source_rules();
    let selection = rules.select(&"sip:user1@example.com".parse().unwrap());
    assert_eq!((selection.source, selection.otherwise), (Some(SourceKind::MsGraph), Some(SourceKind::Ucma)));
    let rules = accepted(&provider(&format!("{UCMA}{}", graph("Domains=\"example.com\"", "")))).settings.source_rules();
    let selection = rules.select(&"sip:user1@elsewhere.com".parse().unwrap());
    assert_eq!((selection.source, selection.otherwise), (Some(SourceKind::Ucma), None));
    assert!(matches!(selection.considered[2].verdict, Verdict::NoMatch { .. }));
}

#[test]
fn notifications_that_are_switched_off_may_be_wrong() {
    let text = provider(
        r#"<MsGraphPresenceSource enabled="true" Cloud="UsGovDod"><Accounts><Account Id="a" TenantId="example.com"/></Accounts>
<Notifications enabled="false" Url="http://example.com"/></MsGraphPresenceSource><Http enabled="false"/>"#,
    );
    let loaded = accepted(&text);
    assert!(loaded.settings.graph.unwrap().notifications.is_none());
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
}

#[test]
fn a_disabled_source_is_checked_and_not_used() {
    let text =
        provider(r#"<MsGraphPresenceSource enabled="false" Cloud="China"/><PstnPresenceSource enabled="true"/>"#);
    let loaded = accepted(&text);
    assert!(loaded.settings.graph.is_none());
    assert_eq!(loaded.warnings.len(), 2, "the cloud, and no account: {:?}", loaded.warnings);
}

#[test]
fn directories_are_beside_the_configuration_unless_the_file_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("Config.xml");
    fs::write(&config, include_str!("corpus/good/graph.xml")).unwrap();
    let graph = load(&config).unwrap().settings.graph.unwrap();
    assert_eq!(graph.credentials.as_deref(), Some(folder.path().join("secrets").as_path()));
    assert_eq!(graph.state_directory.as_deref(), Some(Path::new("/var/lib/presence")));
    assert_eq!(graph.trusted_certificates.as_deref(), Some(folder.path().join("authorities.pem").as_path()));
    let missing = load(&config).unwrap().settings.missing_files();
    assert!(matches!(missing.as_slice(), [one] if one.contains("authorities.pem")), "{missing:?}");
    let plain = include_str!("corpus/good/graph.xml")
        .replace("Credentials=", "xmlns:a=")
        .replace("StateDirectory=", "xmlns:b=");
    fs::write(&config, plain).unwrap();
    let graph = load(&config).unwrap().settings.graph.unwrap();
    assert_eq!(graph.credentials.as_deref(), Some(folder.path()));
    assert_eq!(graph.state_directory.as_deref(), Some(folder.path().join("state").as_path()));
}

#[test]
fn elements_of_the_core_that_are_called_like_ours_are_left_alone() {
    let text = r#"<config version="1.5"><PresenceProvider><PstnPresenceSource enabled="true"/></PresenceProvider>
<UnifiedContactCenters><Notifications/><Users/><UnifiedContactCenter Name="a"><User Uri="x"/><Agent Uri="sip:a@b.c"/></UnifiedContactCenter></UnifiedContactCenters></config>"#;
    assert!(accepted(text).warnings.is_empty());
}

//! `presence-provider doctor` against a simulated Skype for Business front end, over TLS in both directions.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::net::SocketAddr;

use presence_simulator::{FrontEndHandle, FrontEndServer, FrontEndServerSettings, FrontEndSettings, FrontEndTls, Pem};
use presence_sip::TransportKind;
use process::{Config, DOMAIN, Ended, Service, eventually, program, queue};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

const TRUST: &str = "trust.demo.example";

fn doctor(config: &Config) -> Ended {
    let mut command = program();
    command.arg("doctor").arg("--config").arg(config.path());
    Service::start(command).end()
}

/// A front end and a configuration that it takes, both with certificates of one authority.
fn front_end() -> (FrontEndHandle, Config) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Demo authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str| {
        let names = vec![name.to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &authority).unwrap().pem(), key.serialize_pem())
    };
    let (certificate, key) = issue(&format!("pool.{DOMAIN}"));
    let mut settings =
        FrontEndSettings::one_pool(&format!("pool.{DOMAIN}"), SocketAddr::from(([127, 0, 0, 1], 0)), 3, DOMAIN);
    settings.wire = TransportKind::Tls;
    let mut settings = FrontEndServerSettings::on_loopback(settings);
    settings.tls = Some(FrontEndTls {
        certificate: Pem::Text(certificate.into_bytes()),
        key: Pem::Text(key.into_bytes()),
        trusted: Pem::Text(authority.pem().into_bytes()),
        client_auth: true,
        application_name: Some(TRUST.to_owned()),
    });
    let server = FrontEndServer::start_on_own_thread(settings).unwrap();
    let pool = format!(
        "Address=\"{}\" Listen=\"127.0.0.1:0\" Certificate=\"c.pem\" PrivateKey=\"k.pem\" TrustedCertificates=\"ca.pem\"",
        server.address(0)
    );
    let user = format!("<UserEndpoint UserUri=\"sip:ucc_user@{DOMAIN}\" />");
    let config = Config::of(&Config::text("", &user, &pool, &queue("ucc_app01", &[2])));
    let (certificate, key) = issue(TRUST);
    config.beside("c.pem", &certificate);
    config.beside("k.pem", &key);
    config.beside("ca.pem", &authority.pem());
    (server, config)
}

#[test]
fn both_endpoints_register_one_agent_is_subscribed_to_and_nothing_is_left() {
    let (server, config) = front_end();
    let ended = doctor(&config);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    for found in [
        "the application endpoint sip:ucc_app01@demo.example is registered (REGISTER)",
        "the user endpoint sip:ucc_user@demo.example is registered (REGISTER)",
        "sip:agent2@demo.example is subscribed to, by the application endpoint",
        "accepts TLS with our certificate",
        "issued by Demo authority, valid until",
        "ok        end",
    ] {
        assert!(ended.all().contains(found), "{found} is not in\n{}", ended.all());
    }
    assert!(eventually(|| server.live_subscriptions() == 0), "nothing is left");
    assert_eq!(server.counters().violations, Vec::<String>::new());
}

#[test]
fn a_registration_that_the_pool_refuses_is_told_with_what_to_do() {
    let (server, config) = front_end();
    server.command("refuse REGISTER 403").unwrap();
    let ended = doctor(&config);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    let line = ended.with("the application endpoint").next().unwrap_or_else(|| panic!("{}", ended.all()));
    assert!(line.starts_with("fail      endpoint") && line.contains("403"), "{}", ended.all());
    assert!(ended.all().contains("-> check that the trusted application"), "{}", ended.all());
    assert!(ended.all().contains("skipped   subscription  no endpoint can be used"), "{}", ended.all());
}

#[test]
fn a_pool_that_refuses_everybody_is_told_at_once_with_what_to_do() {
    let (server, config) = front_end();
    for (refusal, words) in [
        ("user-services off", "-> the pool's presence service does not serve anybody now"),
        ("refuse SUBSCRIBE 403", "-> check that the trusted application"),
    ] {
        server.command("heal").unwrap();
        server.command(refusal).unwrap();
        let before = server.counters().refusals;
        let ended = doctor(&config);
        let refused = server.counters().refusals - before;
        assert!((1..=2).contains(&refused), "{refused}: it does not wait for more answers of the kind");
        assert!(ended.with("fail      subscription").next().is_some(), "{}", ended.all());
        assert!(ended.all().contains(words), "{}", ended.all());
    }
    let text = std::fs::read_to_string(config.path()).unwrap();
    config.write(&text.replace("<Pool ", "<Pool UseRegistration=\"false\" "));
    server.command("heal").unwrap();
    let ended = doctor(&config);
    assert!(ended.all().contains("-> remove UseRegistration from <Pool>"), "{}", ended.all());
}

#[test]
fn an_endpoint_that_is_sent_nowhere_is_told_to_name_its_home() {
    let (server, config) = front_end();
    server.command("refuse REGISTER 301").unwrap();
    let ended = doctor(&config);
    assert!(ended.all().contains("the pool sends us elsewhere and does not say where"), "{}", ended.all());
    assert!(ended.all().contains("-> write the pool at which the endpoint is at home"), "{}", ended.all());
}

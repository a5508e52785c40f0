//! `presence-provider doctor` against a real server, and against everything that can be wrong.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use presence_simulator::{Faults, Reaction, Refusal, Scope};
use process::{Config, DOMAIN, Ended, Service, eventually, pool, program, queue, server};
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

fn doctor(config: &Config, arguments: &[&str]) -> Ended {
    let mut command = program();
    command.arg("doctor").arg("--config").arg(config.path()).args(arguments);
    Service::start(command).end()
}

/// The line of a step with this result, and what is moved in below it.
#[track_caller]
fn told<'a>(ended: &'a Ended, result: &str, step: &str) -> Vec<&'a str> {
    let start = format!("{result:<8}  {step:<13} ");
    let at = ended.lines.iter().position(|line| line.starts_with(&start));
    let at = at.unwrap_or_else(|| panic!("no line begins with {start:?}:\n{}", ended.all()));
    let below = ended.lines[at + 1..].iter().take_while(|line| line.starts_with("    "));
    std::iter::once(&ended.lines[at]).chain(below).map(String::as_str).collect()
}

/// The step failed with these words, something is advised, and the exit code says so.
#[track_caller]
fn failed(ended: &Ended, step: &str, parts: &[&str]) {
    let lines = told(ended, "fail", step);
    let text = lines.join("\n");
    assert!(parts.iter().all(|part| text.contains(part)), "{parts:?} are not all in\n{text}");
    assert!(lines.iter().any(|line| line.trim_start().starts_with("-> ")), "nothing is advised:\n{text}");
    assert_eq!(ended.code, Some(1), "{}", ended.all());
}

#[test]
fn a_healthy_pool_is_well_in_every_step_and_nothing_is_left_at_it() {
    let server = server(3);
    let config = Config::new(&pool(server.address(), "tcp"), &queue("ucc_app01", &[2]));
    let ended = doctor(&config, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    for step in ["file", "names", "pool", "endpoint", "subscription", "end"] {
        told(&ended, "ok", step);
    }
    let subscription = told(&ended, "ok", "subscription").join("\n");
    assert!(subscription.contains("sip:agent2@demo.example") && subscription.contains("presence: "), "{subscription}");
    assert!(ended.all().contains("\nnothing failed; 6 ok, 0 to look at, 2 skipped"), "{}", ended.all());
    assert!(!ended.all().contains('\u{1b}'), "colours only on a terminal");
    assert!(eventually(|| server.active_subscriptions() == 0), "the subscription is taken back");
    assert_eq!(server.counters().subscribes, 1, "one subscription was tried");

    let ended = doctor(&config, &["--json", "--agent", &format!("sip:agent3@{DOMAIN}")]);
    let report: serde_json::Value = serde_json::from_str(&ended.all()).unwrap();
    assert_eq!((ended.code, &report["healthy"]), (Some(0), &true.into()));
    let steps = report["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["found"].as_str().unwrap().contains("sip:agent3@")), "{report:#}");
}

#[test]
fn an_agent_that_the_server_does_not_know() {
    let server = server(1);
    let config = Config::new(&pool(server.address(), "tcp"), "");
    let ended = doctor(&config, &[]);
    assert!(told(&ended, "skipped", "subscription")[0].contains("names no agent"), "{}", ended.all());
    let ended = doctor(&config, &["--agent", &format!("sip:nobody@{DOMAIN}")]);
    failed(&ended, "subscription", &["404", "sip:nobody@demo.example", "--agent"]);
    told(&ended, "ok", "endpoint");
    let ended = doctor(&config, &["--agent", "tel:+31612345678"]);
    assert!(told(&ended, "skipped", "subscription")[0].contains("explain tel:+31612345678"), "{}", ended.all());
}

#[test]
fn a_server_that_does_not_take_us() {
    let server = server(1);
    let refuse = Reaction::Refuse(Refusal::with(403));
    server.faults(&Scope::Everyone, Faults { options: refuse, subscribe: refuse, ..Faults::default() });
    let config = Config::new(&pool(server.address(), "tcp"), &queue("a", &[1]));
    let ended = doctor(&config, &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert!(ended.all().contains("403"), "{}", ended.all());
}

#[test]
fn a_port_at_which_nothing_listens() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = doctor(&Config::new(&pool(address, "tcp"), &queue("a", &[1])), &[]);
    failed(&ended, "pool", &["refuses connections", "Address of <Pool>"]);
    told(&ended, "skipped", "endpoint");
    told(&ended, "skipped", "subscription");
}

#[test]
fn a_name_that_does_not_exist() {
    let pool = r#"Address="pool.nowhere.invalid:5060" Transport="tcp" Dialect="simple""#;
    let ended = doctor(&Config::new(pool, &queue("a", &[1])), &[]);
    failed(&ended, "names", &["the pool pool.nowhere.invalid:5060 is not found", "A   pool.nowhere.invalid"]);
    told(&ended, "skipped", "pool");
    assert!(told(&ended, "skipped", "endpoint")[0].contains("no server of the pool is known"), "{}", ended.all());
}

#[test]
fn while_something_listens_on_our_port_nobody_is_signed_in_unless_forced() {
    let server = server(1);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let config = Config::new(&format!("{} Listen=\"{listen}\"", pool(server.address(), "tcp")), &queue("a", &[1]));
    let ended = doctor(&config, &[]);
    assert!(told(&ended, "warn", "listener")[0].contains("a running presence-provider, or"), "{}", ended.all());
    assert!(told(&ended, "skipped", "endpoint")[0].contains("--force"), "{}", ended.all());
    assert_eq!((ended.code, server.counters().subscribes), (Some(0), 0), "{}", ended.all());
    let ended = doctor(&config, &["--force"]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    told(&ended, "ok", "subscription");
}

#[test]
fn our_own_port_is_tried_from_this_computer() {
    let server = server(1);
    let config = Config::new(&format!("{} Listen=\"127.0.0.1:0\"", pool(server.address(), "tcp")), &queue("a", &[1]));
    let ended = doctor(&config, &[]);
    assert!(told(&ended, "ok", "listener")[0].contains("is reached from this computer"), "{}", ended.all());
    assert_eq!(ended.code, Some(0));
    let config =
        Config::new(&format!("{} Listen=\"203.0.113.77:6120\"", pool(server.address(), "tcp")), &queue("a", &[1]));
    failed(&doctor(&config, &[]), "listener", &["203.0.113.77:6120 cannot be listened on", "Listen of <Pool>"]);
}

/// A pair of files: certificate and key.
struct Pair {
    certificate: String,
    key: KeyPair,
}

fn pair(common_name: &str, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Pair {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    Pair { certificate: params.self_signed(&key).unwrap().pem(), key }
}

const TRUST: &str = "trust.example.com";

/// Dialect `skype` over TLS, with this certificate and this key; at the pool's address nothing listens.
fn with_files(certificate: &str, key: &str) -> Config {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    tls(dead, "skype", certificate, key, certificate)
}

fn tls(pool: SocketAddr, dialect: &str, certificate: &str, key: &str, trusted: &str) -> Config {
    let config = Config::new(
        &format!(
            r#"Address="{pool}" Transport="tls" Dialect="{dialect}" Listen="127.0.0.1:0"
            Certificate="c.pem" PrivateKey="k.pem" TrustedCertificates="ca.pem""#
        ),
        &queue("a", &[1]),
    );
    config.beside("c.pem", certificate);
    config.beside("k.pem", key);
    config.beside("ca.pem", trusted);
    config
}

#[test]
fn a_certificate_that_has_expired() {
    let own = pair(TRUST, &[TRUST], |params| {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    let ended = doctor(&with_files(&own.certificate, &own.key.serialize_pem()), &[]);
    failed(&ended, "certificate", &["expired on 2020-01-01", "renew it"]);
    told(&ended, "ok", "private key");
    failed(&ended, "authorities", &["0 of 1"]);
}

#[test]
fn a_certificate_whose_name_is_not_where_servers_look() {
    let own = pair(TRUST, &["other.example.com"], |_| {});
    let ended = doctor(&with_files(&own.certificate, &own.key.serialize_pem()), &[]);
    failed(&ended, "certificate", &["subject alternative names lack trust.example.com", "presence-provider provision"]);
    let own =
        pair(TRUST, &[TRUST], |params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth]);
    let ended = doctor(&with_files(&own.certificate, &own.key.serialize_pem()), &[]);
    failed(&ended, "certificate", &["lacks client authentication"]);
    let own = pair(TRUST, &[TRUST], |_| {});
    let ended = doctor(&with_files(&own.certificate, &own.key.serialize_pem()), &[]);
    told(&ended, "ok", "certificate");
}

#[test]
fn a_key_of_another_certificate_and_files_that_are_not_there() {
    let (own, other) = (pair(TRUST, &[TRUST], |_| {}), pair(TRUST, &[TRUST], |_| {}));
    let ended = doctor(&with_files(&own.certificate, &other.key.serialize_pem()), &[]);
    failed(&ended, "private key", &["k.pem does not belong to the certificate", "c.pem"]);
    let config = with_files(&own.certificate, &own.key.serialize_pem());
    std::fs::remove_file(config.path().with_file_name("ca.pem")).unwrap();
    std::fs::remove_file(config.path().with_file_name("c.pem")).unwrap();
    let ended = doctor(&config, &[]);
    failed(&ended, "certificate", &["c.pem cannot be read"]);
    failed(&ended, "authorities", &["ca.pem cannot be read"]);
}

/// Takes TLS connections with this certificate, and closes them when it is spoken to.
fn tls_server(pair: &Pair) -> SocketAddr {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(pair.key.serialize_pem().as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, config) = (stream.unwrap(), Arc::clone(&config));
            std::thread::spawn(move || {
                let mut connection = rustls::ServerConnection::new(config).unwrap();
                // Until the peer has had enough, or says something.
                while connection.complete_io(&mut stream).is_ok_and(|(read, _)| read > 0) {
                    if connection.reader().read(&mut [0; 1]).is_ok() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn a_server_whose_certificate_is_not_trusted_is_described_and_refused() {
    let (own, peer) =
        (pair(TRUST, &[TRUST], |_| {}), pair("fe01.example.com", &["fe01.example.com", "127.0.0.1"], |_| {}));
    let address = tls_server(&peer);
    let config = tls(address, "simple", &own.certificate, &own.key.serialize_pem(), &own.certificate);
    let ended = doctor(&config, &[]);
    failed(
        &ended,
        "pool",
        &[
            "not issued by an authority in TrustedCertificates",
            "it shows a certificate of fe01.example.com",
            "add the certificate",
        ],
    );
    told(&ended, "skipped", "endpoint");
    // The right authority, and a name that is not the one that was dialled.
    let peer = pair("fe01.example.com", &["fe01.example.com"], |_| {});
    let config = tls(tls_server(&peer), "simple", &own.certificate, &own.key.serialize_pem(), &peer.certificate);
    failed(&doctor(&config, &[]), "pool", &["is not valid for 127.0.0.1", "PeerNames"]);
}

#[test]
fn a_file_that_cannot_be_used_ends_with_78() {
    let config = Config::of("<config><PresenceProvider maxPresenceSubscriptionsPerSecond=\"fast\"/></config>");
    let ended = doctor(&config, &[]);
    assert_eq!(ended.code, Some(78), "{}", ended.all());
    assert!(!told(&ended, "fail", "file").is_empty());
    let ended = doctor(&config, &["--json"]);
    let report: serde_json::Value = serde_json::from_str(&ended.all()).unwrap();
    assert_eq!((ended.code, &report["steps"][0]["result"]), (Some(78), &"fail".into()));
}

#[test]
fn a_server_that_does_not_want_our_certificate_is_something_to_look_at() {
    let own = pair(TRUST, &[TRUST], |_| {});
    let peer = pair("fe01.example.com", &["fe01.example.com", "127.0.0.1"], |_| {});
    let config = tls(tls_server(&peer), "simple", &own.certificate, &own.key.serialize_pem(), &peer.certificate);
    let ended = doctor(&config, &[]);
    let pool = told(&ended, "warn", "pool").join("\n");
    assert!(pool.contains("accepts TLS") && pool.contains("did not ask for our certificate"), "{pool}");
    failed(&ended, "endpoint", &["is not answered", "Idle -> Establishing", "log"]);
}

#[test]
fn a_pool_of_the_user_endpoint_that_does_not_exist_is_told_apart() {
    let server = server(1);
    let user = format!("<UserEndpoint UserUri=\"sip:user@{DOMAIN}\" PoolFqdn=\"pool.nowhere.invalid:5061\" />");
    let text = Config::text("", &user, &pool(server.address(), "tcp"), &queue("a", &[1]));
    let ended = doctor(&Config::of(&text), &[]);
    failed(&ended, "names", &["the pool pool.nowhere.invalid:5061 is not found", "PoolFqdn of <UserEndpoint>"]);
    failed(&ended, "endpoint", &["the user endpoint sip:user@demo.example is not answered"]);
    // The other endpoint is well, and so is what it subscribes to.
    told(&ended, "ok", "endpoint");
    told(&ended, "ok", "subscription");
}

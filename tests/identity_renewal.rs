//! Certificates that are renewed while the real program runs: at SIGHUP the next handshake shows the new one, connections
//! that stand stay, and what cannot be used changes nothing.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use presence_simulator::{Activity, AgentState};
use process::http::{House, Plan};
use process::skype::{Authority, Pair, config};
use process::{Service, eventually};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};

/// Looks at a certificate and accepts it: what is shown is the question here.
#[derive(Debug)]
struct Curious(Arc<CryptoProvider>);

impl ServerCertVerifier for Curious {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// A connection over TLS, with a certificate to show or none, and what the other side has shown.
fn connect(address: SocketAddr, own: Option<&Pair>) -> std::io::Result<(Stream, CertificateDer<'static>)> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Curious(provider)));
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![der(&pair.certificate)], key).unwrap()
        }
    };
    let client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut stream = StreamOwned::new(client, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    let shown = stream.conn.peer_certificates().unwrap()[0].clone().into_owned();
    Ok((stream, shown))
}

/// One request on a connection that stays open.
fn ask(stream: &mut Stream) -> String {
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = [0; 4096];
    let read = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// A ping of SIP is answered while the connection stands.
fn is_served(stream: &mut Stream) -> bool {
    let mut answer = [0; 2];
    stream.write_all(b"\r\n\r\n").is_ok() && stream.read_exact(&mut answer).is_ok() && answer == *b"\r\n"
}

fn serial(pem: &str) -> String {
    let der = der(pem);
    let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
    parsed.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lines_with(service: &Service, text: &str) -> usize {
    service.lines().iter().filter(|line| line.contains(text)).count()
}

/// SIGHUP, and the answer in the log: one more line with this text.
fn hang_up(service: &Service, answer: &str) -> String {
    let before = lines_with(service, answer);
    service.signal("HUP");
    service.until(answer, || lines_with(service, answer) == before + 1);
    service.lines().into_iter().rfind(|line| line.contains(answer)).unwrap()
}

fn write(path: &Path, pair: &Pair) {
    fs::write(path.with_file_name("c.pem"), &pair.certificate).unwrap();
    fs::write(path.with_file_name("k.pem"), &pair.key).unwrap();
}

fn metric(text: &str, row: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("no {row}:\n{text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn the_certificate_of_the_api_is_renewed_at_sighup_and_open_connections_stay() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let short = |params: &mut rcgen::CertificateParams| params.not_after = rcgen::date_time_ymd(2031, 5, 6);
    let (old, new) = (authority.issue(&["localhost"], short), authority.issue(&["localhost"], |_| {}));
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    write(&certificate, &old);
    let http = format!(r#"Certificate="{}" PrivateKey="{}""#, certificate.display(), key.display());
    let house = House::with(Plan { http: &http, arguments: &["--log-level", "debug"], ..Plan::default() });
    let address: SocketAddr = house.address().parse().unwrap();
    let said = house.service.says("the certificate of the API is in use: ");
    assert!(said.contains(" INFO - ") && said.contains(&serial(&old.certificate)), "{said}");
    assert!(said.contains("valid until 2031-05-06"), "{said}");

    let (mut standing, shown) = connect(address, None).unwrap();
    assert!(shown == der(&old.certificate) && ask(&mut standing).starts_with("HTTP/1.1 200 "));
    // Nothing has changed: that is said to whoever asks.
    hang_up(&house.service, "the certificate of the API is the same as before and stays in use");

    // Half of a pair, then a whole one.
    fs::write(&certificate, &new.certificate).unwrap();
    let said = hang_up(&house.service, "k.pem: it does not belong to the certificate");
    assert!(said.contains(" WARN - ") && said.contains("the certificate of the API stays in use"), "{said}");
    assert!(connect(address, None).unwrap().1 == der(&old.certificate));
    fs::write(&key, &new.key).unwrap();
    let said = hang_up(&house.service, "the certificate of the API is renewed");
    assert!(said.contains(" INFO - ") && said.contains(&serial(&new.certificate)), "{said}");
    let (mut fresh, shown) = connect(address, None).unwrap();
    assert!(shown == der(&new.certificate), "a new handshake shows the new one");
    assert!(ask(&mut standing).starts_with("HTTP/1.1 200 "), "the connection from before stands");

    // A certificate that has expired replaces none, and garbage does not.
    let expired = authority.issue(&["localhost"], |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    write(&certificate, &expired);
    hang_up(&house.service, "cannot be used: the certificate of CN=localhost there: expired on 2020-01-01");
    fs::write(&certificate, "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
    hang_up(&house.service, "stays in use: ");
    assert!(connect(address, None).unwrap().1 == der(&new.certificate));
    fresh.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    fresh.read_to_string(&mut text).unwrap();
    assert_eq!(metric(&text, "presence_certificate_renewals_total{use=\"http\"}"), 1.0);
    assert_eq!(metric(&text, "presence_certificate_refused_total{use=\"http\"}"), 3.0);
    assert!(metric(&text, "presence_certificate_expiry_seconds{use=\"http\"}") > 1e9);
}

#[test]
fn the_certificates_for_the_pool_are_renewed_at_sighup_and_no_connection_and_no_agent_is_lost() {
    let (authority, next) = (Authority::named("First"), Authority::named("Second"));
    let server = authority.front_end(authority.pool(), 3, |settings| settings.switches.own_connections = true);
    let (old, new) = (authority.application(), authority.application());
    let config =
        config(&server.address(0).to_string(), "PeerNames=\"pool.demo.example\"", "", 3, &old, &authority.pem());
    let service = config.run(&["--log-level", "debug"]);
    service.until("all are subscribed", || server.live_subscriptions() == 3);
    let said = service.says("the certificate for the pool is in use: ");
    assert!(said.contains(&serial(&old.certificate)) && said.contains("1 authority trusted"), "{said}");
    let listening = service.says("the application endpoint listens on ");
    let address: SocketAddr =
        listening.split(" listens on ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let (pool, of_next) = (authority.pool(), next.pool());
    let (mut standing, shown) = connect(address, Some(&pool)).unwrap();
    assert!(shown == der(&old.certificate) && is_served(&mut standing));
    let stranger = connect(address, Some(&of_next)).map(|(mut stream, _)| is_served(&mut stream));
    assert!(!stranger.unwrap_or(false), "an authority that is not trusted yet");

    write(&config.path(), &new);
    fs::write(config.path().with_file_name("ca.pem"), authority.pem() + &next.pem()).unwrap();
    let said = hang_up(&service, "the certificate for the pool is renewed");
    assert!(said.contains(&serial(&new.certificate)) && said.contains("2 authorities trusted"), "{said}");
    let (mut fresh, shown) = connect(address, Some(&of_next)).unwrap();
    assert!(shown == der(&new.certificate) && is_served(&mut fresh), "the new authority is trusted");
    assert!(is_served(&mut standing), "the connection from before stands");

    // A key without its certificate keeps what there is.
    fs::write(config.path().with_file_name("k.pem"), "half").unwrap();
    let said = hang_up(&service, "k.pem: there is no unencrypted PRIVATE KEY section in PEM form in it");
    assert!(said.contains("the certificate for the pool stays in use"), "{said}");
    assert!(connect(address, Some(&pool)).unwrap().1 == der(&new.certificate));

    server.set_presence("sip:agent2@demo.example", AgentState::of(Activity::OnThePhone));
    service.says("Presence change: 'sip:agent2@demo.example' Busy");
    assert_eq!((server.counters().registers, lines_with(&service, "is lost")), (1, 0), "nothing was dropped");
    // The next connection to the pool is made with the new one: the pool lets us in.
    server.command("outage 0 1s forget").unwrap();
    assert!(eventually(|| server.counters().registers >= 2));
    service.until("all are back", || server.live_subscriptions() == 3);
    let ended = service.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
}

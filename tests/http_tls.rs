//! The listener of the real program with a certificate, and what it says when it cannot be opened.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use process::Config;
use process::http::{House, Plan};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use tempfile::TempDir;

/// A certificate for `localhost` and its key as files, and the certificate itself.
struct Identity {
    directory: TempDir,
    certificate: CertificateDer<'static>,
}

impl Identity {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("certificate.pem"), cert.pem()).unwrap();
        fs::write(directory.path().join("key.pem"), signing_key.serialize_pem()).unwrap();
        Self { directory, certificate: cert.der().clone() }
    }

    /// The attributes of `Http`.
    fn attributes(&self) -> String {
        let path = |name| self.directory.path().join(name).display().to_string();
        format!(r#"Certificate="{}" PrivateKey="{}""#, path("certificate.pem"), path("key.pem"))
    }

    /// What the program answers over TLS of this version, or why there is no answer.
    fn asked(&self, house: &House, version: &'static SupportedProtocolVersion) -> Result<String, std::io::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(client, connect(house));
        stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

fn connect(house: &House) -> TcpStream {
    let stream = TcpStream::connect(house.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

#[test]
fn with_a_certificate_everything_is_told_over_tls_and_nothing_without() {
    let identity = Identity::new();
    let house = House::with(Plan { http: &identity.attributes(), ..Plan::default() });
    assert!(house.url.starts_with("https://127.0.0.1:"), "{}", house.url);
    // Whoever says nothing, or no TLS, is sent away; the others are served meanwhile.
    let mut silent = connect(&house);
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let answer = identity.asked(&house, version).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert!(Identity::new().asked(&house, &rustls::version::TLS13).is_err(), "another certificate");
    let mut plain = connect(&house);
    plain.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    for stream in [&mut plain, &mut silent] {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1"), "{answer:?}");
        assert_eq!(stream.read(&mut [0]).ok(), Some(0), "the connection is still open");
    }
    assert!(identity.asked(&house, &rustls::version::TLS13).is_ok());
}

#[test]
fn a_taken_port_ends_a_start_that_names_it_with_who_may_hold_it() {
    let house = House::new();
    let text = fs::read_to_string(house.config.path()).unwrap().replace("127.0.0.1:0", house.address());
    let ended = Config::of(&text).run(&[]).end();
    assert_eq!(ended.code, Some(78), "{}", ended.all());
    let port = house.address().rsplit(':').next().unwrap();
    let told = format!("`ss -ltnp 'sport = :{port}'` says which");
    assert!(ended.all().contains(&told) && ended.all().contains("another presence-provider"), "{}", ended.all());
    assert_eq!(house.client().get("/health/live").status, 200, "the first one goes on");
}

#[test]
fn a_key_of_another_certificate_ends_the_start_with_both_files_named() {
    let (one, other) = (Identity::new(), Identity::new());
    fs::copy(other.directory.path().join("key.pem"), one.directory.path().join("key.pem")).unwrap();
    let house = House::new();
    let http = format!(r#"<Http Listen="127.0.0.1:0" {} "#, one.attributes());
    let text = fs::read_to_string(house.config.path()).unwrap().replace(r#"<Http Listen="127.0.0.1:0" "#, &http);
    let ended = Config::of(&text).run(&[]).end();
    assert_eq!(ended.code, Some(78), "{}", ended.all());
    assert!(ended.all().contains("key.pem: it does not belong to the certificate"), "{}", ended.all());
}

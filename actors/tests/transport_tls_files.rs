//! What an operator reads when the PEM files are not what they should be.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may fail")]

mod transport_support;

use std::path::{Path, PathBuf};

use presence_actors::transport::{TlsFiles, TlsIdentity};
use transport_support::certificates::{Authority, Kind};

/// A directory of its own, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("presence-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _leftover = std::fs::remove_dir_all(&self.0);
    }
}

fn refusal(files: &TlsFiles) -> String {
    TlsIdentity::load(files).unwrap_err().to_string()
}

#[test]
fn good_files_are_loaded() {
    let directory = Directory::new("good");
    let authority = Authority::new("ours");
    let pair = authority.issue(Kind::Both, &["app.example.test"]);
    let files = TlsFiles {
        certificate: Some(directory.file("certificate.pem", &pair.certificate)),
        private_key: Some(directory.file("key.pem", &pair.key)),
        trusted_certificates: Some(directory.file("trusted.pem", &(authority.pem() + &Authority::new("second").pem()))),
        peer_names: vec!["fe1.example.test".to_owned(), "192.0.2.7".to_owned()],
    };
    let shown = format!("{:?}", TlsIdentity::load(&files).unwrap());
    assert!(shown.contains("certificate: true, authorities: 2"), "{shown}");
}

#[test]
fn every_mistake_is_named_with_its_file() {
    let directory = Directory::new("bad");
    let authority = Authority::new("ours");
    let (pair, other) = (authority.issue(Kind::Both, &["a.test"]), authority.issue(Kind::Both, &["a.test"]));
    let good = TlsFiles {
        certificate: Some(directory.file("certificate.pem", &pair.certificate)),
        private_key: Some(directory.file("key.pem", &pair.key)),
        trusted_certificates: Some(directory.file("trusted.pem", &authority.pem())),
        peer_names: Vec::new(),
    };
    let shown = |path: &Option<PathBuf>| path.as_deref().unwrap_or(Path::new("")).display().to_string();

    let missing = TlsFiles { certificate: Some("/nowhere/certificate.pem".into()), ..good.clone() };
    assert!(refusal(&missing).starts_with("read the certificate /nowhere/certificate.pem: "), "{}", refusal(&missing));

    let empty = TlsFiles { trusted_certificates: Some(directory.file("empty.pem", "")), ..good.clone() };
    let words = "there is no readable CERTIFICATE section in PEM form in it";
    let expected = format!("use the trusted certificates {}: {words}", shown(&empty.trusted_certificates));
    assert_eq!(refusal(&empty), expected);

    let no_key = TlsFiles { private_key: Some(directory.file("text.pem", "secret")), ..good.clone() };
    let words = "there is no unencrypted PRIVATE KEY section in PEM form in it";
    assert_eq!(refusal(&no_key), format!("use the private key {}: {words}", shown(&no_key.private_key)));

    let foreign = TlsFiles { private_key: Some(directory.file("other.pem", &other.key)), ..good.clone() };
    let (key, certificate) = (shown(&foreign.private_key), shown(&good.certificate));
    assert_eq!(
        refusal(&foreign),
        format!("use the private key {key}: it does not belong to the certificate {certificate}")
    );

    assert_eq!(refusal(&TlsFiles { private_key: None, ..good.clone() }), "a Certificate needs its PrivateKey");
    assert_eq!(refusal(&TlsFiles { certificate: None, ..good.clone() }), "a PrivateKey needs its Certificate");
    let untrusting = refusal(&TlsFiles { trusted_certificates: None, ..good.clone() });
    assert!(untrusting.contains("in TrustedCertificates"), "{untrusting}");
    let nameless = TlsFiles { peer_names: vec!["not a name".to_owned()], ..good };
    assert_eq!(refusal(&nameless), "use the peer name `not a name`: it is neither a host name nor an IP address");
}

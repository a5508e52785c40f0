//! The files that Config.xml names.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use presence_config::{FileLookup, load};

const TLS: &str = r#"<config version="1.5"><PresenceProvider>
<UcmaPresenceSource enabled="true" ApplicationId="urn:application:a">
<ApplicationEndpoint OwnerUri="sip:a@domain.com" />
<Pool Address="pool.domain.com" Certificate="our.pem" PrivateKey="our.key" TrustedCertificates="tls/ca.pem" />
</UcmaPresenceSource></PresenceProvider></config>"#;

#[test]
fn names_are_found_beside_the_configuration_and_the_missing_ones_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("Config.xml");
    fs::write(&config, TLS).unwrap();
    fs::write(folder.path().join("our.pem"), "certificate").unwrap();
    fs::create_dir_all(folder.path().join("tls/ca.pem")).unwrap();
    let settings = load(&config).unwrap().settings;
    let pool = &settings.ucma.as_ref().unwrap().pool;
    assert_eq!(pool.certificate.as_deref(), Some(folder.path().join("our.pem").as_path()));
    let missing = settings.missing_files();
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(missing[0].starts_with("PrivateKey: ") && missing[0].contains("our.key"), "{missing:?}");
    assert!(missing[1].starts_with("TrustedCertificates: ") && missing[1].contains("not a file"), "{missing:?}");
    assert_eq!(settings.missing_for_start(), Vec::<String>::new());
}

#[test]
fn the_credential_directory_goes_before_the_folder_of_the_configuration() {
    let credentials = tempfile::tempdir().unwrap();
    fs::write(credentials.path().join("pool.password"), "x").unwrap();
    let lookup = FileLookup::new(PathBuf::from("etc"), Some(credentials.path().to_owned()));
    assert_eq!(lookup.resolve(Path::new("pool.password")), credentials.path().join("pool.password"));
    assert_eq!(lookup.resolve(Path::new("other")), Path::new("etc").join("other"));
    let absolute = credentials.path().join("absolute");
    assert_eq!(lookup.resolve(&absolute), absolute);
}

#[test]
fn a_pool_over_tls_needs_certificates_for_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("Config.xml");
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/seed.xml");
    fs::copy(seed, &config).unwrap();
    let settings = load(&config).unwrap().settings;
    let missing = settings.missing_for_start().join("\n");
    for part in ["no certificate:", "no trusted certificates"] {
        assert!(missing.contains(part), "{part} is not in {missing}");
    }
    assert!(!missing.contains("skype"), "the dialect skype is served: {missing}");
    assert!(settings.missing_files().is_empty());
}

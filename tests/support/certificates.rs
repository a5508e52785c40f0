//! A PKI for mutual TLS on loopback, made anew for each server: nothing secret is ever committed.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// The name in the pool's certificate (a DNS SAN, beside `localhost` and 127.0.0.1).
pub const POOL_NAME: &str = "pool.example.test";
/// The name in the application's certificate.
pub const APPLICATION_NAME: &str = "app.example.test";

/// One certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key (PKCS 8).
    pub key: PathBuf,
}

/// Everything that the two sides of a mutual TLS connection need, and what they must refuse.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority that both sides trust.
    pub authority: PathBuf,
    /// The pool: what Kamailio shows, as a server and as a client.
    pub pool: Identity,
    /// The application: what the provider shows.
    pub application: Identity,
    /// From the right authority, for a host that is neither pool nor application.
    pub wrong_name: Identity,
    /// The application's name, from an authority that nobody trusts.
    pub rogue: Identity,
    /// The authority that nobody trusts.
    pub rogue_authority: PathBuf,
}

impl Certificates {
    /// Makes all of them in `folder`. They are valid from the day before yesterday's rcgen default on, for centuries.
    pub fn make(folder: &Path) -> Self {
        let (authority, issuer) = authority(folder, "ca", "authority under test");
        let (rogue_authority, rogue_issuer) = authority_of_nobody(folder);
        let local = ["localhost", "127.0.0.1"];
        Self {
            authority,
            pool: identity(folder, "pool", &[&[POOL_NAME, "example.test"], &local[..]].concat(), &issuer),
            application: identity(folder, "application", &[&[APPLICATION_NAME], &local[..]].concat(), &issuer),
            wrong_name: identity(folder, "wrong-name", &["other.example.test"], &issuer),
            rogue: identity(folder, "rogue", &[&[APPLICATION_NAME], &local[..]].concat(), &rogue_issuer),
            rogue_authority,
        }
    }
}

fn authority_of_nobody(folder: &Path) -> (PathBuf, Issuer<'static, KeyPair>) {
    authority(folder, "rogue-ca", "authority of nobody")
}

fn authority(folder: &Path, file: &str, name: &str) -> (PathBuf, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let path = folder.join(format!("{file}.pem"));
    std::fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
    (path, Issuer::new(params, key))
}

fn identity(folder: &Path, file: &str, names: &[&str], issuer: &Issuer<'static, KeyPair>) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, names[0]);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let made = Identity { certificate: folder.join(format!("{file}.pem")), key: folder.join(format!("{file}.key")) };
    std::fs::write(&made.certificate, params.signed_by(&key, issuer).unwrap().pem()).unwrap();
    std::fs::write(&made.key, key.serialize_pem()).unwrap();
    made
}

//! A public key infrastructure for trying mutual TLS at once: one authority, one certificate for the pools, one for the
//! application. Made for a test bench; the authority's key is thrown away, so that nobody can sign with it later.

use std::fs;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use presence_simulator::{FrontEndTls, Pem};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// The files in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificates {
    /// The authority, which both sides trust.
    pub(super) authority: PathBuf,
    /// What the pools show.
    pub(super) pool: (PathBuf, PathBuf),
    /// What the application shows: certificate and key.
    pub(super) application: (PathBuf, PathBuf),
    /// They were there already.
    pub(super) found: bool,
}

impl Certificates {
    /// The files in this folder: those that are there when all are, otherwise new ones.
    ///
    /// # Errors
    /// What the system says; an incomplete set is not overwritten.
    pub(super) fn in_folder(
        folder: &Path,
        pools: &[String],
        listen: &[SocketAddr],
        domain: &str,
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).map_err(|why| anyhow::anyhow!("create {}: {why}", folder.display()))?;
        // Whoever reads Config.xml looks for a relative name beside that file, not here.
        let folder = folder.canonicalize()?;
        let file = |name: &str| folder.join(name);
        let mut certificates = Self {
            authority: file("authority.pem"),
            pool: (file("pool.pem"), file("pool.key")),
            application: (file("application.pem"), file("application.key")),
            found: false,
        };
        let all = certificates.all();
        let there = all.iter().filter(|path| path.exists()).count();
        match there {
            0 => certificates.make(pools, listen, domain)?,
            there if there == all.len() => certificates.found = true,
            _ => anyhow::bail!("{} holds some of the five files, and not all: remove them", folder.display()),
        }
        Ok(certificates)
    }

    fn all(&self) -> [&Path; 5] {
        [&self.authority, &self.pool.0, &self.pool.1, &self.application.0, &self.application.1]
    }

    /// How the front end uses them.
    pub(super) fn tls(&self) -> FrontEndTls {
        FrontEndTls {
            certificate: Pem::File(self.pool.0.clone()),
            key: Pem::File(self.pool.1.clone()),
            trusted: Pem::File(self.authority.clone()),
            client_auth: true,
            application_name: None,
        }
    }

    fn make(&self, pools: &[String], listen: &[SocketAddr], domain: &str) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "presence-provider simulate: authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        write(&self.authority, &params.self_signed(&key)?.pem(), false)?;
        let issuer = Issuer::new(params, key);
        let addresses = listen.iter().map(SocketAddr::ip).filter(|ip| !ip.is_unspecified() && !ip.is_loopback());
        let mut names = pools.to_vec();
        names.extend(addresses.map(|ip: IpAddr| ip.to_string()));
        identity(&self.pool, names, &issuer)?;
        identity(&self.application, vec![format!("application.{domain}")], &issuer)
    }
}

fn identity(
    (certificate, private_key): &(PathBuf, PathBuf),
    mut names: Vec<String>,
    issuer: &Issuer<'_, KeyPair>,
) -> anyhow::Result<()> {
    let key = KeyPair::generate()?;
    let subject = names.first().cloned().unwrap_or_default();
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    names.dedup();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, subject);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    write(certificate, &params.signed_by(&key, issuer)?.pem(), false)?;
    write(private_key, &key.serialize_pem(), true)
}

/// Writes a new file; a secret one for its owner only.
fn write(path: &Path, text: &str, secret: bool) -> anyhow::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|why: io::Error| anyhow::anyhow!("write {}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_made_once_and_an_incomplete_set_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let make = || Certificates::in_folder(folder.path(), &["pool01.demo.example".into()], &[], "demo.example");
        let first = make().expect("made");
        assert!(!first.found);
        let authority = fs::read(&first.authority).expect("written");
        let second = make().expect("found");
        assert!(second.found);
        assert_eq!(fs::read(&second.authority).expect("still there"), authority);
        fs::remove_file(&first.application.1).expect("removed");
        let told = make().expect_err("incomplete").to_string();
        assert!(told.contains("remove them"), "{told}");
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let made =
            Certificates::in_folder(folder.path(), &["pool01.demo.example".into()], &[], "demo.example").expect("made");
        for key in [&made.pool.1, &made.application.1] {
            assert_eq!(fs::metadata(key).expect("written").permissions().mode() & 0o777, 0o600);
        }
    }
}

//! Where the files are that Config.xml names, and what is missing for a start.

use std::env;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::settings::{Settings, Transport};

/// How the name of a file in Config.xml becomes a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLookup {
    folder: PathBuf,
    credentials: Option<PathBuf>,
    state: Option<PathBuf>,
}

impl FileLookup {
    /// An absolute name is taken as it is. Any other name is looked for in `credentials`, the service manager's
    /// credential directory, and if it is not there it means a file in `folder`.
    #[must_use]
    pub const fn new(folder: PathBuf, credentials: Option<PathBuf>) -> Self {
        Self { folder, credentials, state: None }
    }

    /// With the directory that the service manager keeps for what the service itself writes (systemd's `StateDirectory=`).
    #[must_use]
    pub fn with_state(self, state: Option<PathBuf>) -> Self {
        Self { state, ..self }
    }

    /// For names in the file `config`: its own folder, and the directories that the environment variables
    /// `CREDENTIALS_DIRECTORY` (systemd's `LoadCredential=`) and `STATE_DIRECTORY` (the first of them) name.
    #[must_use]
    pub fn beside(config: &Path) -> Self {
        let folder = config.parent().map(Path::to_owned).unwrap_or_default();
        let state = env::var_os("STATE_DIRECTORY").filter(|value| !value.is_empty());
        let state = state.as_ref().and_then(|value| env::split_paths(value).next());
        Self::new(folder, env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)).with_state(state)
    }

    /// The path of a named file.
    #[must_use]
    pub fn resolve(&self, name: &Path) -> PathBuf {
        if name.is_absolute() {
            return name.to_owned();
        }
        let credential = self.credentials.as_ref().map(|folder| folder.join(name)).filter(|path| path.is_file());
        credential.unwrap_or_else(|| self.folder.join(name))
    }
}

impl Settings {
    /// Makes every file name a path that can be opened. [`load`](crate::load) has done it already.
    pub fn resolve_files(&mut self, lookup: &FileLookup) {
        let pool = self.ucma.iter_mut().map(|ucma| &mut ucma.pool).flat_map(|pool| {
            [&mut pool.certificate, &mut pool.private_key, &mut pool.trusted_certificates, &mut pool.password_file]
        });
        let http =
            self.http.iter_mut().flat_map(|http| [&mut http.tokens, &mut http.certificate, &mut http.private_key]);
        let graph = self.graph.iter_mut().map(|graph| &mut graph.trusted_certificates);
        for name in pool.chain(http).chain(graph).flatten() {
            *name = lookup.resolve(name);
        }
        if let Some(graph) = &mut self.graph {
            let beside = |name: &Option<PathBuf>| name.as_ref().map(|name| lookup.folder.join(name));
            graph.credentials = beside(&graph.credentials).or_else(|| Some(lookup.folder.clone()));
            Self::state_directory(&mut graph.state_directory, lookup);
        }
        if let Some(state) = &mut self.state {
            Self::state_directory(&mut state.directory, lookup);
        }
    }

    /// Where a directory of this name is, or the usual one for what the service writes.
    fn state_directory(name: &mut Option<PathBuf>, lookup: &FileLookup) {
        let beside = name.as_ref().map(|name| lookup.folder.join(name));
        *name = beside.or_else(|| lookup.state.clone()).or_else(|| Some(lookup.folder.join("state")));
    }

    /// What the standalone process needs and the file does not say, one sentence each. Empty when it can start.
    ///
    /// The file itself is valid all the same: inside another process the queues come from their clients.
    #[must_use]
    pub fn missing_for_start(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.contact_centers.is_empty() && self.http.is_none() {
            missing.push(
                "no queue: write <UnifiedContactCenters> with at least one <UnifiedContactCenter> beside \
                 <PresenceProvider>, or leave the HTTP API on, through which queues of other processes come"
                    .to_owned(),
            );
        }
        let Some(ucma) = &self.ucma else { return missing };
        let pool = &ucma.pool;
        if pool.transport == Transport::Tls {
            if pool.certificate.is_none() {
                missing.push(
                    "no certificate: with TLS the pool checks ours; write Certificate and PrivateKey into <Pool>"
                        .to_owned(),
                );
            }
            if pool.trusted_certificates.is_none() {
                missing.push(
                    "no trusted certificates: nothing to check the pool's certificate against; write \
                     TrustedCertificates into <Pool>"
                        .to_owned(),
                );
            }
        }
        missing
    }

    /// The files that the settings name and that cannot be opened, one sentence each with the reason.
    #[must_use]
    pub fn missing_files(&self) -> Vec<String> {
        let pool = self.ucma.iter().map(|ucma| &ucma.pool).flat_map(|pool| {
            [
                ("Certificate", &pool.certificate),
                ("PrivateKey", &pool.private_key),
                ("TrustedCertificates", &pool.trusted_certificates),
                ("PasswordFile", &pool.password_file),
            ]
        });
        let http = self.http.iter().flat_map(|http| {
            [(TOKENS, &http.tokens), ("Http/@Certificate", &http.certificate), ("Http/@PrivateKey", &http.private_key)]
        });
        let graph =
            self.graph.iter().map(|graph| ("MsGraphPresenceSource/@TrustedCertificates", &graph.trusted_certificates));
        pool.chain(http)
            .chain(graph)
            .filter_map(|(name, path)| {
                let path = path.as_ref()?;
                let why = unreadable(path).err()?;
                let help = match why.kind() {
                    io::ErrorKind::NotFound if name == TOKENS => "; `presence-provider token create` makes it",
                    _ => "",
                };
                Some(format!("{name}: {} cannot be read: {why}{help}", path.display()))
            })
            .collect()
    }
}

const TOKENS: &str = "Http/@Tokens";

fn unreadable(path: &Path) -> io::Result<()> {
    if File::open(path)?.metadata()?.is_file() { Ok(()) } else { Err(io::Error::other("it is not a file")) }
}

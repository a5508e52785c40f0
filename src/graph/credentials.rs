//! What the accounts prove themselves with, and where that is read.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use presence_actors::SecretStore;
use presence_config::{FileLookup, GraphSettings};
use presence_graph::{AccountKind, Secret};
use secrecy::SecretString;
use serde::Deserialize;

use super::refresh_tokens::RefreshTokens;
use super::secret_file::{self, Guard, LARGEST, SecretFileError};

/// Reads the accounts' credentials from files, or from the environment, and keeps their refresh tokens.
///
/// ```text
/// $CREDENTIALS_DIRECTORY/graph-<Id>   ->   <Credentials>/<Id>.json   ->   $PP_GRAPH_<ID>      the first that is there
/// <StateDirectory>/graph-<Id>.token                                                         what a sign-in left
/// ```
#[derive(Clone)]
pub struct FileSecretStore {
    /// The service manager's credentials.
    manager: Option<PathBuf>,
    /// Where the credential files are.
    folder: PathBuf,
    tokens: RefreshTokens,
    environment: BTreeMap<String, SecretString>,
    /// The refresh tokens that were read or kept last, by account: what stands in the file otherwise is somebody else's, and newer.
    known: Arc<Mutex<BTreeMap<String, SecretString>>>,
}

/// Paths, and no secret.
impl fmt::Debug for FileSecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSecretStore")
            .field("manager", &self.manager)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// The credential of an account, without what only its use needs.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Where it stands, for a person.
    pub place: String,
    /// Application (client) id.
    pub client_id: String,
    /// What it proves the account with.
    pub proof: Proof,
}

/// What a credential proves an account with.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A client secret.
    ClientSecret(SecretString),
    /// A certificate.
    Certificate {
        /// The file of the certificate, PEM.
        certificate: PathBuf,
        /// The file of its key, PEM.
        private_key: PathBuf,
    },
    /// What a signed-in person leaves, in a file of its own.
    RefreshToken,
}

impl Credential {
    /// Whose right it is.
    #[must_use]
    pub const fn kind(&self) -> AccountKind {
        match self.proof {
            Proof::ClientSecret(_) | Proof::Certificate { .. } => AccountKind::Application,
            Proof::RefreshToken => AccountKind::Delegated,
        }
    }
}

impl FileSecretStore {
    /// By the settings and the environment of this process.
    #[must_use]
    pub fn of(settings: &GraphSettings) -> Self {
        let here = || PathBuf::from(".");
        let names = settings.accounts.iter().map(|account| variable(&account.id));
        let environment = names.filter_map(|name| {
            let value = env::var_os(&name).filter(|value: &OsString| !value.is_empty())?;
            // What is no text is no JSON either, and is told as such.
            Some((name, SecretString::from(value.into_string().unwrap_or_default())))
        });
        Self {
            manager: env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            folder: settings.credentials.clone().unwrap_or_else(here),
            tokens: RefreshTokens::new(settings.state_directory.clone().unwrap_or_else(|| here().join("state"))),
            environment: environment.collect(),
            known: Arc::default(),
        }
    }

    /// The credential of an account: the first that is there.
    ///
    /// # Errors
    /// A sentence with the place and what to do, and nothing of the content.
    pub fn credential(&self, account: &str) -> Result<Credential, String> {
        let managed =
            self.manager.as_ref().map(|folder| (folder.join(format!("graph-{account}")), Guard::ServiceManager));
        let own = self.folder.join(format!("{account}.json"));
        for (path, guard) in managed.into_iter().chain([(own.clone(), Guard::Mode)]) {
            match secret_file::read(&path, guard) {
                Ok(text) => return self.parse(&text, path.display().to_string()),
                Err(SecretFileError::NotThere) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        let name = variable(account);
        if let Some(text) = self.environment.get(&name) {
            return self.parse(secrecy::ExposeSecret::expose_secret(text), format!("the environment variable {name}"));
        }
        Err(format!(
            "there is no credential: write {} (mode 0600) with {EXAMPLE}, or give the service manager's credential \
             `graph-{account}`; docs/configuration.md says how",
            own.display()
        ))
    }

    /// Where the refresh token of an account is kept.
    #[must_use]
    pub fn token_path(&self, account: &str) -> PathBuf {
        self.tokens.path(account)
    }

    /// True when somebody has signed in for this account.
    ///
    /// # Errors
    /// When the file is there and cannot be used.
    pub fn is_signed_in(&self, account: &str) -> Result<bool, String> {
        self.tokens.load(account).map(|token| token.is_some())
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, SecretString>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parse(&self, text: &str, place: String) -> Result<Credential, String> {
        let refused = |why: &str| Err(format!("{place}: {why}; write {EXAMPLE}"));
        if u64::try_from(text.len()).is_ok_and(|length| length > LARGEST) {
            return refused("it is longer than 64 KiB");
        }
        // The reader's own words would show what stands there.
        let file: CredentialFile = match serde_json::from_str(text) {
            Ok(file) => file,
            Err(error) if error.is_data() => {
                let at = format!("line {}, column {}", error.line(), error.column());
                return refused(&format!(
                    "a field that is not known, given twice or of the wrong kind, or one that is missing ({at})"
                ));
            }
            Err(error) => return refused(&format!("it is no JSON (line {}, column {})", error.line(), error.column())),
        };
        let client_id = file.client_id.trim();
        if client_id.is_empty() || client_id.len() > 128 || !client_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refused("client_id is no Application (client) ID");
        }
        let file_name =
            |name: &str| FileLookup::new(self.folder.clone(), self.manager.clone()).resolve(Path::new(name));
        let proof = match (file.client_secret, file.certificate_pem_file, file.key_pem_file, file.refresh_token) {
            (Some(secret), None, None, None | Some(false)) => {
                let secret = SecretString::from(secret);
                if secrecy::ExposeSecret::expose_secret(&secret).trim().is_empty() {
                    return refused("client_secret is empty");
                }
                Proof::ClientSecret(secret)
            }
            (None, Some(certificate), Some(key), None | Some(false)) => {
                Proof::Certificate { certificate: file_name(&certificate), private_key: file_name(&key) }
            }
            (None, None, None, Some(true)) => Proof::RefreshToken,
            (None, Some(_), None, _) => return refused("certificate_pem_file without key_pem_file"),
            (None, None, Some(_), _) => return refused("key_pem_file without certificate_pem_file"),
            (None, None, None, _) => return refused("it says nothing but client_id"),
            _ => return refused("it has two kinds of proof at once; keep one"),
        };
        Ok(Credential { place, client_id: client_id.to_owned(), proof })
    }

    /// Why the files of this credential cannot be used.
    ///
    /// # Errors
    /// A sentence with the path.
    pub fn usable(&self, credential: &Credential) -> Result<(), String> {
        match &credential.proof {
            Proof::ClientSecret(_) | Proof::RefreshToken => Ok(()),
            Proof::Certificate { certificate, private_key } => pem(certificate, private_key).map(|_| ()),
        }
    }
}

impl SecretStore for FileSecretStore {
    fn load(&self, account: &str) -> Result<Secret, String> {
        let Credential { client_id, proof, .. } = self.credential(account)?;
        match proof {
            Proof::ClientSecret(secret) => Ok(Secret::ClientSecret { client_id, secret }),
            Proof::Certificate { certificate, private_key } => {
                let (certificate, private_key) = pem(&certificate, &private_key)?;
                Ok(Secret::Certificate { client_id, certificate, private_key })
            }
            Proof::RefreshToken => match self.tokens.load(account)? {
                Some(token) => {
                    self.known().insert(account.to_owned(), token.clone());
                    Ok(Secret::RefreshToken { client_id, token })
                }
                None => Err(format!(
                    "nobody has signed in ({} is not there); run `presence-provider graph login {account}`",
                    self.token_path(account).display()
                )),
            },
        }
    }

    fn store(&self, account: &str, token: &SecretString) -> Result<(), String> {
        let mut known = self.known();
        if self.tokens.store(account, token, known.get(account))? {
            known.insert(account.to_owned(), token.clone());
        }
        Ok(())
    }
}

/// The environment variable of an account: `PP_GRAPH_` and its Id in upper case, `_` for every other character.
fn variable(account: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("PP_GRAPH_{}", account.chars().map(upper).collect::<String>())
}

const EXAMPLE: &str = r#"{"client_id": "...", "client_secret": "..."}, or instead of the secret "certificate_pem_file" and "key_pem_file", or "refresh_token": true"#;

/// As it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialFile {
    client_id: String,
    client_secret: Option<String>,
    certificate_pem_file: Option<String>,
    key_pem_file: Option<String>,
    refresh_token: Option<bool>,
}

/// Certificate and key; the certificate alone may be read by everyone.
fn pem(certificate: &Path, private_key: &Path) -> Result<(String, SecretString), String> {
    let key = match secret_file::read(private_key, Guard::Mode) {
        Ok(text) if text.contains("PRIVATE KEY-----") => SecretString::from(text),
        Ok(_) => return Err(format!("{} holds no private key in PEM form", private_key.display())),
        Err(SecretFileError::NotThere) => return Err(format!("{} is not there", private_key.display())),
        Err(error) => return Err(error.to_string()),
    };
    let shown = certificate.display();
    let unread = |error: std::io::Error| format!("{shown} cannot be read: {error}");
    let file = secret_file::open(certificate).map_err(unread)?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LARGEST) {
        return Err(format!("{shown} is no file of at most 64 KiB"));
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut std::io::Read::take(file, LARGEST), &mut text).map_err(unread)?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(format!("{shown} holds no certificate in PEM form"));
    }
    Ok((text, key))
}

#[cfg(test)]
mod tests;

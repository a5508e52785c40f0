//! The file of the tokens: who may read it, when it changes, how it is replaced.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::tokens::Tokens;

/// The largest file that is read, in bytes: 8 MiB.
const LARGEST: u64 = 8 * 1024 * 1024;

/// Why the file of the tokens cannot be used. The text is a whole sentence without its full stop.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The system does not let us read it.
    #[error("the tokens file {path} cannot be read: {source}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than its owner could make themselves a token.
    #[error("the tokens file {path} has the mode {mode:04o}, so that others may read or change it; run `chmod g-w,o= {path}`", path = .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It holds something else than tokens.
    #[error("the tokens file {path} cannot be used: {why}; mend it, or take it away and make the tokens anew with `presence-provider token create`", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It cannot be replaced.
    #[error("the tokens file {path} cannot be written: {source}", path = .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What changes when the file is replaced or written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    number: u64,
}

impl Stamp {
    /// Of the file as it is now; nothing when it is not there.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { modified: metadata.modified().ok(), length: metadata.len(), number: number(&metadata) })
    }
}

/// Reads the file.
pub(crate) fn read(path: &Path) -> Result<Tokens, TokensError> {
    let unreadable = |source| TokensError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("it is not a file")));
    }
    guarded(path, &metadata)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let damaged = |why| TokensError::Damaged { path: path.to_owned(), why };
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST) {
        return Err(damaged(format!("it has more than {LARGEST} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| damaged("it is no UTF-8 text".to_owned()))?;
    Tokens::parse(&text).map_err(damaged)
}

/// Changes the file, which need not exist. Two that change it at the same time do so one after the other; a reader sees the
/// file before or after. The result is what `change` gives.
pub(crate) fn change<T>(path: &Path, change: impl FnOnce(&mut Tokens) -> T) -> Result<T, TokensError> {
    // A name that points to another file goes on to do so.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Where a folder cannot be locked (Windows), the last writer wins.
    let _locked = File::open(folder).ok().filter(|folder| folder.lock().is_ok());
    let mut tokens = match read(path) {
        Ok(tokens) => tokens,
        Err(TokensError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => Tokens::default(),
        Err(error) => return Err(error),
    };
    let result = change(&mut tokens);
    replace(path, folder, &tokens.to_text())
        .map_err(|source| TokensError::Unwritable { path: path.to_owned(), source })?;
    Ok(result)
}

/// Puts the whole text in the place of the file, at once. Its owner and who may read it stay; a new one is its owner's alone.
fn replace(path: &Path, folder: &Path, text: &str) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".tokens-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    if let Ok(before) = fs::metadata(path) {
        inherit(file.as_file(), &before)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The name is on the disk when its folder is; where folders cannot be opened there is nothing to do.
    File::open(folder).map_or(Ok(()), |folder| folder.sync_all())
}

#[cfg(unix)]
fn guarded(path: &Path, metadata: &Metadata) -> Result<(), TokensError> {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o027 == 0 { Ok(()) } else { Err(TokensError::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn guarded(_: &Path, _: &Metadata) -> Result<(), TokensError> {
    Ok(())
}

#[cfg(unix)]
fn inherit(file: &File, before: &Metadata) -> io::Result<()> {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
        fchown(file, Some(before.uid()), Some(before.gid()))?;
    }
    file.set_permissions(Permissions::from_mode(before.mode() & 0o640 | 0o600))
}

#[cfg(not(unix))]
fn inherit(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn number(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> u64 {
    0
}

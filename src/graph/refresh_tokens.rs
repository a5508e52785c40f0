//! Refresh tokens on the disk: each use gives a new one, and the one before is used up.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::secret_file::{self, Guard, SecretFileError};

/// The refresh tokens of all accounts: a file for each, whole at every moment.
#[derive(Clone, Debug)]
pub(super) struct RefreshTokens {
    folder: PathBuf,
}

impl RefreshTokens {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the token of an account is.
    pub(super) fn path(&self, account: &str) -> PathBuf {
        self.folder.join(format!("graph-{account}.token"))
    }

    /// The token of an account; none when nobody has signed in yet.
    ///
    /// # Errors
    /// A sentence with the path.
    pub(super) fn load(&self, account: &str) -> Result<Option<SecretString>, String> {
        let path = self.path(account);
        let text = match secret_file::read(&path, Guard::Mode) {
            Ok(text) => text,
            Err(SecretFileError::NotThere) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "{} holds no refresh token; sign in again with `presence-provider graph login {account}`",
                path.display()
            ));
        }
        Ok(Some(SecretString::from(token)))
    }

    /// Puts a token in the place of the one before, when that is `known` (none: whatever it is). Two that do so at the same time
    /// do it one after the other; after a crash there is the one or the other, whole. False when another token is there, or none
    /// any more: somebody has signed in anew or taken it away, and that counts.
    ///
    /// # Errors
    /// A sentence with the path.
    pub(super) fn store(
        &self,
        account: &str,
        token: &SecretString,
        known: Option<&SecretString>,
    ) -> Result<bool, String> {
        let path = self.path(account);
        let failed = |error: io::Error| format!("{} cannot be written: {error}", path.display());
        prepare(&self.folder).map_err(failed)?;
        let folder = File::open(&self.folder).map_err(failed)?;
        // Where a folder cannot be locked, the last writer wins.
        let _locked = folder.lock();
        if let Some(known) = known {
            // What cannot be read is no sign-in of anybody, and makes room.
            match self.load(account) {
                Ok(Some(present)) if present.expose_secret() == known.expose_secret() => {}
                Ok(_) => return Ok(false),
                Err(_) => {}
            }
        }
        self.replace(&folder, &path, token).map_err(failed)?;
        Ok(true)
    }

    fn replace(&self, folder: &File, path: &Path, token: &SecretString) -> io::Result<()> {
        let new = path.with_extension("token.new");
        // What a crash has left.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let written = write(&new, &self.folder, token).and_then(|()| fs::rename(&new, path));
        if written.is_err() {
            // It is the first error that counts.
            let _ = fs::remove_file(&new);
        }
        written?;
        // The name is on the disk when its folder is.
        folder.sync_all()
    }
}

fn write(path: &Path, folder: &Path, token: &SecretString) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    belong(&file, folder)?;
    file.write_all(token.expose_secret().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// The folder, made when it is not there; refused when others could put files of their own into it.
fn prepare(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(folder)?) & 0o7777;
        if mode & 0o022 != 0 {
            let shown = folder.display();
            let why = format!("others may write into {shown} (mode {mode:04o}); run `chmod 700 {shown}`");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
    }
    Ok(())
}

/// What the administrator writes belongs to the service, whose folder it is.
#[cfg(unix)]
fn belong(file: &File, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};

    let (own, owner) = (file.metadata()?, fs::metadata(folder)?);
    if own.uid() == 0 && owner.uid() != 0 {
        fchown(file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn belong(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
    }

    #[test]
    fn a_token_is_kept_for_its_owner_alone_and_replaced_as_a_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = RefreshTokens::new(folder.path().join("a/state"));
        assert!(tokens.load("one").expect("no mistake").is_none());
        // What a crash in the middle has left does no harm, and does not stay.
        fs::create_dir_all(folder.path().join("a/state")).expect("a folder");
        fs::set_permissions(folder.path().join("a/state"), Permissions::from_mode(0o700)).expect("a mode");
        fs::write(folder.path().join("a/state/graph-one.token.new"), "half").expect("written");
        for text in ["first", "second"] {
            tokens.store("one", &SecretString::from(text), None).expect("kept");
            assert_eq!(tokens.load("one").expect("readable").expect("there").expose_secret(), text);
        }
        assert_eq!(mode(&tokens.path("one")), 0o600);
        let names: Vec<_> = fs::read_dir(folder.path().join("a/state")).expect("a folder").collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    #[test]
    fn the_folder_is_made_for_its_owner_alone_and_one_that_others_write_to_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = RefreshTokens::new(folder.path().join("state"));
        tokens.store("one", &SecretString::from("x"), None).expect("kept");
        assert_eq!(mode(&folder.path().join("state")), 0o700);
        fs::set_permissions(folder.path().join("state"), Permissions::from_mode(0o770)).expect("a mode");
        let why = tokens.store("one", &SecretString::from("hunter2"), None).expect_err("others could write there");
        assert!(why.contains("chmod 700") && !why.contains("hunter2"), "{why}");
    }

    #[test]
    fn a_reader_beside_many_writers_always_gets_a_whole_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = RefreshTokens::new(folder.path().join("state"));
        tokens.store("one", &SecretString::from("a".repeat(9_000)), None).expect("kept");
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writers: Vec<_> = ["b", "c"]
                .map(|letter| {
                    let tokens = tokens.clone();
                    scope.spawn(move || {
                        for _ in 0..50 {
                            tokens.store("one", &SecretString::from(letter.repeat(9_000)), None).expect("kept");
                        }
                    })
                })
                .into();
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let token = tokens.load("one").expect("readable").expect("there");
                    assert_eq!(token.expose_secret().len(), 9_000);
                }
            });
            writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
            over.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn a_sign_in_meanwhile_is_not_overwritten_and_what_was_taken_away_does_not_come_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = RefreshTokens::new(folder.path().join("state"));
        let [first, rotated, signed_in] = ["first", "rotated", "signed-in"].map(SecretString::from);
        let present = || tokens.load("one").expect("readable").map(|token| token.expose_secret().to_owned());
        assert!(tokens.store("one", &first, None).expect("kept"));
        assert!(tokens.store("one", &signed_in, None).expect("a person signs in anew"));
        assert!(!tokens.store("one", &rotated, Some(&first)).expect("no trouble"));
        assert_eq!(present().as_deref(), Some("signed-in"));
        assert!(tokens.store("one", &rotated, Some(&signed_in)).expect("kept"));
        assert_eq!(present().as_deref(), Some("rotated"));
        fs::remove_file(tokens.path("one")).expect("signed out");
        assert!(!tokens.store("one", &first, Some(&rotated)).expect("no trouble"));
        assert_eq!(present(), None);
    }

    #[test]
    fn a_file_that_is_no_token_sends_its_reader_to_sign_in_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = RefreshTokens::new(folder.path().to_owned());
        for text in ["", "two words"] {
            tokens.store("one", &SecretString::from(text), None).expect("kept");
            assert!(tokens.load("one").expect_err("no token").contains("graph login one"));
        }
    }
}

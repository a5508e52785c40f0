//! Files that hold secrets: small, and nobody's but ours.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// The largest file that is read, in bytes.
pub(super) const LARGEST: u64 = 64 * 1024;

/// Who vouches that nobody else reads the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// Its own mode and owner do.
    Mode,
    /// The service manager does, which gives the file to us by an access control list: that shows as a group's right to read.
    ServiceManager,
}

/// Why a file is not taken. The text names the file and what to do, and none of its content.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretFileError {
    /// There is none.
    #[error("it is not there")]
    NotThere,
    /// It may not be read, or it is no file.
    #[error("{0}")]
    Unreadable(String),
}

/// Reads a whole file of UTF-8 text, following links.
///
/// # Errors
/// When it is not there, not ours, open to others, too large or no text; the sentence begins with its path.
pub(super) fn read(path: &Path, guard: Guard) -> Result<String, SecretFileError> {
    let shown = path.display();
    let refused = |why: String| SecretFileError::Unreadable(format!("{shown} {why}"));
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => SecretFileError::NotThere,
        _ => refused(format!("cannot be read: {error}")),
    };
    let file = open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    guarded(path, &metadata, guard).map_err(SecretFileError::Unreadable)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST) {
        return Err(refused(format!("has more than {LARGEST} bytes; is it the right file?")));
    }
    String::from_utf8(bytes).map_err(|_| refused("is no UTF-8 text".to_owned()))
}

/// Opens a file. What is none, such as a pipe, which would make us wait for its writer, is not opened.
pub(super) fn open(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"))
    }
}

#[cfg(unix)]
fn guarded(path: &Path, metadata: &Metadata, guard: Guard) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;

    let mode = metadata.mode() & 0o7777;
    let (wide, command) = match guard {
        Guard::Mode => (mode & 0o077 != 0, "go="),
        Guard::ServiceManager => (mode & 0o027 != 0, "g-w,o="),
    };
    let path = path.display();
    if wide {
        return Err(format!(
            "{path} has the mode {mode:04o}, so that others may read or change it; run `chmod {command} {path}`"
        ));
    }
    match own_user() {
        // The administrator may look at what belongs to the service.
        None | Some(0) => Ok(()),
        Some(us) if [us, 0].contains(&metadata.uid()) => Ok(()),
        Some(us) => Err(format!(
            "{path} belongs to the user {}, and this is {us}; run `chown {us} {path}` as root",
            metadata.uid()
        )),
    }
}

#[cfg(not(unix))]
fn guarded(_: &Path, _: &Metadata, _: Guard) -> Result<(), String> {
    Ok(())
}

/// The number of the user that this process works as, where the system has such.
#[cfg(target_os = "linux")]
pub(super) fn own_user() -> Option<u32> {
    Some(nix::unistd::geteuid().as_raw())
}

#[cfg(all(unix, not(target_os = "linux")))]
pub(super) fn own_user() -> Option<u32> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(text: &[u8], mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
        (folder, path)
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_command_that_mends_it() {
        for (mode, guard, good) in [
            (0o600, Guard::Mode, true),
            (0o400, Guard::Mode, true),
            (0o640, Guard::Mode, false),
            (0o604, Guard::Mode, false),
            (0o440, Guard::ServiceManager, true),
            (0o460, Guard::ServiceManager, false),
            (0o444, Guard::ServiceManager, false),
        ] {
            let (_folder, path) = file(b"hunter2", mode);
            match read(&path, guard) {
                Ok(text) => assert!(good && text == "hunter2", "{mode:o}"),
                Err(error) => {
                    let text = error.to_string();
                    assert!(!good && text.contains("chmod") && text.contains(&format!("{mode:04o}")), "{text}");
                    assert!(text.starts_with(&path.display().to_string()) && !text.contains("hunter2"), "{text}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_small_text_file_is_refused_without_its_content() {
        let (folder, path) = file(&vec![b'x'; 65 * 1024], 0o600);
        assert!(matches!(read(&path, Guard::Mode), Err(SecretFileError::Unreadable(why)) if why.contains("65536")));
        assert!(
            matches!(read(folder.path(), Guard::Mode), Err(SecretFileError::Unreadable(why)) if why.contains("not a file"))
        );
        assert!(matches!(read(&folder.path().join("none"), Guard::Mode), Err(SecretFileError::NotThere)));
        let (_folder, path) = file(b"hunter\xff", 0o600);
        assert!(matches!(read(&path, Guard::Mode), Err(SecretFileError::Unreadable(why)) if !why.contains("hunter")));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_or_a_device_is_refused_and_nobody_waits_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("coreutils").success());
        for path in [pipe.as_path(), Path::new("/dev/zero"), folder.path()] {
            let why = read(path, Guard::Mode).expect_err("no file").to_string();
            assert!(why.contains("it is not a file"), "{why}");
        }
    }

    #[test]
    fn a_link_is_followed_and_what_it_leads_to_is_judged() {
        let (folder, path) = file(b"x", 0o644);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        assert!(read(&link, Guard::Mode).is_err());
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode");
        assert!(read(&link, Guard::Mode).is_ok());
    }
}

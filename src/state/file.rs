//! The files of the state: one that is whole at every moment, and the one before it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use presence_core::snapshot::{Anchor, Encoded, MAX_SNAPSHOT_BYTES, Snapshot, SnapshotError, decode};

/// So many damaged files are kept.
const DAMAGED_KEPT: usize = 3;
const CURRENT: &str = "presence.state";
const PREVIOUS: &str = "presence.state.previous";
const NEW: &str = "presence.state.new";
const LINK: &str = "presence.state.link";
const LOCK: &str = "presence.state.lock";
const DAMAGED: &str = "presence.state.damaged-";

/// Why the state cannot be kept. The text fits after "failed to keep the state: ".
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process keeps its state there.
    #[error(
        "another process has {0} open; give each its own folder with `<State Directory=\"...\" />` in the \
         PresenceProvider of its Config.xml"
    )]
    Locked(PathBuf),
    /// The system refuses.
    #[error("{path}: {source}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Why a file that is there was not used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is not what was written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// A file that was not used.
#[derive(Debug)]
pub struct SetAside {
    /// Which one.
    pub path: PathBuf,
    /// Why.
    pub why: Unusable,
    /// Where it is now; none when it could not be renamed.
    pub now: Option<PathBuf>,
}

/// What was found at a start.
#[derive(Debug, Default)]
pub struct Found {
    /// The last state that can be used.
    pub snapshot: Option<Snapshot>,
    /// What could not be used.
    pub set_aside: Vec<SetAside>,
}

/// The folder with the state, which no other process uses.
#[derive(Debug)]
pub struct StateFile {
    folder: PathBuf,
    /// An earlier run has left its lock.
    earlier_run: bool,
    _lock: File,
}

impl StateFile {
    /// Makes the folder where it is not there, and takes it for this process alone.
    ///
    /// # Errors
    /// When another process has it, or the system refuses.
    pub fn open(folder: PathBuf) -> Result<Self, StateError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StateError::Io { path, source }
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(failed(&folder))?;
        let path = folder.join(LOCK);
        let earlier_run = path.exists();
        let lock = private().create(true).truncate(false).open(&path).map_err(failed(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder, earlier_run, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateError::Locked(path)),
            Err(TryLockError::Error(source)) => Err(StateError::Io { path, source }),
        }
    }

    /// An earlier run has used the folder.
    #[must_use]
    pub const fn has_earlier_run(&self) -> bool {
        self.earlier_run
    }

    /// Where the state is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(CURRENT)
    }

    /// The last state that can be used. A file that cannot is set aside, and the one before it is tried.
    #[must_use]
    pub fn read(&self, anchor: Anchor) -> Found {
        let mut found = Found::default();
        // The new one is whole when a crash came between its two last steps; else it is no state yet.
        for name in [CURRENT, NEW, PREVIOUS] {
            let path = self.folder.join(name);
            match snapshot(&path, anchor) {
                Ok(Some(snapshot)) => {
                    found.snapshot = Some(snapshot);
                    return found;
                }
                Ok(None) => {}
                Err(_) if name == NEW => {}
                Err(why) => {
                    let now = self.set_aside(&path, anchor.wall);
                    found.set_aside.push(SetAside { path, why, now });
                }
            }
        }
        found
    }

    /// Puts a state in the place of the one before, which is kept. After a crash there is the one or the other, whole.
    ///
    /// # Errors
    /// When the system refuses; then the ones that are there stay.
    pub fn write(&self, state: &Encoded) -> io::Result<()> {
        let (new, current) = (self.folder.join(NEW), self.folder.join(CURRENT));
        let written = write_new(&new, state);
        if written.is_err() {
            // It is the first error that counts, and what is half written takes room on a full disk.
            let _ = fs::remove_file(&new);
        }
        written?;
        self.keep_previous(&current)?;
        fs::rename(&new, &current)?;
        // The names are on the disk when their folder is.
        File::open(&self.folder)?.sync_all()
    }

    /// Gives the state that is there a second name, so that it has its own until the new one takes that over.
    fn keep_previous(&self, current: &Path) -> io::Result<()> {
        let (link, previous) = (self.folder.join(LINK), self.folder.join(PREVIOUS));
        // What a crash has left.
        let _ = fs::remove_file(&link);
        let kept = match fs::hard_link(current, &link) {
            Ok(()) => fs::rename(&link, &previous),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // Not every file system has links. Here a crash in the next moment leaves the new one for the start.
            Err(_) => fs::rename(current, &previous),
        };
        // Two names of one file stay two: nothing was written since.
        let _ = fs::remove_file(&link);
        kept
    }

    /// Renames what cannot be used, and removes the oldest of those that are too many.
    fn set_aside(&self, path: &Path, wall: SystemTime) -> Option<PathBuf> {
        let time =
            Timestamp::try_from(wall).map_or_else(|_| "0".to_owned(), |at| at.strftime("%Y%m%dT%H%M%SZ").to_string());
        let suffix = if path.ends_with(PREVIOUS) { "-previous" } else { "" };
        let aside = self.folder.join(format!("{DAMAGED}{time}{suffix}"));
        let renamed = fs::rename(path, &aside).is_ok();
        let names = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_damaged = |path: &PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(DAMAGED))
        };
        let mut damaged: Vec<_> = names.filter(is_damaged).collect();
        damaged.sort();
        for old in damaged.iter().rev().skip(DAMAGED_KEPT) {
            // What cannot be removed stays.
            let _ = fs::remove_file(old);
        }
        renamed.then_some(aside)
    }
}

/// A state that nobody else may read: it names people.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn write_new(path: &Path, state: &Encoded) -> io::Result<()> {
    match fs::remove_file(path) {
        // What a crash has left, or somebody has put there.
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = private().create_new(true).open(path)?;
    for part in &state.parts {
        file.write_all(part)?;
    }
    file.sync_all()
}

fn snapshot(path: &Path, anchor: Anchor) -> Result<Option<Snapshot>, Unusable> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_SNAPSHOT_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Some(decode(&bytes, anchor)?))
}

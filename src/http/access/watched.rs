//! Tokens that follow their file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::file::{self, Stamp, TokensError};
use super::tokens::Tokens;

/// So often the file is looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

/// The tokens of a file as they are now.
pub(super) struct Watched {
    path: PathBuf,
    current: RwLock<Arc<Tokens>>,
    last: Mutex<Look>,
}

/// When the file was looked at, and what it was like.
struct Look {
    at: Instant,
    stamp: Option<Stamp>,
}

/// Without what it guards.
impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Watched {
    pub(super) fn load(path: &Path, now: Instant) -> Result<Self, TokensError> {
        // Taken before the file is read: what is written in between is seen at the next look.
        let stamp = Stamp::of(path);
        let tokens = file::read(path)?;
        Ok(Self {
            path: path.to_owned(),
            current: RwLock::new(Arc::new(tokens)),
            last: Mutex::new(Look { at: now, stamp }),
        })
    }

    /// The tokens, after a look at the file when the last one is a second ago.
    pub(super) fn at(&self, now: Instant) -> Arc<Tokens> {
        // While one thread looks, the others go on with what they have.
        if let Ok(mut last) = self.last.try_lock()
            && now.saturating_duration_since(last.at) >= LOOK
        {
            last.at = now;
            let stamp = Stamp::of(&self.path);
            if stamp != last.stamp {
                last.stamp = stamp;
                self.read_again();
            }
        }
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn read_again(&self) {
        match file::read(&self.path) {
            Ok(tokens) => {
                tracing::info!(logger = "UccStarter", tokens = tokens.len(), "the tokens file has changed and is read");
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tokens);
            }
            Err(error) => {
                tracing::error!(logger = "UccStarter", "{error}; the tokens that were read before go on to hold");
            }
        }
    }
}

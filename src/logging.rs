//! The log: what happened, in the lines that operators of the original product know.
//!
//! ```text
//! 2018-05-08 14:05:48,159 [5] ucc_app01 INFO - PresenceProviderClient::Subscribe sipUrisip:user1@domain.com
//! ----------------------- --- --------- ----   ------------------------------------------------------------
//! local wall clock, comma  |  logger    level  message, then ` key=value` of the fields
//! milliseconds             thread
//! ```
//!
//! All packages log with the macros of `tracing`. The optional field `logger` names the logger; without it the module
//! does. Whatever a field or a message holds, it is one line: see [`escape`]. [`start`] sets everything up for the
//! process; [`LineLayer`] alone is what tests and embedding programs need.

mod daily;
pub mod escape;
mod json;
mod layer;
mod options;
pub mod panic;
mod record;
mod stamp;

use std::fs::OpenOptions;
use std::io::{self, BufWriter};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::exit::Exit;
pub use daily::DailyFile;
pub use layer::LineLayer;
pub use options::{LogFormat, LogLevel, LogOptions};
pub use stamp::{Stamp, thread_number};

/// How many daily files are kept unless the command line says otherwise.
pub const DEFAULT_KEPT_FILES: NonZeroUsize = NonZeroUsize::new(14).expect("14 is not zero");

/// Which stream the log goes to when no file is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Console {
    /// The standard output, for a command whose log is its story.
    Stdout,
    /// The standard error, for a service.
    Stderr,
}

/// Why the log could not be started. The text fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be opened for appending.
    #[error("open the log file `{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The directory cannot be created or written to.
    #[error("write log files into `{}`: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The filter does not hold.
    #[error("read the log level: {0}")]
    Level(String),
    /// The process has a log already.
    #[error("start the log: this process has one already")]
    Twice,
}

impl From<&LogError> for Exit {
    fn from(error: &LogError) -> Self {
        match error {
            LogError::File { .. } | LogError::Directory { .. } => Self::CannotCreate,
            LogError::Level(_) => Self::Usage,
            LogError::Twice => Self::Internal,
        }
    }
}

/// Keeps the log going; dropping it writes what is still queued. Hold it until the process ends.
#[derive(Debug)]
#[must_use = "the log ends when this is dropped"]
pub struct LogGuard {
    _worker: WorkerGuard,
    errors: ErrorCounter,
}

impl LogGuard {
    /// How many lines were dropped because the disk or the reader of the log was too slow.
    #[must_use]
    pub fn dropped_lines(&self) -> usize {
        self.errors.dropped_lines()
    }
}

/// Starts the log of the process: for `tracing` and for the `log` crate, and with the panic hook of [`mod@panic`].
///
/// Lines are written by a thread of their own through a queue of 128,000 lines: a full disk or a paused terminal
/// costs log lines, which are counted, and never delays presence.
///
/// # Errors
/// When a file or directory cannot be written, the filter is wrong, or the process has a log already.
pub fn start(options: &LogOptions, console: Console) -> Result<LogGuard, LogError> {
    let filter = EnvFilter::try_new(options.log_level.directives()).map_err(|why| LogError::Level(why.to_string()))?;
    let (writer, worker) = open(options, console)?;
    let errors = writer.error_counter();
    let layer = LineLayer::new(options.log_format, writer);
    tracing_subscriber::registry().with(filter).with(layer).try_init().map_err(|_| LogError::Twice)?;
    panic::install();
    Ok(LogGuard { _worker: worker, errors })
}

/// Gathers the lines of a burst into few writes. The thread that writes flushes whenever no line waits.
fn gathered<W: io::Write>(to: W) -> BufWriter<W> {
    BufWriter::with_capacity(64 * 1024, to)
}

fn open(options: &LogOptions, console: Console) -> Result<(NonBlocking, WorkerGuard), LogError> {
    let queue = NonBlockingBuilder::default().lossy(true).thread_name("log");
    if let Some(path) = &options.log_file {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|source| LogError::File { path: path.clone(), source })?;
        return Ok(queue.finish(gathered(file)));
    }
    if let Some(path) = &options.log_dir {
        let file = DailyFile::open(path, options.log_keep.unwrap_or(DEFAULT_KEPT_FILES));
        let file = file.map_err(|source| LogError::Directory { path: path.clone(), source })?;
        return Ok(queue.finish(gathered(file)));
    }
    Ok(match console {
        Console::Stdout => queue.finish(gathered(io::stdout())),
        Console::Stderr => queue.finish(gathered(io::stderr())),
    })
}

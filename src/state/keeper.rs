//! When the state is written, and by which thread.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use presence_actors::{Provider, now};
use presence_core::Remembered;
use presence_core::snapshot::{Encoded, encode};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::keeping::{Keeping, Said, Written};
use super::{StateFile, anchor};
use crate::http::RemoteUccs;

/// How often the state is written when it has changed: a disk that takes up to two seconds over it still costs a kill no
/// more than ten.
const INTERVAL: Duration = Duration::from_secs(8);
/// How often it is written when it has not: what is fresh then is known to have been so.
const UNCHANGED: Duration = Duration::from_secs(60);
/// So long a disk that does not answer may hold up an orderly end, each time that something is written then.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What was written last.
#[derive(Clone, Copy, Debug)]
struct Last {
    records: u32,
    at: Instant,
}

/// Writes the state, again and again and at the end.
pub struct Keeper {
    writer: Arc<Writer>,
    writing: JoinHandle<()>,
    stop: CancellationToken,
}

struct Writer {
    provider: Provider,
    uccs: Option<RemoteUccs>,
    file: StateFile,
    /// Whoever looks reads it there.
    keeping: Keeping,
    /// What was written last.
    last: Mutex<Option<Last>>,
}

impl Keeper {
    /// Begins to write; the first time at once. Call it inside an actix system.
    #[must_use]
    pub fn start(file: StateFile, keeping: Keeping, provider: Provider, uccs: Option<RemoteUccs>) -> Self {
        let writer = Arc::new(Writer { provider, uccs, file, keeping, last: Mutex::default() });
        let stop = CancellationToken::new();
        let (worker, stopped) = (Arc::clone(&writer), stop.clone());
        let writing = actix_rt::spawn(async move {
            let mut ticks = tokio::time::interval(INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    biased;
                    () = stopped.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                if let Some(remembered) = worker.remember().await {
                    Arc::clone(&worker).write(remembered).await;
                }
            }
        });
        Self { writer, writing, stop }
    }

    /// Writes the state as it is before everything is ended; `Leaving::end` is for when that is done. A disk that does not
    /// answer costs some seconds and no subscription.
    pub async fn leave(self) -> Leaving {
        self.stop.cancel();
        // What is being written is written to the end.
        let writer = Arc::clone(&self.writer);
        let remembered = in_time(async move {
            let _ = self.writing.await;
            let remembered = writer.remember().await?;
            writer.write(remembered).await
        });
        Leaving { remembered: remembered.await.flatten(), writer: self.writer }
    }
}

/// What is written once more when everything has ended.
pub struct Leaving {
    writer: Arc<Writer>,
    remembered: Option<Remembered>,
}

impl Leaving {
    /// Says that nothing has been sent since.
    pub async fn end(self) {
        if let Some(remembered) = self.remembered {
            in_time(self.writer.write(Remembered { last_sent: Some(now()), ..remembered })).await;
        }
    }
}

async fn in_time<T>(work: impl Future<Output = T>) -> Option<T> {
    let done = tokio::time::timeout(LONGEST_WAIT, work).await.ok();
    if done.is_none() {
        tracing::warn!(
            logger = "UccStarter",
            "the disk of the state has not answered for {} s; the end goes on, and the next start begins with an older state",
            LONGEST_WAIT.as_secs()
        );
    }
    done
}

impl Writer {
    /// Collects on this thread, in short turns, and makes the values on one that may take its time. What cannot be made
    /// replaces nothing.
    async fn remember(&self) -> Option<Remembered> {
        let uccs = self.uccs.clone();
        let collected = self.provider.collect().await;
        let collected = collected
            .inspect_err(|error| tracing::debug!(%error, "the actors are gone; the state that is written stays"))
            .ok()?;
        let remembered = spawn_blocking(move || {
            let uccs = uccs.map(|uccs| uccs.remember()).unwrap_or_default();
            Remembered { uccs, ..collected.read() }
        });
        self.made(remembered.await)
    }

    /// Makes the bytes and writes them, on a thread that may wait.
    async fn write(self: Arc<Self>, remembered: Remembered) -> Option<Remembered> {
        let writer = Arc::clone(&self);
        let written = spawn_blocking(move || {
            let state = encode(&remembered, anchor(), env!("CARGO_PKG_VERSION"));
            writer.keep(&state, remembered.last_sent.is_some());
            remembered
        });
        self.made(written.await)
    }

    /// A panic there has been told by then.
    fn made<T>(&self, made: Result<T, JoinError>) -> Option<T> {
        if made.is_err() {
            self.tell(self.keeping.enter(|ledger| ledger.failed(now(), "a fault of this program".to_owned())));
        }
        made.ok()
    }

    fn keep(&self, state: &Encoded, always: bool) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |written: &Last| written.records != state.records || now() >= written.at + UNCHANGED;
        if !always && !last.as_ref().is_none_or(is_due) {
            return;
        }
        let begun = now();
        let outcome = self.file.write(state);
        let at = now();
        let said = match outcome {
            Ok(()) => {
                *last = Some(Last { records: state.records, at });
                let bytes = state.parts.iter().map(Vec::len).sum::<usize>() as u64;
                let written = Written { at, bytes, took: at.saturating_duration_since(begun) };
                self.keeping.enter(|ledger| ledger.written(written))
            }
            Err(error) => {
                // Until it succeeds it is tried every time.
                *last = None;
                self.keeping.enter(|ledger| ledger.failed(at, error.to_string()))
            }
        };
        self.tell(said);
    }

    fn tell(&self, said: Option<Said>) {
        let file = self.file.path();
        match said {
            None => {}
            Some(Said::Info(text)) => tracing::info!(logger = "UccStarter", file = %file.display(), "{text}"),
            Some(Said::Warn(text)) => tracing::warn!(logger = "UccStarter", file = %file.display(), "{text}"),
        }
    }
}

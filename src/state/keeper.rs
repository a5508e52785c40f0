//! When the state is written, and by which thread.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use presence_actors::{Provider, now};
use presence_core::Remembered;
use presence_core::snapshot::{Encoded, encode};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{StateFile, anchor};
use crate::http::RemoteUccs;

/// How often the state is written when it has changed: a disk that takes up to two seconds over it still costs a kill no
/// more than ten.
const INTERVAL: Duration = Duration::from_secs(8);
/// How often it is written when it has not: what is fresh then is known to have been so.
const UNCHANGED: Duration = Duration::from_secs(60);

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
    /// What was written last, and what the system said then.
    last: Mutex<(Option<Last>, Option<String>)>,
}

impl Keeper {
    /// Begins to write; the first time at once. Call it inside an actix system.
    #[must_use]
    pub fn start(file: StateFile, provider: Provider, uccs: Option<RemoteUccs>) -> Self {
        let writer = Arc::new(Writer { provider, uccs, file, last: Mutex::default() });
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
                Arc::clone(&worker).write(worker.remember().await).await;
            }
        });
        Self { writer, writing, stop }
    }

    /// Writes the state as it is before everything is ended; `Leaving::end` is for when that is done.
    pub async fn leave(self) -> Leaving {
        self.stop.cancel();
        // What is being written is written to the end.
        let _ = self.writing.await;
        let remembered = self.writer.remember().await;
        let remembered = Arc::clone(&self.writer).write(remembered).await;
        Leaving { writer: self.writer, remembered }
    }
}

/// What is written once more when everything has ended.
pub struct Leaving {
    writer: Arc<Writer>,
    remembered: Remembered,
}

impl Leaving {
    /// Says that nothing has been sent since.
    pub async fn end(self) {
        self.writer.write(Remembered { last_sent: Some(now()), ..self.remembered }).await;
    }
}

impl Writer {
    /// Collects on this thread, in short turns, and makes the values on one that may take its time.
    async fn remember(&self) -> Remembered {
        let (collected, uccs) = (self.provider.collect().await, self.uccs.clone());
        let remembered = spawn_blocking(move || {
            let uccs = uccs.map(|uccs| uccs.remember()).unwrap_or_default();
            Remembered { uccs, ..collected.read() }
        });
        remembered.await.unwrap_or_default()
    }

    /// Makes the bytes and writes them, on a thread that may wait.
    async fn write(self: Arc<Self>, remembered: Remembered) -> Remembered {
        let written = spawn_blocking(move || {
            let state = encode(&remembered, anchor(), env!("CARGO_PKG_VERSION"));
            self.keep(&state, remembered.last_sent.is_some());
            remembered
        });
        written.await.unwrap_or_else(|_| {
            tracing::error!(logger = "UccStarter", "a bug: the state could not be made; the one before stays");
            Remembered::default()
        })
    }

    fn keep(&self, state: &Encoded, always: bool) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (written, trouble) = &mut *last;
        let is_due = |written: &Last| written.records != state.records || now() >= written.at + UNCHANGED;
        if !always && !written.as_ref().is_none_or(is_due) {
            return;
        }
        let outcome = self.file.write(state);
        if outcome.is_ok() {
            *written = Some(Last { records: state.records, at: now() });
        }
        self.tell(&outcome, trouble);
    }

    /// Says what is wrong, once, and when it is well again.
    fn tell(&self, outcome: &io::Result<()>, trouble: &mut Option<String>) {
        match (outcome, trouble.take()) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => {
                tracing::info!(logger = "UccStarter", file = %self.file.path().display(), "the state is written again");
            }
            (Err(error), before) => {
                let why = error.to_string();
                if before.as_ref() != Some(&why) {
                    tracing::warn!(
                        logger = "UccStarter",
                        file = %self.file.path().display(),
                        "the state cannot be written: {why}; the service goes on, and a restart would begin with an older state"
                    );
                }
                *trouble = Some(why);
            }
        }
    }
}

//! What the process looks like, and looked like.
//!
//! One task on the arbiter of the actors looks at the whole provider about once a second and publishes what it saw; the
//! threads of the API answer lists from that, so that no request costs the actors anything. A second task keeps the last
//! changes of each agent.

mod changes;
mod diary;
pub(super) mod graph;
mod look;
mod recovery;
mod samples;
mod silence;
mod snapshot;
mod standing;
mod tally;
mod verdict;
mod words;

use std::sync::{Arc, Mutex, PoisonError};

use presence_actors::{Provider, now};
use presence_core::{AgentUri, EndpointKind};
use tokio::sync::watch;

use super::model;
use crate::state::Keeping;
use changes::ChangeLog;
pub use changes::Recorded;
use look::Looks;
use samples::Samples;
use snapshot::Background;
pub use snapshot::Snapshot;
pub(super) use words::{clock_time, counted, spoken};

/// What the process looks like, and looked like. A handle: clones are cheap and show the same, on any thread.
#[derive(Clone)]
pub struct Observatory {
    latest: watch::Receiver<Arc<Snapshot>>,
    samples: Arc<Mutex<Samples>>,
    changes: Arc<Mutex<ChangeLog>>,
}

impl Observatory {
    /// Begins to look; `keeping` says whether the state of the next start is written. Call it inside an actix system. It ends when the last handle is dropped, or the provider ends.
    #[must_use]
    pub fn start(provider: Provider, keeping: Keeping) -> Self {
        let started = now();
        let (publish, latest) = watch::channel(Arc::new(Snapshot::nothing_yet(started)));
        let observatory = Self { latest, samples: Arc::default(), changes: Arc::default() };
        let background = Arc::new(Mutex::new(Background::new(started)));
        let listening =
            look::listen(provider.occurrences(), Arc::downgrade(&observatory.changes), Arc::clone(&background));
        actix_rt::spawn(listening);
        let looks = Looks { publish, samples: Arc::clone(&observatory.samples), background, keeping };
        actix_rt::spawn(looks.go_on(provider));
        observatory
    }

    /// What was seen last: about a second ago at most, or twenty times as long as a look takes.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.latest.borrow())
    }

    /// Tells when there is something new to see.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.latest.clone()
    }

    /// The last ten minutes.
    #[must_use]
    pub fn history(&self) -> model::History {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).history(now())
    }

    /// The last changes of an agent, the newest first: at most 20, and fewer when many agents change.
    #[must_use]
    pub fn changes_of(&self, uri: &AgentUri) -> Vec<Recorded> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).of(uri)
    }

    /// Through which endpoint the agent failed last, where that is still remembered.
    #[must_use]
    pub fn failed_via(&self, uri: &AgentUri) -> Option<EndpointKind> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).failed_via(uri)
    }
}

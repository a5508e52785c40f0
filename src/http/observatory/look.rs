//! The tasks that look at the provider and listen to what happens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use presence_actors::{Provider, ProviderView, now};
use tokio::sync::watch;

use super::Snapshot;
use super::changes::ChangeLog;
use super::samples::{Counters, Samples};
use super::snapshot::Background;

/// Looks are so far apart at least.
const PACE: Duration = Duration::from_secs(1);
/// And so many times as long as a look takes: looking may cost a twentieth of the arbiter.
const REST: u32 = 20;

/// Looks at the provider again and again.
pub(super) struct Looks {
    publish: watch::Sender<Arc<Snapshot>>,
    samples: Arc<Mutex<Samples>>,
    _changes: Arc<Mutex<ChangeLog>>,
    background: Background,
}

impl Looks {
    pub(super) fn new(
        started: Instant,
        publish: watch::Sender<Arc<Snapshot>>,
        samples: Arc<Mutex<Samples>>,
        changes: Arc<Mutex<ChangeLog>>,
    ) -> Self {
        Self { publish, samples, _changes: changes, background: Background::new(started) }
    }

    /// Looks until nobody wants to see it any more, or the provider has ended.
    pub(super) async fn go_on(mut self, provider: Provider) {
        let mut pace = tokio::time::interval(PACE);
        while !self.publish.is_closed() {
            pace.tick().await;
            let before = now();
            let Ok(view) = provider.observe().await else { return };
            self.publish(view);
            pace.reset_after(PACE.max(now().saturating_duration_since(before) * REST));
        }
    }

    fn publish(&mut self, view: ProviderView) {
        let now = now();
        let counters = counters(&view);
        let samples = Arc::clone(&self.samples);
        let snapshot = self.background.snapshot(now, view, 0, |counts| {
            samples.lock().unwrap_or_else(PoisonError::into_inner).take(now, counters, counts, counts.pending)
        });
        self.publish.send_replace(Arc::new(snapshot));
    }
}

fn counters(view: &ProviderView) -> Counters {
    let wires = view.sources.iter().flat_map(|source| &source.endpoints).map(|endpoint| endpoint.wire);
    Counters {
        changes: view.agents().map(|agent| agent.sequence).sum(),
        messages: wires.map(|wire| wire.subscribes + wire.notifies).sum(),
    }
}

//! The task that looks at the provider, and the task that listens to what happens.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use presence_actors::{Occurrence, Provider, ProviderView, now};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use super::Snapshot;
use super::changes::ChangeLog;
use super::samples::{Counters, Samples};
use super::snapshot::Background;
use crate::state::Keeping;

/// Looks are so far apart at least.
const PACE: Duration = Duration::from_secs(1);
/// And so many times as long as a look takes: looking may cost a twentieth of the arbiter.
const REST: u32 = 20;
/// But no longer than that: a look takes long also while the arbiter has much else to do, and that is when people look.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// How long it is from a look that took so long to the next one.
fn rest(took: Duration) -> Duration {
    (took * REST).clamp(PACE, LONGEST_REST)
}

/// Looks at the provider again and again.
pub(super) struct Looks {
    pub(super) publish: watch::Sender<Arc<Snapshot>>,
    pub(super) samples: Arc<Mutex<Samples>>,
    pub(super) background: Arc<Mutex<Background>>,
    pub(super) keeping: Keeping,
}

impl Looks {
    /// Looks until nobody wants to see it any more, or the provider has ended.
    pub(super) async fn go_on(self, provider: Provider) {
        let mut pace = tokio::time::interval(PACE);
        while !self.publish.is_closed() {
            pace.tick().await;
            let before = now();
            let Ok(view) = provider.observe().await else { return };
            let calls = provider.uccs().await.iter().map(|ucc| ucc.calls).sum();
            self.publish(view, calls, provider.meters().read().changes);
            pace.reset_after(rest(now().saturating_duration_since(before)));
        }
    }

    fn publish(&self, view: ProviderView, calls: usize, changes: u64) {
        let now = now();
        let counters = Counters { changes, messages: messages(&view) };
        let mut background = self.background.lock().unwrap_or_else(PoisonError::into_inner);
        background.keeping(self.keeping.read(now));
        let snapshot = background.snapshot(now, view, calls, |counts| {
            let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
            samples.take(now, counters, counts, counts.pending)
        });
        let news = background.news();
        drop(background);
        for line in news {
            line.log(now);
        }
        self.publish.send_replace(Arc::new(snapshot));
    }
}

/// SIP messages about presence since the start, in both directions.
fn messages(view: &ProviderView) -> u64 {
    let endpoints = view.sources.iter().flat_map(|source| &source.endpoints);
    endpoints.map(|endpoint| endpoint.wire.subscribes + endpoint.wire.notifies).sum()
}

/// Keeps what happens, until nobody asks for it any more or the provider has ended. What comes too fast is missed.
pub(super) async fn listen(
    mut occurrences: broadcast::Receiver<Occurrence>,
    changes: Weak<Mutex<ChangeLog>>,
    background: Arc<Mutex<Background>>,
) {
    loop {
        let occurrence = match occurrences.recv().await {
            Ok(occurrence) => occurrence,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let Some(changes) = changes.upgrade() else { return };
        let mut changes = changes.lock().unwrap_or_else(PoisonError::into_inner);
        match occurrence {
            Occurrence::Changed(change) => changes.record(now(), change),
            Occurrence::Failed { uri, via, .. } => changes.failed(uri, via),
            Occurrence::Endpoint { kind, up, failure, at, .. } => {
                let why = failure.as_ref().map(ToString::to_string);
                background.lock().unwrap_or_else(PoisonError::into_inner).endpoint(at, kind, up, why);
            }
            Occurrence::Graph { report, .. } => {
                background.lock().unwrap_or_else(PoisonError::into_inner).graph(&report);
            }
            Occurrence::SilentLoss { via, at, .. } => {
                background.lock().unwrap_or_else(PoisonError::into_inner).silent_loss(at, via);
            }
            Occurrence::Abandoned { .. } | Occurrence::Revived { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_cost_a_twentieth_and_nobody_is_blind_for_long_however_long_one_took() {
        let after = |millis| rest(Duration::from_millis(millis));
        assert_eq!(after(0), PACE);
        assert_eq!(after(100), Duration::from_secs(2));
        assert_eq!(after(7_000), LONGEST_REST);
        assert_eq!(rest(Duration::from_secs(3_600)), LONGEST_REST);
    }
}

//! At which moments batches are asked for.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::BatchId;

/// A wheel that is late by no more than this keeps its rhythm; beyond it the missed turns are left out.
const SLACK: Duration = Duration::from_millis(250);

/// Spreads batches evenly over a sweep: one turn every `sweep / batches`, and in each turn the batch whose turn is longest ago.
///
/// A wheel that was held up does not catch up: it goes on from now at its ordinary pace, so that after a pause everybody has
/// been asked for within one sweep and no burst is made.
#[derive(Debug)]
pub(super) struct Wheel {
    sweep: Duration,
    order: VecDeque<BatchId>,
    last_turn: Option<Instant>,
}

impl Wheel {
    pub(super) const fn new(sweep: Duration) -> Self {
        Self { sweep, order: VecDeque::new(), last_turn: None }
    }

    pub(super) fn add(&mut self, batch: BatchId) {
        self.order.push_back(batch);
    }

    pub(super) fn remove(&mut self, batch: BatchId) {
        self.order.retain(|other| *other != batch);
    }

    /// The batches, the one that is next first.
    pub(super) fn order(&self) -> impl Iterator<Item = BatchId> + '_ {
        self.order.iter().copied()
    }

    /// When the next turn is due; `None` without batches, the past when there was no turn yet.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let batches = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
        (batches > 0).then(|| self.last_turn.map_or(now, |last| last + self.sweep / batches))
    }

    /// This batch had its turn.
    pub(super) fn turned(&mut self, now: Instant, batch: BatchId) {
        let due = self.due(now).unwrap_or(now);
        self.last_turn = Some(if due > now || now.duration_since(due) > SLACK { now } else { due });
        self.moved_back(batch);
    }

    /// This batch was asked for outside of its turn.
    pub(super) fn moved_back(&mut self, batch: BatchId) {
        if let Some(at) = self.order.iter().position(|other| *other == batch) {
            self.order.remove(at);
            self.order.push_back(batch);
        }
    }
}

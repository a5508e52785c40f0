//! Ends of dialogs that the server refuses: it still has what nobody wants.

use std::time::{Duration, Instant};

use super::SkypeSubscriber;
use super::dialog::{DialogKey, Kind, Phase};

/// How long after the first refusal a dialog is to be ended again; twice as long each further time.
const AGAIN: Duration = Duration::from_secs(2);

/// The longest wait; so it goes on until the dialog has run out.
const LONGEST_AGAIN: Duration = Duration::from_secs(64);

/// So often a new list waits; the last time is about two minutes after the first. The server drops the old one for it then.
pub(super) const MOST_REFUSALS: u8 = 6;

impl SkypeSubscriber {
    /// The server does not let a dialog go that we end. It is asked again, as its agents would be subscribed to twice
    /// otherwise; a new list waits for that, as the server would drop the old one for it without a word.
    pub(super) fn farewell_refused(&mut self, now: Instant, key: DialogKey, status: u16) {
        let Some(dialog) = self.dialogs.get_mut(key) else { return };
        dialog.refusals = dialog.refusals.saturating_add(1);
        // 481: there is nothing to end.
        let over = dialog.expires_at.is_none_or(|at| at <= now);
        if status == 481 || over || self.departure.is_some() {
            return self.closed(now, key);
        }
        let wait = AGAIN.saturating_mul(1 << (dialog.refusals - 1).min(MOST_REFUSALS)).min(LONGEST_AGAIN);
        let (kind, again_at) = (dialog.kind, now + wait);
        dialog.exchange = None;
        self.dialogs.enter(key, Phase::Refused { again_at }, "the server does not let it go");
        self.dialogs.rearm(key);
        match kind {
            Kind::Single(member) => self.single_over(now, key, member),
            Kind::Batch(_) | Kind::Poll(_) => {}
        }
    }

    /// Ends a dialog once more.
    pub(super) fn end_again(&mut self, now: Instant, key: DialogKey) {
        self.dialogs.enter(key, Phase::Orphaned, "to be ended again");
        self.close(now, key, "to be ended again");
        self.dialogs.rearm(key);
    }
}

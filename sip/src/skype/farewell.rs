//! Ends of dialogs that the server refuses: it still has what nobody wants.

use std::time::{Duration, Instant};

use super::SkypeSubscriber;
use super::dialog::{DialogKey, Kind, Phase};

/// How long after the first refusal a dialog is to be ended again; twice as long each further time.
const AGAIN: Duration = Duration::from_secs(2);

/// So often; the last time about two minutes after the first.
const MOST_REFUSALS: u8 = 6;

impl SkypeSubscriber {
    /// The server does not let a dialog go that we end. It is asked again, as its agents would be subscribed to twice
    /// otherwise; a new list waits for that, as the server would drop the old one for it without a word.
    pub(super) fn farewell_refused(&mut self, now: Instant, key: DialogKey, status: u16) {
        let Some(dialog) = self.dialogs.get_mut(key) else { return };
        dialog.refusals = dialog.refusals.saturating_add(1);
        // 481: there is nothing to end.
        if status == 481 || dialog.refusals > MOST_REFUSALS || self.departure.is_some() {
            return self.closed(now, key);
        }
        let (kind, wait) = (dialog.kind, AGAIN.saturating_mul(1 << (dialog.refusals - 1)));
        let again_at = now + wait;
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

//! The states of a subscription with the data that is valid in each, and the arithmetic of its times.

use std::time::{Duration, Instant};

use super::types::{Attempt, Deadline, SubscriptionState, Ticket};
use crate::{EndpointKind, EndpointSet};

/// An answer that takes longer than this will not come: the SIP layer's own limit for a request and for the probe
/// that decides whose failure the silence was is 64 s (RFC 3261 17.1.2.2, twice 64*T1).
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(100);

/// How long an endpoint is left alone that failed although it is said to be up.
pub(super) const ENDPOINT_REST: Duration = Duration::from_secs(5);

/// The longest wait that a peer can ask for.
pub(super) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// How much time before its end a dialog is refreshed at least: as long as a request may remain unanswered.
const REFRESH_MARGIN: Duration = Duration::from_secs(32);

/// Durations from elsewhere are cut to a year, so that no sum overflows.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    /// Without `retry_at` no endpoint is up; with it one is up and failed a moment ago.
    WaitingForEndpoint {
        retry_at: Option<Instant>,
    },
    AwaitingToken {
        via: EndpointKind,
        ticket: Ticket,
    },
    Subscribing {
        via: EndpointKind,
        attempt: Attempt,
        answer_by: Instant,
    },
    Active(Dialog),
    BackingOff {
        until: Instant,
    },
    Abandoned,
    Withdrawing {
        via: EndpointKind,
        attempt: Attempt,
        answer_by: Instant,
    },
    Releasing {
        dialog: Dialog,
        ticket: Ticket,
    },
    Unsubscribing {
        via: EndpointKind,
        attempt: Attempt,
        answer_by: Instant,
        then: Then,
    },
}

/// What follows the end of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Stop,
    Subscribe,
}

/// A dialog that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialog {
    pub(super) via: EndpointKind,
    pub(super) attempt: Attempt,
    /// `None` while only a NOTIFY without `expires` has told of the dialog.
    pub(super) expires_at: Option<Instant>,
    pub(super) refresh: Refresh,
}

/// Where the next refresh of a dialog is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    /// The endpoint keeps the dialog alive.
    Kept,
    Scheduled {
        at: Instant,
    },
    AwaitingToken {
        ticket: Ticket,
    },
    /// A SUBSCRIBE, the first one or a refresh, is not answered yet.
    Answering {
        answer_by: Instant,
    },
}

impl Dialog {
    /// A 2xx grants this much time.
    pub(super) fn accept(&mut self, now: Instant, expires: Duration) {
        self.expires_at = Some(after(now, expires));
        self.refresh = Refresh::Scheduled { at: after(now, refresh_after(expires)) };
    }

    /// A 2xx says that the endpoint keeps the dialog alive.
    pub(super) const fn join(&mut self) {
        self.expires_at = None;
        self.refresh = Refresh::Kept;
    }

    /// A NOTIFY says how much time is left, which shortens and never lengthens.
    pub(super) fn shorten(&mut self, now: Instant, expires: Duration) {
        let end = after(now, expires);
        if self.refresh == Refresh::Kept || self.expires_at.is_some_and(|known| known <= end) {
            // Who keeps the dialog alive watches its end too.
            return;
        }
        self.expires_at = Some(end);
        match self.refresh {
            Refresh::Scheduled { at } => {
                self.refresh = Refresh::Scheduled { at: at.min(after(now, refresh_after(expires))) };
            }
            // The refresh is on its way already, or it is not ours.
            Refresh::Kept | Refresh::AwaitingToken { .. } | Refresh::Answering { .. } => {}
        }
    }

    pub(super) fn has_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    pub(super) const fn refresh_ticket(&self) -> Option<Ticket> {
        match self.refresh {
            Refresh::AwaitingToken { ticket } => Some(ticket),
            Refresh::Kept | Refresh::Scheduled { .. } | Refresh::Answering { .. } => None,
        }
    }

    fn next(&self) -> Option<(Instant, Deadline)> {
        let expiry = self.expires_at.map(|end| (end, Deadline::Expiry));
        let refresh = match self.refresh {
            Refresh::Scheduled { at } => Some((at, Deadline::Refresh)),
            Refresh::Answering { answer_by } => Some((answer_by, Deadline::Answer)),
            Refresh::Kept | Refresh::AwaitingToken { .. } => None,
        };
        expiry.into_iter().chain(refresh).min()
    }
}

impl State {
    pub(super) fn deadline(&self) -> Option<(Instant, Deadline)> {
        match *self {
            Self::WaitingForEndpoint { retry_at: Some(at) } | Self::BackingOff { until: at } => {
                Some((at, Deadline::Retry))
            }
            Self::Subscribing { answer_by, .. }
            | Self::Withdrawing { answer_by, .. }
            | Self::Unsubscribing { answer_by, .. } => Some((answer_by, Deadline::Answer)),
            Self::Active(dialog) => dialog.next(),
            // A dialog that runs out while it waits to be ended is ended all the same: a refresh whose answer is late
            // may have prolonged it.
            Self::Releasing { .. }
            | Self::Idle
            | Self::WaitingForEndpoint { retry_at: None }
            | Self::AwaitingToken { .. }
            | Self::Abandoned => None,
        }
    }

    pub(super) const fn name(&self) -> SubscriptionState {
        match self {
            Self::Idle => SubscriptionState::Idle,
            Self::WaitingForEndpoint { .. } => SubscriptionState::WaitingForEndpoint,
            Self::AwaitingToken { .. } => SubscriptionState::AwaitingToken,
            Self::Subscribing { .. } => SubscriptionState::Subscribing,
            Self::Active(_) => SubscriptionState::Active,
            Self::BackingOff { .. } => SubscriptionState::BackingOff,
            Self::Abandoned => SubscriptionState::Abandoned,
            Self::Withdrawing { .. } => SubscriptionState::Withdrawing,
            Self::Releasing { .. } => SubscriptionState::Releasing,
            Self::Unsubscribing { .. } => SubscriptionState::Unsubscribing,
        }
    }

    /// The endpoint that has, gets or loses the dialog.
    pub(super) const fn via(&self) -> Option<EndpointKind> {
        match self {
            Self::AwaitingToken { via, .. }
            | Self::Subscribing { via, .. }
            | Self::Withdrawing { via, .. }
            | Self::Unsubscribing { via, .. } => Some(*via),
            Self::Active(dialog) | Self::Releasing { dialog, .. } => Some(dialog.via),
            Self::Idle | Self::WaitingForEndpoint { .. } | Self::BackingOff { .. } | Self::Abandoned => None,
        }
    }

    /// The number of the dialog that stands, begins or ends.
    pub(super) const fn attempt(&self) -> Option<Attempt> {
        match self {
            Self::Subscribing { attempt, .. }
            | Self::Withdrawing { attempt, .. }
            | Self::Unsubscribing { attempt, .. } => Some(*attempt),
            Self::Active(dialog) | Self::Releasing { dialog, .. } => Some(dialog.attempt),
            Self::Idle
            | Self::WaitingForEndpoint { .. }
            | Self::AwaitingToken { .. }
            | Self::BackingOff { .. }
            | Self::Abandoned => None,
        }
    }

    pub(super) const fn expires_at(&self) -> Option<Instant> {
        match self {
            Self::Active(dialog) | Self::Releasing { dialog, .. } => dialog.expires_at,
            Self::Idle
            | Self::WaitingForEndpoint { .. }
            | Self::AwaitingToken { .. }
            | Self::Subscribing { .. }
            | Self::BackingOff { .. }
            | Self::Abandoned
            | Self::Withdrawing { .. }
            | Self::Unsubscribing { .. } => None,
        }
    }

    pub(super) const fn next_retry(&self) -> Option<Instant> {
        match self {
            Self::WaitingForEndpoint { retry_at } => *retry_at,
            Self::BackingOff { until } => Some(*until),
            Self::Idle
            | Self::AwaitingToken { .. }
            | Self::Subscribing { .. }
            | Self::Active(_)
            | Self::Abandoned
            | Self::Withdrawing { .. }
            | Self::Releasing { .. }
            | Self::Unsubscribing { .. } => None,
        }
    }
}

/// A dialog that an endpoint may still hold although the subscription lives elsewhere or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leftover {
    None,
    /// Nothing can or should be done now.
    Held(Attempt),
    /// It has failed and the server still has it: the next attempt takes it over, and until then it may come to life.
    Stalled(Attempt),
    /// The token to end it is asked for.
    Releasing {
        attempt: Attempt,
        ticket: Ticket,
    },
}

impl Leftover {
    pub(super) const fn attempt(self) -> Option<Attempt> {
        match self {
            Self::None => None,
            Self::Held(attempt) | Self::Stalled(attempt) | Self::Releasing { attempt, .. } => Some(attempt),
        }
    }
}

/// Which endpoints have refused the agent since the last success or the last counted failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) refused: EndpointSet,
    pub(super) forbidden: EndpointSet,
    pub(super) retry_after: Duration,
}

/// What to do when a dialog is wanted and there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Try(EndpointKind),
    Wait,
    Rest,
    BackOff(Duration),
}

/// When to refresh a dialog that was granted this much: 32 s or a tenth before its end, a short one at its half.
pub(super) fn refresh_after(expires: Duration) -> Duration {
    let margin = REFRESH_MARGIN.max(expires / 10);
    expires.saturating_sub(margin).max(expires / 2)
}

pub(super) fn after(now: Instant, wait: Duration) -> Instant {
    now + wait.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_is_refreshed_in_time() {
        let cases = [(3_600, 3_240), (600, 540), (320, 288), (100, 68), (64, 32), (60, 30), (10, 5), (2, 1), (0, 0)];
        for (expires, refresh) in cases {
            let refresh_at = refresh_after(Duration::from_secs(expires));
            assert_eq!(refresh_at, Duration::from_secs(refresh), "{expires}");
        }
        assert!(refresh_after(Duration::MAX) < Duration::MAX);
    }

    #[test]
    fn a_notification_shortens_a_dialog_and_never_lengthens_it() {
        let now = crate::test_clock::start();
        let at = |seconds| now + Duration::from_secs(seconds);
        let refresh = Refresh::Answering { answer_by: at(100) };
        let mut dialog = Dialog { via: EndpointKind::User, attempt: Attempt(1), expires_at: None, refresh };
        dialog.accept(now, Duration::from_secs(3_600));
        dialog.shorten(at(10), Duration::from_secs(3_600));
        assert_eq!(dialog.next(), Some((at(3_240), Deadline::Refresh)));
        dialog.shorten(at(10), Duration::from_secs(3_589));
        assert_eq!(dialog.next(), Some((at(3_240), Deadline::Refresh)), "a rounded remainder changes nothing");
        assert_eq!(dialog.expires_at, Some(at(3_599)));
        dialog.shorten(at(10), Duration::from_secs(60));
        assert_eq!((dialog.expires_at, dialog.next()), (Some(at(70)), Some((at(40), Deadline::Refresh))));
    }
}

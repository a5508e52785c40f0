//! What an answer to a REGISTER means (the product's failure table).

use presence_core::TransitionReason;

/// What to do about a final answer that is no 2xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// 3xx: elsewhere.
    Elsewhere,
    /// 401, 407: who are we?
    Challenged,
    /// 423: longer.
    TooBrief,
    /// 420, 421: without option tags.
    BadExtension,
    /// 503: nothing at all for a while.
    Overloaded,
    /// Not now.
    Later,
    /// The pool does not know us, or does not want us.
    Unwelcome,
    /// The owner has too many endpoints.
    TooMany,
    /// The request itself is refused, and would be again.
    Refused,
}

impl Verdict {
    /// Reads an answer. What can be repaired and where to go follow from the status; for all else Microsoft's diagnosis
    /// decides first, as the statuses beside it vary (MS-OCER).
    pub(super) const fn of(status: u16, diagnosis: Option<u32>) -> Self {
        match (status, diagnosis) {
            (300..=399, _) => Self::Elsewhere,
            (401 | 407, _) => Self::Challenged,
            (423, _) => Self::TooBrief,
            (420 | 421, _) => Self::BadExtension,
            (503, _) => Self::Overloaded,
            // No such user, not on this pool, not enabled, disabled since.
            (_, Some(1003 | 2005 | 4003..=4007 | 4141)) => Self::Unwelcome,
            (_, Some(4140)) => Self::TooMany,
            // No way to the home server, or it is moving the user.
            (_, Some(1007 | 1008 | 1010..=1014 | 4142 | 4165..=4167)) => Self::Later,
            (403 | 404 | 410 | 603 | 604 | 606, _) => Self::Unwelcome,
            (408 | 480 | 486 | 491 | 500 | 502 | 504 | 506..=512 | 514..=600, _) => Self::Later,
            _ => Self::Refused,
        }
    }

    /// What is told of an answer that ends the registration, by UCMA's name; `refreshed` says whether there was one.
    pub(super) const fn reason(self, refreshed: bool) -> TransitionReason {
        match self {
            Self::Challenged | Self::Unwelcome => TransitionReason::OwnerDisabledOrRemoved,
            Self::TooMany => TransitionReason::TooManyActiveEndpoints,
            Self::Elsewhere | Self::TooBrief | Self::BadExtension | Self::Overloaded | Self::Later | Self::Refused => {
                if refreshed {
                    TransitionReason::RegistrationRefreshFailed
                } else {
                    TransitionReason::None
                }
            }
        }
    }
}

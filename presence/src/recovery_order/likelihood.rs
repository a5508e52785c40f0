//! How likely it is that an agent is available, by what was last known.

use std::time::{Duration, Instant};

use crate::{Availability, AvailabilityName, Freshness};

/// How likely any agent is available of whom nothing is known: the mean of the field (28 % of the agents, all day).
const MEAN: f64 = 0.28;

/// What was known fades to the mean with this time constant.
const FADES_IN: Duration = Duration::from_secs(30 * 60);

/// The likelihood is never less, so that who wants an agent still counts.
const LEAST: f64 = 0.001;

/// Moments of confirmation are told apart by so much.
const GRAIN: Duration = Duration::from_secs(60);

/// What is known of an agent's availability, as far as it matters to whom a call could go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastKnown {
    /// Nothing.
    #[default]
    Unknown,
    /// How it was when the source last stood behind it.
    Stale {
        /// A call could go to the agent then.
        available: bool,
        /// When the source last stood behind it.
        confirmed: Instant,
    },
    /// How it is: the source stands behind it.
    Fresh {
        /// A call can go to the agent now.
        available: bool,
    },
}

impl LastKnown {
    /// What a presence says; `confirmed` is when its source last stood behind it ([`crate::Publication::confirmed`]).
    #[must_use]
    pub const fn of(availability: Availability, freshness: Freshness, confirmed: Option<Instant>) -> Self {
        let available = is_available(availability);
        match (freshness, confirmed) {
            _ if !availability.is_known() => match freshness {
                // The source stands behind not knowing: nobody is found by asking again.
                Freshness::Fresh => Self::Fresh { available },
                Freshness::Stale | Freshness::Unknown => Self::Unknown,
            },
            (Freshness::Fresh, _) => Self::Fresh { available },
            (Freshness::Stale, Some(confirmed)) => Self::Stale { available, confirmed },
            (Freshness::Stale | Freshness::Unknown, _) => Self::Unknown,
        }
    }
}

/// True for the availabilities that a queue rings: Online and IdleOnline (3000 to 5999). The scale calls both available
/// (MS-PRES: Available, Available-Idle); IdleOnline says only that keyboard and mouse rest.
#[must_use]
pub const fn is_available(availability: Availability) -> bool {
    matches!(availability.name(), AvailabilityName::Online | AvailabilityName::IdleOnline)
}

/// [`LastKnown`] in minutes: all agents of one vintage are equally likely available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Vintage {
    #[default]
    Unknown,
    Stale {
        available: bool,
        /// Minutes from the beginning; negative for what is older than this process.
        minute: i32,
    },
    Fresh {
        available: bool,
    },
}

impl Vintage {
    pub(super) fn of(known: LastKnown, beginning: Instant) -> Self {
        match known {
            LastKnown::Unknown => Self::Unknown,
            LastKnown::Fresh { available } => Self::Fresh { available },
            LastKnown::Stale { available, confirmed } => {
                let grains = |time: Duration| i32::try_from(time.as_secs() / GRAIN.as_secs()).unwrap_or(i32::MAX);
                let minute = match confirmed.checked_duration_since(beginning) {
                    Some(later) => grains(later),
                    None => -1 - grains(beginning.saturating_duration_since(confirmed)).min(i32::MAX - 1),
                };
                Self::Stale { available, minute }
            }
        }
    }

    /// How likely an agent of this vintage is available when so much time has passed since the beginning.
    pub(super) fn likelihood(self, since_beginning: Duration) -> f64 {
        let (then, age) = match self {
            Self::Unknown => return MEAN,
            Self::Fresh { available } => (f64::from(available), 0.0),
            Self::Stale { available, minute } => {
                let confirmed = (f64::from(minute) + 0.5) * GRAIN.as_secs_f64();
                (f64::from(available), (since_beginning.as_secs_f64() - confirmed).max(0.0))
            }
        };
        (MEAN + (then - MEAN) * (-age / FADES_IN.as_secs_f64()).exp()).max(LEAST)
    }
}

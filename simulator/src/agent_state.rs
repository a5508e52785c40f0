//! What a simulated agent is doing, and what a subscriber should read from it.

use presence_core::Availability;

use crate::Dice;

/// What a simulated agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Activity {
    /// Open, no activity.
    Available,
    /// RPID `busy`.
    Busy,
    /// RPID `on-the-phone`.
    OnThePhone,
    /// RPID `meeting`.
    Meeting,
    /// RPID `presentation`.
    Presentation,
    /// RPID `other` with the text `dnd`; RFC 4480 has no element for it.
    DoNotDisturb,
    /// RPID `meal`.
    Meal,
    /// RPID `away`.
    Away,
    /// RPID `vacation`.
    Vacation,
    /// Every tuple closed.
    Offline,
}

/// The presence of a simulated agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AgentState {
    /// What the agent is doing.
    pub activity: Activity,
    /// RPID `user-input` is `idle`.
    pub idle: bool,
    /// RFC 5196 `audio`.
    pub audio: bool,
    /// RFC 5196 `video`.
    pub video: bool,
    /// RFC 5196 `text`, and `message` as well.
    pub text: bool,
}

impl Activity {
    /// Every activity, from the most to the least available.
    pub const ALL: [Self; 10] = [
        Self::Available,
        Self::Busy,
        Self::OnThePhone,
        Self::Meeting,
        Self::Presentation,
        Self::DoNotDisturb,
        Self::Meal,
        Self::Away,
        Self::Vacation,
        Self::Offline,
    ];

    /// The element of RFC 4480 below `activities`; none when the agent is available or offline.
    #[must_use]
    pub const fn element(self) -> Option<&'static str> {
        match self {
            Self::Available | Self::Offline => None,
            Self::Busy => Some("busy"),
            Self::OnThePhone => Some("on-the-phone"),
            Self::Meeting => Some("meeting"),
            Self::Presentation => Some("presentation"),
            Self::DoNotDisturb => Some("other"),
            Self::Meal => Some("meal"),
            Self::Away => Some("away"),
            Self::Vacation => Some("vacation"),
        }
    }

    /// How often the dice choose it, in hundredths.
    const fn weight(self) -> u64 {
        match self {
            Self::Available => 34,
            Self::Busy => 14,
            Self::OnThePhone => 16,
            Self::Meeting => 10,
            Self::Presentation => 3,
            Self::DoNotDisturb => 4,
            Self::Meal => 6,
            Self::Away => 7,
            Self::Vacation => 2,
            Self::Offline => 4,
        }
    }
}

impl AgentState {
    /// An agent who does this with every modality, and is not idle.
    #[must_use]
    pub const fn of(activity: Activity) -> Self {
        Self { activity, idle: false, audio: true, video: true, text: true }
    }

    /// The same, idle.
    #[must_use]
    pub const fn idle(mut self) -> Self {
        self.idle = true;
        self
    }

    /// The number that a subscriber should derive (our mapping of RPID to the scale; no standard has one).
    #[must_use]
    pub const fn availability(self) -> Availability {
        match (self.activity, self.idle) {
            (Activity::Available, false) => Availability::ONLINE,
            (Activity::Available, true) => Availability::IDLE_ONLINE,
            (Activity::Busy | Activity::OnThePhone | Activity::Meeting | Activity::Presentation, false) => {
                Availability::BUSY
            }
            (Activity::Busy | Activity::OnThePhone | Activity::Meeting | Activity::Presentation, true) => {
                Availability::IDLE_BUSY
            }
            (Activity::DoNotDisturb, _) => Availability::DO_NOT_DISTURB,
            (Activity::Meal, _) => Availability::BE_RIGHT_BACK,
            (Activity::Away | Activity::Vacation, _) => Availability::AWAY,
            (Activity::Offline, _) => Availability::OFFLINE,
        }
    }

    /// Another state than this one, by the dice: mostly available, busy or on the phone.
    #[must_use]
    pub fn another(self, dice: &mut Dice) -> Self {
        loop {
            let next = Self { activity: throw_activity(dice), idle: dice.chance(1, 8), ..self };
            // Idle says something only where a number depends on it.
            let idle = next.idle && matches!(next.activity, Activity::Available | Activity::Busy);
            let next = Self { idle, video: dice.chance(9, 10), ..next };
            if next != self {
                return next;
            }
        }
    }
}

impl Default for AgentState {
    fn default() -> Self {
        Self::of(Activity::Available)
    }
}

/// One of the activities, by weight.
fn throw_activity(dice: &mut Dice) -> Activity {
    let mut left = dice.below(Activity::ALL.iter().map(|activity| activity.weight()).sum());
    for activity in Activity::ALL {
        if left < activity.weight() {
            return activity;
        }
        left -= activity.weight();
    }
    Activity::Available
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dice_reach_every_activity_and_never_stand_still() {
        let mut dice = Dice::new(3);
        let mut state = AgentState::default();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..2_000 {
            let next = state.another(&mut dice);
            assert_ne!(next, state);
            seen.insert(next.activity);
            state = next;
        }
        assert_eq!(seen.len(), Activity::ALL.len());
    }
}

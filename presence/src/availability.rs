//! The numeric scale of availability: smaller is more available.

use std::fmt;

/// A number on the availability scale of Skype for Business (MS-PRES; UCMA `PresenceAvailability`), or unknown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Availability(i32);

/// The name of a range of the scale. The floors are UCMA's; unknown is never [`AvailabilityName::Offline`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AvailabilityName {
    /// Nothing is known (-1 on the wire of UCMA).
    Unknown,
    /// Below 3000.
    None,
    /// 3000 to 4499.
    Online,
    /// 4500 to 5999.
    IdleOnline,
    /// 6000 to 7499.
    Busy,
    /// 7500 to 8999.
    IdleBusy,
    /// 9000 to 11999.
    DoNotDisturb,
    /// 12000 to 14999.
    BeRightBack,
    /// 15000 to 17999.
    Away,
    /// From 18000.
    Offline,
}

impl Availability {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self(-1);
    /// The usual number for available.
    pub const ONLINE: Self = Self(3500);
    /// The usual number for available but idle.
    pub const IDLE_ONLINE: Self = Self(5000);
    /// The usual number for busy.
    pub const BUSY: Self = Self(6500);
    /// The usual number for busy and idle.
    pub const IDLE_BUSY: Self = Self(7500);
    /// The usual number for do not disturb.
    pub const DO_NOT_DISTURB: Self = Self(9500);
    /// The usual number for be right back.
    pub const BE_RIGHT_BACK: Self = Self(12500);
    /// The usual number for away.
    pub const AWAY: Self = Self(15500);
    /// The usual number for offline.
    pub const OFFLINE: Self = Self(18500);

    /// Takes a number from the wire; a negative one is [`Availability::UNKNOWN`].
    #[must_use]
    pub const fn new(value: i32) -> Self {
        if value < 0 { Self::UNKNOWN } else { Self(value) }
    }

    /// The number; -1 when unknown.
    #[must_use]
    pub const fn value(self) -> i32 {
        self.0
    }

    /// The range that the number is in.
    #[must_use]
    pub const fn name(self) -> AvailabilityName {
        match self.0 {
            i32::MIN..=-1 => AvailabilityName::Unknown,
            0..=2999 => AvailabilityName::None,
            3000..=4499 => AvailabilityName::Online,
            4500..=5999 => AvailabilityName::IdleOnline,
            6000..=7499 => AvailabilityName::Busy,
            7500..=8999 => AvailabilityName::IdleBusy,
            9000..=11999 => AvailabilityName::DoNotDisturb,
            12000..=14999 => AvailabilityName::BeRightBack,
            15000..=17999 => AvailabilityName::Away,
            18000..=i32::MAX => AvailabilityName::Offline,
        }
    }

    /// True when something is known.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.0 >= 0
    }
}

impl fmt::Debug for Availability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

impl fmt::Display for AvailabilityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unknown => "Unknown",
            Self::None => "None",
            Self::Online => "Online",
            Self::IdleOnline => "IdleOnline",
            Self::Busy => "Busy",
            Self::IdleBusy => "IdleBusy",
            Self::DoNotDisturb => "DoNotDisturb",
            Self::BeRightBack => "BeRightBack",
            Self::Away => "Away",
            Self::Offline => "Offline",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_begins_at_its_floor() {
        let floors = [
            (0, AvailabilityName::None),
            (3000, AvailabilityName::Online),
            (4500, AvailabilityName::IdleOnline),
            (6000, AvailabilityName::Busy),
            (7500, AvailabilityName::IdleBusy),
            (9000, AvailabilityName::DoNotDisturb),
            (12000, AvailabilityName::BeRightBack),
            (15000, AvailabilityName::Away),
            (18000, AvailabilityName::Offline),
        ];
        let mut below = AvailabilityName::Unknown;
        for (floor, name) in floors {
            assert_eq!(Availability::new(floor).name(), name);
            assert_eq!(Availability::new(floor - 1).name(), below);
            below = name;
        }
    }

    #[test]
    fn unknown_is_not_offline() {
        assert_eq!(Availability::new(-7), Availability::UNKNOWN);
        assert_eq!(Availability::UNKNOWN.value(), -1);
        assert_eq!(Availability::UNKNOWN.name(), AvailabilityName::Unknown);
        assert!(!Availability::UNKNOWN.is_known());
    }
}

//! Microsoft's words for a presence, on the scale of Skype for Business.

use presence_core::Status;

/// What the two words of one presence say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The status; none when Microsoft does not know it either (PresenceUnknown), or uses words that we do not know.
    pub status: Option<Status>,
    /// The words for availability and activity that are not known, cut to 64 characters.
    pub unknown: [Option<Box<str>>; 2],
}

/// Reads the words `availability` and `activity` of a presence, in any case.
#[must_use]
pub fn read_status(_availability: Option<&str>, _activity: Option<&str>) -> Reading {
    Reading { status: None, unknown: [None, None] }
}

//! Microsoft's words for a presence, on the scale of Skype for Business.
//!
//! Microsoft publishes no table from Graph's words to numbers; this one is ours, from the points of UCMA's `PresenceAvailability`.
//! The words moved between the two properties over the years and changed their case, so each is known in both places.

use std::sync::{Arc, LazyLock};

use presence_core::{Availability, Status};

/// The longest unknown word that is kept, in characters.
const LONGEST_WORD: usize = 64;

/// What the two words of one presence say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The status; none when Microsoft does not know it either (PresenceUnknown), or uses words that we do not know.
    pub status: Option<Status>,
    /// The words for availability and activity that are not known, cut to 64 characters. Not cleaned: escape them in a log.
    pub unknown: [Option<Box<str>>; 2],
}

/// A word of Microsoft's, of either property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Available,
    /// `AvailableIdle`, `AvailableInactive` and `Inactive`.
    Idle,
    Away,
    BeRightBack,
    Busy,
    BusyIdle,
    DoNotDisturb,
    Focusing,
    InACall,
    InAConferenceCall,
    InAMeeting,
    Offline,
    OffWork,
    OutOfOffice,
    Presenting,
    Unknown,
    UrgentInterruptionsOnly,
}

/// One property as it came.
#[derive(Clone, Copy)]
enum Property<'a> {
    /// Missing, null or empty.
    None,
    Known(Word),
    Other(&'a str),
}

const WORDS: [(&str, Word); 19] = [
    ("Available", Word::Available),
    ("AvailableIdle", Word::Idle),
    ("AvailableInactive", Word::Idle),
    ("Away", Word::Away),
    ("BeRightBack", Word::BeRightBack),
    ("Busy", Word::Busy),
    ("BusyIdle", Word::BusyIdle),
    ("DoNotDisturb", Word::DoNotDisturb),
    ("Focusing", Word::Focusing),
    ("InACall", Word::InACall),
    ("InAConferenceCall", Word::InAConferenceCall),
    ("Inactive", Word::Idle),
    ("InAMeeting", Word::InAMeeting),
    ("Offline", Word::Offline),
    ("OffWork", Word::OffWork),
    ("OutOfOffice", Word::OutOfOffice),
    ("PresenceUnknown", Word::Unknown),
    ("Presenting", Word::Presenting),
    ("UrgentInterruptionsOnly", Word::UrgentInterruptionsOnly),
];

/// An activity token that everyone who has it shares.
macro_rules! token {
    ($text:literal) => {{
        static TOKEN: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from($text));
        Arc::clone(&TOKEN)
    }};
}

/// Reads the words `availability` and `activity` of a presence, in any case.
///
/// The availability decides the number, the activity the token. An availability that is missing or `PresenceUnknown` is unknown
/// whatever the activity says; one that we do not know is taken from the activity.
#[must_use]
pub fn read_status(availability: Option<&str>, activity: Option<&str>) -> Reading {
    let (availability, activity) = (property(availability), property(activity));
    let second = match activity {
        Property::Known(word) => Some(word),
        Property::None | Property::Other(_) => None,
    };
    let first = match availability {
        Property::Known(word) => Some(word),
        Property::Other(_) => second,
        Property::None => None,
    };
    Reading {
        status: first.and_then(|first| status(first, second)),
        unknown: [unknown(availability), unknown(activity)],
    }
}

fn property(text: Option<&str>) -> Property<'_> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Property::None };
    match WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        Some((_, word)) => Property::Known(*word),
        None => Property::Other(text),
    }
}

fn unknown(property: Property<'_>) -> Option<Box<str>> {
    let Property::Other(text) = property else { return None };
    let end = text.char_indices().nth(LONGEST_WORD).map_or(text.len(), |(end, _)| end);
    Some(Box::from(&text[..end]))
}

fn status(availability: Word, activity: Option<Word>) -> Option<Status> {
    let number = number(availability, activity)?;
    let token = activity.and_then(token).or_else(|| token(availability));
    let mut status = Status::of(number);
    status.activity = token;
    Some(status)
}

fn number(availability: Word, activity: Option<Word>) -> Option<Availability> {
    Some(match (availability, activity) {
        (Word::Unknown, _) => return None,
        (Word::Available, Some(Word::Idle)) | (Word::Idle, _) => Availability::IDLE_ONLINE,
        (Word::Available, _) => Availability::ONLINE,
        (word, activity) if is_busy(word) => match activity.filter(|activity| is_busy(*activity)).unwrap_or(word) {
            Word::InAConferenceCall => Availability::new(7_000),
            Word::UrgentInterruptionsOnly => Availability::new(6_900),
            _ => Availability::BUSY,
        },
        (Word::BusyIdle, _) => Availability::IDLE_BUSY,
        (Word::DoNotDisturb | Word::Presenting | Word::Focusing, _) => Availability::DO_NOT_DISTURB,
        (Word::BeRightBack, _) | (Word::Away, Some(Word::BeRightBack)) => Availability::BE_RIGHT_BACK,
        (Word::Offline, _) => Availability::OFFLINE,
        // Away, OutOfOffice and OffWork; the words for busy are above.
        _ => Availability::AWAY,
    })
}

const fn is_busy(word: Word) -> bool {
    matches!(
        word,
        Word::Busy | Word::InACall | Word::InAConferenceCall | Word::InAMeeting | Word::UrgentInterruptionsOnly
    )
}

/// The tokens that Lync's clients know; there is none for focusing.
fn token(word: Word) -> Option<Arc<str>> {
    Some(match word {
        Word::InACall => token!("on-the-phone"),
        Word::InAConferenceCall => token!("in-a-conference"),
        Word::InAMeeting => token!("in-a-meeting"),
        Word::OffWork => token!("off-work"),
        Word::OutOfOffice => token!("out-of-office"),
        Word::Presenting => token!("in-presentation"),
        Word::UrgentInterruptionsOnly => token!("urgent-interruptions-only"),
        Word::Available
        | Word::Idle
        | Word::Away
        | Word::BeRightBack
        | Word::Busy
        | Word::BusyIdle
        | Word::DoNotDisturb
        | Word::Focusing
        | Word::Offline
        | Word::Unknown => return None,
    })
}

#[cfg(test)]
mod tests;
